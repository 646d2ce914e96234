"""Random brightness and contrast of images."""

from __future__ import annotations

from collections.abc import Sequence

from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.checks import check_interval
from graphmotion.config import Configurable
from graphmotion.transforms.fields import uniform_per_graph
from graphmotion.transforms.image_fields import from_unit, get_image, set_image, to_unit


class RandomImageBrightness(Configurable, BaseTransform):
    r"""Randomly changes the brightness and the contrast of each image.

    .. math::
        I' = c \, (I - \bar{I}) + \bar{I} + b

    with the mean :math:`\bar{I}` of the image and a brightness :math:`b` and a contrast :math:`c`
    drawn for each image. The result is clamped to the range from black to white, 0 to 255 for
    bytes and 0 to 1 for floating-point images.

    .. code-block:: python

        faces = SyntheticFaces(num_subjects=1, num_takes=1)
        data = RandomImageBrightness()(faces[0])

    Args:
        brightness (tuple, optional): Interval of :math:`b`, as a fraction of the range from black
            to white. (default: :obj:`(-0.2, 0.2)`)
        contrast (tuple, optional): Interval of :math:`c`. (default: :obj:`(0.8, 1.2)`)

    Raises:
        ValueError: If an interval is invalid or a contrast is negative.
    """

    def __init__(
        self,
        brightness: Sequence[float] = (-0.2, 0.2),
        contrast: Sequence[float] = (0.8, 1.2),
    ) -> None:
        self.brightness = check_interval('brightness', brightness)
        self.contrast = check_interval('contrast', contrast)
        if self.contrast[0] < 0:
            raise ValueError(f'contrast must be non-negative, got {contrast!r}')

    def forward(self, data: Data) -> Data:
        """Changes the image of a sample or each image in a batch."""
        image = get_image(data)
        value = to_unit(image)
        drawn = uniform_per_graph(data, value, [self.brightness, self.contrast]).to(value.dtype)
        brightness, contrast = drawn.view(-1, 2, 1, 1, 1).unbind(dim=1)
        mean = value.mean(dim=(1, 2, 3), keepdim=True)
        value = value * contrast + ((1 - contrast) * mean + brightness)
        set_image(data, from_unit(value, image))
        return data

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}(brightness={self.brightness}, contrast={self.contrast})'
