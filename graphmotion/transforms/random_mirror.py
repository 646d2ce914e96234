"""Random mirroring of bodies."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.checks import check_choice, check_probability
from graphmotion.config import Configurable
from graphmotion.data import batch_index, from_dense
from graphmotion.skeletons import Skeleton, get_skeleton
from graphmotion.transforms.fields import (
    any_time_field,
    get_pos,
    rand_per_graph,
    reduce_per_graph,
    set_pos,
    split_bodies,
    valid_mask,
)

CENTERS = ('sequence', 'frame')


class RandomMirror(Configurable, BaseTransform):
    r"""Mirrors a sequence with a given probability.

    One coordinate is reflected, and left and right joints are swapped:

    .. math::
        p'_{i,t,d} = 2c - p_{\mu(i),t,d}

    on the reflected axis :math:`d`, with the centre :math:`c` and the joint :math:`\mu(i)`
    opposite to :math:`i`. Missing joints stay at zero. If axis 0, the horizontal axis of an image,
    is reflected, the silhouettes of the sample are flipped as well.

    .. code-block:: python

        data = RandomMirror('emotion_gait16')(SyntheticGait(num_subjects=1, num_takes=1)[0])

    Args:
        skeleton (str or Skeleton, optional): The layout; not needed for samples without joints or
            if :obj:`swap_sides` is :obj:`False`. (default: :obj:`None`)
        p (float, optional): Probability that a sequence is mirrored. (default: :obj:`0.5`)
        axis (int, optional): Axis :math:`d` of the reflected coordinate. (default: :obj:`0`)
        center (float or str, optional): Centre :math:`c` of the reflection: a coordinate, such as
            half the image width for positions in pixels, :obj:`"sequence"` for the mean of the
            sequence, or :obj:`"frame"` for the mean of each frame. Means are over joints that are
            not missing. (default: :obj:`0.0`)
        swap_sides (bool, optional): If :obj:`False`, left and right joints are not swapped. The
            sides are then mislabelled, as in some papers, which thereby turn a walk to the left
            into a walk to the right. (default: :obj:`True`)
        mirrored_classes (sequence of int, optional): The class of the mirror image of each class,
            which replaces :obj:`y`: with :obj:`(0, 2, 1)`, a limp of the right leg becomes a limp
            of the left leg. By default, classes do not change. (default: :obj:`None`)

    Raises:
        ValueError: If an argument is invalid, the skeleton has no left-right pairs to swap, the
            axis is out of range, the number of nodes is not a multiple of the joints of the
            skeleton, or :obj:`y` is not in
            :obj:`mirrored_classes`.
    """

    def __init__(
        self,
        skeleton: str | Skeleton | None = None,
        p: float = 0.5,
        axis: int = 0,
        center: float | str = 0.0,
        swap_sides: bool = True,
        mirrored_classes: Sequence[int] | None = None,
    ) -> None:
        self.skeleton = None if skeleton is None else get_skeleton(skeleton)
        self.p = check_probability('p', p)
        self.axis = axis
        self.center = check_choice('center', center, CENTERS) if isinstance(center, str) else center
        self.swap_sides = swap_sides
        if swap_sides and self.skeleton is not None and not self.skeleton.pairs:
            raise ValueError(
                f'swap_sides must be False for {self.skeleton.name!r}, whose joints have no '
                f'left-right pairs; or pass pairs to the Skeleton'
            )
        self.mirrored_classes = None if mirrored_classes is None else tuple(mirrored_classes)
        if self.mirrored_classes is not None:
            classes = self.mirrored_classes
            count = len(classes)
            if not all(0 <= c < count and classes[c] == i for i, c in enumerate(classes)):
                raise ValueError(f'mirrored_classes must be its own inverse, got {classes}')

    def forward(self, data: Data) -> Data:
        """Mirrors a sample, or random samples of a batch."""
        flip = rand_per_graph(data, any_time_field(data)) < self.p
        if self.mirrored_classes is not None:
            data.y = torch.where(flip.view(-1), self._mirrored_y(data), data.y)
        silhouettes = data.get('silhouettes')
        if silhouettes is not None and self.axis == 0:
            data.silhouettes = torch.where(
                flip.view(-1, 1, 1, 1), silhouettes.flip(-1), silhouettes
            )
        if data.get('pos') is None and silhouettes is not None:
            return data
        return self._mirror_pos(data, flip[batch_index(data)])

    def _mirrored_y(self, data: Data) -> Tensor:
        """Returns the classes of the mirror images."""
        y, count = data.get('y'), len(self.mirrored_classes or ())
        if y is None or y.is_floating_point() or bool(((y < 0) | (y >= count)).any()):
            found = 'no field' if y is None else y.tolist()
            raise ValueError(f"field 'y' must be integers in [0, {count - 1}], got {found}")
        return torch.tensor(self.mirrored_classes, device=y.device)[y]

    def _mirror_pos(self, data: Data, flip: Tensor) -> Data:
        pos, score = get_pos(data), data.get('score')
        if not 0 <= self.axis < pos.size(2):
            raise ValueError(f'axis must be in [0, {pos.size(2) - 1}], got {self.axis}')
        center = self._center(data, pos[..., self.axis])
        if self.swap_sides:
            if self.skeleton is None:
                raise ValueError('skeleton must be given to swap left and right joints, got None')
            node = torch.arange(pos.size(0), device=pos.device)
            mirror = torch.tensor(self.skeleton.mirror, device=pos.device)
            opposite = split_bodies(data, node, self.skeleton)[:, mirror]
            node = torch.where(flip, from_dense(opposite), node)
            pos = pos.index_select(0, node)
            if score is not None:
                data.score = score.index_select(0, node)
        else:
            pos = pos.clone()
        coordinate = pos[..., self.axis]
        reflected = 2 * center - coordinate
        pos[..., self.axis] = torch.where(flip.unsqueeze(1), reflected, coordinate)
        return set_pos(data, pos)

    def _center(self, data: Data, coordinate: Tensor) -> Tensor | float:
        if not isinstance(self.center, str):
            return self.center
        counts = valid_mask(data)
        sums = torch.stack([coordinate * counts, counts.to(coordinate)])
        if self.center == 'sequence':
            sums = sums.sum(dim=-1, keepdim=True)
        total, number = reduce_per_graph(data, sums.transpose(0, 1), 'sum').unbind(dim=1)
        return (total / number.clamp(min=1))[batch_index(data)]

    def __repr__(self) -> str:
        name = None if self.skeleton is None else self.skeleton.name
        return (
            f'{self.__class__.__name__}({name}, p={self.p}, axis={self.axis}, '
            f'center={self.center!r}, swap_sides={self.swap_sides}, '
            f'mirrored_classes={self.mirrored_classes})'
        )
