"""Normalisation of pixel positions by image size."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.transforms.fields import get_pos


class ScaleByImageSize(BaseTransform):
    r"""Divides positions in pixels by the size of the image.

    .. math::
        \mathbf{p}'_{i,t} = \mathbf{p}_{i,t} / w \quad \text{or} \quad
        \mathbf{p}'_{i,t} = (x_{i,t} / w, \; y_{i,t} / h)

    A single number :math:`w` divides all axes, which keeps the proportions of the body. The
    `"GaitMixer: Skeleton-based Gait Representation Learning via Wide-spectrum Multi-axial Mixer"
    <https://arxiv.org/abs/2210.15491>`_ paper divides by a width of 320.

    Args:
        size (float or tuple): Width :math:`w` in pixels, or width and height :math:`(w, h)`.

    Raises:
        ValueError: If a size is not positive, or a height is given and positions are not 2D.
    """

    def __init__(self, size: float | Sequence[float]) -> None:
        sizes = tuple(size) if isinstance(size, Sequence) else (size,)
        if len(sizes) not in (1, 2) or not all(
            isinstance(s, (int, float)) and 0 < s < math.inf for s in sizes
        ):
            raise ValueError(f'size must be a positive width or (width, height), got {size!r}')
        self.size = sizes if len(sizes) == 2 else sizes[0]

    def forward(self, data: Data) -> Data:
        """Scales a sample or a batch."""
        pos = get_pos(data)
        if not isinstance(self.size, tuple):
            data.pos = pos / self.size
        elif pos.size(2) == 2:
            data.pos = pos / pos.new_tensor(self.size)
        else:
            raise ValueError(f'size must be a width for {pos.size(2)}D positions, got {self.size}')
        return data

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({self.size})'
