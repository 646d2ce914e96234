"""Pooling of joints to body parts."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from graphmotion.nn.graphs import split_graphs
from graphmotion.nn.pool.cluster_pooling import ClusterPooling


class PartPooling(ClusterPooling):
    r"""Pools the nodes of every graph to parts, given by :meth:`Skeleton.assignment
    <graphmotion.skeletons.Skeleton.assignment>`.

    .. math::
        \mathbf{x}^{\prime}_p = \frac{1}{|\mathcal{G}_p|} \sum_{v \in \mathcal{G}_p} \mathbf{x}_v

    Unpooling copies the features of a part to its members, so that pooling reverts unpooling.

    :obj:`"concat"` concatenates the features of the members of a part in the order of the nodes,
    padded with zeros to the size :math:`S` of the largest part. Followed by a
    :class:`~torch.nn.Linear` that all parts share, it is the part branch of the `"Focal and Global
    Spatial-Temporal Transformer for Skeleton-based Action Recognition"
    <https://arxiv.org/abs/2210.02693>`_ paper. It has no unpooling.

    .. code-block:: python

        pool = PartPooling(torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]))
        print(pool(torch.randn(6, 30, 16)).shape)  # two parts of two graphs: [4, 30, 16]

    Args:
        assignment (Tensor): Matrix of zeros and ones with a single one in each column, the part of
            the node.
        reduce (str, optional): :obj:`"mean"`, :obj:`"max"` or :obj:`"concat"`.
            (default: :obj:`"mean"`)

    Shapes:
        - **assignment:** :math:`(P, V)`
        - **x:** node features :math:`(B \cdot V, T, C)`
        - **output:** part features :math:`(B \cdot P, T, C)`, or
          :math:`(B \cdot P, T, S \cdot C)` for :obj:`"concat"` with :math:`S` in the attribute
          :obj:`part_size`

    Raises:
        ValueError: If the assignment is not a partition into non-empty parts, or the number of
            nodes is not a multiple of :math:`V`.
    """

    slot: Tensor

    reductions = ('mean', 'max', 'concat')

    def __init__(self, assignment: Tensor, reduce: str = 'mean') -> None:
        if not isinstance(assignment, Tensor):
            raise TypeError(
                f'assignment must be a tensor, such as skeleton.assignment(1), got '
                f'{type(assignment).__name__}'
            )
        member = assignment != 0
        if assignment.dim() != 2 or not bool((assignment == member).all()):
            raise ValueError(
                f'assignment must be a matrix [P, V] of zeros and ones, got shape '
                f'{list(assignment.shape)} with values in {assignment.unique().tolist()[:5]}'
            )
        if not bool((member.sum(dim=0) == 1).all()):
            raise ValueError(
                f'assignment must have one part for each node, got {member.sum(dim=0).tolist()}'
            )
        if not bool(member.any(dim=1).all()):
            raise ValueError(
                f'assignment must have a node for each part, got {member.sum(dim=1).tolist()}'
            )
        super().__init__(member.long().argmax(dim=0), reduce, len(member))
        self.part_size = int(self.size.max())
        slot = self.order.argsort() - self.start[self.part_of]  # position of a node in its part
        self.register_buffer('slot', slot.unsqueeze(-1), persistent=False)

    @property
    def num_parts(self) -> int:
        """Number of parts P."""
        return self.num_clusters

    @property
    def part_of(self) -> Tensor:
        """Part of each node [V]."""
        return self.cluster

    def forward(self, x: Tensor) -> Tensor:
        """Pools the nodes of ``x`` to parts."""
        if self.reduce != 'concat':
            return super().forward(x)
        num_graphs = split_graphs(x, self.num_nodes).size(0)
        rows = x.reshape(x.size(0), math.prod(x.shape[1:-1]), x.size(-1))
        # Copies rows to their positions among zeros, since the gradient is a gather without sums.
        part = self.part_of + self.num_parts * torch.arange(num_graphs, device=x.device).view(-1, 1)
        frame = torch.arange(rows.size(1), device=x.device)
        place = (part.unsqueeze(-1) * rows.size(1) + frame) * self.part_size + self.slot
        num_rows = num_graphs * self.num_parts * rows.size(1) * self.part_size
        out = x.new_zeros(num_rows, x.size(-1))
        out = out.index_copy_(0, place.flatten(), rows.flatten(0, 1))
        return out.view(-1, *x.shape[1:-1], self.part_size * x.size(-1))

    def unpool(self, x: Tensor) -> Tensor:
        r"""Copies the features of parts :math:`(B \cdot P, T, C)` to their members
        :math:`(B \cdot V, T, C)`.
        """
        if self.reduce == 'concat':
            raise ValueError("reduce must be 'mean' or 'max' to unpool, got 'concat'")
        return super().unpool(x)
