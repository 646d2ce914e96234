import pytest
import torch
from torch_geometric.data import Data

from graphmotion.skeletons import Skeleton, get_skeleton
from graphmotion.transforms import ToStream


def by_loops(data, skeleton, stream):
    """Loops over joints and frames, without padding and missing joints."""
    pos, parents, valid = data.pos, skeleton.parents, int(data.num_frames)
    score = data.get('score', torch.ones(pos.shape[:2]))

    def joint(i, t):
        return pos[i, t], bool(score[i, t] > 0)

    def bone(i, t):
        body, j = divmod(i, len(parents))
        parent = body * len(parents) + parents[j]
        return pos[i, t] - pos[parent, t], bool(score[i, t] > 0 and score[parent, t] > 0)

    kind = bone if stream.startswith('bone') else joint
    out = torch.zeros_like(pos)
    for i in range(pos.size(0)):
        for t in range(valid):
            now, there = kind(i, t)
            if stream.endswith('motion'):
                if t == valid - 1:
                    continue
                after, there_after = kind(i, t + 1)
                now, there = after - now, there and there_after
            out[i, t] = now if there else 0
    return out[:, :valid]


@pytest.mark.parametrize('stream', ['joint', 'bone', 'joint_motion', 'bone_motion'])
@pytest.mark.parametrize('missing', [None, 0.3])
@pytest.mark.parametrize('people', [1, 2])
def test_matches_loops(stream, missing, people, make):
    data = make('ntu25', num_frames=6, padding=2, people=people, missing=missing)
    skeleton = get_skeleton('ntu25')
    x = ToStream(stream, skeleton)(data).x
    assert x.shape == data.pos.shape
    torch.testing.assert_close(x[:, :6], by_loops(data, skeleton, stream))


def test_speed_is_the_norm_of_the_motion(make):
    data = make(num_frames=6, padding=2, missing=0.2)
    speed = ToStream('joint_speed')(data).x
    motion = ToStream('joint_motion')(data).x
    assert speed.shape == (17, 8, 1)
    torch.testing.assert_close(speed[..., 0], (motion**2).sum(dim=-1).sqrt())


def test_length_is_the_norm_of_the_bone(make):
    data = make(num_frames=6, padding=2, missing=0.2)
    length = ToStream('bone_length', 'coco17')(data).x
    bone = ToStream('bone', 'coco17')(data).x
    assert length.shape == (17, 8, 1)
    torch.testing.assert_close(length[..., 0], (bone**2).sum(dim=-1).sqrt())


@pytest.mark.parametrize('dims', [2, 3])
def test_num_channels(dims, make):
    data = make(dims=dims)
    for streams in (
        'joint',
        ['joint_speed'],
        ['bone', 'joint_speed', 'bone_length', 'joint_motion'],
    ):
        for score in (False, True):
            transform = ToStream(streams, 'coco17', score)
            assert transform(data).x.size(-1) == transform.num_channels(dims)


def test_bones_point_from_the_parent():
    arm = Skeleton(['shoulder', 'elbow', 'wrist'], [(0, 1), (1, 2)], center='shoulder')
    data = Data(pos=torch.tensor([[1.0, 1.0], [3.0, 1.0], [3.0, 4.0]]).unsqueeze(1))
    bones = ToStream('bone', arm)(data).x.squeeze(1)
    assert bones.tolist() == [[0, 0], [2, 0], [0, 3]]


def test_streams_are_concatenated_in_order_and_score_comes_last(make):
    data = make(dims=2, missing=0.2)
    streams = ['bone_motion', 'joint']
    x = ToStream(streams, 'coco17', score=True)(data).x
    parts = [ToStream(stream, 'coco17')(data).x for stream in streams]
    assert x.shape == (17, 12, 5)
    assert torch.equal(x, torch.cat([*parts, data.score.unsqueeze(-1)], dim=-1))


def test_score_is_one_without_a_score(make):
    x = ToStream('joint', score=True)(make(missing=None)).x
    assert torch.equal(x[..., -1], torch.ones(17, 12))


def test_one_frame_does_not_move(make):
    assert not ToStream('joint_motion')(make(num_frames=1)).x.any()


def test_joint_is_not_copied(make):
    data = make()
    assert ToStream('joint')(data).x.data_ptr() == data.pos.data_ptr()


def test_invalid_streams():
    with pytest.raises(ValueError, match=r"\['joint', 'bone', .*got 'velocity'"):
        ToStream('velocity')
    with pytest.raises(ValueError, match='got none'):
        ToStream([])
    with pytest.raises(
        ValueError, match=r"skeleton must be given for the streams \['joint', 'bone_motion'\]"
    ):
        ToStream(['joint', 'bone_motion'])
