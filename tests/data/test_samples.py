import numpy as np
import pytest
import torch
from torch_geometric.data import Batch, Data

from graphmotion.data import (
    from_array,
    from_dense,
    num_valid_frames,
    to_dense,
    valid_frames,
    visible_joints,
)


def keypoints(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def test_dense_is_a_view():
    x = torch.randn(3 * 5, 4, 2)
    dense = to_dense(x, 5)
    assert dense.shape == (3, 5, 4, 2)
    assert dense.data_ptr() == x.data_ptr()
    assert torch.equal(dense[2, 1], x[11])
    assert from_dense(dense).data_ptr() == x.data_ptr()
    assert torch.equal(from_dense(dense), x)
    assert to_dense(x[:, 1:3], 5)._base is not None
    with pytest.raises(ValueError, match='must be a multiple of num_nodes=4, got 15'):
        to_dense(x, 4)


def test_number_of_valid_frames():
    samples = [from_array(keypoints(7, 17, 3), 'coco17'), from_array(keypoints(7, 25, 3), 'ntu25')]
    samples[1].num_frames = torch.tensor([4])
    batch = Batch.from_data_list(samples)
    assert num_valid_frames(batch).tolist() == [7, 4]
    del batch.num_frames
    assert num_valid_frames(batch).tolist() == [7, 7]
    with pytest.raises(ValueError, match=r'must have one of the fields along time .*, got none'):
        num_valid_frames(Data(y=torch.zeros(1)))


def test_valid_frames_and_visible_joints():
    score = torch.tensor([[1.0, 0.0, 0.5, 1.0], [0.0, 1.0, 1.0, 1.0]])
    one = Data(pos=torch.zeros(2, 4, 3), score=score, num_frames=torch.tensor([3]))
    two = Data(pos=torch.zeros(2, 4, 3), score=torch.ones(2, 4), num_frames=torch.tensor([1]))
    batch = Batch.from_data_list([one, two])
    frames = [[1, 1, 1, 0]] * 2 + [[1, 0, 0, 0]] * 2
    assert valid_frames(batch, 4).tolist() == torch.tensor(frames).bool().tolist()
    joints = [[1, 0, 1, 0], [0, 1, 1, 0], [1, 0, 0, 0], [1, 0, 0, 0]]
    assert visible_joints(batch).tolist() == torch.tensor(joints).bool().tolist()
    assert visible_joints(Data(pos=torch.zeros(2, 4, 3))).all()


def test_more_valid_frames_than_frames_raise():
    data = Data(pos=torch.zeros(2, 4, 3), num_frames=5)
    with pytest.raises(ValueError, match="'num_frames' must be at most the 4 frames of 'pos', got"):
        num_valid_frames(data)
    data.num_frames = 3
    assert num_valid_frames(data).tolist() == [3]
