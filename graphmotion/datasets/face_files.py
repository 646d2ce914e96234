"""The base class of face datasets with one file per image."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch_geometric.data import Data

from graphmotion.checks import check_positive, check_size
from graphmotion.data.read_tasks import ReadTask
from graphmotion.datasets.face_dataset import FaceDataset
from graphmotion.datasets.raw_files import LabelledFiles, Labels
from graphmotion.io.files import FoundFile, find_files
from graphmotion.io.images import (
    IMAGE_SUFFIXES,
    crop_window,
    read_color_image,
    read_gray_image,
    resize_image,
)
from graphmotion.io.landmarks import LANDMARK_SUFFIXES, read_landmarks


class FaceFiles(LabelledFiles, FaceDataset):
    r"""The base class of face datasets with one image file per face, whose path encodes the labels.

    Images are searched for in :obj:`raw/` and its subfolders, and inside the zip archives in them,
    and are sorted by name; :func:`~graphmotion.io.read_gray_image` lists the formats. Invalid
    images are skipped with a warning.

    A subclass sets :obj:`layout`, :obj:`source` and :obj:`num_folders`, and implements
    :meth:`find_labels`:

    .. code-block:: python

        class Friends(FaceFiles):
            # raw/anna-smile-1.png, ...
            class_names = ('smile', 'frown')
            layout = 'anna-smile-1.png'

            def find_labels(self, name):
                person, expression, _ = name.split('-')
                return {
                    'y': self.class_names.index(expression),
                    'subject': ('anna', 'ben').index(person),
                }

    Args:
        root (str or Path): The folder that contains :obj:`raw/` and :obj:`processed/`.
        size (int or tuple, optional): Height and width, or one number for both, to which images are
            resized after a center crop to its aspect ratio. By default, images are not resized and
            must have the same size. (default: :obj:`None`)
        transform (callable, optional): Applied to each sample on access. (default: :obj:`None`)
        pre_transform (callable, optional): Applied to each sample once, before it is stored.
            (default: :obj:`None`)
        pre_filter (callable, optional): Samples for which it returns :obj:`False` are not stored.
            (default: :obj:`None`)
        force_reload (bool, optional): If :obj:`True`, processes the raw files again.
            (default: :obj:`False`)
        color (bool, optional): If :obj:`True`, images are red, green and blue.
            (default: :obj:`False`)
        landmarks (bool, optional): If :obj:`True`, samples have the field :obj:`landmarks`
            :math:`(68, 2)`, read from a file next to the image, such as :obj:`anna-smile-1.pts`;
            :func:`~graphmotion.io.read_landmarks` lists the formats. Images without landmarks are
            skipped with a warning. (default: :obj:`False`)
        max_value (float, optional): Value of white in images of more than eight bits, such as 4095
            for 12 bits; see :func:`~graphmotion.io.read_gray_image`. (default: :obj:`None`)
        num_workers (int, optional): Number of processes that read the raw files; :obj:`0` reads
            them in this process. (default: :obj:`0`)

    Raises:
        FileNotFoundError: If the raw files are missing.
        ImportError: If pillow is not installed.
        ValueError: If :obj:`size` is not positive, images differ in size and :obj:`size` is not
            given, an archive is damaged or no image is valid.
    """

    suffixes = IMAGE_SUFFIXES
    noun = 'images'
    num_folders: int | None = 0

    def __init__(
        self,
        root: str | Path,
        size: int | Sequence[int] | None = None,
        transform: Callable | None = None,
        pre_transform: Callable | None = None,
        pre_filter: Callable | None = None,
        force_reload: bool = False,
        color: bool = False,
        landmarks: bool = False,
        max_value: float | None = None,
        num_workers: int = 0,
    ) -> None:
        self.color = color
        self.max_value = None if max_value is None else check_positive('max_value', max_value)
        self.landmarks = landmarks
        self.image_size = None if size is None else check_size('size', size)
        super().__init__(root, transform, pre_transform, pre_filter, force_reload, num_workers)

    def find_labels(self, name: str) -> Labels:
        r"""Returns the labels of an image, given its name with :obj:`num_folders` folders, such as
        :obj:`"happy/1.png"`; or the reason to skip it, for the warning; or :obj:`None` if it is not
        part of the dataset.
        """
        raise NotImplementedError

    def label_files(self, files: Mapping[str, FoundFile]) -> dict[str, Labels]:
        r"""Returns the result of :meth:`find_labels` for each file name."""
        return {name: self.call_find_labels(name, name) for name in files}

    @property
    def processed_file_names(self) -> list[str]:
        r"""A file for each size, with or without colour and landmarks."""
        return [f'{self.size_name}.pt']

    @property
    def size_name(self) -> str:
        r"""The size of the images, colour and landmarks as part of a file name."""
        size = 'original' if self.image_size is None else '{}x{}'.format(*self.image_size)
        white = '' if self.max_value is None else f'_max_{self.max_value:g}'
        return size + '_color' * self.color + '_landmarks' * self.landmarks + white

    @property
    def required_files(self) -> str:
        r"""Image files or archives."""
        return f'images such as {self.layout}, or zip archives of them,'

    def read(self) -> Iterator[Data]:
        r"""Yields the images, sorted by name."""
        self._first: tuple[str, torch.Size] | None = None
        suffixes = LANDMARK_SUFFIXES if self.landmarks else ()
        with find_files(self.raw_dir, suffixes, self.num_folders) as files:
            self._landmark_files = {
                os.path.splitext(name)[0].removesuffix('_landmarks'): file
                for name, file in files.items()
            }
            yield from super().read()

    def group_files(self, files: Mapping[str, FoundFile]) -> dict[str, dict[str, FoundFile]]:
        r"""Returns each image and its landmarks."""
        out = super().group_files(files)
        for name, group in out.items():
            landmarks = self._landmark_files.get(os.path.splitext(name)[0])
            if landmarks is not None:
                group['landmarks'] = landmarks
        return out

    def read_sample(self, task: ReadTask) -> Data | str:
        r"""Returns the sample of an image, or the reason to skip it."""
        read_image = read_color_image if self.color else read_gray_image
        image = read_image(task.file.path, task.file.read(), self.max_value)
        points = None
        if self.landmarks:
            if 'landmarks' not in task.files:
                return 'without a file of landmarks'
            file = task.files['landmarks']
            points = read_landmarks(file.path, file.read())
        if self.image_size is not None:
            if points is not None:
                points = _resize_points(points, image.shape[-2:], self.image_size)
            image = resize_image(image, self.image_size)
        sample = face_sample(image, **task.labels)
        if points is not None:
            sample.landmarks = torch.from_numpy(points).float()
        return sample

    def accept(self, task: ReadTask, result: Any) -> Data | str:
        r"""Returns the sample or the reason to skip it.

        Raises:
            ValueError: If its size differs from that of the first image.
        """
        if isinstance(result, Data):
            size = result.image.shape[-2:]
            self._first = self._first or (task.file.path, size)
            if size != self._first[1]:
                path, (height, width) = self._first
                raise ValueError(
                    f'{task.file.path}: size: expected {height} x {width} as in {path}, found '
                    f'{size[0]} x {size[1]}; pass size=(height, width) to resize all images'
                )
        return result


def _resize_points(points: np.ndarray, shape: Sequence[int], size: Sequence[int]) -> np.ndarray:
    """Moves points as :func:`~graphmotion.io.images.resize_image` moves the image."""
    if tuple(shape) == tuple(size):
        return points
    top, left, rows, columns = crop_window(shape, size)
    return (points - (left, top)) * (size[1] / columns, size[0] / rows)


def face_sample(image: np.ndarray, **labels: int) -> Data:
    r"""Makes a sample from an image :math:`(H, W)` or :math:`(3, H, W)` of bytes and its labels."""
    fields = {name: torch.tensor([value]) for name, value in labels.items()}
    return Data(image=torch.from_numpy(np.ascontiguousarray(image)).unsqueeze(0), **fields)
