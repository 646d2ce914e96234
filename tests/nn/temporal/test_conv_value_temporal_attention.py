import math

import pytest
import torch
from torch import Tensor

from graphmotion.nn import ConvValueTemporalAttention
from tests.nn import reference


def linear(x, module):
    return x @ module.weight.double().t() + module.bias.double()


def normalise(x, module):
    norm = module.norm
    return (x - norm.running_mean) / (norm.running_var + norm.eps).sqrt() * norm.weight + norm.bias


def loop(x: Tensor, layer: ConvValueTemporalAttention) -> Tensor:
    """Loops over heads and frames in double precision."""
    x = x.double()
    channels, stride = layer.channels, layer.stride
    if layer.position:
        x = x.clone()
        for t in range(x.size(1)):
            for c in range(channels):
                angle = t / 10000 ** ((c - c % 2) / channels)
                x[:, t, c] += math.cos(angle) if c % 2 else math.sin(angle)
    frames = x[:, list(range(0, x.size(1), stride))]
    heads = []
    size = channels // len(layer.dilations)
    for h, dilation in enumerate(layer.dilations):
        conv = layer.values[h].conv
        weight = conv.weight.squeeze(2)
        value = reference.temporal_conv(x, weight, conv.bias, stride, dilation)
        if layer.attention:
            part = slice(h * size, (h + 1) * size)
            query = linear(frames, layer.query)[..., part]
            key = linear(frames, layer.key)[..., part]
            out = value.clone()
            for n in range(x.size(0)):
                for t in range(frames.size(1)):
                    score = torch.stack([query[n, t] @ k for k in key[n]]) / math.sqrt(size)
                    weight = score.exp() / score.exp().sum()
                    taken = sum(weight[s] * value[n, s] for s in range(len(weight)))
                    out[n, t] += linear(taken, layer.heads[h])
            value = out
        heads.append(value)
    out = normalise(linear(torch.cat(heads, dim=-1), layer.out), layer.norm)
    out = torch.where(out > 0, out, 0.1 * out)
    if stride > 1:
        frames = normalise(linear(frames, layer.shortcut[0]), layer.shortcut[1])
    return out + frames


def make(channels=8, **options):
    layer = ConvValueTemporalAttention(channels, **options).eval()
    for module in layer.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    return layer


@pytest.mark.parametrize(
    'options',
    [
        {},
        {'stride': 2},
        {'attention': False},
        {'convolution': False},
        {'convolution': False, 'stride': 2},
        {'position': False},
        {'dilations': (1, 2, 3, 1), 'kernel_size': 3},
        {'dilations': (2,)},
    ],
)
@pytest.mark.parametrize('num_frames', [1, 9])
def test_against_a_loop(options, num_frames):
    layer = make(**options)
    x = torch.randn(2, num_frames, 8)
    torch.testing.assert_close(layer(x).double(), loop(x, layer), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize('channels', [64, 256])
@pytest.mark.parametrize('stride', [1, 2])
def test_number_of_parameters(channels, stride):
    c, half = channels, channels // 2
    expected = 2 * (c + 1) * c + 2 * (7 * c + 1) * half + 2 * (half + 1) * half + (c + 1) * c
    expected += 2 * c + (stride > 1) * ((c + 1) * c + 2 * c)
    layer = ConvValueTemporalAttention(channels, stride=stride)
    assert sum(p.numel() for p in layer.parameters()) == expected


def test_omitted_parts_have_no_parameters():
    names = {name for name, _ in ConvValueTemporalAttention(8, attention=False).named_parameters()}
    assert not any(name.startswith(('query', 'key', 'heads')) for name in names)
    layer = ConvValueTemporalAttention(8, convolution=False)
    assert all(value.conv.weight.size(-1) == 1 for value in layer.values)


def test_heads_without_attention_are_convolutions():
    layer, plain = make(), make(attention=False)
    for head in layer.heads:
        torch.nn.init.zeros_(head.weight)
        torch.nn.init.zeros_(head.bias)
    plain.load_state_dict(layer.state_dict(), strict=False)
    x = torch.randn(3, 12, 8)
    torch.testing.assert_close(layer(x), plain(x))


@pytest.mark.parametrize('attention', [True, False])
def test_an_impulse_spreads_over_the_dilated_kernel(attention):
    """It reaches the entire sequence only with attention."""
    layer = make(dilations=(2,), attention=attention)
    x = torch.randn(1, 25, 8)
    changed = x.clone()
    changed[:, 12] += 1
    difference = (layer(changed) - layer(x)).abs().amax(dim=(0, 2))
    reached = difference.gt(1e-6).nonzero().flatten().tolist()
    assert reached == (list(range(25)) if attention else [6, 8, 10, 12, 14, 16, 18])


def test_the_convolution_follows_a_shift_and_the_attention_a_permutation():
    x = torch.randn(2, 30, 8)
    layer = make(attention=False, position=False)
    shifted = layer(x.roll(3, dims=1))
    torch.testing.assert_close(shifted[:, 10:24], layer(x)[:, 7:21], atol=1e-5, rtol=1e-5)
    layer = make(convolution=False, position=False)
    order = torch.randperm(30)
    torch.testing.assert_close(layer(x[:, order]), layer(x)[:, order], atol=1e-5, rtol=1e-5)
    positioned = make(convolution=False)
    assert (positioned(x[:, order]) - positioned(x)[:, order]).abs().max() > 0.1


@pytest.mark.parametrize('num_frames', [1, 2, 7, 8, 130])
@pytest.mark.parametrize('stride', [2, 3])
def test_a_stride_rounds_the_number_of_frames_up(num_frames, stride):
    out = make(stride=stride)(torch.randn(2, num_frames, 8))
    assert out.shape == (2, -(-num_frames // stride), 8)


def test_nodes_do_not_mix():
    layer = make()
    x, order = torch.randn(7, 10, 8), torch.randperm(7)
    torch.testing.assert_close(layer(x[order]), layer(x)[order], atol=1e-5, rtol=1e-5)


def test_bad_settings_raise():
    with pytest.raises(ValueError, match='must divide channels=8, got 3'):
        ConvValueTemporalAttention(8, dilations=(1, 2, 3))
    with pytest.raises(ValueError, match='must divide channels=8, got 0'):
        ConvValueTemporalAttention(8, dilations=())
    with pytest.raises(ValueError, match='got neither'):
        ConvValueTemporalAttention(8, attention=False, convolution=False)


@pytest.mark.parametrize('stride', [1, 2])
def test_padding_of_long_sequences(stride):
    """With so many scores, another kernel computes the attention."""
    layer, counts = ConvValueTemporalAttention(8, stride=stride).eval(), (41, 120)
    x, mask = torch.randn(2, 120, 8), torch.arange(120) < torch.tensor(counts).unsqueeze(1)
    for found, part, n in zip(layer(x, mask), x, counts):
        expected = layer(part[None, :n])[0]
        torch.testing.assert_close(found[: len(expected)], expected, atol=1e-5, rtol=1e-5)
