"""The base class of datasets with one file per recording."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from torch_geometric.data import Data

from graphmotion.data import from_array
from graphmotion.datasets.motion_dataset import MotionDataset
from graphmotion.datasets.raw_files import ManualDownload, raw_entries
from graphmotion.io import MalformedFileError, SkippedSamples, read_files


class RecordedDataset(ManualDownload, MotionDataset):
    r"""The base class of published datasets with one file per recording, whose name encodes the
    labels.

    Files are searched for in :obj:`raw/` and its subfolders, and inside the zip archives in them,
    which need not be unpacked. Recordings are sorted by name; invalid ones are skipped with a
    warning.

    A subclass sets :obj:`suffix`, :obj:`pattern`, :obj:`name_format`, :obj:`archive` and
    :obj:`source`, and implements :meth:`read_recording` and :meth:`find_labels`.

    Raises:
        FileNotFoundError: If :obj:`raw/` contains neither a file nor an archive.
        ValueError: If an archive is damaged or no recording is valid.
    """

    #: Suffix of the file names.
    suffix: str
    #: Pattern of the file names without their suffix, with named groups of digits.
    pattern: re.Pattern
    #: Format of the file names without their suffix, given the labels and the action number.
    name_format: str
    #: Name of the official archive.
    archive: str
    #: Frames per second, if all recordings have the same.
    frame_rate: float | None = None

    def __init__(
        self,
        root: str | Path,
        transform: Callable | None = None,
        pre_transform: Callable | None = None,
        pre_filter: Callable | None = None,
        force_reload: bool = False,
    ) -> None:
        super().__init__(root, transform, pre_transform, pre_filter, force_reload)

    def read_recording(self, path: str, content: bytes) -> tuple[np.ndarray, np.ndarray | None]:
        r"""Returns the positions and, if available, the scores of a recording."""
        raise NotImplementedError

    def find_labels(self, numbers: dict[str, int]) -> dict[str, Any] | str | None:
        r"""Returns the labels of a recording, given the numbers in its name; or the reason to skip
        it, for the warning; or :obj:`None` if it is not part of the dataset.
        """
        raise NotImplementedError

    def action(self, y: int) -> int:
        r"""Returns the action number of a class in the file names."""
        return y + 1

    @property
    def raw_file_names(self) -> list[str]:
        r"""The archives and folders in :obj:`raw/`, or one of its files."""
        return raw_entries(self.raw_dir, self.suffix) or [self.archive]

    @property
    def required_files(self) -> str:
        r"""The official archive or its files."""
        return f'{self.archive}, or the {self.suffix} files in it,'

    def read(self) -> Iterator[Data]:
        r"""Yields the recordings, sorted by name."""
        skipped = SkippedSamples(self.raw_dir)
        total = 0
        excluded = self.excluded_names()
        for path, name, content in read_files(self.raw_dir, self.suffix):
            match = self.pattern.fullmatch(name)
            labels: dict[str, Any] | str | None = f'not named like {self.name_format}'
            if match:
                labels = self.find_labels({k: int(v) for k, v in match.groupdict().items()})
            if labels is None:
                continue
            total += 1
            if isinstance(labels, str):
                skipped.add(labels, name)
            elif name in excluded:
                skipped.add('in the list of missing skeletons', name)
            else:
                try:
                    pos, score = self.read_recording(path, content)
                except MalformedFileError as error:
                    skipped.add(error.reason, name)
                else:
                    yield from_array(
                        pos, self.skeleton, score, 'MTVC', None, self.frame_rate, **labels
                    )
        skipped.report(total)

    def excluded_names(self) -> Collection[str]:
        r"""Returns the names of recordings that are skipped because their skeletons are missing."""
        return ()

    def names(self) -> list[str]:
        r"""Returns the name of the file of each sample, without its suffix."""
        fields = re.findall(r'{(\w+)', self.name_format)
        numbers = {field: self.labels(field).tolist() for field in fields if field != 'action'}
        numbers['action'] = [self.action(y) for y in self.labels('y').tolist()]
        return [
            self.name_format.format(**dict(zip(fields, values)))
            for values in zip(*(numbers[field] for field in fields))
        ]
