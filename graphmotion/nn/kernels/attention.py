"""Compiled attention of heads with few channels."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from graphmotion.nn.eager import is_eager
from graphmotion.nn.kernels import Kernels, find_kernels, is_followed

MAX_CHANNELS = 16  # of a head
# Channels of all keys up to which, by channels of a key, the fused kernel of torch is not faster:
# keys and values of as many problems as a vector is wide stay in the cache.
MAX_KEYS = {8: 2**13, 16: 2**11}
# With fewer pairs of sequences and heads, most of a vector is empty.
MIN_PROBLEMS = 8
_OUTER = 3  # leading dimensions


def attend(
    query: Tensor, key: Tensor, value: Tensor, scale: float, mask: Tensor | None = None
) -> Tensor | None:
    """Computes attention of queries [*, L, d] to keys and values [*, S, d] with any strides.

    The boolean mask of the valid keys is broadcastable to [*, 1, S]. The result has the layout of
    the queries in memory. Returns None if the tensors are not supported.
    """
    if not is_eager() or query.dim() > _OUTER + 2:
        return None
    lead, channels = query.shape[:-2], query.size(-1)
    if not (key.shape == value.shape == (*lead, key.size(-2), channels)):
        return None
    if channels > MAX_CHANNELS or math.prod(lead) < max(MIN_PROBLEMS, channels):
        return None
    if key.size(-2) * channels > MAX_KEYS[8 if channels <= 8 else 16]:
        return None
    if mask is not None:
        plain = type(mask) is Tensor and mask.dtype == torch.bool and mask.device.type == 'cpu'
        if not plain or mask.dim() < 2 or mask.size(-2) != 1:
            return None
        mask = mask.squeeze(-2).expand(key.shape[:-1])
    kernels = find_kernels(query, key, value)
    if kernels is None:
        return None
    # Here, so that second derivatives are those of the inputs.
    parts = (_with_contiguous_channels(x) for x in (query, key, value))
    return _Attention.apply(*parts, mask, float(scale), kernels)


class _Attention(torch.autograd.Function):
    """Keeps the shift and the sum of the exponentials of each query for the backward pass, which
    computes the weights again.
    """

    @staticmethod
    def forward(
        ctx: Any,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Tensor | None,
        scale: float,
        kernels: Kernels,
    ) -> Tensor:
        out = _empty_like(query)
        stats = None
        if any(ctx.needs_input_grad):
            groups = -(-math.prod(query.shape[:-2]) // kernels.width)
            stats = query.new_empty(groups, query.size(-2), 2, kernels.width)
        sizes = _sizes(mask, query, key, value, out)
        kernels('attention_forward', query, key, value, mask, out, stats, *sizes, scale)
        ctx.scale, ctx.kernels = scale, kernels
        ctx.save_for_backward(query, key, value, mask, out, stats)
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, mask, out, stats = ctx.saved_tensors
        scale = ctx.scale
        if is_followed(gradient):
            weights = scale * (query @ key.mT)
            if mask is not None:
                weights = weights.masked_fill(~mask.unsqueeze(-2), torch.finfo(weights.dtype).min)
            weights = weights.softmax(dim=-1)
            upper = gradient @ value.mT
            scores = scale * weights * (upper - (weights * upper).sum(dim=-1, keepdim=True))
            if mask is not None:
                scores = scores * mask.unsqueeze(-2)
            return scores @ key, scores.mT @ query, weights.mT @ gradient, None, None, None
        gradient = _with_contiguous_channels(gradient.resolve_neg())
        grads = tuple(map(_empty_like, (query, key, value)))
        sizes = _sizes(mask, query, key, value, out, gradient, *grads)
        inputs = query, key, value, mask, out, gradient, stats
        ctx.kernels('attention_backward', *inputs, *grads, *sizes, scale)
        return *grads, None, None, None


def _with_contiguous_channels(x: Tensor) -> Tensor:
    return x if x.stride(-1) == 1 or x.size(-1) == 1 else x.contiguous()


def _empty_like(x: Tensor) -> Tensor:
    out = torch.empty_like(x)
    # The strides of overlapping tensors may become any others.
    return out if out.stride(-1) == 1 else x.new_empty(x.shape)


def _sizes(
    mask: Tensor | None, query: Tensor, key: Tensor, *others: Tensor
) -> tuple[list[int], list[int]]:
    """Returns the sizes of the leading dimensions, queries, keys and channels, and the strides of
    the tensors and the mask.
    """
    missing = [0] * (_OUTER + 2 - query.dim())
    sizes = [1] * len(missing) + [*query.shape[:-1], key.size(-2), query.size(-1)]
    strides: list[int] = []
    for x in (query, key, *others):
        strides += [*missing, *x.stride()[:-1]]
    return sizes, strides if mask is None else [*strides, *missing, *mask.stride()]
