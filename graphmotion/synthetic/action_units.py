"""Facial action units and the expressions they make."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from graphmotion.synthetic.face_points import Point, symmetric_field

#: The action units by number, with their names in Ekman, Friesen and Hager, "Facial Action Coding
#: System: The Manual" (2002).
ACTION_UNITS = {
    1: 'inner brow raiser',
    2: 'outer brow raiser',
    4: 'brow lowerer',
    5: 'upper lid raiser',
    6: 'cheek raiser',
    7: 'lid tightener',
    9: 'nose wrinkler',
    10: 'upper lip raiser',
    12: 'lip corner puller',
    14: 'dimpler',
    15: 'lip corner depressor',
    16: 'lower lip depressor',
    17: 'chin raiser',
    18: 'lip pucker',
    20: 'lip stretcher',
    23: 'lip tightener',
    24: 'lip pressor',
    25: 'lips part',
    26: 'jaw drop',
    27: 'mouth stretch',
    43: 'eye closure',
}

#: The action units of each prototypical expression with relative intensities. The combinations
#: follow the investigator's guide of the manual and EMFACS (Friesen and Ekman, "EMFACS-7:
#: Emotional Facial Action Coding System", 1983), as commonly quoted. Unit 10 in disgust, unit 25
#: where the jaw drops, and all intensities are choices of this library. Contempt shows on one side
#: of the face only.
EXPRESSIONS: dict[str, dict[int, float]] = {
    'neutral': {},
    'anger': {4: 1.0, 5: 0.6, 7: 0.8, 23: 0.9},
    'disgust': {9: 1.0, 10: 0.5, 15: 0.5, 17: 0.7},
    'fear': {1: 0.9, 2: 0.6, 4: 0.5, 5: 0.9, 20: 0.8, 25: 0.4, 26: 0.35},
    'happiness': {6: 0.8, 12: 1.0},
    'sadness': {1: 1.0, 4: 0.5, 15: 0.9},
    'surprise': {1: 0.9, 2: 0.9, 5: 0.7, 25: 0.4, 26: 0.9},
    'contempt': {12: 0.5, 14: 1.0},
}

#: The action units that some subjects add to an expression, with the fraction of subjects who do.
#: The values are choices of this library.
EXPRESSION_VARIANTS: dict[str, dict[int, float]] = {
    'neutral': {},
    'anger': {10: 0.25, 17: 0.35, 24: 0.4, 25: 0.2},
    'disgust': {4: 0.35, 6: 0.35, 7: 0.35, 16: 0.25, 25: 0.35},
    'fear': {7: 0.3, 27: 0.2},
    'happiness': {7: 0.35, 25: 0.7, 26: 0.3},
    'sadness': {6: 0.3, 7: 0.3, 17: 0.4, 25: 0.2},
    'surprise': {16: 0.2, 27: 0.4},
    'contempt': {10: 0.35, 24: 0.35},
}

# The offset of each point of the left side at full intensity in millimetres. The directions are
# those described in the manual; the sizes were chosen to resemble strong expressions of adults.
# fmt: off
_OFFSETS: dict[int, dict[Point, tuple[float, ...]]] = {
    1: {
        22: (0.5, 8), 23: (0, 6.5), 24: (0, 2.5), 'glabella': (0, 3), 'forehead': (0, 3),
        43: (0, 0.5),
    },
    2: {
        23: (0, 1.5), 24: (0, 5), 25: (0.5, 8), 26: (1, 7), 'forehead': (0, 2), 44: (0, 0.4),
    },
    4: {
        22: (-3.5, -6), 23: (-2.5, -6), 24: (-1.5, -5), 25: (-0.5, -3.2), 26: (0, -1),
        'glabella': (0, -3), 43: (0, -0.8),
    },
    5: {
        43: (0, 3.4), 44: (0, 3.2), 23: (0, 0.5), 24: (0, 0.5),
    },
    6: {
        'cheek': (1, 6, 1), 'eye_bag': (0, 3, 1), 46: (0, 1.8), 47: (0, 1.2), 44: (0, -1),
        45: (-0.5, -0.3), 25: (0, -0.8), 26: (0, -1.5), 'nasolabial_top': (0.5, 1),
        'nasolabial': (1, 2),
    },
    7: {
        43: (0, -1.8), 44: (0, -2), 46: (0, 1.7), 47: (0, 1.9), 'eye_bag': (0, 1),
    },
    9: {
        30: (0, 2), 33: (0, 3), 34: (0, 4), 35: (1, 5), 'nostril': (0, 4), 'philtrum': (0, 3.5),
        22: (-1.5, -5), 23: (0, -4), 24: (0, -2), 'glabella': (0, -2.5), 42: (0, 0.5),
        43: (0, -1.2), 46: (0, 1.2), 47: (0, 1.6), 'eye_bag': (0, 2), 'cheek': (0, 3.5, 1),
        'nasolabial_top': (0, 4), 'nasolabial': (1, 2.5), 51: (0, 4), 52: (0, 4.3), 53: (0, 3),
        62: (0, 3), 63: (0, 3),
    },
    10: {
        51: (0, 4), 52: (0, 5.5), 53: (0.5, 5.5), 54: (0, 1), 62: (0, 3.5), 63: (0, 4.5),
        64: (0, 0.8), 34: (0, 1), 35: (0.8, 1.5), 'nasolabial_top': (0.5, 2),
        'nasolabial': (2, 3.5), 'cheek': (0, 2, 1), 'philtrum': (0, 2),
    },
    12: {
        54: (10, 9.5, -5), 53: (5.5, 4), 52: (1.6, 0.4), 51: (0, -0.4), 55: (5, 3.6), 56: (2, 1.6),
        57: (0, 1), 64: (9.4, 9, -4), 63: (3, 1), 65: (3, 1), 62: (0, 0.2), 66: (0, 0.2),
        'cheek': (2, 5, 3), 'eye_bag': (0, 1), 'nasolabial_top': (1.5, 1), 'nasolabial': (5, 2),
        'nasolabial_end': (9, 3), 35: (1, 0.4), 13: (1, 0.5), 12: (1.5, 1), 11: (1, 1),
    },
    14: {
        54: (3, 1.5, -3), 64: (2.6, 1.3, -3), 53: (1, 0.2), 55: (1, 0), 'nasolabial_end': (3, 0),
        'nasolabial': (1, 0),
    },
    15: {
        54: (1, -7.5), 53: (0.5, -2.5), 55: (0.5, -3.5), 64: (1, -7), 63: (0, -1), 65: (0, -1.2),
        'nasolabial_end': (1, -4), 56: (0, -0.5),
    },
    16: {
        55: (0.5, -3.5), 56: (0, -4.5), 57: (0, -4.5), 65: (0, -4), 66: (0, -4.3),
        'chin_crease': (0, -2),
    },
    17: {
        57: (0, 3.6), 56: (0, 3.2), 55: (0, 1.8), 66: (0, 2.6), 65: (0, 2.3), 62: (0, 2.6),
        63: (0, 2.3), 51: (0, 1.8), 52: (0, 1.7), 53: (0, 0.8), 54: (0, -0.8), 64: (0, -0.6),
        'chin': (0, 5, 3), 'chin_crease': (0, 4, -2), 8: (0, 3.5), 9: (0, 3), 10: (0, 1.5),
        'lower_teeth': (0, 2),
    },
    18: {
        54: (-7, 0, 3), 53: (-3.5, 1, 3), 52: (-1, 1, 4), 51: (0, 1, 5), 55: (-3.5, -1, 3),
        56: (-1.5, -1.2, 4), 57: (0, -1.2, 5), 64: (-6.5, 0, 3), 63: (-2.5, 0, 3), 65: (-2.5, 0, 3),
        'nasolabial_end': (-3, 0), 'nasolabial': (-1, 0),
    },
    20: {
        54: (9, -2.5, -4), 53: (5, -0.8), 52: (2, -0.4), 55: (5.5, -2), 56: (2.2, -1),
        57: (0, -0.6), 64: (8.5, -2.5, -3), 63: (3.2, -0.2), 65: (3.2, -1), 66: (0, -0.7),
        'nasolabial_end': (5, -2), 'nasolabial': (1.5, 0), 12: (0.8, -0.5), 11: (1, -1),
        10: (0.5, -1),
    },
    23: {
        51: (0, -2.2), 52: (-0.5, -2.6), 53: (-1.8, -1.8), 54: (-3, 0), 55: (-1.8, 2.2),
        56: (-0.8, 3.4), 57: (0, 3.4), 64: (-2.6, 0), 63: (-1, 0), 65: (-1, 0),
        'chin_crease': (0, 1, -2),
    },
    24: {
        51: (0, -2.4), 52: (0, -2.8), 53: (-0.5, -2), 54: (-0.8, -0.4), 55: (-0.5, 2.2),
        56: (0, 3.2), 57: (0, 3.2), 64: (-0.6, -0.4), 'chin_crease': (0, 1, -2),
        'chin': (0, 1.5, 1),
    },
    25: {
        51: (0, 1), 52: (0, 1), 53: (0, 0.6), 62: (0, 1.8), 63: (0, 1.6), 65: (0, -3.4),
        66: (0, -3.8), 55: (0, -1.8), 56: (0, -3.2), 57: (0, -3.4),
    },
    26: {
        57: (0, -12.5), 56: (0, -12), 55: (-0.5, -9), 66: (0, -12), 65: (0, -11), 54: (-2, -4),
        64: (-2, -4), 53: (-0.8, -0.6), 63: (0, -0.2), 'nasolabial_end': (-1, -4),
        'chin_crease': (0, -12), 'chin': (0, -13), 'lower_teeth': (0, -11.5), 8: (0, -13),
        9: (0, -13), 10: (0, -11.5), 11: (0, -9), 12: (0, -5.5), 13: (0, -2.5), 14: (0, -0.8),
    },
    27: {
        57: (0, -22), 56: (0, -21), 55: (-2.5, -15), 66: (0, -22), 65: (-0.5, -20),
        54: (-4.5, -7.5), 64: (-4.5, -7.5), 53: (-2, -0.5), 51: (0, 0.8), 52: (-0.3, 0.8),
        62: (0, 0.8), 63: (-0.4, 0.5), 'nasolabial_end': (-2.5, -8), 'nasolabial': (-1, -3),
        'chin_crease': (0, -21), 'chin': (0, -22), 'lower_teeth': (0, -20), 8: (0, -22),
        9: (0, -22), 10: (-0.5, -19.5), 11: (-1, -15), 12: (-1, -9), 13: (-0.5, -4.5),
        14: (0, -1.5),
    },
    43: {
        43: (0, -8.8), 44: (0, -8.8), 46: (0, 0.6), 47: (0, 0.6), 42: (0, -0.3), 45: (0, -0.8),
    },
}
# fmt: on

#: The offset of each point for each of :obj:`ACTION_UNITS` at full intensity in millimetres,
#: :math:`(A, P, 3)`.
UNIT_FIELDS = torch.stack([symmetric_field(_OFFSETS[unit]) for unit in ACTION_UNITS])


def unit_intensities(units: Mapping[int, float | tuple[float, float]]) -> Tensor:
    r"""Returns the intensities of all action units on both sides, :math:`(A, 2)`.

    Args:
        units (mapping): The intensity of each active unit by number, one for both sides or a pair
            :obj:`(right, left)`.

    Raises:
        ValueError: If an action unit is unknown.
    """
    unknown = sorted(set(units) - set(ACTION_UNITS))
    if unknown:
        raise ValueError(f'units must be some of {list(ACTION_UNITS)}, got {unknown}')
    out = torch.zeros(len(ACTION_UNITS), 2)
    for row, unit in enumerate(ACTION_UNITS):
        out[row] = torch.tensor(units.get(unit, 0.0))
    return out
