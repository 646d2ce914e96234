"""A face as points in space: the shapes of subjects, and what action units do to them.

The frame is right-handed, in millimetres, as that of a walker: :math:`x` points to the face's left,
which an image shows on its right, :math:`y` up and :math:`z` ahead; the origin is midway between
the pupils. The first 68 points are the landmarks of the iBUG 300-W annotation, in its order: jaw,
brows, nose, eyes, mouth, each from the left of the image to its right (Sagonas et al., `"300 Faces
In-The-Wild Challenge: database and results" <https://doi.org/10.1016/j.imavis.2016.01.002>`_). More
points, :obj:`PLACES`, carry what lies between them, such as cheeks and folds.

Traits and units have a value for either side of the face, :obj:`[right, left]`; points in the
middle follow the mean of both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

NUM_LANDMARKS = 68

#: Action units by number, with their names in the Facial Action Coding System (Ekman, Friesen and
#: Hager, "Facial Action Coding System: The Manual", 2002).
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

#: The units of each prototypical expression at their relative intensities. The combinations follow
#: those of the manual's investigator's guide and of EMFACS (Friesen and Ekman, "EMFACS-7: Emotional
#: Facial Action Coding System", 1983) as commonly quoted; unit 10 in disgust, unit 25 where
#: the jaw drops, and all intensities were chosen here. Contempt shows on one side of the face only.
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

#: Units that some subjects add to a prototype, with the share of subjects who do: chosen here, for
#: variety.
VARIANTS: dict[str, dict[int, float]] = {
    'neutral': {},
    'anger': {10: 0.25, 17: 0.35, 24: 0.4, 25: 0.2},
    'disgust': {4: 0.35, 6: 0.35, 7: 0.35, 16: 0.25, 25: 0.35},
    'fear': {7: 0.3, 27: 0.2},
    'happiness': {7: 0.35, 25: 0.7, 26: 0.3},
    'sadness': {6: 0.3, 7: 0.3, 17: 0.4, 25: 0.2},
    'surprise': {16: 0.2, 27: 0.4},
    'contempt': {10: 0.35, 24: 0.35},
}

#: The number of a landmark or the name of another place.
Place = int | str

_Offset = tuple[float, float, float]

# Points of the left half by landmark number; the right half mirrors them.
# fmt: off
_LEFT: dict[Place, _Offset] = {
    16: (70, -2, -44), 15: (69.5, -20, -44), 14: (67.5, -39, -42), 13: (63.5, -57, -38),
    12: (56, -74, -31), 11: (45.5, -89, -23), 10: (33, -101, -14), 9: (17.5, -108.5, -6),
    22: (11, 18.5, 8), 23: (21, 22.5, 8), 24: (32.5, 24, 5), 25: (44, 21.5, -1),
    26: (53, 15.5, -11), 34: (8.5, -46.5, 14), 35: (16.5, -43.5, 8), 42: (16, -2, 0),
    43: (25.5, 4.6, 4), 44: (36.5, 4.8, 2), 45: (46, 0.5, -7), 46: (37, -4.6, 1),
    47: (26, -4.8, 3), 52: (5.5, -62.4, 14), 53: (14.5, -65.2, 10), 54: (25.5, -69.8, 3),
    55: (15.5, -76.3, 9), 56: (8, -78.8, 12), 63: (8, -70, 12), 64: (22.5, -69.8, 4),
    65: (8, -70, 12),
}
_MIDDLE: dict[Place, _Offset] = {
    8: (0, -111, -3), 27: (0, 4, 7), 28: (0, -9, 12), 29: (0, -22, 19), 30: (0, -35, 27),
    33: (0, -48, 17), 51: (0, -63.4, 15), 57: (0, -79.6, 13), 62: (0, -70, 13), 66: (0, -70, 12),
}
# fmt: on
# Other places: those with a left and a right one, and those in the middle.
_SIDED: dict[Place, _Offset] = {
    'iris': (31, 0, 4),
    'bag': (31, -14, 2),
    'cheek': (37, -34, 2),
    'cheekbone': (54, -18, -16),
    'fold_top': (20, -38, 7),
    'fold': (29, -54, 4),
    'fold_end': (33, -70, -2),
    'crow': (53, -1, -14),
    'nostril': (7.5, -46.5, 13),
    'temple': (68, 30, -42),
    'forehead_side': (58, 62, -36),
    'ear': (75, -16, -66),
    'hairline_corner': (64, 36, -38),
    'hairline_side': (42, 61, -14),
    'hair_top': (34, 116, -60),
    'hair_side': (80, 55, -60),
    'hair_low': (82, -5, -60),
    'hair_end': (74, -30, -60),
    'neck': (46, -72, -60),
    'shoulder': (58, -150, -70),
}
_CENTRAL: dict[Place, _Offset] = {
    'glabella': (0, 17, 9),
    'forehead': (0, 45, 9),
    'hairline': (0, 66, 0),
    'philtrum': (0, -54, 14),
    'hollow': (0, -89, 6),
    'chin': (0, -99, 7),
    'upper_teeth': (0, -73, 10),
    'lower_teeth': (0, -72, 9),
}

#: What is found at which row of the points: landmarks by number, other places by name, those with a
#: side as ``"left_cheek"``.
PLACES: dict[Place, int] = {
    **{number: number for number in range(NUM_LANDMARKS)},
    **{
        name: NUM_LANDMARKS + row
        for row, name in enumerate(
            [f'{side}_{name}' for name in _SIDED for side in ('right', 'left')] + list(_CENTRAL)
        )
    },
}


def _mirror() -> Tensor:
    """For each point the one on the other side; those in the middle are their own."""
    # Where numbers of landmarks run across the face, those of a pair add up to the same.
    runs = {(0, 17): 16, (17, 27): 43, (31, 36): 66, (48, 55): 102, (55, 60): 114, (60, 65): 124}
    sums = {number: total for run, total in runs.items() for number in range(*run)}
    sums |= {36: 81, 37: 81, 38: 81, 39: 81, 42: 81, 43: 81, 44: 81, 45: 81}  # upper lids
    sums |= {40: 87, 41: 87, 46: 87, 47: 87, 65: 132, 66: 132, 67: 132}
    out = []
    for place, row in PLACES.items():
        side, _, name = str(place).partition('_')
        other = {'left': f'right_{name}', 'right': f'left_{name}'}.get(side, place)
        out.append(sums[row] - row if row in sums else PLACES[other])
    return torch.tensor(out)


#: For each point the one that a mirror makes of it.
MIRROR = _mirror()


def _field(offsets: Mapping[Place, Sequence[float]]) -> Tensor:
    """Offsets given for the left half and the middle, for all points: (P, 3)."""
    out = torch.zeros(len(PLACES), 3)
    flip = torch.tensor([-1.0, 1.0, 1.0])
    for name, offset in offsets.items():
        row = PLACES[f'left_{name}' if name in _SIDED else name]
        value = torch.tensor([*offset, 0.0][:3])  # most leave out the depth
        out[row] = value
        out[MIRROR[row]] = value * flip
    return out


_MEAN = {**_LEFT, **_MIDDLE, **_SIDED, **_CENTRAL}

#: The points of the mean face, in millimetres :math:`(P, 3)`.
MEAN_FACE = _field(_MEAN)

# What a unit at full intensity adds to points of the left half, in millimetres. The directions are
# those that the manual describes; the sizes were chosen to look like strong expressions of adults.
# fmt: off
_UNIT_OFFSETS: dict[int, dict[Place, tuple[float, ...]]] = {
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
        'cheek': (1, 6, 1), 'bag': (0, 3, 1), 46: (0, 1.8), 47: (0, 1.2), 44: (0, -1),
        45: (-0.5, -0.3), 25: (0, -0.8), 26: (0, -1.5), 'fold_top': (0.5, 1), 'fold': (1, 2),
    },
    7: {
        43: (0, -1.8), 44: (0, -2), 46: (0, 1.7), 47: (0, 1.9), 'bag': (0, 1),
    },
    9: {
        30: (0, 2), 33: (0, 3), 34: (0, 4), 35: (1, 5), 'nostril': (0, 4), 'philtrum': (0, 3.5),
        22: (-1.5, -5), 23: (0, -4), 24: (0, -2), 'glabella': (0, -2.5), 42: (0, 0.5),
        43: (0, -1.2), 46: (0, 1.2), 47: (0, 1.6), 'bag': (0, 2), 'cheek': (0, 3.5, 1),
        'fold_top': (0, 4), 'fold': (1, 2.5), 51: (0, 4), 52: (0, 4.3), 53: (0, 3), 62: (0, 3),
        63: (0, 3),
    },
    10: {
        51: (0, 4), 52: (0, 5.5), 53: (0.5, 5.5), 54: (0, 1), 62: (0, 3.5), 63: (0, 4.5),
        64: (0, 0.8), 34: (0, 1), 35: (0.8, 1.5), 'fold_top': (0.5, 2), 'fold': (2, 3.5),
        'cheek': (0, 2, 1), 'philtrum': (0, 2),
    },
    12: {
        54: (10, 9.5, -5), 53: (5.5, 4), 52: (1.6, 0.4), 51: (0, -0.4), 55: (5, 3.6), 56: (2, 1.6),
        57: (0, 1), 64: (9.4, 9, -4), 63: (3, 1), 65: (3, 1), 62: (0, 0.2), 66: (0, 0.2),
        'cheek': (2, 5, 3), 'bag': (0, 1), 'fold_top': (1.5, 1), 'fold': (5, 2),
        'fold_end': (9, 3), 35: (1, 0.4), 13: (1, 0.5), 12: (1.5, 1), 11: (1, 1),
    },
    14: {
        54: (3, 1.5, -3), 64: (2.6, 1.3, -3), 53: (1, 0.2), 55: (1, 0), 'fold_end': (3, 0),
        'fold': (1, 0),
    },
    15: {
        54: (1, -7.5), 53: (0.5, -2.5), 55: (0.5, -3.5), 64: (1, -7), 63: (0, -1), 65: (0, -1.2),
        'fold_end': (1, -4), 56: (0, -0.5),
    },
    16: {
        55: (0.5, -3.5), 56: (0, -4.5), 57: (0, -4.5), 65: (0, -4), 66: (0, -4.3),
        'hollow': (0, -2),
    },
    17: {
        57: (0, 3.6), 56: (0, 3.2), 55: (0, 1.8), 66: (0, 2.6), 65: (0, 2.3), 62: (0, 2.6),
        63: (0, 2.3), 51: (0, 1.8), 52: (0, 1.7), 53: (0, 0.8), 54: (0, -0.8), 64: (0, -0.6),
        'chin': (0, 5, 3), 'hollow': (0, 4, -2), 8: (0, 3.5), 9: (0, 3), 10: (0, 1.5),
        'lower_teeth': (0, 2),
    },
    18: {
        54: (-7, 0, 3), 53: (-3.5, 1, 3), 52: (-1, 1, 4), 51: (0, 1, 5), 55: (-3.5, -1, 3),
        56: (-1.5, -1.2, 4), 57: (0, -1.2, 5), 64: (-6.5, 0, 3), 63: (-2.5, 0, 3),
        65: (-2.5, 0, 3), 'fold_end': (-3, 0), 'fold': (-1, 0),
    },
    20: {
        54: (9, -2.5, -4), 53: (5, -0.8), 52: (2, -0.4), 55: (5.5, -2), 56: (2.2, -1),
        57: (0, -0.6), 64: (8.5, -2.5, -3), 63: (3.2, -0.2), 65: (3.2, -1), 66: (0, -0.7),
        'fold_end': (5, -2), 'fold': (1.5, 0), 12: (0.8, -0.5), 11: (1, -1), 10: (0.5, -1),
    },
    23: {
        51: (0, -2.2), 52: (-0.5, -2.6), 53: (-1.8, -1.8), 54: (-3, 0), 55: (-1.8, 2.2),
        56: (-0.8, 3.4), 57: (0, 3.4), 64: (-2.6, 0), 63: (-1, 0), 65: (-1, 0),
        'hollow': (0, 1, -2),
    },
    24: {
        51: (0, -2.4), 52: (0, -2.8), 53: (-0.5, -2), 54: (-0.8, -0.4), 55: (-0.5, 2.2),
        56: (0, 3.2), 57: (0, 3.2), 64: (-0.6, -0.4), 'hollow': (0, 1, -2), 'chin': (0, 1.5, 1),
    },
    25: {
        51: (0, 1), 52: (0, 1), 53: (0, 0.6), 62: (0, 1.8), 63: (0, 1.6), 65: (0, -3.4),
        66: (0, -3.8), 55: (0, -1.8), 56: (0, -3.2), 57: (0, -3.4),
    },
    26: {
        57: (0, -12.5), 56: (0, -12), 55: (-0.5, -9), 66: (0, -12), 65: (0, -11), 54: (-2, -4),
        64: (-2, -4), 53: (-0.8, -0.6), 63: (0, -0.2), 'fold_end': (-1, -4), 'hollow': (0, -12),
        'chin': (0, -13), 'lower_teeth': (0, -11.5), 8: (0, -13), 9: (0, -13), 10: (0, -11.5),
        11: (0, -9), 12: (0, -5.5), 13: (0, -2.5), 14: (0, -0.8),
    },
    27: {
        57: (0, -22), 56: (0, -21), 55: (-2.5, -15), 66: (0, -22), 65: (-0.5, -20),
        54: (-4.5, -7.5), 64: (-4.5, -7.5), 53: (-2, -0.5), 51: (0, 0.8), 52: (-0.3, 0.8),
        62: (0, 0.8), 63: (-0.4, 0.5), 'fold_end': (-2.5, -8), 'fold': (-1, -3),
        'hollow': (0, -21), 'chin': (0, -22), 'lower_teeth': (0, -20), 8: (0, -22), 9: (0, -22),
        10: (-0.5, -19.5), 11: (-1, -15), 12: (-1, -9), 13: (-0.5, -4.5), 14: (0, -1.5),
    },
    43: {
        43: (0, -8.8), 44: (0, -8.8), 46: (0, 0.6), 47: (0, 0.6), 42: (0, -0.3), 45: (0, -0.8),
    },
}
# fmt: on

#: What each unit of :obj:`ACTION_UNITS` at full intensity adds to the points :math:`(A, P, 3)`.
UNIT_FIELDS = torch.stack([_field(_UNIT_OFFSETS[unit]) for unit in ACTION_UNITS])


class _Mode(NamedTuple):
    """How a trait changes some of the points, at one standard deviation."""

    points: tuple[Place, ...]
    stretch: _Offset = (0, 0, 0)  # about the middle of the points, on the plane x = 0
    shift: _Offset = (0, 0, 0)
    slope: float = 0.0  # millimetres up for each one to the side


_BROW = (22, 23, 24, 25, 26)
_EYE = (42, 43, 44, 45, 46, 47)
_NOSE: tuple[Place, ...] = (28, 29, 30, 33, 34, 35, 'nostril', 'fold_top')
_LIPS_UP, _LIPS_LOW = (51, 52, 53), (55, 56, 57)
_MOUTH: tuple[Place, ...] = (*_LIPS_UP, 54, *_LIPS_LOW, 62, 63, 64, 65, 66)
_FOLDS = ('fold', 'fold_end')
_HAIR = ('hair_top', 'hair_side', 'hair_low', 'hair_end')
_HAIRLINE = ('hairline', 'hairline_side', 'hairline_corner')
_ALL = tuple(_MEAN)
_MODES: dict[str, _Mode] = {
    'face_width': _Mode(_ALL, (0.045, 0, 0)),
    'face_height': _Mode(_ALL, (0, 0.035, 0)),
    'jaw_width': _Mode((9, 10, 11, 12, 13, 14), (0.07, 0, 0)),
    'jaw_drop': _Mode((10, 11, 12, 13), shift=(0, -4, 0)),
    'chin_height': _Mode((8, 9, 10, 11, 'chin', 'hollow'), shift=(0, -3.5, 0)),
    'cheek_width': _Mode((13, 14, 15, 16, 'cheekbone', 'temple'), (0.03, 0, 0)),
    'brow_height': _Mode(_BROW, shift=(0, 2.4, 0)),
    'brow_slope': _Mode(_BROW, slope=0.07),
    'brow_arch': _Mode((23, 24, 25), shift=(0, 1.5, 0)),
    'brow_gap': _Mode((22, 23, 24), shift=(1.8, 0, 0)),
    'eye_distance': _Mode((*_EYE, 'iris', 'bag'), shift=(1.8, 0, 0)),
    'eye_height': _Mode((*_EYE, 'iris', 'bag'), shift=(0, 1.5, 0)),
    'eye_length': _Mode(_EYE, (0.0, 0.05, 0), slope=0.02),
    'eye_opening': _Mode((43, 44, 46, 47), (0, 0.17, 0)),
    'eye_slope': _Mode(_EYE, slope=0.06),
    'nose_length': _Mode(_NOSE, shift=(0, -2.4, 0)),
    'nose_width': _Mode((34, 35, 'nostril', 'fold_top'), (0.09, 0, 0)),
    'nose_depth': _Mode((28, 29, 30), shift=(0, 0, 3)),
    'mouth_height': _Mode((*_MOUTH, 'upper_teeth', 'lower_teeth'), shift=(0, 2.2, 0)),
    'mouth_width': _Mode((*_MOUTH, *_FOLDS), (0.08, 0, 0)),
    'mouth_slope': _Mode((53, 54, 55, 63, 64, 65), slope=0.07),
    'upper_lip': _Mode(_LIPS_UP, shift=(0, 1.5, 0)),
    'lower_lip': _Mode(_LIPS_LOW, shift=(0, -1.7, 0)),
    'hair_height': _Mode(_HAIRLINE, shift=(0, 7, 0)),
    'hair_corner': _Mode(('hairline_side', 'hairline_corner'), shift=(3, 5, 0)),
    'hair_volume': _Mode(_HAIR, (0.05, 0.03, 0)),
    'hair_length': _Mode(('hair_low', 'hair_end'), shift=(1, -26, 0)),
    'neck_width': _Mode(('neck', 'shoulder'), (0.08, 0, 0)),
}

#: Traits of a face's shape, in standard deviations.
SHAPES = tuple(_MODES)


def _mode_field(mode: _Mode) -> Tensor:
    there = torch.tensor([_MEAN[name] for name in mode.points], dtype=torch.float32)
    middle = there.mean(0) * torch.tensor([0.0, 1, 1])
    out = (there - middle) * torch.tensor(mode.stretch) + torch.tensor(mode.shift)
    out[:, 1] += mode.slope * (there[:, 0] - there[:, 0].mean())
    out[there[:, 0] == 0, 0] = 0.0
    return _field(dict(zip(mode.points, out.tolist())))


#: What each of :obj:`SHAPES` adds to the points at one standard deviation :math:`(M, P, 3)`.
SHAPE_FIELDS = torch.stack([_mode_field(mode) for mode in _MODES.values()])

_LEAST_LIP = 0.9  # millimetres of lip that tightening leaves


def units_by_number(units: Mapping[int, float | tuple[float, float]]) -> Tensor:
    r"""Intensities given by the number of the unit, of both sides or as :obj:`(right, left)`.

    Returns:
        Tensor: :math:`(A, 2)`, in the order of :obj:`ACTION_UNITS`.

    Raises:
        ValueError: If a unit is not known.
    """
    unknown = set(units) - set(ACTION_UNITS)
    if unknown:
        raise ValueError(
            f'unknown action units {sorted(unknown)}, expected some of {list(ACTION_UNITS)}'
        )
    out = torch.zeros(len(ACTION_UNITS), 2)
    for row, unit in enumerate(ACTION_UNITS):
        out[row] = torch.tensor(units.get(unit, 0.0))
    return out


def place_points(shapes: Tensor, units: Tensor) -> Tensor:
    r"""Where the points of faces are that have these shapes and show these units.

    .. math::
        \mathbf{p}_i = \bar{\mathbf{p}}_i + \sum_m s_{m,\sigma(i)} \mathbf{S}_{m,i} +
        \sum_a u_{a,\sigma(i)} \mathbf{U}_{a,i}

    with the side :math:`\sigma(i)` of point :math:`i`, where lids, lips and teeth stay in order:
    lids close, lips meet, and neither goes farther.

    Args:
        shapes (Tensor): Traits of the shapes, in standard deviations.
        units (Tensor): Intensities of the units, 0 to 1.

    Shapes:
        - **shapes:** :math:`(N, M, 2)`, in the order of :obj:`SHAPES`, right and left
        - **units:** :math:`(N, A, 2)`, in the order of :obj:`ACTION_UNITS`, right and left
        - **output:** :math:`(N, P, 3)`, millimetres
    """
    fields = torch.cat([SHAPE_FIELDS, UNIT_FIELDS])
    values = torch.cat([shapes, units], dim=1)
    if values.dim() != 3 or values.shape[1:] != (len(fields), 2):
        raise ValueError(
            f'expected shapes [N, {len(SHAPES)}, 2] and units [N, {len(ACTION_UNITS)}, 2], got '
            f'{list(shapes.shape)} and {list(units.shape)}'
        )
    # Sides of the mean face: -1, 0, 1 choose from right, middle, left.
    side = MEAN_FACE[:, 0].sign().long()
    three = torch.stack([values[..., 0], values.mean(-1), values[..., 1]])
    offsets = torch.einsum('snm,mpc->snpc', three, fields)
    points = MEAN_FACE + offsets[side + 1, :, torch.arange(len(side))].transpose(0, 1)
    return _ordered(points)


def _ordered(points: Tensor) -> Tensor:
    height = points[..., 1].clone()
    for upper, lower in ((37, 41), (38, 40), (43, 47), (44, 46)):
        height[:, upper] = torch.maximum(height[:, upper], height[:, lower])
    for upper, lower in ((61, 67), (62, 66), (63, 65)):
        crossed = (height[:, lower] - height[:, upper]).clamp(min=0) / 2
        height[:, upper] += crossed
        height[:, lower] -= crossed
    for outer, inner in ((49, 61), (50, 61), (51, 62), (52, 63), (53, 63)):
        # A corner that rises takes the outer part of the lip along.
        height[:, outer] = torch.maximum(height[:, outer], height[:, inner] + _LEAST_LIP)
    for outer, inner in ((58, 67), (57, 66), (56, 65)):
        height[:, outer] = torch.minimum(height[:, outer], height[:, inner] - _LEAST_LIP)
    return torch.stack([points[..., 0], height, points[..., 2]], dim=-1)
