"""Noisy images."""

from __future__ import annotations

import math

import torch
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.transforms.image_fields import from_unit, images, to_unit


class ImageNoise(BaseTransform):
    r"""Adds Gaussian noise to each pixel.

    .. math::
        I' = I + \sigma \epsilon, \qquad \epsilon \sim \mathcal{N}(0, 1)

    cut to the range from black to white: 0 to 255 of bytes, 0 to 1 of real numbers.

    Args:
        std (float, optional): Deviation :math:`\sigma`, as a share of white.
            (default: :obj:`0.02`)

    Raises:
        ValueError: If it is negative.
    """

    def __init__(self, std: float = 0.02) -> None:
        if not 0 <= std < math.inf:
            raise ValueError(f'std is a standard deviation, got {std!r}')
        self.std = std

    def forward(self, data: Data) -> Data:
        """Add noise to an image or a batch."""
        image = images(data)
        value = to_unit(image)
        data.image = from_unit(torch.randn_like(value).mul_(self.std).add_(value), image)
        return data

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}(std={self.std})'
