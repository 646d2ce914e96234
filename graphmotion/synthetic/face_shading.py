r"""Shading of the skin as an ellipsoid with bumps and varying reflectance.

A bump is the product of a function of the column and a function of the row, so that one matrix
product sums all bumps for all pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from graphmotion.synthetic.face_points import POINT_INDEX, Point
from graphmotion.synthetic.face_view import PIVOT, FaceView

# Centre and half axes of the ellipsoid in millimetres.
_HEAD_CENTER, _HEAD_AXES = (0.0, -15.0, -88.0), (77.0, 125.0, 98.0)

# Point, amplitude, width and height in millimetres, and the scene parameter that scales it.
_Bump = tuple[Point, float, float, float, str | None]

# The relief of the skin; amplitudes are in millimetres.
_RELIEF: list[_Bump] = [
    (27, 2.5, 5.5, 8, 'nose_relief'),
    (28, 4.5, 5.5, 8, 'nose_relief'),
    (29, 6.5, 6.5, 8, 'nose_relief'),
    (30, 10, 8.5, 8, 'nose_relief'),
    ('glabella', 2, 9, 7, 'brow_relief'),
    ('forehead', 3.0, 34, 20, None),
    ('philtrum', 3.0, 14, 9, None),
    ('chin_crease', -2.2, 12, 4.5, None),
    ('chin', 5.5, 15, 9.5, None),
    (51, 1.8, 10, 3.2, None),
    (57, 2.4, 10, 4, None),
    (31, 4.5, 5.0, 5.0, 'nose_relief'),
    (35, 4.5, 5.0, 5.0, 'nose_relief'),
    (39, -5.0, 7, 8, None),
    (42, -5.0, 7, 8, None),
    ('iris', -2.0, 14, 9, None),
    (19, 3.2, 14, 6, 'brow_relief'),
    (24, 3.2, 14, 6, 'brow_relief'),
    ('cheek', 4.5, 15, 13, 'cheek_relief'),
    ('cheekbone', 2.5, 13, 11, 'cheek_relief'),
    ('nasolabial_end', -2.0, 6, 8, None),
    ('eye_bag', 0.9, 10, 4, None),
    (5, 2.5, 14, 12, None),
    (11, 2.5, 14, 12, None),
]
# The change of the relief by action units at full intensity in millimetres.
_UNIT_RELIEF: dict[Point, dict[int, float]] = {
    'cheek': {6: 2.5, 12: 3.0, 9: 1.5},
    'eye_bag': {6: 1.5, 7: 1.0, 9: 0.8},
    'chin': {17: 3.0, 24: 1.0},
    'chin_crease': {17: -1.8, 23: -1.0, 24: -1.0},
    'glabella': {4: 1.2, 9: 1.0},
    51: {23: -1.2, 24: -1.2, 18: 1.5},
    57: {23: -1.4, 24: -1.4, 18: 1.5, 17: 0.8},
    'nasolabial_end': {12: -1.5, 14: -2.5, 15: -1.0},
    'philtrum': {24: 0.6},
}
# The relative change of the reflectance of the skin.
_SKIN_TONES: list[_Bump] = [
    ('iris', -0.13, 17, 9, None),
    (39, -0.14, 6, 8, None),
    (42, -0.14, 6, 8, None),
    (28, 0.04, 6, 20, None),
    (30, 0.05, 6, 5, None),
    (33, -0.16, 10, 2.6, None),
    ('chin_crease', -0.07, 10, 3.5, None),
    ('cheek', -0.02, 13, 10, None),
    ('forehead', 0.04, 28, 16, None),
]
# The density of facial hair.
_FACIAL_HAIR: dict[str, list[_Bump]] = {
    'beard': [
        *((number, 0.5, 11, 9, None) for number in range(2, 15)),
        ('chin', 0.5, 15, 8, None),
    ],
    'moustache': [
        (50, 0.5, 8, 3.4, None),
        (52, 0.5, 8, 3.4, None),
        (49, 0.5, 6, 4, None),
        (53, 0.5, 6, 4, None),
    ],
}


def skin_tone(view: FaceView) -> Tensor:
    r"""Returns the reflectance of the skin relative to its mean, :math:`(N, H, W)`."""
    return 1 + _sum_bumps(view, _SKIN_TONES)


def facial_hair_transmission(view: FaceView) -> Tensor:
    r"""Returns the fraction of skin visible through facial hair, :math:`(N, H, W)`."""
    out = view.points.new_ones(len(view.points), *view.size)
    for name, bumps in _FACIAL_HAIR.items():
        if bool((view.scene[name] > 0).any()):
            density = 1 - (-1.6 * _sum_bumps(view, bumps)).exp()
            out = out - view.scene[name].view(-1, 1, 1) * density
    return out.clamp_(min=0.15)


def reflected_light(view: FaceView, relief: bool) -> Tensor:
    r"""Returns the light reflected by a white head, :math:`(N, H, W)`.

    It is 1 where the surface faces the light.

    Args:
        view (FaceView): The faces.
        relief (bool): If set to :obj:`False`, the head is a smooth ellipsoid.
    """
    center = view.rotation @ view.points.new_tensor(
        [c - p for c, p in zip(_HEAD_CENTER, PIVOT)]
    ) + view.points.new_tensor(PIVOT)
    axes = view.points.new_tensor(_HEAD_AXES)
    form = (view.rotation / axes.square()) @ view.rotation.transpose(1, 2)
    x = (view.columns - center[:, :1]).unsqueeze(1)
    y = (view.rows - center[:, 1:2]).unsqueeze(2)
    (a, b, c), (_, d, e), (_, _, f) = (
        [value.view(-1, 1, 1) for value in row.unbind(-1)] for row in form.unbind(-2)
    )
    # The nearer root of f z^2 + 2 (c x + e y) z + (a x^2 + 2 b x y + d y^2 - 1) = 0.
    half = c * x + e * y
    root = half.square() - f * (a * x.square() + (2 * b * x) * y + d * y.square() - 1)
    normal_z = torch.maximum(root, 1e-3 * f).sqrt()  # f z + c x + e y
    z = (normal_z - half) / f
    slope_x = (a * x + b * y + c * z) / normal_z
    slope_y = (b * x + d * y + e * z) / normal_z
    if relief:
        bumps = _sum_bump_slopes(view, _RELIEF)
        slope_x, slope_y = slope_x - bumps[0], slope_y - bumps[1]
    right, up = torch.deg2rad(view.scene['light_right']), torch.deg2rad(view.scene['light_up'])
    light_x, light_y, light_z = (
        value.view(-1, 1, 1) for value in (right.sin() * up.cos(), up.sin(), right.cos() * up.cos())
    )
    cosine = slope_x.mul(light_x).add_(slope_y * light_y).add_(light_z)
    cosine = cosine * torch.rsqrt(1 + slope_x.square() + slope_y.square())
    ambient = view.scene['ambient'].view(-1, 1, 1)
    return ambient + (1 - ambient) * cosine.clamp(min=0)


def _sum_bumps(view: FaceView, bumps: Sequence[_Bump]) -> Tensor:
    r"""Returns the sum of bumps :math:`h \exp(-x^2/2w^2 - y^2/2v^2)`."""
    _, _, _, bumps_x, bumps_y = _separate(view, bumps, deform=False)
    return bumps_y.transpose(1, 2) @ bumps_x


def _sum_bump_slopes(view: FaceView, bumps: Sequence[_Bump]) -> Tensor:
    r"""Returns both slopes of the sum of bumps, [2, N, H, W]."""
    x, y, sizes, bumps_x, bumps_y = _separate(view, bumps, deform=True)
    slope_x = bumps_y.transpose(1, 2) @ (bumps_x * -x / sizes[:, :1])
    slope_y = (bumps_y * -y / sizes[:, 1:]).transpose(1, 2) @ bumps_x
    return torch.stack([slope_x, slope_y])


def _separate(
    view: FaceView, bumps: Sequence[_Bump], deform: bool
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Returns relative coordinates, sizes, and the factors along both axes."""
    bumps = [bump for one in bumps for bump in _on_both_sides(one)]
    centers = view.points[:, [POINT_INDEX[point] for point, *_ in bumps]]
    sizes = torch.tensor([bump[2:4] for bump in bumps], dtype=centers.dtype)
    amplitudes = torch.tensor([bump[1] for bump in bumps], dtype=centers.dtype)
    amplitudes = amplitudes * torch.ones_like(centers[..., 0])
    for k, (point, _, _, _, factor) in enumerate(bumps):
        if factor is not None:
            amplitudes[:, k] *= view.scene[factor]
        if deform:
            amplitudes[:, k] += _unit_relief(view, point)
    x = (view.columns.unsqueeze(1) - centers[..., :1]) / sizes[:, :1]
    y = (view.rows.unsqueeze(1) - centers[..., 1:2]) / sizes[:, 1:]
    return x, y, sizes, (-x.square() / 2).exp(), (-y.square() / 2).exp() * amplitudes.unsqueeze(2)


def _on_both_sides(bump: _Bump) -> list[_Bump]:
    if bump[0] in POINT_INDEX:
        return [bump]
    return [(f'{side}_{bump[0]}', *bump[1:]) for side in ('right', 'left')]


def _unit_relief(view: FaceView, point: Point) -> Tensor | float:
    """Returns the change of the amplitude of a bump by action units."""
    side, name = '', point
    if isinstance(point, str) and point.startswith(('right_', 'left_')):
        side, _, name = point.partition('_')
    changes = _UNIT_RELIEF.get(name, {})
    return sum((size * view.intensity(unit, side) for unit, size in changes.items()), 0.0)
