"""Scaled dot-product attention, computed in the fastest way for its size and device."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad, scaled_dot_product_attention

from graphmotion.nn.eager import is_eager, is_eager_cpu
from graphmotion.nn.graphs import is_known
from graphmotion.nn.kernels import attention as kernels

# Forward and backward on a CPU with d = 16 to 32: the fused kernel takes 1.6 to 2.3 times the time
# of plain products at 25 x 25 scores, the same time at about 48 x 48, 0.9 times at 128 x 128.
_MAX_PLAIN_SCORES = 48 * 48

# With fewer channels per head, products along channels waste most of a vector register. Products
# and softmax then run along nodes: forward and backward are 1.4 times as fast at 17 nodes and
# d = 4, but slower at 25 nodes and d = 16.
_NARROW = 8

# Number of scores that are computed at a time for narrow heads, so that they stay in the cache.
# Forward and backward with d = 4 take half of the time of the fused kernel at 61 nodes, and at
# most the time of plain products at 17 nodes.
_BLOCK = 2**17

# The exponential of scores of at most this absolute value neither overflows nor vanishes, so that
# their maximum need not be subtracted.
_MAX_SCORE = 40.0

# `exp2` takes 0.6 times the time of `exp` on an AMD EPYC, where torch calls MKL for `exp` only.
_LOG2_E = 1 / math.log(2)


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    bias: Tensor | None = None,
    mask: Tensor | None = None,
    residual_map: Tensor | None = None,
    scale: float | None = None,
) -> Tensor:
    r"""Computes scaled dot-product attention.

    .. math::
        \left( \mathrm{softmax}\left(s \mathbf{Q} \mathbf{K}^{\top} + \mathbf{B}\right)
        + \mathbf{R} \right) \mathbf{V}

    Short sequences on a CPU, and attention with :math:`\mathbf{R}`, are computed as in the
    equation. Narrow heads on a CPU are computed in blocks of scores; otherwise
    :func:`~torch.nn.functional.scaled_dot_product_attention` is used. Neither stores all scores.

    Args:
        query (Tensor): Queries :math:`(*, L, d)`.
        key (Tensor): Keys :math:`(*, S, d)`.
        value (Tensor): Values :math:`(*, S, d_v)`; the last leading dimension may be 1 if heads
            share values.
        bias (Tensor, optional): Bias :math:`\mathbf{B}` of the scores, broadcastable to
            :math:`(*, L, S)`. (default: :obj:`None`)
        mask (Tensor, optional): Boolean mask of the valid keys, broadcastable to :math:`(*, L, S)`.
            A query without valid keys attends to all keys equally. (default: :obj:`None`)
        residual_map (Tensor, optional): Map :math:`\mathbf{R}` added to the weights after the
            softmax, broadcastable to :math:`(*, L, S)`. It is masked too. (default: :obj:`None`)
        scale (float, optional): Factor :math:`s`; :math:`1 / \sqrt{d}` if not given.
            (default: :obj:`None`)

    Shapes:
        - **output:** :math:`(*, L, d_v)`
    """
    if bias is None and residual_map is None and is_eager():
        factor = 1 / math.sqrt(query.size(-1)) if scale is None else float(scale)
        compiled = kernels.attend(query, key, value, factor, mask)
        if compiled is not None:
            return compiled
        if mask is None and _is_narrow(query, key, value):
            return _attend_narrow(query, key, value, scale)
    num_scores = query.size(-2) * key.size(-2)
    short = is_known(num_scores) and num_scores <= _MAX_PLAIN_SCORES
    if residual_map is not None or (short and query.device.type == 'cpu'):
        return apply_map(attention_map(query, key, bias, mask, residual_map, scale), value)
    lead, scores = query.shape[:-2], (query.size(-2), key.size(-2))
    value = value.expand(*lead, *value.shape[-2:])
    if mask is not None:
        bias = _masked((query.new_zeros(()) if bias is None else bias).to(query.dtype), mask)
    if bias is not None:  # the kernel broadcasts over the graphs without a copy
        first = bias.size(0) if bias.dim() == query.dim() else 1
        bias = _four_dimensional(bias.to(query.dtype).expand(first, *lead[1:], *scores))
    query, key, value = (_four_dimensional(part) for part in (query, key, value))
    out = scaled_dot_product_attention(query, key, value, attn_mask=bias, scale=scale)
    return out.view(*lead, *out.shape[-2:])


def attention_map(
    query: Tensor,
    key: Tensor,
    bias: Tensor | None = None,
    mask: Tensor | None = None,
    residual_map: Tensor | None = None,
    scale: float | None = None,
) -> Tensor:
    r"""Computes the weights :math:`(*, L, S)` with which :func:`attend` sums values."""
    scores = attention_scores(query, key, scale)
    if bias is not None:
        scores = scores + bias.to(scores.dtype)
    if mask is not None:
        scores = _masked(scores, mask)
    if query.size(-1) < _NARROW:
        weights = scores.transpose(-2, -1).softmax(dim=-2).transpose(-2, -1)
    else:
        weights = scores.softmax(dim=-1)
    if residual_map is not None:
        if mask is not None:
            residual_map = residual_map.masked_fill(~mask, 0)
        weights = weights + residual_map.to(weights.dtype)
    return weights


def attention_scores(query: Tensor, key: Tensor, scale: float | None = None) -> Tensor:
    r"""Computes the scores :math:`s \mathbf{Q} \mathbf{K}^{\top}`: :math:`(*, L, S)`."""
    if scale is None:
        scale = 1 / math.sqrt(query.size(-1))
    zero = query.new_zeros(1, 1, 1)
    if query.size(-1) < _NARROW:
        left, right = (_rows(part.transpose(-2, -1)) for part in (key, query))
        scores = torch.baddbmm(zero, left.transpose(1, 2), right, beta=0, alpha=scale)
        return scores.view(*query.shape[:-2], *scores.shape[1:]).transpose(-2, -1)
    # `matmul` would copy the transposed keys, and scaling would be another pass.
    left, right = _rows(query), _rows(key)
    scores = torch.baddbmm(zero, left, right.transpose(1, 2), beta=0, alpha=scale)
    return scores.view(*query.shape[:-1], key.size(-2))


def apply_map(weights: Tensor, value: Tensor) -> Tensor:
    """Sums weighted values: ``[*, L, S]`` and ``[*, S, d]`` to ``[*, L, d]``."""
    weights = weights.to(value.dtype)
    if value.dim() > 3 and value.size(-3) == 1 < weights.size(-3):  # one product for all heads
        out = weights.flatten(-3, -2) @ value.squeeze(-3)
        return out.view(*weights.shape[:-1], value.size(-1))
    if value.size(-1) < _NARROW:
        return (value.transpose(-2, -1) @ weights.transpose(-2, -1)).transpose(-2, -1)
    return weights @ value


def _rows(x: Tensor) -> Tensor:
    """Flattens the leading dimensions of [*, L, d], as :func:`torch.baddbmm` requires."""
    return x.reshape(-1, *x.shape[-2:])


def _masked(scores: Tensor, mask: Tensor) -> Tensor:
    # A finite value, so that a row without valid keys has finite weights and gradients.
    return scores.masked_fill(~mask, torch.finfo(scores.dtype).min)


def _four_dimensional(x: Tensor) -> Tensor:
    """Views [*, L, d] with four dimensions, as the fused kernels require; this seldom copies."""
    return x.reshape(x.size(0), math.prod(x.shape[1:-2]), *x.shape[-2:])


def _is_narrow(query: Tensor, key: Tensor, value: Tensor) -> bool:
    """Returns whether :func:`_attend_narrow` supports the tensors and is faster."""
    return (
        is_eager_cpu(query, key, value)
        and max(query.size(-1), value.size(-1)) < _NARROW
        and query.shape[:-2] == key.shape[:-2] == value.shape[:-2]
    )


def _attend_narrow(query: Tensor, key: Tensor, value: Tensor, scale: float | None) -> Tensor:
    """Computes attention of heads with few channels on a CPU."""
    if scale is None:
        scale = 1 / math.sqrt(query.size(-1))
    columns = (_rows(part.transpose(-2, -1)) for part in (query, key, value))
    out = _NarrowAttention.apply(*columns, scale)
    return out.view(*query.shape[:-2], *out.shape[1:]).transpose(-2, -1)


class _NarrowAttention(torch.autograd.Function):
    """Attention of queries [N, d, L] to keys [N, d, S] and values [N, d_v, S].

    Exponentials are not divided by their sum: a value of one is appended, whose result is the sum.
    In the backward pass, they are computed again.
    """

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        channels = value.size(1)
        values = pad(value, (0, 0, 0, 1), value=1.0)
        sums = values.new_empty(len(query), channels + 1, query.size(2))
        ctx.scale = scale
        ctx.shift = not abs(scale) * _largest_product(query, key) <= _MAX_SCORE
        for rows, buffer in _blocks(query, key):
            weights = _exponentials(query[rows], key[rows], scale, ctx.shift, buffer)
            torch.bmm(values[rows], weights, out=sums[rows])
        total = sums[:, channels:]
        out = sums[:, :channels] / total
        ctx.save_for_backward(query, key, value, out, total)
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, out, total = ctx.saved_tensors
        scale = ctx.scale
        if torch.is_grad_enabled():  # for second derivatives
            weights = (scale * (key.mT @ query)).softmax(dim=1)
            mean = (gradient * (value @ weights)).sum(dim=1, keepdim=True)
            scores = scale * weights * (value.mT @ gradient - mean)
            return key @ scores, query @ scores.mT, gradient @ weights.mT, None
        gradient = gradient / total
        # The gradient of the scores is w * (V^T g - o^T g): one product of more rows.
        values = pad(value, (0, 0, 0, 1), value=-1.0)
        gradients = torch.cat([gradient, (gradient * out).sum(dim=1, keepdim=True)], dim=1)
        zero = query.new_zeros(1, 1, 1)
        grads = torch.empty_like(query), torch.empty_like(key), torch.empty_like(value)
        second = query.new_empty(0)
        for rows, buffer in _blocks(query, key):
            weights = _exponentials(query[rows], key[rows], scale, ctx.shift, buffer)
            torch.bmm(gradient[rows], weights.mT, out=grads[2][rows])
            second = torch.empty_like(buffer) if second.numel() == 0 else second[: len(buffer)]
            scores = torch.bmm(values[rows].mT, gradients[rows], out=second).mul_(weights)
            for part, matrix, grad in ((key, scores, grads[0]), (query, scores.mT, grads[1])):
                torch.baddbmm(zero, part[rows], matrix, beta=0, alpha=scale, out=grad[rows])
        return *grads, None


def _blocks(query: Tensor, key: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Yields slices of the first dimension with memory for their scores, [n, S, L]."""
    sizes = key.size(2), query.size(2)
    step = min(max(1, _BLOCK // math.prod(sizes)), len(query))
    buffer = query.new_empty(step, *sizes)
    for first in range(0, len(query), step):
        yield slice(first, first + step), buffer[: len(query) - first]


def _largest_product(query: Tensor, key: Tensor) -> float:
    """Returns an upper bound of the products of queries and keys."""
    # `norm` is far slower.
    squares = (part.square().sum(dim=1).max() for part in (query, key))
    return math.sqrt(math.prod(float(square) for square in squares))


def _exponentials(query: Tensor, key: Tensor, scale: float, shift: bool, out: Tensor) -> Tensor:
    """Computes exponentials [n, S, L] of scores, relative to the largest one if ``shift``."""
    zero = query.new_zeros(1, 1, 1)
    scores = torch.baddbmm(zero, key.mT, query, beta=0, alpha=_LOG2_E * scale, out=out)
    if shift:
        scores.sub_(scores.amax(dim=1, keepdim=True))
    return scores.exp2_()
