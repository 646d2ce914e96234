"""Alignment of the walking direction of all samples."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.config import Configurable
from graphmotion.data import batch_index, from_dense
from graphmotion.skeletons import Skeleton, get_skeleton
from graphmotion.transforms.fields import (
    get_pos,
    reduce_per_graph,
    set_pos,
    split_bodies,
    valid_mask,
)

_LEG_ENDS = ('ankle', 'foot')


class AlignHeading(Configurable, BaseTransform):
    r"""Aligns the walking direction of all samples with the positive side of one axis.

    Walks towards the negative side are reflected. Some datasets, such as Emotion-Gait, combine
    recordings whose forward axes have opposite directions while left and right joints stay on the
    same side. The direction is inferred from the knees, which bend forward:

    .. math::
        f = \sum_{\text{legs}, t} \left[\mathbf{k}_t - \mathbf{h}_t - w_t (\mathbf{a}_t -
        \mathbf{h}_t) \right]_d, \qquad
        w_t = \frac{(\mathbf{k}_t - \mathbf{h}_t)^{\top} (\mathbf{a}_t - \mathbf{h}_t)}{
        \lVert \mathbf{a}_t - \mathbf{h}_t \rVert^2}

    is the distance of the knees :math:`\mathbf{k}` in front of the lines from the hips
    :math:`\mathbf{h}` to the ankles :math:`\mathbf{a}`. If :math:`f < 0`, coordinate :math:`d`
    changes its sign. Legs with a missing joint are ignored.

    A reflection also swaps the two sides of the body. If all recordings share one coordinate
    system, rotate them instead.

    .. code-block:: python

        data = SyntheticGait(num_subjects=1, num_takes=1)[0]
        data = AlignHeading('emotion_gait16')(data)  # walks towards positive z

    Args:
        skeleton (str or Skeleton): The layout, with joints :obj:`"left_hip"`,
            :obj:`"left_knee"`, :obj:`"left_ankle"` or :obj:`"left_foot"`, and the right ones.
        axis (int, optional): Axis :math:`d` along which people walk. (default: :obj:`2`)

    Raises:
        ValueError: If the skeleton lacks one of these joints, the axis is out of range, or the
            number of nodes is not a multiple of the joints of the skeleton.
    """

    def __init__(self, skeleton: str | Skeleton, axis: int = 2) -> None:
        self.skeleton = get_skeleton(skeleton)
        self.axis = axis
        ends = [end for end in _LEG_ENDS if f'left_{end}' in self.skeleton.joints]
        names: Sequence[str] = ('hip', 'knee', ends[0] if ends else _LEG_ENDS[0])
        self._legs = [
            [self.skeleton.index(f'{side}_{name}') for name in names] for side in ('left', 'right')
        ]

    def forward(self, data: Data) -> Data:
        """Aligns a sample or each sample in a batch."""
        pos = get_pos(data)
        if not 0 <= self.axis < pos.size(-1):
            raise ValueError(f'axis must be in [0, {pos.size(-1) - 1}], got {self.axis}')
        dense = split_bodies(data, pos, self.skeleton)
        visible = split_bodies(data, valid_mask(data), self.skeleton)
        bend = torch.stack([self._bend(dense, visible, leg) for leg in self._legs]).sum(dim=0)
        graph = batch_index(data)[:: self.skeleton.num_joints]
        backward = reduce_per_graph(data, bend, 'sum', graph) < 0
        sign = torch.ones_like(pos[0, 0])
        sign[self.axis] = -1
        reflected = backward[graph].view(-1, 1, 1, 1)
        return set_pos(data, from_dense(torch.where(reflected, dense * sign, dense)))

    def _bend(self, dense: Tensor, visible: Tensor, leg: list[int]) -> Tensor:
        """Sums the distance of each body's knee in front of the hip-ankle line over all frames."""
        hip, knee, ankle = (dense[:, joint] for joint in leg)
        line, thigh = ankle - hip, knee - hip
        weight = (thigh * line).sum(dim=-1) / (line * line).sum(dim=-1).clamp(min=1e-12)
        ahead = thigh[..., self.axis] - weight * line[..., self.axis]
        return (ahead * visible[:, leg].all(dim=1)).sum(dim=-1)

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({self.skeleton.name}, axis={self.axis})'
