"""Random scaling of bodies."""

from __future__ import annotations

from collections.abc import Sequence

from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.checks import check_interval
from graphmotion.config import Configurable
from graphmotion.data import batch_index
from graphmotion.transforms.fields import get_pos, uniform_per_graph


class RandomScaling(Configurable, BaseTransform):
    r"""Multiplies the positions of each sequence by a random factor, the same in all frames.

    Each graph of a batch has its own factor, whereas
    :class:`torch_geometric.transforms.RandomScale` scales all graphs by the same factor.

    .. code-block:: python

        data = RandomScaling((0.8, 1.2))(SyntheticGait(num_subjects=1, num_takes=1)[0])

    Args:
        scales (tuple, optional): Interval of the factor. (default: :obj:`(0.9, 1.1)`)
        per_axis (bool, optional): If :obj:`True`, draws a factor for each axis.
            (default: :obj:`False`)

    Raises:
        ValueError: If :obj:`scales` is not an interval.
    """

    def __init__(self, scales: Sequence[float] = (0.9, 1.1), per_axis: bool = False) -> None:
        self.scales = check_interval('scales', scales)
        self.per_axis = per_axis

    def forward(self, data: Data) -> Data:
        """Scales a sample or each sample in a batch."""
        pos = get_pos(data)
        factor = uniform_per_graph(data, pos, [self.scales] * (pos.size(2) if self.per_axis else 1))
        data.pos = pos * factor[batch_index(data)].unsqueeze(1).to(pos.dtype)
        return data

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({self.scales}, per_axis={self.per_axis})'
