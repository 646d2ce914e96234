"""Compiled attention of heads with few channels."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from graphmotion.nn.kernels import find_kernels, load_kernels

MAX_CHANNELS = 16  # of a head
_OUTER = 3  # leading dimensions, of which the last one may be that of heads


def supports(query: Tensor, key: Tensor, value: Tensor) -> bool:
    """Returns whether :func:`attend` computes attention between the tensors, [*, L or S, d]."""
    return (
        query.size(-1) == value.size(-1) <= MAX_CHANNELS
        and query.shape[:-2] == key.shape[:-2] == value.shape[:-2]
        and 2 <= query.dim() <= _OUTER + 2
        and find_kernels(query, key, value) is not None
    )


def attend(query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
    """Computes attention of queries [*, L, d] to keys and values [*, S, d].

    Tensors may have any strides. The result has the layout of the queries in memory.
    """
    return _Attention.apply(query, key, value, scale)


class _Attention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        query, key, value = (_with_contiguous_channels(x) for x in (query, key, value))
        kernels = load_kernels()
        assert kernels is not None
        out = torch.empty_like(query)
        stats = None
        if any(ctx.needs_input_grad):
            groups = -(-math.prod(query.shape[:-2]) // kernels.width)
            stats = query.new_empty(groups, query.size(-2), 2, kernels.width)
        tensors = query, key, value, out
        kernels('attention_forward', *tensors, stats, *_sizes(*tensors), scale)
        ctx.scale = scale
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
            return scores @ key, scores.mT @ query, weights.mT @ gradient, None
        kernels = load_kernels()
        assert kernels is not None
        gradient = _with_contiguous_channels(gradient)
        grads = tuple(torch.empty_like(x) for x in (query, key, value))
        tensors = query, key, value, out, gradient
        sizes = _sizes(*tensors, *grads)
        kernels('attention_backward', *tensors, stats, *grads, *sizes, scale)
        return *grads, None


def _with_contiguous_channels(x: Tensor) -> Tensor:
    return x if x.stride(-1) == 1 else x.contiguous()


def _sizes(query: Tensor, key: Tensor, *others: Tensor) -> tuple[list[int], list[int]]:
    """Returns the sizes of the leading dimensions, queries, keys and channels, and all strides."""
    missing = _OUTER + 2 - query.dim()
    sizes = [1] * missing + [*query.shape[:-1], key.size(-2), query.size(-1)]
    strides = []
    for x in (query, key, *others):
        strides += [0] * missing + list(x.stride()[:-1])
    return sizes, strides
