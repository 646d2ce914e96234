"""A linear face model with shape traits and action units."""

from __future__ import annotations

import torch
from torch import Tensor

from graphmotion.synthetic.action_units import ACTION_UNITS, UNIT_FIELDS
from graphmotion.synthetic.face_points import MEAN_FACE
from graphmotion.synthetic.face_shapes import SHAPE_FIELDS, SHAPE_TRAITS

_MIN_LIP_HEIGHT = 0.9  # millimetres

# Pairs of landmarks that must not cross: upper and lower lids, inner lips, and the outer and inner
# edges of the upper and the lower lip.
_LIDS = ((37, 41), (38, 40), (43, 47), (44, 46))
_INNER_LIPS = ((61, 67), (62, 66), (63, 65))
_UPPER_LIPS = ((49, 61), (50, 61), (51, 62), (52, 63), (53, 63))
_LOWER_LIPS = ((58, 67), (57, 66), (56, 65))


def deform_face(shapes: Tensor, units: Tensor) -> Tensor:
    r"""Computes the points of faces with the given shapes and action units.

    .. math::
        \mathbf{p}_i = \bar{\mathbf{p}}_i + \sum_m s_{m,\sigma(i)} \mathbf{S}_{m,i} +
        \sum_a u_{a,\sigma(i)} \mathbf{U}_{a,i}

    where :math:`\sigma(i)` denotes the side of point :math:`i`; points in the middle use the mean
    of both sides. Lids and lips are then moved apart such that they do not cross.

    Args:
        shapes (Tensor): The shape traits in standard deviations.
        units (Tensor): The intensities of the action units, from 0 to 1.

    Shapes:
        - **shapes:** :math:`(N, M, 2)`, in the order of
          :obj:`~graphmotion.synthetic.face_shapes.SHAPE_TRAITS`, right and left
        - **units:** :math:`(N, A, 2)`, in the order of
          :obj:`~graphmotion.synthetic.action_units.ACTION_UNITS`, right and left
        - **output:** :math:`(N, P, 3)`, in millimetres

    Raises:
        ValueError: If :obj:`shapes` or :obj:`units` has another shape.
    """
    for name, values, count in (
        ('shapes', shapes, len(SHAPE_TRAITS)),
        ('units', units, len(ACTION_UNITS)),
    ):
        if values.dim() != 3 or values.shape[1:] != (count, 2):
            raise ValueError(f'{name} must have shape [N, {count}, 2], got {list(values.shape)}')
    fields = torch.cat([SHAPE_FIELDS, UNIT_FIELDS])
    values = torch.cat([shapes, units], dim=1)
    side = MEAN_FACE[:, 0].sign().long()  # -1 is right, 0 is the middle, 1 is left
    by_side = torch.stack([values[..., 0], values.mean(-1), values[..., 1]])
    offsets = torch.einsum('snm,mpc->snpc', by_side, fields)
    points = MEAN_FACE + offsets[side + 1, :, torch.arange(len(side))].transpose(0, 1)
    return _uncross(points)


def _uncross(points: Tensor) -> Tensor:
    height = points[..., 1].clone()
    for upper, lower in _LIDS:
        height[:, upper] = torch.maximum(height[:, upper], height[:, lower])
    for upper, lower in _INNER_LIPS:
        overlap = (height[:, lower] - height[:, upper]).clamp(min=0) / 2
        height[:, upper] += overlap
        height[:, lower] -= overlap
    for outer, inner in _UPPER_LIPS:
        height[:, outer] = torch.maximum(height[:, outer], height[:, inner] + _MIN_LIP_HEIGHT)
    for outer, inner in _LOWER_LIPS:
        height[:, outer] = torch.minimum(height[:, outer], height[:, inner] - _MIN_LIP_HEIGHT)
    return torch.stack([points[..., 0], height, points[..., 2]], dim=-1)
