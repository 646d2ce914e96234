"""Pooling of images to horizontal strips."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from graphmotion.checks import check_choice, check_int

REDUCTIONS = ('sum', 'concat')


class HorizontalPyramidPooling(torch.nn.Module):
    r"""Pools feature maps of people to horizontal strips, which become the nodes of a graph, as in
    the `"Horizontal Pyramid Matching for Person Re-identification"
    <https://arxiv.org/abs/1804.05275>`_ paper.

    .. math::
        \mathbf{x}_p = \mathrm{mean}_{(h, w) \in p} \, \mathbf{F}_{hw} + \max_{(h, w) \in p} \,
        \mathbf{F}_{hw}
        \qquad \textrm{or} \qquad
        \mathbf{x}_p = \mathrm{mean}_{(h, w) \in p} \, \mathbf{F}_{hw} \, \Vert \,
        \max_{(h, w) \in p} \, \mathbf{F}_{hw}

    Each level of the pyramid splits the map into strips of equal height, from top to bottom. The
    strips of all levels are concatenated; their number :math:`P` is the attribute
    :obj:`num_strips`.

    .. code-block:: python

        pool = HorizontalPyramidPooling(bins=(4,))
        print(pool(torch.randn(2, 16, 10, 32, 22)).shape)  # four strips of two clips: [8, 10, 16]

    Args:
        bins (sequence of int, optional): Number of strips of each level. (default: :obj:`(16,)`)
        reduce (str, optional): :obj:`"sum"` adds mean and maximum, :obj:`"concat"` concatenates
            them. (default: :obj:`"sum"`)

    Shapes:
        - **x:** feature maps :math:`(B, C, T, H, W)` or :math:`(B, C, H, W)`
        - **output:** strip features :math:`(B \cdot P, T, C)` or :math:`(B \cdot P, C)`, with
          :math:`2 C` channels for :obj:`"concat"`

    Raises:
        ValueError: If the height :math:`H` is not a multiple of the number of strips of a level.
    """

    def __init__(self, bins: Sequence[int] = (16,), reduce: str = 'sum') -> None:
        super().__init__()
        check_choice('reduce', reduce, REDUCTIONS)
        self.bins = tuple(check_int('bins', num, 1) for num in bins)
        if not self.bins:
            raise ValueError('bins must not be empty')
        self.num_strips = sum(self.bins)
        self.reduce = reduce

    def forward(self, x: Tensor) -> Tensor:
        """Pools the feature maps ``x`` to strips."""
        if x.dim() not in (4, 5):
            raise ValueError(
                f'x must have shape [B, C, T, H, W] or [B, C, H, W], got {list(x.shape)}'
            )
        height = x.size(-2)
        for num in self.bins:
            if height % num:
                raise ValueError(f'the height of x must be a multiple of {num}, got {height}')
        # The map is read once, in the finest strips, which are then combined for each level.
        strips = x.reshape(*x.shape[:-2], math.lcm(*self.bins), -1)
        mean, largest = strips.mean(dim=-1), strips.amax(dim=-1)
        means = [mean.unflatten(-1, (num, -1)).mean(dim=-1) for num in self.bins]
        maxima = [largest.unflatten(-1, (num, -1)).amax(dim=-1) for num in self.bins]
        mean, largest = torch.cat(means, dim=-1), torch.cat(maxima, dim=-1)
        out = mean + largest if self.reduce == 'sum' else torch.cat([mean, largest], dim=1)
        return out.movedim((1, -1), (-1, 1)).flatten(0, 1)

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}(bins={self.bins}, {self.reduce})'
