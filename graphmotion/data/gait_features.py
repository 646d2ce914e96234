"""Hand-made gait features: limb lengths, cadence, step length and joint speeds."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch_geometric.data import Data

from graphmotion.checks import check_positive
from graphmotion.data.batching import num_nodes_per_graph
from graphmotion.data.samples import num_valid_frames, to_dense, visible_joints
from graphmotion.skeletons import Skeleton, get_skeleton

# Step frequencies in Hz, from an impaired walk to a run.
_STEP_FREQUENCIES = (0.5, 4.0)
_EPS = 1e-5  # relative rounding error of a distance


class GaitFeatures(NamedTuple):
    r"""Features of gait sequences.

    Args:
        values (Tensor): Features of each graph :math:`(B, F)`.
        names (tuple of str): Names of the features.
    """

    values: Tensor
    names: tuple[str, ...]


def gait_features(data: Data, skeleton: str | Skeleton, fps: float) -> GaitFeatures:
    r"""Computes hand-made gait features, a baseline of gait recognition.

    The features of a gait sequence are

    1. the mean and the standard deviation over time of the length of each bone, such as
       :obj:`"left_knee_to_left_hip_length"` and :obj:`"left_knee_to_left_hip_length_std"`

    2. :obj:`"cadence"`, in steps per minute: the frequency between 0.5 and 4 Hz with the highest
       power in the linearly detrended distance of the ankles, or 0 if the distance is constant

    3. :obj:`"step_length"`: the 90th percentile of the distance of the ankles

    4. the mean speed of each joint per second, such as :obj:`"left_ankle_speed"`

    in the unit of the positions, which may have two or three dimensions. Missing joints and
    padding are ignored. Features that cannot be computed are 0.

    .. code-block:: python

        values, names = gait_features(dataset.get_batch(range(len(dataset))), 'ucalgary18', fps=30)

    Args:
        data (Data): A sample or a batch with one body per graph.
        skeleton (str or Skeleton): The skeleton, with the joints :obj:`"left_ankle"` and
            :obj:`"right_ankle"`, or :obj:`"left_foot"` and :obj:`"right_foot"` instead.
        fps (float): Frames per second.

    Shapes:
        - **pos:** :math:`(B \cdot V, T, D)`
        - **values:** :math:`(B, F)` with :math:`F = 2 (V - 1) + 2 + V`

    Raises:
        ValueError: If the skeleton has neither ankles nor feet, a graph does not have the joints of
            one body, or :obj:`fps` is not positive.
    """
    skeleton = get_skeleton(skeleton)
    check_positive('fps', fps)
    pos, num_joints = data.get('pos'), skeleton.num_joints
    if pos is None or pos.dim() != 3:
        found = None if pos is None else list(pos.shape)
        raise ValueError(f"field 'pos' must have shape [num_nodes, num_frames, D], got {found}")
    num_nodes = num_nodes_per_graph(data)
    if bool((num_nodes != num_joints).any()):
        raise ValueError(
            f'each graph must have the {num_joints} joints of {skeleton.name!r}, got '
            f'{pos.size(0)} nodes in {len(num_nodes)} graphs'
        )
    end = 'ankle' if 'left_ankle' in skeleton.joints else 'foot'
    ankles = [skeleton.index(f'{side}_{end}') for side in ('left', 'right')]

    pos = to_dense(pos, num_joints)
    pos = pos.to(torch.promote_types(pos.dtype, torch.float32))
    visible = to_dense(visible_joints(data), num_joints)
    bones = torch.tensor(skeleton.bones, device=pos.device).view(-1, 2)
    lengths, valid = _distances(pos, visible, bones)
    mean = _mean(lengths, valid)
    std = _mean((lengths - mean.unsqueeze(-1)) ** 2, valid).sqrt()

    distance, valid = (x.squeeze(1) for x in _distances(pos, visible, bones.new_tensor([ankles])))
    cadence = 60 * _dominant_frequency(distance, valid, num_valid_frames(data), fps)
    step = distance.masked_fill(~valid, math.nan).nanquantile(0.9, dim=1).nan_to_num()

    speeds = pos.diff(dim=2).norm(dim=-1) * fps
    speed = _mean(speeds, visible[..., 1:] & visible[..., :-1])

    segments = [f'{skeleton.joints[i]}_to_{skeleton.joints[j]}' for i, j in skeleton.bones]
    names = (
        *(f'{segment}_length' for segment in segments),
        *(f'{segment}_length_std' for segment in segments),
        'cadence',
        'step_length',
        *(f'{joint}_speed' for joint in skeleton.joints),
    )
    values = torch.cat([mean, std, torch.stack([cadence, step], dim=1), speed], dim=1)
    return GaitFeatures(values, names)


def _distances(pos: Tensor, visible: Tensor, pairs: Tensor) -> tuple[Tensor, Tensor]:
    """Distance of each pair of joints in each frame, and whether both are visible."""
    i, j = pairs.unbind(dim=1)
    return (pos[:, i] - pos[:, j]).norm(dim=-1), visible[:, i] & visible[:, j]


def _mean(value: Tensor, valid: Tensor) -> Tensor:
    """Mean over valid frames; 0 if there are none."""
    return (value * valid).sum(dim=-1) / valid.sum(dim=-1).clamp(min=1)


def _dominant_frequency(value: Tensor, valid: Tensor, num_frames: Tensor, fps: float) -> Tensor:
    """Frequency in Hz with the highest power of signals [B, T]; 0 for constant signals."""
    frame = torch.arange(value.size(1), device=value.device, dtype=value.dtype)
    time = frame - _mean(frame.expand_as(value), valid).unsqueeze(1)
    mean = _mean(value, valid).unsqueeze(1)
    variance = _mean(time**2, valid).unsqueeze(1)
    slope = _mean(time * (value - mean), valid).unsqueeze(1) / variance.clamp(min=1e-6)
    residual = (value - mean - slope * time) * valid
    # A Hann window over the valid frames limits spectral leakage.
    window = (math.pi * (frame + 0.5) / num_frames.unsqueeze(1)).sin() ** 2
    size = 8 * 2 ** math.ceil(math.log2(value.size(1)))
    power = torch.fft.rfft(residual * window, n=size).abs() ** 2
    low, high = (math.ceil(hertz * size / fps) for hertz in _STEP_FREQUENCIES)
    low, high = max(low, 1), min(high, power.size(1) - 2)
    if low > high:  # the frame rate is too low to observe steps
        return torch.zeros_like(mean.squeeze(1))
    peak = power[:, low : high + 1].argmax(dim=1, keepdim=True) + low
    # Vertex of the parabola through the maximum and its neighbours.
    left, top, right = (power.gather(1, peak + shift).squeeze(1) for shift in (-1, 0, 1))
    curvature = (left - 2 * top + right).clamp(max=-torch.finfo(power.dtype).tiny)
    offset = ((left - right) / (2 * curvature)).clamp(-0.5, 0.5)
    moves = _mean(residual**2, valid).sqrt() > _EPS * mean.squeeze(1)
    return (peak.squeeze(1) + offset) * moves * (fps / size)
