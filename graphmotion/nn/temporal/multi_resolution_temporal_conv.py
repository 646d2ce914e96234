"""Temporal features at several resolutions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import Conv2d, ModuleList
from torch.nn.init import xavier_uniform_, zeros_

from graphmotion.nn.temporal.temporal_conv import TemporalConv, convolve_frames


class MultiResolutionTemporalConv(torch.nn.Module):
    r"""Temporal features over windows of several lengths, one branch a length: the local feature
    extractor of "Multi-view gait recognition with joint local multi-scale and global contextual
    spatio-temporal features".

    .. math::
        \mathbf{h}_s = \mathrm{ReLU}(\mathrm{conv}_{s}(\mathbf{x})), \quad
        \mathbf{x}^{\prime}_s = \mathbf{h}_s + \mathrm{ReLU}(\mathrm{conv}(\mathbf{h}_s))

    :math:`\mathrm{conv}_s` looks at the :math:`s` frames around each, the second convolution at
    one frame. Frames before the first and after the last are zero, so that all branches have as
    many frames as the input.

    The paper names the window lengths as the sizes of the kernels, so each branch has weights of
    its own. Yet it also reports equally many parameters for every window length. With
    :obj:`share_weights=True` this holds: one kernel of three frames and one of one frame serve
    all branches, and the three frames lie at the start, the middle and the end of each window,
    that is :math:`\lfloor s / 2 \rfloor` frames apart. In a window of one frame they coincide.

    Args:
        in_channels (int): Size of each input feature.
        out_channels (int): Size of each output feature.
        window_sizes (sequence of int, optional): The numbers of frames :math:`s`, odd.
            (default: :obj:`(1, 3, 5)`)
        share_weights (bool, optional): If set to :obj:`True`, all windows have the same weights.
            (default: :obj:`False`)
        bias (bool, optional): If set to :obj:`False`, there are no additive biases.
            (default: :obj:`True`)

    Shapes:
        - **x:** node features :math:`(|\mathcal{V}|, T, F_{in})`
        - **output:** a list, for each window node features :math:`(|\mathcal{V}|, T, F_{out})`

    Raises:
        ValueError: If there is no window or one is not odd.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        window_sizes: Sequence[int] = (1, 3, 5),
        share_weights: bool = False,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if not window_sizes or any(size < 1 or size % 2 == 0 for size in window_sizes):
            raise ValueError(
                f'window_sizes are odd numbers of frames, at least one, got {list(window_sizes)}'
            )
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.window_sizes = tuple(window_sizes)
        self.share_weights = share_weights
        kernel_sizes = (3,) if share_weights else self.window_sizes
        self.first = ModuleList(
            TemporalConv(in_channels, out_channels, size, bias=bias) for size in kernel_sizes
        )
        self.second = ModuleList(
            TemporalConv(out_channels, out_channels, kernel_size=1, bias=bias) for _ in kernel_sizes
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        r"""Resets all learnable parameters of the module: Glorot weights and zero biases, since
        PyTorch's default shrinks the signal below its own biases.
        """
        for layer in (*self.first, *self.second):
            conv = layer.conv
            xavier_uniform_(conv.weight)
            if conv.bias is not None:
                zeros_(conv.bias)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Convolve ``x`` along its frames, once for each window."""
        outs = []
        for i, size in enumerate(self.window_sizes):
            branch = 0 if self.share_weights else i
            hidden = (self._spread(x, size) if self.share_weights else self.first[i](x)).relu()
            outs.append(hidden + self.second[branch](hidden).relu())
        return outs

    def _spread(self, x: Tensor, size: int) -> Tensor:
        """The shared kernel with its frames spread over a window."""
        conv: Conv2d = self.first[0].conv  # type: ignore[assignment]
        if size == 1:
            return convolve_frames(x, conv.weight.sum(dim=-1, keepdim=True), conv.bias)
        return convolve_frames(x, conv.weight, conv.bias, dilation=size // 2)

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.in_channels}, {self.out_channels}, '
            f'window_sizes={self.window_sizes}, share_weights={self.share_weights})'
        )
