"""Joints that are not seen."""

from __future__ import annotations

import torch
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.transforms.fields import check_probability, drop_joints, positions


class JointDropout(BaseTransform):
    r"""Makes joints missing at random: their position and their score become zero.

    A sample without the field :obj:`score` gets one, with one for the joints that are left.

    Args:
        p (float, optional): The probability of each joint to be dropped. (default: :obj:`0.1`)
        per_frame (bool, optional): If set to :obj:`True`, it is drawn for each joint in each
            frame; a joint is else dropped from the whole sequence. (default: :obj:`False`)
    """

    def __init__(self, p: float = 0.1, per_frame: bool = False) -> None:
        self.p = check_probability('p', p)
        self.per_frame = per_frame

    def forward(self, data: Data) -> Data:
        """Drop joints of a sample or a batch."""
        pos = positions(data)
        num_draws = pos.size(1) if self.per_frame else 1
        dropped = torch.rand(pos.size(0), num_draws, device=pos.device) < self.p
        return drop_joints(data, dropped)

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}(p={self.p}, per_frame={self.per_frame})'
