"""Random changes of speed."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.checks import check_int, check_interval
from graphmotion.config import Configurable
from graphmotion.data import num_valid_frames
from graphmotion.transforms.fields import any_time_field, rand_per_graph
from graphmotion.transforms.frames import interpolate_frames


class RandomSpeed(Configurable, BaseTransform):
    r"""Resamples a random window of each sequence to the original number of frames.

    With a fraction :math:`w` drawn from the given interval and :math:`u` from :math:`[0, 1)`,
    frame :math:`k` of the result is the linearly interpolated sample at time

    .. math::
        \tau_k = u \, (1 - w)(n - 1) + k \, \frac{w (n - 1)}{L - 1},

    where :math:`n` is the number of frames before padding, and :math:`L` is :math:`n` or
    :obj:`num_frames`. The speed is multiplied by :math:`w (n - 1) / (L - 1)`.

    Windows may start and end between frames. :class:`ResampleFrames` resamples a fixed central
    window; preceded by :class:`CropFraction`, it resamples random windows that start and end at
    frames, as in the code of CTR-GCN.

    .. code-block:: python

        data = RandomSpeed((0.5, 1.0))(SyntheticGait(num_subjects=1, num_takes=1)[0])

    Args:
        window (tuple, optional): Interval of the fraction :math:`w`, within (0, 1].
            (default: :obj:`(0.5, 1.0)`)
        num_frames (int, optional): Number of frames of the result; by default, sequences keep
            their number of frames and their padding. (default: :obj:`None`)

    Raises:
        ValueError: If :obj:`window` is not an interval within (0, 1], or :obj:`num_frames` is not
            positive.
    """

    def __init__(self, window: Sequence[float] = (0.5, 1.0), num_frames: int | None = None) -> None:
        self.window = check_interval('window', window, above=0, maximum=1)
        self.num_frames = None if num_frames is None else check_int('num_frames', num_frames, 1)

    def forward(self, data: Data) -> Data:
        """Resamples a sample or each sample in a batch."""
        counts = num_valid_frames(data)
        num_frames = any_time_field(data).size(1)
        lengths = counts
        if self.num_frames is not None:
            num_frames = self.num_frames
            lengths = torch.full_like(counts, num_frames)
        last = (counts - 1).to(torch.float64).unsqueeze(1)
        low, high = self.window
        size, start = rand_per_graph(data, last, 2).split(1, dim=1)
        span = last * torch.lerp(torch.full_like(size, low), torch.full_like(size, high), size)
        step = torch.arange(num_frames, device=counts.device)
        steps = (lengths - 1).unsqueeze(1)
        time = start * (last - span) + torch.minimum(step, steps) * span / steps.clamp(min=1)
        return interpolate_frames(data, time, lengths)

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({self.window}, num_frames={self.num_frames})'
