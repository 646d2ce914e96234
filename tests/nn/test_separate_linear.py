import math

import pytest
import torch

from graphmotion.nn import SeparateLinear


def test_equals_a_block_diagonal_matrix():
    lin, x = SeparateLinear(3, 4, 2), torch.randn(5, 3, 4)
    blocks = torch.block_diag(*lin.weight)
    torch.testing.assert_close(lin(x).flatten(1), x.flatten(1) @ blocks)
    with pytest.raises(ValueError, match=r'shape \[B, 3, 4\], got \[5, 4, 3\]'):
        lin(x.transpose(1, 2))


@pytest.mark.parametrize(
    ('size', 'std'), [((16, 32, 24), 0.0417), ((62, 128, 256), 0.0064), ((48, 256, 256), 0.0051)]
)
def test_initial_weights_of_published_code(size, std):
    lin = SeparateLinear(*size)
    num_parts, in_channels, out_channels = size
    expected = math.sqrt(2 / (in_channels * out_channels + num_parts * out_channels))
    assert expected == pytest.approx(std, rel=0.01)
    before = lin.weight.detach().clone()
    assert float(before.std()) == pytest.approx(expected, rel=0.02)
    assert float(before.abs().max()) == pytest.approx(math.sqrt(3) * expected, rel=0.01)
    lin.reset_parameters()
    assert not torch.equal(lin.weight, before)
