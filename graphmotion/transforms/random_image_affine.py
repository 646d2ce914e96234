"""Random rotation, scaling and translation of images."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.checks import check_interval, symmetric_interval
from graphmotion.config import Configurable
from graphmotion.transforms.fields import uniform_per_graph
from graphmotion.transforms.image_fields import (
    check_translate,
    get_image,
    get_landmarks,
    set_image,
    warp,
)


class RandomImageAffine(Configurable, BaseTransform):
    r"""Randomly rotates, scales and translates images and their landmarks.

    .. math::
        \mathbf{p}' = s \, \mathbf{R}(\alpha) \, (\mathbf{p} - \mathbf{c}) + \mathbf{c} +
        (t_x W, t_y H)

    with the centre :math:`\mathbf{c}` and an angle :math:`\alpha`, a scale :math:`s` and a
    translation :math:`\mathbf{t}` drawn for each image. Pixels are interpolated bilinearly; pixels
    outside the image take the nearest value at its border. The default angles and scales are those
    of the paper "SSGNN: A Macro and Microfacial Expression Recognition Graph Neural Network
    Combining Spatial and Spectral Domain Features".

    .. code-block:: python

        faces = SyntheticFaces(num_subjects=1, num_takes=1)
        data = RandomImageAffine(degrees=5.0)(faces[0])

    Args:
        degrees (float or tuple, optional): Interval of the angle :math:`\alpha` in degrees,
            :math:`[-d, d]` for a number :math:`d`; positive angles rotate clockwise.
            (default: :obj:`10.0`)
        scales (tuple, optional): Interval of the scale :math:`s`; values above 1 enlarge the
            image. (default: :obj:`(0.5, 1.5)`)
        translate (float or tuple, optional): Maximum of :math:`|t_x|` and :math:`|t_y|`, as a
            fraction of width and height: one number, or a pair (horizontal, vertical).
            (default: :obj:`0.0`)

    Raises:
        ValueError: If an interval is invalid, a scale is not positive or a translation is negative.
    """

    def __init__(
        self,
        degrees: float | Sequence[float] = 10.0,
        scales: Sequence[float] = (0.5, 1.5),
        translate: float | Sequence[float] = 0.0,
    ) -> None:
        self.degrees = symmetric_interval('degrees', degrees)
        self.scales = check_interval('scales', scales, above=0)
        self.translate = check_translate(translate)

    def forward(self, data: Data) -> Data:
        """Transforms the image of a sample or each image in a batch."""
        image, points = get_image(data), get_landmarks(data)
        bounds = [self.degrees, self.scales, *((-limit, limit) for limit in self.translate)]
        drawn = uniform_per_graph(data, image.new_empty(0, dtype=torch.float32), bounds)
        angle, scale, shift = drawn[:, 0] * (math.pi / 180), drawn[:, 1], drawn[:, 2:]
        cos, sin = angle.cos(), angle.sin()
        rotation = torch.stack([cos, -sin, sin, cos], dim=1).view(-1, 2, 2)
        scale = scale.view(-1, 1, 1)
        size = drawn.new_tensor([image.size(3), image.size(2)])
        shift = shift * size
        pixels = warp(image.float(), rotation.mT / scale, shift, padding_mode='border')
        is_bytes = image.dtype == torch.uint8
        set_image(data, pixels.round_().byte() if is_bytes else pixels.to(image.dtype))
        if points is not None:
            center = size / 2
            mapped = (points.float() - center) @ (rotation * scale).mT
            mapped = mapped + (center + shift).unsqueeze(1)
            data.landmarks = mapped.flatten(0, 1).to(points.dtype)
        return data

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}(degrees={self.degrees}, scales={self.scales}, '
            f'translate={self.translate})'
        )
