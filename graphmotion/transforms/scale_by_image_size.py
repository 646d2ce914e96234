"""Normalisation of pixel positions by image size."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.config import Configurable
from graphmotion.data import batch_index
from graphmotion.transforms.fields import get_pos


class ScaleByImageSize(Configurable, BaseTransform):
    r"""Divides positions in pixels by the size of the image.

    .. math::
        \mathbf{p}'_{i,t} = \mathbf{p}_{i,t} / w \quad \text{or} \quad
        \mathbf{p}'_{i,t} = (x_{i,t} / w, \; y_{i,t} / h)

    A single number :math:`w` divides all axes, which keeps the proportions of the body. By
    default, samples are divided by the width of their own images, the second number of the field
    :obj:`image_size` :math:`(1, 2)`, so that images of different sizes go together. The
    `"GaitMixer: Skeleton-based Gait Representation Learning via Wide-spectrum Multi-axial Mixer"
    <https://arxiv.org/abs/2210.15491>`_ paper divides by a width of 320.

    .. code-block:: python

        walks = SyntheticGait.casia_b(num_subjects=1, num_frames=8, views=[90])
        data = ScaleByImageSize(320)(walks[0])

    Args:
        size (float or tuple or str, optional): Width :math:`w` in pixels, or width and height
            :math:`(w, h)`, or one of the two from the field :obj:`image_size`: :obj:`"width"` or
            :obj:`"both"`. (default: :obj:`"width"`)

    Raises:
        ValueError: If a size is not positive, a height is given and positions are not 2D, or a
            sample has no :obj:`image_size`.
    """

    def __init__(self, size: float | Sequence[float] | str = 'width') -> None:
        self.size: str | float | tuple[float, ...]
        if size in ('width', 'both'):
            self.size = str(size)
            return
        numbers = tuple(size) if isinstance(size, Sequence) else (size,)
        if len(numbers) not in (1, 2) or not all(
            isinstance(s, (int, float)) and 0 < s < math.inf for s in numbers
        ):
            raise ValueError(
                f"size must be a positive width or (width, height), or 'width' or 'both', got "
                f'{size!r}'
            )
        self.size = numbers if len(numbers) == 2 else numbers[0]  # type: ignore[assignment]

    def forward(self, data: Data) -> Data:
        """Scales a sample or a batch."""
        pos = get_pos(data)
        if pos.size(2) != 2 and (self.size == 'both' or isinstance(self.size, tuple)):
            raise ValueError(
                f'size must be a width for {pos.size(2)}D positions, got {self.size!r}'
            )
        if isinstance(self.size, str):
            size = data.get('image_size')
            if size is None:
                raise ValueError(
                    "a sample must have the field 'image_size' if no size is given, got none"
                )
            size = size.to(pos).flip(1)[batch_index(data)].unsqueeze(1)  # [num_nodes, 1, 2]
            data.pos = pos / (size[..., :1] if self.size == 'width' else size)
        else:
            data.pos = pos / pos.new_tensor(self.size)
        return data

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({self.size!r})'
