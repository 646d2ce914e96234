"""Samples to a batch and back."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data

from graphmotion.data.samples import TIME_DIMS

# Fields along time have at least so many dimensions; with fewer, their nodes do not move.
_LEAST_DIMS = {'pos': 3, 'x': 3, 'score': 2, 'silhouettes': 4}


def collate(samples: Sequence[Data]) -> Batch:
    r"""Puts samples together into a batch, which may mix skeletons and lengths.

    The result is that of :meth:`Batch.from_data_list`, except that shorter samples are padded at
    the end by their last frame, with :obj:`num_frames` the number of frames before, and that the
    joints of samples without a :obj:`score` have score one if other samples have one.

    .. code-block:: python

        coco, ntu = get_skeleton('coco17'), get_skeleton('ntu25')
        batch = collate([
            from_array(torch.rand(40, 17, 3), coco, edges=coco.edges('spatial')),
            from_array(torch.rand(60, 25, 3), ntu, edges=ntu.edges('spatial')),
        ])
        conv = SpatialConv(3, 16, num_partitions=3)
        out = conv(batch.pos, (batch.edge_index, batch.edge_weight))  # [17 + 25, 60, 16]

    Args:
        samples (sequence of Data): The samples, with the same fields.

    Raises:
        ValueError: If there is no sample, or samples have different fields.
    """
    if not len(samples):
        raise ValueError('samples must hold at least one sample, got none')
    samples = [copy.copy(data) for data in samples]
    if all(isinstance(data, Data) for data in samples):
        if any('score' in data for data in samples):
            for data in samples:
                if 'score' not in data and data.pos is not None and data.pos.dim() == 3:
                    data.score = data.pos.new_ones(data.pos.shape[:2])
        _pad_frames(samples)
    first = sorted(samples[0].keys())
    for number, data in enumerate(samples):
        if sorted(data.keys()) != first:
            raise ValueError(
                f'samples must have the same fields, got {first} in the first and '
                f'{sorted(data.keys())} in sample {number}'
            )
    return Batch.from_data_list(samples)


def _pad_frames(samples: list[Data]) -> None:
    """Repeat the last frame of shorter samples."""
    lengths: dict[str, list[int]] = {}
    for name in TIME_DIMS:
        fields = [data.get(name) for data in samples]
        if all(isinstance(f, Tensor) and f.dim() >= _LEAST_DIMS[name] for f in fields):
            lengths[name] = [field.size(TIME_DIMS[name]) for field in fields]
    uneven = any(len(set(counts)) > 1 for counts in lengths.values())
    if lengths and (uneven or any('num_frames' in data for data in samples)):
        for data, count in zip(samples, next(iter(lengths.values()))):
            if 'num_frames' not in data:
                data.num_frames = torch.tensor([count])
    for name, counts in lengths.items():
        for data, count in zip(samples, counts):
            if count < max(counts):
                dim, value = TIME_DIMS[name], data[name]
                frame = torch.arange(max(counts), device=value.device).clamp(max=count - 1)
                data[name] = value.index_select(dim, frame)


def to_data_list(batch: Batch) -> list[Data]:
    r"""Takes a batch apart, as its method :meth:`to_data_list` does, fields included that were set
    after the batch was made: those have a row for each node, edge or graph.

    Raises:
        ValueError: If such a field has another number of rows.
    """
    slices = getattr(batch, '_slice_dict', {})
    added = [name for name in batch.to_dict() if name not in {*slices, 'batch', 'ptr', 'num_nodes'}]
    if not isinstance(batch, Data) or not slices or not added:
        return batch.to_data_list()
    rows = {'graphs': torch.arange(batch.num_graphs + 1)}
    if batch.get('ptr') is not None:
        rows = {'nodes': batch.ptr.cpu()} | rows
    if 'edge_index' in slices:
        rows['edges'] = slices['edge_index']
    batch = copy.copy(batch)
    for name in added:
        value = batch[name]
        is_rows = isinstance(value, Tensor) and value.dim() and 'index' not in name
        fitting = [what for what in rows if is_rows and int(rows[what][-1]) == value.size(0)]
        if not fitting:
            counts = ', '.join(f'{int(ptr[-1])} {what}' for what, ptr in rows.items())
            raise ValueError(
                f'the field {name!r} of the batch must have a row for each of its {counts}, '
                f'got {list(value.shape) if isinstance(value, Tensor) else value!r}'
            )
        of_edges = name.startswith('edge') and 'edges' in fitting
        slices = {**slices, name: rows['edges' if of_edges else fitting[0]]}
    batch._slice_dict = slices
    steps = torch.zeros(batch.num_graphs, dtype=torch.long)
    batch._inc_dict = {**dict.fromkeys(added, steps), **batch._inc_dict}
    return batch.to_data_list()
