"""Gates over nodes and channels."""

from __future__ import annotations

import torch
from torch import Tensor

from graphmotion.nn.graphs import graph_mean, split_graphs
from graphmotion.nn.linear import Linear
from graphmotion.nn.resettable import ResettableModule


class SpatialGate(ResettableModule):
    r"""Spatial attention that scales the features of each node in each frame.

    .. math::
        \mathbf{x}^{\prime} = \sigma(\mathbf{w}^{\top} \mathbf{x} + b) \, \mathbf{x}

    It corresponds to the spatial attention of the `"CBAM: Convolutional Block Attention Module"
    <https://arxiv.org/abs/1807.06521>`_ paper, with a learned reduction of the channels.

    .. code-block:: python

        gate = SpatialGate(32)
        print(gate(torch.randn(25, 30, 32)).shape)  # [25, 30, 32]

    Args:
        channels (int): Size of each feature :math:`C`.

    Shapes:
        - **x:** features :math:`(*, C)`
        - **output:** features :math:`(*, C)`
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.lin = Linear(channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Scales the nodes of ``x``."""
        return self.lin(x).sigmoid() * x

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({self.channels})'


def align_gate(
    x: Tensor, gate: Tensor, num_nodes: int | None, batch: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Returns views of node features and of factors [B, C] of each graph that broadcast."""
    between = [1] * (x.dim() - 2)
    if batch is not None:
        return x, gate.index_select(0, batch).view(-1, *between, gate.size(-1))
    graphs = split_graphs(x, x.size(0) if num_nodes is None else num_nodes)
    return graphs, gate.view(-1, 1, *between, gate.size(-1))


class ChannelGate(ResettableModule):
    r"""Channel attention from the `"Squeeze-and-Excitation Networks"
    <https://arxiv.org/abs/1709.01507>`_ paper, which scales the channels of each graph.

    .. math::
        \mathbf{X}^{\prime} = \mathbf{X} \odot \sigma\left(\mathbf{W}_2 \,
        \mathrm{ReLU}(\mathbf{W}_1 \bar{\mathbf{x}} + \mathbf{b}_1) + \mathbf{b}_2\right)

    where :math:`\bar{\mathbf{x}}` is the mean over the nodes and frames of a graph.

    .. code-block:: python

        gate = ChannelGate(32)
        print(gate(torch.randn(25, 30, 32)).shape)  # [25, 30, 32]

    Args:
        channels (int): Size of each feature :math:`C`.
        reduction (int, optional): The hidden layer has :math:`C / \text{reduction}` units, at
            least 4. (default: :obj:`16`)

    Shapes:
        - **x:** node features :math:`(|\mathcal{V}|, T, C)` or :math:`(|\mathcal{V}|, C)`
        - **num_nodes:** number of nodes of every graph, or
        - **batch:** batch vector :math:`(|\mathcal{V}|)`; with neither, there is a single graph
        - **batch_size:** number of graphs in :obj:`batch`, counted if not given; required for
          compilation and export
        - **mask:** boolean :math:`(|\mathcal{V}|, T)`, :obj:`False` for padded frames, the same
          frames for all nodes of a graph
        - **output:** node features with the shape of :obj:`x`
    """

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        self.channels = channels
        hidden = max(channels // reduction, 4)
        self.mlp = torch.nn.Sequential(
            Linear(channels, hidden), torch.nn.ReLU(), Linear(hidden, channels)
        )

    def forward(
        self,
        x: Tensor,
        num_nodes: int | None = None,
        batch: Tensor | None = None,
        batch_size: int | None = None,
        mask: Tensor | None = None,
    ) -> Tensor:
        """Scales the channels of ``x``."""
        gate = self.factors(graph_mean(x, num_nodes, batch, batch_size, mask))
        graphs, gate = align_gate(x, gate, num_nodes, batch)
        return (graphs * gate).view(x.shape)

    def factors(self, means: Tensor) -> Tensor:
        """Returns the factors of the channels, given the means of each graph [B, C]."""
        return self.mlp(means).sigmoid()

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({self.channels})'
