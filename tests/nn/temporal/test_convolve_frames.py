import copy

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from graphmotion.nn import TemporalConv
from graphmotion.nn.temporal import convolve_frames as module
from graphmotion.nn.temporal.convolve_frames import convolve_frames
from tests.nn import reference

OPTIONS = [(stride, dilation) for stride in (1, 2, 3) for dilation in (1, 2)]


@pytest.fixture
def wide(monkeypatch, choose_products):
    """Applies the convolution for many channels to few channels, in blocks of two nodes."""
    choose_products(False)
    monkeypatch.setattr(module, 'MIN_WEIGHTS', 0)
    monkeypatch.setattr(module, 'BLOCK_SIZE', 2 * 11 * 3)


def make_inputs(kernel_size, num_frames=11, num_nodes=5, channels=3, out_channels=4):
    torch.manual_seed(0)
    shapes = (num_nodes, num_frames, channels), (out_channels, channels, 1, kernel_size)
    return [
        torch.randn(shape, dtype=torch.double, requires_grad=True)
        for shape in (*shapes, (out_channels,))
    ]


def is_wide(out):
    return '_WideConvolution' in type(out.grad_fn).__name__


@pytest.mark.parametrize('num_frames', [1, 3, 11])
@pytest.mark.parametrize('kernel_size', [3, 9])
@pytest.mark.parametrize(('stride', 'dilation'), OPTIONS)
def test_many_channels_against_a_loop(wide, stride, dilation, kernel_size, num_frames):
    x, weight, bias = make_inputs(kernel_size, num_frames)
    out = convolve_frames(x, weight, bias, stride, dilation)
    expected = reference.temporal_conv(x, weight.squeeze(2), bias, stride, dilation)
    assert is_wide(out)
    torch.testing.assert_close(out, expected)
    gradient = torch.randn_like(out)
    torch.testing.assert_close(
        torch.autograd.grad(out, (x, weight, bias), gradient),
        torch.autograd.grad(expected, (x, weight, bias), gradient),
    )


@pytest.mark.parametrize(('stride', 'dilation'), OPTIONS)
@pytest.mark.parametrize('padding', [0, None, 7])
def test_gradients_of_many_channels(wide, monkeypatch, stride, dilation, padding):
    inputs = make_inputs(kernel_size=3, num_frames=7, num_nodes=3, channels=2, out_channels=2)
    monkeypatch.setattr(module, 'BLOCK_SIZE', 2 * 7 * 2)

    def convolve(*inputs):
        return convolve_frames(*inputs, stride, dilation, padding=padding)

    assert is_wide(convolve(*inputs))
    assert gradcheck(convolve, inputs)
    assert gradgradcheck(convolve, inputs, fast_mode=True)


def test_many_channels_without_some_gradients(wide):
    x, weight, bias = make_inputs(kernel_size=3)
    (expected,) = torch.autograd.grad(convolve_frames(x, weight, bias).square().sum(), weight)
    out = convolve_frames(x.detach(), weight, bias.detach())
    torch.testing.assert_close(torch.autograd.grad(out.square().sum(), weight)[0], expected)
    out = convolve_frames(x, weight.detach(), None)
    assert torch.autograd.grad(out.sum(), x)[0].shape == x.shape


def test_many_channels_accept_views(wide):
    x, weight, bias = make_inputs(kernel_size=3)
    view = x.detach().transpose(0, 1).contiguous().transpose(0, 1).requires_grad_()
    out, expected = (convolve_frames(x, weight, bias) for x in (view, x))
    torch.testing.assert_close(out, expected)
    torch.testing.assert_close(
        torch.autograd.grad(out.sum(), (view, weight)),  # an expanded gradient
        torch.autograd.grad((expected * torch.ones_like(expected)).sum(), (x, weight)),
    )


def test_choice_depends_on_sizes(choose_products, no_kernels):
    choose_products(True)
    assert not is_wide(TemporalConv(256, 256)(torch.randn(2, 16, 256)))
    choose_products(False)
    conv = TemporalConv(256, 256)
    assert is_wide(conv(torch.randn(2, 16, 256)))
    assert not is_wide(conv(torch.randn(2, 32, 256)))
    assert is_wide(TemporalConv(256, 256, stride=2)(torch.randn(2, 32, 256)))
    assert not is_wide(TemporalConv(64, 64)(torch.randn(2, 16, 64)))
    assert conv(torch.randn(0, 16, 256)).shape == (0, 16, 256)


@pytest.mark.parametrize('stride', [1, 2])
def test_many_channels_equal_the_convolution_of_torch(
    stride, monkeypatch, choose_products, no_kernels
):
    choose_products(False)
    torch.manual_seed(0)
    conv, x = TemporalConv(256, 256, stride=stride), torch.randn(30, 16, 256, requires_grad=True)

    def results():
        out = conv(x)
        return out, *torch.autograd.grad(out.square().sum(), [x, *conv.parameters()])

    ours = results()
    assert is_wide(ours[0])
    choose_products(True)
    for a, b in zip(ours, results()):
        assert (a - b).norm() < 2e-6 * b.norm()


def test_many_channels_under_autocast():
    conv, x = TemporalConv(256, 256), torch.randn(2, 16, 256)
    expected = conv(x)
    with torch.autocast('cpu', torch.bfloat16):
        out = conv(x)
    assert out.dtype == torch.bfloat16
    torch.testing.assert_close(out.float(), expected, atol=0.05, rtol=0.05)


@pytest.mark.slow
def test_many_channels_compile_and_export():
    conv, x = TemporalConv(256, 256).eval(), torch.randn(2, 16, 256)
    torch._dynamo.reset()
    compiled = torch.compile(conv, backend='eager', fullgraph=True)
    torch.testing.assert_close(compiled(x), conv(x), atol=1e-5, rtol=1e-4)
    program = torch.export.export(conv, (x,)).module()
    torch.testing.assert_close(program(x), conv(x), atol=1e-5, rtol=1e-4)


def test_long_kernels_are_convolved_by_compiled_operators(kernels):
    conv, x = TemporalConv(64, 64), torch.randn(20, 30, 64)
    assert type(conv(x).grad_fn).__name__ == '_ConvolutionBackward'
    for other in (TemporalConv(64, 64, stride=2), TemporalConv(64, 64, dilation=2)):
        assert type(other(x).grad_fn).__name__ != '_ConvolutionBackward'
    with torch.no_grad():
        for other in (conv, TemporalConv(64, 64, stride=2), TemporalConv(64, 64, dilation=2)):
            exact = copy.deepcopy(other).double()(x.double())
            torch.testing.assert_close(other(x).double(), exact, atol=1e-5, rtol=1e-5)
