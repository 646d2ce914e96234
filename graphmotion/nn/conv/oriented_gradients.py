"""Oriented gradients of node features."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import Module

from graphmotion.nn.graphs import SortedEdges, accumulate, sort_edges, split_graphs

_EPS = 0.02  # added to the squared magnitude, for features of unit variance


class OrientedGradients(Module):
    r"""Appends the gradient of each channel in several directions.

    This generalises the cells of the `"Histograms of Oriented Gradients for Human Detection"
    <https://doi.org/10.1109/CVPR.2005.177>`_ paper to nodes at arbitrary positions in the plane. It
    has no parameters.

    The gradient at a node is the slope of the plane that best fits the differences to its
    neighbours, weighted by proximity. Its rectified component in each of :math:`Q` directions is
    normalised by the gradient magnitude around the node, so that faint and strong contours
    contribute equally:

    .. math::
        \mathbf{g}_v = \mathrm{arg\,min}_{\mathbf{g}} \sum_{u \in \mathcal{N}(v)} e^{-\|
        \mathbf{p}_u - \mathbf{p}_v \|^2 / 2 \ell^2} \left( \mathbf{g}^{\top} \frac{\mathbf{p}_u -
        \mathbf{p}_v}{\ell} - (x_u - x_v) \right)^2, \qquad
        x^{\prime}_{vq} = \frac{\mathrm{ReLU}(\mathbf{g}_v^{\top} \mathbf{e}_q)}
        {\sqrt{\langle \|\mathbf{g}\|^2 \rangle_v + \epsilon}}

    with :math:`\ell` the mean length of an edge, :math:`\mathbf{e}_q` the direction at the angle
    :math:`2 \pi q / Q`, and :math:`\langle \cdot \rangle_v` the mean over a node and its
    neighbours, applied :obj:`num_hops` times.

    .. code-block:: python

        graph = pixel_graph((16, 16), num_nodes=100)
        gradients = OrientedGradients(graph.pos, graph.edge_index)
        print(gradients(torch.randn(100, 1)).shape)  # grey value and 8 directions: [100, 9]

    Args:
        pos (Tensor): Positions of the nodes.
        edge_index (Tensor): Edges, each in both directions.
        num_directions (int, optional): Number of directions :math:`Q`. (default: :obj:`8`)
        num_hops (int, optional): Number of times that magnitudes are averaged over neighbours.
            (default: :obj:`4`)

    Shapes:
        - **pos:** :math:`(N, 2)`
        - **x:** node features :math:`(B \cdot N, C)` of about unit variance
        - **output:** node features :math:`(B \cdot N, C (1 + Q))`: the input, followed by the
          directions of each channel

    Raises:
        ValueError: If :obj:`pos` is not 2D or an option is out of range.
    """

    pos: Tensor
    directions: Tensor
    source: Tensor
    first: Tensor
    weight: Tensor

    def __init__(
        self, pos: Tensor, edge_index: Tensor, num_directions: int = 8, num_hops: int = 4
    ) -> None:
        super().__init__()
        if pos.dim() != 2 or pos.size(1) != 2:
            raise ValueError(f'pos must have shape [N, 2], got {list(pos.shape)}')
        if num_directions < 1 or num_hops < 0:
            raise ValueError(
                f'num_directions must be >= 1 and num_hops >= 0, got {num_directions} and '
                f'{num_hops}'
            )
        self.num_nodes = len(pos)
        self.num_directions = num_directions
        self.num_hops = num_hops
        angle = torch.arange(num_directions) * (2 * math.pi / num_directions)
        directions = torch.stack([angle.cos(), angle.sin()])
        self.register_buffer('directions', directions.to(pos.device), persistent=False)
        edges = sort_edges(*_stencils(pos.double(), edge_index), self.num_nodes)
        self.register_buffer('source', edges[0].source, persistent=False)
        self.register_buffer('first', edges[0].first, persistent=False)
        weight = torch.stack([edge.weight for edge in edges]).to(torch.get_default_dtype())
        self.register_buffer('weight', weight, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Appends the gradients of ``x``."""
        num_channels = x.size(1)
        columns = split_graphs(x, self.num_nodes).transpose(0, 1).flatten(1)  # [N, B * C]
        gradient = torch.stack([self._gather(columns, axis) for axis in (0, 1)], dim=-1)
        energy = gradient.square().sum(dim=-1)
        for _ in range(self.num_hops):
            energy = self._gather(energy, 2)
        parts = (gradient @ self.directions.to(gradient.dtype)).relu()
        parts = parts / (energy + _EPS).sqrt().unsqueeze(-1)
        parts = parts.view(self.num_nodes, -1, num_channels * self.num_directions)
        return torch.cat([x, parts.transpose(0, 1).flatten(0, 1)], dim=-1)

    def _gather(self, columns: Tensor, stencil: int) -> Tensor:
        return accumulate(columns, SortedEdges(self.source, self.first, self.weight[stencil]))

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}(num_nodes={self.num_nodes}, '
            f'num_directions={self.num_directions}, num_hops={self.num_hops})'
        )


def _stencils(pos: Tensor, edge_index: Tensor) -> tuple[Tensor, Tensor]:
    """Returns edges with self-loops, and their weights [E, 3].

    The columns are the weights in both components of the gradient and in the mean over a node and
    its neighbours.
    """
    edges, slope = gradient_stencils(pos, edge_index)
    count = 1 + torch.bincount(edge_index[1], minlength=len(pos))
    mean = (1 / count.to(pos.dtype)).unsqueeze(1)
    return edges, torch.cat([slope, mean[edges[1]]], dim=1)


def gradient_stencils(pos: Tensor, edge_index: Tensor) -> tuple[Tensor, Tensor]:
    """Edges with self-loops, and their weights [E, 2] in both components of a node's gradient; see
    :class:`OrientedGradients`.
    """
    source, target = edge_index
    size = len(pos)
    offset = pos[source] - pos[target]
    length = offset.norm(dim=1)
    offset = offset / length.mean()
    near = torch.exp(-offset.square().sum(dim=1) / 2).unsqueeze(1)
    outer = near.unsqueeze(2) * offset.unsqueeze(2) * offset.unsqueeze(1)
    moment = pos.new_zeros(size, 2, 2).index_add(0, target, outer)
    # Pseudo-inverse: if all neighbours are collinear, the gradient is along their line.
    inverse = torch.linalg.pinv(moment, hermitian=True, rtol=1e-6)
    slope = (inverse[target] @ (near * offset).unsqueeze(2)).squeeze(2)
    itself = -pos.new_zeros(size, 2).index_add(0, target, slope)
    loops = torch.arange(size, device=pos.device).expand(2, -1)
    return torch.cat([edge_index, loops], dim=1), torch.cat([slope, itself])
