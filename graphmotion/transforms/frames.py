"""Selection and interpolation of frames in all fields along time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor
from torch_geometric.data import Data

from graphmotion.data import batch_index, num_nodes_per_graph, num_valid_frames, set_field
from graphmotion.transforms.fields import field_batch_index, time_fields

PADS = ('loop', 'edge', 'zero')


def gather_frames(value: Tensor, frame: Tensor) -> Tensor:
    """Gathers frames ``[R, L]`` from the rows of ``value`` ``[R, T, *]``."""
    row = torch.arange(value.size(0), device=value.device).unsqueeze(1) * value.size(1)
    out = value.flatten(0, 1).index_select(0, (row + frame).flatten())
    return out.unflatten(0, frame.shape)


def _align(frames: Tensor, value: Tensor) -> Tensor:
    """Views one number per frame ``[R, L]`` so that it broadcasts over ``[R, L, *]``."""
    return frames.view(*frames.shape, *[1] * (value.dim() - 2))


def _repeat(value: Tensor, size: int) -> Tensor:
    """Repeats one number per frame ``[*, L]`` for each of the ``size`` values of the frame."""
    return value.unsqueeze(-1).expand(*value.shape, size).flatten(-2)


def _columns(frame: Tensor, size: int) -> Tensor:
    """Returns the columns of frames ``[*, L]`` in rows with ``size`` values per frame."""
    return (frame.unsqueeze(-1) * size + torch.arange(size, device=frame.device)).flatten(-2)


def _take(rows: Tensor, columns: Tensor) -> Tensor:
    """Takes columns, the same ``[L]`` from all rows ``[R, T]`` or others from each ``[R, L]``."""
    return rows.index_select(1, columns) if columns.dim() == 1 else rows.gather(1, columns)


def _segments(
    data: Data, nodes: Sequence[Tensor], graphs: Sequence[Tensor]
) -> Iterable[tuple[Tensor, ...]]:
    """Pairs tensors with one row per node with rows ``[B, L]`` of their graphs.

    On a CPU, these are the nodes of each graph with its row ``[L]``; otherwise, they are all nodes,
    with the rows ``[R, L]`` of all their graphs.
    """
    if nodes[0].device.type == 'cpu' and not torch.compiler.is_compiling():
        sizes = num_nodes_per_graph(data).tolist()
        return zip(*(part.split(sizes) for part in nodes), *graphs)
    graph = batch_index(data)
    return [(*nodes, *(part.index_select(0, graph) for part in graphs))]


def select_frames(data: Data, frame: Tensor, num_frames: Tensor | None = None) -> Data:
    """Selects frames ``[B, L]`` of each graph; ``num_frames`` of them are not padding."""
    for name, value in time_fields(data).items():
        if name == 'silhouettes':
            data[name] = gather_frames(value, frame)
            continue
        columns = _columns(frame, math.prod(value.shape[2:]))
        parts = [_take(*part) for part in _segments(data, [value.flatten(1)], [columns])]
        data[name] = torch.cat(parts).unflatten(1, (-1, *value.shape[2:]))
    if num_frames is not None:
        set_field(data, 'num_frames', num_frames, per_node=False)
    return data


def select_padded(data: Data, frame: Tensor, pad: str) -> Data:
    """Selects frames ``[B, L]`` of each graph and pads those after its last frame."""
    counts = num_valid_frames(data)
    last = counts.unsqueeze(1) - 1
    if pad == 'loop':
        return select_frames(data, frame % (last + 1), torch.full_like(counts, frame.size(1)))
    padding = frame > last
    data = select_frames(data, torch.minimum(frame, last), (~padding).sum(dim=1))
    if pad == 'zero':
        for name, value in time_fields(data).items():
            value.masked_fill_(_align(padding[field_batch_index(data, name)], value), 0)
    return data


def scale_frame_rate(data: Data, old: Tensor, new: Tensor | float) -> Data:
    """Scales the frame rate, if there is one, by ``new / old``, two numbers of intervals ``[B]``
    into which the same time is divided; without an interval, it stays.
    """
    rate = data.get('frame_rate')
    if rate is not None:
        old, new = (torch.as_tensor(n, device=rate.device).to(torch.float64) for n in (old, new))
        scaled = torch.where((old > 0) & (new > 0), rate * new / old, rate.double())
        set_field(data, 'frame_rate', scaled.to(rate.dtype), per_node=False)
    return data


def interpolate(value: Tensor, left: Tensor, right: Tensor, weight: Tensor) -> Tensor:
    """Interpolates between the frames ``left`` (weight 0) and ``right`` (weight 1) of each row."""
    out = gather_frames(value, left)
    # A weight for each number, since broadcasting over a few coordinates is slow.
    weight = _align(weight.to(value.dtype), value).expand_as(out).contiguous()
    return out.lerp_(gather_frames(value, right), weight)


def interpolate_frames(
    data: Data,
    time: Tensor,
    num_frames: Tensor,
    first: Tensor | None = None,
    length: Tensor | None = None,
) -> Data:
    """Interpolates each graph at times ``[B, L]`` in frames, counted from ``first`` ``[B]``.

    Frames from ``first + length`` on are ignored; by default, those that are padding.

    If a joint is missing in one of the two frames, its position is copied from the other, but
    its score is still interpolated. Silhouettes are copied from the nearest frame and stay
    binary.
    """
    last = (num_valid_frames(data) if length is None else length).unsqueeze(1) - 1
    left = time.floor().long()
    right = torch.minimum(left + 1, last)
    weight = time - left
    if first is not None:
        left, right = left + first.unsqueeze(1), right + first.unsqueeze(1)
    fields = time_fields(data)
    for name, value in fields.items():
        if name == 'silhouettes':
            data[name] = gather_frames(value, torch.where(weight < 0.5, left, right))
            continue
        size = math.prod(value.shape[2:])
        nodes = [value.flatten(1)]
        graphs = [_columns(left, size), _columns(right, size)]
        if name != 'score' and 'score' in fields:
            nodes.append(fields['score'])
            graphs += [left, right, weight]
            parts = [_interpolate_visible(*part) for part in _segments(data, nodes, graphs)]
        else:
            graphs.append(_repeat(weight.to(value.dtype), size))
            parts = [_interpolate_rows(*part) for part in _segments(data, nodes, graphs)]
        data[name] = torch.cat(parts).unflatten(1, (-1, *value.shape[2:]))
    set_field(data, 'num_frames', num_frames, per_node=False)
    return data


def _interpolate_rows(rows: Tensor, left: Tensor, right: Tensor, weight: Tensor) -> Tensor:
    """Interpolates between columns of each row."""
    return _take(rows, left).lerp_(_take(rows, right), weight)


def _interpolate_visible(
    rows: Tensor,
    score: Tensor,
    left: Tensor,
    right: Tensor,
    before: Tensor,
    after: Tensor,
    weight: Tensor,
) -> Tensor:
    """Interpolates between columns of frames in which the node is not missing."""
    seen = [_take(score, frame) > 0 for frame in (before, after)]
    weight = torch.where(seen[0] & seen[1], weight, (seen[1] & (weight > 0)).to(weight.dtype))
    weight = _repeat(weight.to(rows.dtype), left.size(-1) // before.size(-1))
    return _interpolate_rows(rows, left, right, weight)
