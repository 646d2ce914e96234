"""Pooling of joints to parts."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from graphmotion.nn.graphs import split_graphs
from graphmotion.nn.pool.cluster_pooling import ClusterPooling


class PartPooling(ClusterPooling):
    r"""Pools the nodes of every graph to parts, as :meth:`Skeleton.assignment
    <graphmotion.skeletons.Skeleton.assignment>` groups them, and back.

    .. math::
        \mathbf{x}^{\prime}_p = \frac{1}{|\mathcal{G}_p|} \sum_{v \in \mathcal{G}_p} \mathbf{x}_v

    Un-pooling copies the value of a part to its members, so that pooling what was un-pooled
    changes nothing.

    :obj:`"concat"` sets the features of the :math:`S` members of a part side by side, in the order
    of their numbers, with zeros at the end of parts that have fewer members than the largest. A
    :class:`~torch.nn.Linear` behind it, the same for all parts, is the part branch of the `"Focal
    and Global Spatial-Temporal Transformer for Skeleton-based Action Recognition"
    <https://arxiv.org/abs/2210.02693>`_ paper. It cannot be un-pooled.

    Args:
        assignment (Tensor): Which node belongs to which part: zeros and ones, a single one in
            each column.
        reduce (str, optional): :obj:`"mean"`, :obj:`"max"` or :obj:`"concat"`.
            (default: :obj:`"mean"`)

    Shapes:
        - **assignment:** :math:`(P, V)`
        - **x:** node features :math:`(B \cdot V, T, C)`
        - **output:** part features :math:`(B \cdot P, T, C)`, of :obj:`"concat"`
          :math:`(B \cdot P, T, S \cdot C)` with :math:`S` in the attribute :obj:`part_size`

    Raises:
        ValueError: If the assignment is no partition without empty parts, or the number of nodes
            is not a multiple of V.
    """

    slot: Tensor

    reductions = ('mean', 'max', 'concat')

    def __init__(self, assignment: Tensor, reduce: str = 'mean') -> None:
        member = assignment != 0
        if assignment.dim() != 2 or not bool((assignment == member).all()):
            raise ValueError('assignment is a matrix [P, V] of zeros and ones')
        if not bool((member.sum(dim=0) == 1).all()) or not bool(member.any(dim=1).all()):
            raise ValueError('assignment gives every node one part, and every part a node')
        super().__init__(member.long().argmax(dim=0), reduce, len(member))
        self.part_size = int(self.size.max())
        place = self.order.argsort() - self.start[self.part_of]  # of each node in its part
        self.register_buffer('slot', place.unsqueeze(-1), persistent=False)

    @property
    def num_parts(self) -> int:
        """The number of parts P."""
        return self.num_clusters

    @property
    def part_of(self) -> Tensor:
        """The part of each node [V]."""
        return self.cluster

    def forward(self, x: Tensor) -> Tensor:
        """Pool the nodes of ``x`` to parts."""
        if self.reduce != 'concat':
            return super().forward(x)
        num_graphs = split_graphs(x, self.num_nodes).size(0)
        rows = x.reshape(x.size(0), math.prod(x.shape[1:-1]), x.size(-1))
        # Each row to its place among zeros: its gradient is a gather, with no sums.
        part = self.part_of + self.num_parts * torch.arange(num_graphs, device=x.device).view(-1, 1)
        frame = torch.arange(rows.size(1), device=x.device)
        place = (part.unsqueeze(-1) * rows.size(1) + frame) * self.part_size + self.slot
        num_rows = num_graphs * self.num_parts * rows.size(1) * self.part_size
        out = x.new_zeros(num_rows, x.size(-1))
        out = out.index_copy_(0, place.flatten(), rows.flatten(0, 1))
        return out.view(-1, *x.shape[1:-1], self.part_size * x.size(-1))

    def unpool(self, x: Tensor) -> Tensor:
        r"""Copy the features of parts :math:`(B \cdot P, T, C)` to their members
        :math:`(B \cdot V, T, C)`.
        """
        if self.reduce == 'concat':
            raise ValueError(
                'features of members side by side cannot be un-pooled: use PartPooling(assignment) '
                'to copy the features of parts to their members'
            )
        return super().unpool(x)
