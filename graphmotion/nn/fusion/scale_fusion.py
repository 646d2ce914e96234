"""Fusion of features at several scales of a body."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from graphmotion.nn.attention.gates import ChannelGate, SpatialGate, align_gate
from graphmotion.nn.graphs import check_same_shape, graph_mean
from graphmotion.nn.resettable import ResettableModule


class ScaleFusion(ResettableModule):
    r"""The adaptive attention fusion of scales from the `"MSA-GCN: Multiscale Adaptive Graph
    Convolution Network for Gait Emotion Recognition" <https://arxiv.org/abs/2209.08988>`_ paper.

    The features of all scales must have the same nodes. The paper mentions a spatial and a channel
    attention without details. Here, a channel gate scales the concatenated channels of all scales,
    the scales are added, and a spatial gate scales the nodes:

    .. math::
        \mathbf{X}^{\prime} = \mathrm{SpatialGate}\left(\sum_i \left[\mathrm{ChannelGate}(
        \mathbf{X}_1 \, \Vert \, \dots \, \Vert \, \mathbf{X}_n)\right]_i\right)

    .. code-block:: python

        fusion = ScaleFusion(16, num_scales=2)
        print(fusion([torch.randn(25, 30, 16), torch.randn(25, 30, 16)]).shape)  # [25, 30, 16]

    Args:
        channels (int): Size of each feature :math:`C`.
        num_scales (int): Number of scales :math:`n`.
        attention (bool, optional): If set to :obj:`False`, the scales are only added.
            (default: :obj:`True`)
        reduction (int, optional): Reduction of the channel gate. (default: :obj:`16`)

    Shapes:
        - **xs:** :math:`n` tensors of node features :math:`(|\mathcal{V}|, T, C)`
        - **num_nodes:** number of nodes of every graph, or
        - **batch:** batch vector :math:`(|\mathcal{V}|)`; with neither, there is a single graph
        - **batch_size:** number of graphs in :obj:`batch`, counted if not given; required for
          compilation and export
        - **mask:** boolean :math:`(|\mathcal{V}|, T)`, :obj:`False` for padded frames, the same
          frames for all nodes of a graph
        - **output:** node features :math:`(|\mathcal{V}|, T, C)`

    Raises:
        ValueError: If there are not :obj:`num_scales` tensors of the same shape.
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
        mask: Tensor | None = None,
    ) -> Tensor:
        """Fuses the scales ``xs``."""
        check_same_shape(xs, self.num_scales)
        if self.channel_gate is None or self.spatial_gate is None:
            return sum(xs[1:], xs[0])
        # The means and factors side by side, not the features, which would be copied.
        means = [graph_mean(x, num_nodes, batch, batch_size, mask) for x in xs]
        gates = self.channel_gate.factors(torch.cat(means, dim=-1)).chunk(len(xs), -1)
        out: Tensor | None = None
        for x, gate in zip(xs, gates):
            graphs, gate = align_gate(x, gate.to(x.dtype), num_nodes, batch)
            out = graphs * gate if out is None else torch.addcmul(out, graphs, gate)
        assert out is not None
        return self.spatial_gate(out.view(xs[0].shape))

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.channels}, num_scales={self.num_scales}, '
            f'attention={self.channel_gate is not None})'
        )
