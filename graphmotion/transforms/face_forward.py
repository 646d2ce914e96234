"""Walks that all go the same way."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.data import batch_index, from_dense
from graphmotion.skeletons import Skeleton, get_skeleton
from graphmotion.transforms.fields import bodies, per_graph, positions, set_pos, valid_mask

_ENDS = ('ankle', 'foot')


class FaceForward(BaseTransform):
    r"""Reflects one coordinate of a walk that goes towards its negative side, so that all walks
    face the positive one.

    Some sets join recordings whose forward axes point opposite ways while their joints stay on
    the same side; Emotion-Gait does. Which way a walk goes is told by the knees, which bend
    forward:

    .. math::
        f = \sum_{\text{legs}, t} \left[\mathbf{k}_t - \mathbf{h}_t - w_t (\mathbf{a}_t -
        \mathbf{h}_t) \right]_d, \qquad
        w_t = \frac{(\mathbf{k}_t - \mathbf{h}_t)^{\top} (\mathbf{a}_t - \mathbf{h}_t)}{
        \lVert \mathbf{a}_t - \mathbf{h}_t \rVert^2}

    is how far the knees :math:`\mathbf{k}` are before the lines from the hips :math:`\mathbf{h}`
    to the ankles :math:`\mathbf{a}`. Where :math:`f < 0`, coordinate :math:`d` changes its sign.
    Legs of which a joint is missing do not count.

    A reflection makes a left body of a right one. For sets in one system of coordinates, rotate
    them instead.

    Args:
        skeleton (str or Skeleton): The layout, with joints :obj:`"left_hip"`,
            :obj:`"left_knee"`, :obj:`"left_ankle"` or :obj:`"left_foot"`, and the right ones.
        axis (int, optional): The coordinate :math:`d` along which people walk.
            (default: :obj:`2`)

    Raises:
        ValueError: If the skeleton does not have these joints, there is no such axis, or the
            number of nodes is not a multiple of the joints of the skeleton.
    """

    def __init__(self, skeleton: str | Skeleton, axis: int = 2) -> None:
        self.skeleton = get_skeleton(skeleton)
        self.axis = axis
        ends = [end for end in _ENDS if f'left_{end}' in self.skeleton.joints]
        names: Sequence[str] = ('hip', 'knee', ends[0] if ends else _ENDS[0])
        self._legs = [
            [self.skeleton.index(f'{side}_{name}') for name in names] for side in ('left', 'right')
        ]

    def forward(self, data: Data) -> Data:
        """Turn a sample, or some of a batch."""
        pos = positions(data)
        if not 0 <= self.axis < pos.size(-1):
            raise ValueError(f'axis is 0..{pos.size(-1) - 1} here, got {self.axis}')
        dense = bodies(data, pos, self.skeleton)
        seen = bodies(data, valid_mask(data), self.skeleton)
        bend = torch.stack([self._bend(dense, seen, leg) for leg in self._legs]).sum(dim=0)
        graph = batch_index(data)[:: self.skeleton.num_joints]
        backward = per_graph(data, bend, 'sum', graph) < 0
        sign = torch.ones_like(pos[0, 0])
        sign[self.axis] = -1
        turned = backward[graph].view(-1, 1, 1, 1)
        return set_pos(data, from_dense(torch.where(turned, dense * sign, dense)))

    def _bend(self, dense: Tensor, seen: Tensor, leg: list[int]) -> Tensor:
        """How far the knee of each body is before the line from hip to ankle, over all frames."""
        hip, knee, ankle = (dense[:, joint] for joint in leg)
        line, bent = ankle - hip, knee - hip
        share = (bent * line).sum(dim=-1) / (line * line).sum(dim=-1).clamp(min=1e-12)
        ahead = bent[..., self.axis] - share * line[..., self.axis]
        return (ahead * seen[:, leg].all(dim=1)).sum(dim=-1)

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({self.skeleton.name}, axis={self.axis})'
