"""Images in another light."""

from __future__ import annotations

from collections.abc import Sequence

from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.transforms.fields import check_interval, draw_between
from graphmotion.transforms.image_fields import from_unit, images, to_unit


class RandomBrightness(BaseTransform):
    r"""Makes each image brighter or darker, and its contrast stronger or weaker.

    .. math::
        I' = c \, (I - \bar{I}) + \bar{I} + b

    with a brightness :math:`b` and a contrast :math:`c` for each image and its mean
    :math:`\bar{I}`, cut to the range from black to white: 0 to 255 of bytes, 0 to 1 of real
    numbers.

    Args:
        brightness (tuple, optional): Interval of :math:`b`, as a share of white.
            (default: :obj:`(-0.2, 0.2)`)
        contrast (tuple, optional): Interval of :math:`c`. (default: :obj:`(0.8, 1.2)`)

    Raises:
        ValueError: If it is no interval, or a contrast is negative.
    """

    def __init__(
        self,
        brightness: Sequence[float] = (-0.2, 0.2),
        contrast: Sequence[float] = (0.8, 1.2),
    ) -> None:
        self.brightness = check_interval('brightness', brightness)
        self.contrast = check_interval('contrast', contrast)
        if self.contrast[0] < 0:
            raise ValueError(f'contrast is not negative, got {contrast!r}')

    def forward(self, data: Data) -> Data:
        """Change an image, or each in a batch."""
        image = images(data)
        value = to_unit(image)
        drawn = draw_between(data, value, [self.brightness, self.contrast]).to(value.dtype)
        brightness, contrast = drawn.view(-1, 2, 1, 1).unbind(dim=1)
        mean = value.mean(dim=(1, 2), keepdim=True)
        data.image = from_unit(value * contrast + ((1 - contrast) * mean + brightness), image)
        return data

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}(brightness={self.brightness}, contrast={self.contrast})'
