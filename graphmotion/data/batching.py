"""Batches of graphs, and the only access to PyG's internal data of batches.

A batch of PyG consists of tensors, the vectors :obj:`batch` and :obj:`ptr`, and records that are
needed to separate it into samples: where the rows of each sample begin in a field, and what was
added to them. The functions in this module keep all of these consistent. They also accept samples
and manually assembled batches, which have no records.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data, HeteroData

_EdgeType = tuple[str, str, str]
_Graph = TypeVar('_Graph', bound=Data | HeteroData)

# Copied for each new batch, since PyG creates a class whenever a batch is constructed.
_EMPTY_BATCHES = {cls: Batch(_base_cls=cls) for cls in (Data, HeteroData)}

_RECORDS = ('_slice_dict', '_inc_dict')
# Entries that describe the nodes of a batch and are not fields of a sample.
_NODE_VECTORS = ('batch', 'ptr', 'num_nodes')
# Names that PyG treats specially, in addition to those that contain "index" or "batch".
_RESERVED = {'num_nodes', 'ptr', 'face', 'edge_attr', 'edge_weight'}


# Reading ##########################################################################################


def num_graphs(data: Data | HeteroData) -> int:
    r"""Returns the number of graphs: 1 for a sample, :math:`B` for a batch.

    .. code-block:: python

        >>> num_graphs(Data(num_nodes=2))
        1
    """
    return data.num_graphs if isinstance(data, Batch) else 1


def num_nodes_per_graph(data: Data) -> Tensor:
    r"""Returns the number of nodes of each graph, :math:`(B)`.

    .. code-block:: python

        >>> num_nodes_per_graph(Batch.from_data_list([Data(num_nodes=2), Data(num_nodes=3)]))
        tensor([2, 3])
    """
    ptr = data.get('ptr')
    if ptr is not None:
        return ptr.diff()
    if isinstance(data, Batch):
        return batch_index(data).bincount(minlength=num_graphs(data))
    return torch.tensor([data.num_nodes or 0])


def batch_index(data: Data) -> Tensor:
    r"""Returns the graph that each node belongs to: the batch vector, or zeros for a sample.

    .. code-block:: python

        >>> batch = Batch.from_data_list([Data(num_nodes=2), Data(num_nodes=3)])
        >>> batch_index(batch)
        tensor([0, 0, 1, 1, 1])
    """
    batch = data.get('batch')
    if batch is not None:
        return batch
    reference = data.pos if data.pos is not None else data.x
    device = None if reference is None else reference.device
    return torch.zeros(int(data.num_nodes or 0), dtype=torch.long, device=device)


def field_names(data: Data) -> set[str]:
    r"""Returns the names of all fields, without the entries that describe the nodes of a batch.

    .. code-block:: python

        >>> sorted(field_names(Data(x=torch.zeros(2, 1), y=torch.tensor([1]))))
        ['x', 'y']
    """
    return {name for name in data.keys() if name not in _NODE_VECTORS}  # noqa: SIM118


def is_reserved_name(name: str) -> bool:
    r"""Returns whether PyG treats fields of this name specially, so that it cannot be a label."""
    return name in _RESERVED or 'index' in name or 'batch' in name


def to_data_list(batch: Batch) -> list[Data]:
    r"""Separates a batch into samples, including fields that were added to the batch.

    In contrast to :meth:`Batch.to_data_list`, it supports fields that were added without a record,
    with one row per node, edge or graph.

    Raises:
        ValueError: If such a field has another number of rows.
    """
    if not isinstance(batch, Data) or not _has_records(batch):
        return batch.to_data_list()
    batch = copy.copy(batch)
    for name in sorted(field_names(batch)):
        if _recorded(batch, name)[0] is None:
            _record(batch, name, _matching_offsets(batch, name))
    return batch.to_data_list()


# Writing ##########################################################################################


def make_batch(fields: Mapping[str, Tensor], offsets: Mapping[str, Tensor]) -> Batch:
    r"""Makes a batch from concatenated fields with any number of rows per graph.

    Nodes and edges are added by :func:`set_nodes` and :func:`set_edges`:

    .. code-block:: python

        fields = {'pos': torch.rand(5, 3), 'y': torch.tensor([3, 4])}
        offsets = {'pos': torch.tensor([0, 2, 5]), 'y': torch.arange(3)}
        batch = make_batch(fields, offsets)
        set_nodes(batch, torch.tensor([2, 3]))
        set_edges(batch, torch.tensor([[0, 2], [1, 4]]), num_edges=1)
        batch[1]  # Data(pos=[3, 3], y=[1], edge_index=[2, 1]), with the edge from 0 to 2

    Args:
        fields (mapping): For each name, the concatenated rows of all graphs.
        offsets (mapping): For each name, the index of the first row of each graph, followed by the
            total number of rows, :math:`(B + 1)`, on the CPU.
    """
    batch_size = len(next(iter(offsets.values()))) - 1
    out = _empty(Data, batch_size)
    for name, value in fields.items():
        out[name] = value
    shift = torch.zeros(batch_size, dtype=torch.long)
    _records(out).update(_slice_dict=dict(offsets), _inc_dict=dict.fromkeys(offsets, shift))
    return out


def can_concatenate(samples: Sequence[Mapping[str, Any]]) -> bool:
    r"""Returns whether :func:`concatenate` supports the fields of these samples: dense tensors, one
    of them :obj:`pos` or :obj:`x`, with names that are not about batches.
    """
    first = samples[0]
    return (
        ('pos' in first or 'x' in first)
        and not any('batch' in name or name in ('ptr', 'num_nodes') for name in first)
        and all(
            type(value) is Tensor
            and value.dim()
            and value.layout == torch.strided
            and not value.is_nested
            for fields in samples
            for value in fields.values()
        )
    )


def concatenate(samples: Sequence[Mapping[str, Tensor]]) -> Batch:
    r"""Makes the same batch as :meth:`Batch.from_data_list` from the fields of samples, in a
    fraction of the time.

    .. code-block:: python

        samples = [Data(pos=torch.rand(2, 3)), Data(pos=torch.rand(3, 3))]
        batch = concatenate([data.to_dict() for data in samples])

    Args:
        samples (sequence of mappings): The fields of each sample, with the same names; see
            :func:`can_concatenate`.
    """
    fields, offsets = {}, {}
    for name in samples[0]:
        values = [sample[name] for sample in samples]
        dim = -1 if _is_index(name) else 0
        fields[name] = torch.cat(values, dim)
        sizes = torch.tensor([value.size(dim) for value in values])
        offsets[name] = torch.cat([sizes.new_zeros(1), sizes.cumsum(0)])
    out = make_batch(fields, offsets)
    nodes = offsets['pos' if 'pos' in offsets else 'x']
    set_nodes(out, nodes.diff())
    for name in filter(_is_index, fields):
        shift = torch.repeat_interleave(nodes[:-1], offsets[name].diff())
        out[name] = fields[name] + shift.to(fields[name].device)
        _record(out, name, offsets[name], nodes[:-1])
    return out


def make_uniform_batch(
    fields: Mapping[str, Tensor], num_graphs: int, num_nodes: int, device: Any = None
) -> Batch:
    r"""Makes a batch of graphs with the same number of nodes, also while a model is exported.

    It has no records, so that it cannot be separated into samples.

    .. code-block:: python

        batch = make_uniform_batch({'x': torch.rand(34, 30, 3)}, num_graphs=2, num_nodes=17)
        print(batch.num_graphs, batch.batch.shape)  # 2, [34]

    Args:
        fields (mapping): For each name, the concatenated rows of all graphs.
        num_graphs (int): Number of graphs :math:`B`.
        num_nodes (int): Number of nodes of every graph.
        device (torch.device, optional): Device of the batch vector. (default: :obj:`None`)
    """
    out = _empty(Data, num_graphs)
    for key in _RECORDS:
        del _records(out)[key]
    for name, value in fields.items():
        out[name] = value
    graph = torch.arange(num_graphs, device=device)
    out.batch = graph.unsqueeze(1).expand(-1, num_nodes).flatten()
    out.ptr = torch.arange(num_graphs + 1, device=device) * num_nodes
    return out


def set_field(data: Data, name: str, value: Tensor, per_node: bool = True) -> None:
    r"""Sets a field with one row per node or one row per graph.

    .. code-block:: python

        batch = Batch.from_data_list([Data(num_nodes=2), Data(num_nodes=3)])
        set_field(batch, 'x', torch.rand(5, 4))
        print(batch[1].x.shape)  # [3, 4]

    Args:
        data (Data): A sample or a batch; changed in place.
        name (str): Name of the field.
        value (Tensor): The concatenated rows of all graphs.
        per_node (bool, optional): If set to :obj:`False`, each graph has one row.
            (default: :obj:`True`)
    """
    data[name] = value
    if _has_records(data):
        offsets = _node_offsets(data) if per_node else torch.arange(num_graphs(data) + 1)
        _record(data, name, offsets)


def set_nodes(
    data: Data | HeteroData,
    num_nodes: int | Tensor,
    fields: Mapping[str, Tensor] = {},
    kind: str | None = None,
) -> None:
    r"""Sets the number of nodes of each graph, and fields with one row per node.

    Existing fields of nodes that are not passed must have the same number of rows.

    Args:
        data (Data or HeteroData): A sample or a batch; changed in place.
        num_nodes (int or Tensor): Number of nodes of every graph, or, on the CPU, of each graph
            :math:`(B)`.
        fields (mapping, optional): For each name, the rows of all graphs, concatenated.
            (default: :obj:`{}`)
        kind (str, optional): The node type, in heterogeneous graphs. (default: :obj:`None`)
    """
    store = _store(data, kind)
    store.update(fields)
    offsets = _offsets(data, num_nodes)
    sizes = offsets.diff() if isinstance(num_nodes, int) else num_nodes
    is_batch = isinstance(data, Batch)
    if 'num_nodes' in store or 'pos' not in store:
        store.num_nodes = int(offsets[-1])
        if is_batch:
            store._num_nodes = sizes.tolist()
    if is_batch:
        device = _device(store)
        rows = next((value.size(0) for value in fields.values()), None)
        if rows is None or not torch.compiler.is_compiling():
            batch = torch.repeat_interleave(sizes, output_size=rows)
        else:  # ONNX has no output_size, and without it the number of nodes is unknown
            steps = sizes.new_zeros(rows + 1)
            ends = offsets[1:]
            batch = steps.scatter_add(0, ends, torch.ones_like(ends)).cumsum(0)[:-1]
        store.batch = batch.to(device)
        store.ptr = offsets.to(device, copy=True)
    for name in fields:
        _record(data, name, offsets, kind=kind)


def set_edges(
    data: Data | HeteroData,
    edge_index: Tensor,
    num_edges: int | Tensor,
    fields: Mapping[str, Tensor] = {},
    kind: _EdgeType | None = None,
) -> None:
    r"""Sets the edges of all graphs, and fields with one row per edge. Nodes must be set before.

    Args:
        data (Data or HeteroData): A sample or a batch; changed in place.
        edge_index (Tensor): The edges of all graphs, one graph after another, between the nodes of
            the batch, :math:`(2, \sum_i E_i)`.
        num_edges (int or Tensor): Number of edges of every graph, or, on the CPU, of each graph
            :math:`(B)`.
        fields (mapping, optional): For each name, the rows of all graphs, concatenated.
            (default: :obj:`{}`)
        kind (tuple, optional): The edge type, in heterogeneous graphs. (default: :obj:`None`)
    """
    store = _store(data, kind)
    store.update({'edge_index': edge_index, **fields})
    if not _has_records(data):
        return
    offsets = _offsets(data, num_edges)
    if kind is None:
        shift = _node_offsets(data)[:-1]
    else:
        ends = [_node_offsets(data, end)[:-1] for end in (kind[0], kind[2])]
        shift = torch.stack(ends, dim=1).unsqueeze(-1)
    _record(data, 'edge_index', offsets, shift, kind)
    for name in fields:
        _record(data, name, offsets, kind=kind)


def set_shared_edges(
    data: Data, edge_index: Tensor, num_nodes: int, fields: Mapping[str, Tensor] = {}
) -> None:
    r"""Sets the same edges in all graphs, which must have the same number of nodes.

    Args:
        data (Data): A sample or a batch; changed in place.
        edge_index (Tensor): The edges of one graph :math:`(2, E)`.
        num_nodes (int): Number of nodes of every graph.
        fields (mapping, optional): For each name, the rows of one graph. (default: :obj:`{}`)
    """
    count = num_graphs(data)
    repeated = {name: _repeat(value, count) for name, value in fields.items()}
    edges = repeat_edge_index(edge_index, num_nodes, count)
    set_edges(data, edges, edge_index.size(1), repeated)


def remove_fields(data: Data, names: Collection[str]) -> None:
    r"""Removes the fields with the given names, if they exist.

    .. code-block:: python

        data = Data(x=torch.zeros(2, 1), y=torch.tensor([1]))
        remove_fields(data, ['y', 'z'])
        print(data.y)  # None
    """
    for name in names:
        if name in data:
            del data[name]
    records = _records(data)
    for key in _RECORDS:
        if key in records:
            records[key] = {k: v for k, v in records[key].items() if k not in names}


def repeat_edge_index(
    edge_index: Tensor, num_nodes: int | tuple[int, int], num_repeats: int
) -> Tensor:
    r"""Repeats the edges of one graph for several identical graphs, one after another.

    .. code-block:: python

        >>> repeat_edge_index(torch.tensor([[0, 1], [1, 0]]), num_nodes=2, num_repeats=2)
        tensor([[0, 1, 2, 3],
                [1, 0, 3, 2]])

    Args:
        edge_index (Tensor): The edges of one graph :math:`(2, E)`.
        num_nodes (int or tuple): Number of nodes of one graph, or of its source nodes and its
            target nodes in a bipartite graph.
        num_repeats (int): Number of graphs :math:`B`.

    Returns:
        Tensor: :math:`(2, B \cdot E)`.
    """
    sizes = (num_nodes, num_nodes) if isinstance(num_nodes, int) else num_nodes
    step = torch.tensor(sizes, device=edge_index.device).view(2, 1, 1)
    offset = step * torch.arange(num_repeats, device=edge_index.device).view(1, -1, 1)
    return (edge_index.unsqueeze(1) + offset).flatten(1)


# Heterogeneous graphs #############################################################################


def to_hetero(data: Data, node_type: str, edge_type: _EdgeType) -> HeteroData:
    r"""Converts a sample or a batch to a heterogeneous one with one node type and one edge type.

    Fields of graphs remain fields of graphs. :func:`from_hetero` is the inverse.

    Args:
        data (Data): A sample or a batch.
        node_type (str): The type of the nodes.
        edge_type (tuple): The type of the edges.
    """
    out = _empty_like(data, HeteroData)
    for name, value in _store(data).items():
        kind: Any = None
        if name in _NODE_VECTORS or data.is_node_attr(name):
            kind = node_type
        elif name == 'edge_index' or data.is_edge_attr(name):
            kind = edge_type
        _store(out, kind)[name] = value
        offsets, shift = _recorded(data, name)
        if offsets is not None:
            if name == 'edge_index':  # PyG shifts sources and targets separately
                shift = shift.view(-1, 1, 1).expand(-1, 2, 1)
            _record(out, name, offsets, shift, kind)
    _copy_node_counts(_store(data), _store(out, node_type))
    return out


def from_hetero(data: HeteroData, node_type: str, edge_type: _EdgeType) -> Data:
    r"""Extracts one node type and one edge type of a heterogeneous sample or batch, with the fields
    of graphs; the inverse of :func:`to_hetero`.

    Args:
        data (HeteroData): A heterogeneous sample or batch.
        node_type (str): The type of the nodes.
        edge_type (tuple): The type of the edges, between nodes of the given type.
    """
    out = _empty_like(data, Data)
    kinds: tuple[Any, ...] = (node_type, edge_type, None)
    for kind in kinds:
        for name, value in _store(data, kind).items():
            out[name] = value
            offsets, shift = _recorded(data, name, kind)
            if offsets is not None:
                _record(out, name, offsets, shift[:, 0, 0] if name == 'edge_index' else shift)
    _copy_node_counts(_store(data, node_type), _store(out))
    return out


# PyG's records ####################################################################################


def _root(data: Data | HeteroData) -> Any:
    """Returns the storage in which PyG keeps the records."""
    return data._global_store if isinstance(data, HeteroData) else data._store


def _store(data: Data | HeteroData, kind: str | _EdgeType | None = None) -> Any:
    """Returns the storage of a node type or an edge type, or of the graph."""
    return _root(data) if kind is None else data[kind]


def _records(data: Data | HeteroData) -> dict[str, Any]:
    """Returns the attributes of the storage, which include the records."""
    return vars(_root(data))


def _has_records(data: Data | HeteroData) -> bool:
    """Returns whether PyG can separate the batch into samples."""
    return _RECORDS[0] in _records(data)


def _recorded(
    data: Data | HeteroData, name: str, kind: str | _EdgeType | None = None
) -> tuple[Any, Any]:
    """Returns the offsets and the shift that :func:`_record` stored for a field, if any."""
    found = []
    for key in _RECORDS:
        record = _records(data).get(key, {})
        found.append((record if kind is None else record.get(kind, {})).get(name))
    return found[0], found[1]


def _record(
    data: Data | HeteroData,
    name: str,
    offsets: Tensor,
    shift: Tensor | None = None,
    kind: str | _EdgeType | None = None,
) -> None:
    """Stores where the rows of each graph begin in a field, and what was added to them."""
    records = _records(data)
    if _RECORDS[0] not in records:
        return
    if shift is None:
        shift = torch.zeros(len(offsets) - 1, dtype=torch.long)
    for key, value in zip(_RECORDS, (offsets, shift)):
        # New dictionaries, since a shallow copy of a batch shares the old ones.
        if kind is None:
            records[key] = {**records[key], name: value}
        else:
            records[key] = {**records[key], kind: {**records[key].get(kind, {}), name: value}}


def _offsets(data: Data | HeteroData, sizes: int | Tensor) -> Tensor:
    """Returns where parts of the given sizes begin, and the total size: [B + 1]."""
    if isinstance(sizes, int):
        return torch.arange(num_graphs(data) + 1) * sizes
    return torch.cat([sizes.new_zeros(1), sizes.cumsum(0)])


def _node_offsets(data: Data | HeteroData, kind: str | None = None) -> Tensor:
    """Returns where the nodes of each graph begin, on the CPU: [B + 1]."""
    slices = _root(data)._slice_dict
    slices = slices if kind is None else slices.get(kind, {})
    # The offsets of pos are on the CPU already, while copying ptr from a GPU synchronizes.
    return slices['pos'] if 'pos' in slices else _store(data, kind).ptr.cpu()


def _matching_offsets(batch: Any, name: str) -> Tensor:
    """Returns the offsets of nodes, graphs or edges, whichever match the rows of a field."""
    rows = {'graphs': torch.arange(batch.num_graphs + 1)}
    if batch.get('ptr') is not None:
        rows = {'nodes': batch.ptr.cpu(), **rows}
    edges = _recorded(batch, 'edge_index')[0]
    if edges is not None:  # for fields named after edges, edges take precedence
        rows = {'edges': edges, **rows} if name.startswith('edge') else {**rows, 'edges': edges}
    value = batch[name]
    if isinstance(value, Tensor) and value.dim() and 'index' not in name:
        for offsets in rows.values():
            if int(offsets[-1]) == value.size(0):
                return offsets
    counts = ', '.join(f'{int(offsets[-1])} {what}' for what, offsets in rows.items())
    raise ValueError(
        f'the field {name!r} of the batch must have a row for each of its {counts}, '
        f'got {list(value.shape) if isinstance(value, Tensor) else value!r}'
    )


def _empty(cls: type[Data] | type[HeteroData], batch_size: int) -> Any:
    out = copy.copy(_EMPTY_BATCHES[cls])
    _records(out).update(_num_graphs=batch_size, _slice_dict={}, _inc_dict={})
    return out


def _empty_like(data: Data | HeteroData, cls: type[_Graph]) -> _Graph:
    """Returns a sample or a batch without fields, which has records if ``data`` has."""
    if not isinstance(data, Batch):
        return cls()
    out = _empty(cls, num_graphs(data))
    if not _has_records(data):
        for key in _RECORDS:
            del _records(out)[key]
    return out


def _copy_node_counts(source: Any, target: Any) -> None:
    """Copies the number of nodes of each graph, if it cannot be inferred from a field."""
    if '_num_nodes' in vars(source):
        target._num_nodes = source._num_nodes


def _is_index(name: str) -> bool:
    """Returns whether PyG concatenates a field in its last dimension and adds node offsets."""
    return 'index' in name or name == 'face'


def _device(store: Any) -> torch.device | None:
    return next((value.device for value in store.values() if isinstance(value, Tensor)), None)


def _repeat(value: Tensor, count: int) -> Tensor:
    return value.repeat(count, *[1] * (value.dim() - 1))
