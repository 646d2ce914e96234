"""Conversion of samples between joint layouts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.config import Configurable
from graphmotion.data import (
    field_names,
    from_dense,
    num_nodes_per_graph,
    repeat_edge_index,
    set_edges,
    set_nodes,
)
from graphmotion.skeletons import Skeleton, conversion_matrix, get_skeleton
from graphmotion.transforms.fields import get_pos, set_pos, split_bodies


class ConvertSkeleton(Configurable, BaseTransform):
    r"""Converts samples from one joint layout to another.

    Target joints are source joints of the same name or midpoints of source joints; see
    :func:`graphmotion.skeletons.convert`. :obj:`edge_index` is replaced by the bones of the
    target. The score of a joint computed from several is their minimum, so that it is missing if
    one of them is. Apply it before :class:`ToStream`, as features :obj:`x` cannot be converted.

    .. code-block:: python

        data = from_array(np.random.rand(30, 25, 2), 'body25', axes='TVC')
        data = ConvertSkeleton('body25', 'coco17')(data)
        print(data.pos.shape)  # [17, 30, 2]

    Args:
        source (str or Skeleton): The layout of the data.
        target (str or Skeleton): The layout to convert to.
        substitutes (mapping, optional): For a target joint, the source joint or the source joints
            whose mean replaces it. (default: :obj:`None`)

    Shapes:
        - **input:** :obj:`pos` :math:`(M \cdot V_{source}, T, D)`
        - **output:** :obj:`pos` :math:`(M \cdot V_{target}, T, D)`

    Raises:
        ValueError: If a target joint has no source, the number of nodes is not a multiple of the
            source joints, or the sample has other node or edge fields.
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
        """Converts a sample or a batch."""
        dense = split_bodies(data, get_pos(data), self.source)
        self._reject_other_fields(data)
        weight = self._weight.to(dense)
        fields = {'pos': from_dense((weight @ dense.flatten(2)).unflatten(2, dense.shape[2:]))}
        score = data.get('score')
        if score is not None:
            used = weight.unsqueeze(-1) > 0
            joints = split_bodies(data, score, self.source).unsqueeze(1)
            fields['score'] = from_dense(joints.masked_fill(~used, 1).amin(dim=2))
        num_bodies = num_nodes_per_graph(data).cpu() // self.source.num_joints
        num_joints = self.target.num_joints
        set_nodes(data, num_bodies * num_joints, fields)
        bones = self._edge_index.to(dense.device)
        edge_index = repeat_edge_index(bones, num_joints, dense.size(0))
        set_edges(data, edge_index, num_bodies * bones.size(1))
        return set_pos(data, data.pos)

    def _reject_other_fields(self, data: Data) -> None:
        other = sorted(
            name
            for name in field_names(data) - {'pos', 'score', 'edge_index'}
            if data.is_node_attr(name) or data.is_edge_attr(name)
        )
        if other:
            raise ValueError(
                f'fields {other} cannot be converted from {self.source.name!r} to '
                f'{self.target.name!r}; add them after the conversion'
            )

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.source.name}, {self.target.name}, '
            f'substitutes={self.substitutes})'
        )
