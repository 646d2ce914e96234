"""A part of each sequence."""

from __future__ import annotations

import torch
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.data import num_valid_frames
from graphmotion.transforms.fields import any_field, check_count, check_interval, draw
from graphmotion.transforms.frames import take_frames


class CropFraction(BaseTransform):
    r"""Keeps a window of each sequence whose length is a fraction of it.

    Of :math:`n` frames before padding, a fixed fraction :math:`w` keeps those in the middle, all
    but :math:`\lfloor (1 - w) \, n / 2 \rfloor` at each end. With an interval, :math:`w` is drawn
    from it, and the window of :math:`\lfloor w n \rfloor` frames starts at random. The windows of a
    batch differ in length and are padded with their last frame.

    In contrast to :class:`RandomSpeed`, whose windows may begin and end between frames, windows are
    whole frames, as in the code of CTR-GCN.

    .. code-block:: python

        CropFraction(0.95)                        # the middle
        CropFraction((0.5, 1.0), min_frames=64)   # a random window

    Args:
        fraction (float or tuple): The fraction :math:`w`, or an interval of it, within (0, 1].
        min_frames (int, optional): The least number of frames of a window; shorter sequences are
            kept whole. (default: :obj:`1`)

    Raises:
        ValueError: If :obj:`fraction` is outside (0, 1] or :obj:`min_frames` is not positive.
    """

    def __init__(self, fraction: float | tuple[float, float], min_frames: int = 1) -> None:
        self.random = not isinstance(fraction, (int, float))
        interval = fraction if self.random else (fraction, fraction)
        self.fraction = check_interval('fraction', interval)
        if not 0 < self.fraction[0] <= self.fraction[1] <= 1:
            raise ValueError(f'fraction must be within (0, 1], got {fraction!r}')
        self.min_frames = check_count('min_frames', min_frames)

    def forward(self, data: Data) -> Data:
        """Crop a sample, or each in a batch."""
        counts = num_valid_frames(data)
        shortest = counts.clamp(max=self.min_frames)
        low, high = self.fraction
        if self.random:
            size, place = draw(data, counts.double(), 2).unbind(dim=1)
            length = torch.maximum(((low + (high - low) * size) * counts).long(), shortest)
            start = (place * (counts - length + 1)).long()
        else:
            start = ((1 - low) * counts.double() / 2).long()
            start = torch.minimum(start, (counts - shortest) // 2)
            length = counts - 2 * start
        step = torch.arange(any_field(data).size(1), device=counts.device)
        last = (start + length - 1).unsqueeze(1)
        return take_frames(data, torch.minimum(start.unsqueeze(1) + step, last), length)

    def __repr__(self) -> str:
        fraction = self.fraction if self.random else self.fraction[0]
        return f'{self.__class__.__name__}({fraction}, min_frames={self.min_frames})'
