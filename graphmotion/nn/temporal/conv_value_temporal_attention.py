"""Temporal attention with convolved values."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import ModuleList
from torch.nn.functional import leaky_relu

from graphmotion.nn.attention.attend import attend
from graphmotion.nn.encoding import sinusoidal_encoding
from graphmotion.nn.frame_sequential import FrameSequential
from graphmotion.nn.frames import stride_mask, zero_padding
from graphmotion.nn.linear import Linear
from graphmotion.nn.norm import MotionBatchNorm
from graphmotion.nn.resettable import ResettableModule
from graphmotion.nn.temporal.temporal_conv import TemporalConv


class ConvValueTemporalAttention(ResettableModule):
    r"""The focal and global temporal attention from the `"Focal and Global Spatial-Temporal
    Transformer for Skeleton-based Action Recognition" <https://arxiv.org/abs/2210.02693>`_ paper.

    Each node attends to its frames. The values of each head are a temporal convolution with the
    dilation of the head, and are added to the result of the attention:

    .. math::
        \mathbf{V}_h &= \mathrm{TCN}_h(\mathbf{X} + \mathbf{P}) \\
        \mathbf{H}_h &= \mathrm{softmax}\left(\mathbf{Q}_h \mathbf{K}_h^{\top} / \sqrt{d}\right)
        \mathbf{V}_h \mathbf{W}_h + \mathbf{V}_h \\
        \mathbf{X}^{\prime} &= \mathrm{LeakyReLU}\left(\mathrm{BN}\left(
        [\mathbf{H}_1, \ldots, \mathbf{H}_H] \, \mathbf{W}\right)\right) + \mathbf{X} + \mathbf{P}

    with :math:`d = F / H` and linear maps :math:`\mathbf{Q}`, :math:`\mathbf{K}` of
    :math:`\mathbf{X} + \mathbf{P}`. The position :math:`\mathbf{P}` of the frames is
    :func:`~graphmotion.nn.encoding.sinusoidal_encoding`. With a stride, values, queries, keys and
    the shortcut are computed at every :math:`s`-th frame, and the shortcut is a linear map followed
    by a normalisation.

    .. code-block:: python

        attention = ConvValueTemporalAttention(16)
        print(attention(torch.randn(25, 30, 16)).shape)  # [25, 30, 16]

    Args:
        channels (int): Size of each input and output feature.
        kernel_size (int, optional): Kernel size of the convolutions in frames, odd.
            (default: :obj:`7`)
        dilations (sequence of int, optional): Dilation of each head. (default: :obj:`(1, 2)`)
        stride (int, optional): Stride :math:`s` over the frames. (default: :obj:`1`)
        attention (bool, optional): If set to :obj:`False`, heads are their convolutions without
            attention. (default: :obj:`True`)
        convolution (bool, optional): If set to :obj:`False`, values are linear in each frame.
            (default: :obj:`True`)
        position (bool, optional): If set to :obj:`False`, no position is added.
            (default: :obj:`True`)
        negative_slope (float, optional): Slope of the activation below zero.
            (default: :obj:`0.1`)

    Shapes:
        - **x:** node features :math:`(|\mathcal{V}|, T, F)`
        - **mask:** boolean :math:`(|\mathcal{V}|, T)`, :obj:`False` for padded frames
        - **output:** node features :math:`(|\mathcal{V}|, \lceil T / s \rceil, F)`

    Raises:
        ValueError: If the number of heads does not divide the channels, or both :obj:`attention`
            and :obj:`convolution` are :obj:`False`.
    """

    def __init__(
        self,
        channels: int,
        kernel_size: int = 7,
        dilations: Sequence[int] = (1, 2),
        stride: int = 1,
        attention: bool = True,
        convolution: bool = True,
        position: bool = True,
        negative_slope: float = 0.1,
    ) -> None:
        super().__init__()
        if not dilations or channels % len(dilations):
            raise ValueError(
                f'the number of dilations must divide channels={channels}, got {len(dilations)}'
            )
        if not (attention or convolution):
            raise ValueError('attention or convolution must be True, got neither')
        self.channels = channels
        self.kernel_size = kernel_size
        self.dilations = tuple(dilations)
        self.stride = stride
        self.attention = attention
        self.convolution = convolution
        self.position = position
        self.negative_slope = negative_slope
        size = channels // len(self.dilations)
        self.values = ModuleList(
            TemporalConv(channels, size, kernel_size if convolution else 1, stride, dilation)
            for dilation in self.dilations
        )
        if attention:
            self.query = Linear(channels, channels)
            self.key = Linear(channels, channels)
            self.heads = ModuleList(Linear(size, size) for _ in self.dilations)
        self.out = Linear(channels, channels)
        self.norm = MotionBatchNorm(channels)
        self.shortcut = (
            FrameSequential(Linear(channels, channels), MotionBatchNorm(channels))
            if stride > 1
            else None
        )

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Attends to the convolved frames of each node."""
        if self.position:
            x = x + sinusoidal_encoding(x.size(1), self.channels, x.device, x.dtype)
        x = zero_padding(x, mask)
        heads = [value(x) for value in self.values]
        x, mask = x[:, :: self.stride].contiguous(), stride_mask(mask, self.stride)
        if self.attention:
            queries = self.query(x).chunk(len(heads), dim=-1)
            keys = self.key(x).chunk(len(heads), dim=-1)
            valid = None if mask is None else mask.unsqueeze(1)
            heads = [
                mix(attend(query, key, value, mask=valid)) + value
                for mix, query, key, value in zip(self.heads, queries, keys, heads)
            ]
        out = self.norm(self.out(torch.cat(heads, dim=-1)), mask)
        shortcut = x if self.shortcut is None else self.shortcut(x, mask)
        return leaky_relu(out, self.negative_slope) + shortcut.to(out.dtype)

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.channels}, kernel_size={self.kernel_size}, '
            f'dilations={self.dilations}, stride={self.stride}, attention={self.attention}, '
            f'convolution={self.convolution}, position={self.position})'
        )
