"""Raw files of datasets that the user provides."""

from __future__ import annotations

import os
from collections.abc import Sequence

from graphmotion.data.graph_dataset import GraphDataset


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
