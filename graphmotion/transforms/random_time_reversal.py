"""Random time reversal."""

from __future__ import annotations

import torch
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.checks import check_probability
from graphmotion.config import Configurable
from graphmotion.data import num_valid_frames
from graphmotion.transforms.fields import any_time_field, rand_per_graph
from graphmotion.transforms.frames import select_frames


class RandomTimeReversal(Configurable, BaseTransform):
    r"""Reverses the order of the frames of a sequence with a given probability.

    Frame :math:`t` becomes frame :math:`n - 1 - t` of the :math:`n` frames before padding;
    padding stays at the end.

    .. code-block:: python

        data = RandomTimeReversal()(SyntheticGait(num_subjects=1, num_takes=1)[0])

    Args:
        p (float, optional): Probability that a sequence is reversed. (default: :obj:`0.5`)

    Raises:
        ValueError: If :obj:`p` is outside [0, 1].
    """

    def __init__(self, p: float = 0.5) -> None:
        self.p = check_probability('p', p)

    def forward(self, data: Data) -> Data:
        """Reverses a sample, or random samples of a batch."""
        counts = num_valid_frames(data).unsqueeze(1)
        frame = torch.arange(any_time_field(data).size(1), device=counts.device)
        reverse = frame < counts
        if self.p < 1:
            reverse = reverse & (rand_per_graph(data, counts, 1) < self.p)
        return select_frames(data, torch.where(reverse, counts - 1 - frame, frame))

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}(p={self.p})'
