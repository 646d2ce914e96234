"""Images in a mirror."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.transforms.fields import check_probability, draw
from graphmotion.transforms.image_fields import images, landmarks

# The points of the 300-W annotation: jaw, brows, bridge and tip of the nose, eyes, lips.
_MIRROR_68 = (
    *range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1),
    *(45, 44, 43, 42, 47, 46), *(39, 38, 37, 36, 41, 40),
    *range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), *range(67, 64, -1),
)  # fmt: skip


class RandomFlipImages(BaseTransform):
    r"""Exchanges left and right of each image, and of its landmarks, with a given probability.

    Args:
        p (float, optional): The probability. (default: :obj:`0.5`)
        mirror (sequence of int, optional): The landmark opposite to each landmark, itself in the
            middle of the face; by default those of the 68 points of the 300-W annotation.
            (default: :obj:`None`)

    Raises:
        ValueError: If :obj:`p` is no probability, :obj:`mirror` does not lead back where it came
            from, or there is another number of landmarks.
    """

    def __init__(self, p: float = 0.5, mirror: Sequence[int] | None = None) -> None:
        self.p = check_probability('p', p)
        self.mirror = _MIRROR_68 if mirror is None else tuple(mirror)
        known = range(len(self.mirror))
        if not all(j in known and self.mirror[j] == i for i, j in enumerate(self.mirror)):
            raise ValueError(f'mirror names the landmark opposite to each, got {self.mirror}')

    def forward(self, data: Data) -> Data:
        """Flip an image, or some of a batch."""
        image, points = images(data), landmarks(data)
        flip = (draw(data, image) < self.p).view(-1, 1, 1)
        data.image = torch.where(flip, image.flip(2), image)
        if points is not None:
            if points.size(1) != len(self.mirror):
                raise ValueError(
                    f'there are {points.size(1)} landmarks and mirror is that of '
                    f'{len(self.mirror)}: pass the landmark opposite to each'
                )
            opposite = points[:, list(self.mirror)].clone()
            opposite[..., 0] = image.size(2) - opposite[..., 0]
            data.landmarks = torch.where(flip, opposite, points).flatten(0, 1)
        return data

    def __repr__(self) -> str:
        mirror = '' if self.mirror == _MIRROR_68 else f', mirror={self.mirror}'
        return f'{self.__class__.__name__}(p={self.p}{mirror})'
