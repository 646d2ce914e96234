import pytest
import torch

from graphmotion.nn import TemporalConv
from tests.nn import reference


@pytest.mark.parametrize('kernel_size', [1, 3, 9])
@pytest.mark.parametrize('stride', [1, 2, 3])
@pytest.mark.parametrize('dilation', [1, 2])
@pytest.mark.parametrize('bias', [True, False])
def test_against_a_loop(kernel_size, stride, dilation, bias):
    conv = TemporalConv(3, 4, kernel_size, stride, dilation, bias)
    x = torch.randn(5, 11, 3)
    weight = conv.conv.weight.squeeze(2)
    expected = reference.temporal_conv(x, weight, conv.conv.bias, stride, dilation)
    torch.testing.assert_close(conv(x).double(), expected, atol=1e-5, rtol=1e-5)


def test_output_is_contiguous_so_that_graphs_are_viewed():
    assert TemporalConv(3, 4)(torch.randn(6, 10, 3)).is_contiguous()


def test_shifting_time_shifts_the_interior():
    conv = TemporalConv(3, 4, kernel_size=5)
    x = torch.randn(2, 20, 3)
    shifted = torch.roll(x, 3, dims=1)
    torch.testing.assert_close(conv(shifted)[:, 5:18], conv(x)[:, 2:15], atol=1e-5, rtol=1e-5)


def test_nodes_do_not_mix():
    conv = TemporalConv(3, 4)
    x, order = torch.randn(7, 10, 3), torch.randperm(7)
    torch.testing.assert_close(conv(x[order]), conv(x)[order], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize('kernel_size', [0, 4, -3])
def test_even_kernels_raise(kernel_size):
    with pytest.raises(ValueError, match=f'kernel_size must be .*, got {kernel_size}'):
        TemporalConv(3, 4, kernel_size)


def test_weights_are_channels_last():
    assert TemporalConv(3, 4).conv.weight.is_contiguous(memory_format=torch.channels_last)
