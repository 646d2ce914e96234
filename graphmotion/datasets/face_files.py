"""The base class of face datasets with one file per image."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch_geometric.data import Data

from graphmotion.checks import check_size
from graphmotion.datasets.face_dataset import FaceDataset
from graphmotion.datasets.raw_files import ManualDownload, raw_entries
from graphmotion.io import MalformedFileError, SkippedSamples
from graphmotion.io.files import FoundFile, find_files
from graphmotion.io.images import IMAGE_SUFFIXES, read_gray_image, resize_image

Labels = dict[str, int] | str | None

#: The part (0 training, 1 validation, 2 test) of common folder names in lower case.
PART_FOLDERS = {
    **dict.fromkeys(('train', 'training'), 0),
    **dict.fromkeys(('val', 'valid', 'validation', 'publictest'), 1),
    **dict.fromkeys(('test', 'testing', 'privatetest'), 2),
}


class FaceFiles(ManualDownload, FaceDataset):
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

    Raises:
        FileNotFoundError: If the raw files are missing.
        ImportError: If pillow is not installed.
        ValueError: If :obj:`size` is not positive, images differ in size and :obj:`size` is not
            given, an archive is damaged or no image is valid.
    """

    #: An example of a file name.
    layout: str
    #: Number of parent folders that are part of a file name; :obj:`None` for all.
    num_folders: int | None = 0

    def __init__(
        self,
        root: str | Path,
        size: int | Sequence[int] | None = None,
        transform: Callable | None = None,
        pre_transform: Callable | None = None,
        pre_filter: Callable | None = None,
        force_reload: bool = False,
    ) -> None:
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
        return {name: self.find_labels(name) for name in files}

    @property
    def raw_file_names(self) -> list[str]:
        r"""The archives and folders in :obj:`raw/`, or one of its files."""
        return raw_entries(self.raw_dir, IMAGE_SUFFIXES) or [self.layout]

    @property
    def processed_file_names(self) -> list[str]:
        r"""A file for each size."""
        return [f'{self.size_name}.pt']

    @property
    def size_name(self) -> str:
        r"""The size of the images as part of a file name."""
        return 'original' if self.image_size is None else '{}x{}'.format(*self.image_size)

    @property
    def required_files(self) -> str:
        r"""Image files or archives."""
        return f'images such as {self.layout}, or zip archives of them,'

    def read(self) -> Iterator[Data]:
        r"""Yields the images, sorted by name."""
        skipped = SkippedSamples(self.raw_dir, 'images')
        total = 0
        first: tuple[str, tuple[int, ...]] | None = None
        with find_files(self.raw_dir, IMAGE_SUFFIXES, self.num_folders) as files:
            for name, labels in self.label_files(files).items():
                if labels is None:
                    continue
                total += 1
                if isinstance(labels, str):
                    skipped.add(labels, name)
                    continue
                file = files[name]
                try:
                    image = read_gray_image(file.path, file.read())
                except MalformedFileError as error:
                    skipped.add(error.reason, name)
                    continue
                if self.image_size is not None:
                    image = resize_image(image, self.image_size)
                first = first or (file.path, image.shape)
                if image.shape != first[1]:
                    raise ValueError(
                        f'{file.path}: size: expected {first[1][0]} x {first[1][1]} as in '
                        f'{first[0]}, found {image.shape[0]} x {image.shape[1]}; pass '
                        f'size=(height, width) to resize all images'
                    )
                yield face_sample(image, **labels)
        skipped.report(total)


def face_sample(image: np.ndarray, **labels: int) -> Data:
    r"""Makes a sample from an image :math:`(H, W)` of bytes and its labels."""
    fields = {name: torch.tensor([value]) for name, value in labels.items()}
    return Data(image=torch.from_numpy(np.ascontiguousarray(image)).unsqueeze(0), **fields)
