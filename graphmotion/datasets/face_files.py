"""The base class of face datasets with one file per image."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch_geometric.data import Data

from graphmotion.checks import check_positive, check_size
from graphmotion.datasets.face_dataset import FaceDataset
from graphmotion.datasets.raw_files import LabelledFiles, Labels, read_labelled
from graphmotion.io import MalformedFileError
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

    Raises:
        FileNotFoundError: If the raw files are missing.
        ImportError: If pillow is not installed.
        ValueError: If :obj:`size` is not positive, images differ in size and :obj:`size` is not
            given, an archive is damaged or no image is valid.
    """

    suffixes = IMAGE_SUFFIXES
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
    ) -> None:
        self.color = color
        self.max_value = None if max_value is None else check_positive('max_value', max_value)
        self.landmarks = landmarks
        self.image_size = None if size is None else check_size('size', size)
        super().__init__(root, transform, pre_transform, pre_filter, force_reload)

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
        self._points = self._read_landmarks() if self.landmarks else {}
        self._first: tuple[str, tuple[int, ...]] | None = None
        with find_files(self.raw_dir, self.suffixes, self.num_folders) as files:
            self.warn_of_copies(files)
            yield from read_labelled(
                self.raw_dir,
                'images',
                self.label_files(files),
                lambda name, labels: self._read_face(name, files[name], labels),
            )

    def _read_face(self, name: str, file: FoundFile, labels: dict[str, int]) -> Data | str:
        """Returns the sample of an image, or the reason to skip it."""
        read_image = read_color_image if self.color else read_gray_image
        image = read_image(file.path, file.read(), self.max_value)
        points = self._points.get(os.path.splitext(name)[0], 'without a file of landmarks')
        if self.landmarks and isinstance(points, str):
            return points
        if self.image_size is not None:
            if isinstance(points, np.ndarray):
                points = _resize_points(points, image.shape[-2:], self.image_size)
            image = resize_image(image, self.image_size)
        size = image.shape[-2:]
        self._first = self._first or (file.path, size)
        if size != self._first[1]:
            path, (height, width) = self._first
            raise ValueError(
                f'{file.path}: size: expected {height} x {width} as in {path}, found '
                f'{size[0]} x {size[1]}; pass size=(height, width) to resize all images'
            )
        sample = face_sample(image, **labels)
        if isinstance(points, np.ndarray):
            sample.landmarks = torch.from_numpy(points).float()
        return sample

    def _read_landmarks(self) -> dict[str, np.ndarray | str]:
        """Returns landmarks, or the reason why they are invalid, by file name without suffix."""
        out: dict[str, np.ndarray | str] = {}
        with find_files(self.raw_dir, LANDMARK_SUFFIXES, self.num_folders) as files:
            for name, file in files.items():
                try:
                    points: np.ndarray | str = read_landmarks(file.path, file.read())
                except MalformedFileError as error:
                    points = error.reason
                out[os.path.splitext(name)[0].removesuffix('_landmarks')] = points
        return out


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
