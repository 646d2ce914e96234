"""Conversion of skeletons to multi-scale heterogeneous graphs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor
from torch_geometric.data import Data, HeteroData
from torch_geometric.transforms import BaseTransform

from graphmotion.config import Configurable
from graphmotion.data import (
    from_dense,
    num_nodes_per_graph,
    repeat_edge_index,
    set_edges,
    set_nodes,
    to_hetero,
)
from graphmotion.skeletons import Skeleton, get_skeleton
from graphmotion.transforms.fields import get_pos, split_bodies

JOINTS = 'joints'
BONES = (JOINTS, 'bone', JOINTS)


class ToMultiScale(Configurable, BaseTransform):
    r"""Converts skeletons to heterogeneous graphs of joints and body parts.

    Each scale is a node type: :obj:`"joints"`, then, for example, :obj:`"parts10"` for a level of
    a part hierarchy with ten parts. The position of a part is the mean of its joints, at every
    scale, so that a scale does not depend on the choice of the other scales:

    .. math::
        \mathbf{p}_{A,t} = \frac{1}{|\mathcal{J}_A|} \sum_{i \in \mathcal{J}_A} \mathbf{p}_{i,t}

    with the visible joints :math:`\mathcal{J}_A` of part :math:`A`. The score of a part is the mean
    score of all its joints.

    The edge types are :obj:`(scale, "bone", scale)` and, between consecutive scales,
    :obj:`(fine, "part_of", coarse)` and :obj:`(coarse, "has_member", fine)`. Graph fields, such as
    :obj:`y` and :obj:`num_frames`, stay fields of the graph; other node and edge fields stay on
    the joints and their bones. :class:`FromMultiScale` is the inverse.

    .. note::
        PyG's convolutions treat the second dimension of :math:`(|\mathcal{V}|, T, C)` as nodes.
        For :class:`~torch_geometric.nn.conv.HeteroConv`, flatten the frames into the channels or
        permute the fields to :math:`(T, |\mathcal{V}|, C)`.

    .. code-block:: python

        data = SyntheticGait(num_subjects=1)[0]
        data = ToMultiScale('emotion_gait16', scales=(16, 10, 5))(data)
        data['parts10'].pos                               # [10, T, D]
        data['joints', 'part_of', 'parts10'].edge_index   # [2, 16]

    Args:
        skeleton (str or Skeleton): The layout.
        scales (sequence of int, optional): Number of nodes of each scale, from the joints to the
            coarsest; by default all levels of the hierarchy. (default: :obj:`None`)
        hierarchy (str, optional): Name of the part hierarchy; by default the first one of the
            skeleton. (default: :obj:`None`)

    Shapes:
        - **input:** :obj:`pos` :math:`(M \cdot V, T, D)`; :obj:`x` :math:`(M \cdot V, T, C)` and
          :obj:`score` :math:`(M \cdot V, T)`, if the sample has them
        - **output:** the same fields for each scale, where :math:`V` is its number of nodes

    Raises:
        ValueError: If the hierarchy lacks one of the scales, scales do not go from the joints to
            coarser ones, or the number of nodes is not a multiple of the joints.
    """

    def __init__(
        self,
        skeleton: str | Skeleton,
        scales: Sequence[int] | None = None,
        hierarchy: str | None = None,
    ) -> None:
        self.skeleton = get_skeleton(skeleton)
        parts = self.skeleton.hierarchy(hierarchy)
        self.hierarchy = parts.name
        self.scales = parts.sizes if scales is None else tuple(scales)
        levels = [parts.level_of(size) for size in self.scales]
        if not levels or levels[0] != 0 or levels != sorted(set(levels)):
            raise ValueError(
                f'scales must go from the {self.skeleton.num_joints} joints to coarser ones, got '
                f'{list(self.scales)}'
            )
        self.node_types = (JOINTS, *(f'parts{size}' for size in self.scales[1:]))
        self._pools = [self.skeleton.assignment(level, 0, hierarchy) for level in levels[1:]]
        self._bones = [
            self.skeleton.coarsen(level, hierarchy).edge_index if level else None
            for level in levels
        ]
        # The part of each node of the finer scale.
        self._parts = [
            self.skeleton.assignment(coarse, fine, hierarchy).argmax(dim=0)
            for fine, coarse in pairwise(levels)
        ]

    def forward(self, data: Data) -> HeteroData:
        """Converts a sample or a batch."""
        dense = split_bodies(data, get_pos(data), self.skeleton)
        num_bodies = num_nodes_per_graph(data).cpu() // self.skeleton.num_joints
        out = to_hetero(data, JOINTS, BONES)
        for size, name, pool in zip(self.scales[1:], self.node_types[1:], self._pools):
            set_nodes(out, num_bodies * size, self._pool(data, pool), name)
        self._connect(out, num_bodies, dense.device)
        return out

    def _pool(self, data: Data, pool: Tensor) -> dict[str, Tensor]:
        """Returns the fields of the parts, given the assignment of joints to parts."""
        out = {}
        score = data.get('score')
        visible = None
        if score is not None:
            dense = split_bodies(data, score, self.skeleton)
            pool = pool.to(dense)
            out['score'] = from_dense(pool @ dense) / pool.sum(1).repeat(len(dense)).unsqueeze(1)
            visible = (dense > 0).unsqueeze(-1)
        for name in ('pos', 'x'):
            value = data.get(name)
            if value is None or value.dim() != 3:
                continue
            dense = split_bodies(data, value, self.skeleton)
            pool = pool.to(dense)
            if visible is None:
                counts = pool.sum(dim=1).view(-1, 1, 1)
            else:
                dense = dense * visible
                counts = (pool @ visible.to(dense).flatten(2)).unsqueeze(-1).clamp(min=1)
            sums = (pool @ dense.flatten(2)).unflatten(2, dense.shape[2:])
            out[name] = from_dense(sums / counts)
        return out

    def _connect(self, out: HeteroData, num_bodies: Tensor, device: torch.device) -> None:
        """Adds the bones of the parts and the edges between consecutive scales."""
        total = int(num_bodies.sum())
        for size, name, bones in zip(self.scales, self.node_types, self._bones):
            if bones is not None:
                edges = repeat_edge_index(bones.to(device), size, total)
                set_edges(out, edges, num_bodies * bones.size(1), kind=(name, 'bone', name))
        steps = zip(pairwise(self.node_types), pairwise(self.scales), self._parts)
        for (fine, coarse), sizes, part in steps:
            member = torch.stack([torch.arange(sizes[0]), part]).to(device)
            member = repeat_edge_index(member, sizes, total)
            num_edges = num_bodies * sizes[0]
            set_edges(out, member, num_edges, kind=(fine, 'part_of', coarse))
            set_edges(out, member.flip(0), num_edges, kind=(coarse, 'has_member', fine))

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.skeleton.name}, scales={self.scales}, '
            f'hierarchy={self.hierarchy!r})'
        )
