"""Normalisation of positions by body size."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.config import Configurable
from graphmotion.data import batch_index
from graphmotion.skeletons import Skeleton, get_skeleton
from graphmotion.transforms.fields import (
    get_pos,
    joint_indices,
    reduce_per_graph,
    split_bodies,
    valid_mask,
)


class ScaleByBodySize(Configurable, BaseTransform):
    r"""Divides the positions by the size of the body.

    The size is the mean bone length, or the length of one given segment. Each length is first
    averaged over the frames :math:`\mathcal{T}_b` in which both ends are visible:

    .. math::
        s = \frac{1}{|\mathcal{B}|} \sum_{b = (i, j) \in \mathcal{B}}
        \frac{1}{|\mathcal{T}_b|} \sum_{t \in \mathcal{T}_b}
        {\| \mathbf{p}_{i,t} - \mathbf{p}_{j,t} \|}_2, \qquad
        \mathbf{p}'_{i,t} = \mathbf{p}_{i,t} / s.

    The result does not depend on the unit of the positions, and the size is invariant to
    translation, rotation, mirroring and time reversal of the body. Padding, missing joints and
    segments of zero length, such as those of an absent second person, are ignored. All people of a
    sample are divided by the mean of their sizes, which keeps the proportions of the distance
    between them. Samples without a segment of positive length do not change.

    Positions are scaled about the origin; centre them first, e.g. with :class:`CenterJoint`.

    .. code-block:: python

        data = ScaleByBodySize('emotion_gait16')(SyntheticGait(num_subjects=1, num_takes=1)[0])

    Args:
        skeleton (str or Skeleton): The layout.
        between (tuple, optional): The two ends of a segment whose length is the size; by default
            the bones. Each end is a joint or several joints whose mean is the end, e.g.
            :obj:`(("left_shoulder", "right_shoulder"), ("left_hip", "right_hip"))` for the trunk.
            (default: :obj:`None`)

    Raises:
        ValueError: If a joint is unknown, or the number of nodes is not a multiple of the joints
            of the skeleton.
    """

    def __init__(
        self,
        skeleton: str | Skeleton,
        between: Sequence[str | int | Sequence[str | int]] | None = None,
    ) -> None:
        self.skeleton = get_skeleton(skeleton)
        self.between = between
        if between is not None and (isinstance(between, str) or len(between) != 2):
            raise ValueError(f'between must be the two ends of a segment, got {between!r}')
        segments: Sequence = self.skeleton.bones if between is None else [between]
        size = len(segments), self.skeleton.num_joints
        self._difference = torch.zeros(size, dtype=torch.float64)
        self._used = torch.zeros_like(self._difference)
        for row, ends in enumerate(segments):
            for end, sign in zip(ends, (1, -1)):
                joints = joint_indices(self.skeleton, end)
                self._difference[row, joints] += sign / len(joints)
                self._used[row, joints] = 1

    def forward(self, data: Data) -> Data:
        """Scales a sample or each sample in a batch."""
        pos = get_pos(data)
        dense = split_bodies(data, pos, self.skeleton)
        segment = self._difference.to(pos) @ dense.flatten(2)
        length = segment.unflatten(2, dense.shape[2:]).norm(dim=-1)
        absent = split_bodies(data, ~valid_mask(data), self.skeleton).to(pos.dtype)
        counts = (self._used.to(pos) @ absent == 0) & (length > 0)
        frames = counts.sum(dim=2)
        length = (length * counts).sum(dim=2) / frames.clamp(min=1)
        # Sums over the segments of each body, then over the bodies of each graph.
        graph = batch_index(data)[:: self.skeleton.num_joints]
        sums = torch.stack([length.sum(dim=1), (frames > 0).sum(dim=1).to(pos)], dim=1)
        total, number = reduce_per_graph(data, sums, 'sum', graph).unbind(dim=1)
        size = torch.where(total > 0, total / number, 1.0)
        data.pos = pos / size[batch_index(data)].view(-1, 1, 1)
        return data

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({self.skeleton.name}, between={self.between})'
