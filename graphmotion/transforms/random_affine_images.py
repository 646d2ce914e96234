"""Images turned, scaled and moved."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.transforms.fields import check_interval, draw_between
from graphmotion.transforms.image_fields import images, landmarks


class RandomAffineImages(BaseTransform):
    r"""Turns, scales and moves each image about its middle, and its landmarks with it.

    .. math::
        \mathbf{p}' = s \, \mathbf{R}(\alpha) \, (\mathbf{p} - \mathbf{c}) + \mathbf{c} +
        (t_x W, t_y H)

    with an angle, a scale and a shift for each image. Pixels are interpolated between four, and
    what comes from outside of the image has the colour of its edge. The rotation within 10 degrees
    and the scale 0.5 to 1.5 are those of "SSGNN: A Macro and Microfacial Expression Recognition
    Graph Neural Network Combining Spatial and Spectral Domain Features".

    Args:
        degrees (float or tuple, optional): Interval of the angle in degrees, :math:`[-d, d]` for a
            number :math:`d`; positive ones turn clockwise. (default: :obj:`10.0`)
        scales (tuple, optional): Interval of the scale; above 1 the face becomes larger.
            (default: :obj:`(0.5, 1.5)`)
        translate (float or tuple, optional): The shift as a share of width and height, either
            within :math:`[-t, t]` for a number :math:`t`, or within an interval.
            (default: :obj:`0.0`)

    Raises:
        ValueError: If it is no interval, or a scale is not positive.
    """

    def __init__(
        self,
        degrees: float | Sequence[float] = 10.0,
        scales: Sequence[float] = (0.5, 1.5),
        translate: float | Sequence[float] = 0.0,
    ) -> None:
        self.degrees = check_interval('degrees', _around_zero(degrees))
        self.scales = check_interval('scales', scales)
        if self.scales[0] <= 0:
            raise ValueError(f'scales are above 0, got {scales!r}')
        self.translate = check_interval('translate', _around_zero(translate))

    def forward(self, data: Data) -> Data:
        """Change an image, or each in a batch."""
        image, points = images(data), landmarks(data)
        bounds = [self.degrees, self.scales, self.translate, self.translate]
        drawn = draw_between(data, image.new_empty(0, dtype=torch.float32), bounds)
        angle, scale, shift = drawn[:, 0] * (math.pi / 180), drawn[:, 1], drawn[:, 2:]
        cos, sin = angle.cos(), angle.sin()
        turn = torch.stack([cos, -sin, sin, cos], dim=1).view(-1, 2, 2)
        size = drawn.new_tensor([image.size(2), image.size(1)])
        data.image = _resample(image, turn.mT / scale.view(-1, 1, 1), shift, size)
        if points is not None:
            center = size / 2
            moved = (points.float() - center) @ (turn * scale.view(-1, 1, 1)).mT
            moved = moved + (center + shift * size).unsqueeze(1)
            data.landmarks = moved.flatten(0, 1).to(points.dtype)
        return data

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}(degrees={self.degrees}, scales={self.scales}, '
            f'translate={self.translate})'
        )


def _resample(image: Tensor, back: Tensor, shift: Tensor, size: Tensor) -> Tensor:
    """Images whose pixels come from ``back`` of where they are, about the middle."""
    # Where torch takes a pixel from, in halves of the image from its middle.
    matrix = back * size / size.unsqueeze(1)
    offset = -matrix @ (2 * shift).unsqueeze(2)
    shape = [len(image), 1, *image.shape[1:]]
    grid = affine_grid(torch.cat([matrix, offset], dim=2), shape, align_corners=False)
    pixels = image.unsqueeze(1).float()
    out = grid_sample(pixels, grid, padding_mode='border', align_corners=False).squeeze(1)
    return out.round_().byte() if image.dtype == torch.uint8 else out.to(image.dtype)


def _around_zero(value: float | Sequence[float]) -> Sequence[float]:
    return (-abs(value), abs(value)) if isinstance(value, (int, float)) else value
