"""Sequences at a lower frame rate."""

from __future__ import annotations

import torch
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.data import frame_counts
from graphmotion.transforms.fields import any_field, check_count
from graphmotion.transforms.frames import take_frames


class SkipFrames(BaseTransform):
    r"""Keeps every :obj:`step`-th frame of each sequence, from the first on: a few frames then
    cover a whole cycle of a walk.

    .. code-block:: python

        # Eight frames out of a random window of 22.
        transform = Compose([CropFrames(22), SkipFrames(3)])

    Args:
        step (int): Distance of the frames that are kept.

    Raises:
        ValueError: If :obj:`step` is not a positive integer.
    """

    def __init__(self, step: int) -> None:
        self.step = check_count('step', step)

    def forward(self, data: Data) -> Data:
        """Keep some frames of a sample, or of each in a batch."""
        counts = frame_counts(data)
        frame = torch.arange(0, any_field(data).size(1), self.step, device=counts.device)
        kept = (counts + self.step - 1) // self.step
        return take_frames(data, frame.expand(len(counts), -1), kept)

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({self.step})'
