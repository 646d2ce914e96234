"""Sequences of one length by interpolation over time."""

from __future__ import annotations

import torch
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.checks import check_int
from graphmotion.data import num_valid_frames
from graphmotion.transforms.frames import interpolate_frames


class ResampleFrames(BaseTransform):
    r"""Resamples each sequence to :math:`L` frames by linear interpolation.

    Frame :math:`k` of the result is the sample at time

    .. math::
        \tau_k &= \frac{(1 - w)(n - 1)}{2} + k \, \frac{w (n - 1)}{L - 1}
        && \text{for } \text{align\_corners} = \text{True} \\
        \tau_k &= \frac{(1 - w) \, n}{2} + \left( k + \tfrac{1}{2} \right) \frac{w n}{L} -
        \tfrac{1}{2} && \text{for } \text{align\_corners} = \text{False}

    with :math:`n` frames before padding and the fraction :math:`w` of a central window. The second
    form is limited to :math:`[0, n - 1]` and matches :func:`torch.nn.functional.interpolate`. The
    code of CTR-GCN applies it to windows that start and end at frames; use :class:`CropFraction`
    first.

    For :math:`L = 1`, the result is the middle of the window. The result has no padding. If a joint
    is missing in one of two neighbouring frames, its position is copied from the other.
    Silhouettes are copied from the nearest frame.

    Args:
        num_frames (int): Number of frames :math:`L`.
        window (float, optional): Fraction :math:`w` of the sequence to resample.
            (default: :obj:`1.0`)
        align_corners (bool, optional): If :obj:`True`, frames are points in time and the first
            and the last frame are kept; otherwise frames are intervals. (default: :obj:`True`)

    Raises:
        ValueError: If :obj:`num_frames` is not positive or :obj:`window` is outside (0, 1].
    """

    def __init__(self, num_frames: int, window: float = 1.0, align_corners: bool = True) -> None:
        self.num_frames = check_int('num_frames', num_frames, 1)
        if not 0 < window <= 1:
            raise ValueError(f'window must be in (0, 1], got {window!r}')
        self.window = window
        self.align_corners = align_corners

    def forward(self, data: Data) -> Data:
        """Resamples a sample or each sample in a batch."""
        counts = num_valid_frames(data)
        last = (counts - 1).to(torch.float64).unsqueeze(1)
        step = torch.arange(self.num_frames, device=counts.device)
        length = last if self.align_corners else last + 1
        span = length * self.window
        start = (length - span) / 2
        if not self.align_corners:
            time = start + (step + 0.5) * span / self.num_frames - 0.5
            time = torch.minimum(time.clamp(min=0), last)
        elif self.num_frames == 1:
            time = start + span / 2
        else:
            # Multiply before dividing, so that both ends are exact.
            time = start + step * span / (self.num_frames - 1)
        return interpolate_frames(data, time, torch.full_like(counts, self.num_frames))

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.num_frames}, window={self.window}, '
            f'align_corners={self.align_corners})'
        )
