"""Hand-crafted features of gait: limb lengths, cadence, step length and speeds."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch_geometric.data import Data

from graphmotion.checks import check_positive
from graphmotion.data.body_positions import body_positions
from graphmotion.data.samples import num_valid_frames, to_dense, visible_joints
from graphmotion.skeletons import Skeleton, get_skeleton

# The range of steps per second, from an impaired walk to a run.
_STEPS = (0.5, 4.0)
_ROUNDING = 1e-5  # relative rounding error of a distance


class GaitFeatures(NamedTuple):
    r"""Hand-crafted features of walks.

    .. code-block:: python

        walk = SyntheticGait(num_subjects=1, num_takes=1)[0]
        features = gait_features(walk, 'emotion_gait16', fps=30)
        print(features.values.shape, features.names[:3])

    Args:
        values (Tensor): One row per graph, :math:`(B, F)`.
        names (tuple of str): The name of each column.
    """

    values: Tensor
    names: tuple[str, ...]


def gait_features(data: Data, skeleton: str | Skeleton, fps: float) -> GaitFeatures:
    r"""Computes hand-crafted features of walks, a baseline of gait recognition.

    The features of each walk are

    1. the mean and the standard deviation of the length of each bone over time, such as
       :obj:`"left_knee_to_left_hip_length"` and :obj:`"left_knee_to_left_hip_length_std"`

    2. :obj:`"cadence"` in steps per minute: the frequency between 0.5 and 4 Hz at which the
       detrended distance between the ankles has the most power, or 0 if it is constant

    3. :obj:`"step_length"`: the 90th percentile of the distance between the ankles

    4. the mean speed of each joint per second, such as :obj:`"left_ankle_speed"`

    in the unit of the positions, which may have two or three dimensions. Missing joints and
    padding are ignored; a feature that cannot be measured is 0, never NaN.

    .. code-block:: python

        dataset = SyntheticGait(num_subjects=2)
        batch = dataset.get_batch(range(len(dataset)))
        values, names = gait_features(batch, 'emotion_gait16', fps=30)

    Args:
        data (Data): A sample or a batch, with one body per graph.
        skeleton (str or Skeleton): The layout, with joints :obj:`"left_ankle"` and
            :obj:`"right_ankle"`, or feet if it has no ankles.
        fps (float): Frames per second.

    Shapes:
        - **pos:** :math:`(B \cdot V, T, D)`
        - **values:** :math:`(B, F)` with :math:`F = 2 (V - 1) + 2 + V`

    Raises:
        ValueError: If the skeleton has neither ankles nor feet, a graph is not a single body, or
            :obj:`fps` is not positive.
    """
    skeleton = get_skeleton(skeleton)
    fps = check_positive('fps', fps)
    pos = body_positions(data, skeleton)
    end = 'ankle' if 'left_ankle' in skeleton.joints else 'foot'
    ankles = [skeleton.index(f'{side}_{end}') for side in ('left', 'right')]

    pos = pos.to(torch.promote_types(pos.dtype, torch.float32))
    seen = to_dense(visible_joints(data), skeleton.num_joints)
    bones = torch.tensor(skeleton.bones, device=pos.device).view(-1, 2)
    lengths, both = _distances(pos, seen, bones)
    mean = _mean(lengths, both)
    deviation = _mean((lengths - mean.unsqueeze(-1)) ** 2, both).sqrt()

    distance, visible = (x.squeeze(1) for x in _distances(pos, seen, bones.new_tensor([ankles])))
    cadence = 60 * _frequency(distance, visible, num_valid_frames(data), fps)
    step = distance.masked_fill(~visible, math.nan).nanquantile(0.9, dim=1).nan_to_num()

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
    """Returns the distance of each pair of joints in each frame, and whether both are visible."""
    i, j = pairs.unbind(dim=1)
    return (pos[:, i] - pos[:, j]).norm(dim=-1), seen[:, i] & seen[:, j]


def _mean(value: Tensor, counts: Tensor) -> Tensor:
    """Returns the mean over the valid frames, or 0 if there are none."""
    return (value * counts).sum(dim=-1) / counts.sum(dim=-1).clamp(min=1)


def _frequency(value: Tensor, counts: Tensor, num_frames: Tensor, fps: float) -> Tensor:
    """Returns the frequency in Hz with the most power of signals [B, T]; 0 if constant."""
    frame = torch.arange(value.size(1), device=value.device, dtype=value.dtype)
    time = frame - _mean(frame.expand_as(value), counts).unsqueeze(1)
    mean = _mean(value, counts).unsqueeze(1)
    spread = _mean(time**2, counts).unsqueeze(1)
    slope = _mean(time * (value - mean), counts).unsqueeze(1) / spread.clamp(min=1e-6)
    change = (value - mean - slope * time) * counts
    # A window of the length of the walk limits spectral leakage.
    window = (math.pi * (frame + 0.5) / num_frames.unsqueeze(1)).sin() ** 2
    size = 8 * 2 ** math.ceil(math.log2(value.size(1)))
    power = torch.fft.rfft(change * window, n=size).abs() ** 2
    low, high = (math.ceil(hertz * size / fps) for hertz in _STEPS)
    low, high = max(low, 1), min(high, power.size(1) - 2)
    if low > high:  # the frame rate is too low for any step
        return torch.zeros_like(mean.squeeze(1))
    peak = power[:, low : high + 1].argmax(dim=1, keepdim=True) + low
    # The vertex of the parabola through the maximum and its neighbours.
    left, top, right = (power.gather(1, peak + shift).squeeze(1) for shift in (-1, 0, 1))
    bend = (left - 2 * top + right).clamp(max=-torch.finfo(power.dtype).tiny)
    offset = ((left - right) / (2 * bend)).clamp(-0.5, 0.5)
    moves = _mean(change**2, counts).sqrt() > _ROUNDING * mean.squeeze(1)
    return (peak.squeeze(1) + offset) * moves * (fps / size)
