"""Gaussian noise on images."""

from __future__ import annotations

import torch
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.checks import check_number
from graphmotion.config import Configurable
from graphmotion.transforms.image_fields import from_unit, get_image, set_image, to_unit


class ImageNoise(Configurable, BaseTransform):
    r"""Adds Gaussian noise to each pixel, independent in each channel.

    .. math::
        I' = I + \sigma \epsilon, \qquad \epsilon \sim \mathcal{N}(0, 1)

    The result is clamped to the range from black to white, 0 to 255 for bytes and 0 to 1 for
    floating-point images.

    .. code-block:: python

        faces = SyntheticFaces(num_subjects=1, num_takes=1)
        data = ImageNoise(std=0.05)(faces[0])

    Args:
        std (float, optional): Standard deviation :math:`\sigma`, as a fraction of the range from
            black to white. (default: :obj:`0.02`)

    Raises:
        ValueError: If :obj:`std` is negative.
    """

    def __init__(self, std: float = 0.02) -> None:
        self.std = check_number('std', std, 0)

    def forward(self, data: Data) -> Data:
        """Adds noise to a sample or a batch."""
        image = get_image(data)
        value = to_unit(image)
        set_image(data, from_unit(torch.randn_like(value).mul_(self.std).add_(value), image))
        return data

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}(std={self.std})'
