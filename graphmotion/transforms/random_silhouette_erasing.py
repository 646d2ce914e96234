"""Random erasing of rectangles in silhouettes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.checks import check_interval, check_probability
from graphmotion.config import Configurable
from graphmotion.transforms.fields import get_silhouettes, uniform_per_graph


class RandomSilhouetteErasing(Configurable, BaseTransform):
    r"""Clears a random rectangle of silhouettes, the same in all frames of a clip.

    From the `"Random Erasing Data Augmentation" <https://arxiv.org/abs/1708.04896>`_ paper. The
    area is drawn uniformly, the aspect ratio log-uniformly, and the position uniformly within the
    image. The rectangle is limited to the size of the image.

    .. code-block:: python

        clips = SyntheticGait.casia_b(num_subjects=1, num_frames=8, views=[90], silhouettes=True)
        data = RandomSilhouetteErasing(p=1.0)(clips[0])

    Args:
        area (tuple, optional): Interval of the area, as a fraction of the image, within (0, 1].
            (default: :obj:`(0.02, 0.2)`)
        ratio (tuple, optional): Interval of height divided by width, which must be positive.
            (default: :obj:`(0.3, 3.3)`)
        p (float, optional): Probability that a clip is changed. (default: :obj:`0.5`)

    Raises:
        ValueError: If an argument is invalid.
    """

    def __init__(
        self,
        area: Sequence[float] = (0.02, 0.2),
        ratio: Sequence[float] = (0.3, 3.3),
        p: float = 0.5,
    ) -> None:
        self.area = check_interval('area', area, above=0, maximum=1)
        self.ratio = check_interval('ratio', ratio, above=0)
        self.p = check_probability('p', p)

    def forward(self, data: Data) -> Data:
        """Erases a rectangle of a sample, or of random samples of a batch."""
        silhouettes = get_silhouettes(data)
        height, width = silhouettes.shape[-2:]
        low, high = map(math.log, self.ratio)
        bounds = [(0, 1), self.area, (low, high), (0, 1), (0, 1)]
        drawn = uniform_per_graph(data, silhouettes, bounds)
        selected, area, ratio, y, x = drawn.split(1, dim=1)
        area, ratio = area * height * width, ratio.exp()
        rows = _random_span(y, (area * ratio).sqrt(), height)
        columns = _random_span(x, (area / ratio).sqrt(), width)
        inside = (rows & (selected < self.p)).unsqueeze(2) & columns.unsqueeze(1)
        data.silhouettes = silhouettes.masked_fill(inside.unsqueeze(1), 0)
        return data

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({self.area}, ratio={self.ratio}, p={self.p})'


def _random_span(uniform: Tensor, length: Tensor, size: int) -> Tensor:
    """Returns a mask [B, size] of a span of the rounded length at a random start."""
    length = length.round().clamp(1, size)
    start = torch.minimum((uniform * (size - length + 1)).floor(), size - length)
    step = torch.arange(size, device=uniform.device)
    return (step >= start) & (step < start + length)
