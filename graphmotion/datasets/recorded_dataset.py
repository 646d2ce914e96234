"""The base class of datasets with one file per recording."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import numpy as np
from torch_geometric.data import Data

from graphmotion.data import from_array
from graphmotion.data.read_tasks import ReadTask
from graphmotion.datasets.motion_dataset import MotionDataset
from graphmotion.datasets.raw_files import LabelledFiles, Labels, raw_entries
from graphmotion.io.files import FoundFile


class RecordedDataset(LabelledFiles, MotionDataset):
    r"""The base class of published datasets with one file per recording, whose name encodes the
    labels.

    Files are searched for in :obj:`raw/` and its subfolders, and inside the zip archives in them,
    which need not be unpacked. Recordings are sorted by name; invalid ones are skipped with a
    warning.

    A subclass sets :obj:`suffixes`, :obj:`pattern`, :obj:`name_format`, :obj:`archive` and
    :obj:`source`, and implements :meth:`read_recording` and :meth:`find_labels`.

    Raises:
        FileNotFoundError: If :obj:`raw/` contains neither a file nor an archive.
        ValueError: If an archive is damaged or no recording is valid.
    """

    num_folders = 0
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
        num_workers: int = 0,
    ) -> None:
        super().__init__(root, transform, pre_transform, pre_filter, force_reload, num_workers)

    def read_recording(self, path: str, content: bytes) -> tuple[np.ndarray, np.ndarray | None]:
        r"""Returns the positions and, if available, the scores of a recording."""
        raise NotImplementedError

    def label_files(self, files: Mapping[str, FoundFile]) -> dict[str, Labels]:
        r"""Returns the labels of each recording, from the numbers in its name."""
        out: dict[str, Labels] = {}
        excluded = self.excluded_names()
        for name in files:
            match = self.pattern.fullmatch(name)
            out[name] = f'not named like {self.name_format}'
            if match:
                numbers = {key: int(value) for key, value in match.groupdict().items()}
                out[name] = self.call_find_labels(name, numbers)
            if isinstance(out[name], dict) and name in excluded:
                out[name] = 'in the list of missing skeletons'
        return out

    def action(self, y: int) -> int:
        r"""Returns the action number of a class in the file names."""
        return y + 1

    @property
    def raw_file_names(self) -> list[str]:
        r"""The archives and folders in :obj:`raw/`, or the files, or :obj:`archive`."""
        return raw_entries(self.raw_dir, self.suffixes) or [self.archive]

    @property
    def required_files(self) -> str:
        r"""The official archive or its files."""
        return f'{self.archive}, or the {self.suffixes} files in it,'

    def read_sample(self, task: ReadTask) -> Data:
        r"""Returns the sample of a recording."""
        pos, score = self.read_recording(task.file.path, task.file.read())
        return from_array(pos, self.skeleton, score, 'MTVC', None, self.frame_rate, **task.labels)

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
