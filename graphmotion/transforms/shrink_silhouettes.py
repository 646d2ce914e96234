"""Smaller silhouettes."""

from __future__ import annotations

import torch
from torch.nn.functional import avg_pool2d
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.transforms.fields import check_count, clips


class ShrinkSilhouettes(BaseTransform):
    r"""Makes silhouettes smaller by a whole factor: a pixel of the result is set if at least half
    of the square it stands for is. Half the size is a quarter of the work of a network.

    Args:
        factor (int, optional): The factor. (default: :obj:`2`)
        soft (bool, optional): If set to :obj:`True`, a pixel of the result is the part of its
            square that is set, from 0 to 1. (default: :obj:`False`)

    Raises:
        ValueError: If the factor is not a positive number or no divisor of height and width.
    """

    def __init__(self, factor: int = 2, soft: bool = False) -> None:
        self.factor = check_count('factor', factor)
        self.soft = soft

    def forward(self, data: Data) -> Data:
        """Shrink the silhouettes of a sample, or those of each in a batch."""
        silhouettes = clips(data)
        height, width = silhouettes.shape[-2:]
        if height % self.factor or width % self.factor:
            raise ValueError(
                f'silhouettes of {height} x {width} pixels cannot be divided by {self.factor}'
            )
        share = avg_pool2d(silhouettes.to(torch.float32), self.factor)
        data.silhouettes = share if self.soft else (share >= 0.5).to(silhouettes.dtype)
        return data

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({self.factor}, soft={self.soft})'
