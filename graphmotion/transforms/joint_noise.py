"""Gaussian noise on joint positions."""

from __future__ import annotations

import torch
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.checks import check_number
from graphmotion.config import Configurable
from graphmotion.transforms.fields import get_pos, set_pos


class JointNoise(Configurable, BaseTransform):
    r"""Adds Gaussian noise to the positions.

    One noise is drawn for each joint and frame, another for each joint, the same in all frames:

    .. math::
        \mathbf{p}'_{i,t} = \mathbf{p}_{i,t} + \sigma \boldsymbol{\epsilon}_{i,t}
        + \sigma_J \boldsymbol{\eta}_i, \qquad
        \boldsymbol{\epsilon}, \boldsymbol{\eta} \sim \mathcal{N}(0, \mathbf{I})

    Missing joints stay at zero. Both kinds are used by the `"GaitMixer: Skeleton-based Gait
    Representation Learning via Wide-spectrum Multi-axial Mixer"
    <https://arxiv.org/abs/2210.15491>`_ paper.

    .. code-block:: python

        data = JointNoise(std=0.01)(SyntheticGait(num_subjects=1, num_takes=1)[0])

    Args:
        std (float, optional): Standard deviation :math:`\sigma` of the noise per joint and frame,
            in the unit of the positions. (default: :obj:`0.0`)
        joint_std (float, optional): Standard deviation :math:`\sigma_J` of the noise per joint.
            (default: :obj:`0.0`)

    Raises:
        ValueError: If a standard deviation is negative.
    """

    def __init__(self, std: float = 0.0, joint_std: float = 0.0) -> None:
        self.std = check_number('std', std, 0)
        self.joint_std = check_number('joint_std', joint_std, 0)

    def forward(self, data: Data) -> Data:
        """Adds noise to a sample or a batch."""
        pos = get_pos(data)
        if not self.std and not self.joint_std:
            return data
        noisy = torch.randn_like(pos).mul_(self.std).add_(pos) if self.std else pos.clone()
        if self.joint_std:
            noisy += torch.randn_like(pos[:, :1]).mul_(self.joint_std)
        return set_pos(data, noisy)

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}(std={self.std}, joint_std={self.joint_std})'
