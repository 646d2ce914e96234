"""Graph convolution over the joints of each frame."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import Parameter
from torch_geometric.nn.inits import uniform

from graphmotion.nn.conv.aggregate_partitions import aggregate_nodes, can_aggregate
from graphmotion.nn.graphs import (
    Adjacency,
    SortedEdges,
    accumulate,
    check_channels,
    sort_edges,
    split_graphs,
)
from graphmotion.nn.linear import linear


class SpatialConv(torch.nn.Module):
    r"""The partitioned spatial graph convolution from the `"Spatial Temporal Graph Convolutional
    Networks for Skeleton-Based Action Recognition" <https://arxiv.org/abs/1801.07455>`_ paper,
    with an optional learned residual adjacency as in the `"Two-Stream Adaptive Graph Convolutional
    Networks for Skeleton-Based Action Recognition" <https://arxiv.org/abs/1805.07694>`_ paper.

    .. math::
        \mathbf{X}^{\prime}_t = \sum_{k=1}^{K} \left(\mathbf{A}_k \odot \mathbf{M}_k +
        \mathbf{B}_k \right) \left( \mathbf{X}_t \mathbf{\Theta}_k + \mathbf{b}_k \right)

    where :math:`\mathbf{M}_k` is a learned edge importance and :math:`\mathbf{B}_k` a learned
    residual adjacency, both optional. Row :math:`i` of :math:`\mathbf{A}_k` holds the weights of
    the edges to node :math:`i`.

    A dense and a sparse adjacency give the same result. A sparse adjacency supports batches with
    different topologies but no second derivatives. If all graphs have the same topology, a dense
    adjacency is faster up to 64 nodes, and a sparse one is faster in larger graphs if fewer than
    about 5% of all pairs of nodes are connected: on one CPU thread, forward and backward with 16
    frames and 32 channels, with up to 4 neighbours per node in 128 nodes, 12 in 256, 25 in 512 and
    81 in 1,024. The sparse equivalent of
    :meth:`~graphmotion.skeletons.Skeleton.adjacency` is
    :meth:`~graphmotion.skeletons.Skeleton.edges`. The bones alone,
    :obj:`(skeleton.edge_index, None)`, sum over neighbours without self-loops or normalisation.
    Since rows are sources in PyG's :func:`dense_to_sparse`, :obj:`dense_to_sparse(adj.t())` is the
    equivalent of :obj:`adj`.

    .. code-block:: python

        coco, ntu = get_skeleton('coco17'), get_skeleton('ntu25')
        batch = collate([
            from_array(torch.rand(60, 17, 3), coco, edges=coco.edges('spatial')),
            from_array(torch.rand(60, 25, 3), ntu, edges=ntu.edges('spatial')),
        ])
        conv = SpatialConv(3, 16, num_partitions=3)
        out = conv(batch.pos, (batch.edge_index, batch.edge_weight))

    Args:
        in_channels (int): Size of each input feature.
        out_channels (int): Size of each output feature.
        num_partitions (int, optional): Number of partitions :math:`K`. (default: :obj:`1`)
        num_nodes (int, optional): Number of nodes :math:`V` of every graph; required for
            :obj:`edge_importance` and :obj:`residual_adjacency`. (default: :obj:`None`)
        edge_importance (bool, optional): If set to :obj:`True`, learns :math:`\mathbf{M}`,
            initially one. (default: :obj:`False`)
        residual_adjacency (bool, optional): If set to :obj:`True`, learns :math:`\mathbf{B}`,
            initially zero. (default: :obj:`False`)
        bias (bool, optional): If set to :obj:`False`, no bias :math:`\mathbf{b}_k` is added.
            (default: :obj:`True`)

    Shapes:
        - **x:** node features :math:`(|\mathcal{V}|, T, F_{in})`, or
          :math:`(|\mathcal{V}|, F_{in})` for static graphs
        - **adj:** one of

          * an adjacency shared by all graphs, :math:`(V, V)`, or :math:`(K, V, V)` if :math:`K > 1`
          * an adjacency of each graph, :math:`(B, V, V)`, or :math:`(B, K, V, V)` if :math:`K > 1`
          * a tuple of edge indices :math:`(2, |\mathcal{E}|)` and edge weights
            :math:`(|\mathcal{E}|)`, or :math:`(|\mathcal{E}|, K)` if :math:`K > 1`; if
            :math:`K = 1`, the weights may be :obj:`None` for weights of one
        - **output:** node features :math:`(|\mathcal{V}|, T, F_{out})`

    Raises:
        ValueError: If the number of nodes is not a multiple of :math:`V`, or the adjacency does not
            have :math:`K` partitions.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        num_partitions: int = 1,
        num_nodes: int | None = None,
        edge_importance: bool = False,
        residual_adjacency: bool = False,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if (edge_importance or residual_adjacency) and num_nodes is None:
            raise ValueError('edge_importance and residual_adjacency require num_nodes')
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.num_partitions = num_partitions
        self.num_nodes = num_nodes
        self.weight = Parameter(torch.empty(num_partitions, in_channels, out_channels))
        self.bias = Parameter(torch.empty(num_partitions, out_channels)) if bias else None
        matrices = (num_partitions, num_nodes or 0, num_nodes or 0)
        self.edge_importance = Parameter(torch.empty(matrices)) if edge_importance else None
        self.residual_adjacency = Parameter(torch.empty(matrices)) if residual_adjacency else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        r"""Resets all learnable parameters of the module.

        The distribution is uniform with a bound given by the number of inputs, as in
        :class:`torch.nn.Linear`.
        """
        uniform(self.in_channels, self.weight)
        uniform(self.in_channels, self.bias)
        if self.edge_importance is not None:
            torch.nn.init.ones_(self.edge_importance)
        if self.residual_adjacency is not None:
            torch.nn.init.zeros_(self.residual_adjacency)

    def forward(self, x: Tensor, adj: Adjacency) -> Tensor:
        """Convolves ``x`` over ``adj``."""
        check_channels(x, self.in_channels)
        if self.edge_importance is not None or self.residual_adjacency is not None:
            split_graphs(x, self.num_nodes or 1)
        partitions = self._partitions(adj, x.size(0))
        parts: list[Tensor | SortedEdges]
        if isinstance(partitions, Tensor):
            if can_aggregate(x, partitions, self.weight):
                return self._aggregate(x, partitions)
            parts = list(partitions.unbind(-3))
        else:
            parts = list(partitions)
        shape = (*x.shape[:-1], self.out_channels)
        out: Tensor | None = None
        # Sum over neighbours where features have fewer channels, which is cheaper. Later products
        # are added to the result of the first one in place.
        if self.in_channels >= self.out_channels:
            inputs = x.reshape(-1, x.size(-1))
            for k, part in enumerate(parts):
                out = self._accumulate(self._linear(inputs, k).view(shape), part, k, out)
            assert out is not None
            return out.view(shape)
        for k, part in enumerate(parts):
            received = self._accumulate(x, part, k).view(-1, x.size(-1))
            if out is None:
                out = linear(received, self.weight[k].t())
            else:  # autocast does not apply to in-place operations
                out.addmm_(received.to(out.dtype), self.weight[k].to(out.dtype))
        assert out is not None
        out = out.view(shape)
        if self.bias is None:
            return out
        # The bias is part of the messages along the edges.
        ones = x.new_ones(x.size(0), 1)
        degree = [self._accumulate(ones, part, k).view(-1, 1) for k, part in enumerate(parts)]
        bias = torch.cat(degree, dim=1).to(self.bias.dtype) @ self.bias
        return out + bias.to(out.dtype).view(-1, *[1] * (x.dim() - 2), self.out_channels)

    def _linear(self, x: Tensor, k: int) -> Tensor:
        return linear(x, self.weight[k].t(), None if self.bias is None else self.bias[k])

    def _accumulate(
        self, x: Tensor, adj: Tensor | SortedEdges, k: int, out: Tensor | None = None
    ) -> Tensor:
        if isinstance(adj, Tensor):
            return accumulate(x, adj.to(x.dtype), out)
        out = accumulate(x, adj, out)
        if self.residual_adjacency is not None:  # dense, between all nodes
            out = accumulate(x, self.residual_adjacency[k].to(x.dtype), out)
        return out

    def _aggregate(self, x: Tensor, adj: Tensor) -> Tensor:
        if self.bias is None:
            bias = x.new_zeros(adj.size(-1), self.out_channels)
        else:  # part of the messages along the edges
            bias = adj.sum(dim=-1).t() @ self.bias
        return aggregate_nodes(x, adj, self.weight, bias)

    def _partitions(self, adj: Adjacency, size: int) -> Tensor | Sequence[SortedEdges]:
        """Returns the adjacency of the partitions with their edge importance."""
        num = self.num_partitions
        if isinstance(adj, Tensor):
            dense = adj.unsqueeze(-3) if num == 1 and adj.dim() in (2, 3) else adj
            if dense.dim() not in (3, 4) or dense.size(-3) != num:
                shapes = '[V, V] or [B, V, V]' if num == 1 else f'[{num}, V, V] or [B, {num}, V, V]'
                hint = '' if adj.is_floating_point() else '; edges are (edge_index, edge_weight)'
                raise ValueError(f'adj must have shape {shapes}, got {list(adj.shape)}{hint}')
            if self.num_nodes is not None and dense.size(-1) != self.num_nodes:
                raise ValueError(f'adj must have {self.num_nodes} nodes, got {dense.size(-1)}')
            if self.edge_importance is not None:
                dense = dense * self.edge_importance
            if self.residual_adjacency is not None:
                dense = dense + self.residual_adjacency
            return dense
        if not isinstance(adj, (tuple, list)):
            raise TypeError(
                f'adj must be a tensor, such as skeleton.adjacency("spatial"), or a tuple of '
                f'edge_index and edge_weight, got {type(adj).__name__}'
            )
        edge_index, weight = adj
        if weight is None:
            if num > 1:
                raise ValueError(f'edge_weight must have shape [num_edges, {num}], got None')
            weight = torch.ones(edge_index.size(1), num, device=edge_index.device)
        weight = weight.unsqueeze(-1) if weight.dim() == 1 else weight
        if weight.shape != (edge_index.size(1), num):
            raise ValueError(
                f'edge_weight must have shape [{edge_index.size(1)}, {num}], got '
                f'{list(adj[1].shape)}'  # type: ignore[union-attr]
            )
        if self.edge_importance is not None:
            source, target = edge_index % self.edge_importance.size(-1)
            weight = weight * self.edge_importance[:, target, source].t()
        return sort_edges(edge_index, weight, size)

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.in_channels}, {self.out_channels}, '
            f'num_partitions={self.num_partitions})'
        )
