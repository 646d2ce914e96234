"""Random faces of subjects and random images of their expressions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from graphmotion.synthetic.action_units import ACTION_UNITS, EXPRESSION_VARIANTS, EXPRESSIONS
from graphmotion.synthetic.face_shapes import SHAPE_TRAITS
from graphmotion.synthetic.seeding import keyed_generator

_SHAPE_ASYMMETRY = 0.22  # difference between the sides, in standard deviations of the trait
# Deviations of the logarithm of the strength of each action unit, between subjects and images.
_UNIT_STD, _UNIT_IMAGE_STD = 0.28, 0.12
# Deviation of the logarithm of the strength of an expression between subjects.
_EXPRESSION_STD = 0.15
# Relative difference of each action unit between the sides, between subjects and images.
_UNIT_ASYMMETRY, _UNIT_IMAGE_ASYMMETRY = 0.20, 0.06
# Intensity of action units in the resting face of a subject and, at random, in each image.
_REST_INTENSITY, _RANDOM_INTENSITY = 0.12, 0.04
_MAX_VARIANT = 0.8  # intensity of a unit that a subject adds to an expression
_NUM_HABITS, _MAX_HABIT = 3, 0.5  # further units of a subject in an expression
_LIMIT = 2.2  # standard deviations
# Factors for units that would turn a resting face into an expression.
_REST_FACTORS = {
    5: 0.6, 9: 0.5, 10: 0.6, 15: 0.6, 16: 0.5, 20: 0.5, 25: 0.5, 26: 0.4, 27: 0.0, 43: 0.8,
}  # fmt: skip
_EXPRESSION_IDS = {name: i for i, name in enumerate(EXPRESSIONS)}
_UNIT_ROWS = {unit: row for row, unit in enumerate(ACTION_UNITS)}
_REST_FACTOR = np.array([_REST_FACTORS.get(unit, 1.0) for unit in ACTION_UNITS])


class HeadPose(NamedTuple):
    """The largest angles of the head in degrees, to either side."""

    yaw: float = 5.0
    pitch: float = 4.0
    roll: float = 3.0


class FaceStyles(NamedTuple):
    r"""The random parameters of face images.

    Shapes:
        - **shapes:** :math:`(N, M, 2)`
        - **units:** :math:`(N, A, 2)`
        - **scene:** :math:`(N)` each
    """

    shapes: Tensor
    units: Tensor
    scene: dict[str, Tensor]


_POSE = HeadPose()


def expression_index(name: str) -> int:
    r"""Returns the index of an expression among all expressions."""
    return _EXPRESSION_IDS[name]


def sample_face_styles(
    seed: int,
    keys: Sequence[tuple[int, str, int]],
    intensity: tuple[float, float] = (0.4, 1.0),
    pose: HeadPose = _POSE,
    light: float = 1.0,
    framing: float = 1.0,
    noise: float = 1.0,
    individuality: float = 1.0,
) -> FaceStyles:
    r"""Samples face images, each from the seed and its own key alone.

    Pose, light, crop and background are independent of the expression.

    Args:
        seed (int): The random seed.
        keys (sequence of tuples): The subject, expression and take of each image.
        intensity (tuple, optional): The minimum and maximum intensity of an expression, from 0 to
            1. (default: :obj:`(0.4, 1.0)`)
        pose (HeadPose, optional): The largest angles of the head. (default: :obj:`HeadPose()`)
        light (float, optional): A factor for the variation of light and background.
            (default: :obj:`1.0`)
        framing (float, optional): A factor for the errors of the crop. (default: :obj:`1.0`)
        noise (float, optional): A factor for the blur. (default: :obj:`1.0`)
        individuality (float, optional): A factor for the differences between the expressions of
            subjects and the prototypes, including asymmetry. (default: :obj:`1.0`)
    """
    subjects = {s: _sample_subject(seed, s, individuality) for s in {key[0] for key in keys}}
    individual_expressions = {
        (s, name): _sample_expression(seed, s, name, individuality)
        for s, name in {key[:2] for key in keys}
    }
    units, scenes = [], []
    for key in keys:
        subject, name, take = key
        generator = keyed_generator(seed, 22, subject, _EXPRESSION_IDS[name], take)
        traits, expression = subjects[subject], individual_expressions[subject, name]
        size = intensity[0] + (intensity[1] - intensity[0]) * generator.random()
        units.append(_sample_units(generator, traits, expression, size, individuality))
        scenes.append(traits.looks | _sample_scene(generator, pose, light, framing, noise))
    return FaceStyles(
        torch.from_numpy(np.stack([subjects[key[0]].shapes for key in keys])).float(),
        torch.from_numpy(np.stack(units)).float(),
        {name: torch.tensor([scene[name] for scene in scenes]) for name in scenes[0]},
    )


class _Subject(NamedTuple):
    shapes: np.ndarray  # [M, 2]
    looks: dict[str, float]
    log_strength: np.ndarray  # [A]
    asymmetry: np.ndarray  # [A]
    rest: np.ndarray  # [A, 2]


def _normal(generator: np.random.Generator, *shape: int) -> np.ndarray:
    return generator.standard_normal(shape).clip(-_LIMIT, _LIMIT)


def _sample_subject(seed: int, subject: int, individuality: float) -> _Subject:
    generator = keyed_generator(seed, 20, subject)
    shapes = _normal(generator, len(SHAPE_TRAITS), 1) * np.ones(2)
    asymmetry = _normal(generator, len(SHAPE_TRAITS), 1)
    shapes += individuality * _SHAPE_ASYMMETRY * asymmetry * [-0.5, 0.5]
    uniform = generator.random(12)
    beard = 0.55 * max(0.0, (uniform[0] - 0.72) / 0.28)
    skin = 0.36 + 0.46 * uniform[1] ** 0.8
    hair = 0.06 + 0.52 * uniform[2] ** 2.2
    relief = np.exp(0.2 * _normal(generator, 3))
    looks = {
        'skin': skin,
        'hair': min(hair, 0.9 * skin),
        'brow': min(0.05 + 0.7 * hair + 0.14 * uniform[3], 0.72 * skin),
        'lip': 0.62 + 0.22 * uniform[4],
        'iris': 0.06 + 0.26 * uniform[5] ** 1.5,
        'beard': beard,
        'moustache': 0.6 * max(0.0, (uniform[6] - 0.78) / 0.22) + 0.5 * beard,
        'age': uniform[7],
        'brow_width': 3.0 + 3.6 * uniform[8],
        'iris_size': 5.5 + 0.7 * uniform[9],
        'nose_relief': relief[0],
        'cheek_relief': relief[1],
        'brow_relief': relief[2],
    }
    count = len(ACTION_UNITS)
    log_strength = individuality * _UNIT_STD * _normal(generator, count)
    asymmetry = individuality * _UNIT_ASYMMETRY * _normal(generator, count)
    rest = np.abs(_normal(generator, count)) * _REST_FACTOR
    return _Subject(
        shapes,
        {name: float(value) for name, value in looks.items()},
        log_strength,
        asymmetry,
        individuality * _REST_INTENSITY * rest[:, None] * np.ones(2),
    )


def _sample_expression(seed: int, subject: int, name: str, individuality: float) -> np.ndarray:
    """Samples the action units of a subject's expression at full intensity: [A, 2]."""
    generator = keyed_generator(seed, 21, subject, _EXPRESSION_IDS[name])
    strength = np.exp(individuality * _EXPRESSION_STD * float(_normal(generator, 1)[0]))
    uniform = generator.random((len(ACTION_UNITS), 2))
    order = generator.permutation(len(ACTION_UNITS))
    habits, side = generator.random(_NUM_HABITS), generator.random()
    out = np.zeros((len(ACTION_UNITS), 2))
    if name == 'neutral':
        return out
    for unit, value in EXPRESSIONS[name].items():
        out[_UNIT_ROWS[unit]] = strength * value
    for unit, probability in EXPRESSION_VARIANTS[name].items():
        row = _UNIT_ROWS[unit]
        if uniform[row, 0] < probability * individuality:
            out[row] = np.maximum(out[row], _MAX_VARIANT * uniform[row, 1])
    # Units such as jaw drop and eye closure are too strong for a habit.
    candidates = [row for row in order if not out[row].any() and _REST_FACTOR[row] == 1.0]
    for row, size in zip(candidates, habits):
        out[row] = individuality * _MAX_HABIT * size
    if name == 'contempt':
        out[:, int(side < 0.5)] = 0.0
    return out


