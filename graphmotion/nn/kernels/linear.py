"""Compiled linear maps of many rows with few channels."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from graphmotion.nn.eager import is_eager
from graphmotion.nn.kernels import Kernels, find_kernels, is_followed, to_plain

# Columns of the weights stay in the cache of the first level.
MAX_CHANNELS = 256
# A call takes ten microseconds more than one of torch.
MIN_PRODUCTS = 2**19
MIN_ROWS = 64


def map_rows(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor | None:
    """Computes :func:`torch.nn.functional.linear` of contiguous features [*, K].

    Returns None if the tensors are not supported or torch is faster.
    """
    if not is_eager():
        return None
    inputs = x.size(-1)
    num_rows = x.numel() // max(1, inputs)
    if inputs > MAX_CHANNELS or num_rows < MIN_ROWS or not x.is_contiguous():
        return None
    if weight.shape[1:] != (inputs,) or num_rows * weight.numel() < MIN_PRODUCTS:
        return None
    if bias is not None and bias.shape != weight.shape[:1]:  # torch broadcasts or raises the error
        return None
    parameters = (weight,) if bias is None else (weight, bias)
    kernels = find_kernels(x, *parameters)
    return None if kernels is None else _Linear.apply(x, weight, bias, kernels)


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, kernels: Kernels
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.kernels = kernels
        return _multiply(kernels, x, weight.t(), None if bias is None else bias.contiguous())

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        needs_x, needs_weight, needs_bias, _ = ctx.needs_input_grad
        if is_followed(gradient):
            rows, upper = x.reshape(-1, x.size(-1)), gradient.reshape(-1, len(weight))
            bias_grad = upper.sum(dim=0) if needs_bias else None
            return gradient @ weight, upper.t() @ rows, bias_grad, None
        gradient = to_plain(gradient)
        x_grad = _multiply(ctx.kernels, gradient, weight) if needs_x else None
        if not (needs_weight or needs_bias):
            return x_grad, None, None, None
        outputs, inputs = weight.shape
        weight_grad = x.new_zeros(weight.shape)
        bias_grad = x.new_zeros(outputs) if needs_bias else None
        sizes = x.numel() // inputs, inputs, outputs
        ctx.kernels('linear_backward', x, gradient, weight_grad, bias_grad, *sizes)
        return x_grad, weight_grad, bias_grad, None


def _multiply(kernels: Kernels, x: Tensor, matrix: Tensor, bias: Tensor | None = None) -> Tensor:
    """Multiplies rows [*, K] by a matrix [K, N] with any strides."""
    depth, columns = matrix.shape
    out = x.new_empty(*x.shape[:-1], columns)
    sizes = x.numel() // depth, depth, columns
    kernels('linear_forward', x, matrix, bias, out, *sizes, *matrix.stride())
    return out
