import math

import pytest
import torch
import torch.nn.functional as F

from graphmotion.nn.attention import attend as module
from graphmotion.nn.attention.attend import attend


def by_loops(query, key, value, bias=0.0, mask=None, residual_map=0.0, scale=None):
    """Loops over rows in double precision; all arguments have the same leading dimensions."""
    lead, length = query.shape[:-2], query.size(-2)
    bias = torch.as_tensor(bias).double().expand(*lead, length, key.size(-2))
    residual_map = torch.as_tensor(residual_map).double().expand(bias.shape)
    mask = torch.ones_like(bias, dtype=torch.bool) if mask is None else mask.expand(bias.shape)
    value = value.expand(*lead, *value.shape[-2:])
    scale = 1 / math.sqrt(query.size(-1)) if scale is None else scale
    out = query.new_zeros(*lead, length, value.size(-1), dtype=torch.float64)
    for place in torch.cartesian_prod(*(torch.arange(size) for size in (*lead, length))).tolist():
        at, row = tuple(place[:-1]), place[-1]
        real = mask[at][row].nonzero().flatten().tolist()
        scores = [
            float(scale * (query[at][row].double() @ key[at][j].double()) + bias[at][row, j])
            for j in real
        ]
        total = sum(math.exp(score) for score in scores)
        for j, score in zip(real, scores):
            weight = math.exp(score) / total + residual_map[at][row, j]
            out[at][row] += weight * value[at][j].double()
    return out.float()


# The limits under which each way of computing it is taken, whatever the sizes.
WAYS = {'plain': (10**9, 0), 'narrow': (10**9, 10**9), 'fused': (0, 0)}


def take(monkeypatch, way):
    monkeypatch.setattr(module, '_MAX_PLAIN_SCORES', WAYS[way][0])
    monkeypatch.setattr(module, '_NARROW', WAYS[way][1])


@pytest.fixture(params=WAYS)
def path(request, monkeypatch, no_kernels):
    """Each implementation."""
    take(monkeypatch, request.param)
    return request.param


def sample(*lead):
    """Queries, keys and values, the last two not contiguous."""
    return (
        torch.randn(*lead, 4, 6),
        torch.randn(*lead, 6, 5).mT,
        torch.randn(5, *lead, 7).movedim(0, -2),
    )


@pytest.mark.parametrize('lead', [(3,), (2, 3), (2, 3, 2)])
def test_against_a_loop(path, lead):
    query, key, value = sample(*lead)
    out = attend(query, key, value)
    assert out.shape == (*lead, 4, 7)
    torch.testing.assert_close(out, by_loops(query, key, value))
    torch.testing.assert_close(
        attend(query, key, value, scale=0.3), by_loops(query, key, value, scale=0.3)
    )


@pytest.mark.parametrize('shape', [(4, 5), (2, 4, 5), (3, 1, 4, 5), (2, 1, 1, 4, 5)])
def test_bias_mask_and_residual_map_broadcast(path, shape):
    query, key, value = sample(2, 3, 2)
    bias, residual_map = torch.randn(shape), torch.randn(shape)
    mask = torch.rand(shape) > 0.4
    mask[..., 0] = True
    for options in (
        {'bias': bias},
        {'mask': mask},
        {'bias': bias, 'mask': mask},
        {'residual_map': residual_map},
        {'bias': bias, 'mask': mask, 'residual_map': residual_map},
    ):
        torch.testing.assert_close(
            attend(query, key, value, **options), by_loops(query, key, value, **options)
        )


def test_heads_may_share_values(path):
    query, key, _ = sample(2, 3)
    value = torch.randn(2, 1, 5, 8)
    torch.testing.assert_close(
        attend(query, key, value), by_loops(query, key, value.expand(2, 3, 5, 8))
    )


def test_all_implementations_have_the_same_gradients(monkeypatch):
    inputs = [part.double().requires_grad_() for part in sample(2, 3)]
    mask = torch.rand(2, 1, 1, 5) > 0.4
    grads = []
    for way in WAYS:
        take(monkeypatch, way)
        out = attend(*inputs, mask=mask)
        grads.append(torch.autograd.grad((out * out).sum(), inputs))
        assert torch.autograd.gradcheck(lambda *parts: attend(*parts, mask=mask), inputs)
    for other in grads[1:]:
        torch.testing.assert_close(other, grads[0])


