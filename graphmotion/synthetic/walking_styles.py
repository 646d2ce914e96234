"""How people walk: habits of subjects, emotions and conditions, drawn by seed.

What emotions change follows the studies of emotional gait: Montepare, Goldstein and Clausen,
"The identification of emotions from gait information" (1987): sad gaits have less arm swing,
angry ones longer strides and heavy feet, happy ones a fast and bouncing pace; Roether, Omlor,
Christensen and Giese, "Critical features for the perception of emotion from gait" (2009): speed
and the size of the movements rise from sad over neutral to happy and angry, the elbows bend in
anger, the head sinks in sadness; Gross, Crane and Fredrickson, "Effort-Shape and kinematic
assessment of bodily expression of emotion during gait" (2012): the trunk straightens in joy and
bends in sadness, angry movement is abrupt, sad movement is smooth and slow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

EMOTIONS = ('happy', 'angry', 'sad', 'neutral')
CONDITIONS = ('normal', 'bag', 'coat')


class Trait(NamedTuple):
    """A trait's mean, its deviation between subjects, and between takes of one subject."""

    mean: float
    between: float = 0.0
    within: float = 0.0


# Angles in degrees, lengths in metres.
TRAITS = {
    # the body; scales are relative to the mean proportions
    'height': Trait(1.70, 0.09),
    'leg_scale': Trait(1.0, 0.03),
    'arm_scale': Trait(1.0, 0.03),
    'trunk_scale': Trait(1.0, 0.03),
    'shoulder_scale': Trait(1.0, 0.05),
    'hip_scale': Trait(1.0, 0.05),
    'head_scale': Trait(1.0, 0.04),
    'foot_scale': Trait(1.0, 0.04),
    'thigh_share': Trait(0.0, 0.008),
    'upper_arm_share': Trait(0.0, 0.008),
    'girth': Trait(1.0, 0.10),
    # time: steps a minute of a person of mean height; how abruptly the legs swing
    'cadence': Trait(110.0, 4.0, 1.2),
    'sharpness': Trait(0.0, 0.08, 0.03),
    # legs; stride and arm swing scale the curves of normal walking
    'stride': Trait(1.0, 0.05, 0.012),
    'knee_lift': Trait(3.0, 1.8, 0.4),
    'knee_flexion': Trait(1.0, 2.0, 0.4),
    'bounce': Trait(0.0, 1.5, 0.4),
    'step_width': Trait(0.10, 0.025, 0.005),
    'toe_out': Trait(7.0, 4.0, 0.7),
    'leg_asymmetry': Trait(0.0, 0.03, 0.01),
    'step_asymmetry': Trait(0.0, 0.008, 0.003),
    # pelvis and trunk
    'sway': Trait(0.020, 0.006, 0.001),
    'pelvis_rotation': Trait(5.0, 1.5, 0.4),
    'pelvis_obliquity': Trait(3.5, 1.2, 0.3),
    'trunk_rotation': Trait(5.0, 1.8, 0.5),
    'trunk_roll': Trait(1.5, 0.8, 0.2),
    'trunk_nod': Trait(1.0, 0.4, 0.1),
    'trunk_lag': Trait(0.0, 0.03, 0.005),
    'trunk_lean': Trait(2.0, 2.5, 0.7),
    'slump': Trait(4.0, 3.5, 0.8),
    'side_lean': Trait(0.0, 0.8, 0.4),
    'head_pitch': Trait(2.0, 4.5, 1.5),
    'head_nod': Trait(1.0, 0.6, 0.2),
    'head_yaw': Trait(0.0, 2.0, 2.0),
    # arms
    'arm_swing': Trait(1.0, 0.2, 0.05),
    'arm_asymmetry': Trait(0.0, 0.20, 0.04),
    'arm_lag': Trait(0.02, 0.02, 0.004),
    'arm_flexion': Trait(-3.0, 3.0, 0.7),
    'arm_abduction': Trait(8.0, 2.5, 0.6),
    'elbow_flexion': Trait(15.0, 5.0, 1.2),
    'elbow_swing': Trait(8.0, 3.0, 0.7),
    'forearm_turn': Trait(20.0, 10.0, 1.5),
    'left_arm_freedom': Trait(1.0),
    'right_arm_freedom': Trait(1.0),
    # what is worn; scales and sizes relative to the body
    'coat': Trait(0.0),
    'coat_length': Trait(0.5, 0.2),
    'backpack': Trait(0.0),
    'shoulder_bag': Trait(0.0),
    'left_handbag': Trait(0.0),
    'right_handbag': Trait(0.0),
    # the walk: degrees by which it misses the cameras' middle line, and metres from the origin at
    # which the walker is in mid sequence
    'heading': Trait(0.0, 0.0, 2.0),
    'offset': Trait(0.0, 0.0, 0.4),
}

# Added to a trait, in its unit. Most of an emotion is in the movement; what it adds to the posture
# is less than subjects differ by.
EMOTION_EFFECTS: dict[str, dict[str, float]] = {
    'happy': {
        'cadence': 7.0,
        'stride': 0.06,
        'arm_swing': 0.45,
        'bounce': 5.5,
        'knee_lift': 3.0,
        'trunk_rotation': 2.5,
        'trunk_roll': 1.0,
        'trunk_lean': -0.8,
        'head_pitch': -1.2,
        'head_nod': 1.0,
    },
    'angry': {
        'cadence': 12.0,
        'stride': 0.12,
        'arm_swing': 0.20,
        'sharpness': 0.35,
        'elbow_flexion': 2.0,
        'elbow_swing': 3.0,
        'trunk_lean': 1.2,
        'head_nod': -0.5,
    },
    'sad': {
        'cadence': -13.0,
        'stride': -0.12,
        'arm_swing': -0.45,
        'knee_lift': -1.0,
        'bounce': -1.5,
        'sharpness': -0.08,
        'trunk_rotation': -2.0,
        'slump': 1.5,
        'head_pitch': 3.2,
    },
    'neutral': {},
}
# Deviations between subjects of how strongly they show an emotion, of how much each single effect
# differs from that, and of what a bag or a coat does to them.
_EXPRESSION, _EXPRESSION_EACH, _HINDRANCE = 0.15, 0.2, 0.25

