import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck
from torch.nn.functional import pad

from benchmarks.operators.oracle import to_conv1d
from graphmotion.nn import LargeKernelTemporalConv
from graphmotion.nn.temporal import large_kernel_temporal_conv as module

PADDINGS = ['reflect_start', 'reflect', 'zeros']


def loop(x, conv):
    """Loops over frames and kernel positions in double precision."""
    depthwise, pointwise = conv.depthwise, conv.pointwise
    size, last = conv.kernel_size, x.size(1) - 1
    offset = size - 1 if conv.padding == 'reflect_start' else size // 2
    out = torch.zeros(*x.shape[:2], conv.out_channels, dtype=torch.float64)
    for n in range(x.size(0)):
        for t in range(x.size(1)):
            mixed = torch.zeros(conv.in_channels, dtype=torch.float64)
            for j in range(size):
                source = t + j - offset
                if not 0 <= source <= last:
                    if conv.padding == 'zeros':
                        continue
                    source = -source if source < 0 else 2 * last - source
                mixed += depthwise.weight[:, 0, j].double() * x[n, source].double()
            if depthwise.bias is not None:
                mixed += depthwise.bias.double()
            out[n, t] = pointwise.weight[:, :, 0].double() @ mixed
            if pointwise.bias is not None:
                out[n, t] += pointwise.bias.double()
    return out


