"""What a walk measures: limbs, cadence, steps and speeds."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch_geometric.data import Data

from graphmotion.data.batching import num_nodes_per_graph
from graphmotion.data.samples import num_valid_frames, to_dense, visible_joints
from graphmotion.skeletons import Skeleton, get_skeleton

# Steps a second that people take, from a hindered walk to a run.
_STEPS = (0.5, 4.0)
_NOTHING = 1e-5  # what of a distance is rounding


class GaitFeatures(NamedTuple):
    r"""Measures of walks.

    Args:
        values (Tensor): A row a graph, :math:`(B, F)`.
        names (tuple of str): What each column is.
    """

    values: Tensor
    names: tuple[str, ...]


def gait_features(data: Data, skeleton: str | Skeleton, fps: float) -> GaitFeatures:
    r"""Measure walks by hand-made features, a baseline of gait recognition.

    For each walk these are

    1. of each bone, the mean and the deviation of its length over time,
       :obj:`"left_knee_to_left_hip_length"` and :obj:`"left_knee_to_left_hip_length_std"`

    2. :obj:`"cadence"`, in steps a minute: the frequency between 0.5 and 4 Hz at which the distance
       of the ankles, without its linear trend, has most power; 0 if it does not change

    3. :obj:`"step_length"`: the distance of the ankles that a tenth of the frames exceed

    4. of each joint, its mean speed a second, as :obj:`"left_ankle_speed"`

    in the unit of the positions, which may have two or three dimensions. Missing joints and
    padding do not count; what cannot be measured is 0, and nothing is NaN.

    .. code-block:: python

        values, names = gait_features(dataset.get_batch(range(len(dataset))), 'ucalgary18', fps=30)

    Args:
        data (Data): A sample or a batch, with a body a graph.
        skeleton (str or Skeleton): The layout, with joints :obj:`"left_ankle"` and
            :obj:`"right_ankle"`, or feet if it has no ankles.
        fps (float): Frames a second.

    Shapes:
        - **pos:** :math:`(B \cdot V, T, D)`
        - **values:** :math:`(B, F)` with :math:`F = 2 (V - 1) + 2 + V`

    Raises:
        ValueError: If the skeleton has neither ankles nor feet, a graph is not one body, or
            :obj:`fps` is not positive.
    """
    skeleton = get_skeleton(skeleton)
    if not 0 < fps < math.inf:
        raise ValueError(f'fps is a positive number, got {fps!r}')
    pos, num_joints = data.get('pos'), skeleton.num_joints
    if pos is None or pos.dim() != 3:
        found = 'none' if pos is None else f'one of shape {list(pos.shape)}'
        raise ValueError(f"expected a field 'pos' [num_nodes, num_frames, D], found {found}")
    num_nodes = num_nodes_per_graph(data)
    if bool((num_nodes != num_joints).any()):
        raise ValueError(
            f'{len(num_nodes)} graphs have {pos.size(0)} nodes, expected the {num_joints} joints '
            f'of {skeleton.name!r} in each'
        )
    end = 'ankle' if 'left_ankle' in skeleton.joints else 'foot'
    ankles = [skeleton.index(f'{side}_{end}') for side in ('left', 'right')]

    pos = to_dense(pos, num_joints)
    pos = pos.to(torch.promote_types(pos.dtype, torch.float32))
    seen = to_dense(visible_joints(data), num_joints)
    bones = torch.tensor(skeleton.bones, device=pos.device).view(-1, 2)
    lengths, both = _distances(pos, seen, bones)
    mean = _mean(lengths, both)
    deviation = _mean((lengths - mean.unsqueeze(-1)) ** 2, both).sqrt()

    apart, there = (x.squeeze(1) for x in _distances(pos, seen, bones.new_tensor([ankles])))
    cadence = 60 * _frequency(apart, there, num_valid_frames(data), fps)
    step = apart.masked_fill(~there, math.nan).nanquantile(0.9, dim=1).nan_to_num()

    moved = pos.diff(dim=2).norm(dim=-1) * fps
    speed = _mean(moved, seen[..., 1:] & seen[..., :-1])

    segments = [f'{skeleton.joints[i]}_to_{skeleton.joints[j]}' for i, j in skeleton.bones]
    names = (
        *(f'{segment}_length' for segment in segments),
        *(f'{segment}_length_std' for segment in segments),
        'cadence',
        'step_length',
        *(f'{joint}_speed' for joint in skeleton.joints),
    )
    values = torch.cat([mean, deviation, torch.stack([cadence, step], dim=1), speed], dim=1)
    return GaitFeatures(values, names)


def _distances(pos: Tensor, seen: Tensor, pairs: Tensor) -> tuple[Tensor, Tensor]:
    """The distance of each pair of joints in each frame, and whether both are there."""
    i, j = pairs.unbind(dim=1)
    return (pos[:, i] - pos[:, j]).norm(dim=-1), seen[:, i] & seen[:, j]


def _mean(value: Tensor, counts: Tensor) -> Tensor:
    """The mean over the frames that count; 0 without any."""
    return (value * counts).sum(dim=-1) / counts.sum(dim=-1).clamp(min=1)


def _frequency(value: Tensor, counts: Tensor, num_frames: Tensor, fps: float) -> Tensor:
    """The frequency in Hz of most power of signals ``[B, T]``; 0 if they do not change."""
    frame = torch.arange(value.size(1), device=value.device, dtype=value.dtype)
    time = frame - _mean(frame.expand_as(value), counts).unsqueeze(1)
    mean = _mean(value, counts).unsqueeze(1)
    spread = _mean(time**2, counts).unsqueeze(1)
    slope = _mean(time * (value - mean), counts).unsqueeze(1) / spread.clamp(min=1e-6)
    change = (value - mean - slope * time) * counts
    # A window that ends where the walk does lets no frequency leak far.
    window = (math.pi * (frame + 0.5) / num_frames.unsqueeze(1)).sin() ** 2
    size = 8 * 2 ** math.ceil(math.log2(value.size(1)))
    power = torch.fft.rfft(change * window, n=size).abs() ** 2
    low, high = (math.ceil(hertz * size / fps) for hertz in _STEPS)
    low, high = max(low, 1), min(high, power.size(1) - 2)
    if low > high:  # frames are too few a second to see a step
        return torch.zeros_like(mean.squeeze(1))
    peak = power[:, low : high + 1].argmax(dim=1, keepdim=True) + low
    # The top of the parabola through the greatest value and its neighbours.
    left, top, right = (power.gather(1, peak + shift).squeeze(1) for shift in (-1, 0, 1))
    bend = (left - 2 * top + right).clamp(max=-torch.finfo(power.dtype).tiny)
    offset = ((left - right) / (2 * bend)).clamp(-0.5, 0.5)
    moves = _mean(change**2, counts).sqrt() > _NOTHING * mean.squeeze(1)
    return (peak.squeeze(1) + offset) * moves * (fps / size)
