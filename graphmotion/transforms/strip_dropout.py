"""Horizontal strips of silhouettes that are not seen."""

from __future__ import annotations

import torch
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.transforms.fields import check_count, check_probability, clips, draw


class StripDropout(BaseTransform):
    r"""Clears horizontal strips of silhouettes at random, the same in all frames of a clip.

    Args:
        num_strips (int, optional): Number of equal strips of the height; rows that are not a
            multiple of it go to some of the strips. (default: :obj:`16`)
        p (float, optional): The probability of each strip to be cleared. (default: :obj:`0.1`)

    Raises:
        ValueError: If there are more strips than rows.
    """

    def __init__(self, num_strips: int = 16, p: float = 0.1) -> None:
        self.num_strips = check_count('num_strips', num_strips)
        self.p = check_probability('p', p)

    def forward(self, data: Data) -> Data:
        """Clear strips of a sample, or of each in a batch."""
        silhouettes = clips(data)
        height = silhouettes.size(2)
        if height < self.num_strips:
            raise ValueError(f'{height} rows of silhouettes are not {self.num_strips} strips')
        dropped = draw(data, silhouettes, self.num_strips) < self.p
        strip = torch.arange(height, device=dropped.device) * self.num_strips // height
        data.silhouettes = silhouettes.masked_fill(dropped[:, None, strip, None], 0)
        return data

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({self.num_strips}, p={self.p})'
