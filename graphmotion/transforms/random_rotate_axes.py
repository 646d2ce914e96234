"""Random rotation about the coordinate axes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.checks import check_choice, symmetric_interval
from graphmotion.config import Configurable
from graphmotion.data import batch_index, num_nodes_per_graph
from graphmotion.transforms.fields import get_pos, uniform_per_graph

AXES = ('x', 'y', 'z')


class RandomRotateAxes(Configurable, BaseTransform):
    r"""Rotates each sequence about the coordinate axes by random angles, the same in all frames.

    .. math::
        \mathbf{p}'_{i,t} = \mathbf{R}_z \mathbf{R}_y \mathbf{R}_x \, \mathbf{p}_{i,t}

    for the default :obj:`order` x, y, z. Angles follow the right-hand rule: they are positive from
    x to y about z, from y to z about x, and from z to x about y. The rotation is about the origin;
    centre the positions first. Two-dimensional positions are rotated in the plane, about z.

    Each graph of a batch has its own angles, whereas
    :class:`torch_geometric.transforms.RandomRotate` rotates all graphs by the same angle.

    .. code-block:: python

        RandomRotateAxes(17)                       # all axes, -17 to 17 degrees
        RandomRotateAxes({'y': (-60, 60)})         # the viewpoint, if y points up
        RandomRotateAxes({'x': 10, 'z': (0, 90)})
        RandomRotateAxes({'x': 60, 'y': 60}, order='yxz')  # about y first

    Args:
        degrees (float or tuple or mapping): Interval of the angle in degrees, :math:`[-d, d]` for
            a number :math:`d`; the same for all axes, or a mapping from the axes :obj:`"x"`,
            :obj:`"y"` and :obj:`"z"` to intervals.
        order (str, optional): Order of the rotations. (default: :obj:`"xyz"`)
        integer_degrees (bool, optional): If :obj:`True`, angles are integer degrees, including
            both ends of the interval. (default: :obj:`False`)

    Raises:
        ValueError: If an argument is invalid, or two-dimensional positions are to be rotated about
            x or y.
    """

    def __init__(
        self,
        degrees: float | Sequence[float] | Mapping[str, float | Sequence[float]],
        order: str = 'xyz',
        integer_degrees: bool = False,
    ) -> None:
        self.all_axes = not isinstance(degrees, Mapping)
        if not isinstance(degrees, Mapping):
            degrees = dict.fromkeys(AXES, degrees)
        if not degrees:
            raise ValueError('degrees must have at least one axis, got an empty mapping')
        self.degrees = {
            check_choice('axis', axis, AXES): symmetric_interval('degrees', value)
            for axis, value in degrees.items()
        }
        if sorted(order) != list(AXES):
            raise ValueError(f"order must be a permutation of 'xyz', got {order!r}")
        self.order = order
        self.integer_degrees = integer_degrees
        if integer_degrees and any(end % 1 for ends in self.degrees.values() for end in ends):
            raise ValueError(f'degrees must be integers, got {self.degrees}')

    def forward(self, data: Data) -> Data:
        """Rotates a sample or each sample in a batch."""
        pos = get_pos(data)
        axes = [axis for axis in self.order if axis in self.degrees]
        if pos.size(2) == 2:
            axes = ['z'] if self.all_axes else axes
            if axes != ['z']:
                raise ValueError(f"degrees must be of axis 'z' for 2D positions, got {axes}")
        angles = self._angles(data, pos, axes) * (math.pi / 180)
        matrix = _rotation(axes[0], angles[:, 0])
        for column, axis in enumerate(axes[1:], start=1):
            matrix = _rotation(axis, angles[:, column]) @ matrix
        matrix = matrix[:, : pos.size(2), : pos.size(2)].to(pos.dtype)
        counts = num_nodes_per_graph(data)
        if bool((counts == counts[0]).all()):
            # One product for each graph instead of each node, with long rows, not of three numbers.
            rows = pos.reshape(len(counts), -1, pos.size(2)).transpose(1, 2).contiguous()
            data.pos = (matrix @ rows).transpose(1, 2).contiguous().view(pos.shape)
        else:
            data.pos = pos @ matrix.transpose(1, 2)[batch_index(data)]
        return data

    def _angles(self, data: Data, pos: Tensor, axes: Sequence[str]) -> Tensor:
        bounds = [self.degrees[axis] for axis in axes]
        if not self.integer_degrees:
            return uniform_per_graph(data, pos, bounds)
        highest = pos.new_tensor([high for _, high in bounds])
        drawn = uniform_per_graph(data, pos, [(low, high + 1) for low, high in bounds])
        return torch.minimum(drawn.floor(), highest)

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.degrees}, order={self.order!r}, '
            f'integer_degrees={self.integer_degrees})'
        )


def _rotation(axis: str, angle: Tensor) -> Tensor:
    """Returns rotation matrices ``[B, 3, 3]``."""
    i = AXES.index(axis)
    # The plane of rotation; positive angles rotate axis j towards axis k.
    j, k = (i + 1) % 3, (i + 2) % 3
    matrix = torch.zeros(angle.numel(), 3, 3, dtype=angle.dtype, device=angle.device)
    matrix[:, i, i] = 1
    matrix[:, j, j] = matrix[:, k, k] = angle.cos()
    matrix[:, k, j] = angle.sin()
    matrix[:, j, k] = -matrix[:, k, j]
    return matrix
