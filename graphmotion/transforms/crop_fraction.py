"""Cropping of a fraction of each sequence."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.checks import check_int, check_interval
from graphmotion.config import Configurable
from graphmotion.data import num_valid_frames
from graphmotion.transforms.fields import any_time_field, rand_per_graph
from graphmotion.transforms.frames import select_frames


class CropFraction(Configurable, BaseTransform):
    r"""Crops each sequence to a fraction of its length.

    With a fixed fraction :math:`w`, :math:`\lfloor (1 - w) \, n / 2 \rfloor` of the :math:`n`
    frames before padding are removed at each end. With an interval, :math:`w` is drawn from it
    and the window of :math:`\lfloor w n \rfloor` frames starts at random. The windows of a batch
    differ in length and are padded with their last frame.

    Windows start and end at frames, as in the code of CTR-GCN; those of :class:`RandomSpeed` may
    start and end between frames. To resample the windows, pass the transform to
    :class:`ResampleFrames`, which is faster than both in turn.

    .. code-block:: python

        CropFraction(0.95)                        # the middle
        CropFraction((0.5, 1.0), min_frames=64)   # a random window

    Args:
        fraction (float or tuple): Fraction :math:`w` in (0, 1], or its interval.
        min_frames (int, optional): Minimum number of frames of a window; shorter sequences are
            not cropped. (default: :obj:`1`)

    Raises:
        ValueError: If :obj:`fraction` is outside (0, 1] or :obj:`min_frames` is not positive.
    """

    def __init__(self, fraction: float | tuple[float, float], min_frames: int = 1) -> None:
        self.random = not isinstance(fraction, (int, float))
        interval = fraction if self.random else (fraction, fraction)
        self.fraction = check_interval('fraction', interval, above=0, maximum=1)
        self.min_frames = check_int('min_frames', min_frames, 1)

    def forward(self, data: Data) -> Data:
        """Crops a sample or each sample in a batch."""
        start, length = self.window(data)
        step = torch.arange(any_time_field(data).size(1), device=start.device)
        last = (start + length - 1).unsqueeze(1)
        return select_frames(data, torch.minimum(start.unsqueeze(1) + step, last), length)

    def window(self, data: Data) -> tuple[Tensor, Tensor]:
        r"""Returns the first frame and the number of frames of the window of each graph, both
        :math:`(B)`.
        """
        counts = num_valid_frames(data)
        shortest = counts.clamp(max=self.min_frames)
        low, high = self.fraction
        if self.random:
            size, place = rand_per_graph(data, counts.double(), 2).unbind(dim=1)
            length = torch.maximum(((low + (high - low) * size) * counts).long(), shortest)
            start = (place * (counts - length + 1)).long()
        else:
            # (1 - 0.8) * 10 / 2 is slightly less than 1.
            start = ((1 - low) * counts.double() / 2 + 1e-9).long()
            start = torch.minimum(start, (counts - shortest) // 2)
            length = counts - 2 * start
        return start, length

    def __repr__(self) -> str:
        fraction = self.fraction if self.random else self.fraction[0]
        return f'{self.__class__.__name__}({fraction}, min_frames={self.min_frames})'
