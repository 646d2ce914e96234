"""Divergence of vector fields on graphs."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import Module

from graphmotion.nn.conv.oriented_gradients import gradient_stencils
from graphmotion.nn.graphs import SortedEdges, accumulate, sort_edges, split_graphs


class Divergence(Module):
    r"""Divergence of vector fields on the nodes of a graph in the plane.

    .. math::
        x^{\prime}_{vj} = \frac{\partial a_j}{\partial p_1} + \frac{\partial b_j}{\partial p_2}

    for the vector fields :math:`(a_j, b_j)`, with the derivatives of
    :class:`OrientedGradients`, in units of the mean length of an edge. It has no parameters. After
    a :class:`SpectralConv`, whose filters are isotropic, it yields filters with a direction: the
    divergence of :math:`(\cos \alpha, \sin \alpha) \, f` is the derivative of :math:`f` in the
    direction :math:`\alpha`.

    .. code-block:: python

        graph = pixel_graph((16, 16), num_nodes=100)
        divergence = Divergence(graph.pos, graph.edge_index)
        print(divergence(torch.randn(100, 2)).shape)  # [100, 1]

    Args:
        pos (Tensor): Positions of the nodes.
        edge_index (Tensor): Edges, each in both directions.

    Shapes:
        - **pos:** :math:`(N, 2)`
        - **x:** first components of :math:`C` fields, then second components,
          :math:`(B \cdot N, 2 C)`
        - **output:** :math:`(B \cdot N, C)`

    Raises:
        ValueError: If :obj:`pos` is not 2D or :obj:`x` has an invalid shape.
    """

    source: Tensor
    first: Tensor
    weight: Tensor

    def __init__(self, pos: Tensor, edge_index: Tensor) -> None:
        super().__init__()
        if pos.dim() != 2 or pos.size(1) != 2:
            raise ValueError(f'pos must have shape [N, 2], got {list(pos.shape)}')
        self.num_nodes = len(pos)
        edges, weight = gradient_stencils(pos.double(), edge_index)
        # One bag of both components of all neighbours for each node.
        edges = torch.stack([torch.cat([edges[0], edges[0] + self.num_nodes]), edges[1].repeat(2)])
        weight = weight.t().reshape(-1, 1).to(torch.get_default_dtype())
        bags = sort_edges(edges, weight, 2 * self.num_nodes)[0]
        self.register_buffer('source', bags.source, persistent=False)
        self.register_buffer('first', bags.first[: self.num_nodes + 1].clone(), persistent=False)
        self.register_buffer('weight', bags.weight, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Returns the divergence of each field."""
        if x.dim() != 2 or x.size(1) % 2:
            raise ValueError(f'x must have shape [num_nodes, 2 C], got {list(x.shape)}')
        graphs = split_graphs(x, self.num_nodes)
        num_channels = x.size(1) // 2
        rows = graphs.view(*graphs.shape[:2], 2, num_channels).permute(2, 1, 0, 3)
        rows = rows.reshape(2 * self.num_nodes, graphs.size(0) * num_channels)
        out = accumulate(rows, SortedEdges(self.source, self.first, self.weight))
        out = out.view(self.num_nodes, graphs.size(0), num_channels)
        return out.transpose(0, 1).flatten(0, 1)

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}(num_nodes={self.num_nodes})'
