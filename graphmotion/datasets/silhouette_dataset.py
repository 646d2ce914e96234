"""The base class of silhouette datasets."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data

from graphmotion.checks import check_int
from graphmotion.data.read_tasks import ReadTask
from graphmotion.datasets.raw_files import LabelledFiles, Labels
from graphmotion.io import MalformedFileError, SkippedSamples
from graphmotion.io.files import FoundFile
from graphmotion.io.frame_numbers import numbers_in_name
from graphmotion.io.images import IMAGE_SUFFIXES, read_mask
from graphmotion.io.silhouettes import align_silhouettes, read_opengait_silhouettes

# The frames, and the function that returns the name of a frame.
_Frames = tuple[np.ndarray | Sequence[np.ndarray], Callable[[int], str]]
# The reason to skip a frame, and its name.
_Skipped = tuple[str, str]
# Prefixes of pickles that OpenGait merges with those of silhouettes.
_OTHER_MODALITIES = ('smpls-', 'pars-')


class SilhouetteDataset(LabelledFiles):
    r"""The base class of datasets of silhouette sequences.

    :obj:`dataset[i]` is a :class:`~torch_geometric.data.Data` with the fields :obj:`silhouettes`
    :math:`(1, T, H, W)` of bytes 0 and 1, :obj:`num_frames`, and labels. Its nodes are the
    horizontal strips into which a model divides the silhouettes.

    Sequences are searched for in :obj:`raw/` and its subfolders, and inside the zip archives in
    them: folders with one image per frame, or one pickle per sequence (:obj:`.pkl`)
    in the format of `OpenGait <https://github.com/ShiqiYu/OpenGait>`_. If a folder contains both,
    the images are read. Silhouettes are aligned by :func:`~graphmotion.io.align_silhouettes`, which
    does not change aligned ones. Images are read by :func:`~graphmotion.io.read_mask` and sorted by
    the numbers in their names, with a warning if several numbers differ.

    Frames are skipped with a warning if their file is damaged, they show no body, or their file
    name has no number while others have one, or the numbers of another frame. Sequences are skipped
    with a warning if they have fewer than :obj:`min_frames` frames or the same labels as an earlier
    sequence.

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
        num_workers (int, optional): Number of processes that read the raw files; :obj:`0` reads
            them in this process. (default: :obj:`0`)

    Raises:
        FileNotFoundError: If the raw files are missing.
        ValueError: If an option is not positive, an archive is damaged or no sequence is valid.
    """

    frame_fields = ('silhouettes',)
    suffixes = (*IMAGE_SUFFIXES, '.pkl')
    num_folders = None
    noun = 'sequences'
    unique_labels = True

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
        num_workers: int = 0,
    ) -> None:
        self.num_strips = check_int('num_strips', num_strips, 1)
        if not isinstance(size, tuple | list) or len(size) != 2:
            raise ValueError(f'size must be (height, width), got {size!r}')
        self.size = check_int('height', size[0], 1), check_int('width', size[1], 1)
        self.min_frames = check_int('min_frames', min_frames, 1)
        self.invert = invert
        super().__init__(root, transform, pre_transform, pre_filter, force_reload, num_workers)

    def label_files(self, files: Mapping[str, FoundFile]) -> dict[str, Labels]:
        r"""Returns the labels of each sequence, which identify it."""
        return {
            name: self.label_folder(name, folder)
            for name, (folder, _) in _find_sequences(files).items()
        }

    def count_nodes(self, samples: Tensor) -> Tensor:
        r"""Returns the number of strips for each sample."""
        return torch.full_like(samples, self.num_strips)

    def check(self, data: Data, where: str) -> None:
        r"""Checks that a sample has silhouettes."""
        if data.get('silhouettes') is None:
            raise ValueError(f"{where} must have a field 'silhouettes' [1, num_frames, H, W]")

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

    def group_files(self, files: Mapping[str, FoundFile]) -> dict[str, dict[str, FoundFile]]:
        r"""Returns the images or the pickle of each sequence."""
        return {
            name: {file: files[file] for file in names}
            for name, (_, names) in _find_sequences(files).items()
        }

    def read_labelled(
        self, labels: Mapping[str, Labels], files: Mapping[str, Mapping[str, FoundFile]]
    ) -> Iterator[Data]:
        r"""Yields the sequences sorted by folder, images before pickles."""
        self._skipped_frames = SkippedSamples(self.raw_dir, 'frames')
        self._total_frames = 0
        yield from super().read_labelled(labels, files)
        self._warn_of_numbers(files)
        if self._total_frames:
            self._skipped_frames.report(self._total_frames)

    def read_task(self, task: ReadTask) -> tuple[Data | str, int, list[_Skipped]]:
        r"""Returns the sample or the reason to skip it, the number of frames, and the reason and
        name of each skipped frame.
        """
        skipped: list[_Skipped] = []
        total = 0
        try:
            if task.file.path.lower().endswith('.pkl'):
                frames, names = _read_pickle(task.name, task.file)
                total = len(frames)
            else:
                total = len(task.files)
                frames, names = _read_images(task.files, skipped)
            images, kept = align_silhouettes(frames, self.size, invert=self.invert)
        except MalformedFileError as error:
            return error.reason, total, skipped
        skipped += [('without a body', names(number)) for number in (~kept).nonzero()[0].tolist()]
        if len(images) < self.min_frames:
            return f'with fewer than {self.min_frames} frames with a body', total, skipped
        return silhouette_sample(images, **task.labels), total, skipped

    def accept(self, task: ReadTask, result: Any) -> Data | str:
        r"""Returns the sample or the reason to skip it, and counts its frames."""
        sample, total, skipped = result
        self._total_frames += total
        for reason, name in skipped:
            self._skipped_frames.add(reason, name)
        return sample

    def _warn_of_numbers(self, sequences: Mapping[str, Iterable[str]]) -> None:
        unclear = [name for name, files in sequences.items() if _several_numbers_differ(files)]
        if unclear:
            warnings.warn(
                f'{self.raw_dir}: several numbers differ in the names of the frames of '
                f'{len(unclear)} sequences ({", ".join(unclear[:3])}); frames are sorted by all '
                f'numbers from left to right',
                stacklevel=2,
            )


def silhouette_sample(images: np.ndarray, **labels: int) -> Data:
    r"""Makes a sample from silhouettes :math:`(T, H, W)` of bytes 0 and 1, and labels."""
    return Data(
        silhouettes=torch.from_numpy(images).unsqueeze(0),
        num_frames=torch.tensor([len(images)]),
        **{name: torch.tensor([value]) for name, value in labels.items()},
    )


def _find_sequences(files: Mapping[str, FoundFile]) -> dict[str, tuple[str, list[str]]]:
    """Returns the folder and the files of each sequence by name, folders of images first."""
    images: dict[str, tuple[str, list[str]]] = {}
    pickles: dict[str, tuple[str, list[str]]] = {}
    for file in files:
        folder, _, base = file.rpartition('/')
        stem, suffix = os.path.splitext(file)
        if suffix.lower() != '.pkl':
            images.setdefault(folder or '.', (folder, []))[1].append(file)
        elif not base.startswith(_OTHER_MODALITIES):
            pickles[stem] = folder, [file]
    pickles = {
        name: sequence for name, sequence in pickles.items() if (sequence[0] or '.') not in images
    }
    return dict(sorted(images.items())) | pickles


def _read_images(files: Mapping[str, FoundFile], skipped: list[_Skipped]) -> _Frames:
    """Reads images, sorted by the numbers in their names, or by name if none has a number, and
    appends those that are skipped to a list.

    Raises the error of the last image if none can be read.
    """
    frames, names = [], []
    failure: MalformedFileError | None = None
    numbers = {name: numbers_in_name(name) for name in files}
    done: set[tuple[int, ...]] = set()
    for name in sorted(files, key=lambda name: (numbers[name], name)):
        number = numbers[name]
        if not number and any(numbers.values()):
            skipped.append(('without a frame number', name))
        elif number and number in done:
            skipped.append(('with the number of another frame', name))
        else:
            done.add(number)
            try:
                frames.append(read_mask(files[name].path, files[name].read()))
            except MalformedFileError as error:
                skipped.append((error.reason, name))
                failure = error
            else:
                names.append(name)
    if failure and not frames:
        raise failure
    return frames, names.__getitem__


def _several_numbers_differ(files: Iterable[str]) -> bool:
    """Returns whether the numbers of frames differ in more than one place."""
    numbers = {numbers_in_name(name) for name in files} - {()}
    places = [set(values) for values in zip_longest(*numbers)]
    return sum(len(values) > 1 for values in places) > 1


def _read_pickle(name: str, file: FoundFile) -> _Frames:
    frames = read_opengait_silhouettes(file.path, file.read())
    return frames, lambda number: f'{name} {number}'
