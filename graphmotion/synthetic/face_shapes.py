"""Linear traits of the shape of a face."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from graphmotion.synthetic.face_points import MEAN_HALF, Point, symmetric_field


class _ShapeTrait(NamedTuple):
    """The change of a group of points at one standard deviation.

    Points are scaled by 1 + ``stretch`` about their mean height and depth and the plane x = 0,
    shifted by ``shift`` millimetres, and raised by ``slope`` times the difference between x and its
    mean.
    """

    points: tuple[Point, ...]
    stretch: tuple[float, float, float] = (0, 0, 0)
    shift: tuple[float, float, float] = (0, 0, 0)
    slope: float = 0.0


_BROW = (22, 23, 24, 25, 26)
_EYE = (42, 43, 44, 45, 46, 47)
_NOSE: tuple[Point, ...] = (28, 29, 30, 33, 34, 35, 'nostril', 'nasolabial_top')
_UPPER_LIP, _LOWER_LIP = (51, 52, 53), (55, 56, 57)
_MOUTH: tuple[Point, ...] = (*_UPPER_LIP, 54, *_LOWER_LIP, 62, 63, 64, 65, 66)
_FOLDS = ('nasolabial', 'nasolabial_end')
_HAIR = ('hair_top', 'hair_side', 'hair_low', 'hair_end')
_HAIRLINE = ('hairline', 'hairline_side', 'hairline_corner')
_ALL = tuple(MEAN_HALF)
_SHAPE_TRAITS: dict[str, _ShapeTrait] = {
    'face_width': _ShapeTrait(_ALL, (0.045, 0, 0)),
    'face_height': _ShapeTrait(_ALL, (0, 0.035, 0)),
    'jaw_width': _ShapeTrait((9, 10, 11, 12, 13, 14), (0.07, 0, 0)),
    'jaw_drop': _ShapeTrait((10, 11, 12, 13), shift=(0, -4, 0)),
    'chin_height': _ShapeTrait((8, 9, 10, 11, 'chin', 'chin_crease'), shift=(0, -3.5, 0)),
    'cheek_width': _ShapeTrait((13, 14, 15, 16, 'cheekbone', 'temple'), (0.03, 0, 0)),
    'brow_height': _ShapeTrait(_BROW, shift=(0, 2.4, 0)),
    'brow_slope': _ShapeTrait(_BROW, slope=0.07),
    'brow_arch': _ShapeTrait((23, 24, 25), shift=(0, 1.5, 0)),
    'brow_gap': _ShapeTrait((22, 23, 24), shift=(1.8, 0, 0)),
    'eye_distance': _ShapeTrait((*_EYE, 'iris', 'eye_bag'), shift=(1.8, 0, 0)),
    'eye_height': _ShapeTrait((*_EYE, 'iris', 'eye_bag'), shift=(0, 1.5, 0)),
    'eye_length': _ShapeTrait(_EYE, (0.0, 0.05, 0), slope=0.02),
    'eye_opening': _ShapeTrait((43, 44, 46, 47), (0, 0.17, 0)),
    'eye_slope': _ShapeTrait(_EYE, slope=0.06),
    'nose_length': _ShapeTrait(_NOSE, shift=(0, -2.4, 0)),
    'nose_width': _ShapeTrait((34, 35, 'nostril', 'nasolabial_top'), (0.09, 0, 0)),
    'nose_depth': _ShapeTrait((28, 29, 30), shift=(0, 0, 3)),
    'mouth_height': _ShapeTrait((*_MOUTH, 'upper_teeth', 'lower_teeth'), shift=(0, 2.2, 0)),
    'mouth_width': _ShapeTrait((*_MOUTH, *_FOLDS), (0.08, 0, 0)),
    'mouth_slope': _ShapeTrait((53, 54, 55, 63, 64, 65), slope=0.07),
    'upper_lip': _ShapeTrait(_UPPER_LIP, shift=(0, 1.5, 0)),
    'lower_lip': _ShapeTrait(_LOWER_LIP, shift=(0, -1.7, 0)),
    'hair_height': _ShapeTrait(_HAIRLINE, shift=(0, 7, 0)),
    'hair_corner': _ShapeTrait(('hairline_side', 'hairline_corner'), shift=(3, 5, 0)),
    'hair_volume': _ShapeTrait(_HAIR, (0.05, 0.03, 0)),
    'hair_length': _ShapeTrait(('hair_low', 'hair_end'), shift=(1, -26, 0)),
    'neck_width': _ShapeTrait(('neck', 'shoulder'), (0.08, 0, 0)),
}

#: The names of the shape traits, whose values are in standard deviations.
SHAPE_TRAITS = tuple(_SHAPE_TRAITS)


def _shape_field(trait: _ShapeTrait) -> Tensor:
    points = torch.tensor([MEAN_HALF[name] for name in trait.points], dtype=torch.float32)
    center = points.mean(0) * torch.tensor([0.0, 1, 1])
    out = (points - center) * torch.tensor(trait.stretch) + torch.tensor(trait.shift)
    out[:, 1] += trait.slope * (points[:, 0] - points[:, 0].mean())
    out[points[:, 0] == 0, 0] = 0.0
    return symmetric_field(dict(zip(trait.points, out.tolist())))


#: The offset of each point for each of :obj:`SHAPE_TRAITS` at one standard deviation in
#: millimetres, :math:`(M, P, 3)`.
SHAPE_FIELDS = torch.stack([_shape_field(trait) for trait in _SHAPE_TRAITS.values()])
