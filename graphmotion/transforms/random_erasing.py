"""Silhouettes with a part that is not seen."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.transforms.fields import check_interval, check_probability, clips, draw_between


class RandomErasing(BaseTransform):
    r"""Clears a rectangle of silhouettes with a given probability, the same in all frames of a
    clip, from the `"Random Erasing Data Augmentation" <https://arxiv.org/abs/1708.04896>`_ paper.

    Area and ratio are drawn, the ratio on a scale of logarithms; the rectangle is cut to the size
    of the image and put anywhere within it.

    Args:
        area (tuple, optional): Interval of the area, as part of that of the image, within (0, 1].
            (default: :obj:`(0.02, 0.2)`)
        ratio (tuple, optional): Interval of height divided by width, above 0.
            (default: :obj:`(0.3, 3.3)`)
        p (float, optional): The probability. (default: :obj:`0.5`)

    Raises:
        ValueError: If an interval is not within these bounds.
    """

    def __init__(
        self,
        area: Sequence[float] = (0.02, 0.2),
        ratio: Sequence[float] = (0.3, 3.3),
        p: float = 0.5,
    ) -> None:
        self.area = check_interval('area', area)
        self.ratio = check_interval('ratio', ratio)
        if not 0 < self.area[0] <= self.area[1] <= 1 or self.ratio[0] <= 0:
            raise ValueError(
                f'area is within (0, 1] and ratio above 0, got area={area!r} and ratio={ratio!r}'
            )
        self.p = check_probability('p', p)

    def forward(self, data: Data) -> Data:
        """Clear a part of a sample, or of some of a batch."""
        silhouettes = clips(data)
        height, width = silhouettes.shape[-2:]
        low, high = map(math.log, self.ratio)
        drawn = draw_between(data, silhouettes, [(0, 1), self.area, (low, high), (0, 1), (0, 1)])
        chosen, area, ratio, y, x = drawn.split(1, dim=1)
        area, ratio = area * height * width, ratio.exp()
        rows = _run(y, (area * ratio).sqrt(), height)
        columns = _run(x, (area / ratio).sqrt(), width)
        inside = (rows & (chosen < self.p)).unsqueeze(2) & columns.unsqueeze(1)
        data.silhouettes = silhouettes.masked_fill(inside.unsqueeze(1), 0)
        return data

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({self.area}, ratio={self.ratio}, p={self.p})'


def _run(place: Tensor, length: Tensor, size: int) -> Tensor:
    """Where, of so many in a row, some are that lie anywhere within them: [B, 1] to [B, size]."""
    length = length.round().clamp(1, size)
    start = torch.minimum((place * (size - length + 1)).floor(), size - length)
    step = torch.arange(size, device=place.device)
    return (step >= start) & (step < start + length)
