"""Sequences of one length by interpolation."""

from __future__ import annotations

import torch
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.data import num_valid_frames
from graphmotion.transforms.fields import check_count
from graphmotion.transforms.frames import interpolate_frames


class ResampleFrames(BaseTransform):
    r"""Resamples each sequence to :math:`L` frames, linearly in time.

    Frame :math:`k` of the result is the sample at the time

    .. math::
        \tau_k &= \frac{(1 - w)(n - 1)}{2} + k \, \frac{w (n - 1)}{L - 1}
        && \text{with both ends kept, or} \\
        \tau_k &= \frac{(1 - w) \, n}{2} + \left( k + \tfrac{1}{2} \right) \frac{w n}{L} -
        \tfrac{1}{2} && \text{for } \text{align\_corners} = \text{False}

    with :math:`n` frames before padding and a central window of the fraction :math:`w` of them. The
    latter is limited to :math:`[0, n - 1]` and is what :func:`torch.nn.functional.interpolate`
    computes, and the code of CTR-GCN with it, on a window of whole frames: see
    :class:`CropFraction`.

    A single frame is the middle one. The result has no padding. A joint that is missing in one of
    two neighbouring frames is taken from the other; silhouettes are those of the nearest frame.

    Args:
        num_frames (int): Number of frames :math:`L`.
        window (float, optional): The part of the sequence that is resampled.
            (default: :obj:`1.0`)
        align_corners (bool, optional): If set to :obj:`False`, frames are intervals of time and not
            points, and the ends are not kept. (default: :obj:`True`)

    Raises:
        ValueError: If :obj:`num_frames` is not positive or :obj:`window` is outside (0, 1].
    """

    def __init__(self, num_frames: int, window: float = 1.0, align_corners: bool = True) -> None:
        self.num_frames = check_count('num_frames', num_frames)
        if not 0 < window <= 1:
            raise ValueError(f'window is a fraction in (0, 1], got {window!r}')
        self.window = window
        self.align_corners = align_corners

    def forward(self, data: Data) -> Data:
        """Resample a sample, or each in a batch."""
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
            # The product comes first: it is exact, and so are then the ends.
            time = start + step * span / (self.num_frames - 1)
        return interpolate_frames(data, time, torch.full_like(counts, self.num_frames))

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.num_frames}, window={self.window}, '
            f'align_corners={self.align_corners})'
        )
