"""Random erosion and dilation of silhouettes."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.checks import check_int, check_probability
from graphmotion.config import Configurable
from graphmotion.transforms.fields import get_silhouettes, rand_per_graph


class RandomSilhouetteMorphology(Configurable, BaseTransform):
    r"""Erodes or dilates silhouettes, the same in all frames of a clip.

    Dilation sets a pixel if any pixel within the radius is set; erosion clears a pixel if any
    pixel within the radius is not set. Pixels outside the image are ignored. Erosion and dilation
    both have probability :math:`p / 2`.

    .. code-block:: python

        clips = SyntheticGait.casia_b(num_subjects=1, num_frames=8, views=[90], silhouettes=True)
        data = RandomSilhouetteMorphology(radius=2)(clips[0])

    Args:
        radius (int, optional): Radius in pixels; 1 is the 4-neighbourhood. (default: :obj:`1`)
        p (float, optional): Probability :math:`p` that a clip is changed. (default: :obj:`0.5`)

    Raises:
        ValueError: If :obj:`radius` is not positive or :obj:`p` is outside [0, 1].
    """

    def __init__(self, radius: int = 1, p: float = 0.5) -> None:
        self.radius = check_int('radius', radius, 1)
        self.p = check_probability('p', p)

    def forward(self, data: Data) -> Data:
        """Erodes or dilates a sample, or random samples of a batch."""
        silhouettes = get_silhouettes(data)
        drawn = rand_per_graph(data, silhouettes, 1).view(-1)
        rows = (drawn < self.p).nonzero().view(-1)
        if rows.numel():
            # Erosion is dilation of the background.
            eroded = (drawn[rows] < self.p / 2).view(-1, 1, 1, 1)
            masks = (silhouettes[rows] != 0) ^ eroded
            out = silhouettes.clone()
            out[rows] = (self._dilate(masks) ^ eroded).to(silhouettes.dtype)
            data.silhouettes = out
        return data

    def _dilate(self, masks: Tensor) -> Tensor:
        r = self.radius
        height, width = masks.shape[-2:]
        padded = pad(masks, (r, r, r, r))
        out = torch.zeros_like(masks)
        for y in range(2 * r + 1):
            for x in range(2 * r + 1):
                if (y - r) ** 2 + (x - r) ** 2 <= r**2:
                    out |= padded[..., y : y + height, x : x + width]
        return out

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({self.radius}, p={self.p})'
