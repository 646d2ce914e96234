"""How people look and how they show emotions: subjects and pictures of them, drawn by seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from graphmotion.synthetic.face_model import ACTION_UNITS, EXPRESSIONS, SHAPES, VARIANTS
from graphmotion.synthetic.seeding import keyed_generator

# Deviations: of a trait's sides from each other, in standard deviations of the trait,
_UNLIKE = 0.22
# of the logarithm of each unit's strength, in a subject and in a picture,
_STRENGTH, _STRENGTH_OF_TAKE = 0.28, 0.12
# of a subject's strength in one expression,
_STRENGTH_OF_EXPRESSION = 0.15
# of the right side from the left one, relative to the unit, in a subject and in a picture;
_ASYMMETRY, _ASYMMETRY_OF_TAKE = 0.20, 0.06
# units that are on without a cause, in the subject's resting face and in a picture;
_REST, _UNREST = 0.12, 0.04
# how much of a variant of the prototype a subject adds at most.
_VARIANT_SIZE = 0.8
# A subject's leanings in one expression: how many units, and how much at most.
_LEANINGS, _LEANING_SIZE = 3, 0.5
_LIMIT = 2.2  # standard deviations beyond which nothing is drawn
# Units of which a resting face shows less, for they would be an expression of their own.
_SELDOM = {25: 0.5, 26: 0.4, 27: 0.0, 43: 0.8, 5: 0.6, 9: 0.5, 20: 0.5, 16: 0.5, 15: 0.6, 10: 0.6}
_CODES = {name: code for code, name in enumerate(EXPRESSIONS)}
_ROWS = {unit: row for row, unit in enumerate(ACTION_UNITS)}
_SHARE = np.array([_SELDOM.get(unit, 1.0) for unit in ACTION_UNITS])


class Pose(NamedTuple):
    """The greatest angles of a head in degrees, to either side."""

    yaw: float = 5.0
    pitch: float = 4.0
    roll: float = 3.0


class Styles(NamedTuple):
    r"""How faces are to be drawn.

    Shapes:
        - **shapes:** :math:`(N, M, 2)`
        - **units:** :math:`(N, A, 2)`
        - **scene:** :math:`(N)` each
    """

    shapes: Tensor
    units: Tensor
    scene: dict[str, Tensor]


class _Subject(NamedTuple):
    shapes: np.ndarray  # [M, 2]
    looks: dict[str, float]
    strength: np.ndarray  # [A], logarithms
    asymmetry: np.ndarray  # [A]
    rest: np.ndarray  # [A, 2]


_POSE = Pose()


def expression_code(name: str) -> int:
    """The number of an expression, whichever others are chosen."""
    return _CODES[name]


def draw_styles(
    seed: int,
    keys: Sequence[tuple[int, str, int]],
    intensity: tuple[float, float] = (0.4, 1.0),
    pose: Pose = _POSE,
    light: float = 1.0,
    framing: float = 1.0,
    noise: float = 1.0,
    individuality: float = 1.0,
) -> Styles:
    r"""Draw faces, each from its own key, whatever the others are.

    Pose, light, crop and background do not depend on the expression.

    Args:
        seed (int): Another seed gives other subjects and other takes.
        keys (sequence of tuples): Subject, expression and take of each face.
        intensity (tuple, optional): The least and the greatest intensity of an expression, 0 to 1.
            (default: :obj:`(0.4, 1.0)`)
        pose (Pose, optional): The greatest angles. (default: :obj:`Pose()`)
        light (float, optional): A factor on how much the light differs from one that comes from
            ahead and above. (default: :obj:`1`)
        framing (float, optional): A factor on the errors of the crop's place and scale.
            (default: :obj:`1`)
        noise (float, optional): A factor on the blur. (default: :obj:`1`)
        individuality (float, optional): A factor on how much subjects' ways to show an expression
            differ from the prototype, asymmetry of the face included. (default: :obj:`1`)
    """
    subjects = {s: _draw_subject(seed, s, individuality) for s in {key[0] for key in keys}}
    manners = {
        (s, name): _draw_manner(seed, s, name, individuality)
        for s, name in {key[:2] for key in keys}
    }
    units, scenes = [], []
    for key in keys:
        subject, name, take = key
        source = keyed_generator(seed, 22, subject, _CODES[name], take)
        one, prototype = subjects[subject], manners[subject, name]
        size = intensity[0] + (intensity[1] - intensity[0]) * source.random()
        units.append(_show(source, one, prototype, size, individuality))
        scenes.append(one.looks | _draw_scene(source, pose, light, framing, noise))
    return Styles(
        torch.from_numpy(np.stack([subjects[key[0]].shapes for key in keys])).float(),
        torch.from_numpy(np.stack(units)).float(),
        {name: torch.tensor([scene[name] for scene in scenes]) for name in scenes[0]},
    )


def _normal(source: np.random.Generator, *shape: int) -> np.ndarray:
    return source.standard_normal(shape).clip(-_LIMIT, _LIMIT)


def _draw_subject(seed: int, subject: int, individuality: float) -> _Subject:
    source = keyed_generator(seed, 20, subject)
    shapes = _normal(source, len(SHAPES), 1) * np.ones(2)
    shapes += individuality * _UNLIKE * _normal(source, len(SHAPES), 1) * [-0.5, 0.5]
    chance = source.random(12)
    beard = 0.55 * max(0.0, (chance[0] - 0.72) / 0.28)
    skin = 0.36 + 0.46 * chance[1] ** 0.8
    hair = 0.06 + 0.52 * chance[2] ** 2.2
    relief = np.exp(0.2 * _normal(source, 3))
    looks = {
        'skin': skin,
        'hair': min(hair, 0.9 * skin),
        'brow': min(0.05 + 0.7 * hair + 0.14 * chance[3], 0.72 * skin),
        'lip': 0.62 + 0.22 * chance[4],
        'iris': 0.06 + 0.26 * chance[5] ** 1.5,
        'beard': beard,
        'moustache': 0.6 * max(0.0, (chance[6] - 0.78) / 0.22) + 0.5 * beard,
        'age': chance[7],
        'brow_width': 3.0 + 3.6 * chance[8],
        'iris_size': 5.5 + 0.7 * chance[9],
        'nose_relief': relief[0],
        'cheek_relief': relief[1],
        'brow_relief': relief[2],
    }
    count = len(ACTION_UNITS)
    return _Subject(
        shapes,
        {name: float(value) for name, value in looks.items()},
        individuality * _STRENGTH * _normal(source, count),
        individuality * _ASYMMETRY * _normal(source, count),
        individuality * _REST * (np.abs(_normal(source, count)) * _SHARE)[:, None] * np.ones(2),
    )


def _draw_manner(seed: int, subject: int, name: str, individuality: float) -> np.ndarray:
    """The units by which a subject shows an expression at full intensity: (A, 2)."""
    source = keyed_generator(seed, 21, subject, _CODES[name])
    strength = np.exp(individuality * _STRENGTH_OF_EXPRESSION * float(_normal(source, 1)[0]))
    chance = source.random((len(ACTION_UNITS), 2))
    others = source.permutation(len(ACTION_UNITS))
    more, side = source.random(_LEANINGS), source.random()
    out = np.zeros((len(ACTION_UNITS), 2))
    if name == 'neutral':
        return out
    for unit, value in EXPRESSIONS[name].items():
        out[_ROWS[unit]] = strength * value
    for unit, share in VARIANTS[name].items():
        row = _ROWS[unit]
        if chance[row, 0] < share * individuality:
            out[row] = np.maximum(out[row], _VARIANT_SIZE * chance[row, 1])
    # Jaw drop and closed eyes are too much for a leaning.
    calm = [row for row in others if not out[row].any() and _SHARE[row] == 1.0]
    for row, size in zip(calm, more):
        out[row] = individuality * _LEANING_SIZE * size
    if name == 'contempt':
        out[:, int(side < 0.5)] = 0.0
    return out


def _show(
    source: np.random.Generator,
    subject: _Subject,
    manner: np.ndarray,
    size: float,
    individuality: float,
) -> np.ndarray:
    """The units of one picture: (A, 2)."""
    count = len(ACTION_UNITS)
    strength = subject.strength + individuality * _STRENGTH_OF_TAKE * _normal(source, count)
    unlike = subject.asymmetry + individuality * _ASYMMETRY_OF_TAKE * _normal(source, count)
    sides = np.exp(strength)[:, None] * (1 + unlike[:, None] * [-0.5, 0.5])
    unrest = individuality * _UNREST * np.abs(_normal(source, count)) * _SHARE
    return (size * manner * sides + subject.rest + unrest[:, None]).clip(0, 1.15)


def _draw_scene(
    source: np.random.Generator, pose: Pose, light: float, framing: float, noise: float
) -> dict[str, float]:
    turned = 2 * source.random(3) - 1
    side = 2 * source.random(8) - 1
    crop = _normal(source, 3)
    gaze = _normal(source, 2)
    return {
        'yaw': pose.yaw * turned[0],
        'pitch': pose.pitch * turned[1],
        'roll': pose.roll * turned[2],
        # People look ahead, also with the head turned.
        'gaze_right': 0.8 * gaze[0] - 0.1 * pose.yaw * turned[0],
        'gaze_up': 0.3 * gaze[1] - 0.05 * pose.pitch * turned[1],
        'crop_right': 0.7 * framing * crop[0],
        'crop_up': 0.7 * framing * crop[1],
        'zoom': float(np.exp(0.012 * framing * crop[2])),
        'light_right': 18 * light * side[0],
        'light_up': 25 + 8 * light * side[1],
        'ambient': 0.45 + 0.06 * light * side[2],
        'exposure': float(1.2 * np.exp(0.07 * light * side[3])),
        'background': 0.45 + 0.12 * light * side[4],
        'background_right': 0.15 * light * side[5],
        'background_up': 0.15 * light * side[6],
        'blur': 0.6 * noise * (1 + side[7]),
    }
