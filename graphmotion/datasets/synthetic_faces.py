"""Synthetic faces."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path

import numpy as np
import torch
from torch_geometric.data import Data

from graphmotion.checks import (
    as_list,
    check_choices,
    check_int,
    check_interval,
    check_number,
    check_size,
)
from graphmotion.datasets.face_dataset import FaceDataset
from graphmotion.datasets.processed_files import hashed_name
from graphmotion.synthetic.action_units import EXPRESSIONS
from graphmotion.synthetic.face_model import deform_face
from graphmotion.synthetic.face_renderer import render_faces
from graphmotion.synthetic.face_styles import HeadPose, expression_index, sample_face_styles
from graphmotion.synthetic.seeding import keyed_generator

# Increment this part of the names of processed files if the same options give other faces.
_VERSION = 1
_NOISE = 0.015  # standard deviation of the sensor noise, as a fraction of white
_FACES_AT_ONCE = 1024
_MIN_SIZE = 8
_SEVEN = tuple(name for name in EXPRESSIONS if name != 'contempt')


class SyntheticFaces(FaceDataset):
    r"""Procedurally generated faces with expressions.

    A face consists of 68 landmarks and additional 3D points, which are moved by the action units of
    the Facial Action Coding System (:mod:`graphmotion.synthetic.face_model`). It is rendered as a
    grayscale image with shaded skin, eyes, brows, lips, teeth, wrinkles and hair
    (:mod:`graphmotion.synthetic.face_renderer`). Subjects differ in the shape and appearance of
    their faces, also at rest, and in their way to show an expression: the strength and asymmetry of
    each action unit, and additional units. Expressions of unseen subjects are therefore harder to
    recognise than unseen images of known subjects. The same seed gives the same faces, and an image
    depends only on the seed and on its subject, expression and take, not on the size of the
    dataset.

    .. code-block:: python

        dataset = SyntheticFaces(num_subjects=10, num_takes=1)  # 7 expressions, in memory
        train, val, test = dataset.split((8, 1, 1), seed=0, by='subject')

    With five subject-disjoint folds of the default dataset, a linear support vector machine on 300
    principal components of the pixels has an accuracy of 65 %, and one with a Gaussian kernel on
    100 components 54 %; with random folds, 76 % and 70 %.

    Samples have the fields :obj:`image` :math:`(1, H, W)` of bytes, :obj:`landmarks`
    :math:`(68, 2)`, the points of the 300-W annotation in pixels (:math:`x` to the right and
    :math:`y` down; the first pixel extends from 0 to 1), including those outside the image or
    hidden, :obj:`y`, :obj:`subject` (numbered from 0), :obj:`take` (numbered from 1 for each
    expression), and :obj:`units` :math:`(1, A)`, the intensities of the action units
    :obj:`~graphmotion.synthetic.action_units.ACTION_UNITS` averaged over both sides.

    Args:
        root (str or Path, optional): If given, faces are stored in :obj:`root/processed`, one file
            for each combination of options, and loaded from there the next time.
            (default: :obj:`None`)
        num_subjects (int, optional): Number of subjects. (default: :obj:`40`)
        num_takes (int, optional): Number of images of each expression of a subject.
            (default: :obj:`6`)
        expressions (sequence of str, optional): The classes, expressions from :obj:`EXPRESSIONS`;
            by default all except contempt.
        size (int or tuple, optional): Height and width of the images in pixels, or one number for
            both. (default: :obj:`48`)
        intensity (tuple, optional): Interval of the intensity of an expression, within
            :math:`[0, 1]`. (default: :obj:`(0.4, 1.0)`)
        pose (float or tuple, optional): Maximum yaw, pitch and roll of the head in degrees, or one
            number for all, at most 30. (default: :obj:`(5, 4, 3)`)
        light (float, optional): Factor of the variation of light, exposure and background between
            images, at most 4; 0 is constant light from the front and above. (default: :obj:`1`)
        framing (float, optional): Factor of the variation of the crop. (default: :obj:`1`)
        noise (float, optional): Factor of blur and sensor noise. (default: :obj:`1`)
        individuality (float, optional): Factor of the deviation of the expressions of a subject
            from the prototypes, including asymmetry; 0 gives the prototypes on symmetric faces.
            (default: :obj:`1`)
        seed (int, optional): Seed of the subjects and faces. (default: :obj:`0`)
        transform (callable, optional): Applied to each face on access. (default: :obj:`None`)
        pre_transform (callable, optional): Applied to each face once, before it is stored.
            (default: :obj:`None`)
        pre_filter (callable, optional): Faces for which it returns :obj:`False` are not stored.
            (default: :obj:`None`)
        force_reload (bool, optional): If :obj:`True`, generates the samples again.
            (default: :obj:`False`)

    Raises:
        ValueError: If an option is invalid.
    """

    EXPRESSIONS = tuple(EXPRESSIONS)

    def __init__(
        self,
        root: str | Path | None = None,
        num_subjects: int = 40,
        num_takes: int = 6,
        expressions: Sequence[str] = _SEVEN,
        size: int | Sequence[int] = 48,
        intensity: Sequence[float] = (0.4, 1.0),
        pose: float | Sequence[float] = (5.0, 4.0, 3.0),
        light: float = 1.0,
        framing: float = 1.0,
        noise: float = 1.0,
        individuality: float = 1.0,
        seed: int = 0,
        transform: Callable | None = None,
        pre_transform: Callable | None = None,
        pre_filter: Callable | None = None,
        force_reload: bool = False,
    ) -> None:
        self.num_subjects = check_int('num_subjects', num_subjects, 1)
        self.num_takes = check_int('num_takes', num_takes, 1)
        self.class_names = check_choices('expressions', expressions, self.EXPRESSIONS)
        self.image_size = check_size('size', size, _MIN_SIZE)
        self.intensity = check_interval('intensity', intensity)
        for end in self.intensity:
            check_number('intensity', end, 0, 1)
        angles = as_list(pose, 3)
        if len(angles) != 3:
            raise ValueError(f'pose must be a number or (yaw, pitch, roll), got {pose!r}')
        self.pose = HeadPose(*(check_number('pose', angle, 0, 30) for angle in angles))
        self.light = check_number('light', light, 0, 4)
        self.framing = check_number('framing', framing, 0, 10)
        self.noise = check_number('noise', noise, 0, 100)
        self.individuality = check_number('individuality', individuality, 0, 2)
        self.seed = check_int('seed', seed, 0)
        super().__init__(root, transform, pre_transform, pre_filter, force_reload)

    @property
    def processed_file_names(self) -> list[str]:
        r"""A file for each combination of options."""
        options = (
            *(_VERSION, self.num_subjects, self.num_takes, self.class_names, self.image_size),
            *(self.intensity, tuple(self.pose), self.light, self.framing, self.noise),
            *(self.individuality, self.seed),
        )
        return [hashed_name('faces', options)]

    def read(self) -> Iterator[Data]:
        r"""Yields the faces, sorted by subject, expression and take."""
        takes = range(1, self.num_takes + 1)
        keys = list(product(range(self.num_subjects), self.class_names, takes))
        for start in range(0, len(keys), _FACES_AT_ONCE):
            yield from self._generate(keys[start : start + _FACES_AT_ONCE])

    def _generate(self, keys: list[tuple[int, str, int]]) -> Iterator[Data]:
        styles = sample_face_styles(
            self.seed,
            keys,
            self.intensity,
            self.pose,
            self.light,
            self.framing,
            self.noise,
            self.individuality,
        )
        points = deform_face(styles.shapes, styles.units)
        images, landmarks = render_faces(points, styles.units, styles.scene, self.image_size)
        units = styles.units.mean(-1)
        for row, (subject, name, take) in enumerate(keys):
            image = 255 * images[row].numpy()
            if self.noise:
                random = keyed_generator(self.seed, 23, subject, expression_index(name), take)
                error = random.standard_normal(image.shape, np.float32)
                image = image + 255 * _NOISE * self.noise * error
            image = np.rint(image).clip(0, 255).astype(np.uint8)
            yield Data(
                image=torch.from_numpy(image).unsqueeze(0),
                landmarks=landmarks[row],
                units=units[row : row + 1],
                y=torch.tensor([self.class_names.index(name)]),
                subject=torch.tensor([subject]),
                take=torch.tensor([take]),
            )
