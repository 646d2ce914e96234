"""Convolution with weights for each edge of one graph."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import Parameter
from torch_geometric.nn.inits import uniform
from torch_geometric.utils import remove_self_loops

from graphmotion.nn.graphs import split_graphs


class LocallyConnectedConv(torch.nn.Module):
    r"""The spatial construction from the `"Spectral Networks and Deep Locally Connected Networks
    on Graphs" <https://arxiv.org/abs/1312.6203>`_ paper: each edge of one fixed graph has a weight
    matrix of its own, shared with no other.

    .. math::
        \mathbf{x}^{\prime}_v = \sum_{u \in \mathcal{N}(v) \cup \{ v \}} \mathbf{x}_u \,
        \mathbf{\Theta}_{uv} + \mathbf{b}

    With :obj:`shared` the edges of equal rank share their weights, :math:`\mathbf{\Theta}_{uv} =
    \mathbf{\Theta}_{r(u, v)}` with :math:`r(u, v)` the position of :math:`u` among the neighbours
    of :math:`v`: the self-loop first, then in the order of :obj:`edge_index`, for instance nearest
    first. That leaves as many matrices as the largest neighbourhood has members, for large graphs.

    Args:
        in_channels (int): Size of each input feature.
        out_channels (int): Size of each output feature.
        edge_index (Tensor): The edges :math:`(2, |\mathcal{E}|)` of the graph, from source to
            target.
        num_nodes (int): Number of nodes :math:`N` of the graph.
        add_self_loops (bool, optional): If set to :obj:`False`, nodes do not see themselves,
            unless :obj:`edge_index` says so. (default: :obj:`True`)
        shared (bool, optional): If set to :obj:`True`, edges of equal rank share their weights.
            (default: :obj:`False`)
        bias (bool, optional): If set to :obj:`False`, there is no :math:`\mathbf{b}`.
            (default: :obj:`True`)

    Shapes:
        - **x:** node features :math:`(B \cdot N, F_{in})` or :math:`(B \cdot N, T, F_{in})`
        - **weight:** :math:`(|\mathcal{E}|, F_{in}, F_{out})`, of the edges in the columns of
          :obj:`conv.edge_index`: by target, self-loops included; or :math:`(D, F_{in}, F_{out})`
          with :math:`D` the largest number of neighbours if shared
        - **output:** node features :math:`(B \cdot N, F_{out})` or :math:`(B \cdot N, T, F_{out})`

    Raises:
        ValueError: If the edges are not those of a graph of that many nodes, or the number of
            nodes of :obj:`x` is not a multiple of :obj:`num_nodes`.
    """

    edge_index: Tensor
    neighbors: Tensor
    slots: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        edge_index: Tensor,
        num_nodes: int,
        add_self_loops: bool = True,
        shared: bool = False,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if edge_index.dim() != 2 or edge_index.size(0) != 2:
            raise ValueError(
                f'edge_index has the shape {list(edge_index.shape)}, expected [2, num_edges]'
            )
        if (
            edge_index.numel()
            and not 0 <= int(edge_index.min()) <= int(edge_index.max()) < num_nodes
        ):
            raise ValueError(
                f'edge_index names the nodes {int(edge_index.min())} to {int(edge_index.max())}, '
                f'expected 0 to {num_nodes - 1}'
            )
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.num_nodes = num_nodes
        self.shared = shared
        if add_self_loops:
            loops = torch.arange(num_nodes, device=edge_index.device).expand(2, -1)
            edge_index = torch.cat([loops, remove_self_loops(edge_index)[0]], dim=1)
        edge_index = edge_index[:, edge_index[1].argsort(stable=True)]
        source, target = edge_index
        # Nodes have as many slots as the largest neighbourhood; the free ones hold node N, which
        # is all zero.
        degree = torch.bincount(target, minlength=num_nodes)
        self.max_degree = int(degree.max())
        rank = (
            torch.arange(target.numel(), device=target.device) - (degree.cumsum(0) - degree)[target]
        )
        slots = target * self.max_degree + rank
        neighbors = source.new_full((num_nodes * self.max_degree,), num_nodes)
        neighbors[slots] = source
        self.register_buffer('edge_index', edge_index, persistent=False)
        self.register_buffer('neighbors', neighbors, persistent=False)
        self.register_buffer('slots', slots, persistent=False)
        num_weights = self.max_degree if shared else target.numel()
        self.weight = Parameter(torch.empty(num_weights, in_channels, out_channels))
        self.bias = Parameter(torch.empty(out_channels)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        r"""Resets all learnable parameters of the module.

        They are drawn uniformly, by the mean number of inputs of a node.
        """
        inputs = self.in_channels * self.slots.numel() / self.num_nodes
        uniform(max(inputs, 1), self.weight)
        uniform(max(inputs, 1), self.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Sum what the neighbours of each node send."""
        if x.size(-1) != self.in_channels:
            raise ValueError(f'x has {x.size(-1)} channels, expected {self.in_channels}')
        graphs = split_graphs(
            x.reshape(x.size(0), math.prod(x.shape[1:-1]), self.in_channels), self.num_nodes
        )
        num_graphs, num_nodes, num_frames, _ = graphs.shape
        # One product for each node, of all that its neighbours hold with all of their weights. The
        # features of a neighbour stay together, so that gathering them moves whole rows.
        rows = graphs.permute(1, 3, 0, 2).reshape(num_nodes, -1)
        if self.has_free_slots:
            rows = torch.nn.functional.pad(rows, (0, 0, 0, 1))
        gathered = rows.index_select(0, self.neighbors).view(
            num_nodes, self.max_degree * self.in_channels, num_graphs * num_frames
        )
        out = torch.bmm(self._weight_of_nodes().mT, gathered)
        out = out.view(num_nodes, self.out_channels, num_graphs, num_frames).permute(2, 0, 3, 1)
        out = out.reshape(*x.shape[:-1], self.out_channels)
        return out if self.bias is None else out + self.bias.to(out.dtype)

    @property
    def has_free_slots(self) -> bool:
        r"""Whether some nodes have fewer neighbours than others."""
        return self.slots.numel() < self.neighbors.numel()

    def _weight_of_nodes(self) -> Tensor:
        """The weights of each node's slots: [N, D * C, F]."""
        if self.shared:
            return self.weight.flatten(0, 1).expand(self.num_nodes, -1, -1)
        weight: Tensor = self.weight
        if self.has_free_slots:
            slots = weight.new_zeros(self.neighbors.numel(), *weight.shape[1:])
            weight = slots.index_copy(0, self.slots, weight)
        size = (self.num_nodes, self.max_degree * self.in_channels, self.out_channels)
        return weight.reshape(size)

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.in_channels}, {self.out_channels}, '
            f'num_nodes={self.num_nodes}, num_edges={self.slots.numel()}, shared={self.shared})'
        )
