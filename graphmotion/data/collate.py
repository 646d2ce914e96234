"""Collation of samples with different skeletons and lengths."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data

from graphmotion.data.batching import can_concatenate, concatenate
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
    if not all(isinstance(data, Data) for data in samples):
        _check_fields([data.to_dict() for data in samples])
        return Batch.from_data_list(list(samples))
    fields = [data.to_dict() for data in samples]
    if any('score' in sample for sample in fields):
        for sample in fields:
            pos = sample.get('pos')
            if 'score' not in sample and pos is not None and pos.dim() == 3:
                sample['score'] = pos.new_ones(pos.shape[:2])
    _pad_frames(fields)
    _check_fields(fields)
    if all(type(data) is Data for data in samples) and can_concatenate(fields):
        return concatenate(fields)
    return Batch.from_data_list([copy.copy(d).update(f) for d, f in zip(samples, fields)])


def _check_fields(samples: list[dict[str, Any]]) -> None:
    """Raises if samples have different fields."""
    first = samples[0].keys()
    for number, fields in enumerate(samples):
        if fields.keys() != first:
            raise ValueError(
                f'samples must have the same fields, got {sorted(first)} in the first and '
                f'{sorted(fields)} in sample {number}'
            )


def _pad_frames(samples: list[dict[str, Any]]) -> None:
    """Pads shorter samples by repeating their last frame."""
    lengths: dict[str, list[int]] = {}
    for name in TIME_DIMS:
        fields = [sample.get(name) for sample in samples]
        if all(isinstance(f, Tensor) and f.dim() >= _MIN_DIMS[name] for f in fields):
            lengths[name] = [sample[name].size(TIME_DIMS[name]) for sample in samples]
    uneven = any(len(set(counts)) > 1 for counts in lengths.values())
    if lengths and (uneven or any('num_frames' in sample for sample in samples)):
        for sample, count in zip(samples, next(iter(lengths.values()))):
            if 'num_frames' not in sample:
                sample['num_frames'] = torch.tensor([count])
    for name, counts in lengths.items():
        longest = max(counts)
        for sample, count in zip(samples, counts):
            if count < longest:
                dim, value = TIME_DIMS[name], sample[name]
                frame = torch.arange(longest, device=value.device).clamp(max=count - 1)
                sample[name] = value.index_select(dim, frame)
