"""Bodies turned about several axes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.data import batch_index
from graphmotion.transforms.fields import check_choice, check_interval, draw_between, positions

AXES = ('x', 'y', 'z')


class RandomRotateAxes(BaseTransform):
    r"""Turns each sequence about the coordinate axes by random angles, the same in all frames.

    .. math::
        \mathbf{p}'_{i,t} = \mathbf{R}_z \mathbf{R}_y \mathbf{R}_x \, \mathbf{p}_{i,t}

    in the order x, y, z unless :obj:`order` says otherwise, with one angle for each axis, positive
    from x to y about z, from y to z about x, and from z to x about y (the right-hand rule). The
    rotation is about the origin; centre the positions first. In two dimensions there is one
    rotation in the plane, about z.

    In contrast to :class:`torch_geometric.transforms.RandomRotate`, which turns all graphs of a
    batch by one angle, each graph has its own.

    .. code-block:: python

        RandomRotateAxes(17)                       # all axes, -17 to 17 degrees
        RandomRotateAxes({'y': (-60, 60)})         # the view of a walker, y upwards
        RandomRotateAxes({'x': 10, 'z': (0, 90)})
        RandomRotateAxes({'x': 60, 'y': 60}, order='yxz')  # about y first

    Args:
        degrees (float or tuple or mapping): Interval of the angle in degrees,
            :math:`[-d, d]` for a number :math:`d`: of each axis that there is, or by axis,
            :obj:`"x"`, :obj:`"y"`, :obj:`"z"`.
        order (str, optional): The three axes, that of the first rotation first.
            (default: :obj:`"xyz"`)
        whole_degrees (bool, optional): If set to :obj:`True`, angles are whole numbers of degrees,
            the ends of the interval included. (default: :obj:`False`)

    Raises:
        ValueError: If an interval, an axis or the order is invalid, the ends of an interval are not
            whole where angles are to be, or positions in the plane are to be turned about x or y.
    """

    def __init__(
        self,
        degrees: float | Sequence[float] | Mapping[str, float | Sequence[float]],
        order: str = 'xyz',
        whole_degrees: bool = False,
    ) -> None:
        self.everywhere = not isinstance(degrees, Mapping)
        if not isinstance(degrees, Mapping):
            degrees = dict.fromkeys(AXES, degrees)
        self.degrees = {
            check_choice('axis', axis, AXES): check_interval(
                'degrees', (-abs(value), abs(value)) if isinstance(value, (int, float)) else value
            )
            for axis, value in degrees.items()
        }
        if not self.degrees:
            raise ValueError('degrees names no axis')
        if sorted(order) != list(AXES):
            raise ValueError(f"order must be a permutation of 'xyz', got {order!r}")
        self.order = order
        self.whole_degrees = whole_degrees
        if whole_degrees and any(end % 1 for ends in self.degrees.values() for end in ends):
            raise ValueError(f'degrees must be whole numbers, got {self.degrees}')

    def forward(self, data: Data) -> Data:
        """Turn a sample, or each in a batch."""
        pos = positions(data)
        axes = [axis for axis in self.order if axis in self.degrees]
        if pos.size(2) == 2:
            axes = ['z'] if self.everywhere else axes
            if axes != ['z']:
                raise ValueError(f'pos is in the plane and turns about z only, not {axes}')
        angles = self._angles(data, pos, axes) * (math.pi / 180)
        matrix = _rotation(axes[0], angles[:, 0])
        for column, axis in enumerate(axes[1:], start=1):
            matrix = _rotation(axis, angles[:, column]) @ matrix
        matrix = matrix[:, : pos.size(2), : pos.size(2)].transpose(1, 2).to(pos.dtype)
        data.pos = pos @ matrix[batch_index(data)]
        return data

    def _angles(self, data: Data, pos: Tensor, axes: Sequence[str]) -> Tensor:
        bounds = [self.degrees[axis] for axis in axes]
        if not self.whole_degrees:
            return draw_between(data, pos, bounds)
        highest = pos.new_tensor([high for _, high in bounds])
        drawn = draw_between(data, pos, [(low, high + 1) for low, high in bounds])
        return torch.minimum(drawn.floor(), highest)

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.degrees}, order={self.order!r}, '
            f'whole_degrees={self.whole_degrees})'
        )


def _rotation(axis: str, angle: Tensor) -> Tensor:
    """Rotation matrices ``[B, 3, 3]``."""
    # The plane that turns, in the order in which the angle is positive.
    i = AXES.index(axis)
    j, k = (i + 1) % 3, (i + 2) % 3
    matrix = torch.zeros(angle.numel(), 3, 3, dtype=angle.dtype, device=angle.device)
    matrix[:, i, i] = 1
    matrix[:, j, j] = matrix[:, k, k] = angle.cos()
    matrix[:, k, j] = angle.sin()
    matrix[:, j, k] = -matrix[:, k, j]
    return matrix
