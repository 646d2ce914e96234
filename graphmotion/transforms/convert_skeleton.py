"""Samples of one layout to another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.data import from_dense, repeat_edge_index
from graphmotion.skeletons import Skeleton, conversion_matrix, get_skeleton
from graphmotion.transforms.fields import bodies, positions, set_pos


class ConvertSkeleton(BaseTransform):
    r"""Converts samples from one joint layout to another, through joints of the same name and
    midpoints; see :func:`graphmotion.skeletons.convert`.

    :obj:`edge_index` becomes that of the target. The score of a joint made from several is the
    least of theirs, so that it is missing if one of them is. Use it before :class:`ToStream`, as
    features :obj:`x` cannot be converted.

    Args:
        source (str or Skeleton): The layout of the data.
        target (str or Skeleton): The layout wanted.
        substitutes (mapping, optional): For a target joint, the source joint, or the several
            whose mean stands for it. (default: :obj:`None`)

    Shapes:
        - **input:** :obj:`pos` :math:`(M \cdot V_{source}, T, D)`
        - **output:** :obj:`pos` :math:`(M \cdot V_{target}, T, D)`

    Raises:
        ValueError: If a target joint cannot be found, the number of nodes is not a multiple of
            the source joints, or the sample has other fields of nodes or edges.
    """

    def __init__(
        self,
        source: str | Skeleton,
        target: str | Skeleton,
        substitutes: Mapping[str, str | Sequence[str]] | None = None,
    ) -> None:
        self.source = get_skeleton(source)
        self.target = get_skeleton(target)
        self.substitutes = dict(substitutes or {})
        self._weight = conversion_matrix(self.source, self.target, substitutes)
        self._edge_index = self.target.edge_index

    def forward(self, data: Data) -> Data:
        """Convert a sample or a batch."""
        dense = bodies(data, positions(data), self.source)
        self._refuse_other_fields(data)
        weight = self._weight.to(dense)
        pos = from_dense((weight @ dense.flatten(2)).unflatten(2, dense.shape[2:]))
        score = data.get('score')
        if score is not None:
            used = weight.unsqueeze(-1) > 0
            joints = bodies(data, score, self.source).unsqueeze(1)
            data.score = from_dense(joints.masked_fill(~used, 1).amin(dim=2))
        sizes = (self.target.num_joints, self.target.num_joints)
        edge_index = repeat_edge_index(self._edge_index.to(pos.device), sizes, dense.size(0))
        data.edge_index = edge_index
        self._resize(data)
        return set_pos(data, pos)

    def _refuse_other_fields(self, data: Data) -> None:
        known = {'pos', 'score', 'edge_index', 'batch', 'ptr'}
        other = sorted(
            name
            for name in set(data.keys()) - known
            if data.is_node_attr(name) or data.is_edge_attr(name)
        )
        if other:
            raise ValueError(
                f'the fields {other} cannot be converted from {self.source.name!r} to '
                f'{self.target.name!r}; make them afterwards'
            )

    def _resize(self, data: Data) -> None:
        """Numbers of nodes and, in a batch, where the nodes and edges of each sample begin."""

        def resize(value: Any, size: int) -> Any:
            return value // self.source.num_joints * size

        num_joints = self.target.num_joints
        if 'num_nodes' in data:
            data.num_nodes = resize(data.num_nodes, num_joints)
        if hasattr(data, '_num_nodes'):  # those of each sample of a batch
            data._num_nodes = [resize(number, num_joints) for number in data._num_nodes]
        if data.get('ptr') is None:
            return
        data.batch = data.batch[:: self.source.num_joints].repeat_interleave(num_joints)
        data.ptr = resize(data.ptr, num_joints)
        slices = getattr(data, '_slice_dict', None)
        if slices is not None:
            nodes = resize(slices['pos'], num_joints)
            edges = resize(slices['pos'], self._edge_index.size(1))
            resized = {'pos': nodes, 'score': nodes, 'edge_index': edges}
            data._slice_dict = {name: resized.get(name, old) for name, old in slices.items()}
            data._inc_dict = {**data._inc_dict, 'edge_index': nodes[:-1]}

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.source.name}, {self.target.name}, '
            f'substitutes={self.substitutes})'
        )
