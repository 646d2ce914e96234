"""Cyclic motion begun at another moment."""

from __future__ import annotations

import torch
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.data import num_valid_frames
from graphmotion.transforms.fields import any_field, draw
from graphmotion.transforms.frames import take_frames


class RandomTimeShift(BaseTransform):
    r"""Begins a sequence at a random one of its frames and lets what was before follow its end.

    .. math::
        \mathbf{p}^{\prime}_{i,t} = \mathbf{p}_{i,(t + s) \bmod n}, \qquad
        s \sim \mathcal{U}\{0, \dots, n - 1\}

    For motion that is cyclic and recorded over about whole cycles, such as gaits. Before a crop it
    makes every phase as likely as any other to be seen. Padding stays behind the sequence.
    """

    def forward(self, data: Data) -> Data:
        """Shift a sample, or each one of a batch."""
        counts = num_valid_frames(data).unsqueeze(1)
        frame = torch.arange(any_field(data).size(1), device=counts.device)
        start = (draw(data, counts, 1) * counts).long().clamp(max=counts - 1)
        return take_frames(data, torch.where(frame < counts, (frame + start) % counts, frame))
