"""Selection and interpolation of frames in all fields along time."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.data import Data

from graphmotion.data import num_valid_frames, set_field
from graphmotion.transforms.fields import field_batch_index, time_fields

PADS = ('loop', 'edge', 'zero')
# Number of rows that are interpolated at once on a CPU, so that they stay in the cache.
_BLOCK = 400


def gather_frames(value: Tensor, frame: Tensor) -> Tensor:
    """Gathers frames ``[R, L]`` from the rows of ``value`` ``[R, T, *]``."""
    row = torch.arange(value.size(0), device=value.device).unsqueeze(1) * value.size(1)
    out = value.flatten(0, 1).index_select(0, (row + frame).flatten())
    return out.unflatten(0, frame.shape)


def _align(frames: Tensor, value: Tensor) -> Tensor:
    """Views one number per frame ``[R, L]`` so that it broadcasts over ``[R, L, *]``."""
    return frames.view(*frames.shape, *[1] * (value.dim() - 2))


def _blocks(value: Tensor) -> list[slice]:
    """Returns the rows to interpolate at once."""
    if value.device.type != 'cpu' or torch.compiler.is_compiling():
        return [slice(None)]
    return [slice(i, i + _BLOCK) for i in range(0, max(len(value), 1), _BLOCK)]


def select_frames(data: Data, frame: Tensor, num_frames: Tensor | None = None) -> Data:
    """Selects frames ``[B, L]`` of each graph; ``num_frames`` of them are not padding."""
    for name, value in time_fields(data).items():
        rows = frame.index_select(0, field_batch_index(data, name))
        data[name] = gather_frames(value, rows)
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
        graph = field_batch_index(data, name)
        if name == 'silhouettes':
            data[name] = gather_frames(value, torch.where(weight < 0.5, left, right)[graph])
            continue
        score = None if name == 'score' else fields.get('score')
        blocks = []
        for rows in _blocks(value):
            before, after, w = (t.index_select(0, graph[rows]) for t in (left, right, weight))
            if score is not None:
                seen = [gather_frames(score[rows], end) > 0 for end in (before, after)]
                w = torch.where(seen[0] & seen[1], w, (seen[1] & (w > 0)).to(w.dtype))
            blocks.append(interpolate(value[rows], before, after, w))
        data[name] = torch.cat(blocks)
    set_field(data, 'num_frames', num_frames, per_node=False)
    return data
