"""Random performances of actions, with individual styles of subjects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from graphmotion.synthetic.actions import ACTIONS, STANDING, Action
from graphmotion.synthetic.actor import BODY_CURVES, CURVES, SIDE_CURVES
from graphmotion.synthetic.seeding import keyed_generator
from graphmotion.synthetic.walking_styles import sample_walks

# Curves of the legs share one scale, so that a jump leaves and meets the ground.
_LEG_CURVES = ('drop', 'back', 'shift', 'step', 'lift', 'heel')
# Relative deviations of movement size, of speed, and of the time of the middle of an action. Each
# is a triple: between subjects, between the actions of a subject, and between takes.
_SIZE_STD, _SPEED_STD, _TIMING_STD = (0.05, 0.08, 0.04), (0.12, 0.10, 0.06), (0.0, 0.15, 0.10)
_ARM_DIFFERENCE = 0.4  # fraction of the deviation in which the arms differ
_LEFT_HANDED, _OTHER_HAND = 0.25, 0.1  # probabilities
# Amplitudes of slow sway while standing, in the units of the curves. Feet do not sway.
_SWAY = {
    'shift': 0.008,
    'back': 0.005,
    'turn': 1.0,
    'lean': 0.8,
    'side': 0.6,
    'twist': 1.2,
    'nod': 1.5,
} | {
    f'{side}_{name}': amplitude
    for side in ('left', 'right')
    for name, amplitude in {
        'flexion': 1.5,
        'abduction': 1.0,
        'inward': 2.0,
        'elbow': 2.0,
    }.items()
}
_NUM_WAVES = 2
_MAX_DURATION = 0.92  # fraction of the sequence
_RAMP = 0.25  # fraction of the duration in which oscillations fade in and out
_MIRRORED_CURVES = ('shift', 'turn', 'side', 'twist')


class Performances(NamedTuple):
    r"""The random parameters of performed actions.

    Args:
        traits (dict): The traits of the bodies by name.
        curves (dict): The curves by name.
        lengths (Tensor): The numbers of frames.
        heading (Tensor): The heading in degrees to the left.
        position (Tensor): The mean horizontal position in metres.

    Shapes:
        - **traits:** :math:`(N)` each
        - **curves:** :math:`(N, T)` each
        - **lengths:** :math:`(N)`
        - **heading:** :math:`(N)`
        - **position:** :math:`(N, 2)`
    """

    traits: dict[str, Tensor]
    curves: dict[str, Tensor]
    lengths: Tensor
    heading: Tensor
    position: Tensor


def sample_performances(
    seed: int, keys: Sequence[tuple[int, str, int]], num_frames: tuple[int, int], fps: float
) -> Performances:
    r"""Samples performances, each from the seed and its own key alone.

    Length, heading and position are independent of the action.

    Args:
        seed (int): The random seed. Subjects have the same bodies as in
            :func:`~graphmotion.synthetic.walking_styles.sample_walks`.
        keys (sequence of tuples): The subject, action and take of each performance.
        num_frames (tuple): The minimum and maximum number of frames.
        fps (float): The number of frames per second.
    """
    action_ids = {name: i for i, name in enumerate(ACTIONS)}
    size = len(CURVES)
    generators = [keyed_generator(seed, 12, s, action_ids[a], take) for s, a, take in keys]
    uniform = np.stack([g.random(8 + _NUM_WAVES * (1 + size)) for g in generators])
    take_noise = np.stack([g.standard_normal(size + 4) for g in generators])
    habits = _sample_habits(seed, keys, action_ids, take_noise)

    lengths, time, phase = _sample_timing(habits, keys, uniform, num_frames, fps)
    moved = np.zeros((len(keys), num_frames[1], size))
    for action in {key[1] for key in keys}:
        rows = [row for row, key in enumerate(keys) if key[1] == action]
        moved[rows] = _evaluate_action(ACTIONS[action], time[rows], phase[rows])
    moved *= habits.sizes[:, None]
    mirrored = habits.left_handed ^ (uniform[:, 4] < _OTHER_HAND)
    order, sign = _mirror_curves()
    moved[mirrored] = moved[mirrored][:, :, order] * sign
    for wave in _sway_waves(uniform[:, 8:], num_frames[1], fps):
        moved += wave

    takes = [(s, 'neutral', 'normal', len(ACTIONS) * t + action_ids[a]) for s, a, t in keys]
    traits = sample_walks(seed, takes).traits
    curves = dict(zip(CURVES, torch.from_numpy(moved).float().unbind(-1)))
    for name, posture in _standing_posture(traits).items():
        curves[name] = curves[name] + posture.unsqueeze(1)
    heading, position = 50 * uniform[:, 5] - 25, uniform[:, 6:8] - 0.5
    return Performances(
        traits,
        curves,
        torch.from_numpy(lengths),
        torch.from_numpy(heading).float(),
        torch.from_numpy(position).float(),
    )


class _Habits(NamedTuple):
    """The deviations of each performance from the prototype of its action."""

    sizes: np.ndarray  # [N, C], factors
    speed: np.ndarray  # [N], factors
    timing: np.ndarray  # [N]
    left_handed: np.ndarray  # [N]


def _sample_habits(
    seed: int,
    keys: Sequence[tuple[int, str, int]],
    action_ids: Mapping[str, int],
    take_noise: np.ndarray,
) -> _Habits:
    size = len(CURVES)
    subjects = {s: keyed_generator(seed, 10, s) for s in {key[0] for key in keys}}
    left_handed = {s: generator.random() < _LEFT_HANDED for s, generator in subjects.items()}
    subject_noise = {s: generator.standard_normal(size + 4) for s, generator in subjects.items()}
    action_noise = {
        (s, action): keyed_generator(seed, 11, s, action_ids[action]).standard_normal(size + 4)
        for s, action in {key[:2] for key in keys}
    }
    # Columns: the size of each curve, of the legs and of all movements, the speed, and the timing.
    noise = np.stack(
        [
            np.stack([subject_noise[s] for s, _, _ in keys]),
            np.stack([action_noise[s, action] for s, action, _ in keys]),
            take_noise,
        ]
    ).clip(-2.5, 2.5)
    left = slice(len(BODY_CURVES), len(BODY_CURVES) + len(SIDE_CURVES))
    right = slice(left.stop, size)
    shared = (1 - _ARM_DIFFERENCE**2) ** 0.5
    noise[..., right] = shared * noise[..., left] + _ARM_DIFFERENCE * noise[..., right]
    sizes = 1 + np.tensordot(_SIZE_STD, noise[..., : size + 2], 1)
    for column, name in enumerate(CURVES):
        if name.rpartition('_')[2] in _LEG_CURVES:
            sizes[:, column] = sizes[:, size]
    return _Habits(
        sizes[:, :size] * sizes[:, size + 1 :],
        np.exp(np.tensordot(_SPEED_STD, noise[..., size + 2], 1)),
        np.tensordot(_TIMING_STD, noise[..., size + 3], 1).clip(-0.6, 0.6),
        np.array([left_handed[s] for s, _, _ in keys]),
    )


def _sample_timing(
    habits: _Habits,
    keys: Sequence[tuple[int, str, int]],
    uniform: np.ndarray,
    num_frames: tuple[int, int],
    fps: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns lengths [N], times from 0 to 1 and oscillation phases, [N, T] each."""
    low, high = num_frames
    lengths = np.minimum(low + (uniform[:, 0] * (high - low + 1)).astype(int), high)
    duration = np.array([(ACTIONS[action].seconds or np.inf) * fps for _, action, _ in keys])
    duration = duration / habits.speed
    limit = np.where(np.isinf(duration), 0.78 + 0.2 * uniform[:, 1], _MAX_DURATION) * lengths
    duration = np.minimum(duration, limit)
    start = uniform[:, 2] * (lengths - 1 - duration).clip(min=0)
    frame = np.arange(high)
    time = ((frame - start[:, None]) / duration[:, None]).clip(0, 1)
    time += habits.timing[:, None] * np.sin(2 * np.pi * time) / (2 * np.pi)
    phase = uniform[:, 3, None] + habits.speed[:, None] * frame / fps
    return lengths, time, phase


