"""Bodies of another size."""

from __future__ import annotations

from collections.abc import Sequence

from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.data import batch_index
from graphmotion.transforms.fields import check_interval, draw_between, positions


class RandomScaling(BaseTransform):
    r"""Multiplies the positions of each sequence by a random factor, the same in all frames.

    In contrast to :class:`torch_geometric.transforms.RandomScale`, which scales all graphs of a
    batch by one factor, each graph has its own.

    Args:
        scales (tuple, optional): Interval of the factor. (default: :obj:`(0.9, 1.1)`)
        per_axis (bool, optional): If set to :obj:`True`, each axis has a factor of its own.
            (default: :obj:`False`)
    """

    def __init__(self, scales: Sequence[float] = (0.9, 1.1), per_axis: bool = False) -> None:
        self.scales = check_interval('scales', scales)
        self.per_axis = per_axis

    def forward(self, data: Data) -> Data:
        """Scale a sample, or each in a batch."""
        pos = positions(data)
        factor = draw_between(data, pos, [self.scales] * (pos.size(2) if self.per_axis else 1))
        data.pos = pos * factor[batch_index(data)].unsqueeze(1).to(pos.dtype)
        return data

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({self.scales}, per_axis={self.per_axis})'
