"""Compiled convolution along frames."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from graphmotion.nn.eager import is_eager
from graphmotion.nn.images import differentiable_gradients
from graphmotion.nn.kernels import Kernels, find_kernels, is_followed, to_plain

# Sizes from which fewer multiplications pay for the additional sums.
MIN_CHANNELS = 32
MIN_TAPS = 6
MIN_SAVING = 1.3  # multiplications of a plain convolution for each one
MIN_PRODUCTS = 2**22
MIN_ROWS = 256  # frames of all nodes; the weights are transformed in each call


def convolve(x: Tensor, weight: Tensor, bias: Tensor | None, padding: int) -> Tensor | None:
    """Convolves contiguous features [N, T, C] with kernels [F, C, 1, k] along the frames.

    Returns None if the tensors are not supported or torch is faster.
    """
    if not is_eager():
        return None
    outputs, inputs, height, taps = weight.shape
    num_frames = x.size(1) + 2 * padding - taps + 1
    if min(inputs, outputs) < MIN_CHANNELS or not _saves(taps):
        return None
    if height != 1 or x.size(2) != inputs or not x.is_contiguous():
        return None
    if not 0 <= padding < taps or num_frames < 1:
        return None
    num_rows = x.size(0) * num_frames
    if num_rows < MIN_ROWS or num_rows * weight.numel() < MIN_PRODUCTS:
        return None
    if bias is not None and bias.shape != (outputs,):  # torch raises the error
        return None
    parameters = (weight,) if bias is None else (weight, bias)
    kernels = find_kernels(x, *parameters)
    return None if kernels is None else _Convolution.apply(x, weight, bias, padding, kernels)


def _saves(taps: int) -> bool:
    """Returns whether two results for three taps by four products save enough multiplications."""
    products = 4 * (taps // 3) + (0, 2, 4)[taps % 3]
    return taps >= MIN_TAPS and 2 * taps >= MIN_SAVING * products


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, padding: int, kernels: Kernels
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.padding, ctx.kernels = padding, kernels
        bias = None if bias is None else bias.contiguous()
        return _convolve(kernels, x, weight.squeeze(2), bias, padding)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        needs_x, needs_weight, needs_bias, *_ = ctx.needs_input_grad
        if is_followed(gradient):
            needed = needs_x, needs_weight
            grads = differentiable_gradients(
                x, weight, gradient, padding=ctx.padding, needed=needed
            )
            return *grads, gradient.sum(dim=(0, 1)) if needs_bias else None, None, None
        gradient = to_plain(gradient)
        x_grad = weight_grad = bias_grad = None
        if needs_x:
            # The convolution with the taps in reverse order.
            kernel = weight.squeeze(2).transpose(0, 1)
            padding = weight.size(3) - 1 - ctx.padding
            x_grad = _convolve(ctx.kernels, gradient, kernel, None, padding, reverse=True)
        if needs_weight:
            weight_grad = x.new_zeros(weight.shape)
            sizes = [*x.shape, len(weight), weight.size(3), ctx.padding]
            ctx.kernels('temporal_backward', x, gradient, weight_grad, sizes)
        if needs_bias:
            bias_grad = gradient.sum(dim=(0, 1))
        return x_grad, weight_grad, bias_grad, None, None


def _convolve(
    kernels: Kernels,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    padding: int,
    reverse: bool = False,
) -> Tensor:
    """Convolves with kernels [F, C, k] with any strides, whose taps may be in reverse order."""
    outputs, _, taps = weight.shape
    out = x.new_empty(x.size(0), x.size(1) + 2 * padding - taps + 1, outputs)
    *strides, step = weight.stride()
    first = weight[..., -1:] if reverse else weight
    sizes = [*x.shape, outputs, taps, padding]
    kernels('temporal_forward', x, first, bias, out, sizes, [*strides, -step if reverse else step])
    return out
