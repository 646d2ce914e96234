"""Depthwise separable temporal convolution with a large kernel."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import Conv1d, Parameter
from torch.nn.functional import pad
from torch_geometric.nn.inits import uniform

from graphmotion.checks import check_choice, check_int, check_odd
from graphmotion.nn.eager import is_eager_cpu
from graphmotion.nn.frames import zero_padding
from graphmotion.nn.graphs import is_known
from graphmotion.nn.linear import linear
from graphmotion.nn.resettable import ResettableModule
from graphmotion.nn.temporal.convolve_frames import convolve_frames

_FAST_DTYPES: tuple[torch.dtype, ...] = (torch.float32,)  # of depthwise convolutions
PADDINGS = ('reflect_start', 'reflect', 'zeros')


class LargeKernelTemporalConv(ResettableModule):
    r"""The depthwise separable temporal convolution with a large kernel from the `"GaitMixer:
    Skeleton-based Gait Representation Learning via Wide-spectrum Multi-axial Mixer"
    <https://arxiv.org/abs/2210.15491>`_ paper.

    .. math::
        \mathbf{x}^{\prime}_{v,t} = \mathbf{b} + \mathbf{\Theta} \Big( \mathbf{a} +
        \sum_{j=0}^{k-1} \mathbf{w}_j \odot \mathbf{x}_{v,\, t + j - o} \Big)

    where each channel has a separate kernel. With :obj:`padding='reflect_start'`, the offset is
    :math:`o = k - 1`: the kernel covers frame :math:`t` and the frames before it, and the start of
    the sequence is padded by reflection. Otherwise :math:`o = \lfloor k / 2 \rfloor`, and both ends
    are padded by reflection or with zeros.

    The parameters have the names and shapes of two :class:`torch.nn.Conv1d`: ``depthwise.weight``
    :math:`(F_{in}, 1, k)` and ``pointwise.weight`` :math:`(F_{out}, F_{in}, 1)`.

    .. code-block:: python

        conv = LargeKernelTemporalConv(16, 32, kernel_size=31)
        print(conv(torch.randn(25, 60, 16)).shape)  # [25, 60, 32]

    Args:
        in_channels (int): Size of each input feature.
        out_channels (int): Size of each output feature.
        kernel_size (int, optional): Kernel size :math:`k` in frames; odd unless the padding is
            :obj:`"reflect_start"`. (default: :obj:`31`)
        padding (str, optional): :obj:`"reflect_start"`, :obj:`"reflect"` or :obj:`"zeros"`.
            (default: :obj:`"reflect_start"`)
        bias (bool, optional): If set to :obj:`False`, no biases are added.
            (default: :obj:`True`)

    Shapes:
        - **x:** node features :math:`(|\mathcal{V}|, T, F_{in})`
        - **mask:** boolean :math:`(|\mathcal{V}|, T)`, :obj:`False` for padded frames at the end of
          a sequence
        - **output:** node features :math:`(|\mathcal{V}|, T, F_{out})`

    Raises:
        ValueError: If a centred kernel is not odd, the padding is unknown, or there are too few
            frames for a reflection, which requires :math:`T > o`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 31,
        padding: str = 'reflect_start',
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = kernel_size
        self.padding = padding
        self.depthwise = DepthwiseTemporalConv(in_channels, kernel_size, padding, bias)
        self.pointwise = Conv1d(in_channels, out_channels, kernel_size=1, bias=bias)

    @property
    def min_frames(self) -> int:
        r"""Minimum number of frames, for a reflection."""
        return 1 if self.padding == 'zeros' else max(self.depthwise.ends) + 1

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Convolves ``x`` along its frames."""
        # A matrix product accepts the layout of the depthwise part without a copy.
        rows = self.depthwise(x, mask).flatten(0, 1)
        out = linear(rows, self.pointwise.weight.squeeze(2), self.pointwise.bias)
        return out.view(*x.shape[:2], self.out_channels)

    @property
    def reach(self) -> tuple[int, int]:
        """Numbers of frames before and after a frame on which its result depends."""
        return self.depthwise.ends

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.in_channels}, {self.out_channels}, '
            f"kernel_size={self.kernel_size}, padding='{self.padding}')"
        )


class DepthwiseTemporalConv(torch.nn.Module):
    r"""The depthwise convolution of :class:`LargeKernelTemporalConv`.

    A large kernel covers most of the frames. It is therefore written as a matrix over all frames,
    including reflected frames. The product is many times faster than a depthwise convolution. On a
    CPU, a convolution in the layout of motion tensors is even faster, but not its backward pass.
    """

    def __init__(
        self, channels: int, kernel_size: int, padding: str = 'reflect_start', bias: bool = True
    ) -> None:
        super().__init__()
        check_choice('padding', padding, PADDINGS)
        if padding == 'reflect_start':
            check_int('kernel_size', kernel_size, 1)
        else:
            check_odd('kernel_size', kernel_size)
        self.channels = channels
        self.kernel_size = kernel_size
        self.padding = padding
        self.mode = 'constant' if padding == 'zeros' else 'reflect'
        offset = kernel_size - 1 if padding == 'reflect_start' else kernel_size // 2
        self.ends = (offset, kernel_size - 1 - offset)
        self.weight = Parameter(torch.empty(channels, 1, kernel_size))
        self.bias = Parameter(torch.empty(channels)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        r"""Resets all learnable parameters of the module.

        The distribution is uniform with a bound given by the number of inputs, as in
        :class:`torch.nn.Conv1d`.
        """
        uniform(self.kernel_size, self.weight)
        uniform(self.kernel_size, self.bias)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Convolves each channel of ``x`` along its frames."""
        if self.mode == 'constant':
            return self._convolve(zero_padding(x, mask))
        counts = None if mask is None else mask.sum(dim=1)
        self._check_frames(x, counts)
        end = self.ends[1]
        if counts is None or end == 0:  # no frame depends on later frames
            return self._convolve(x)
        return self._convolve(_reflect_end(x, counts, end))[:, : x.size(1)]

    def _check_frames(self, x: Tensor, counts: Tensor | None) -> None:
        """Checks that all sequences, which have ``counts`` frames, can be reflected."""
        eager = not torch.compiler.is_compiling() and x.device.type == 'cpu'
        shortest = x.size(1)
        message = (
            f"x must have at least {max(self.ends) + 1} frames for padding='{self.padding}' "
            f'and kernel_size={self.kernel_size}'
        )
        if counts is not None and counts.numel():  # len() would fix the size in an export
            if eager:
                shortest = int(counts.min())
            else:
                torch._assert_async((counts > max(self.ends)).all(), message)
        if shortest <= max(self.ends):
            raise ValueError(f'{message}, got {shortest}')

    def _convolve(self, x: Tensor) -> Tensor:
        num_nodes, num_frames, channels = x.shape
        # In reduced precision, the convolution is extremely slow.
        full_precision = x.dtype in (torch.float32, torch.float64)
        full_precision = full_precision and not torch.is_autocast_enabled(x.device.type)
        if x.device.type == 'cpu' and full_precision and not torch.is_grad_enabled():
            return _convolve_depthwise(x, self.weight, self.bias, self.ends, self.mode)
        window = max(2 * self.kernel_size, 64)
        has_one_window = not is_known(num_frames) or num_frames <= 2 * window
        fast = x.dtype in _FAST_DTYPES and is_eager_cpu(x, self.weight)
        if has_one_window and fast:
            return _DepthwiseConvolution.apply(x, self.weight, self.bias, self.ends, self.mode)
        lines = _to_lines(x)
        if has_one_window:
            taps = _find_taps(num_frames, self.kernel_size, self.ends, self.mode, x.device)
            out = self._product(lines, taps)
        else:
            # A matrix over all frames would be almost empty; overlapping windows share a small one.
            rest = -num_frames % window
            width = window + self.kernel_size - 1
            windows = pad(pad(lines, self.ends, self.mode), (0, rest)).unfold(2, width, window)
            frames = torch.arange(width, device=x.device)
            out = self._product(windows.flatten(1, 2), _taps_of(frames, self.kernel_size, width))
            out = out.view(channels, num_nodes, num_frames + rest)[..., :num_frames]
        return _transpose(out.flatten(1)).view(x.shape)

    def _product(self, lines: Tensor, taps: Tensor) -> Tensor:
        """Multiplies lines by the matrix of the kernels."""
        out = lines @ _to_matrix(self.weight, taps)
        return out if self.bias is None else out.add_(self.bias.view(-1, 1, 1))

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.channels}, kernel_size={self.kernel_size}, '
            f"padding='{self.padding}')"
        )


