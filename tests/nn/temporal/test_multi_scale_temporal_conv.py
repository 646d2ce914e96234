import math

import pytest
import torch

from graphmotion.nn import MultiScaleTemporalConv
from tests.nn import reference

N, T, C, F = 3, 9, 5, 8


def normalize(x, norm):
    """Normalisation in evaluation mode."""
    scale = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    return (x - norm.running_mean.double()) * scale + norm.bias.double()


def expected(conv, x, stride, dilations):
    """Loops over branches and frames."""
    x, size = x.double(), conv.branch_channels
    hidden = x @ conv.reduce.weight.double().t() + conv.reduce.bias.double()
    hidden = normalize(hidden, conv.reduce_norm.norm).clamp(min=0)
    branches = [
        reference.temporal_conv(
            hidden[..., i * size : (i + 1) * size],
            module.conv.weight[:, :, 0],
            module.conv.bias,
            stride,
            dilation,
        )
        for i, (module, dilation) in enumerate(zip(conv.convs, dilations))
    ]
    last = hidden[..., len(dilations) * size :]
    frames = range(0, x.size(1), stride)
    pooled = [last[:, max(t - 1, 0) : t + 2].max(dim=1).values for t in frames]
    point = x[:, ::stride] @ conv.point.conv.weight[:, :, 0, 0].double().t()
    branches += [torch.stack(pooled, dim=1), point + conv.point.conv.bias.double()]
    return normalize(torch.cat(branches, dim=-1), conv.norm.norm)


@pytest.mark.parametrize('stride', [1, 2])
@pytest.mark.parametrize('dilations', [(1, 2), (2,), (1, 2, 3, 4, 1, 2)])
@pytest.mark.parametrize('frames', [T, T + 1, 1])
def test_against_its_formula(stride, dilations, frames):
    conv = MultiScaleTemporalConv(C, 2 * (len(dilations) + 2), 3, stride, dilations).eval()
    for name, value in (*conv.named_parameters(), *conv.named_buffers()):
        if name.endswith('running_var'):
            value.uniform_(0.5, 2)
        elif value.is_floating_point():
            torch.nn.init.normal_(value)
    x = torch.randn(N, frames, C)
    out = conv(x)
    assert out.shape == (N, math.ceil(frames / stride), conv.out_channels)
    torch.testing.assert_close(
        out.double(), expected(conv, x, stride, dilations), atol=1e-4, rtol=1e-4
    )


def test_normalises_each_channel_in_training():
    out = MultiScaleTemporalConv(C, F, stride=2)(torch.randn(50, T, C))
    assert out.mean(dim=(0, 1)).abs().max() < 1e-5
    torch.testing.assert_close(out.std(dim=(0, 1)), torch.ones(F), atol=0.1, rtol=0)


def test_initial_values():
    conv = MultiScaleTemporalConv(256, 256)
    for weight, outputs in (
        (conv.reduce.weight, 64), (conv.convs[0].conv.weight, 5 * 64),
        (conv.convs[1].conv.weight, 5 * 64), (conv.point.conv.weight, 64),
    ):  # fmt: skip
        assert weight.std().item() == pytest.approx(math.sqrt(2 / outputs), rel=0.05)
    assert 0 < conv.norm.norm.weight.std() < 0.03
    assert all(not p.any() for name, p in conv.named_parameters() if name.endswith('bias'))


def test_number_of_parameters():
    # Four branches of 16 channels from 64: maps, normalisation before and after, two kernels of 5
    conv = MultiScaleTemporalConv(64, 64)
    assert sum(p.numel() for p in conv.parameters()) == 4 * 65 * 16 + 224 + 2 * (5 * 16 * 16 + 16)


def test_branches_divide_the_channels():
    with pytest.raises(ValueError, match='must be a multiple of the 4 branches, got 10'):
        MultiScaleTemporalConv(C, 10)
    with pytest.raises(ValueError, match=r'kernel_size .* got 4'):
        MultiScaleTemporalConv(C, F, 4)
