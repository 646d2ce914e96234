"""Normalisation of positions to a fixed range."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.checks import check_interval
from graphmotion.config import Configurable
from graphmotion.data import batch_index
from graphmotion.transforms.fields import (
    get_pos,
    reduce_per_graph,
    set_pos,
    valid_mask,
)


class MinMaxNormalize(Configurable, BaseTransform):
    r"""Normalises the positions of each sequence to a fixed range.

    With the minimum :math:`l_d` and the maximum :math:`u_d` of coordinate :math:`d` over all
    joints and frames of the sequence, and the range :math:`[a, b]`,

    .. math::
        p'_{i,t,d} = \frac{a + b}{2} + (b - a) \,
        \frac{p_{i,t,d} - (l_d + u_d) / 2}{u_d - l_d}.

    With :obj:`per_axis=False`, all axes are divided by the maximum of :math:`u_d - l_d` over the
    axes, which keeps the proportions of the body; each axis is centred in the range. Constant
    coordinates are mapped to the middle of the range. Padding and missing joints are ignored, and
    missing joints stay at zero.

    .. code-block:: python

        data = MinMaxNormalize()(SyntheticGait(num_subjects=1, num_takes=1)[0])
        print(data.pos.min(), data.pos.max())  # -1 and 1

    Args:
        bounds (tuple, optional): Range :math:`[a, b]`. (default: :obj:`(-1.0, 1.0)`)
        per_axis (bool, optional): If :obj:`True`, each axis fills the range.
            (default: :obj:`True`)

    Raises:
        ValueError: If :obj:`bounds` is not an interval.
    """

    def __init__(self, bounds: Sequence[float] = (-1.0, 1.0), per_axis: bool = True) -> None:
        self.bounds = check_interval('bounds', bounds)
        self.per_axis = per_axis

    def forward(self, data: Data) -> Data:
        """Normalises a sample or each sample in a batch."""
        pos = get_pos(data)
        ignored = ~valid_mask(data).unsqueeze(1)
        # Reductions over the last dimension are several times faster than over the second.
        rows, infinity = pos.transpose(1, 2).contiguous(), float('inf')
        low = reduce_per_graph(data, rows.masked_fill(ignored, infinity).amin(dim=2), 'min')
        high = reduce_per_graph(data, rows.masked_fill(ignored, -infinity).amax(dim=2), 'max')
        extent = high - low
        if not self.per_axis:
            extent = extent.amax(dim=-1, keepdim=True)
        a, b = self.bounds
        # Constant coordinates are only translated, as are those of samples without valid joints.
        scale = torch.where(extent > 0, (b - a) / extent, 0.0)
        middle = torch.where(low <= high, low + (high - low) / 2, 0.0)
        graph = batch_index(data)
        out = pos - middle[graph].unsqueeze(1)
        out.mul_(scale[graph].unsqueeze(1)).add_((a + b) / 2)
        return set_pos(data, out)

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({self.bounds}, per_axis={self.per_axis})'
