"""Definitions of the synthetic actions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

Pose = Mapping[str, float]


class Oscillation(NamedTuple):
    r"""A sine wave that is added to a curve.

    Args:
        amplitude (float): The amplitude, in the unit of the curve.
        shift (float, optional): The phase shift in cycles. (default: :obj:`0.0`)
        pulse (bool, optional): If set to :obj:`True`, the wave is the square of its positive half.
            (default: :obj:`False`)
    """

    amplitude: float
    shift: float = 0.0
    pulse: bool = False


class Action(NamedTuple):
    r"""A sequence of key poses from time 0 to 1, with optional oscillations.

    A pose holds values of :obj:`~graphmotion.synthetic.actor.CURVES`; missing values are those of
    the standing pose. One-handed and one-footed actions use the right side. The first pose is held
    before the action and the last one after it.

    Args:
        poses (mapping): The poses by time.
        seconds (float, optional): The duration. If set to :obj:`None`, the action takes most of the
            sequence. (default: :obj:`None`)
        oscillations (mapping, optional): The oscillations by curve. (default: :obj:`{}`)
        rate (float, optional): The frequency of the oscillations in hertz. (default: :obj:`0.0`)
    """

    poses: Mapping[float, Pose]
    seconds: float | None = None
    oscillations: Mapping[str, Oscillation] = {}
    rate: float = 0.0


#: The mean standing pose. Each subject has an individual one.
STANDING: Pose = {
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
    """Returns the poses backwards in time."""
    return {round(1 - time, 6): poses[time] for time in reversed(list(poses))}


#: The actions by name. Standing up is sitting down backwards, and lowering the arms is raising them
#: backwards, so that only the order of poses distinguishes the two.
ACTIONS: dict[str, Action] = {
    'wave': Action(
        {0.0: {}, 0.2: _WAVING, 0.8: _WAVING, 1.0: {}},
        oscillations={'right_elbow': Oscillation(30), 'right_outward': Oscillation(7, 0.1)},
        rate=1.6,
    ),
    'clap': Action(
        {0.0: {}, 0.2: _CLAPPING, 0.8: _CLAPPING, 1.0: {}},
        oscillations={f'{side}_inward': Oscillation(18) for side in ('left', 'right')},
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
    # The feet are off the ground for a fifth of the duration, enough to fall from the height of the
    # jump.
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
        oscillations={
            'left_lift': Oscillation(0.24, pulse=True),
            'right_lift': Oscillation(0.24, 0.5, pulse=True),
            'left_heel': Oscillation(38, pulse=True),
            'right_heel': Oscillation(38, 0.5, pulse=True),
            'left_step': Oscillation(-0.06, pulse=True),
            'right_step': Oscillation(-0.06, 0.5, pulse=True),
            'shift': Oscillation(-0.035),
            'twist': Oscillation(-7),
            'left_flexion': Oscillation(-20),
            'right_flexion': Oscillation(20),
        },
        rate=0.95,
    ),
}
