"""Bodies in a mirror."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.data import batch_index, from_dense
from graphmotion.skeletons import Skeleton, get_skeleton
from graphmotion.transforms.fields import (
    any_field,
    bodies,
    check_probability,
    draw,
    per_graph,
    positions,
    set_pos,
    valid_mask,
)

MEANS = ('sequence', 'frame')


class RandomMirror(BaseTransform):
    r"""Mirrors a sequence with a given probability: left and right joints change places and one
    coordinate is reflected.

    .. math::
        p'_{i,t,d} = 2c - p_{\mu(i),t,d}

    on the axis :math:`d` that is reflected about :math:`c`, where :math:`\mu(i)` is the joint
    opposite to :math:`i`. Missing joints stay at zero. Silhouettes of the sample are flipped too
    if axis 0, the horizontal one of an image, is reflected.

    Args:
        skeleton (str or Skeleton, optional): The layout; :obj:`None` for samples without joints,
            such as silhouettes alone. (default: :obj:`None`)
        p (float, optional): The probability. (default: :obj:`0.5`)
        axis (int, optional): The coordinate that is reflected. (default: :obj:`0`)
        about (float or str, optional): Where the mirror stands: at this coordinate (half the
            image's width for positions in pixels), at :obj:`"sequence"`, the mean of the
            sequence, or at :obj:`"frame"`, the mean of each frame. Means are those of the joints
            that are not missing. (default: :obj:`0.0`)
        exchange (bool, optional): If set to :obj:`False`, left and right joints do not change
            places, which turns a walk to the left into a walk to the right, with sides
            mislabelled, as some papers do. (default: :obj:`True`)
        mirrored_classes (sequence of int, optional): For each class the class of its mirror
            image, which :obj:`y` becomes: with :obj:`(0, 2, 1)` a limp of the right leg becomes
            one of the left. By default classes stay what they are. (default: :obj:`None`)

    Raises:
        ValueError: If there is no such axis, the number of nodes is not a multiple of the joints of
            the skeleton, joints are to change places and there is no skeleton, mirrored classes are
            not each other's mirror images, or :obj:`y` is not one of them.
    """

    def __init__(
        self,
        skeleton: str | Skeleton | None = None,
        p: float = 0.5,
        axis: int = 0,
        about: float | str = 0.0,
        exchange: bool = True,
        mirrored_classes: Sequence[int] | None = None,
    ) -> None:
        self.skeleton = None if skeleton is None else get_skeleton(skeleton)
        self.p = check_probability('p', p)
        self.axis = axis
        if isinstance(about, str) and about not in MEANS:
            raise ValueError(f'about is a number or one of {list(MEANS)}, got {about!r}')
        self.about = about
        self.exchange = exchange
        self.mirrored_classes = None if mirrored_classes is None else tuple(mirrored_classes)
        if self.mirrored_classes is not None:
            classes = self.mirrored_classes
            count = len(classes)
            if not all(0 <= c < count and classes[c] == i for i, c in enumerate(classes)):
                raise ValueError(
                    f'mirrored_classes are {count} classes, each the mirror image of its mirror '
                    f'image, got {classes}'
                )

    def forward(self, data: Data) -> Data:
        """Mirror a sample, or some of a batch."""
        flip = draw(data, any_field(data)) < self.p
        if self.mirrored_classes is not None:
            data.y = torch.where(flip.view(-1), self._mirrored(data), data.y)
        silhouettes = data.get('silhouettes')
        if silhouettes is not None and self.axis == 0:
            data.silhouettes = torch.where(
                flip.view(-1, 1, 1, 1), silhouettes.flip(-1), silhouettes
            )
        if data.get('pos') is None and silhouettes is not None:
            return data
        return self._mirror_pos(data, flip[batch_index(data)])

    def _mirrored(self, data: Data) -> Tensor:
        """The classes of the mirror images."""
        y, count = data.get('y'), len(self.mirrored_classes or ())
        if y is None or y.is_floating_point() or bool(((y < 0) | (y >= count)).any()):
            found = 'none' if y is None else y.tolist()
            raise ValueError(f"expected a field 'y' of classes in 0..{count - 1}, found {found}")
        return torch.tensor(self.mirrored_classes, device=y.device)[y]

    def _mirror_pos(self, data: Data, flip: Tensor) -> Data:
        pos, score = positions(data), data.get('score')
        if not 0 <= self.axis < pos.size(2):
            raise ValueError(f'pos has {pos.size(2)} axes, there is no axis {self.axis} to mirror')
        center = self._center(data, pos[..., self.axis])
        if self.exchange:
            if self.skeleton is None:
                raise ValueError('joints change places only if the skeleton is given')
            node = torch.arange(pos.size(0), device=pos.device)
            mirror = torch.tensor(self.skeleton.mirror, device=pos.device)
            opposite = bodies(data, node, self.skeleton)[:, mirror]
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
        if not isinstance(self.about, str):
            return self.about
        counts = valid_mask(data)
        sums = torch.stack([coordinate * counts, counts.to(coordinate)])
        if self.about == 'sequence':
            sums = sums.sum(dim=-1, keepdim=True)
        total, number = per_graph(data, sums.transpose(0, 1), 'sum').unbind(dim=1)
        return (total / number.clamp(min=1))[batch_index(data)]

    def __repr__(self) -> str:
        name = None if self.skeleton is None else self.skeleton.name
        return (
            f'{self.__class__.__name__}({name}, p={self.p}, axis={self.axis}, '
            f'about={self.about!r}, exchange={self.exchange}, '
            f'mirrored_classes={self.mirrored_classes})'
        )
