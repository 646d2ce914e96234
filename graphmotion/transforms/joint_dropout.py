"""Random dropout of joints."""

from __future__ import annotations

import torch
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.checks import check_probability
from graphmotion.config import Configurable
from graphmotion.transforms.fields import drop_joints, get_pos


class JointDropout(Configurable, BaseTransform):
    r"""Makes random joints missing by setting their position and score to zero.

    Samples without the field :obj:`score` get one, with a score of 1 for the remaining joints.

    .. code-block:: python

        data = JointDropout(p=0.2)(SyntheticGait(num_subjects=1, num_takes=1)[0])

    Args:
        p (float, optional): Probability that a joint is dropped. (default: :obj:`0.1`)
        per_frame (bool, optional): If :obj:`True`, joints are dropped independently in each
            frame; otherwise from all frames of the sequence. (default: :obj:`False`)

    Raises:
        ValueError: If :obj:`p` is outside [0, 1].
    """

    def __init__(self, p: float = 0.1, per_frame: bool = False) -> None:
        self.p = check_probability('p', p)
        self.per_frame = per_frame

    def forward(self, data: Data) -> Data:
        """Drops joints of a sample or a batch."""
        pos = get_pos(data)
        num_draws = pos.size(1) if self.per_frame else 1
        dropped = torch.rand(pos.size(0), num_draws, device=pos.device) < self.p
        return drop_joints(data, dropped)

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}(p={self.p}, per_frame={self.per_frame})'
