"""Convolution of motion tensors along their frames."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from graphmotion.nn.eager import is_eager_cpu

# Number of weights from which, and of frames of the result up to which, _WideConvolution is faster
# on a CPU: the weights no longer fit its cache, and kernels often reach beyond the first frame.
MIN_WEIGHTS = 2**19
MAX_FRAMES = 24
# Number of values that are convolved at once, so that they stay in the cache.
BLOCK_SIZE = 2**19


def convolve_frames(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
    padding: int | None = None,
) -> Tensor:
    """Convolves [N, T, C] with kernels [F, C, 1, k] along the frames, as :class:`TemporalConv`.

    Pads both ends with ``padding`` zeros. By default, without a stride, the result has as many
    frames as ``x``.
    """
    if padding is None:
        padding = dilation * (weight.size(-1) // 2)
    if groups == 1 and _is_wide(x, weight, stride):
        return _WideConvolution.apply(x.contiguous(), weight, bias, stride, dilation, padding)
    out = conv2d(as_image(x), weight, bias, (1, stride), (0, padding), (1, dilation), groups)
    return out.permute(0, 2, 3, 1).squeeze(1)


def as_image(x: Tensor) -> Tensor:
    """Views [N, T, C] as a channels-last image [N, C, 1, T]."""
    return x.unsqueeze(1).permute(0, 3, 1, 2)


def _is_wide(x: Tensor, weight: Tensor, stride: int) -> bool:
    """Returns whether :class:`_WideConvolution` is faster than the convolution of torch."""
    return (
        is_eager_cpu(x, weight)
        and x.size(1) <= MAX_FRAMES * stride
        and weight.size(-1) > 1
        and weight.numel() >= MIN_WEIGHTS
    )


class _WideConvolution(torch.autograd.Function):
    """Convolution of few frames with many channels, without products with padded frames."""

    @staticmethod
    def forward(
        x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, dilation: int, padding: int
    ) -> Tensor:
        # The same memory as the weight, unless the weight is not in channels-last format.
        kernel = weight.mT.contiguous(memory_format=torch.channels_last)
        return _convolve_blocks(x, kernel, bias, stride, dilation, padding)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, weight, _, *ctx.options = inputs
        ctx.save_for_backward(x, weight)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        needs_x, needs_weight, needs_bias = ctx.needs_input_grad[:3]
        gradient = gradient.contiguous()
        x_grad = weight_grad = None
        if torch.is_grad_enabled():  # a second derivative is required
            x_grad, weight_grad = _plain_gradients(x, weight, gradient, *ctx.options)
        else:
            if needs_x:
                x_grad = _input_gradient(x, weight, gradient, *ctx.options)
            if needs_weight:
                weight_grad = _weight_gradient(x, weight, gradient, *ctx.options)
        bias_grad = gradient.sum(dim=(0, 1)) if needs_bias else None
        return x_grad, weight_grad, bias_grad, None, None, None


def _convolve_blocks(
    x: Tensor, kernel: Tensor, bias: Tensor | None, stride: int, dilation: int, padding: int
) -> Tensor:
    """Convolves blocks of nodes as images [1, C, T, nodes] with a kernel [F, C, k, 1]."""
    reach = dilation * (kernel.size(2) - 1)
    num_frames = (x.size(1) + 2 * padding - reach - 1) // stride + 1
    out = x.new_empty(x.size(0), num_frames, kernel.size(0))
    num_blocks = -(-x.numel() // BLOCK_SIZE)
    size = -(-x.size(0) // num_blocks)
    for block, part in zip(x.split(size), out.split(size)):
        image = block.transpose(0, 1).contiguous().unsqueeze(0).permute(0, 3, 1, 2)
        image = conv2d(image, kernel, bias, (stride, 1), (padding, 0), (dilation, 1))
        part.copy_(image.squeeze(0).permute(2, 1, 0))
    return out


def _plain_gradients(
    x: Tensor,
    weight: Tensor,
    gradient: Tensor,
    stride: int,
    dilation: int,
    padding: int,
    needs_weight: bool = True,
) -> tuple[Tensor, Tensor | None]:
    """Computes the gradients of the input and the weight by differentiable operations."""
    x_grad, weight_grad, _ = torch.ops.aten.convolution_backward(
        as_image(gradient),
        as_image(x),
        weight,
        None,
        [1, stride],
        [0, padding],
        [1, dilation],
        False,
        [0, 0],
        1,
        [True, needs_weight, False],
    )
    return x_grad.permute(0, 2, 3, 1).squeeze(1), weight_grad


def _input_gradient(
    x: Tensor, weight: Tensor, gradient: Tensor, stride: int, dilation: int, padding: int
) -> Tensor:
    """Convolves the gradient with the reversed kernels."""
    reach = dilation * (weight.size(-1) - 1)
    if stride > 1 or padding > reach:
        return _plain_gradients(x, weight, gradient, stride, dilation, padding, False)[0]
    out_channels, channels, _, kernel_size = weight.shape
    # Copies of a transpose and of rows, which are far faster than one copy of the permutation.
    kernel = weight.permute(0, 3, 2, 1).reshape(out_channels, -1).t().contiguous()
    kernel = kernel.view(kernel_size, channels, out_channels).flip(0).transpose(0, 1).contiguous()
    kernel = kernel.permute(0, 2, 1).unsqueeze(-1)
    return _convolve_blocks(gradient, kernel, None, 1, dilation, reach - padding)


def _weight_gradient(
    x: Tensor, weight: Tensor, gradient: Tensor, stride: int, dilation: int, padding: int
) -> Tensor:
    """Sums the products of each frame of the gradient with the frames of the input it depends on.

    The frames under a kernel are adjacent in memory; with a dilation, in each of the sequences of
    every ``dilation``-th frame.
    """
    out_channels, channels, _, kernel_size = weight.shape
    out = x.new_zeros(out_channels, kernel_size * channels)
    sequences = [x[:, i::dilation].flatten(1) for i in range(dilation)]
    for t in range(gradient.size(1)):
        first, phase = divmod(stride * t - padding, dilation)
        rows = sequences[phase]
        num_frames = rows.size(1) // channels
        begin, end = max(0, -first), min(kernel_size, num_frames - first)
        if begin < end:
            frames = rows[:, (first + begin) * channels : (first + end) * channels]
            # FlopCounterMode does not count operations in place, but those with `out`.
            part = out[:, begin * channels : end * channels]
            torch.addmm(part, gradient[:, t].t(), frames, out=part)
    return out.view(out_channels, 1, kernel_size, channels).permute(0, 3, 1, 2)
