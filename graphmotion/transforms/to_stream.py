"""Positions to the features that a model reads."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.data import from_dense, set_field, valid_frames
from graphmotion.skeletons import Skeleton, get_skeleton
from graphmotion.transforms.fields import bodies, check_choice, positions

STREAMS = ('joint', 'bone', 'joint_motion', 'bone_motion', 'joint_speed', 'bone_length')
# Of one channel: the length of the vectors of another.
_LENGTHS = {'joint_speed': 'joint_motion', 'bone_length': 'bone'}


class ToStream(BaseTransform):
    r"""Makes the features :obj:`x` from the positions: one of the four streams of skeleton models,
    the speed of the joints, the length of the bones, or several of them concatenated.

    .. math::
        \text{joint:}\quad & \mathbf{x}_{i,t} = \mathbf{p}_{i,t} \\
        \text{bone:}\quad & \mathbf{x}_{i,t} = \mathbf{p}_{i,t} - \mathbf{p}_{\pi(i),t} \\
        \text{joint\_motion:}\quad & \mathbf{x}_{i,t} = \mathbf{p}_{i,t+1} - \mathbf{p}_{i,t} \\
        \text{bone\_motion:}\quad & \text{the same of the bones} \\
        \text{joint\_speed:}\quad & x_{i,t} = \lVert \mathbf{p}_{i,t+1} - \mathbf{p}_{i,t} \rVert \\
        \text{bone\_length:}\quad & x_{i,t} = \lVert \mathbf{p}_{i,t} - \mathbf{p}_{\pi(i),t} \rVert

    where :math:`\pi(i)` is the parent of joint :math:`i`, its neighbour towards the centre. The
    bone of the centre and the motion in the last frame are zero, and so is what would be measured
    from or to a missing joint. Streams of two people are each person's own. See `"Skeleton-Based
    Action Recognition with Multi-Stream Adaptive Graph Convolutional Networks"
    <https://arxiv.org/abs/1912.06971>`_.

    Use it after the transforms that change :obj:`pos`, as those leave :obj:`x` as it is.

    Args:
        stream (str or sequence of str): :obj:`"joint"`, :obj:`"bone"`, :obj:`"joint_motion"`,
            :obj:`"bone_motion"`, :obj:`"joint_speed"`, :obj:`"bone_length"`, or several of them,
            in the order of their channels.
        skeleton (str or Skeleton, optional): The layout; needed for bones. The published bone
            streams of NTU RGB+D are those of :obj:`"ntu25_st_gcn"`. (default: :obj:`None`)
        score (bool, optional): If set to :obj:`True`, the score is the last channel; one if the
            sample has none. (default: :obj:`False`)

    Shapes:
        - **pos:** :math:`(|\mathcal{V}|, T, D)`
        - **x:** :math:`(|\mathcal{V}|, T, C)`, where each stream has :math:`D` channels, the
          speed and the length one, and the score one; :meth:`num_channels` adds them up

    Raises:
        ValueError: If a stream is unknown, bones are wanted without a skeleton, or the number of
            nodes is not a multiple of the joints of the skeleton.
    """

    def __init__(
        self,
        stream: str | Sequence[str],
        skeleton: str | Skeleton | None = None,
        score: bool = False,
    ) -> None:
        streams = (stream,) if isinstance(stream, str) else tuple(stream)
        if not streams:
            raise ValueError(f'stream is one or several of {list(STREAMS)}, got none')
        self.streams = tuple(check_choice('stream', name, STREAMS) for name in streams)
        self.skeleton = None if skeleton is None else get_skeleton(skeleton)
        self.score = score
        if self.skeleton is None:
            if any(name.startswith('bone') for name in self.streams):
                raise ValueError(f'the streams {list(self.streams)} need a skeleton, got none')
        else:
            self._parents = torch.tensor(self.skeleton.parents)

    def forward(self, data: Data) -> Data:
        """Make the features of a sample or a batch."""
        pos = positions(data)
        score = data.get('score')
        missing = None if score is None else score == 0
        made: dict[str, tuple[Tensor, Tensor | None]] = {'joint': (pos, missing)}
        if any(name.startswith('bone') for name in self.streams):
            made['bone'] = self._bone(data, pos, missing)
        for name in {_LENGTHS.get(name, name) for name in self.streams} - made.keys():
            made[name] = self._motion(data, *made['bone' if name == 'bone_motion' else 'joint'])
        for name in set(self.streams) & _LENGTHS.keys():
            made[name] = made[_LENGTHS[name]][0].norm(dim=-1, keepdim=True), None
        parts = [made[name][0] for name in self.streams]
        if self.score:
            parts.append((pos.new_ones(pos.shape[:2]) if score is None else score).unsqueeze(-1))
        set_field(data, 'x', parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1))
        return data

    def num_channels(self, num_dims: int) -> int:
        r"""The number of channels that :obj:`x` gets from coordinates of :math:`D` dimensions."""
        return sum(1 if name in _LENGTHS else num_dims for name in self.streams) + self.score

    def _bone(
        self, data: Data, pos: Tensor, missing: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        assert self.skeleton is not None
        parents = self._parents.to(pos.device)
        dense = bodies(data, pos, self.skeleton)
        bone = from_dense(dense - dense[:, parents])
        if missing is not None:
            missing = missing | from_dense(bodies(data, missing, self.skeleton)[:, parents])
            bone.masked_fill_(missing.unsqueeze(-1), 0)
        return bone, missing

    def _motion(
        self, data: Data, value: Tensor, missing: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        motion = torch.diff(value, dim=1, append=value[:, -1:])
        nothing = missing
        if missing is not None:
            nothing = missing | torch.cat([missing[:, 1:], missing[:, -1:]], dim=1)
        if data.get('num_frames') is not None:
            still = ~valid_frames(data, value.size(1)).roll(-1, dims=1)
            nothing = still if nothing is None else nothing | still
        if nothing is not None:
            motion.masked_fill_(nothing.unsqueeze(-1), 0)
        return motion, nothing

    def __repr__(self) -> str:
        name = None if self.skeleton is None else self.skeleton.name
        return f'{self.__class__.__name__}({list(self.streams)}, {name}, score={self.score})'
