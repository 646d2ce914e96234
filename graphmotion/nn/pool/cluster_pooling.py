"""Pooling of nodes to fixed clusters."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch_geometric.utils import scatter

from graphmotion.checks import check_choice
from graphmotion.nn.graphs import split_graphs


class ClusterPooling(torch.nn.Module):
    r"""Pools the nodes of every graph to fixed clusters, which are the same in all graphs.

    This is one level of a coarsening hierarchy, as in the `"Convolutional Neural Networks on Graphs
    with Fast Localized Spectral Filtering" <https://arxiv.org/abs/1606.09375>`_ paper:

    .. math::
        \mathbf{x}^{\prime}_m = \frac{1}{|\mathcal{C}_m|} \sum_{v \in \mathcal{C}_m} \mathbf{x}_v
        \qquad \textrm{or} \qquad
        \mathbf{x}^{\prime}_m = \max_{v \in \mathcal{C}_m} \mathbf{x}_v

    Unpooling copies the features of a cluster to its members, so that pooling reverts unpooling.
    Members that share the maximum share its gradient equally.

    .. code-block:: python

        pool = ClusterPooling(torch.tensor([0, 0, 1, 1]))
        print(pool(torch.randn(8, 5)).shape)  # two graphs of 4 nodes: [4, 5]

    Args:
        cluster (Tensor): Cluster of each node, from zero.
        reduce (str, optional): :obj:`"mean"` or :obj:`"max"`. (default: :obj:`"mean"`)
        num_clusters (int, optional): Number of clusters :math:`M`; the maximum of :obj:`cluster`
            plus one if not given. (default: :obj:`None`)

    Shapes:
        - **cluster:** :math:`(N)`
        - **x:** node features :math:`(B \cdot N, T, C)` or :math:`(B \cdot N, C)`
        - **output:** cluster features :math:`(B \cdot M, T, C)` or :math:`(B \cdot M, C)`

    Raises:
        ValueError: If a cluster is empty, or the number of nodes is not a multiple of :math:`N`.
    """

    cluster: Tensor
    order: Tensor
    start: Tensor
    size: Tensor

    reductions: tuple[str, ...] = ('mean', 'max')

    def __init__(
        self, cluster: Tensor, reduce: str = 'mean', num_clusters: int | None = None
    ) -> None:
        super().__init__()
        check_choice('reduce', reduce, self.reductions)
        is_integer = not (cluster.is_floating_point() or cluster.is_complex())
        if cluster.dim() != 1 or not len(cluster) or not is_integer:
            raise ValueError(
                f'cluster must be a non-empty vector [N] of integers, got {cluster.dtype} of shape '
                f'{list(cluster.shape)}'
            )
        cluster = cluster.long().clone()  # later changes of the argument have no effect
        first, last = int(cluster.min()), int(cluster.max())
        self.num_nodes = len(cluster)
        self.num_clusters = last + 1 if num_clusters is None else num_clusters
        if first < 0 or last >= self.num_clusters:
            raise ValueError(
                f'cluster must be in 0..{self.num_clusters - 1}, got values from {first} to {last}'
            )
        size = cluster.bincount(minlength=self.num_clusters)
        empty = (size == 0).nonzero().flatten().tolist()
        if empty:
            raise ValueError(
                f'every cluster must have a node, got none in {len(empty)} of {self.num_clusters} '
                f'clusters: {empty[:5]}'
            )
        self.reduce = reduce
        # The members of cluster m are order[start[m] : start[m] + size[m]].
        self.register_buffer('cluster', cluster, persistent=False)
        self.register_buffer('order', cluster.argsort(stable=True), persistent=False)
        self.register_buffer('start', size.cumsum(0) - size, persistent=False)
        self.register_buffer('size', size, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Pools the nodes of ``x`` to clusters."""
        num_graphs = split_graphs(x, self.num_nodes).size(0)
        rows = x.reshape(x.size(0), math.prod(x.shape[1:]))
        reduce, function = (_mean, _Mean) if self.reduce == 'mean' else (_max, _Max)
        if torch.is_grad_enabled() and x.requires_grad:
            reduce = function.apply
        out = reduce(rows, num_graphs, self.cluster, self.order, self.start, self.size)
        return out.view(-1, *x.shape[1:])

    def unpool(self, x: Tensor) -> Tensor:
        r"""Copies the features of clusters :math:`(B \cdot M, T, C)` to their members
        :math:`(B \cdot N, T, C)`.
        """
        graphs = split_graphs(x, self.num_clusters)
        return graphs.index_select(1, self.cluster).view(-1, *x.shape[1:])

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({self.num_nodes} -> {self.num_clusters}, {self.reduce})'


