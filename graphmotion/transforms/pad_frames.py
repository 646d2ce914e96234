"""Sequences of one length by padding."""

from __future__ import annotations

import torch
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.checks import check_choice, check_int
from graphmotion.config import Configurable
from graphmotion.data import num_valid_frames
from graphmotion.transforms.fields import any_time_field
from graphmotion.transforms.frames import PADS, select_padded


class PadFrames(Configurable, BaseTransform):
    r"""Pads each sequence at its end to :math:`L` frames.

    .. code-block:: python

        data = SyntheticGait(num_subjects=1, num_takes=1)[0]
        print(PadFrames(60)(data).pos.shape)  # [16, 60, 3]

    Args:
        num_frames (int): Number of frames :math:`L`.
        pad (str, optional): How to fill the added frames:

            1. :obj:`"loop"`: repeats the sequence. The added frames count as frames of the
               sequence: the field :obj:`num_frames` becomes :math:`L`

            2. :obj:`"edge"`: repeats the last frame. The field :obj:`num_frames` remains the
               number of frames before padding

            3. :obj:`"zero"`: zeros, including the score. The field :obj:`num_frames` remains the
               number of frames before padding

            (default: :obj:`"loop"`)

    Raises:
        ValueError: If an argument is invalid, or a sequence has more than :math:`L` frames before
            padding; :class:`CropFrames` crops and pads.
    """

    def __init__(self, num_frames: int, pad: str = 'loop') -> None:
        self.num_frames = check_int('num_frames', num_frames, 1)
        self.pad = check_choice('pad', pad, PADS)

    def forward(self, data: Data) -> Data:
        """Pads a sample or each sample in a batch."""
        counts = num_valid_frames(data)
        stored = any_time_field(data).size(1)
        if stored > self.num_frames and int(counts.max()) > self.num_frames:
            raise ValueError(
                f'num_frames must be at least the {int(counts.max())} frames of the longest '
                f'sequence, got {self.num_frames}; CropFrames crops and pads'
            )
        frame = torch.arange(self.num_frames, device=counts.device)
        return select_padded(data, frame.expand(counts.numel(), -1), self.pad)

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({self.num_frames}, pad={self.pad!r})'
