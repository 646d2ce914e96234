"""Pooling of joints to parts."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.utils import segment

from graphmotion.nn.graphs import split_graphs

REDUCTIONS = ('mean', 'max')


class PartPooling(torch.nn.Module):
    r"""Pools the nodes of every graph to parts, as :meth:`Skeleton.assignment
    <graphmotion.skeletons.Skeleton.assignment>` groups them, and back.

    .. math::
        \mathbf{x}^{\prime}_p = \frac{1}{|\mathcal{G}_p|} \sum_{v \in \mathcal{G}_p} \mathbf{x}_v

    Un-pooling copies the value of a part to its members, so that pooling what was un-pooled
    changes nothing.

    Args:
        assignment (Tensor): Which node belongs to which part: zeros and ones, a single one in
            each column.
        reduce (str, optional): :obj:`"mean"` or :obj:`"max"`. (default: :obj:`"mean"`)

    Shapes:
        - **assignment:** :math:`(P, V)`
        - **x:** node features :math:`(B \cdot V, T, C)`
        - **output:** part features :math:`(B \cdot P, T, C)`

    Raises:
        ValueError: If the assignment is no partition without empty parts, or the number of nodes
            is not a multiple of V.
    """

    assignment: Tensor
    part_of: Tensor
    order: Tensor
    ptr: Tensor

    def __init__(self, assignment: Tensor, reduce: str = 'mean') -> None:
        super().__init__()
        if reduce not in REDUCTIONS:
            raise ValueError(f'reduce is one of {list(REDUCTIONS)}, got {reduce!r}')
        member = assignment != 0
        if assignment.dim() != 2 or not bool((assignment == member).all()):
            raise ValueError('assignment is a matrix [P, V] of zeros and ones')
        if not bool((member.sum(dim=0) == 1).all()) or not bool(member.any(dim=1).all()):
            raise ValueError('assignment gives every node one part, and every part a node')
        self.num_parts, self.num_nodes = assignment.shape
        self.reduce = reduce
        part_of = member.long().argmax(dim=0)
        sizes = member.sum(dim=1)
        self.register_buffer('assignment', assignment.float(), persistent=False)
        self.register_buffer('part_of', part_of, persistent=False)
        self.register_buffer('order', part_of.argsort(stable=True), persistent=False)
        ptr = torch.cat([sizes.new_zeros(1), sizes.cumsum(0)])
        self.register_buffer('ptr', ptr, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Pool the nodes of ``x`` to parts."""
        graphs = split_graphs(x, self.num_nodes)
        if self.reduce == 'mean':
            weight = self.assignment.to(x.dtype)  # before the division, for its precision
            out = (weight / weight.sum(dim=1, keepdim=True)) @ graphs.flatten(2)
        else:
            members = graphs.flatten(2).transpose(0, 1).index_select(0, self.order)
            out = segment(members.contiguous(), self.ptr, self.reduce).transpose(0, 1)
        return out.reshape(-1, *x.shape[1:])

    def unpool(self, x: Tensor) -> Tensor:
        r"""Copy the features of parts :math:`(B \cdot P, T, C)` to their members
        :math:`(B \cdot V, T, C)`.
        """
        graphs = split_graphs(x, self.num_parts)
        return graphs.index_select(1, self.part_of).view(-1, *x.shape[1:])

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({self.num_nodes} -> {self.num_parts}, {self.reduce})'
