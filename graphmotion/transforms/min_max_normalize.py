"""Positions in a fixed range."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.data import batch_index
from graphmotion.transforms.fields import (
    check_interval,
    per_graph,
    positions,
    set_pos,
    valid_mask,
)


class MinMaxNormalize(BaseTransform):
    r"""Maps the positions of each sequence to a fixed range, over all of its joints and frames.

    With :math:`l_d` and :math:`u_d` the least and the greatest coordinate on axis :math:`d`, and
    the range :math:`[a, b]`,

    .. math::
        p'_{i,t,d} = \frac{a + b}{2} + (b - a) \,
        \frac{p_{i,t,d} - (l_d + u_d) / 2}{u_d - l_d}.

    With :obj:`per_axis=False`, all axes are divided by the greatest :math:`u_d - l_d` of them,
    which keeps the shape of the body; the other axes are centred in the range. A coordinate that
    never changes lands in the middle. Padding and missing joints do not count, and missing joints
    stay at zero.

    Args:
        bounds (tuple, optional): The range. (default: :obj:`(-1.0, 1.0)`)
        per_axis (bool, optional): Whether each axis fills the range. (default: :obj:`True`)

    Raises:
        ValueError: If :obj:`bounds` is not an interval.
    """

    def __init__(self, bounds: Sequence[float] = (-1.0, 1.0), per_axis: bool = True) -> None:
        self.bounds = check_interval('bounds', bounds)
        self.per_axis = per_axis

    def forward(self, data: Data) -> Data:
        """Normalise a sample, or each in a batch."""
        pos = positions(data)
        ignored = ~valid_mask(data).unsqueeze(1)
        # Reductions over the last dimension are several times faster.
        rows, infinity = pos.transpose(1, 2).contiguous(), float('inf')
        low = per_graph(data, rows.masked_fill(ignored, infinity).amin(dim=2), 'min')
        high = per_graph(data, rows.masked_fill(ignored, -infinity).amax(dim=2), 'max')
        extent = high - low
        if not self.per_axis:
            extent = extent.amax(dim=-1, keepdim=True)
        a, b = self.bounds
        # Where nothing changes, or nothing counts, positions are only moved.
        scale = torch.where(extent > 0, (b - a) / extent, 0.0)
        middle = torch.where(low <= high, low + (high - low) / 2, 0.0)
        graph = batch_index(data)
        moved = pos - middle[graph].unsqueeze(1)
        moved.mul_(scale[graph].unsqueeze(1)).add_((a + b) / 2)
        return set_pos(data, moved)

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({self.bounds}, per_axis={self.per_axis})'
