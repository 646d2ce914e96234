import torch
from torch_geometric.data import Batch

from graphmotion.transforms import RemoveScore, ResampleFrames, ToStream


def test_positions_are_unchanged(make):
    data = make(missing=0.3)
    out = RemoveScore()(data)
    assert 'score' not in out
    assert torch.equal(out.pos, data.pos)
    assert 'score' in data
    batch = RemoveScore()(Batch.from_data_list([make(seed=0), make(seed=1)]))
    assert all('score' not in part for part in batch.to_data_list())


def test_missing_joints_become_points_at_the_origin(make):
    data = make(num_frames=2, missing=0.0)
    data.score[0, 0], data.pos[0, 0] = 0, 0
    resample = ResampleFrames(3)
    assert torch.equal(resample(data).pos[0, 1], data.pos[0, 1])
    out = resample(RemoveScore()(data))
    torch.testing.assert_close(out.pos[0, 1], data.pos[0, 1] / 2)
    motion = ToStream('joint_motion')(out).x
    torch.testing.assert_close(motion[0, 0], data.pos[0, 1] / 2)
