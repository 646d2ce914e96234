"""Exchange of features between parallel branches."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import torch
from torch import Tensor

from graphmotion.checks import check_choice
from graphmotion.nn.graphs import check_same_shape
from graphmotion.nn.linear import Linear
from graphmotion.nn.resettable import ResettableModule

MODES = ('sum', 'attention')


class BranchFusion(ResettableModule):
    r"""Exchanges features between parallel branches, such as temporal convolutions with different
    kernel sizes, after "Multi-View Gait Recognition with Joint Local Multi-Scale and Global
    Contextual Spatio-Temporal Features".

    The result is **one tensor per branch**. :class:`ScaleFusion` returns a single tensor.

    :obj:`"sum"` adds each branch to all later branches and has no parameters:

    .. math::
        \mathbf{X}^{\prime}_i = \sum_{j \le i} \mathbf{X}_j

    :obj:`"attention"` weighs the branches of each node and frame by their agreement with a linear
    map of all branches:

    .. math::
        \mathbf{m} = \mathbf{W} (\mathbf{x}_1 \, \Vert \, \dots \, \Vert \, \mathbf{x}_n) +
        \mathbf{b}, \quad
        a_i = \mathrm{softmax}_i(\mathbf{m}^{\top} \mathbf{x}_i), \quad
        \mathbf{x}^{\prime}_i = a_i \, \mathbf{x}_i + \mathbf{x}_i

    .. code-block:: python

        fusion = BranchFusion(16, num_branches=3)
        xs = fusion([torch.randn(16, 30, 16) for _ in range(3)])  # sums of the branches so far

    Args:
        channels (int): Size of each feature :math:`C`.
        num_branches (int): Number of branches :math:`n`.
        mode (str, optional): :obj:`"sum"` or :obj:`"attention"`. (default: :obj:`"sum"`)
        reverse (bool, optional): If set to :obj:`True`, sums start at the last branch.
            (default: :obj:`False`)

    Shapes:
        - **xs:** :math:`n` tensors of node features :math:`(|\mathcal{V}|, T, C)`
        - **output:** list of :math:`n` tensors of node features :math:`(|\mathcal{V}|, T, C)`

    Raises:
        ValueError: If there are not :obj:`num_branches` tensors of the same shape.
    """

    def __init__(
        self, channels: int, num_branches: int, mode: str = 'sum', reverse: bool = False
    ) -> None:
        super().__init__()
        check_choice('mode', mode, MODES)
        if reverse and mode != 'sum':
            raise ValueError(f"reverse requires mode='sum', got {mode!r}")
        self.channels = channels
        self.num_branches = num_branches
        self.mode = mode
        self.reverse = reverse
        self.lin = Linear(channels * num_branches, channels) if mode == 'attention' else None

    def attention(self, xs: Sequence[Tensor]) -> Tensor:
        r"""Returns the weight of each branch, node and frame: :math:`(n, |\mathcal{V}|, T, 1)`."""
        if self.lin is None:
            raise ValueError(f"attention requires mode='attention', got {self.mode!r}")
        fused = self.lin(torch.cat(list(xs), dim=-1)).to(xs[0].dtype)
        scores = torch.stack([torch.linalg.vecdot(fused, x) for x in xs])
        return scores.softmax(dim=0).to(xs[0].dtype).unsqueeze(-1)

    def forward(self, xs: Sequence[Tensor]) -> list[Tensor]:
        """Fuses the branches ``xs``."""
        check_same_shape(xs, self.num_branches)
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
