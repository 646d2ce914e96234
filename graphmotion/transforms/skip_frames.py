"""Sequences at a lower frame rate."""

from __future__ import annotations

import torch
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.checks import check_int
from graphmotion.config import Configurable
from graphmotion.data import num_valid_frames
from graphmotion.transforms.fields import any_time_field
from graphmotion.transforms.frames import scale_frame_rate, select_frames


class SkipFrames(Configurable, BaseTransform):
    r"""Keeps every :obj:`step`-th frame of each sequence, starting at the first one, so that a few
    frames cover a whole gait cycle. The field :obj:`frame_rate` is divided by :obj:`step`.

    .. code-block:: python

        # Eight frames out of a random window of 22.
        transform = Compose([CropFrames(22), SkipFrames(3)])

    Args:
        step (int): Distance between the kept frames.

    Raises:
        ValueError: If :obj:`step` is not a positive integer.
    """

    def __init__(self, step: int) -> None:
        self.step = check_int('step', step, 1)

    def forward(self, data: Data) -> Data:
        """Keeps some frames of a sample, or of each sample of a batch."""
        counts = num_valid_frames(data)
        frame = torch.arange(0, any_time_field(data).size(1), self.step, device=counts.device)
        kept = (counts + self.step - 1) // self.step
        scale_frame_rate(data, torch.full_like(counts, self.step), 1)
        return select_frames(data, frame.expand(counts.numel(), -1), kept)

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({self.step})'
