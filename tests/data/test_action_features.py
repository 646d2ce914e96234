import math

import pytest
import torch
from torch_geometric.data import Batch

from graphmotion.data import action_features, collate, from_array
from graphmotion.skeletons import get_skeleton

V, T = 18, 5


def sample(seed=0, frames=T, dims=3):
    pos = torch.randn(frames, V, dims, generator=torch.Generator().manual_seed(seed))
    return from_array(pos.double().numpy(), 'ucalgary18')


@pytest.mark.parametrize('dims', [2, 3])
def test_features_by_slow_loops(dims):
    samples = [sample(seed, dims=dims) for seed in range(2)]
    found = action_features(Batch.from_data_list(samples), 'ucalgary18')
    assert found.shape == (2, T * V * (V - 1) // 2 + (T - 1) * V + T * V)
    for row, data in zip(found, samples):
        pos = data.pos.tolist()
        distances = [
            math.dist(pos[i][t], pos[j][t])
            for i in range(V)
            for j in range(i + 1, V)
            for t in range(T)
        ]
        size = sum(distances) / len(distances)
        moved = [math.dist(pos[i][t + 1], pos[i][t]) for i in range(V) for t in range(T - 1)]
        heights = [pos[i][t][1] for i in range(V) for t in range(T)]
        mean = sum(heights) / len(heights)
        expected = [*distances, *moved, *(h - mean for h in heights)]
        expected = torch.tensor([x / size for x in expected])
        torch.testing.assert_close(row, expected.to(row.dtype), rtol=1e-5, atol=1e-5)


def test_features_depend_neither_on_view_nor_on_place_and_size():
    data = sample()
    expected = action_features(data, 'ucalgary18')
    c, s = math.cos(0.7), math.sin(0.7)
    turn = torch.tensor([[c, 0, s], [0, 1, 0], [-s, 0, c]], dtype=data.pos.dtype)
    data.pos = 3 * data.pos @ turn.T + torch.tensor([1.0, -2.0, 5.0])
    torch.testing.assert_close(action_features(data, 'ucalgary18'), expected, rtol=1e-4, atol=1e-5)
    tilt = torch.tensor([[1, 0, 0], [0, c, s], [0, -s, c]], dtype=data.pos.dtype)
    data.pos = data.pos @ tilt.T
    assert (action_features(data, 'ucalgary18') - expected).abs().max() > 0.1


def test_features_of_a_body_in_one_point_are_zero():
    data = sample()
    data.pos = torch.ones_like(data.pos)
    assert action_features(data, 'ucalgary18').count_nonzero() == 0


def test_bad_samples_are_refused():
    data = sample()
    with pytest.raises(ValueError, match=r"field 'pos' of shape .*, got none"):
        action_features(data.clone().update({'pos': None}), 'ucalgary18')
    with pytest.raises(ValueError, match=r"the 17 joints of 'coco17', got \[18\] nodes"):
        action_features(data, 'coco17')
    with pytest.raises(ValueError, match=r'the same number of frames, got \[5, 3\]'):
        action_features(collate([data, sample(frames=3)]), get_skeleton('ucalgary18'))
