"""Sequences of one length by adding frames."""

from __future__ import annotations

import torch
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.data import num_valid_frames
from graphmotion.transforms.fields import any_field, check_choice, check_count
from graphmotion.transforms.frames import PADS, take_padded


class PadFrames(BaseTransform):
    r"""Lengthens each sequence to :math:`L` frames at its end.

    Args:
        num_frames (int): Number of frames :math:`L`.
        pad (str, optional): What the added frames are:

            1. :obj:`"loop"`: the sequence from its beginning, again and again. They count as
               frames: :obj:`num_frames` becomes :math:`L`

            2. :obj:`"edge"`: the last frame. :obj:`num_frames` stays the number of frames before
               padding

            3. :obj:`"zero"`: zeros, also of the score. :obj:`num_frames` stays as well

            (default: :obj:`"loop"`)

    Raises:
        ValueError: If a sequence has more than :math:`L` frames before padding;
            :class:`CropFrames` shortens and pads.
    """

    def __init__(self, num_frames: int, pad: str = 'loop') -> None:
        self.num_frames = check_count('num_frames', num_frames)
        self.pad = check_choice('pad', pad, PADS)

    def forward(self, data: Data) -> Data:
        """Lengthen a sample, or each in a batch."""
        counts = num_valid_frames(data)
        stored = any_field(data).size(1)
        if stored > self.num_frames and int(counts.max()) > self.num_frames:
            raise ValueError(
                f'a sequence of {int(counts.max())} frames cannot be padded to '
                f'{self.num_frames}; use CropFrames to shorten and pad'
            )
        frame = torch.arange(self.num_frames, device=counts.device)
        return take_padded(data, frame.expand(counts.numel(), -1), self.pad)

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({self.num_frames}, pad={self.pad!r})'
