"""Collation of samples with different skeletons and lengths."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data

from graphmotion.data.samples import TIME_DIMS

# Minimum number of dimensions of fields along time; the fields of static samples have fewer.
_MIN_DIMS = {'pos': 3, 'x': 3, 'score': 2, 'silhouettes': 4}


def collate(samples: Sequence[Data]) -> Batch:
    r"""Collates samples to a batch, which may mix skeletons and lengths.

    In contrast to :meth:`Batch.from_data_list`, shorter samples are padded by repeating their last
    frame, with their original length in :obj:`num_frames`, and samples without a :obj:`score`
    receive scores of 1 if other samples have one.

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
        ValueError: If there are no samples, or samples have different fields.
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
    """Pads shorter samples by repeating their last frame."""
    lengths: dict[str, list[int]] = {}
    for name in TIME_DIMS:
        fields = [data.get(name) for data in samples]
        if all(isinstance(f, Tensor) and f.dim() >= _MIN_DIMS[name] for f in fields):
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
