"""Downsampling of silhouettes."""

from __future__ import annotations

import torch
from torch.nn.functional import avg_pool2d
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.checks import check_int
from graphmotion.config import Configurable
from graphmotion.transforms.fields import get_silhouettes


class DownsampleSilhouettes(Configurable, BaseTransform):
    r"""Downsamples silhouettes by an integer factor.

    A pixel of the result is set if at least half of the pixels in its square of the input are
    set. A factor of 2 reduces the computation of a convolutional network to about a quarter.

    .. code-block:: python

        clips = SyntheticGait.casia_b(num_subjects=1, num_frames=8, views=[90], silhouettes=True)
        data = DownsampleSilhouettes(2)(clips[0])

    Args:
        factor (int, optional): Factor of height and width. (default: :obj:`2`)
        soft (bool, optional): If :obj:`True`, a pixel of the result is the fraction of its square
            that is set, from 0 to 1. (default: :obj:`False`)

    Raises:
        ValueError: If the factor is not positive or does not divide height and width.
    """

    def __init__(self, factor: int = 2, soft: bool = False) -> None:
        self.factor = check_int('factor', factor, 1)
        self.soft = soft

    def forward(self, data: Data) -> Data:
        """Downsamples the silhouettes of a sample or a batch."""
        silhouettes = get_silhouettes(data)
        height, width = silhouettes.shape[-2:]
        if height % self.factor or width % self.factor:
            raise ValueError(
                f'height and width of silhouettes must be multiples of {self.factor}, got '
                f'{height} x {width}'
            )
        coverage = avg_pool2d(silhouettes.to(torch.float32), self.factor)
        data.silhouettes = coverage if self.soft else (coverage >= 0.5).to(silhouettes.dtype)
        return data

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({self.factor}, soft={self.soft})'
