import pytest
import torch

from graphmotion.nn import MultiResolutionTemporalConv
from tests.nn import reference


@pytest.mark.parametrize('share_weights', [True, False])
@pytest.mark.parametrize('bias', [True, False])
def test_against_a_loop(share_weights, bias):
    sizes = (1, 3, 5, 7)
    conv = MultiResolutionTemporalConv(3, 4, sizes, share_weights, bias)
    x = torch.randn(2, 9, 3)
    outs = conv(x)
    assert len(outs) == len(sizes)
    for i, size in enumerate(sizes):
        first, second = (part[0 if share_weights else i].conv for part in (conv.first, conv.second))
        weight, dilation = first.weight[:, :, 0], 1
        if share_weights:  # at the start, the middle and the end of the window
            window = torch.zeros(4, 3, size)
            for j, frame in enumerate((0, size // 2, size - 1)):
                window[:, :, frame] += weight[:, :, j]
            weight = window
        hidden = reference.temporal_conv(x, weight, first.bias, dilation=dilation).clamp(min=0)
        added = reference.temporal_conv(hidden, second.weight[:, :, 0], second.bias).clamp(min=0)
        torch.testing.assert_close(outs[i].double(), hidden + added, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize('share_weights', [True, False])
def test_each_branch_covers_its_window(share_weights):
    conv = MultiResolutionTemporalConv(3, 16, (1, 3, 5), share_weights)
    x = torch.randn(2, 15, 3)
    changed = x.clone()
    changed[:, 7] += 1
    for size, out, other in zip(conv.window_sizes, conv(x), conv(changed)):
        frames = (out - other).abs().amax(dim=(0, 2)).gt(1e-5).nonzero().flatten()
        assert frames.min() == 7 - size // 2
        assert frames.max() == 7 + size // 2
        if size == 1:
            order = torch.randperm(15)
            torch.testing.assert_close(conv(x[:, order])[0], out[:, order])


@pytest.mark.parametrize('share_weights', [True, False])
def test_without_the_second_convolution_it_is_the_first(share_weights):
    conv = MultiResolutionTemporalConv(3, 4, share_weights=share_weights)
    for second in conv.second:
        torch.nn.init.zeros_(second.conv.weight)
        torch.nn.init.zeros_(second.conv.bias)
    x = torch.randn(2, 9, 3)
    middle = conv(x)[1]
    first = conv.first[0 if share_weights else 1]
    torch.testing.assert_close(middle, first(x).relu())


@pytest.mark.parametrize('bias', [True, False])
def test_glorot_weights_and_zero_biases(bias):
    conv = MultiResolutionTemporalConv(24, 16, (1, 5), bias=bias)
    for _ in range(2):
        for layers, in_channels, frames in ((conv.first, 24, (1, 5)), (conv.second, 16, (1, 1))):
            for layer, size in zip(layers, frames, strict=True):
                bound = (6 / (size * (in_channels + 16))) ** 0.5
                assert 0.9 * bound < layer.conv.weight.abs().max() <= bound
                assert layer.conv.bias is None or not layer.conv.bias.any()
        for parameter in conv.parameters():
            torch.nn.init.ones_(parameter)
        conv.reset_parameters()


def test_number_of_parameters():
    def count(**options):
        conv = MultiResolutionTemporalConv(256, 256, **options)
        return sum(p.numel() for p in conv.parameters())

    assert count(share_weights=True) == 262_656
    assert count(share_weights=True, window_sizes=(5,)) == 262_656
    square = 256 * 256
    assert count() == (1 + 3 + 5 + 3) * square + 6 * 256
    conv = MultiResolutionTemporalConv(128, 128, bias=False)
    assert sum(p.numel() for p in conv.first.parameters()) == 9 * 128 * 128


@pytest.mark.parametrize('window_sizes', [(), (1, 2), (0,), (3, -1)])
def test_even_windows_raise(window_sizes):
    with pytest.raises(ValueError, match='window_sizes must'):
        MultiResolutionTemporalConv(3, 4, window_sizes)
