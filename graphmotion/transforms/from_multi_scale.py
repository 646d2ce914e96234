"""The sample in a multi-scale graph."""

from __future__ import annotations

from typing import Any

from torch_geometric.data import Batch, Data, HeteroData
from torch_geometric.transforms import BaseTransform

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
        is_batch = isinstance(data, Batch)
        out: Any = Batch(_base_cls=Data) if is_batch else Data()
        for store in (data[JOINTS], data[BONES], data._global_store):
            for name, value in store.items():
                out[name] = value
        if is_batch:
            out._num_graphs = data.num_graphs
            if hasattr(data, '_slice_dict'):
                out._slice_dict = _flatten(data._slice_dict)
                out._inc_dict = _flatten(data._inc_dict)
        return out


def _flatten(stores: dict[Any, Any]) -> dict[str, Any]:
    graph = {name: value for name, value in stores.items() if not isinstance(value, dict)}
    return {**stores[JOINTS], **stores[BONES], **graph}
