"""Motion at another speed."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.data import num_valid_frames
from graphmotion.transforms.fields import (
    any_field,
    check_count,
    check_interval,
    draw,
)
from graphmotion.transforms.frames import interpolate_frames


class RandomSpeed(BaseTransform):
    r"""Takes a random window of each sequence, of random length, and stretches it to as many
    frames as the sequence had, or to :obj:`num_frames`; linear in time.

    Windows may begin and end between frames, and their ends are kept. For windows of whole frames
    that are resampled as in the code of CTR-GCN, see :class:`CropFraction` and
    :class:`ResampleFrames`.

    With a fraction :math:`w` drawn from the given interval and :math:`u` from :math:`[0, 1)`,
    frame :math:`k` of the result is the sample at the time

    .. math::
        \tau_k = u \, (1 - w)(n - 1) + k \, \frac{w (n - 1)}{L - 1},

    where :math:`n` is the number of frames before padding, and :math:`L = n` or
    :obj:`num_frames`. So the motion is slowed down by :math:`w (n - 1) / (L - 1)`. See
    :class:`ResampleFrames` for the window in the middle, without a draw.

    Args:
        window (tuple, optional): Interval of the fraction :math:`w`, within (0, 1].
            (default: :obj:`(0.5, 1.0)`)
        num_frames (int, optional): Number of frames of the result; by default each sequence
            keeps its own, and its padding. (default: :obj:`None`)

    Raises:
        ValueError: If :obj:`window` is not an interval within (0, 1].
    """

    def __init__(self, window: Sequence[float] = (0.5, 1.0), num_frames: int | None = None) -> None:
        self.window = check_interval('window', window)
        if not 0 < self.window[0] <= self.window[1] <= 1:
            raise ValueError(f'window is an interval within (0, 1], got {window!r}')
        self.num_frames = None if num_frames is None else check_count('num_frames', num_frames)

    def forward(self, data: Data) -> Data:
        """Stretch a sample, or each in a batch."""
        counts = num_valid_frames(data)
        num_frames = any_field(data).size(1)
        lengths = counts
        if self.num_frames is not None:
            num_frames = self.num_frames
            lengths = torch.full_like(counts, num_frames)
        last = (counts - 1).to(torch.float64).unsqueeze(1)
        low, high = self.window
        size, place = draw(data, last, 2).split(1, dim=1)
        span = last * torch.lerp(torch.full_like(size, low), torch.full_like(size, high), size)
        step = torch.arange(num_frames, device=counts.device)
        steps = (lengths - 1).unsqueeze(1)
        time = place * (last - span) + torch.minimum(step, steps) * span / steps.clamp(min=1)
        return interpolate_frames(data, time, lengths)

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({self.window}, num_frames={self.num_frames})'