def _sample_units(
    generator: np.random.Generator,
    subject: _Subject,
    expression: np.ndarray,
    intensity: float,
    individuality: float,
) -> np.ndarray:
    """Samples the action units of an image: [A, 2]."""
    count = len(ACTION_UNITS)
    log_strength = subject.log_strength + individuality * _UNIT_IMAGE_STD * _normal(
        generator, count
    )
    asymmetry = subject.asymmetry + individuality * _UNIT_IMAGE_ASYMMETRY * _normal(
        generator, count
    )
    sides = np.exp(log_strength)[:, None] * (1 + asymmetry[:, None] * [-0.5, 0.5])
    noise = individuality * _RANDOM_INTENSITY * np.abs(_normal(generator, count)) * _REST_FACTOR
    return (intensity * expression * sides + subject.rest + noise[:, None]).clip(0, 1.15)


def _sample_scene(
    generator: np.random.Generator, pose: HeadPose, light: float, framing: float, noise: float
) -> dict[str, float]:
    angle = 2 * generator.random(3) - 1
    uniform = 2 * generator.random(8) - 1
    crop = _normal(generator, 3)
    gaze = _normal(generator, 2)
    return {
        'yaw': pose.yaw * angle[0],
        'pitch': pose.pitch * angle[1],
        'roll': pose.roll * angle[2],
        # The gaze is towards the camera even if the head is turned.
        'gaze_right': 0.8 * gaze[0] - 0.1 * pose.yaw * angle[0],
        'gaze_up': 0.3 * gaze[1] - 0.05 * pose.pitch * angle[1],
        'crop_right': 0.7 * framing * crop[0],
        'crop_up': 0.7 * framing * crop[1],
        'zoom': float(np.exp(0.012 * framing * crop[2])),
        'light_right': 18 * light * uniform[0],
        'light_up': 25 + 8 * light * uniform[1],
        'ambient': 0.45 + 0.06 * light * uniform[2],
        'exposure': float(1.2 * np.exp(0.07 * light * uniform[3])),
        'background': 0.45 + 0.12 * light * uniform[4],
        'background_right': 0.15 * light * uniform[5],
        'background_up': 0.15 * light * uniform[6],
        'blur': 0.6 * noise * (1 + uniform[7]),
    }
