"""The sample in a multi-scale graph."""

from __future__ import annotations

from torch_geometric.data import Data, HeteroData
from torch_geometric.transforms import BaseTransform

from graphmotion.data import from_hetero
from graphmotion.transforms.to_multi_scale import BONES, JOINTS


class FromMultiScale(BaseTransform):
    r"""The inverse of :class:`ToMultiScale`: the skeleton sample, or the batch, with the fields of
    the joints, of their bones and of the graph.

    Raises:
        ValueError: If the graph has no joints or no bones.
    """

    def forward(self, data: HeteroData) -> Data:
        """Read the sample or the batch in a multi-scale graph."""
        if JOINTS not in data.node_types or BONES not in data.edge_types:
            raise ValueError(
                f'expected the node type {JOINTS!r} and the edge type {BONES}, '
                f'found {data.node_types} and {data.edge_types}'
            )
        return from_hetero(data, JOINTS, BONES)
