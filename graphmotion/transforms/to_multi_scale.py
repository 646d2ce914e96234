"""Skeletons at several scales, as heterogeneous graphs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor
from torch_geometric.data import Data, HeteroData
from torch_geometric.transforms import BaseTransform

from graphmotion.data import (
    from_dense,
    num_nodes_per_graph,
    repeat_edge_index,
    set_edges,
    set_nodes,
    to_hetero,
)
from graphmotion.skeletons import Skeleton, get_skeleton
from graphmotion.transforms.fields import bodies, positions

JOINTS = 'joints'
BONES = (JOINTS, 'bone', JOINTS)


class ToMultiScale(BaseTransform):
    r"""Makes a heterogeneous graph with the body at several scales: its joints, and the parts of
    levels of a part hierarchy.

    Each scale is a node type: :obj:`"joints"`, then :obj:`"parts10"` for a level of ten parts,
    and so on. A part is the mean of its joints, pooled from the joints and not from the scale
    before, so that a scale does not depend on which others there are:

    .. math::
        \mathbf{p}_{A,t} = \frac{1}{|\mathcal{J}_A|} \sum_{i \in \mathcal{J}_A} \mathbf{p}_{i,t}

    with the joints of the part :math:`A` that are not missing; its score is the mean of all of
    its joints' scores.

    The edge types are :obj:`(scale, "bone", scale)` and, between one scale and the next,
    :obj:`(fine, "part_of", coarse)` and :obj:`(coarse, "has_member", fine)`. Fields of graphs,
    such as :obj:`y` and :obj:`num_frames`, stay fields of the graph; other fields of nodes and
    edges stay on the joints and their bones. :class:`FromMultiScale` is the inverse.

    .. note::
        PyG's convolutions take frames for nodes in :math:`(|\mathcal{V}|, T, C)`. Flatten the
        frames into the channels for :class:`~torch_geometric.nn.conv.HeteroConv`, or move them to
        the front: :math:`(T, |\mathcal{V}|, C)`.

    .. code-block:: python

        data = ToMultiScale('emotion_gait16', scales=(16, 10, 5))(data)
        data['parts10'].pos                               # [10, T, D]
        data['joints', 'part_of', 'parts10'].edge_index   # [2, 16]

    Args:
        skeleton (str or Skeleton): The layout.
        scales (sequence of int, optional): Number of nodes of each scale, from the joints to the
            coarsest; by default all levels of the hierarchy. (default: :obj:`None`)
        hierarchy (str, optional): The name of the part hierarchy; by default the first one of the
            skeleton. (default: :obj:`None`)

    Shapes:
        - **input:** :obj:`pos` :math:`(M \cdot V, T, D)`; :obj:`x` :math:`(M \cdot V, T, C)` and
          :obj:`score` :math:`(M \cdot V, T)` where the sample has them
        - **output:** the same fields for each scale, with its number of nodes for :math:`V`

    Raises:
        ValueError: If the hierarchy has no such scale, scales do not begin with the joints or do
            not become coarser, or the number of nodes is not a multiple of the joints.
    """

    def __init__(
        self,
        skeleton: str | Skeleton,
        scales: Sequence[int] | None = None,
        hierarchy: str | None = None,
    ) -> None:
        self.skeleton = get_skeleton(skeleton)
        chosen = self.skeleton.hierarchy(hierarchy)
        self.hierarchy = chosen.name
        self.scales = chosen.sizes if scales is None else tuple(scales)
        levels = [chosen.level_of(size) for size in self.scales]
        if not levels or levels[0] != 0 or levels != sorted(set(levels)):
            raise ValueError(
                f'scales begin with the {self.skeleton.num_joints} joints and become coarser, '
                f'got {list(self.scales)}'
            )
        self.node_types = (JOINTS, *(f'parts{size}' for size in self.scales[1:]))
        self._pools = [self.skeleton.assignment(level, 0, hierarchy) for level in levels[1:]]
        self._bones = [
            self.skeleton.coarsen(level, hierarchy).edge_index if level else None
            for level in levels
        ]
        # Column by column: the part that each node of the finer scale belongs to.
        self._parts = [
            self.skeleton.assignment(coarse, fine, hierarchy).argmax(dim=0)
            for fine, coarse in pairwise(levels)
        ]

    def forward(self, data: Data) -> HeteroData:
        """Make the multi-scale graph of a sample or a batch."""
        dense = bodies(data, positions(data), self.skeleton)
        num_bodies = num_nodes_per_graph(data).cpu() // self.skeleton.num_joints
        out = to_hetero(data, JOINTS, BONES)
        for size, name, pool in zip(self.scales[1:], self.node_types[1:], self._pools):
            set_nodes(out, num_bodies * size, self._pool(data, pool.to(dense)), name)
        self._connect(out, num_bodies, dense.device)
        return out

    def _pool(self, data: Data, pool: Tensor) -> dict[str, Tensor]:
        """The fields of the parts, ``pool`` being the assignment of joints to them."""
        out = {}
        score = data.get('score')
        seen = None
        if score is not None:
            dense = bodies(data, score, self.skeleton)
            out['score'] = from_dense(pool @ dense) / pool.sum(1).repeat(len(dense)).unsqueeze(1)
            seen = (dense > 0).to(pool.dtype).unsqueeze(-1)
        for name in ('pos', 'x'):
            value = data.get(name)
            if value is None or value.dim() != 3:
                continue
            dense = bodies(data, value, self.skeleton)
            if seen is None:
                counts = pool.sum(dim=1).view(-1, 1, 1)
            else:
                dense = dense * seen
                counts = (pool @ seen.flatten(2)).unsqueeze(-1).clamp(min=1)
            sums = (pool @ dense.flatten(2)).unflatten(2, dense.shape[2:])
            out[name] = from_dense(sums / counts)
        return out

    def _connect(self, out: HeteroData, num_bodies: Tensor, device: torch.device) -> None:
        """Sets the bones of the parts, and the edges between one scale and the next."""
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
