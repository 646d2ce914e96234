"""Convolution of motion tensors along their frames."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from graphmotion.nn.eager import is_eager_cpu
from graphmotion.nn.images import as_image, differentiable_gradients
from graphmotion.nn.kernels.temporal import convolve
from graphmotion.nn.linear import prefers_convolutions

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
    if stride == dilation == groups == 1:
        out = convolve(x, weight, bias, padding)
        if out is not None:
            return out
    if groups == 1 and _is_wide(x, weight, stride):
        return _WideConvolution.apply(x.contiguous(), weight, bias, stride, dilation, padding)
    out = conv2d(as_image(x), weight, bias, (1, stride), (0, padding), (1, dilation), groups)
    return out.permute(0, 2, 3, 1).squeeze(1)


def _is_wide(x: Tensor, weight: Tensor, stride: int) -> bool:
    """Returns whether :class:`_WideConvolution`, which also uses matrix products, is faster than
    the convolution of torch.
    """
    return (
        not prefers_convolutions(x)
        and is_eager_cpu(x, weight)
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
        kernel = _to_column(weight)
        reach = dilation * (weight.size(-1) - 1)
        num_frames = (x.size(1) + 2 * padding - reach - 1) // stride + 1
        out = x.new_empty(x.size(0), num_frames, weight.size(0))
        size = _block_size(x)
        for block, part in zip(x.split(size), out.split(size)):
            image = _frames_by_nodes(block)
            image = conv2d(image, kernel, bias, (stride, 1), (padding, 0), (dilation, 1))
            part.copy_(image.squeeze(0).permute(2, 1, 0))
        return out

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
            x_grad, weight_grad = differentiable_gradients(x, weight, gradient, *ctx.options)
        else:
            if needs_x:
                x_grad = _input_gradient(x, weight, gradient, *ctx.options)
            if needs_weight:
                weight_grad = _weight_gradient(x, weight, gradient, *ctx.options)
        bias_grad = gradient.sum(dim=(0, 1)) if needs_bias else None
        return x_grad, weight_grad, bias_grad, None, None, None


def _block_size(x: Tensor) -> int:
    """Returns the number of nodes that are convolved at once."""
    num_blocks = -(-x.numel() // BLOCK_SIZE)
    return -(-x.size(0) // num_blocks)


def _frames_by_nodes(x: Tensor) -> Tensor:
    """Copies [N, T, C] to a channels-last image [1, C, T, N]."""
    return x.transpose(0, 1).contiguous().unsqueeze(0).permute(0, 3, 1, 2)


def _to_column(weight: Tensor) -> Tensor:
    """Returns kernels of images [1, C, T, N], a view of a channels-last weight."""
    return weight.mT.contiguous(memory_format=torch.channels_last)


def _input_gradient(
    x: Tensor, weight: Tensor, gradient: Tensor, stride: int, dilation: int, padding: int
) -> Tensor:
    """Computes the gradient of the input in blocks of nodes."""
    kernel, out = _to_column(weight), torch.empty_like(x)
    size = _block_size(gradient)
    for block, part in zip(gradient.split(size), out.split(size)):
        # Only the shape of the second argument matters.
        image, _, _ = torch.ops.aten.convolution_backward(
            _frames_by_nodes(block),
            part.view(1, x.size(1), -1, x.size(2)).permute(0, 3, 1, 2),
            kernel,
            None,
            [stride, 1],
            [padding, 0],
            [dilation, 1],
            False,
            [0, 0],
            1,
            [True, False, False],
        )
        part.copy_(image.squeeze(0).permute(2, 1, 0))
    return out


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
