"""Compiled linear maps of many rows with few channels."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


from graphmotion.nn.kernels import find_kernels, load_kernels

# Columns of the weights stay in the cache of the first level.
MAX_CHANNELS = 256
# A call takes ten microseconds more than one of torch.
MIN_PRODUCTS = 2**19
MIN_ROWS = 64


def supports(x: Tensor, weight: Tensor, bias: Tensor | None) -> bool:
    """Returns whether :func:`map_rows` maps the features, [*, K]."""
    num_rows = x.numel() // max(1, x.size(-1))
    return (
        x.size(-1) <= MAX_CHANNELS
        and num_rows >= MIN_ROWS
        and num_rows * weight.numel() >= MIN_PRODUCTS
        and x.is_contiguous()
        and find_kernels(x, weight, *([] if bias is None else [bias])) is not None
    )


def map_rows(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Computes :func:`torch.nn.functional.linear` of contiguous features [*, K]."""
    return _Linear.apply(x, weight, bias)


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _multiply(x, weight.t(), None if bias is None else bias.contiguous())

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        needs_x, needs_weight, needs_bias = ctx.needs_input_grad
        if torch.is_grad_enabled():  # for second derivatives
            rows, upper = x.flatten(0, -2), gradient.flatten(0, -2)
            return gradient @ weight, upper.t() @ rows, upper.sum(dim=0) if needs_bias else None
        gradient = gradient.contiguous()
        x_grad = _multiply(gradient, weight) if needs_x else None
        if not (needs_weight or needs_bias):
            return x_grad, None, None
        outputs, inputs = weight.shape
        weight_grad = x.new_zeros(weight.shape)
        bias_grad = x.new_zeros(outputs) if needs_bias else None
        kernels = load_kernels()
        assert kernels is not None
        sizes = x.numel() // inputs, inputs, outputs
        kernels('linear_backward', x, gradient, weight_grad, bias_grad, *sizes)
        return x_grad, weight_grad, bias_grad


def _multiply(x: Tensor, matrix: Tensor, bias: Tensor | None = None) -> Tensor:
    """Multiplies rows [*, K] by a matrix [K, N] with any strides."""
    kernels = load_kernels()
    assert kernels is not None
    depth, columns = matrix.shape
    out = x.new_empty(*x.shape[:-1], columns)
    sizes = x.numel() // depth, depth, columns
    kernels('linear_forward', x, matrix, bias, out, *sizes, *matrix.stride())
    return out
