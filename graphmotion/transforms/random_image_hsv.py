"""Random hue and saturation of colour images."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.checks import check_interval, symmetric_interval
from graphmotion.config import Configurable
from graphmotion.transforms.fields import uniform_per_graph
from graphmotion.transforms.image_fields import from_unit, get_image, set_image, to_unit


class RandomImageHSV(Configurable, BaseTransform):
    r"""Randomly changes hue, saturation and value of colour images.

    .. math::
        (h', s', v') = (h + \Delta \bmod 1, \; \sigma s, \; \nu v)

    with a shift :math:`\Delta` and the factors :math:`\sigma` and :math:`\nu` drawn for each image,
    and saturation and value clamped to [0, 1].

    .. code-block:: python

        data = RandomImageHSV(hue=0.1)(Data(image=torch.rand(1, 3, 48, 48), num_nodes=0))

    Args:
        hue (float or tuple, optional): Interval of :math:`\Delta`, where 1 is the whole circle of
            hues, :math:`[-d, d]` for a number :math:`d`. (default: :obj:`0.05`)
        saturation (tuple, optional): Interval of :math:`\sigma`. (default: :obj:`(0.7, 1.3)`)
        value (tuple, optional): Interval of :math:`\nu`. (default: :obj:`(0.8, 1.2)`)

    Raises:
        ValueError: If an interval is invalid, a factor is negative or images are grey.
    """

    def __init__(
        self,
        hue: float | Sequence[float] = 0.05,
        saturation: Sequence[float] = (0.7, 1.3),
        value: Sequence[float] = (0.8, 1.2),
    ) -> None:
        self.hue = symmetric_interval('hue', hue)
        self.saturation = check_interval('saturation', saturation)
        self.value = check_interval('value', value)
        if min(self.saturation[0], self.value[0]) < 0:
            raise ValueError(
                f'saturation and value must be non-negative, got {saturation!r} and {value!r}'
            )

    def forward(self, data: Data) -> Data:
        """Changes the image of a sample or each image in a batch."""
        image = get_image(data)
        if image.size(1) != 3:
            raise ValueError(
                f"field 'image' must have shape [1, 3, H, W] per sample, got "
                f'{list(data.image.shape)}'
            )
        rgb = to_unit(image)
        bounds = [self.hue, self.saturation, self.value]
        drawn = uniform_per_graph(data, rgb, bounds).to(rgb.dtype)
        shift, saturation, value = drawn.view(-1, 3, 1, 1).unbind(dim=1)
        h, s, v = rgb_to_hsv(rgb).unbind(dim=1)
        hsv = [(h + shift) % 1, (s * saturation).clamp(0, 1), (v * value).clamp(0, 1)]
        set_image(data, from_unit(hsv_to_rgb(torch.stack(hsv, dim=1)), image))
        return data

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}(hue={self.hue}, saturation={self.saturation}, '
            f'value={self.value})'
        )


def rgb_to_hsv(rgb: Tensor) -> Tensor:
    """Converts red, green and blue ``[B, 3, H, W]`` in [0, 1] to hue, saturation and value."""
    high, low = rgb.amax(dim=1), rgb.amin(dim=1)
    chroma = high - low
    divisor = torch.where(chroma > 0, chroma, 1)
    red, green, blue = rgb.unbind(dim=1)
    sector = torch.where(
        high == red,
        (green - blue) / divisor,
        torch.where(high == green, (blue - red) / divisor + 2, (red - green) / divisor + 4),
    )
    saturation = chroma / torch.where(high > 0, high, 1)
    return torch.stack([sector / 6 % 1, saturation, high], dim=1)


def hsv_to_rgb(hsv: Tensor) -> Tensor:
    """Converts hue, saturation and value ``[B, 3, H, W]`` to red, green and blue."""
    hue, saturation, value = hsv.unbind(dim=1)
    channels = []
    for offset in (5, 3, 1):
        k = (offset + 6 * hue) % 6
        channels.append(value - value * saturation * torch.minimum(k, 4 - k).clamp(0, 1))
    return torch.stack(channels, dim=1)