def test_queries_without_valid_keys_are_finite(path):
    inputs = [part.requires_grad_() for part in sample(2, 3)]
    mask = torch.ones(2, 1, 1, 5, dtype=torch.bool)
    mask[1] = False
    out = attend(*inputs, mask=mask)
    assert out.isfinite().all()
    torch.testing.assert_close(out[1], inputs[2][1].mean(dim=1, keepdim=True).expand(3, 4, 7))
    for grad in torch.autograd.grad(out.sum(), inputs):
        assert grad.isfinite().all()


def test_dtype_is_kept(path):
    for dtype in (torch.float64, torch.bfloat16):
        query, key, value = (part.to(dtype) for part in sample(2, 3))
        out = attend(query, key, value, torch.randn(4, 5), torch.rand(4, 5) > 0.1)
        assert out.dtype == dtype
        assert attend(query, key, value, residual_map=torch.randn(4, 5)).dtype == dtype


def test_short_sequences_on_a_cpu_use_plain_products(monkeypatch, no_kernels):
    calls = []

    def fused(*args, **kwargs):
        calls.append(args[0].shape)
        return F.scaled_dot_product_attention(*args, **kwargs)

    monkeypatch.setattr(module, 'scaled_dot_product_attention', fused)
    attend(*(torch.randn(2, 25, 16) for _ in range(3)))
    assert not calls
    attend(*(torch.randn(2, 300, 16) for _ in range(3)))
    assert calls


def test_heads_with_few_channels_are_computed_by_compiled_operators(kernels):
    query, key, value = (torch.randn(4, 3, 5, 4) for _ in range(3))
    out = attend(query.clone().requires_grad_(), key, value)
    assert type(out.grad_fn).__name__ == '_AttentionBackward'
    torch.testing.assert_close(out, by_loops(query, key, value))
    torch.testing.assert_close(
        attend(query, key, value, scale=0.3), by_loops(query, key, value, scale=0.3)
    )
    bias, mask = torch.randn(5, 5), torch.rand(5, 5) > 0.4
    for options in ({'bias': bias}, {'mask': mask}, {'residual_map': bias}):
        torch.testing.assert_close(
            attend(query, key, value, **options), by_loops(query, key, value, **options)
        )


# Narrow heads #################################################################


@pytest.fixture
def narrow(monkeypatch, no_kernels):
    """Narrow heads in several blocks, of which the last is smaller; counts the calls."""
    monkeypatch.setattr(module, '_BLOCK', 50)
    calls = []
    function = module._attend_narrow
    monkeypatch.setattr(module, '_attend_narrow', lambda *args: calls.append(1) or function(*args))
    return calls


def narrow_sample(scale=1.0):
    """Queries, keys and values with strides, as after the split into heads."""
    return (
        scale * torch.randn(3, 4, 7, 3).transpose(1, 2),
        torch.randn(3, 5, 7, 3).transpose(1, 2),
        torch.randn(3, 5, 7, 2).transpose(1, 2),
    )


@pytest.mark.parametrize('scale', [1.0, 60.0])
def test_narrow_heads_in_blocks(narrow, scale):
    """Also with scores whose exponentials would overflow."""
    parts = narrow_sample(scale)
    torch.testing.assert_close(attend(*parts), by_loops(*parts))
    torch.testing.assert_close(attend(*parts, scale=-0.3), by_loops(*parts, scale=-0.3))
    assert len(narrow) == 2


@pytest.mark.parametrize('scale', [1.0, 50.0])
def test_gradients_of_narrow_heads(narrow, scale):
    sizes = ((2, 3), (3, 3), (3, 2))  # of nine matrices, of which a block has eight
    parts = [torch.randn(3, n, 3, d, dtype=torch.double).transpose(1, 2) for n, d in sizes]
    parts = [part.requires_grad_() for part in parts]
    with torch.no_grad():
        parts[0][0] *= scale
    assert torch.autograd.gradcheck(attend, parts)
    assert torch.autograd.gradgradcheck(attend, parts)
    assert narrow


def test_narrow_heads_of_other_types(narrow):
    parts = narrow_sample()
    expected = by_loops(*parts)
    with torch.autocast('cpu', torch.bfloat16):
        torch.testing.assert_close(attend(*parts).float(), expected, rtol=0.1, atol=0.05)
    reduced = [part.bfloat16() for part in parts]
    torch.testing.assert_close(attend(*reduced).float(), expected, rtol=0.1, atol=0.05)
    mask = torch.ones(5, dtype=torch.bool)
    torch.testing.assert_close(attend(*parts, mask=mask), expected)
    assert attend(*(part[:0] for part in parts)).shape == (0, 7, 4, 2)
    assert not narrow
