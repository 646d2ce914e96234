"""Fusion of branches that stay apart."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import torch
from torch import Tensor
from torch.nn import Linear

from graphmotion.checks import check_choice
from graphmotion.nn.resettable import ResettableModule

MODES = ('sum', 'attention')


class BranchFusion(ResettableModule):
    r"""Lets parallel branches, such as temporal convolutions of several lengths, take from one
    another, after "Multi-View Gait Recognition with Joint Local Multi-Scale and Global Contextual
    Spatio-Temporal Features". It returns **one tensor for each branch**, not a single one: add
    them, stack them or go on with each. :class:`ScaleFusion` makes one tensor of several.

    :obj:`"sum"` hands each branch on to those after it, and has no parameters:

    .. math::
        \mathbf{X}^{\prime}_i = \sum_{j \le i} \mathbf{X}_j

    :obj:`"attention"` weighs the branches, in each node and frame, by how well they agree with a
    map of them all:

    .. math::
        \mathbf{m} = \mathbf{W} (\mathbf{x}_1 \, \Vert \, \dots \, \Vert \, \mathbf{x}_n) +
        \mathbf{b}, \quad
        a_i = \mathrm{softmax}_i(\mathbf{m}^{\top} \mathbf{x}_i), \quad
        \mathbf{x}^{\prime}_i = a_i \, \mathbf{x}_i + \mathbf{x}_i

    Args:
        channels (int): Size of each feature :math:`C`.
        num_branches (int): Number of branches :math:`n`.
        mode (str, optional): :obj:`"sum"` or :obj:`"attention"`. (default: :obj:`"sum"`)
        reverse (bool, optional): If set to :obj:`True`, sums run from the last branch to the
            first. (default: :obj:`False`)

    Shapes:
        - **xs:** :math:`n` tensors of node features :math:`(|\mathcal{V}|, T, C)`
        - **output:** list of :math:`n` tensors of node features :math:`(|\mathcal{V}|, T, C)`

    Raises:
        ValueError: If the number of tensors is not :obj:`num_branches`, or their shapes differ.
    """

    def __init__(
        self, channels: int, num_branches: int, mode: str = 'sum', reverse: bool = False
    ) -> None:
        super().__init__()
        check_choice('mode', mode, MODES)
        if reverse and mode != 'sum':
            raise ValueError("reverse is for mode 'sum': attention has no direction")
        self.channels = channels
        self.num_branches = num_branches
        self.mode = mode
        self.reverse = reverse
        self.lin = Linear(channels * num_branches, channels) if mode == 'attention' else None

    def attention(self, xs: Sequence[Tensor]) -> Tensor:
        r"""The weight of each branch in each node and frame: :math:`(n, |\mathcal{V}|, T, 1)`."""
        if self.lin is None:
            raise ValueError("there are weights of branches only with mode='attention'")
        fused = self.lin(torch.cat(list(xs), dim=-1)).to(xs[0].dtype)
        scores = torch.stack([torch.linalg.vecdot(fused, x) for x in xs])
        return scores.softmax(dim=0).to(xs[0].dtype).unsqueeze(-1)

    def forward(self, xs: Sequence[Tensor]) -> list[Tensor]:
        """Fuse the branches ``xs``."""
        shapes = [list(x.shape) for x in xs]
        if len(xs) != self.num_branches or any(shape != shapes[0] for shape in shapes):
            raise ValueError(f'expected {self.num_branches} branches of one shape, got {shapes}')
        if self.mode == 'attention':
            return [x * (1 + weight) for x, weight in zip(xs, self.attention(xs))]
        if self.reverse:
            return list(accumulate(reversed(xs)))[::-1]
        return list(accumulate(xs))

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.channels}, num_branches={self.num_branches}, '
            f'mode={self.mode!r}, reverse={self.reverse})'
        )
