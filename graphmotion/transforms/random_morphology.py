"""Thinner and thicker silhouettes."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.transforms.fields import check_count, check_probability, clips, draw


class RandomMorphology(BaseTransform):
    r"""Erodes or dilates silhouettes, either with half of a given probability and alike in all
    frames of a clip.

    Dilation sets a pixel if any pixel not farther than the radius is set, erosion clears it if any
    is not set. What is outside of the image changes nothing.

    Args:
        radius (int, optional): The radius in pixels; 1 takes the pixels above, below and beside.
            (default: :obj:`1`)
        p (float, optional): The probability. (default: :obj:`0.5`)

    Raises:
        ValueError: If the radius is not a positive number.
    """

    def __init__(self, radius: int = 1, p: float = 0.5) -> None:
        self.radius = check_count('radius', radius)
        self.p = check_probability('p', p)

    def forward(self, data: Data) -> Data:
        """Erode or dilate the silhouettes of a sample, or those of some of a batch."""
        silhouettes = clips(data)
        drawn = draw(data, silhouettes, 1).view(-1)
        rows = (drawn < self.p).nonzero().view(-1)
        if rows.numel():
            # What is eroded is what is around it dilated.
            eroded = (drawn[rows] < self.p / 2).view(-1, 1, 1, 1)
            bodies = (silhouettes[rows] != 0) ^ eroded
            out = silhouettes.clone()
            out[rows] = (self._dilate(bodies) ^ eroded).to(silhouettes.dtype)
            data.silhouettes = out
        return data

    def _dilate(self, images: Tensor) -> Tensor:
        r = self.radius
        height, width = images.shape[-2:]
        wide = pad(images, (r, r, r, r))
        out = torch.zeros_like(images)
        for y in range(2 * r + 1):
            for x in range(2 * r + 1):
                if (y - r) ** 2 + (x - r) ** 2 <= r**2:
                    out |= wide[..., y : y + height, x : x + width]
        return out

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({self.radius}, p={self.p})'
