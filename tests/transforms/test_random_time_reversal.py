import pytest
import torch
from torch_geometric.data import Batch

from graphmotion.transforms import RandomTimeReversal


def test_always_and_never(make, assert_same):
    data = make(num_frames=7, padding=3, missing=0.2, silhouettes=True)
    data.x = torch.randn(17, 10, 4)
    out = RandomTimeReversal(p=1)(data)
    for name in ('pos', 'score', 'x', 'silhouettes'):
        assert torch.equal(out[name][:, :7], data[name][:, :7].flip(1))
        assert torch.equal(out[name][:, 7:], data[name][:, 7:])
    assert_same(RandomTimeReversal(p=0)(data), data, atol=0)
    assert_same(RandomTimeReversal(p=1)(out), data, atol=0)


def test_graphs_are_reversed_with_probability_p(make):
    torch.manual_seed(0)
    samples = [make(num_frames=3, seed=i, missing=None, people=2) for i in range(400)]
    batch = Batch.from_data_list(samples)
    out = RandomTimeReversal(p=0.3)(batch)
    pos, before = out.pos.view(400, -1), batch.pos.view(400, -1)
    backwards = batch.pos.flip(1).reshape(400, -1)
    reversed_ = (pos == backwards).all(1)
    assert bool((reversed_ | (pos == before).all(1)).all())
    assert 80 < int(reversed_.sum()) < 160


@pytest.mark.parametrize('p', [-0.1, 1.1])
def test_invalid_probability(p):
    with pytest.raises(ValueError, match=r'p must be in \[0, 1\]'):
        RandomTimeReversal(p)
