"""Random cyclic shift in time."""

from __future__ import annotations

import torch
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.config import Configurable
from graphmotion.data import num_valid_frames
from graphmotion.transforms.fields import any_time_field, rand_per_graph
from graphmotion.transforms.frames import select_frames


class RandomTimeShift(Configurable, BaseTransform):
    r"""Shifts each sequence cyclically by a random number of frames.

    .. math::
        \mathbf{p}^{\prime}_{i,t} = \mathbf{p}_{i,(t + s) \bmod n}, \qquad
        s \sim \mathcal{U}\{0, \dots, n - 1\}

    Suitable for cyclic motion, such as gait, recorded over an integer number of cycles. Before a
    crop, it makes all phases equally likely. Padding stays at the end.

    .. code-block:: python

        data = RandomTimeShift()(SyntheticGait(num_subjects=1, num_takes=1)[0])
    """

    def forward(self, data: Data) -> Data:
        """Shifts a sample or each sample in a batch."""
        counts = num_valid_frames(data).unsqueeze(1)
        frame = torch.arange(any_time_field(data).size(1), device=counts.device)
        start = (rand_per_graph(data, counts, 1) * counts).long().clamp(max=counts - 1)
        return select_frames(data, torch.where(frame < counts, (frame + start) % counts, frame))
