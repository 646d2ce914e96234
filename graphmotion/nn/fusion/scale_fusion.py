"""Fusion of the scales of a body."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from graphmotion.nn.attention.gates import ChannelGate, SpatialGate
from graphmotion.nn.resettable import ResettableModule


class ScaleFusion(ResettableModule):
    r"""Fuses features of several scales, brought to the same nodes, into one: the adaptive
    attention fusion of the `"MSA-GCN: Multiscale Adaptive Graph Convolution Network for Gait
    Emotion Recognition" <https://arxiv.org/abs/2209.08988>`_ paper.

    The paper names a spatial and a channel attention and no more. Here the scales stand side by
    side as channels, a channel gate weighs each channel of each scale, the scales are added, and
    a spatial gate weighs the nodes:

    .. math::
        \mathbf{X}^{\prime} = \mathrm{SpatialGate}\left(\sum_i \left[\mathrm{ChannelGate}(
        \mathbf{X}_1 \, \Vert \, \dots \, \Vert \, \mathbf{X}_n)\right]_i\right)

    Args:
        channels (int): Size of each feature :math:`C`.
        num_scales (int): Number of scales :math:`n`.
        attention (bool, optional): If set to :obj:`False`, the scales are only added.
            (default: :obj:`True`)
        reduction (int, optional): Reduction of the channel gate. (default: :obj:`16`)

    Shapes:
        - **xs:** :math:`n` tensors of node features :math:`(|\mathcal{V}|, T, C)`
        - **num_nodes:** the number of nodes of every graph, or
        - **batch:** batch vector :math:`(|\mathcal{V}|)`; with neither there is one graph
        - **batch_size:** the number of graphs in :obj:`batch`, counted if not given; compilation
          and export need it
        - **output:** node features :math:`(|\mathcal{V}|, T, C)`

    Raises:
        ValueError: If the number of tensors is not :obj:`num_scales`.
    """

    def __init__(
        self, channels: int, num_scales: int, attention: bool = True, reduction: int = 16
    ) -> None:
        super().__init__()
        self.channels = channels
        self.num_scales = num_scales
        self.channel_gate = ChannelGate(channels * num_scales, reduction) if attention else None
        self.spatial_gate = SpatialGate(channels) if attention else None

    def forward(
        self,
        xs: Sequence[Tensor],
        num_nodes: int | None = None,
        batch: Tensor | None = None,
        batch_size: int | None = None,
    ) -> Tensor:
        """Fuse the scales ``xs``."""
        shapes = [list(x.shape) for x in xs]
        if len(xs) != self.num_scales or any(shape != shapes[0] for shape in shapes):
            raise ValueError(f'expected {self.num_scales} scales of one shape, got {shapes}')
        if self.channel_gate is not None:
            together = torch.cat(list(xs), dim=-1)
            gated = self.channel_gate(together, num_nodes, batch, batch_size)
            xs = gated.chunk(len(xs), -1)
        out = xs[0]
        for x in xs[1:]:
            out = out + x
        return out if self.spatial_gate is None else self.spatial_gate(out)

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.channels}, num_scales={self.num_scales}, '
            f'attention={self.channel_gate is not None})'
        )
