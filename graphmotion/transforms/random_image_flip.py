"""Random horizontal flip of images."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.checks import check_probability
from graphmotion.config import Configurable
from graphmotion.skeletons.face_68 import FACE_68_MIRROR
from graphmotion.transforms.fields import rand_per_graph
from graphmotion.transforms.image_fields import get_image, get_landmarks, set_image


class RandomImageFlip(Configurable, BaseTransform):
    r"""Flips images and their landmarks horizontally with a given probability.

    .. code-block:: python

        faces = SyntheticFaces(num_subjects=1, num_takes=1)
        data = RandomImageFlip()(faces[0])

    Args:
        p (float, optional): Probability that an image is flipped. (default: :obj:`0.5`)
        mirror (sequence of int, optional): Index of the opposite landmark of each landmark, its
            own index on the midline of the face; by default for the 68 landmarks of the 300-W
            annotation. (default: :obj:`None`)

    Raises:
        ValueError: If :obj:`p` is outside [0, 1], :obj:`mirror` is not its own inverse, or a
            sample has another number of landmarks.
    """

    def __init__(self, p: float = 0.5, mirror: Sequence[int] | None = None) -> None:
        self.p = check_probability('p', p)
        self.mirror = FACE_68_MIRROR if mirror is None else tuple(mirror)
        known = range(len(self.mirror))
        if not all(j in known and self.mirror[j] == i for i, j in enumerate(self.mirror)):
            raise ValueError(f'mirror must be its own inverse, got {self.mirror}')

    def forward(self, data: Data) -> Data:
        """Flips the image of a sample, or random images of a batch."""
        image, points = get_image(data), get_landmarks(data)
        flip = (rand_per_graph(data, image) < self.p).view(-1, 1, 1)
        set_image(data, torch.where(flip.unsqueeze(3), image.flip(3), image))
        if points is not None:
            if points.size(1) != len(self.mirror):
                raise ValueError(
                    f'mirror must have an entry for each of the {points.size(1)} landmarks, got '
                    f'{len(self.mirror)}'
                )
            opposite = points[:, list(self.mirror)].clone()
            opposite[..., 0] = image.size(3) - opposite[..., 0]
            data.landmarks = torch.where(flip, opposite, points).flatten(0, 1)
        return data

    def __repr__(self) -> str:
        mirror = '' if self.mirror == FACE_68_MIRROR else f', mirror={self.mirror}'
        return f'{self.__class__.__name__}(p={self.p}{mirror})'
