"""Input features of skeleton models."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.checks import check_choice
from graphmotion.config import Configurable
from graphmotion.data import from_dense, set_field, valid_frames
from graphmotion.skeletons import Skeleton, get_skeleton
from graphmotion.transforms.fields import get_pos, split_bodies

STREAMS = ('joint', 'bone', 'joint_motion', 'bone_motion', 'joint_speed', 'bone_length')
# Streams of one channel, the norms of another stream.
_NORMS = {'joint_speed': 'joint_motion', 'bone_length': 'bone'}


class ToStream(Configurable, BaseTransform):
    r"""Computes the features :obj:`x`, one or more streams of skeleton models, from the positions.

    .. math::
        \text{joint:}\quad & \mathbf{x}_{i,t} = \mathbf{p}_{i,t} \\
        \text{bone:}\quad & \mathbf{x}_{i,t} = \mathbf{p}_{i,t} - \mathbf{p}_{\pi(i),t} \\
        \text{joint\_motion:}\quad & \mathbf{x}_{i,t} = \mathbf{p}_{i,t+1} - \mathbf{p}_{i,t} \\
        \text{bone\_motion:}\quad & \mathbf{x}_{i,t} = (\mathbf{p}_{i,t+1} -
        \mathbf{p}_{\pi(i),t+1}) - (\mathbf{p}_{i,t} - \mathbf{p}_{\pi(i),t}) \\
        \text{joint\_speed:}\quad & x_{i,t} = \lVert \mathbf{p}_{i,t+1} - \mathbf{p}_{i,t} \rVert \\
        \text{bone\_length:}\quad & x_{i,t} = \lVert \mathbf{p}_{i,t} - \mathbf{p}_{\pi(i),t} \rVert

    where :math:`\pi(i)` is the parent of joint :math:`i`, its neighbour towards the centre. The
    bone of the centre, the motion in the last frame, and bones and motion of missing joints are
    zero. Several streams are concatenated. The first four are those of the `"Skeleton-Based Action
    Recognition with Multi-Stream Adaptive Graph Convolutional Networks"
    <https://arxiv.org/abs/1912.06971>`_ paper.

    Apply it after the transforms that change :obj:`pos`, which do not update :obj:`x`.

    .. code-block:: python

        data = SyntheticGait(num_subjects=1, num_takes=1)[0]
        data = ToStream(['joint', 'bone'], 'emotion_gait16')(data)
        print(data.x.shape)  # [16, 48, 6]

    Args:
        stream (str or sequence of str): One or more of :obj:`"joint"`, :obj:`"bone"`,
            :obj:`"joint_motion"`, :obj:`"bone_motion"`, :obj:`"joint_speed"` and
            :obj:`"bone_length"`, in the order of their channels.
        skeleton (str or Skeleton, optional): The layout; required for bones. The published bone
            streams of NTU RGB+D use :obj:`"ntu25_st_gcn"`. (default: :obj:`None`)
        score (bool, optional): If :obj:`True`, appends the score as the last channel, 1 if the
            sample has none. (default: :obj:`False`)

    Shapes:
        - **pos:** :math:`(|\mathcal{V}|, T, D)`
        - **x:** :math:`(|\mathcal{V}|, T, C)`, with :math:`C` from :meth:`num_channels`:
          :math:`D` for each stream, 1 for speed, length and score

    Raises:
        ValueError: If a stream is unknown, a stream of bones has no skeleton or one whose bones do
            not form a tree, or the number of nodes is not a multiple of the joints of the
            skeleton.
    """

    def __init__(
        self,
        stream: str | Sequence[str],
        skeleton: str | Skeleton | None = None,
        score: bool = False,
    ) -> None:
        streams = (stream,) if isinstance(stream, str) else tuple(stream)
        if not streams:
            raise ValueError(f'stream must be one or more of {list(STREAMS)}, got none')
        self.streams = tuple(check_choice('stream', name, STREAMS) for name in streams)
        self.skeleton = None if skeleton is None else get_skeleton(skeleton)
        self.score = score
        if any(name.startswith('bone') for name in self.streams):
            if self.skeleton is None:
                raise ValueError(
                    f'skeleton must be given for the streams {list(self.streams)}, got None'
                )
            self._parents = torch.tensor(self.skeleton.parents)

    def forward(self, data: Data) -> Data:
        """Computes the features of a sample or a batch."""
        pos = get_pos(data)
        score = data.get('score')
        missing = None if score is None else score == 0
        features: dict[str, tuple[Tensor, Tensor | None]] = {'joint': (pos, missing)}
        if any(name.startswith('bone') for name in self.streams):
            features['bone'] = self._bone(data, pos, missing)
        for name in {_NORMS.get(name, name) for name in self.streams} - features.keys():
            source = features['bone' if name == 'bone_motion' else 'joint']
            features[name] = self._motion(data, *source)
        for name in set(self.streams) & _NORMS.keys():
            features[name] = features[_NORMS[name]][0].norm(dim=-1, keepdim=True), None
        parts = [features[name][0] for name in self.streams]
        if self.score:
            parts.append((pos.new_ones(pos.shape[:2]) if score is None else score).unsqueeze(-1))
        set_field(data, 'x', parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1))
        return data

    def num_channels(self, num_dims: int) -> int:
        r"""Returns the number of channels of :obj:`x` for :math:`D` = :obj:`num_dims`."""
        return sum(1 if name in _NORMS else num_dims for name in self.streams) + self.score

    def _bone(
        self, data: Data, pos: Tensor, missing: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        assert self.skeleton is not None
        parents = self._parents.to(pos.device)
        dense = split_bodies(data, pos, self.skeleton)
        bone = from_dense(dense - dense.index_select(1, parents))
        if missing is not None:
            missing = missing | from_dense(split_bodies(data, missing, self.skeleton)[:, parents])
            bone.masked_fill_(missing.unsqueeze(-1), 0)
        return bone, missing

    def _motion(
        self, data: Data, value: Tensor, missing: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        motion = torch.diff(value, dim=1, append=value[:, -1:])
        masked = missing
        if missing is not None:
            masked = missing | torch.cat([missing[:, 1:], missing[:, -1:]], dim=1)
        if data.get('num_frames') is not None:
            last = ~valid_frames(data, value.size(1)).roll(-1, dims=1)
            masked = last if masked is None else masked | last
        if masked is not None:
            motion.masked_fill_(masked.unsqueeze(-1), 0)
        return motion, masked

    def __repr__(self) -> str:
        name = None if self.skeleton is None else self.skeleton.name
        return f'{self.__class__.__name__}({list(self.streams)}, {name}, score={self.score})'
