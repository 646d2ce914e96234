"""Random rotation, scaling and translation of silhouettes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.checks import check_interval, check_number, check_probability
from graphmotion.config import Configurable
from graphmotion.transforms.fields import get_silhouettes, rand_per_graph
from graphmotion.transforms.image_fields import check_translate, warp


class RandomSilhouetteAffine(Configurable, BaseTransform):
    r"""Randomly rotates, scales and translates silhouettes, the same in all frames of a clip.

    The pixel :math:`\mathbf{p}` of the result is the bilinearly interpolated input, thresholded
    at 0.5, at

    .. math::
        \mathbf{c} + \mathbf{R}(-\alpha) \, \mathrm{diag}(s_x, s_y)^{-1}
        (\mathbf{p} - \mathbf{c} - (t_x W, t_y H))

    with the centre :math:`\mathbf{c}` of the image; pixels outside the image are 0.

    .. code-block:: python

        clips = SyntheticGait.casia_b(num_subjects=1, num_frames=8, views=[90], silhouettes=True)
        data = RandomSilhouetteAffine(degrees=10)(clips[0])

    Args:
        degrees (float, optional): Maximum angle :math:`|\alpha|` in degrees.
            (default: :obj:`5.0`)
        scales (tuple, optional): Interval of the scale :math:`s`. (default: :obj:`(0.9, 1.1)`)
        translate (float or tuple, optional): Maximum of :math:`|t_x|` and :math:`|t_y|`, as a
            fraction of width and height: one number, or a pair (horizontal, vertical).
            (default: :obj:`0.05`)
        per_axis (bool, optional): If :obj:`True`, draws a scale for each axis.
            (default: :obj:`False`)
        p (float, optional): Probability that a clip is changed. (default: :obj:`0.5`)

    Raises:
        ValueError: If an argument is invalid.
    """

    def __init__(
        self,
        degrees: float = 5.0,
        scales: Sequence[float] = (0.9, 1.1),
        translate: float | Sequence[float] = 0.05,
        per_axis: bool = False,
        p: float = 0.5,
    ) -> None:
        self.degrees = check_number('degrees', degrees, 0)
        self.scales = check_interval('scales', scales, above=0)
        self.translate = check_translate(translate)
        self.per_axis = per_axis
        self.p = check_probability('p', p)

    def forward(self, data: Data) -> Data:
        """Transforms a sample, or random samples of a batch."""
        silhouettes = get_silhouettes(data)
        drawn = rand_per_graph(data, silhouettes, 6)
        rows = (drawn[:, 0] < self.p).nonzero().view(-1)
        if rows.numel():
            out = silhouettes.clone()
            out[rows] = self._warp(silhouettes[rows], drawn[rows, 1:])
            data.silhouettes = out
        return data

    def _warp(self, images: Tensor, drawn: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        angle = math.radians(self.degrees) * (2 * drawn[:, 0] - 1)
        low, high = (drawn.new_tensor(scale) for scale in self.scales)
        scale_x, scale_y = torch.lerp(low, high, drawn[:, 1:3]).unbind(dim=1)
        if not self.per_axis:
            scale_y = scale_x
        limit = drawn.new_tensor([self.translate[0] * width, self.translate[1] * height])
        cos, sin = angle.cos(), angle.sin()
        entries = [cos / scale_x, sin / scale_y, -sin / scale_x, cos / scale_y]
        inverse = torch.stack(entries, dim=1).view(-1, 2, 2)
        out = warp(images, inverse, limit * (2 * drawn[:, 3:] - 1), padding_mode='zeros')
        return (out >= 0.5).to(images.dtype)

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.degrees}, scales={self.scales}, '
            f'translate={self.translate}, per_axis={self.per_axis}, p={self.p})'
        )
