"""Random walking styles of subjects, emotions and conditions.

The effects of emotions follow studies of emotional gait. Montepare, Goldstein and Clausen, "The
identification of emotions from gait information" (1987): sad gaits have less arm swing, angry gaits
longer strides and heavier steps, happy gaits a faster and bouncier pace. Roether, Omlor,
Christensen and Giese, "Critical features for the perception of emotion from gait" (2009): speed and
movement size increase from sad over neutral to happy and angry, anger flexes the elbows, and
sadness lowers the head. Gross, Crane and Fredrickson, "Effort-Shape and kinematic assessment of
bodily expression of emotion during gait" (2012): the trunk is upright in joy and bent in sadness,
angry movement is abrupt, and sad movement is smooth and slow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from graphmotion.synthetic.seeding import keyed_generator

EMOTIONS = ('happy', 'angry', 'sad', 'neutral')
CONDITIONS = ('normal', 'bag', 'coat')


class Trait(NamedTuple):
    """The mean of a trait, and its deviations between subjects and takes."""

    mean: float
    between: float = 0.0
    within: float = 0.0


#: The traits of a walker. Angles are in degrees and lengths in metres.
TRAITS = {
    # Body; scales are relative to the mean proportions.
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
    # Timing: steps per minute at mean height, and how abruptly the legs swing.
    'cadence': Trait(110.0, 4.0, 1.2),
    'sharpness': Trait(0.0, 0.08, 0.03),
    # Legs; stride and arm swing scale the curves of normal walking.
    'stride': Trait(1.0, 0.05, 0.012),
    'knee_lift': Trait(3.0, 1.8, 0.4),
    'knee_flexion': Trait(1.0, 2.0, 0.4),
    'bounce': Trait(0.0, 1.5, 0.4),
    'step_width': Trait(0.10, 0.025, 0.005),
    'toe_out': Trait(7.0, 4.0, 0.7),
    'leg_asymmetry': Trait(0.0, 0.03, 0.01),
    'step_asymmetry': Trait(0.0, 0.008, 0.003),
    # Pelvis and trunk.
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
    # Arms.
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
    # Clothing and bags; sizes are relative to the body.
    'coat': Trait(0.0),
    'coat_length': Trait(0.5, 0.2),
    'backpack': Trait(0.0),
    'shoulder_bag': Trait(0.0),
    'left_handbag': Trait(0.0),
    'right_handbag': Trait(0.0),
    # Path: the angle to the optical axis of the frontal camera, and the distance from the origin in
    # the middle of the sequence.
    'heading': Trait(0.0, 0.0, 2.0),
    'offset': Trait(0.0, 0.0, 0.4),
}

#: The change of each trait by emotion, in its unit. Emotions mostly affect the movement; their
#: effects on posture are smaller than the differences between subjects.
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
# Relative deviations between subjects: of the strength of an emotion, of each of its effects, and
# of the effects of a condition.
_EMOTION_STD, _EMOTION_EFFECT_STD, _CONDITION_EFFECT_STD = 0.15, 0.2, 0.25

#: The change of each trait by walking condition, in its unit.
CONDITION_EFFECTS: dict[str, dict[str, float]] = {
    'normal': {},
    'bag': {},  # depends on the kind of bag, see `_bag_effects`
    'coat': {
        'coat': 1.0,
        'stride': -0.05,
        'knee_lift': -1.0,
        'arm_swing': -0.20,
        'arm_abduction': 3.0,
        'step_width': 0.015,
    },
}

_LIMIT = 2.5  # standard deviations
_NUM_WAVES = 3  # slow waves in the pace of a take


class Walks(NamedTuple):
    r"""The random parameters of walks.

    Args:
        traits (dict): The traits by name.
        start (Tensor): The phase in the first frame.
        drift (Tensor): The amplitudes and phases of slow waves in the pace.
        length (Tensor): A number in :math:`[0, 1)` that determines the number of frames.

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
        r"""Returns the phase in gait cycles in each frame, :math:`(N, T)`."""
        time = torch.arange(num_frames) / fps
        # Longer legs swing more slowly, like a pendulum.
        legs = self.traits['height'] * self.traits['leg_scale'] / TRAITS['height'].mean
        rate = self.traits['cadence'] / 120 / legs.sqrt()
        phase = self.start.unsqueeze(1) + rate.unsqueeze(1) * time
        for k in range(_NUM_WAVES):
            amplitude, shift = self.drift[:, k, 0, None], self.drift[:, k, 1, None]
            frequency = 0.15 * (k + 1)
            phase = phase + amplitude * torch.sin(2 * torch.pi * (frequency * time + shift))
        return phase