def _reflect_end(x: Tensor, counts: Tensor, length: int) -> Tensor:
    """Replaces padded frames by the reflection of those before; appends ``length`` frames."""
    frame, last = torch.arange(x.size(1) + length, device=x.device), counts.unsqueeze(1) - 1
    frame = torch.where(frame <= last, frame, (2 * last - frame).clamp(min=0))
    return x.gather(1, frame.unsqueeze(-1).expand(-1, -1, x.size(2)))


def _find_taps(
    num_frames: int, kernel_size: int, ends: tuple[int, int], mode: str, device: torch.device
) -> Tensor:
    """Returns whether an element of the kernel multiplies a frame in the sum of another frame:
    [k, T, T'].
    """
    # The frame at each position of the padded sequence; -1 for zero padding.
    frames = 1 + torch.arange(num_frames, dtype=torch.float, device=device)
    frames = pad(frames.view(1, 1, -1), ends, mode).flatten() - 1
    return _taps_of(frames, kernel_size, num_frames)


def _taps_of(frames: Tensor, kernel_size: int, num_frames: int) -> Tensor:
    """Returns the taps for a given sequence of frames."""
    taps = frames.unfold(0, kernel_size, 1).t().unsqueeze(1)  # [k, 1, T']
    return taps == torch.arange(num_frames, device=frames.device).unsqueeze(1)