def _sway_waves(uniform: np.ndarray, num_frames: int, fps: float) -> Iterator[np.ndarray]:
    """Yields slow waves of standing sway, [N, T, C] each."""
    uniform = uniform.reshape(len(uniform), _NUM_WAVES, 1 + len(CURVES))
    amplitude = np.array([_SWAY.get(name, 0.0) for name in CURVES])
    frame = np.arange(num_frames)
    for k in range(_NUM_WAVES):
        cycles = (k + 1) * (0.15 + 0.1 * uniform[:, k, :1, None]) * frame[:, None] / fps
        yield amplitude / (k + 1) * np.sin(2 * np.pi * (cycles + uniform[:, k, None, 1:]))


def _evaluate_action(action: Action, time: np.ndarray, phase: np.ndarray) -> np.ndarray:
    """Returns the deviations of all curves from standing at times [N, T]: [N, T, C]."""
    from scipy.interpolate import PchipInterpolator  # slow to import

    values = np.array(
        [
            [pose.get(name, STANDING.get(name, 0.0)) for name in CURVES]
            for pose in action.poses.values()
        ]
    ) - [STANDING.get(name, 0.0) for name in CURVES]
    # The first and the last pose are repeated so that the movement starts and ends smoothly.
    times = np.array([-1.0, *action.poses, 2.0])
    out = PchipInterpolator(times, np.concatenate([values[:1], values, values[-1:]]))(time)
    ramp = (np.minimum(time, 1 - time) / _RAMP).clip(0, 1)
    ramp = ramp * ramp * (3 - 2 * ramp)
    for name, oscillation in action.oscillations.items():
        wave = np.sin(2 * np.pi * (action.rate * phase - oscillation.shift))
        if oscillation.pulse:
            wave = wave.clip(min=0) ** 2
        out[:, :, CURVES.index(name)] += oscillation.amplitude * ramp * wave
    return out


def _mirror_curves() -> tuple[list[int], np.ndarray]:
    """Returns the index and the sign of each curve in the mirrored body."""
    names = [*BODY_CURVES, *(f'{side}_{n}' for side in ('right', 'left') for n in SIDE_CURVES)]
    sign = [-1.0 if name in _MIRRORED_CURVES else 1.0 for name in CURVES]
    return [CURVES.index(name) for name in names], np.array(sign)


def _standing_posture(traits: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns the standing posture of each subject, without asymmetry."""
    out = {
        'lean': traits['trunk_lean'] + 0.5 * traits['slump'] - 1.0,
        'nod': traits['head_pitch'],
        'side': traits['side_lean'],
    }
    for side in ('left', 'right'):
        out[f'{side}_flexion'] = traits['arm_flexion'] + 2.0
        out[f'{side}_abduction'] = traits['arm_abduction']
        out[f'{side}_inward'] = 0.5 * traits['forearm_turn'] + 10.0
        out[f'{side}_elbow'] = traits['elbow_flexion']
    return out
