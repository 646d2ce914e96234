import pytest
import torch
from torch_geometric.data import Batch

from graphmotion.skeletons import convert, get_skeleton
from graphmotion.transforms import ConvertSkeleton, ToStream

TO_GAIT = {
    'left_hand': 'left_wrist',
    'right_hand': 'right_wrist',
    'left_foot': 'left_ankle',
    'right_foot': ['right_ankle', 'right_knee'],
}


def test_positions_scores_and_bones(make):
    data = make(people=2, missing=0.3)
    out = ConvertSkeleton('coco17', 'emotion_gait16', TO_GAIT)(data)
    source, target = get_skeleton('coco17'), get_skeleton('emotion_gait16')
    assert out.pos.shape == (32, 12, 3)
    edges = target.edge_index
    assert torch.equal(out.edge_index, torch.cat([edges, edges + 16], dim=1))
    converted = convert(data.pos, source, target, TO_GAIT)
    torch.testing.assert_close(out.pos, converted * (out.score > 0).unsqueeze(-1))
    used = {
        'right_foot': ('right_ankle', 'right_knee'),
        'root': ('left_hip', 'right_hip'),
        'head': ('left_ear', 'right_ear'),
        'left_hand': ('left_wrist',),
        'right_knee': ('right_knee',),
        'spine': ('left_hip', 'right_hip', 'left_shoulder', 'right_shoulder'),
    }
    for body in range(2):
        for joint, parts in used.items():
            rows = [17 * body + source.index(part) for part in parts]
            row = 16 * body + target.index(joint)
            assert torch.equal(out.score[row], data.score[rows].amin(dim=0))


def test_batch_of_one_and_two_people(make):
    batch = Batch.from_data_list([make(people=m, seed=m) for m in (1, 2, 1)])
    out = ConvertSkeleton('coco17', 'h36m17')(batch)
    assert out.ptr.tolist() == [0, 17, 51, 68]
    out = ConvertSkeleton('coco17', 'emotion_gait16', TO_GAIT)(batch)
    assert out.ptr.tolist() == [0, 16, 48, 64]
    assert out.batch.tolist() == [0] * 16 + [1] * 32 + [2] * 16
    assert out.num_nodes == 64
    assert out.y.tolist() == [1, 2, 1]
    assert out.edge_index.max() == 63
    assert not out.has_isolated_nodes()


def test_number_of_nodes_that_is_set(make):
    data = make()
    data.num_nodes = 17
    out = ConvertSkeleton('coco17', 'emotion_gait16', TO_GAIT)(data)
    assert out.num_nodes == 16
    assert data.num_nodes == 17
    batch = Batch.from_data_list([data, data])
    out = ConvertSkeleton('coco17', 'emotion_gait16', TO_GAIT)(batch)
    assert out.num_nodes == 32
    assert [sample.num_nodes for sample in out.to_data_list()] == [16, 16]
    assert [sample.num_nodes for sample in batch.to_data_list()] == [17, 17]


def test_fields_that_cannot_be_converted_raise(make):
    with pytest.raises(ValueError, match=r'emotion_gait16.*left_hand|left_hand.*emotion_gait16'):
        ConvertSkeleton('coco17', 'emotion_gait16')
    data = ToStream('joint')(make())
    data.edge_weight = torch.ones(data.num_edges)
    with pytest.raises(ValueError, match=r"\['edge_weight', 'x'\] cannot be converted"):
        ConvertSkeleton('coco17', 'h36m17')(data)