CONDITION_EFFECTS: dict[str, dict[str, float]] = {
    'normal': {},
    'bag': {},  # depends on the bag: see `_carry`
    'coat': {
        'coat': 1.0,
        'stride': -0.05,
        'knee_lift': -1.0,
        'arm_swing': -0.20,
        'arm_abduction': 3.0,
        'step_width': 0.015,
    },
}

_LIMIT = 2.5  # deviations beyond which no trait goes
_WAVES = 3  # slow waves in the pace of one take


class Walks(NamedTuple):
    r"""Drawn walks: traits by name, the phase at the start, the size and place of the slow waves
    of the pace, and a number in 0..1 that decides on the length.

    Shapes:
        - **traits:** :math:`(N)` each
        - **start:** :math:`(N)`
        - **drift:** :math:`(N, 3, 2)`
        - **length:** :math:`(N)`
    """

    traits: dict[str, Tensor]
    start: Tensor
    drift: Tensor
    length: Tensor

    def phase(self, num_frames: int, fps: float) -> Tensor:
        r"""The phase in cycles at every frame: :math:`(N, T)`."""
        time = torch.arange(num_frames) / fps
        # Longer legs swing more slowly, as a pendulum does.
        legs = self.traits['height'] * self.traits['leg_scale'] / TRAITS['height'].mean
        rate = self.traits['cadence'] / 120 / legs.sqrt()
        phase = self.start.unsqueeze(1) + rate.unsqueeze(1) * time
        for k in range(_WAVES):
            size, at = self.drift[:, k, 0, None], self.drift[:, k, 1, None]
            frequency = 0.15 * (k + 1)
            phase = phase + size * torch.sin(2 * torch.pi * (frequency * time + at))
        return phase


def draw_walks(seed: int, keys: Sequence[tuple[int, str, str, int]]) -> Walks:
    r"""Draw walks, each from its own key, whatever the others are.

    Args:
        seed (int): Another seed gives other subjects and other takes.
        keys (sequence of tuples): Subject, emotion, condition and take of each walk.
    """
    names = list(TRAITS)
    mean, between, within = (np.array(column) for column in zip(*TRAITS.values()))
    subjects = {key[0] for key in keys}
    habits = {subject: _normal(generator(seed, 0, subject), len(names)) for subject in subjects}
    bags = {subject: generator(seed, 1, subject).integers(4) for subject in subjects}

    values = np.empty((len(keys), len(names)))
    walk = np.empty((len(keys), 2 + 2 * _WAVES))
    for row, (subject, emotion, condition, take) in enumerate(keys):
        feeling, state = EMOTIONS.index(emotion), CONDITIONS.index(condition)
        expression = _normal(generator(seed, 2, subject, feeling), 1 + len(names))
        own = generator(seed, 3, subject, feeling, state, take)
        values[row] = mean + between * habits[subject] + within * _normal(own, len(names))
        effect = _row(EMOTION_EFFECTS[emotion])
        values[row] += effect * (1 + _EXPRESSION * expression[0])
        values[row] += effect * _EXPRESSION_EACH * expression[1:]
        worn = _carry(int(bags[subject])) if condition == 'bag' else CONDITION_EFFECTS[condition]
        hindrance = _normal(generator(seed, 5, subject, state), len(names))
        values[row] += _row(worn) * (1 + _HINDRANCE * hindrance)
        walk[row] = own.random(walk.shape[1])
    columns = torch.from_numpy(values).float().unbind(1)
    drawn = torch.from_numpy(walk).float()
    drift = drawn[:, 2:].view(-1, _WAVES, 2) * torch.tensor([0.02, 1.0])
    return Walks(dict(zip(names, columns)), drawn[:, 0], drift, drawn[:, 1])


def generator(seed: int, *key: int) -> np.random.Generator:
    """The generator that belongs to a key, the same whatever else is drawn.

    The key's first number tells what is drawn, so that no two kinds of draws share a generator.
    """
    return np.random.default_rng((seed, *key))


def _normal(source: np.random.Generator, size: int) -> np.ndarray:
    return source.standard_normal(size).clip(-_LIMIT, _LIMIT)


def _row(effects: Mapping[str, float]) -> np.ndarray:
    return np.array([effects.get(name, 0.0) for name in TRAITS])


def _carry(kind: int) -> dict[str, float]:
    """What a bag changes, be it on the back, on the left shoulder or in a hand."""
    if kind == 0:
        return {'backpack': 1.0, 'trunk_lean': 4.0, 'arm_swing': -0.15}
    if kind == 1:
        return {'shoulder_bag': 1.0, 'side_lean': 2.0, 'left_arm_freedom': -0.6}
    side, lean = ('left', 2.5) if kind == 2 else ('right', -2.5)
    return {f'{side}_handbag': 1.0, f'{side}_arm_freedom': -0.85, 'side_lean': lean}
