"""Wrinkles, which deepen with action units and age."""

from __future__ import annotations

import torch
from torch import Tensor

from graphmotion.synthetic.action_units import ACTION_UNITS
from graphmotion.synthetic.face_painter import FacePainter


def paint_wrinkles(painter: FacePainter) -> None:
    r"""Paints the wrinkles of the forehead, the nose, the eyes and the mouth."""
    view = painter.view
    age = view.scene['age']
    strength = 0.4 + 0.6 * age
    up = view.offset(0.0, 1.0)
    # Across the forehead.
    raised = torch.maximum(view.intensity(1), 0.75 * view.intensity(2))
    brows = view.at(range(19, 25))
    for rise, weight in ((12.0, 1.0), (19.0, 0.85), (26.0, 0.6)):
        depth = weight * (0.03 * age + 0.24 * strength * raised)
        painter.darken(painter.line(brows + rise * up, 1.3), depth.clamp(max=0.4))
    # Across the bridge of the nose.
    depth = (0.3 * strength * view.intensity(9)).clamp(max=0.4)
    top, bottom = view.at([27]), view.at([28])
    for fraction in (0.1, 0.5, 0.9):
        center = top + fraction * (bottom - top)
        line = torch.cat([center + view.offset(x, -0.2 * abs(x)) for x in (-7, 0, 7)], dim=1)
        painter.darken(painter.line(line, 1.0), depth)
    for side, outwards, brow, corner in (('right', -1, 21, 48), ('left', 1, 22, 54)):
        _paint_side(painter, side, outwards, view.at([brow]), view.at([corner]))


def _paint_side(
    painter: FacePainter, side: str, outwards: int, brow: Tensor, mouth: Tensor
) -> None:
    """Paints the wrinkles on one side, given the brow end and the mouth corner."""
    view = painter.view
    age = view.scene['age']
    strength = 0.4 + 0.6 * age
    unit = {number: view.intensity(number, side) for number in ACTION_UNITS}
    # Between the brows.
    frown = unit[4] + 0.4 * unit[9]
    line = torch.cat([brow + view.offset(-3 * outwards, y) for y in (7, 1, -7)], dim=1)
    depth = 0.02 + 0.34 * strength * frown
    painter.darken(painter.line(line, 1.2, vertical=True), depth.clamp(max=0.5))
    # The nasolabial fold, from the wing of the nose to the mouth.
    line = view.at(
        [f'{side}_{name}' for name in ('nasolabial_top', 'nasolabial', 'nasolabial_end')]
    )
    fold = 0.34 * unit[12] + 0.38 * unit[10] + 0.3 * unit[9] + 0.12 * unit[6] + 0.1 * unit[20]
    depth = 0.03 + 0.06 * age + strength * fold
    painter.darken(painter.line(line, 2.1, vertical=True), depth.clamp(max=0.4))
    # Down from the corner of the mouth, and the dimple next to it.
    line = torch.cat([mouth, mouth + view.offset(2.5 * outwards, -6)], dim=1)
    depth = 0.03 + 0.06 * age + 0.34 * strength * unit[15]
    painter.darken(painter.line(line, 1.5, vertical=True), depth.clamp(max=0.45))
    line = torch.cat([mouth + view.offset(3 * outwards, y) for y in (4, -4)], dim=1)
    depth = 0.12 * unit[12] + 0.45 * strength * unit[14]
    painter.darken(painter.line(line, 1.4, vertical=True), depth.clamp(max=0.5))
    # Crow's feet.
    start = view.at([f'{side}_crows_feet'])
    depth = (strength * (0.03 * age + 0.22 * unit[6])).clamp(max=0.4)
    for rise in (4, 0, -4):
        ends = [start, start + view.offset(8 * outwards, rise)]
        painter.darken(painter.line(torch.cat(ends[::outwards], dim=1), 0.9), depth)
