import pytest
import torch
from torch_geometric.data import Batch

from graphmotion.data import from_array
from graphmotion.skeletons import get_skeleton
from graphmotion.transforms import AlignHeading


def walker(direction, frames=6, skeleton='emotion_gait16'):
    """Stands on two legs whose knees bend towards ``direction`` on the last axis."""
    layout = get_skeleton(skeleton)
    pos = torch.zeros(frames, layout.num_joints, 3)
    end = 'foot' if 'left_foot' in layout.joints else 'ankle'
    for side, x in (('left', 0.1), ('right', -0.1)):
        pos[:, layout.index(f'{side}_knee')] = torch.tensor([x, -0.5, 0.1 * direction])
        # The foot is behind the hip, so that the knee is before the leg but not before the hip.
        pos[:, layout.index(f'{side}_{end}')] = torch.tensor([x, -1.0, -0.3 * direction])
        pos[:, layout.index(f'{side}_hip')] = torch.tensor([x, 0, -0.2 * direction])
    return from_array(pos + 0.01 * torch.randn(frames, layout.num_joints, 3), skeleton)


@pytest.mark.parametrize('skeleton', ['emotion_gait16', 'ntu25', 'coco17'])
def test_reflects_only_backward_walks(skeleton):
    forward, backward = walker(1, skeleton=skeleton), walker(-1, skeleton=skeleton)
    transform = AlignHeading(skeleton)
    assert torch.equal(transform(forward).pos, forward.pos)
    assert torch.equal(transform(backward).pos, backward.pos * torch.tensor([1, 1, -1]))
    batch = transform(Batch.from_data_list([forward, backward, forward]))
    assert torch.equal(batch[1].pos, transform(backward).pos)
    assert torch.equal(batch[2].pos, forward.pos)


def test_missing_joints_and_padding_do_not_count():
    data = walker(1, frames=6)
    wrong = walker(-1, frames=6)
    # Most frames face backward, but they are padding, or a joint of each leg is missing there.
    data.pos[:, 2:] = 5 * wrong.pos[:, 2:]
    padded = data.clone()
    padded.num_frames = torch.tensor([2])
    assert torch.equal(AlignHeading('emotion_gait16')(padded).pos, padded.pos)
    data.score = torch.ones(16, 6)
    data.score[[11, 15], 2:] = 0
    data.pos[[11, 15], 2:] = 0
    assert torch.equal(AlignHeading('emotion_gait16')(data).pos, data.pos)
    del data.score
    assert not torch.equal(AlignHeading('emotion_gait16')(data).pos, data.pos)


def test_another_axis():
    data = walker(-1)
    data.pos = data.pos[..., [2, 1, 0]]
    out = AlignHeading('emotion_gait16', axis=0)(data)
    assert torch.equal(out.pos, data.pos * torch.tensor([-1, 1, 1]))


def test_invalid_skeleton_or_axis():
    arms = get_skeleton('emotion_gait16').subset(range(10))
    with pytest.raises(ValueError, match="unknown joint 'left_hip'"):
        AlignHeading(arms)
    with pytest.raises(ValueError, match=r'axis must be in \[0, 2\], got 3'):
        AlignHeading('emotion_gait16', axis=3)(walker(1))
