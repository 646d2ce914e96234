r"""The points of a face.

The frame is right-handed, in millimetres: :math:`x` points to the left side of the face, which is
on the right of an image, :math:`y` up and :math:`z` ahead; the origin is midway between the pupils.
The first 68 points are the landmarks of the iBUG 300-W annotation in its order: jaw, brows, nose,
eyes and mouth, each from left to right in the image (Sagonas et al., `"300 Faces In-The-Wild
Challenge: database and results" <https://doi.org/10.1016/j.imavis.2016.01.002>`_). The remaining
points have names and lie between the landmarks, such as on the cheeks and on skin folds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

NUM_LANDMARKS = 68

#: The number of a landmark or the name of another point.
Point = int | str

_Offset = tuple[float, float, float]

# Landmarks on the left side; the right side is their mirror image.
# fmt: off
_LEFT_LANDMARKS: dict[Point, _Offset] = {
    16: (70, -2, -44), 15: (69.5, -20, -44), 14: (67.5, -39, -42), 13: (63.5, -57, -38),
    12: (56, -74, -31), 11: (45.5, -89, -23), 10: (33, -101, -14), 9: (17.5, -108.5, -6),
    22: (11, 18.5, 8), 23: (21, 22.5, 8), 24: (32.5, 24, 5), 25: (44, 21.5, -1),
    26: (53, 15.5, -11), 34: (8.5, -46.5, 14), 35: (16.5, -43.5, 8), 42: (16, -2, 0),
    43: (25.5, 4.6, 4), 44: (36.5, 4.8, 2), 45: (46, 0.5, -7), 46: (37, -4.6, 1),
    47: (26, -4.8, 3), 52: (5.5, -62.4, 14), 53: (14.5, -65.2, 10), 54: (25.5, -69.8, 3),
    55: (15.5, -76.3, 9), 56: (8, -78.8, 12), 63: (8, -70, 12), 64: (22.5, -69.8, 4),
    65: (8, -70, 12),
}
_CENTRAL_LANDMARKS: dict[Point, _Offset] = {
    8: (0, -111, -3), 27: (0, 4, 7), 28: (0, -9, 12), 29: (0, -22, 19), 30: (0, -35, 27),
    33: (0, -48, 17), 51: (0, -63.4, 15), 57: (0, -79.6, 13), 62: (0, -70, 13), 66: (0, -70, 12),
}
# fmt: on
# Other points.
_LEFT_POINTS: dict[Point, _Offset] = {
    'iris': (31, 0, 4),
    'eye_bag': (31, -14, 2),
    'cheek': (37, -34, 2),
    'cheekbone': (54, -18, -16),
    'nasolabial_top': (20, -38, 7),
    'nasolabial': (29, -54, 4),
    'nasolabial_end': (33, -70, -2),
    'crows_feet': (53, -1, -14),
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
_CENTRAL_POINTS: dict[Point, _Offset] = {
    'glabella': (0, 17, 9),
    'forehead': (0, 45, 9),
    'hairline': (0, 66, 0),
    'philtrum': (0, -54, 14),
    'chin_crease': (0, -89, 6),
    'chin': (0, -99, 7),
    'upper_teeth': (0, -73, 10),
    'lower_teeth': (0, -72, 9),
}

#: The row of each point: landmarks by number, other points by name. Points with a left and a right
#: side have names such as ``"left_cheek"``.
POINT_INDEX: dict[Point, int] = {
    **{number: number for number in range(NUM_LANDMARKS)},
    **{
        name: NUM_LANDMARKS + row
        for row, name in enumerate(
            [f'{side}_{name}' for name in _LEFT_POINTS for side in ('right', 'left')]
            + list(_CENTRAL_POINTS)
        )
    },
}


def _mirror_index() -> Tensor:
    # In ranges of landmarks that run across the face, the numbers of a pair have a constant sum.
    ranges = {(0, 17): 16, (17, 27): 43, (31, 36): 66, (48, 55): 102, (55, 60): 114, (60, 65): 124}
    sums = {number: total for run, total in ranges.items() for number in range(*run)}
    sums |= {36: 81, 37: 81, 38: 81, 39: 81, 42: 81, 43: 81, 44: 81, 45: 81}  # upper lids
    sums |= {40: 87, 41: 87, 46: 87, 47: 87, 65: 132, 66: 132, 67: 132}
    out = []
    for point, row in POINT_INDEX.items():
        side, _, name = str(point).partition('_')
        other = {'left': f'right_{name}', 'right': f'left_{name}'}.get(side, point)
        out.append(sums[row] - row if row in sums else POINT_INDEX[other])
    return torch.tensor(out)


#: The row of the mirror image of each point.
MIRROR_INDEX = _mirror_index()


def symmetric_field(offsets: Mapping[Point, Sequence[float]]) -> Tensor:
    r"""Returns a symmetric field of offsets for all points, :math:`(P, 3)`.

    Args:
        offsets (mapping): The offsets :obj:`(x, y)` or :obj:`(x, y, z)` of points on the left side
            and in the middle. Points that are left out have no offset.
    """
    out = torch.zeros(len(POINT_INDEX), 3)
    flip = torch.tensor([-1.0, 1.0, 1.0])
    for point, offset in offsets.items():
        row = POINT_INDEX[f'left_{point}' if point in _LEFT_POINTS else point]
        value = torch.tensor([*offset, 0.0][:3])
        out[row] = value
        out[MIRROR_INDEX[row]] = value * flip
    return out


#: The coordinates of the left side and the middle of the mean face in millimetres.
MEAN_HALF = {**_LEFT_LANDMARKS, **_CENTRAL_LANDMARKS, **_LEFT_POINTS, **_CENTRAL_POINTS}

#: The points of the mean face in millimetres, :math:`(P, 3)`.
MEAN_FACE = symmetric_field(MEAN_HALF)
