"""Convolution with weights for each edge of one graph."""

from __future__ import annotations

import math
from functools import reduce

import torch
from torch import Tensor
from torch.nn import Parameter
from torch_geometric.nn.inits import uniform
from torch_geometric.utils import remove_self_loops

from graphmotion.checks import check_odd
from graphmotion.nn.graphs import SortedEdges, accumulate, sort_edges, split_graphs

# Slots of all nodes for each edge from which products of single edges are faster.
MAX_FILL = 1.5


class LocallyConnectedConv(torch.nn.Module):
    r"""The spatial construction from the `"Spectral Networks and Deep Locally Connected Networks
    on Graphs" <https://arxiv.org/abs/1312.6203>`_ paper, in which each edge of one fixed graph has
    its own weight matrix.

    .. math::
        \mathbf{x}^{\prime}_v = \sum_{u \in \mathcal{N}(v) \cup \{ v \}} \mathbf{x}_u \,
        \mathbf{\Theta}_{uv} + \mathbf{b}

    With :obj:`shared`, edges share weights by the offset of the neighbour, as in the
    `"SplineCNN" <https://arxiv.org/abs/1711.08920>`_ paper, so that the number of parameters does
    not grow with the graph:

    .. math::
        \mathbf{x}^{\prime}_v = \sum_s \frac{\sum_u \beta_s(\mathbf{p}_u - \mathbf{p}_v) \,
        \mathbf{x}_u}{\sum_u \beta_s(\mathbf{p}_u - \mathbf{p}_v)} \, \mathbf{\Theta}_s + \mathbf{b}

    The functions :math:`\beta_s` are products of linear B-splines over a grid of offsets around
    the node, with :obj:`kernel_size` knots per axis and the spacing :math:`\ell`, the median over
    all edges of the largest component of their offset. Components beyond the grid are moved to its
    border. Bins without neighbours contribute zero. On the pixels of an image with eight
    neighbours, this is a :math:`3 \times 3` convolution.

    .. code-block:: python

        graph = pixel_graph((16, 16), num_nodes=100)
        conv = LocallyConnectedConv(1, 8, graph.edge_index, num_nodes=100)
        print(conv(torch.randn(100, 1)).shape)  # [100, 8]

    Args:
        in_channels (int): Size of each input feature.
        out_channels (int): Size of each output feature.
        edge_index (Tensor): Edges :math:`(2, |\mathcal{E}|)` of the graph, from source to target.
        num_nodes (int): Number of nodes :math:`N` of the graph.
        add_self_loops (bool, optional): If set to :obj:`False`, no self-loops are added to
            :obj:`edge_index`. (default: :obj:`True`)
        shared (bool, optional): If set to :obj:`True`, edges of equal offset share their weights.
            (default: :obj:`False`)
        pos (Tensor, optional): Positions of the nodes :math:`(N, D)`, required if :obj:`shared`.
            (default: :obj:`None`)
        kernel_size (int, optional): Number of offsets per axis if :obj:`shared`, odd.
            (default: :obj:`3`)
        bias (bool, optional): If set to :obj:`False`, there is no :math:`\mathbf{b}`.
            (default: :obj:`True`)

    Shapes:
        - **x:** node features :math:`(B \cdot N, F_{in})` or :math:`(B \cdot N, T, F_{in})`
        - **weight:** :math:`(|\mathcal{E}|, F_{in}, F_{out})`, one matrix for each column of
          :obj:`conv.edge_index`, which is sorted by target and includes self-loops; if shared,
          :math:`(Q^D, F_{in}, F_{out})` for the kernel size :math:`Q`, the last axis fastest
        - **output:** node features :math:`(B \cdot N, F_{out})` or :math:`(B \cdot N, T, F_{out})`

    Raises:
        ValueError: If the edges do not fit :obj:`num_nodes`, an option is invalid, or the number of
            nodes of :obj:`x` is not a multiple of :obj:`num_nodes`.
    """

    edge_index: Tensor
    neighbors: Tensor
    slots: Tensor
    edge_basis: Tensor
    source: Tensor
    first: Tensor
    basis: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        edge_index: Tensor,
        num_nodes: int,
        add_self_loops: bool = True,
        shared: bool = False,
        pos: Tensor | None = None,
        kernel_size: int = 3,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if edge_index.dim() != 2 or edge_index.size(0) != 2:
            raise ValueError(
                f'edge_index must have shape [2, num_edges], got {list(edge_index.shape)}'
            )
        if (
            edge_index.numel()
            and not 0 <= int(edge_index.min()) <= int(edge_index.max()) < num_nodes
        ):
            raise ValueError(
                f'edge_index must be in [0, {num_nodes - 1}], got {int(edge_index.min())} to '
                f'{int(edge_index.max())}'
            )
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.num_nodes = num_nodes
        self.shared = shared
        if add_self_loops:
            loops = torch.arange(num_nodes, device=edge_index.device).expand(2, -1)
            edge_index = torch.cat([loops, remove_self_loops(edge_index)[0]], dim=1)
        edge_index = edge_index[:, edge_index[1].argsort(stable=True)]
        self.register_buffer('edge_index', edge_index, persistent=False)
        num_weights = self._init_offsets(pos, kernel_size) if shared else self._init_slots()
        self.weight = Parameter(torch.empty(num_weights, in_channels, out_channels))
        self.bias = Parameter(torch.empty(out_channels)) if bias else None
        self.reset_parameters()

    def _init_slots(self) -> int:
        """Assigns each edge to a slot of its target and returns the number of edges."""
        source, target = self.edge_index
        # Nodes have as many slots as the largest neighbourhood; empty slots hold node N, whose
        # features are zero.
        degree = torch.bincount(target, minlength=self.num_nodes)
        self.max_degree = int(degree.max())
        rank = (
            torch.arange(target.numel(), device=target.device) - (degree.cumsum(0) - degree)[target]
        )
        slots = target * self.max_degree + rank
        neighbors = source.new_full((self.num_nodes * self.max_degree,), self.num_nodes)
        neighbors[slots] = source
        self.register_buffer('neighbors', neighbors, persistent=False)
        self.register_buffer('slots', slots, persistent=False)
        self.fan_in = self.in_channels * max(target.numel() / self.num_nodes, 1)
        return target.numel()

    def _init_offsets(self, pos: Tensor | None, kernel_size: int) -> int:
        """Assigns each edge to the bins of its offset and returns the number of bins."""
        if pos is None or pos.dim() != 2 or len(pos) != self.num_nodes:
            found = None if pos is None else list(pos.shape)
            raise ValueError(f'pos must have shape [{self.num_nodes}, D] if shared, got {found}')
        source, target = self.edge_index
        kernel_size = check_odd('kernel_size', kernel_size)
        basis = _offset_basis(pos.double(), self.edge_index, kernel_size)
        num_bins = basis.size(1)
        edge, offset = basis.nonzero(as_tuple=True)
        bins = target[edge] * num_bins + offset
        total = basis.new_zeros(self.num_nodes * num_bins).index_add(0, bins, basis[edge, offset])
        basis = basis / total.view(-1, num_bins)[target].clamp(min=1e-12)
        basis = basis.to(torch.get_default_dtype())
        sorted_edges = sort_edges(
            torch.stack([source[edge], bins]),
            basis[edge, offset].unsqueeze(1),
            self.num_nodes * num_bins,
        )[0]
        self.register_buffer('edge_basis', basis, persistent=False)
        self.register_buffer('source', sorted_edges.source, persistent=False)
        self.register_buffer('first', sorted_edges.first, persistent=False)
        self.register_buffer('basis', sorted_edges.weight, persistent=False)
        self.fan_in = self.in_channels * max(int((total > 0).sum()) / self.num_nodes, 1)
        return num_bins

    def reset_parameters(self) -> None:
        r"""Resets all learnable parameters of the module.

        They are drawn uniformly, with a bound given by the mean number of inputs of a node.
        """
        uniform(self.fan_in, self.weight)
        uniform(self.fan_in, self.bias)

    @property
    def edge_weight(self) -> Tensor:
        r"""Weight matrix of each column of :obj:`edge_index`,
        :math:`(|\mathcal{E}|, F_{in}, F_{out})`.
        """
        if not self.shared:
            return self.weight
        return (self.edge_basis @ self.weight.flatten(1)).view(-1, *self.weight.shape[1:])

    def forward(self, x: Tensor) -> Tensor:
        """Returns the weighted sums over the neighbours of each node."""
        if x.size(-1) != self.in_channels:
            raise ValueError(f'x must have {self.in_channels} channels, got {x.size(-1)}')
        graphs = split_graphs(
            x.reshape(x.size(0), math.prod(x.shape[1:-1]), self.in_channels), self.num_nodes
        )
        if self.shared:
            out = self._sum_by_offset(graphs)
        elif self.has_many_free_slots:
            out = self._sum_by_edge(graphs)
        else:
            out = self._sum_by_node(graphs)
        out = out.reshape(*x.shape[:-1], self.out_channels)
        return out if self.bias is None else out + self.bias.to(out.dtype)

    def _sum_by_offset(self, graphs: Tensor) -> Tensor:
        """Maps [B, N, T, C] to [B, N, T, F] by one product with the features of all bins."""
        num_graphs, num_nodes, num_frames, num_channels = graphs.shape
        columns = graphs.transpose(0, 1).flatten(1)
        bins = accumulate(columns, SortedEdges(self.source, self.first, self.basis))
        bins = bins.view(num_nodes, len(self.weight), num_graphs * num_frames, num_channels)
        out = bins.transpose(1, 2).flatten(2) @ self.weight.flatten(0, 1)
        out = out.view(num_nodes, num_graphs, num_frames, self.out_channels)
        return out.transpose(0, 1)

    def _sum_by_edge(self, graphs: Tensor) -> Tensor:
        """Maps [B, N, T, C] to [B, N, T, F] by one product per edge, without free slots."""
        num_graphs, num_nodes, num_frames, channels = graphs.shape
        source, target = self.edge_index
        rows = graphs.transpose(0, 1).index_select(0, source).view(len(source), -1, channels)
        sent = torch.bmm(rows, self.weight.to(rows.dtype)).flatten(1)
        out = sent.new_zeros(num_nodes, sent.size(1)).index_add(0, target, sent)
        return out.view(num_nodes, num_graphs, num_frames, self.out_channels).transpose(0, 1)

    def _sum_by_node(self, graphs: Tensor) -> Tensor:
        """Maps [B, N, T, C] to [B, N, T, F] by one product per node, of the features of all its
        neighbours with all of their weights.
        """
        num_graphs, num_nodes, num_frames, _ = graphs.shape
        # The features of a neighbour are adjacent, so that gathering them moves whole rows.
        rows = graphs.permute(1, 3, 0, 2).reshape(num_nodes, -1)
        if self.has_free_slots:
            rows = torch.nn.functional.pad(rows, (0, 0, 0, 1))
        gathered = rows.index_select(0, self.neighbors).view(
            num_nodes, self.max_degree * self.in_channels, num_graphs * num_frames
        )
        out = torch.bmm(self._weight_of_slots().mT, gathered)
        return out.view(num_nodes, self.out_channels, num_graphs, num_frames).permute(2, 0, 3, 1)

    @property
    def has_free_slots(self) -> bool:
        r"""Whether some nodes have fewer neighbours than others."""
        return self.slots.numel() < self.neighbors.numel()

    @property
    def has_many_free_slots(self) -> bool:
        r"""Whether products with the features of free slots take more time than one product per
        edge.
        """
        return self.neighbors.numel() > MAX_FILL * self.slots.numel()

    def _weight_of_slots(self) -> Tensor:
        """Returns the weights of the slots of each node, [N, D * C, F]."""
        weight: Tensor = self.weight
        if self.has_free_slots:
            slots = weight.new_zeros(self.neighbors.numel(), *weight.shape[1:])
            weight = slots.index_copy(0, self.slots, weight)
        size = (self.num_nodes, self.max_degree * self.in_channels, self.out_channels)
        return weight.reshape(size)

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.in_channels}, {self.out_channels}, '
            f'num_nodes={self.num_nodes}, num_edges={self.edge_index.size(1)}, '
            f'shared={self.shared})'
        )


def _offset_basis(pos: Tensor, edge_index: Tensor, kernel_size: int) -> Tensor:
    """Products of linear B-splines of the offset of each edge: [E, kernel_size ** D]."""
    offset = pos[edge_index[0]] - pos[edge_index[1]]
    length = offset.abs().amax(dim=1)
    length = length[length > 0]
    spacing = length.median() if length.numel() else 1.0
    reach = (kernel_size - 1) / 2
    place = (offset / spacing).clamp(-reach, reach) + reach  # [E, D]
    knots = torch.arange(kernel_size, device=pos.device)
    splines = (1 - (place.unsqueeze(2) - knots).abs()).clamp(min=0)  # [E, D, Q]
    axes = splines.unbind(dim=1)
    return reduce(lambda a, b: (a.unsqueeze(2) * b.unsqueeze(1)).flatten(1), axes)
