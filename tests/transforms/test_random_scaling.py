import pytest
import torch
from torch_geometric.data import Batch

from graphmotion.transforms import RandomScaling


def test_one_factor_is_multiplication(make):
    data = make()
    torch.testing.assert_close(RandomScaling((1.7, 1.7))(data).pos, data.pos * 1.7)


@pytest.mark.parametrize('per_axis', [False, True])
def test_one_factor_per_graph_within_the_interval(per_axis, make):
    torch.manual_seed(0)
    samples = [make(num_frames=2, missing=None, people=2, seed=i) for i in range(300)]
    batch = Batch.from_data_list(samples)
    out = RandomScaling((0.5, 1.5), per_axis)(batch)
    factor = (out.pos / batch.pos).view(300, -1, 3)
    torch.testing.assert_close(factor, factor[:, :1].expand_as(factor))
    assert factor.min() < 0.52
    assert factor.max() > 1.48
    assert factor.min() >= 0.5 - 1e-5
    assert factor.max() <= 1.5 + 1e-5
    spread = (factor - factor[..., :1]).abs().max()
    assert spread > 0.5 if per_axis else spread < 1e-5


def test_invalid_interval():
    with pytest.raises(ValueError, match='scales must be an interval'):
        RandomScaling((1.5, 0.5))
