"""Sequences of one length or one frame rate by interpolation over time."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.checks import check_int, check_positive
from graphmotion.config import Configurable
from graphmotion.data import num_valid_frames, set_field
from graphmotion.transforms.crop_fraction import CropFraction
from graphmotion.transforms.frames import interpolate_frames, scale_frame_rate


class ResampleFrames(Configurable, BaseTransform):
    r"""Resamples each sequence to :math:`L` frames, or to a common frame rate, by linear
    interpolation.

    Frame :math:`k` of the result is the sample at time

    .. math::
        \tau_k &= \frac{(1 - w)(n - 1)}{2} + k \, \frac{w (n - 1)}{L - 1}
        && \text{for } \text{align\_corners} = \text{True} \\
        \tau_k &= \frac{(1 - w) \, n}{2} + \left( k + \tfrac{1}{2} \right) \frac{w n}{L} -
        \tfrac{1}{2} && \text{for } \text{align\_corners} = \text{False}

    with :math:`n` frames before padding and the fraction :math:`w` of a central window. The second
    form is limited to :math:`[0, n - 1]` and matches :func:`torch.nn.functional.interpolate`. The
    code of CTR-GCN applies it to windows that start and end at frames, those of :obj:`crop`.

    With a frame rate :math:`r'`, it is the sample at time
    :math:`\tau_k = (1 - w)(n - 1) / 2 + k \, r / r'`, where :math:`r` is the field
    :obj:`frame_rate` of the sample, for as many frames as fit into the window. Samples of a batch
    may differ in frame rate and length; the shorter ones are padded by their last frame.

    .. code-block:: python

        transform = Compose([ResampleFrames(rate=30), CropFrames(60)])  # two seconds

    For :math:`L = 1`, the result is the middle of the window. With :obj:`num_frames`, the result
    has no padding. If a joint is missing in one of two neighbouring frames, its position is copied
    from the other. Silhouettes are copied from the nearest frame. The field :obj:`frame_rate`
    becomes the frame rate of the result.

    Args:
        num_frames (int, optional): Number of frames :math:`L`. (default: :obj:`None`)
        window (float, optional): Fraction :math:`w` of the sequence to resample.
            (default: :obj:`1.0`)
        align_corners (bool, optional): If :obj:`True`, frames are points in time and the first
            and the last frame are kept; otherwise frames are intervals. (default: :obj:`True`)
        rate (float, optional): Frames per second :math:`r'`, instead of :obj:`num_frames`.
            (default: :obj:`None`)
        crop (CropFraction, optional): Crops each sequence first. The result equals that of both
            transforms one after the other, in less time. (default: :obj:`None`)

    Raises:
        ValueError: If not exactly one of :obj:`num_frames` and :obj:`rate` is given or it is not
            positive, :obj:`window` is outside (0, 1], :obj:`align_corners` is :obj:`False` for a
            rate, or a sample has no frame rate.
    """

    def __init__(
        self,
        num_frames: int | None = None,
        window: float = 1.0,
        align_corners: bool = True,
        rate: float | None = None,
        crop: CropFraction | None = None,
    ) -> None:
        if (num_frames is None) == (rate is None):
            raise ValueError(
                f'one of num_frames and rate must be given, got {num_frames!r} and {rate!r}'
            )
        if rate is not None and not align_corners:
            raise ValueError('align_corners must be True for a rate, got False')
        self.num_frames = None if num_frames is None else check_int('num_frames', num_frames, 1)
        self.rate = None if rate is None else check_positive('rate', rate)
        if not 0 < window <= 1:
            raise ValueError(f'window must be in (0, 1], got {window!r}')
        self.window = window
        self.align_corners = align_corners
        self.crop = crop

    def forward(self, data: Data) -> Data:
        """Resamples a sample or each sample in a batch."""
        counts = num_valid_frames(data)
        first = torch.zeros_like(counts)
        if self.crop is not None:
            first, counts = self.crop.window(data)
        last = (counts - 1).to(torch.float64).unsqueeze(1)
        if self.rate is not None:
            return self._resample_to_rate(data, first, last, self.rate)
        assert self.num_frames is not None
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
        scale_frame_rate(data, span.squeeze(1), self.num_frames - int(self.align_corners))
        kept = torch.full_like(counts, self.num_frames)
        return interpolate_frames(data, time, kept, first, counts)

    def _resample_to_rate(self, data: Data, first: Tensor, last: Tensor, new_rate: float) -> Data:
        rate = data.get('frame_rate')
        if rate is None or not bool((rate > 0).all()):
            found = 'none' if rate is None else f'{rate.tolist()}'
            raise ValueError(f"a sample must have a positive field 'frame_rate', got {found}")
        ratio = rate.double().unsqueeze(1) / new_rate
        span = last * self.window
        # Single-precision frame rates such as 29.97 are not exact.
        counts = (span / ratio + 1e-4).floor().long() + 1
        step = torch.arange(int(counts.max()), device=counts.device)
        end = (last + span) / 2
        time = torch.minimum((last - span) / 2 + torch.minimum(step, counts - 1) * ratio, end)
        set_field(data, 'frame_rate', torch.full_like(rate, new_rate), per_node=False)
        return interpolate_frames(data, time, counts.squeeze(1), first, last.squeeze(1).long() + 1)

    def __repr__(self) -> str:
        length = f'rate={self.rate:g}' if self.num_frames is None else f'{self.num_frames}'
        crop = '' if self.crop is None else f', crop={self.crop}'
        return (
            f'{self.__class__.__name__}({length}, window={self.window}, '
            f'align_corners={self.align_corners}{crop})'
        )