@pytest.mark.parametrize('padding', PADDINGS)
@pytest.mark.parametrize('kernel_size', [1, 3, 9])
@pytest.mark.parametrize('bias', [True, False])
def test_against_a_loop(padding, kernel_size, bias):
    conv = LargeKernelTemporalConv(3, 4, kernel_size, padding, bias)
    x = torch.randn(2, 11, 3)
    torch.testing.assert_close(conv(x).double(), loop(x, conv), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize('padding', PADDINGS)
@pytest.mark.parametrize('num_frames', [9, 128, 129, 300])
def test_gradients_match_two_convolutions(padding, num_frames):
    """From the minimum number of frames to more frames than one matrix covers."""
    conv = LargeKernelTemporalConv(3, 4, 9, padding).double()
    reference = to_conv1d(conv).double()
    x = torch.randn(2, num_frames, 3).double().requires_grad_()
    expected, out = reference(x.mT).mT, conv(x)
    torch.testing.assert_close(out, expected)
    gradient = torch.randn_like(out)
    ours = torch.autograd.grad(out, [x, *conv.parameters()], gradient)
    theirs = torch.autograd.grad(expected, [x, *reference.parameters()], gradient)
    for a, b in zip(ours, theirs):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize('padding', PADDINGS)
def test_second_derivatives(padding, monkeypatch):
    monkeypatch.setattr(module, '_FAST_DTYPES', (torch.double,))
    conv = LargeKernelTemporalConv(2, 2, 3, padding).double().depthwise
    x = torch.randn(2, 6, 2, dtype=torch.double, requires_grad=True)
    inputs = [x, *(parameter.detach().requires_grad_() for parameter in (conv.weight, conv.bias))]

    def convolve(x, weight, bias):
        return torch.func.functional_call(conv, {'weight': weight, 'bias': bias}, x)

    assert '_DepthwiseConvolution' in convolve(*inputs).grad_fn.name()
    assert gradcheck(convolve, inputs)
    assert gradgradcheck(convolve, inputs)


@pytest.mark.parametrize('index', range(3))
def test_a_single_gradient(index):
    conv = LargeKernelTemporalConv(3, 4, 5).depthwise
    inputs = [torch.randn(2, 11, 3, requires_grad=True), conv.weight, conv.bias]
    (expected,) = torch.autograd.grad(conv(inputs[0]).square().sum(), inputs[index])
    for i, tensor in enumerate(inputs):
        tensor.requires_grad_(i == index)
    (out,) = torch.autograd.grad(conv(inputs[0]).square().sum(), inputs[index])
    torch.testing.assert_close(out, expected)


def test_depthwise_part_alone_and_a_gradient_of_either_layout():
    conv = LargeKernelTemporalConv(3, 4, 5).depthwise
    x = torch.randn(2, 11, 3, requires_grad=True)
    expected = torch.conv1d(pad(x.mT, (4, 0), 'reflect'), conv.weight, conv.bias, groups=3).mT
    torch.testing.assert_close(conv(x), expected)
    gradient = torch.randn(2, 11, 3)
    for layout in (gradient, gradient.permute(2, 0, 1).contiguous().permute(1, 2, 0)):
        ours = torch.autograd.grad(conv(x), [x, conv.weight, conv.bias], layout)
        theirs = torch.autograd.grad(
            expected, [x, conv.weight, conv.bias], gradient, retain_graph=True
        )
        assert ours[0].is_contiguous()
        for a, b in zip(ours, theirs):
            torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize('padding', PADDINGS)
@pytest.mark.parametrize('num_frames', [9, 200])
@pytest.mark.parametrize('bias', [True, False])
def test_without_gradients_the_result_is_the_same(padding, num_frames, bias):
    conv = LargeKernelTemporalConv(3, 4, 9, padding, bias)
    x = torch.randn(2, num_frames, 3)
    with torch.no_grad():
        out = conv(x)
    assert out.is_contiguous()
    torch.testing.assert_close(out, conv(x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize('num_frames', [40, 200])
def test_reflection_preserves_constant_motion(num_frames):
    x = torch.randn(3, 1, 4).expand(-1, num_frames, -1)
    for padding in PADDINGS:
        out = LargeKernelTemporalConv(4, 5, padding=padding)(x)
        spread = (out - out[:, :1]).abs().max()
        assert (spread < 1e-5) == (padding != 'zeros')


@pytest.mark.parametrize('num_frames', [60, 200])
def test_reflect_start_looks_back_only(num_frames):
    conv = LargeKernelTemporalConv(2, 2, kernel_size=31).double()
    x = torch.randn(1, num_frames, 2).double()
    for t in (30, 45, num_frames - 1):
        changed = x.clone()
        changed[:, : t - 30] += 1
        changed[:, t + 1 :] += 1
        torch.testing.assert_close(conv(changed)[:, t], conv(x)[:, t])
        for edge in (t - 30, t):
            changed = x.clone()
            changed[:, edge] += 1
            assert (conv(changed)[:, t] - conv(x)[:, t]).abs().max() > 1e-4
    # Before, the mirrored frames follow.
    for frame in (25, 26):
        changed = x.clone()
        changed[:, frame] += 1
        assert ((conv(changed)[:, 5] - conv(x)[:, 5]).abs().max() > 1e-4) == (frame == 25)


def test_a_kernel_of_one_frame_acts_per_frame():
    for padding in PADDINGS:
        conv = LargeKernelTemporalConv(3, 4, 1, padding)
        x, order = torch.randn(2, 9, 3), torch.randperm(9)
        torch.testing.assert_close(conv(x[:, order]), conv(x)[:, order])


def test_weights_of_two_convolutions_load():
    conv = LargeKernelTemporalConv(3, 4)
    shapes = {name: tuple(value.shape) for name, value in conv.state_dict().items()}
    assert shapes == {
        'depthwise.weight': (3, 1, 31),
        'depthwise.bias': (3,),
        'pointwise.weight': (4, 3, 1),
        'pointwise.bias': (4,),
    }


@pytest.mark.parametrize(('channels', 'count'), [((32, 32), 2_080), ((128, 256), 37_120)])
def test_number_of_parameters(channels, count):
    conv = LargeKernelTemporalConv(*channels)
    assert sum(p.numel() for p in conv.parameters()) == count


@pytest.mark.parametrize(
    ('padding', 'kernel_size', 'least'), [('reflect_start', 31, 31), ('reflect', 31, 16)]
)
def test_too_few_frames_for_a_reflection_raise(padding, kernel_size, least):
    conv = LargeKernelTemporalConv(2, 2, kernel_size, padding)
    assert conv(torch.randn(1, least, 2)).shape == (1, least, 2)
    with pytest.raises(ValueError, match=f'at least {least} frames .*, got {least - 1}'):
        conv(torch.randn(1, least - 1, 2))


def test_zero_padding_accepts_any_number_of_frames():
    assert LargeKernelTemporalConv(2, 3, padding='zeros')(torch.randn(4, 1, 2)).shape == (4, 1, 3)


def test_bad_settings_raise():
    for padding in ('reflect', 'zeros'):
        with pytest.raises(ValueError, match='kernel_size must be odd'):
            LargeKernelTemporalConv(2, 2, 4, padding)
    with pytest.raises(ValueError, match=r"padding must be one of .*, got 'same'"):
        LargeKernelTemporalConv(2, 2, padding='same')
    with pytest.raises(ValueError, match='kernel_size must be an integer >= 1, got 0'):
        LargeKernelTemporalConv(2, 2, 0)


def test_an_even_kernel_looks_back():
    conv = LargeKernelTemporalConv(3, 4, kernel_size=4)
    x = torch.randn(2, 7, 3)
    torch.testing.assert_close(conv(x).double(), loop(x, conv), atol=1e-5, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize('num_frames', [40, 200])
def test_exports_and_compiles_for_few_and_many_frames(num_frames):
    conv = LargeKernelTemporalConv(3, 4, 31).eval()
    x = torch.randn(2, num_frames, 3)
    torch._dynamo.reset()
    compiled = torch.compile(conv, backend='eager', fullgraph=True)
    torch.testing.assert_close(compiled(x), conv(x))
    torch.testing.assert_close(torch.export.export(conv, (x,)).module()(x), conv(x))


@pytest.mark.parametrize('channels', [3, 16])
@pytest.mark.parametrize('padding', PADDINGS)
def test_reduced_precision_without_gradients(channels, padding):
    """A convolution in this layout would take extremely long."""
    conv, x = LargeKernelTemporalConv(channels, 4, padding=padding), torch.randn(2, 60, channels)
    with torch.no_grad():
        expected = conv(x)
        with torch.autocast('cpu', torch.bfloat16):
            out = conv(x)
        assert out.dtype == torch.bfloat16
        torch.testing.assert_close(out.float(), expected, atol=0.1, rtol=0.1)
        out = conv.bfloat16()(x.bfloat16())
    torch.testing.assert_close(out.float(), expected, atol=0.1, rtol=0.1)


@pytest.mark.parametrize('padding', PADDINGS)
@pytest.mark.parametrize('grad', [False, True])
@pytest.mark.parametrize('length', [11, 150])  # the longer one by windows
def test_padded_sequences_against_a_loop(padding, grad, length):
    conv, x = LargeKernelTemporalConv(3, 4, 9, padding), torch.randn(4, length, 3)
    counts = torch.tensor([9, length - 1, 10, length])
    with torch.set_grad_enabled(grad):
        out = conv(x, torch.arange(length) < counts.unsqueeze(1))
    for i, n in enumerate(counts):
        alone = x[i : i + 1, :n]
        expected = loop(alone, conv) if n < 20 else conv(alone).double()  # the loop is slow
        torch.testing.assert_close(out[i : i + 1, :n].double(), expected, atol=1e-5, rtol=1e-5)


def test_padded_sequences_too_short_to_reflect_raise():
    x, mask = torch.randn(2, 11, 3), torch.arange(11) < torch.tensor([[8], [11]])
    with pytest.raises(ValueError, match=r'at least 9 frames for .*, got 8'):
        LargeKernelTemporalConv(3, 4, 9)(x, mask)
    LargeKernelTemporalConv(3, 4, 9, 'reflect')(x, mask)
    LargeKernelTemporalConv(3, 4, 9, 'zeros')(x, mask)
