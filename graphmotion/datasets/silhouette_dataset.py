"""The base class of silhouette datasets."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data

from graphmotion.checks import check_int
from graphmotion.datasets.raw_files import ManualDownload, raw_entries
from graphmotion.io import MalformedFileError, SkippedSamples, read_files
from graphmotion.io.frame_numbers import natural_order
from graphmotion.io.images import IMAGE_SUFFIXES, read_mask_image
from graphmotion.io.silhouettes import align_silhouettes, read_opengait_silhouettes

_File = tuple[str, str, bytes]
# The frames, and the function that returns the name of a frame.
_Frames = tuple[np.ndarray | Sequence[np.ndarray], Callable[[int], str]]
# Prefixes of pickles that OpenGait merges with those of silhouettes.
_OTHER_MODALITIES = ('smpls-', 'pars-')
_Reader = Callable[[SkippedSamples], _Frames]


class SilhouetteDataset(ManualDownload):
    r"""The base class of datasets of silhouette sequences.

    :obj:`dataset[i]` is a :class:`~torch_geometric.data.Data` with the fields :obj:`silhouettes`
    :math:`(1, T, H, W)` of bytes 0 and 1, :obj:`num_frames`, and labels. Its nodes are the
    horizontal strips into which a model divides the silhouettes.

    Sequences are searched for in :obj:`raw/` and its subfolders, and inside the zip archives in
    them: folders with one image per frame, or one pickle per sequence (:obj:`.pkl`)
    in the format of `OpenGait <https://github.com/ShiqiYu/OpenGait>`_. If a folder contains both,
    the images are read. Silhouettes are aligned by :func:`~graphmotion.io.align_silhouettes`, which
    does not change aligned ones.

    Frames are skipped with a warning if their file is damaged, they show no body, or their file
    name has no number while others have one. Sequences are skipped with a warning if they have
    fewer than :obj:`min_frames` frames or the same labels as an earlier sequence.

    A subclass sets :obj:`pattern`, :obj:`layout` and :obj:`source`, and implements
    :meth:`find_labels`:

    .. code-block:: python

        class Corridor(SilhouetteDataset):
            # raw/anna/walk-1/0001.png, raw/anna/walk-1/0002.png, ...
            class_names = ('anna', 'ben')
            pattern = re.compile(r'(?P<person>\w+)/walk-(?P<take>\d+)')
            layout = 'anna/walk-1'

            def find_labels(self, person, take):
                subject = self.class_names.index(person)
                return {'y': subject, 'subject': subject, 'take': int(take)}

    Args:
        root (str or Path): The folder that contains :obj:`raw/` and :obj:`processed/`.
        num_strips (int, optional): Number of nodes of a sample. (default: :obj:`16`)
        size (tuple, optional): Height and width of the silhouettes. (default: :obj:`(64, 44)`)
        min_frames (int, optional): Minimum number of frames of a sequence. (default: :obj:`1`)
        invert (bool, optional): If :obj:`True`, bodies are black on white in the raw files.
            (default: :obj:`False`)
        transform (callable, optional): Applied to each sample on access. (default: :obj:`None`)
        pre_transform (callable, optional): Applied to each sample once, before it is stored.
            (default: :obj:`None`)
        pre_filter (callable, optional): Samples for which it returns :obj:`False` are not stored.
            (default: :obj:`None`)
        force_reload (bool, optional): If :obj:`True`, processes the raw files again.
            (default: :obj:`False`)

    Raises:
        FileNotFoundError: If the raw files are missing.
        ValueError: If an option is not positive, an archive is damaged or no sequence is valid.
    """

    frame_fields = ('silhouettes',)
    #: Pattern that is searched for in the path of the folder of a sequence; its groups are the
    #: arguments of :meth:`find_labels`.
    pattern: re.Pattern
    #: An example of the path of a folder.
    layout: str

    def __init__(
        self,
        root: str | Path,
        num_strips: int = 16,
        size: Sequence[int] = (64, 44),
        min_frames: int = 1,
        invert: bool = False,
        transform: Callable | None = None,
        pre_transform: Callable | None = None,
        pre_filter: Callable | None = None,
        force_reload: bool = False,
    ) -> None:
        self.num_strips = check_int('num_strips', num_strips, 1)
        if not isinstance(size, tuple | list) or len(size) != 2:
            raise ValueError(f'size must be (height, width), got {size!r}')
        self.size = check_int('height', size[0], 1), check_int('width', size[1], 1)
        self.min_frames = check_int('min_frames', min_frames, 1)
        self.invert = invert
        super().__init__(root, transform, pre_transform, pre_filter, force_reload)

    def find_labels(self, **groups: str) -> dict[str, int] | str | None:
        r"""Returns the labels of a sequence, which identify it, given the groups of
        :obj:`pattern`; or the reason to skip it, for the warning; or :obj:`None` if it is not part
        of the dataset.
        """
        raise NotImplementedError

    def count_nodes(self, samples: Tensor) -> Tensor:
        r"""Returns the number of strips for each sample."""
        return torch.full_like(samples, self.num_strips)

    def check(self, data: Data, where: str) -> None:
        r"""Checks that a sample has silhouettes."""
        if data.get('silhouettes') is None:
            raise ValueError(f"{where} must have a field 'silhouettes' [1, num_frames, H, W]")

    @property
    def raw_file_names(self) -> list[str]:
        r"""The archives and folders in :obj:`raw/`."""
        return raw_entries(self.raw_dir, (*IMAGE_SUFFIXES, '.pkl')) or [self.layout]

    @property
    def processed_file_names(self) -> list[str]:
        r"""A file for each combination of options."""
        inverted = '_inverted' if self.invert else ''
        return [f'{self.size[0]}x{self.size[1]}_min_{self.min_frames}_frames{inverted}.pt']

    @property
    def required_files(self) -> str:
        r"""Images or pickles in folders."""
        return (
            f"folders of images, such as {self.layout}/*.png, or of OpenGait's pickles, or zip "
            f'archives of either,'
        )

    def read(self) -> Iterator[Data]:
        r"""Yields the sequences sorted by folder, images before pickles."""
        skipped = SkippedSamples(self.raw_dir, 'sequences')
        skipped_frames = SkippedSamples(self.raw_dir, 'frames')
        done: dict[tuple[tuple[str, int], ...], str] = {}
        total = total_frames = 0
        for folder, name, read in self._sequences():
            match = self.pattern.search(folder)
            labels: dict[str, int] | str | None = f'not in folders named like {self.layout}'
            if match:
                labels = self._find_labels(folder, match.groupdict())
            if labels is None:
                continue
            if isinstance(labels, str):
                total += 1
                skipped.add(labels, folder)
                continue
            earlier = done.setdefault(tuple(labels.items()), name)
            if earlier == folder != name:  # a pickle in a folder of images
                continue
            total += 1
            if earlier != name:
                skipped.add('with the labels of another sequence', name)
                continue
            before = len(skipped_frames)
            try:
                frames, names = read(skipped_frames)
            except MalformedFileError as error:
                skipped.add(error.reason, folder)
                continue
            total_frames += len(frames) + len(skipped_frames) - before
            images, kept = align_silhouettes(frames, self.size, invert=self.invert)
            for number in (~kept).nonzero()[0].tolist():
                skipped_frames.add('without a body', names(number))
            if len(images) < self.min_frames:
                skipped.add(f'with fewer than {self.min_frames} frames with a body', folder)
            else:
                yield silhouette_sample(images, **labels)
        skipped.report(total)
        if total_frames:
            skipped_frames.report(total_frames)

    def _find_labels(self, folder: str, groups: dict[str, str]) -> dict[str, int] | str | None:
        try:
            return self.find_labels(**groups)
        except Exception as error:
            error.add_note(f'{self.raw_dir}: raised by find_labels of the folder {folder}')
            raise

    def _sequences(self) -> Iterator[tuple[str, str, _Reader]]:
        """Yields the folder of each sequence, its name, and the function that reads it."""
        images = read_files(self.raw_dir, IMAGE_SUFFIXES, num_folders=None)
        for folder, files in groupby(images, key=lambda file: file[1].rpartition('/')[0]):
            yield folder, folder, partial(_read_images, list(files))
        for path, name, content in read_files(self.raw_dir, '.pkl', num_folders=None):
            if name.rpartition('/')[2].startswith(_OTHER_MODALITIES):
                continue
            yield name.rpartition('/')[0], name, partial(_read_pickle, path, name, content)


def silhouette_sample(images: np.ndarray, **labels: int) -> Data:
    r"""Makes a sample from silhouettes :math:`(T, H, W)` of bytes 0 and 1, and labels."""
    return Data(
        silhouettes=torch.from_numpy(images).unsqueeze(0),
        num_frames=torch.tensor([len(images)]),
        **{name: torch.tensor([value]) for name, value in labels.items()},
    )


def _read_images(files: list[_File], skipped: SkippedSamples) -> _Frames:
    """Reads images, sorted by the numbers in their names, or by name if none has a number."""
    frames, names = [], []
    order = natural_order(name for _, name, _ in files)
    for path, name, content in sorted(files, key=lambda file: (order[file[1]], file[1])):
        if not order[name] and any(order.values()):
            skipped.add('without a frame number', name)
            continue
        try:
            frames.append(read_mask_image(path, content))
        except MalformedFileError as error:
            skipped.add(error.reason, name)
        else:
            names.append(name)
    return frames, names.__getitem__


def _read_pickle(path: str, name: str, content: bytes, skipped: SkippedSamples) -> _Frames:
    return read_opengait_silhouettes(path, content), lambda number: f'{name} {number}'
