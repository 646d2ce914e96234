import pytest
import torch

from graphmotion.nn import ScaleFusion

V, C = 4, 3


def test_without_attention_scales_are_added():
    fusion = ScaleFusion(C, 3, attention=False)
    xs = [torch.randn(2 * V, 5, C) for _ in range(3)]
    torch.testing.assert_close(fusion(xs, V), xs[0] + xs[1] + xs[2])
    assert not list(fusion.parameters())


def test_against_its_formula():
    fusion = ScaleFusion(C, 2).double()
    xs = [torch.randn(2 * V, 5, C).double() for _ in range(2)]
    first, _, second = fusion.channel_gate.mlp
    out = fusion(xs, V)
    for b in range(2):
        rows = slice(b * V, (b + 1) * V)
        both = torch.cat([x[rows] for x in xs], dim=-1)
        hidden = (both.mean(dim=(0, 1)) @ first.weight.t() + first.bias).clamp(min=0)
        weight = torch.sigmoid(hidden @ second.weight.t() + second.bias)
        total = xs[0][rows] * weight[:C] + xs[1][rows] * weight[C:]
        gate = fusion.spatial_gate.lin
        expected = total * torch.sigmoid(total @ gate.weight.t() + gate.bias)
        torch.testing.assert_close(out[rows], expected)


def test_wrong_number_of_scales_raises():
    with pytest.raises(ValueError, match='must be 3 tensors of the same shape'):
        ScaleFusion(C, 3)([torch.randn(V, 5, C)] * 2, V)


def test_scales_of_different_shape_raise():
    with pytest.raises(ValueError, match='must be 2 tensors of the same shape'):
        ScaleFusion(8, 2, attention=False)([torch.randn(6, 2, 8), torch.randn(1, 1, 8)])
