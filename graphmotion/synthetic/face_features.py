"""The features of a face: hair, eyes, brows, nose and mouth."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from graphmotion.synthetic import face_canvas as canvas
from graphmotion.synthetic.face_painter import FacePainter
from graphmotion.synthetic.face_points import Point

SIDES = ('right', 'left')


def _around(names: Sequence[str]) -> list[Point]:
    """Returns a closed curve, down on the right side and up on the left."""
    return [*(f'right_{name}' for name in names), *(f'left_{name}' for name in reversed(names))]


_SKULL = ('hair_top', 'forehead_side', 'temple')
HAIR_OUTLINE = _around(('hair_top', 'hair_side', 'hair_low', 'hair_end'))
NECK_OUTLINE = _around(('neck', 'shoulder'))
FACE_OUTLINE = [
    *range(17),
    *(f'left_{name}' for name in reversed(_SKULL)),
    *(f'right_{name}' for name in _SKULL),
]


def paint_background(painter: FacePainter) -> None:
    r"""Paints the background with its gradients."""
    scene = painter.view.scene
    height, width = painter.view.size
    x, y = (torch.arange(n).to(painter.image) / n - 0.5 for n in (width, height))
    tone = scene['background'].unsqueeze(1) + scene['background_right'].unsqueeze(1) * x
    rise = scene['background_up'].unsqueeze(1) * y
    painter.image += (tone.unsqueeze(1) - rise.unsqueeze(2)).clamp(0.05, 1)


def front_hair(painter: FacePainter) -> canvas.Coverage:
    r"""Returns the area of the hair above the hairline."""
    at = painter.view.at
    names = ('hairline_corner', 'hairline_side')
    hairline = at(
        [*(f'right_{n}' for n in names), 'hairline', *(f'left_{n}' for n in reversed(names))]
    )
    # Down to the temples on both sides, and up to the edge of the image.
    ends = at(['right_temple', 'left_temple']) + hairline.new_tensor([[-1.0, 0], [1, 0]])
    hairline = torch.cat([ends[:, :1], hairline, ends[:, 1:]], dim=1)
    top = hairline.clone()
    top[..., 1] = torch.minimum(hairline[..., 1].amin(1, True) - 1, hairline.new_zeros(()))
    return painter.between(top, hairline)


def paint_eye(painter: FacePainter, side: str, light: Tensor) -> None:
    r"""Paints an eye.

    Args:
        painter (FacePainter): The images.
        side (str): The side, :obj:`"right"` or :obj:`"left"`.
        light (Tensor): The reflected light :math:`(N, H, W)`.
    """
    view, scene = painter.view, painter.view.scene
    first = 36 if side == 'right' else 42
    upper = view.at(range(first, first + 4))
    lower = view.at([first, first + 5, first + 4, first + 3])
    opening, window = painter.between(upper, lower)
    painter.fill((opening, window), 0.92 * (0.45 + 0.45 * light))
    center = view.at([f'{side}_iris']) + view.offset(scene['gaze_right'], scene['gaze_up'])
    for size, tone in ((1.0, scene['iris']), (0.42, 0.3 * scene['iris'])):  # iris and pupil
        radius = size * scene['iris_size']
        disc = canvas.to_full_image(painter.ellipse(center, radius, radius), view.size)
        painter.fill((opening * disc[(slice(None), *window)], window), tone)
    up = view.offset(0.0, 1.0)
    painter.darken(painter.line(upper - 0.2 * up, 1.5), 0.72)  # shadow of the upper lid
    painter.darken(painter.line(lower - 0.4 * up, 1.1), 0.22)  # edge of the lower lid
    openness = (1 - view.intensity(43, side)).clamp(0, 1)
    painter.darken(painter.line(upper + 4.2 * up, 1.3), 0.2 * openness)  # crease of the upper lid
    bag = view.intensity(6, side) + 0.7 * view.intensity(7, side) + 0.5 * view.intensity(9, side)
    painter.darken(painter.line(lower - 5.5 * up, 1.5), (0.05 + 0.16 * bag).clamp(max=0.35))


def paint_brow(painter: FacePainter, side: str, light: Tensor) -> None:
    r"""Paints a brow; see :func:`paint_eye` for the arguments."""
    scene = painter.view.scene
    points = painter.view.at(range(17, 22) if side == 'right' else range(22, 27))
    coverage, window = painter.line(points, scene['brow_width'] / 2)
    tone = scene['brow'].view(-1, 1, 1) * (0.5 + 0.5 * light)
    painter.fill(((1.35 * coverage).clamp(max=1), window), tone, 0.88)


def paint_nose(painter: FacePainter) -> None:
    r"""Paints the nostrils and the shadows of the wings."""
    for nostril, wing in (('right_nostril', 31), ('left_nostril', 35)):
        painter.darken(painter.ellipse(painter.view.at([nostril]), 3.4, 2.2), 0.62)
        painter.darken(painter.ellipse(painter.view.at([wing]), 3.0, 3.6), 0.16)


def paint_mouth(painter: FacePainter, light: Tensor) -> None:
    r"""Paints the lips, the teeth and the inside of the mouth.

    Args:
        painter (FacePainter): The images.
        light (Tensor): The reflected light :math:`(N, H, W)`.
    """
    view, scene = painter.view, painter.view.scene
    lip = (scene['lip'] * scene['skin']).view(-1, 1, 1) * light
    right, left = view.at([48]), view.at([54])
    outer_top, outer_low = view.at(range(48, 55)), view.at([48, 59, 58, 57, 56, 55, 54])
    inner_top, inner_low = view.at(range(60, 65)), view.at([60, 67, 66, 65, 64])
    edge_top = torch.cat([right, inner_top, left], dim=1)
    edge_low = torch.cat([right, inner_low, left], dim=1)
    painter.fill(painter.between(outer_top, edge_low), 0.86 * lip)  # the upper lip faces down
    painter.fill(painter.between(edge_top, outer_low), lip)
    painter.fill(painter.between(inner_top, inner_low), 0.12 * scene['skin'])
    white = 0.2 + 0.62 * light.mean((1, 2))
    upper_teeth = _teeth_edge(painter, 'upper_teeth', inner_top, inner_low)
    lower_teeth = _teeth_edge(painter, 'lower_teeth', inner_top, inner_low)
    painter.fill(painter.between(inner_top, upper_teeth), white, 0.92)
    painter.fill(painter.between(lower_teeth, inner_low), white, 0.35)
    gap = (inner_low[:, 1:4, 1] - inner_top[:, 1:4, 1]).mean(1) / view.scale
    pressed = view.intensity(23) + view.intensity(24)
    depth = 0.6 * (1 - gap / 4).clamp(0, 1) + 0.08 * pressed
    painter.darken(painter.line((edge_top + edge_low) / 2, 1.0), depth)
    below = outer_low[:, 1:-1] - 1.6 * view.offset(0.0, 1.0)
    painter.darken(painter.line(below, 1.6), 0.14)


def _teeth_edge(painter: FacePainter, point: str, top: Tensor, low: Tensor) -> Tensor:
    """Returns the edge of a row of teeth, clamped to the gap between the lips."""
    x = top[..., 0] - (top[:, :1, 0] + top[:, -1:, 0]) / 2
    slant = (top[:, -1:, 1] - top[:, :1, 1]) / (top[:, -1:, 0] - top[:, :1, 0])
    bend = 0.004 / painter.view.scale.unsqueeze(1) * x.square()
    y = painter.view.at([point])[..., 1] + slant * x - bend
    y = torch.maximum(torch.minimum(y, low[..., 1]), top[..., 1])
    return torch.stack([top[..., 0], y], dim=-1)
