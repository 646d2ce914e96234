"""Choosing and interpolating frames, the same for all fields along time."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.data import Data

from graphmotion.data import num_valid_frames, set_field
from graphmotion.transforms.fields import field_batch_index, time_fields

PADS = ('loop', 'edge', 'zero')


def take(value: Tensor, frame: Tensor) -> Tensor:
    """Choose frames ``[R, L]`` of the rows of ``value`` ``[R, T, *]``."""
    row = torch.arange(value.size(0), device=value.device).unsqueeze(1) * value.size(1)
    taken = value.flatten(0, 1).index_select(0, (row + frame).flatten())
    return taken.unflatten(0, frame.shape)


def _align(frames: Tensor, value: Tensor) -> Tensor:
    """View one number a frame ``[R, L]`` so that it broadcasts over ``[R, L, *]``."""
    return frames.view(*frames.shape, *[1] * (value.dim() - 2))


def take_frames(data: Data, frame: Tensor, num_frames: Tensor | None = None) -> Data:
    """Choose frames ``[B, L]`` of each graph; ``num_frames`` of them are not padding."""
    for name, value in time_fields(data).items():
        data[name] = take(value, frame[field_batch_index(data, name)])
    if num_frames is not None:
        set_field(data, 'num_frames', num_frames, per_node=False)
    return data


def take_padded(data: Data, frame: Tensor, pad: str) -> Data:
    """Choose frames ``[B, L]`` of each graph, some of which may lie behind its last frame."""
    counts = num_valid_frames(data)
    last = counts.unsqueeze(1) - 1
    if pad == 'loop':
        return take_frames(data, frame % (last + 1), torch.full_like(counts, frame.size(1)))
    behind = frame > last
    data = take_frames(data, torch.minimum(frame, last), (~behind).sum(dim=1))
    if pad == 'zero':
        for name, value in time_fields(data).items():
            value.masked_fill_(_align(behind[field_batch_index(data, name)], value), 0)
    return data


def interpolate(value: Tensor, left: Tensor, right: Tensor, weight: Tensor) -> Tensor:
    """Between the frames ``left`` (weight 0) and ``right`` (weight 1) of each row."""
    weight = _align(weight.to(value.dtype), value)
    return torch.lerp(take(value, left), take(value, right), weight)


def interpolate_frames(data: Data, time: Tensor, num_frames: Tensor) -> Data:
    """The sample at the times ``[B, L]``, counted in frames, of each graph.

    Of two frames in one of which a joint is missing, only the other counts for its position;
    the score is interpolated all the same, so that it is low there. Silhouettes are those of the
    nearest frame, and so stay masks.
    """
    last = num_valid_frames(data).unsqueeze(1) - 1
    left = time.floor().long()
    right = torch.minimum(left + 1, last)
    weight = time - left
    fields = time_fields(data)
    for name, value in fields.items():
        graph = field_batch_index(data, name)
        if name == 'silhouettes':
            data[name] = take(value, torch.where(weight < 0.5, left, right)[graph])
            continue
        ends = left[graph], right[graph]
        share = weight[graph]
        if name != 'score' and 'score' in fields:
            before, after = (take(fields['score'], end) > 0 for end in ends)
            share = torch.where(before & after, share, (after & (share > 0)).to(share.dtype))
        data[name] = interpolate(value, *ends, share)
    set_field(data, 'num_frames', num_frames, per_node=False)
    return data
