"""Conversion of multi-scale graphs to skeleton samples."""

from __future__ import annotations

from torch_geometric.data import Data, HeteroData
from torch_geometric.transforms import BaseTransform

from graphmotion.config import Configurable
from graphmotion.data import from_hetero
from graphmotion.transforms.to_multi_scale import BONES, JOINTS


class FromMultiScale(Configurable, BaseTransform):
    r"""Converts multi-scale graphs back to skeleton samples, the inverse of :class:`ToMultiScale`.

    The result has the fields of the joints, of their bones and of the graph.

    .. code-block:: python

        data = SyntheticGait(num_subjects=1, num_takes=1)[0]
        scales = ToMultiScale('emotion_gait16')(data)
        data = FromMultiScale()(scales)

    Raises:
        ValueError: If the graph has no joints or no bones.
    """

    def forward(self, data: HeteroData) -> Data:
        """Converts a multi-scale graph or a batch of them."""
        if JOINTS not in data.node_types or BONES not in data.edge_types:
            raise ValueError(
                f'graph must have the node type {JOINTS!r} and the edge type {BONES}, got '
                f'{data.node_types} and {data.edge_types}'
            )
        return from_hetero(data, JOINTS, BONES)
