"""The base of the sets of faces with a file for each image."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch_geometric.data import Data

from graphmotion.checks import as_list, check_int
from graphmotion.datasets.face_dataset import FaceDataset
from graphmotion.datasets.raw_files import raw_entries
from graphmotion.io import MalformedFileError, SkippedSamples
from graphmotion.io.files import FoundFile, find_files
from graphmotion.io.images import IMAGE_SUFFIXES, read_gray_image, resize_image

Labels = dict[str, int] | str | None

#: What folders of parts are called, in lower case: of training, validation and test.
PART_FOLDERS = {
    **dict.fromkeys(('train', 'training'), 0),
    **dict.fromkeys(('val', 'valid', 'validation', 'publictest'), 1),
    **dict.fromkeys(('test', 'testing', 'privatetest'), 2),
}


class FaceFiles(FaceDataset):
    r"""A set with an image file for each face, whose name or folders tell what it shows.

    Images (:func:`~graphmotion.io.read_gray_image`) are found in :obj:`raw/`, in any folder below
    it and in any zip archive there, and are sorted by name. Those that cannot be used are left out
    with one warning that counts them.

    A subclass sets :obj:`layout`, :obj:`source` and :obj:`num_folders` and gives
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
        root (str or Path, optional): Where :obj:`raw/` is found and :obj:`processed/` is written.
            (default: :obj:`None`)
        size (int or tuple, optional): Height and width to which images are resized, one number for
            both, after they were cut about their middle to its proportions. By default they stay as
            they are, and have to be of one size. (default: :obj:`None`)
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
        ValueError: If :obj:`size` is not positive, images differ in size and it is not given, an
            archive is damaged or no image can be used.
    """

    #: An example of a file's name, and who gives the set out.
    layout: str
    source: str = 'its authors'
    #: How many of the folders above a file are part of its name; :obj:`None` for all.
    num_folders: int | None = 0

    def __init__(
        self,
        root: str | Path | None = None,
        size: int | Sequence[int] | None = None,
        transform: Callable | None = None,
        pre_transform: Callable | None = None,
        pre_filter: Callable | None = None,
        force_reload: bool = False,
    ) -> None:
        self.image_size = None if size is None else check_size(size)
        super().__init__(root, transform, pre_transform, pre_filter, force_reload)

    def find_labels(self, name: str) -> Labels:
        r"""The fields of an image, from its name with :obj:`num_folders` folders, such as
        :obj:`"happy/1.png"`; or, in words, why it is left out; or nothing, if it does not belong to
        what was asked for.
        """
        raise NotImplementedError

    def label_files(self, files: Mapping[str, FoundFile]) -> dict[str, Labels]:
        r"""What :meth:`find_labels` finds for each file, by name."""
        return {name: self.find_labels(name) for name in files}

    @property
    def raw_file_names(self) -> list[str]:
        r"""The archives and folders in :obj:`raw/`, or one of its files."""
        return raw_entries(self.raw_dir, IMAGE_SUFFIXES) or [self.layout]

    @property
    def processed_file_names(self) -> list[str]:
        r"""One file for each size."""
        return [f'{self.size_name}.pt']

    @property
    def size_name(self) -> str:
        r"""The size of the images as part of a file's name."""
        return 'as_is' if self.image_size is None else '{}x{}'.format(*self.image_size)

    def download(self) -> None:
        r"""The terms of such sets ask for a request, so this only says where.

        Raises:
            FileNotFoundError: Always.
        """
        raise FileNotFoundError(
            f'{type(self).__name__} needs images such as {self.layout}, or zip archives of them, '
            f'in {self.raw_dir}: see {self.source}'
        )

    def read(self) -> Iterator[Data]:
        r"""The images, sorted by name."""
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
                        f'{file.path}: size: expected {first[1][0]} x {first[1][1]} as of '
                        f'{first[0]}, found {image.shape[0]} x {image.shape[1]}; pass '
                        f'size=(height, width) to resize all images'
                    )
                yield face_sample(image, **labels)
        skipped.report(total)


def check_size(size: int | Sequence[int]) -> tuple[int, int]:
    r"""Height and width from one number or two."""
    sides = [check_int('size', n, 1) for n in as_list(size, 2)]
    if len(sides) != 2:
        raise ValueError(f'size is a number or (height, width), got {size!r}')
    return sides[0], sides[1]


def face_sample(image: np.ndarray, **labels: int) -> Data:
    r"""A sample from an image :math:`(H, W)` of bytes and its labels."""
    fields = {name: torch.tensor([value]) for name, value in labels.items()}
    return Data(image=torch.from_numpy(np.ascontiguousarray(image)).unsqueeze(0), **fields)