# The gradients of these reductions in PyTorch sort indices or scatter single numbers. The functions
# below gather rows instead, which makes forward and backward about twice as fast.


def _repeat_index(index: Tensor, num_graphs: int, step: int) -> Tensor:
    """Repeats an index into the rows of one graph for all graphs, ``step`` rows apart."""
    first = torch.arange(0, num_graphs * step, step, device=index.device)
    return (index + first.unsqueeze(1)).flatten()


def _sum(rows: Tensor, num_graphs: int, order: Tensor, start: Tensor) -> Tensor:
    order, start = (_repeat_index(index, num_graphs, len(order)) for index in (order, start))
    return torch.nn.functional.embedding_bag(order, rows, start, mode='sum')


def _mean(
    rows: Tensor, num_graphs: int, cluster: Tensor, order: Tensor, start: Tensor, size: Tensor
) -> Tensor:
    if torch.compiler.is_compiling():  # ONNX would loop over the bags of embedding_bag
        index = _repeat_index(cluster, num_graphs, len(size))
        total = scatter(rows, index, dim=0, dim_size=num_graphs * len(size), reduce='sum')
    else:
        total = _sum(rows, num_graphs, order, start)
    return total.div_(size.repeat(num_graphs).unsqueeze(1))


def _max(
    rows: Tensor, num_graphs: int, cluster: Tensor, order: Tensor, start: Tensor, size: Tensor
) -> Tensor:
    index = _repeat_index(cluster, num_graphs, len(size))
    return scatter(rows, index, dim=0, dim_size=num_graphs * len(size), reduce='max')


class _Mean(torch.autograd.Function):
    """Mean of the rows of each cluster."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, num_graphs: int, *clusters: Tensor) -> Tensor:
        ctx.num_graphs = num_graphs
        ctx.save_for_backward(*clusters)
        return _mean(rows.detach(), num_graphs, *clusters)

    @staticmethod
    def backward(ctx: Any, *grad: Tensor) -> tuple[Tensor | None, ...]:
        cluster, _, _, size = ctx.saved_tensors
        index = _repeat_index(cluster, ctx.num_graphs, len(size))
        share = grad[0] / size.repeat(ctx.num_graphs).unsqueeze(1)
        return share.index_select(0, index), None, None, None, None, None


class _Max(torch.autograd.Function):
    """Maximum of the rows of each cluster."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, num_graphs: int, *clusters: Tensor) -> Tensor:
        out = _max(rows.detach(), num_graphs, *clusters)
        ctx.num_graphs = num_graphs
        ctx.save_for_backward(rows, out, *clusters)
        return out

    @staticmethod
    def backward(ctx: Any, *grad: Tensor) -> tuple[Tensor | None, ...]:
        rows, out, cluster, order, start, size = ctx.saved_tensors
        index = _repeat_index(cluster, ctx.num_graphs, len(size))
        largest = rows.detach() == out.detach().index_select(0, index)
        number = _sum(largest.to(grad[0].dtype), ctx.num_graphs, order, start)
        share = (grad[0] / number).index_select(0, index)
        return torch.where(largest, share, 0), None, None, None, None, None
