"""Motion backwards."""

from __future__ import annotations

import torch
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.data import num_valid_frames
from graphmotion.transforms.fields import any_field, check_probability, draw
from graphmotion.transforms.frames import take_frames


class RandomTimeReversal(BaseTransform):
    r"""Reverses the order of the frames of a sequence with a given probability.

    Frames before padding change places, frame :math:`t` with frame :math:`n - 1 - t`; padding
    stays behind them.

    Args:
        p (float, optional): The probability. (default: :obj:`0.5`)
    """

    def __init__(self, p: float = 0.5) -> None:
        self.p = check_probability('p', p)

    def forward(self, data: Data) -> Data:
        """Reverse a sample, or some of a batch."""
        counts = num_valid_frames(data).unsqueeze(1)
        frame = torch.arange(any_field(data).size(1), device=counts.device)
        reverse = (draw(data, counts, 1) < self.p) & (frame < counts)
        return take_frames(data, torch.where(reverse, counts - 1 - frame, frame))

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}(p={self.p})'
