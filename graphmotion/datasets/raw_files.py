"""Raw files of datasets that the user provides."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

from torch_geometric.data import Data

from graphmotion.data.graph_dataset import GraphDataset
from graphmotion.data.read_tasks import ReadTask
from graphmotion.io import MalformedFileError, SkippedSamples, find_files, list_files
from graphmotion.io.files import FoundFile

#: The labels of a file, the reason to skip it, or nothing if it is not part of the dataset.
Labels = dict[str, Any] | str | None


class ManualDownload(GraphDataset):
    r"""Base class of datasets whose raw files cannot be downloaded automatically.

    A subclass sets :obj:`source`, and :obj:`required_files` if files other than
    :obj:`raw_file_names` are accepted.
    """

    #: Where to obtain the dataset.
    source: str = ''

    @property
    def required_files(self) -> str:
        r"""A description of the raw files, for the error message."""
        return ', '.join(self.raw_file_names)

    def download(self) -> None:
        r"""Raises an error that names the missing files and where to obtain them.

        Raises:
            FileNotFoundError: Always.
        """
        source = f': see {self.source}' if self.source else ''
        raise FileNotFoundError(
            f'{type(self).__name__} needs {self.required_files} in {self.raw_dir}{source}'
        )


class LabelledFiles(ManualDownload):
    r"""Base class of datasets whose files are searched for in :obj:`raw/`, its subfolders and the
    zip archives in them, and whose paths encode the labels.

    A subclass sets :obj:`suffixes` and :obj:`layout`, and implements :meth:`label_files`,
    :meth:`find_labels` and :meth:`read_sample`.
    """

    #: Endings of the files in lower case.
    suffixes: str | Sequence[str]
    #: Plural noun for the samples in warnings.
    noun: str = 'samples'
    #: Whether labels identify a sample, so that other samples with the same labels are skipped.
    unique_labels: bool = False
    #: Number of parent folders that are part of a file name; :obj:`None` for all.
    num_folders: int | None = None
    #: An example of a path.
    layout: str
    #: Pattern of the paths; its groups are the arguments of :meth:`find_labels`.
    pattern: re.Pattern

    def find_labels(self, *args: Any, **groups: Any) -> Labels:
        r"""Returns the labels of a sample, given the parts of its path; or the reason to skip it,
        for the warning; or :obj:`None` if it is not part of the dataset.
        """
        raise NotImplementedError

    def label_files(self, files: Mapping[str, FoundFile]) -> dict[str, Labels]:
        r"""Returns the labels of each sample by name, given the files."""
        raise NotImplementedError

    def label_folder(self, name: str, folder: str) -> Labels:
        r"""Returns the labels of the sample :obj:`name`, given the path of its folder."""
        match = self.pattern.search(folder)
        if match is None:
            return f'not in folders named like {self.layout}'
        return self.call_find_labels(name, **match.groupdict())

    def call_find_labels(self, name: str, *args: Any, **groups: Any) -> Labels:
        r"""Calls :meth:`find_labels` for the file :obj:`name`.

        Raises:
            ValueError: If it fails or returns anything other than numbers, a reason or
                :obj:`None`.
        """
        where = f'{type(self).__name__}.find_labels of {os.path.join(self.raw_dir, name)}'
        expected = 'a dict of numbers, the reason to skip the file as text, or None'
        try:
            labels = self.find_labels(*args, **groups)
        except Exception as error:
            raise ValueError(
                f'{where} must return {expected}, got {type(error).__name__}: {error}'
            ) from error
        invalid = not isinstance(labels, dict | str | None) or (
            isinstance(labels, dict)
            and any(value is None or isinstance(value, str) for value in labels.values())
        )
        if invalid:
            raise ValueError(f'{where} must return {expected}, got {labels!r}')
        return labels

    def warn_of_copies(self, files: Mapping[str, FoundFile]) -> None:
        r"""Warns if files that are read have the same name and different content."""
        copies = [(file.path, file.other) for file in files.values() if file.other]
        if copies:
            warnings.warn(
                f'{self.raw_dir}: {len(copies)} names belong to several files with different '
                f'content, such as {copies[0][0]} and {copies[0][1]}; only the first is read',
                stacklevel=2,
            )

    def group_files(self, files: Mapping[str, FoundFile]) -> dict[str, dict[str, FoundFile]]:
        r"""Returns the files of each sample by name; by default one file each."""
        return {name: {name: file} for name, file in files.items()}

    def read(self) -> Iterator[Data]:
        r"""Yields the samples, sorted by name."""
        with find_files(self.raw_dir, self.suffixes, self.num_folders) as files:
            self.warn_of_copies(files)
            yield from self.read_labelled(self.label_files(files), self.group_files(files))

    def read_labelled(
        self, labels: Mapping[str, Labels], files: Mapping[str, Mapping[str, FoundFile]]
    ) -> Iterator[Data]:
        r"""Yields the samples of files with labels, and warns of skipped ones once, with their
        number.

        Args:
            labels (dict): The labels of each sample by name, the reason to skip it, or :obj:`None`
                if it is not part of the dataset.
            files (dict): The files of each sample.

        Raises:
            ValueError: If there are no files or all of them were skipped.
        """
        tasks: dict[str, ReadTask] = {}
        owners: dict[Any, str] = {}
        for name, found in labels.items():
            if isinstance(found, dict):
                tasks[name] = ReadTask(name, files[name], found)
                owners.setdefault(self._identity(tasks[name]), name)
        skipped = SkippedSamples(self.raw_dir, self.noun)
        total = 0
        done: set[Any] = set()
        # A sample with the labels of an earlier one is read only if that one is invalid.
        with closing(self.read_tasks(tasks[name] for name in owners.values())) as results:
            for name, found in labels.items():
                if found is None:
                    continue
                total += 1
                sample: Data | str
                if isinstance(found, str):
                    sample = found
                elif (identity := self._identity(tasks[name])) in done:
                    sample = 'with the labels of another sequence'
                else:
                    task = tasks[name]
                    result = next(results) if owners[identity] == name else self.read_task(task)
                    sample = self.accept(task, result)
                if isinstance(sample, str):
                    skipped.add(sample, name)
                else:
                    done.add(identity)
                    yield sample
        skipped.report(total)

    def _identity(self, task: ReadTask) -> Any:
        return tuple(task.labels.items()) if self.unique_labels else task.name

    def read_task(self, task: ReadTask) -> Any:
        r"""Returns the sample, or the reason to skip it."""
        try:
            return self.read_sample(task)
        except MalformedFileError as error:
            return error.reason

    def read_sample(self, task: ReadTask) -> Data | str:
        r"""Reads a sample, independently of others, or returns the reason to skip it.

        Raises:
            ValueError: If a file is malformed, so that the sample is skipped.
        """
        raise NotImplementedError

    def accept(self, task: ReadTask, result: Any) -> Data | str:
        r"""Returns the sample, or the reason to skip it, given the result of :meth:`read_task`.

        It is called in the order of the samples, so that it can compare a sample with earlier ones.
        """
        return result

    @property
    def raw_file_names(self) -> list[str]:
        r"""The archives and folders in :obj:`raw/`, or the files, or :obj:`layout`."""
        return raw_entries(self.raw_dir, self.suffixes) or [self.layout]

    def source_files(self) -> list[str]:
        r"""Returns the paths of all files in :obj:`raw/` and its subfolders."""
        return list(list_files(self.raw_dir))

    def source_labels(self) -> Any:
        r"""Returns the labels of all files."""
        with find_files(self.raw_dir, self.suffixes, self.num_folders) as files:
            return list(self.label_files(files).items())


def raw_entries(folder: str, suffixes: str | Sequence[str]) -> list[str]:
    r"""Returns the zip archives and folders in a folder or, if there are none, the files with one
    of the suffixes in upper or lower case.
    """
    suffixes = (suffixes,) if isinstance(suffixes, str) else tuple(suffixes)
    archives, files = [], []
    if os.path.isdir(folder):
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith('.'):
                    continue
                if entry.name.lower().endswith('.zip') or entry.is_dir():
                    archives.append(entry.name)
                elif entry.name.lower().endswith(suffixes):
                    files.append(entry.name)
    return sorted(archives) or sorted(files)
