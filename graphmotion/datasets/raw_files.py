"""What lies in the folder of a data set's raw files."""

from __future__ import annotations

import os
from collections.abc import Sequence


def raw_entries(folder: str, suffixes: str | Sequence[str]) -> list[str]:
    r"""The zip archives and folders in a folder; without any, the first file with one of these
    ends, as all are too many to name.
    """
    suffixes = (suffixes,) if isinstance(suffixes, str) else tuple(suffixes)
    archives, files = [], []
    if os.path.isdir(folder):
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.lower().endswith('.zip') or entry.is_dir():
                    archives.append(entry.name)
                elif entry.name.endswith(suffixes):
                    files.append(entry.name)
    return sorted(archives) or sorted(files)[:1]
