"""Compiled attention of heads with few channels."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from graphmotion.nn.kernels import Kernels, find_kernels

MAX_CHANNELS = 16  # of a head
_OUTER = 3  # leading dimensions


def attend(query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor | None:
    """Computes attention of queries [*, L, d] to keys and values [*, S, d] with any strides.

    The result has the layout of the queries in memory. Returns None if the tensors are not
    supported.
    """
    if not query.size(-1) == value.size(-1) <= MAX_CHANNELS:
        return None
    if not (query.shape[:-2] == key.shape[:-2] == value.shape[:-2] and query.dim() <= _OUTER + 2):
        return None
    kernels = find_kernels(query, key, value)
    return None if kernels is None else _Attention.apply(query, key, value, scale, kernels)


class _Attention(torch.autograd.Function):
    """Keeps the shift and the sum of the exponentials of each query for the backward pass, which
    computes the weights again.
    """

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, scale: float, kernels: Kernels
    ) -> Tensor:
        query, key, value = (_with_contiguous_channels(x) for x in (query, key, value))
        out = torch.empty_like(query)
        stats = None
        if any(ctx.needs_input_grad):
            groups = -(-math.prod(query.shape[:-2]) // kernels.width)
            stats = query.new_empty(groups, query.size(-2), 2, kernels.width)
        tensors = query, key, value, out
        kernels('attention_forward', *tensors, stats, *_sizes(*tensors), scale)
        ctx.scale, ctx.kernels = scale, kernels
        ctx.save_for_backward(*tensors, stats)
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, out, stats = ctx.saved_tensors
        scale = ctx.scale
        if torch.is_grad_enabled():  # for second derivatives
            weights = (scale * (query @ key.mT)).softmax(dim=-1)
            upper = gradient @ value.mT
            scores = scale * weights * (upper - (weights * upper).sum(dim=-1, keepdim=True))
            return scores @ key, scores.mT @ query, weights.mT @ gradient, None, None
        gradient = _with_contiguous_channels(gradient)
        grads = tuple(torch.empty_like(x) for x in (query, key, value))
        tensors = query, key, value, out, gradient
        sizes = _sizes(*tensors, *grads)
        ctx.kernels('attention_backward', *tensors, stats, *grads, *sizes, scale)
        return *grads, None, None


def _with_contiguous_channels(x: Tensor) -> Tensor:
    return x if x.stride(-1) == 1 or x.size(-1) == 1 else x.contiguous()


def _sizes(query: Tensor, key: Tensor, *others: Tensor) -> tuple[list[int], list[int]]:
    """Returns the sizes of the leading dimensions, queries, keys and channels, and all strides."""
    missing = _OUTER + 2 - query.dim()
    sizes = [1] * missing + [*query.shape[:-1], key.size(-2), query.size(-1)]
    strides = []
    for x in (query, key, *others):
        strides += [0] * missing + list(x.stride()[:-1])
    return sizes, strides
