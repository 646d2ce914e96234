"""Temporal convolution at several resolutions."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import Conv2d, ModuleList
from torch.nn.init import xavier_uniform_, zeros_

from graphmotion.checks import check_odd
from graphmotion.nn.resettable import ResettableModule
from graphmotion.nn.temporal.convolve_frames import convolve_frames
from graphmotion.nn.temporal.temporal_conv import TemporalConv


class MultiResolutionTemporalConv(ResettableModule):
    r"""Temporal convolutions over windows of several lengths, with one branch per length.

    This is the local feature extractor of "Multi-view gait recognition with joint local multi-scale
    and global contextual spatio-temporal features".

    .. math::
        \mathbf{h}_s = \mathrm{ReLU}(\mathrm{conv}_{s}(\mathbf{x})), \quad
        \mathbf{x}^{\prime}_s = \mathbf{h}_s + \mathrm{ReLU}(\mathrm{conv}(\mathbf{h}_s))

    The kernel of :math:`\mathrm{conv}_s` covers :math:`s` frames, that of the second convolution
    one frame. Zero padding keeps the number of frames.

    According to the paper, window lengths are kernel sizes, so that each branch has separate
    weights. However, the paper also reports the same number of parameters for every window length.
    This is the case with :obj:`share_weights=True`: all branches share one kernel of three frames
    and one of one frame. The three frames are at the start, the middle and the end of each window,
    :math:`\lfloor s / 2 \rfloor` frames apart; in a window of one frame, they coincide.

    .. code-block:: python

        conv = MultiResolutionTemporalConv(16, 32)
        print([x.shape for x in conv(torch.randn(16, 30, 16))])  # three times [16, 30, 32]

    Args:
        in_channels (int): Size of each input feature.
        out_channels (int): Size of each output feature.
        window_sizes (sequence of int, optional): Window lengths :math:`s` in frames, odd.
            (default: :obj:`(1, 3, 5)`)
        share_weights (bool, optional): If set to :obj:`True`, all branches share their weights.
            (default: :obj:`False`)
        bias (bool, optional): If set to :obj:`False`, no biases are added.
            (default: :obj:`True`)

    Shapes:
        - **x:** node features :math:`(|\mathcal{V}|, T, F_{in})`
        - **output:** list with node features :math:`(|\mathcal{V}|, T, F_{out})` of each branch

    Raises:
        ValueError: If there are no windows or a window length is not odd.
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
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.window_sizes = tuple(check_odd('window_sizes', size) for size in window_sizes)
        if not self.window_sizes:
            raise ValueError('window_sizes must not be empty')
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
        r"""Resets all learnable parameters of the module.

        Weights have a Glorot initialisation and biases are zero, since the default of PyTorch
        reduces the signal below its biases.
        """
        for layer in (*self.first, *self.second):
            conv: Conv2d = layer.conv
            xavier_uniform_(conv.weight)
            if conv.bias is not None:
                zeros_(conv.bias)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Convolves ``x`` along its frames for each window."""
        outs = []
        for i, size in enumerate(self.window_sizes):
            branch = 0 if self.share_weights else i
            hidden = (self._dilated(x, size) if self.share_weights else self.first[i](x)).relu()
            outs.append(hidden + self.second[branch](hidden).relu())
        return outs

    def _dilated(self, x: Tensor, size: int) -> Tensor:
        """Applies the shared kernel, dilated to the length of a window."""
        conv: Conv2d = self.first[0].conv  # type: ignore[assignment]
        if size == 1:
            return convolve_frames(x, conv.weight.sum(dim=-1, keepdim=True), conv.bias)
        return convolve_frames(x, conv.weight, conv.bias, dilation=size // 2)

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.in_channels}, {self.out_channels}, '
            f'window_sizes={self.window_sizes}, share_weights={self.share_weights})'
        )
