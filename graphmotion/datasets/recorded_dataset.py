"""The base of the data sets that name each file for what is in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from torch_geometric.data import Data

from graphmotion.data import from_array
from graphmotion.datasets.motion_dataset import MotionDataset
from graphmotion.datasets.raw_files import raw_entries
from graphmotion.io import MalformedFileError, SkippedSamples, read_files


class RecordedDataset(MotionDataset):
    r"""A published set with a file for each recording, whose name tells action, subject and so on.

    The files are found in :obj:`raw/`, in any folder below it and in any zip archive there, such as
    the official one, which need not be unpacked. Recordings are sorted by name, and those that
    cannot be used are left out with one warning that counts them.

    A subclass sets :obj:`suffix`, :obj:`pattern`, :obj:`name_format`, :obj:`archive` and
    :obj:`source`, and gives :meth:`read_recording` and :meth:`find_labels`.

    Raises:
        FileNotFoundError: If there is neither a file nor an archive in :obj:`raw/`.
        ValueError: If an archive is damaged, or no recording can be used.
    """

    #: The end of the names of its files.
    suffix: str
    #: What a name looks like without that end; its groups are named numbers.
    pattern: re.Pattern
    #: A name, made from the fields of a sample and the number of its action.
    name_format: str
    #: The official archive, and where it is given out.
    archive: str
    source: str

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
        r"""Positions and scores in a file."""
        raise NotImplementedError

    def find_labels(self, numbers: dict[str, int]) -> dict[str, Any] | str | None:
        r"""The fields of a sample, from the numbers in its name; or, in words, why it is left out;
        or nothing, if it belongs to another set.
        """
        raise NotImplementedError

    def action(self, y: int) -> int:
        r"""The number that the files give to a class."""
        return y + 1

    @property
    def raw_file_names(self) -> list[str]:
        r"""The archives and folders in :obj:`raw/`, or one of its files."""
        return raw_entries(self.raw_dir, self.suffix) or [self.archive]

    def download(self) -> None:
        r"""Its terms ask for a request or a visit, so this only says where.

        Raises:
            FileNotFoundError: Always.
        """
        raise FileNotFoundError(
            f'{type(self).__name__} needs {self.archive}, or the {self.suffix} files in it, in '
            f'{self.raw_dir}: see {self.source}'
        )

    def read(self) -> Iterator[Data]:
        r"""The recordings, sorted by name."""
        skipped = SkippedSamples(self.raw_dir)
        total = 0
        left_out = self.left_out()
        for path, name, content in read_files(self.raw_dir, self.suffix):
            match = self.pattern.fullmatch(name)
            labels: dict[str, Any] | str | None = f'not named as {self.name_format}'
            if match:
                labels = self.find_labels({k: int(v) for k, v in match.groupdict().items()})
            if labels is None:
                continue
            total += 1
            if isinstance(labels, str):
                skipped.add(labels, name)
            elif name in left_out:
                skipped.add('in the list of missing skeletons', name)
            else:
                try:
                    pos, score = self.read_recording(path, content)
                except MalformedFileError as error:
                    skipped.add(error.reason, name)
                else:
                    yield from_array(pos, self.skeleton, score, **labels)
        skipped.report(total)

    def left_out(self) -> Collection[str]:
        r"""Names of recordings that are not to be used."""
        return ()

    def names(self) -> list[str]:
        r"""The official name of each sample: that of its file, without its end."""
        fields = re.findall(r'{(\w+)', self.name_format)
        numbers = {field: self.labels(field).tolist() for field in fields if field != 'action'}
        numbers['action'] = [self.action(y) for y in self.labels('y').tolist()]
        return [
            self.name_format.format(**dict(zip(fields, values)))
            for values in zip(*(numbers[field] for field in fields))
        ]
