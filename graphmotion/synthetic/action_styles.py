"""How people act: what each action is, and the habits of subjects, drawn by seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from scipy.interpolate import PchipInterpolator
from torch import Tensor

from graphmotion.synthetic.actor import BODY, CURVES, SIDED
from graphmotion.synthetic.walking_styles import draw_walks, generator

Pose = Mapping[str, float]


class Swing(NamedTuple):
    """What a repeated movement adds to a curve: a sine wave of the movement's phase, or, as a
    bump, the square of its upper half.
    """

    size: float
    shift: float = 0.0
    bump: bool = False


class Action(NamedTuple):
    r"""An action: poses from the begin, 0, to the end, 1, and what is repeated meanwhile.

    A pose gives values of :obj:`~graphmotion.synthetic.actor.CURVES`; those that it leaves out are
    as in standing. Where an action uses one hand or foot, it is the right one. Before the begin
    the body stays in the first pose, after the end in the last one.

    Args:
        poses (mapping): From times to poses.
        seconds (float, optional): How long it takes, or nothing, if it takes most of the time that
            there is. (default: :obj:`None`)
        swings (mapping, optional): What is repeated, by curve. (default: :obj:`None`)
        rate (float, optional): How often a second. (default: :obj:`0`)
    """

    poses: Mapping[float, Pose]
    seconds: float | None = None
    swings: Mapping[str, Swing] = {}
    rate: float = 0.0


# The pose in standing; subjects have their own, which is about this one.
_STANDING: Pose = {
    'lean': 3.0,
    'nod': 2.0,
} | {
    f'{side}_{name}': value
    for side in ('left', 'right')
    for name, value in {
        'flexion': -1.0,
        'abduction': 8.0,
        'inward': 20.0,
        'elbow': 15.0,
    }.items()
}


def _both(**values: float) -> dict[str, float]:
    """The same on both sides."""
    return {f'{side}_{name}': value for side in ('left', 'right') for name, value in values.items()}


def _right(**values: float) -> dict[str, float]:
    return {f'right_{name}': value for name, value in values.items()}


def _left(**values: float) -> dict[str, float]:
    return {f'left_{name}': value for name, value in values.items()}


_WAVING = _right(flexion=66, outward=70, abduction=0, inward=0, elbow=98) | {'side': -3}
_CLAPPING = _both(flexion=38, abduction=8, inward=24, elbow=85)
_ARMS_UP = _both(flexion=168, abduction=-14, inward=0, elbow=10) | {'lean': -2, 'nod': -8}
_GUARD = _both(flexion=38, abduction=10, inward=25, elbow=115) | {'lean': 8, 'drop': 0.03}
_SQUATTING = _both(flexion=82, abduction=4, inward=5, elbow=12) | {
    'drop': 0.46,
    'back': 0.16,
    'tilt': 22,
    'lean': 35,
    'nod': -8,
}
_PICKING = (
    _right(flexion=14, abduction=2, outward=0, inward=5, elbow=8)
    | _left(flexion=32, elbow=38)
    | {'drop': 0.30, 'back': 0.18, 'tilt': 36, 'lean': 74, 'twist': 12, 'nod': -12}
)
_STEPPED = _left(step=0.32)

_SITTING_DOWN: dict[float, Pose] = {
    0.0: {},
    0.35: _both(flexion=22, elbow=22) | {'drop': 0.12, 'back': 0.15, 'tilt': 18, 'lean': 32},
    0.70: _both(flexion=34, elbow=35) | {'drop': 0.40, 'back': 0.38, 'tilt': 18, 'lean': 36},
    0.85: _both(flexion=28, elbow=50) | {'drop': 0.48, 'back': 0.45, 'tilt': 4, 'lean': 20},
    1.0: _both(flexion=22, elbow=62, inward=24) | {'drop': 0.48, 'back': 0.45, 'tilt': -6},
}
_RAISING: dict[float, Pose] = {
    0.0: {},
    0.45: _both(flexion=85, abduction=2, inward=5, elbow=14),
    1.0: _ARMS_UP,
}


def _reversed(poses: Mapping[float, Pose]) -> dict[float, Pose]:
    """The same poses from the last to the first."""
    return {round(1 - time, 6): poses[time] for time in reversed(list(poses))}


#: Each action by name. To stand up is to sit down, and to lower the arms is to raise them,
#: backwards: of such a pair only the order of the poses tells which it is.
ACTIONS: dict[str, Action] = {
    'wave': Action(
        {0.0: {}, 0.2: _WAVING, 0.8: _WAVING, 1.0: {}},
        swings={'right_elbow': Swing(30), 'right_outward': Swing(7, 0.1)},
        rate=1.6,
    ),
    'clap': Action(
        {0.0: {}, 0.2: _CLAPPING, 0.8: _CLAPPING, 1.0: {}},
        swings={f'{side}_inward': Swing(18) for side in ('left', 'right')},
        rate=1.8,
    ),
    'raise arms': Action(_RAISING, 1.4),
    'lower arms': Action(_reversed(_RAISING), 1.4),
    'punch': Action(
        {
            0.0: {},
            0.28: _GUARD,
            0.42: _GUARD | _right(flexion=12, elbow=118) | {'twist': -22, 'turn': -8},
            0.56: _GUARD
            | _right(flexion=86, abduction=0, outward=38, inward=10, elbow=8, heel=28)
            | {'twist': 32, 'turn': 14, 'shift': 0.03, 'back': -0.08, 'lean': 14},
            0.72: _GUARD,
            1.0: {},
        },
        1.3,
    ),
    'throw': Action(
        {
            0.0: {},
            0.15: _right(flexion=30, outward=15, elbow=70) | _left(step=0.12, lift=0.07),
            0.34: _STEPPED
            | _right(flexion=92, outward=78, abduction=0, inward=-10, elbow=108)
            | _left(flexion=70, abduction=0, elbow=20)
            | {'twist': -32, 'turn': -14, 'back': 0.02, 'lean': -6},
            0.50: _STEPPED
            | _right(flexion=135, outward=30, abduction=0, inward=0, elbow=35, heel=30)
            | _left(flexion=25, elbow=55)
            | {'twist': 14, 'turn': 12, 'back': -0.16, 'lean': 14},
            0.64: _STEPPED
            | _right(flexion=48, outward=-10, abduction=0, inward=20, elbow=25, heel=38)
            | _left(flexion=-15, elbow=45)
            | {'twist': 32, 'turn': 16, 'back': -0.2, 'lean': 28},
            0.85: _left(step=0.14, lift=0.06),
            1.0: {},
        },
        1.7,
    ),
    'kick': Action(
        {
            0.0: {},
            0.25: _right(step=-0.38, lift=0.16, heel=60, flexion=18)
            | _left(flexion=-12, abduction=16)
            | {'shift': 0.08, 'lean': 8, 'turn': -8},
            0.45: _right(step=0.78, lift=0.52, heel=5, flexion=-30, abduction=22)
            | _left(flexion=38, abduction=25, elbow=30)
            | {'shift': 0.09, 'lean': -12, 'turn': 10, 'tilt': -10},
            0.62: _right(step=0.38, lift=0.26, heel=20) | {'shift': 0.08, 'lean': 0},
            0.82: _right(step=0.02, lift=0.03, heel=10) | {'shift': 0.04},
            1.0: {},
        },
        1.3,
    ),
    # In the air for a fifth of the time, which is long enough to fall from the height reached.
    'jump': Action(
        {
            0.0: {},
            0.25: _both(flexion=-35, elbow=20)
            | {'drop': 0.30, 'back': 0.10, 'tilt': 16, 'lean': 34},
            0.44: _both(flexion=65, abduction=2, inward=5, elbow=25, heel=32)
            | {'drop': -0.11, 'lean': 2},
            0.50: _both(flexion=110, abduction=-6, inward=0, elbow=25, heel=38, lift=0.14)
            | {'drop': -0.24, 'lean': 0},
            0.55: _both(flexion=125, abduction=-10, inward=0, elbow=25, heel=32, lift=0.19)
            | {'drop': -0.28, 'lean': 2},
            0.60: _both(flexion=105, abduction=-4, inward=5, elbow=25, heel=25, lift=0.14)
            | {'drop': -0.20, 'lean': 5},
            0.66: _both(flexion=70, elbow=25, heel=18) | {'drop': -0.03, 'lean': 10},
            0.78: _both(flexion=25, elbow=35)
            | {'drop': 0.22, 'back': 0.08, 'tilt': 12, 'lean': 24},
            1.0: {},
        },
        1.6,
    ),
    'squat': Action({0.0: {}, 0.45: _SQUATTING, 0.55: _SQUATTING, 1.0: {}}, 1.8),
    'sit down': Action(_SITTING_DOWN, 1.5),
    'stand up': Action(_reversed(_SITTING_DOWN), 1.5),
    'pick up': Action(
        {
            0.0: {},
            0.5: _PICKING,
            0.58: _PICKING,
            0.85: _right(flexion=6, elbow=70) | {'drop': 0.03, 'lean': 10},
            1.0: {},
        },
        1.8,
    ),
    'walk on the spot': Action(
        {0.0: {}, 0.1: {'drop': 0.01}, 0.9: {'drop': 0.01}, 1.0: {}},
        swings={
            'left_lift': Swing(0.24, bump=True),
            'right_lift': Swing(0.24, 0.5, bump=True),
            'left_heel': Swing(38, bump=True),
            'right_heel': Swing(38, 0.5, bump=True),
            'left_step': Swing(-0.06, bump=True),
            'right_step': Swing(-0.06, 0.5, bump=True),
            'shift': Swing(-0.035),
            'twist': Swing(-7),
            'left_flexion': Swing(-20),
            'right_flexion': Swing(20),
        },
        rate=0.95,
    ),
}

# Legs move together: one size for all that they do, so that a jump leaves and meets the ground.
_LEGS = ('drop', 'back', 'shift', 'step', 'lift', 'heel')
# Relative deviations of sizes and of speed: of subjects, of a subject in one action, of takes.
_SIZES, _SPEEDS = (0.05, 0.08, 0.04), (0.12, 0.10, 0.06)
_UNLIKE = 0.4  # how much of such a deviation an arm does not share with the other one
_TIMING = (0.0, 0.15, 0.10)  # of when within an action its middle comes
_LEFT_HANDED, _OTHER_HAND = 0.25, 0.1
# Nobody stands still: slow waves, in the units of the curves. The feet do.
_UNREST = {
    'shift': 0.008,
    'back': 0.005,
    'turn': 1.0,
    'lean': 0.8,
    'side': 0.6,
    'twist': 1.2,
    'nod': 1.5,
} | _both(flexion=1.5, abduction=1.0, inward=2.0, elbow=2.0)
_WAVES = 2
_LONGEST = 0.92  # of the frames, for an action that would take longer
_STEADY = 0.25  # of a repeated action, in which it gathers and in which it loses size


class Performance(NamedTuple):
    r"""Performed actions: the traits of the bodies, their curves, how long they are, and how they
    stand: degrees to the left, and metres of their mean place from the origin.

    Shapes:
        - **traits:** :math:`(N)` each
        - **curves:** :math:`(N, T)` each
        - **lengths:** :math:`(N)`
        - **heading:** :math:`(N)`
        - **place:** :math:`(N, 2)`
    """

    traits: dict[str, Tensor]
    curves: dict[str, Tensor]
    lengths: Tensor
    heading: Tensor
    place: Tensor


def draw_performances(
    seed: int, keys: Sequence[tuple[int, str, int]], num_frames: tuple[int, int], fps: float
) -> Performance:
    r"""Draw performances, each from its own key, whatever the others are.

    Length, heading and place do not depend on the action.

    Args:
        seed (int): Another seed gives other subjects and other takes. The bodies are those of
            :func:`~graphmotion.synthetic.walking_styles.draw_walks`.
        keys (sequence of tuples): Subject, action and take of each performance.
        num_frames (tuple): The least and the greatest length.
        fps (float): Frames a second.
    """
    codes = {name: code for code, name in enumerate(ACTIONS)}
    size = len(CURVES)
    # Normal numbers: for the size of each curve, of the legs and of all, the speed and the timing.
    habits = {s: generator(seed, 10, s) for s in {key[0] for key in keys}}
    left_handed = {s: source.random() < _LEFT_HANDED for s, source in habits.items()}
    of_subject = {s: source.standard_normal(size + 4) for s, source in habits.items()}
    of_action = {
        (s, action): generator(seed, 11, s, codes[action]).standard_normal(size + 4)
        for s, action in {key[:2] for key in keys}
    }
    sources = [generator(seed, 12, s, codes[action], take) for s, action, take in keys]
    chances = np.stack([source.random(8 + _WAVES * (1 + size)) for source in sources])
    normals = np.stack([source.standard_normal(size + 4) for source in sources])
    deviations = np.stack(
        [
            np.stack([of_subject[s] for s, _, _ in keys]),
            np.stack([of_action[s, action] for s, action, _ in keys]),
            normals,
        ]
    ).clip(-2.5, 2.5)
    left = slice(len(BODY), len(BODY) + len(SIDED))
    right = slice(left.stop, size)
    shared = (1 - _UNLIKE**2) ** 0.5
    deviations[..., right] = shared * deviations[..., left] + _UNLIKE * deviations[..., right]
    sizes = 1 + np.tensordot(_SIZES, deviations[..., : size + 2], 1)
    for column, name in enumerate(CURVES):
        if name.rpartition('_')[2] in _LEGS:
            sizes[:, column] = sizes[:, size]
    sizes = sizes[:, :size] * sizes[:, size + 1 :]
    speed = np.exp(np.tensordot(_SPEEDS, deviations[..., size + 2], 1))
    timing = np.tensordot(_TIMING, deviations[..., size + 3], 1).clip(-0.6, 0.6)

    least, greatest = num_frames
    lengths = np.minimum(least + (chances[:, 0] * (greatest - least + 1)).astype(int), greatest)
    wanted = np.array([(ACTIONS[action].seconds or np.inf) * fps for _, action, _ in keys]) / speed
    most = np.where(np.isinf(wanted), 0.78 + 0.2 * chances[:, 1], _LONGEST) * lengths
    duration = np.minimum(wanted, most)
    start = chances[:, 2] * (lengths - 1 - duration).clip(min=0)
    frame = np.arange(greatest)
    time = ((frame - start[:, None]) / duration[:, None]).clip(0, 1)
    time += timing[:, None] * np.sin(2 * np.pi * time) / (2 * np.pi)
    phase = chances[:, 3, None] + speed[:, None] * frame / fps

    moved = np.zeros((len(keys), greatest, size))
    for action in {key[1] for key in keys}:
        rows = [row for row, key in enumerate(keys) if key[1] == action]
        moved[rows] = _move(ACTIONS[action], time[rows], phase[rows])
    moved *= sizes[:, None]
    other = np.array([left_handed[s] for s, _, _ in keys]) ^ (chances[:, 4] < _OTHER_HAND)
    order, sign = _mirror()
    moved[other] = moved[other][:, :, order] * sign

    drawn = chances[:, 8:].reshape(len(keys), _WAVES, 1 + size)
    unrest = np.array([_UNREST.get(name, 0.0) for name in CURVES])
    for k in range(_WAVES):
        frequency = (k + 1) * (0.15 + 0.1 * drawn[:, k, :1, None]) * frame[:, None] / fps
        waves = np.sin(2 * np.pi * (frequency + drawn[:, k, None, 1:]))
        moved += unrest / (k + 1) * waves

    takes = [(s, 'neutral', 'normal', len(ACTIONS) * t + codes[a]) for s, a, t in keys]
    traits = draw_walks(seed, takes).traits
    curves = dict(zip(CURVES, torch.from_numpy(moved).float().unbind(-1)))
    for name, habit in _posture(traits).items():
        curves[name] = curves[name] + habit.unsqueeze(1)
    heading, place = 50 * chances[:, 5] - 25, chances[:, 6:8] - 0.5
    return Performance(
        traits,
        curves,
        torch.from_numpy(lengths),
        torch.from_numpy(heading).float(),
        torch.from_numpy(place).float(),
    )


def _move(action: Action, time: np.ndarray, phase: np.ndarray) -> np.ndarray:
    """By how much each curve differs from standing at times (N, T): (N, T, C)."""
    values = np.array(
        [
            [pose.get(name, _STANDING.get(name, 0.0)) for name in CURVES]
            for pose in action.poses.values()
        ]
    ) - [_STANDING.get(name, 0.0) for name in CURVES]
    # A pose held before and after, so that the movement begins and ends smoothly.
    times = np.array([-1.0, *action.poses, 2.0])
    out = PchipInterpolator(times, np.concatenate([values[:1], values, values[-1:]]))(time)
    ramp = (np.minimum(time, 1 - time) / _STEADY).clip(0, 1)
    ramp = ramp * ramp * (3 - 2 * ramp)
    for name, swing in action.swings.items():
        wave = np.sin(2 * np.pi * (action.rate * phase - swing.shift))
        if swing.bump:
            wave = wave.clip(min=0) ** 2
        out[:, :, CURVES.index(name)] += swing.size * ramp * wave
    return out


def _mirror() -> tuple[list[int], np.ndarray]:
    """What each curve is of the mirrored body: its position, and its sign."""
    names = [*BODY, *(f'{side}_{name}' for side in ('right', 'left') for name in SIDED)]
    sign = [-1.0 if name in ('shift', 'turn', 'side', 'twist') else 1.0 for name in CURVES]
    return [CURVES.index(name) for name in names], np.array(sign)


def _posture(traits: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """How a subject stands; asymmetry and what else matters in walking is left out."""
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