def _to_matrix(weight: Tensor, taps: Tensor) -> Tensor:
    """Returns the matrix over frames of each kernel [C, T, T']."""
    matrix = weight.squeeze(1) @ taps.flatten(1).to(weight.dtype)
    return matrix.view(-1, *taps.shape[1:])


def _convolve_depthwise(
    x: Tensor, weight: Tensor, bias: Tensor | None, ends: tuple[int, int], mode: str
) -> Tensor:
    """Convolves in the layout of motion tensors."""
    padding = None
    if mode == 'reflect':
        begin, end = ends
        reflected = x[:, 1 : begin + 1].flip(1), x, x[:, x.size(1) - 1 - end : -1].flip(1)
        x, padding = torch.cat(reflected, dim=1), 0
    return convolve_frames(x, weight.unsqueeze(2), bias, groups=len(weight), padding=padding)


class _DepthwiseConvolution(torch.autograd.Function):
    """Convolution in the layout of motion tensors, with a matrix product as its backward pass."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, ends: tuple[int, int], mode: str
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.options = ends, mode
        return _convolve_depthwise(x, weight, bias, ends, mode)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        ends, mode = ctx.options
        taps = _find_taps(x.size(1), weight.size(-1), ends, mode, x.device)
        lines = _to_lines(gradient)
        x_grad = weight_grad = bias_grad = None
        if ctx.needs_input_grad[0]:
            rows = torch.bmm(lines, _to_matrix(weight, taps).mT).flatten(1).t()
            x_grad = rows.contiguous().view(x.shape)
        if ctx.needs_input_grad[1]:
            matrix = torch.bmm(_to_lines(x).mT, lines)
            weight_grad = (matrix.flatten(1) @ taps.flatten(1).t().to(weight.dtype)).unsqueeze(1)
        if ctx.needs_input_grad[2]:
            bias_grad = gradient.sum(dim=(0, 1))
        return x_grad, weight_grad, bias_grad, None, None


def _to_lines(x: Tensor) -> Tensor:
    """Copies [N, T, C] to [C, N, T]."""
    return _transpose(x.flatten(0, 1)).contiguous().view(x.size(2), *x.shape[:2])


def _transpose(x: Tensor) -> Tensor:
    # A compiler chooses the layout of gradients.
    return x.t() if torch.compiler.is_compiling() else _Transpose.apply(x)


class _Transpose(torch.autograd.Function):
    """Transpose of a matrix with a contiguous gradient.

    By default, the gradient is a view, which the backward pass of the input reads far more slowly.
    """

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return x.t()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient.t().contiguous()