def sample_walks(seed: int, keys: Sequence[tuple[int, str, str, int]]) -> Walks:
    r"""Samples walks, each from the seed and its own key alone.

    Args:
        seed (int): The random seed.
        keys (sequence of tuples): The subject, emotion, condition and take of each walk.
    """
    names = list(TRAITS)
    mean, between, within = (np.array(column) for column in zip(*TRAITS.values()))
    subjects = {key[0] for key in keys}
    habits = {s: _normal(keyed_generator(seed, 0, s), len(names)) for s in subjects}
    bags = {s: keyed_generator(seed, 1, s).integers(4) for s in subjects}

    values = np.empty((len(keys), len(names)))
    uniform = np.empty((len(keys), 2 + 2 * _NUM_WAVES))
    for row, (subject, emotion, condition, take) in enumerate(keys):
        emotion_id, condition_id = EMOTIONS.index(emotion), CONDITIONS.index(condition)
        emotion_noise = _normal(keyed_generator(seed, 2, subject, emotion_id), 1 + len(names))
        generator = keyed_generator(seed, 3, subject, emotion_id, condition_id, take)
        values[row] = mean + between * habits[subject] + within * _normal(generator, len(names))
        effect = _to_row(EMOTION_EFFECTS[emotion])
        values[row] += effect * (1 + _EMOTION_STD * emotion_noise[0])
        values[row] += effect * _EMOTION_EFFECT_STD * emotion_noise[1:]
        is_bag = condition == 'bag'
        effect = _to_row(
            _bag_effects(int(bags[subject])) if is_bag else CONDITION_EFFECTS[condition]
        )
        condition_noise = _normal(keyed_generator(seed, 5, subject, condition_id), len(names))
        values[row] += effect * (1 + _CONDITION_EFFECT_STD * condition_noise)
        uniform[row] = generator.random(uniform.shape[1])
    columns = torch.from_numpy(values).float().unbind(1)
    drawn = torch.from_numpy(uniform).float()
    drift = drawn[:, 2:].view(-1, _NUM_WAVES, 2) * torch.tensor([0.02, 1.0])
    return Walks(dict(zip(names, columns)), drawn[:, 0], drift, drawn[:, 1])


def _normal(generator: np.random.Generator, size: int) -> np.ndarray:
    return generator.standard_normal(size).clip(-_LIMIT, _LIMIT)


def _to_row(effects: Mapping[str, float]) -> np.ndarray:
    return np.array([effects.get(name, 0.0) for name in TRAITS])


def _bag_effects(kind: int) -> dict[str, float]:
    """Returns the effects of a backpack, shoulder bag, or left or right handbag."""
    if kind == 0:
        return {'backpack': 1.0, 'trunk_lean': 4.0, 'arm_swing': -0.15}
    if kind == 1:
        return {'shoulder_bag': 1.0, 'side_lean': 2.0, 'left_arm_freedom': -0.6}
    side, lean = ('left', 2.5) if kind == 2 else ('right', -2.5)
    return {f'{side}_handbag': 1.0, f'{side}_arm_freedom': -0.85, 'side_lean': lean}
