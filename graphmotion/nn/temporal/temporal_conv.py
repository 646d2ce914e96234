"""Convolution along the frames of each node."""

from __future__ import annotations

import torch
from torch import Tensor

from graphmotion.checks import check_odd
from graphmotion.nn.frames import zero_padding
from graphmotion.nn.graphs import check_channels
from graphmotion.nn.resettable import ResettableModule
from graphmotion.nn.temporal.convolve_frames import convolve_frames


class TemporalConv(ResettableModule):
    r"""Convolution over frames with weights shared by all nodes.

    .. math::
        \mathbf{x}^{\prime}_{v,t} = \mathbf{b} + \sum_{j} \mathbf{\Theta}_j^{\top}
        \mathbf{x}_{v,\, s t + d (j - \lfloor k / 2 \rfloor)}

    with kernel size :math:`k`, stride :math:`s` and dilation :math:`d`, and zero padding at both
    ends. Padded frames of :obj:`x` also count as zeros.

    .. code-block:: python

        conv = TemporalConv(16, 32, kernel_size=9, stride=2)
        print(conv(torch.randn(25, 30, 16)).shape)  # [25, 15, 32]

    Args:
        in_channels (int): Size of each input feature.
        out_channels (int): Size of each output feature.
        kernel_size (int, optional): Kernel size :math:`k` in frames, odd. (default: :obj:`9`)
        stride (int, optional): Stride :math:`s`. (default: :obj:`1`)
        dilation (int, optional): Dilation :math:`d`. (default: :obj:`1`)
        bias (bool, optional): If set to :obj:`False`, no bias is added. (default: :obj:`True`)

    Shapes:
        - **x:** node features :math:`(|\mathcal{V}|, T, F_{in})`
        - **mask:** boolean :math:`(|\mathcal{V}|, T)`, :obj:`False` for padded frames
        - **output:** node features :math:`(|\mathcal{V}|, \lceil T / s \rceil, F_{out})`

    Raises:
        ValueError: If the kernel size is not odd.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 9,
        stride: int = 1,
        dilation: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__()
        check_odd('kernel_size', kernel_size)
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = kernel_size
        self.stride = stride
        self.dilation = dilation
        self.conv = torch.nn.Conv2d(
            in_channels,
            out_channels,
            kernel_size=(1, kernel_size),
            stride=(1, stride),
            padding=(0, dilation * (kernel_size // 2)),
            dilation=(1, dilation),
            bias=bias,
        )
        # The memory format of the image in forward(), so that no call has to convert the weights.
        self.conv.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Convolves ``x`` along its frames."""
        check_channels(x, self.in_channels)
        if self.kernel_size > 1:
            x = zero_padding(x, mask)
        return convolve_frames(x, self.conv.weight, self.conv.bias, self.stride, self.dilation)

    @property
    def reach(self) -> int:
        """Number of frames before and after a frame on which its result depends."""
        return self.dilation * (self.kernel_size // 2)

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.in_channels}, {self.out_channels}, '
            f'kernel_size={self.kernel_size}, stride={self.stride}, dilation={self.dilation})'
        )
