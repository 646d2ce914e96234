"""Silhouettes turned, moved and of another size."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import grid_sample
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.transforms.fields import check_interval, check_probability, clips, draw


class RandomAffineSilhouettes(BaseTransform):
    r"""Turns silhouettes about the middle of the image, makes them larger or smaller and moves
    them, with a given probability and alike in all frames of a clip.

    A pixel of the result is what lies, interpolated linearly and set to 1 from a half on, at

    .. math::
        \mathbf{c} + \mathbf{R}(-\alpha) \, \mathrm{diag}(s_x, s_y)^{-1}
        (\mathbf{p} - \mathbf{c} - \mathbf{t})

    for a pixel at :math:`\mathbf{p}` and the middle :math:`\mathbf{c}`; outside of the image there
    is no body.

    Args:
        degrees (float, optional): The angle :math:`\alpha` is at most as many degrees, to either
            side. (default: :obj:`5.0`)
        scales (tuple, optional): Interval of the factor :math:`s`. (default: :obj:`(0.9, 1.1)`)
        translate (float or tuple, optional): The shift :math:`\mathbf{t}` is at most this part of
            width and height, to either side: one number, or one for the horizontal and one for the
            vertical. (default: :obj:`0.05`)
        per_axis (bool, optional): If set to :obj:`True`, height and width have factors of their
            own. (default: :obj:`False`)
        p (float, optional): The probability. (default: :obj:`0.5`)

    Raises:
        ValueError: If an angle, a scale or a shift is negative or not finite, or a scale 0.
    """

    def __init__(
        self,
        degrees: float = 5.0,
        scales: Sequence[float] = (0.9, 1.1),
        translate: float | Sequence[float] = 0.05,
        per_axis: bool = False,
        p: float = 0.5,
    ) -> None:
        limits = tuple(translate) if isinstance(translate, Sequence) else (translate, translate)
        if len(limits) != 2 or not all(0 <= value < math.inf for value in (degrees, *limits)):
            raise ValueError(
                f'degrees and translate are not negative, translate is one number or (horizontal, '
                f'vertical), got degrees={degrees!r} and translate={translate!r}'
            )
        self.degrees = degrees
        self.scales = check_interval('scales', scales)
        if self.scales[0] <= 0:
            raise ValueError(f'scales are above 0, got {scales!r}')
        self.translate = limits
        self.per_axis = per_axis
        self.p = check_probability('p', p)

    def forward(self, data: Data) -> Data:
        """Transform the silhouettes of a sample, or those of some of a batch."""
        silhouettes = clips(data)
        drawn = draw(data, silhouettes, 6)
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
        scale = torch.lerp(low, high, drawn[:, 1:3])
        scale_x, scale_y = scale[:, :1], scale[:, 1:] if self.per_axis else scale[:, :1]
        limit = drawn.new_tensor([self.translate[0] * width, self.translate[1] * height])
        move = limit * (2 * drawn[:, 3:] - 1)

        x = torch.arange(width, device=images.device) - (width - 1) / 2
        y = torch.arange(height, device=images.device) - (height - 1) / 2
        x = ((x - move[:, :1]) / scale_x).unsqueeze(1)  # [B, 1, W]
        y = ((y - move[:, 1:]) / scale_y).unsqueeze(2)  # [B, H, 1]
        cos, sin = angle.cos().view(-1, 1, 1), angle.sin().view(-1, 1, 1)
        # In halves of the image's size from its middle, as grid_sample counts.
        grid = torch.stack(
            [2 / width * (cos * x + sin * y), 2 / height * (cos * y - sin * x)], dim=-1
        )
        out = grid_sample(images.to(grid.dtype), grid, align_corners=False)
        return (out >= 0.5).to(images.dtype)

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.degrees}, scales={self.scales}, '
            f'translate={self.translate}, per_axis={self.per_axis}, p={self.p})'
        )
