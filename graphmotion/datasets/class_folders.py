"""Datasets of the user's own files with one folder per class."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from graphmotion.io import MalformedFileError

#: The part (0 training, 1 validation, 2 test) of common folder names in lower case.
PART_FOLDERS = {
    **dict.fromkeys(('train', 'training'), 0),
    **dict.fromkeys(('val', 'valid', 'validation', 'dev', 'publictest'), 1),
    **dict.fromkeys(('test', 'testing', 'eval', 'privatetest'), 2),
}


class ClassFolders:
    r"""Classes and subjects of files in one folder per class.

    Args:
        folder (str): Folder of the classes, for error messages.
        names (iterable of str): Names of the files relative to :obj:`folder`, such as
            :obj:`"wave/anna/1"`.
        subject (str, optional): Regular expression with one group, the name of the subject. It is
            matched at the start of the names without their class. By default, the subject is the
            folder inside the folder of the class, if there is one.
        noun (str): Plural noun for the files, for error messages.

    Raises:
        ValueError: If only some files have a subject, or the expression does not have one group.
    """

    def __init__(self, folder: str, names: Iterable[str], subject: str | None, noun: str) -> None:
        names = list(names)
        #: Sorted names of the classes.
        self.class_names = tuple(sorted({name.split('/')[0] for name in names}))
        #: Name of the subject of each file; empty if the files have no subjects.
        self.subjects = _find_subjects(folder, names, subject, noun)
        #: Sorted names of the subjects.
        self.subject_names = tuple(sorted(set(self.subjects.values())))

    def labels(self, name: str) -> dict[str, int]:
        r"""Returns the field :obj:`y` of a file and, if files have subjects, :obj:`subject`."""
        labels = {'y': self.class_names.index(name.split('/')[0])}
        if self.subjects:
            labels['subject'] = self.subject_names.index(self.subjects[name])
        return labels


def find_class_folders(root: str | Path) -> str:
    r"""Returns the folder of the class folders, which is :obj:`raw/` in :obj:`root` or, if that
    does not exist, :obj:`root`.

    Raises:
        FileNotFoundError: If the folder does not exist.
    """
    root = os.path.normpath(os.path.expanduser(root))
    raw = os.path.join(root, 'raw')
    folder = raw if os.path.isdir(raw) else root
    if not os.path.isdir(folder):
        raise FileNotFoundError(f'{folder}: no such folder')
    return folder


def split_parts(
    folder: str, names: dict[str, str], parts: Sequence[str]
) -> tuple[dict[str, int], dict[str, str]]:
    r"""Separates the folder of the part, such as :obj:`train/`, from the names of files.

    Args:
        folder (str): Folder of the parts, for error messages.
        names (dict): Name of each file, such as :obj:`"train/wave/1"`.
        parts (sequence of str): Names of the parts; empty if there are none.

    Returns:
        tuple: Number of the part of each file, empty without parts, and the names without the part.

    Raises:
        ValueError: If a file is in none of the parts, or several folders have names of parts
            although :obj:`parts` is empty.
    """
    found = sorted({name.split('/')[0] for name in names.values()})
    if not parts:
        named = [name for name in found if name.lower() in PART_FOLDERS]
        if len(named) > 1 or named == found:
            raise ValueError(
                f'{folder}: expected class folders, found folders of parts {found}; '
                f'pass parts={tuple(found)!r}, with the training part first'
            )
        return {}, names
    numbers, out = {}, {}
    for file, name in names.items():
        part, _, below = name.partition('/')
        if part not in parts:
            path = os.path.join(folder, file)
            raise MalformedFileError(path, 'folder', f'one of the parts {list(parts)}', part)
        numbers[file], out[file] = list(parts).index(part), below
    return numbers, out


def _find_subjects(folder: str, names: list[str], pattern: str | None, noun: str) -> dict[str, str]:
    """Returns the subject of each file; empty if no file has a subject."""
    expression = re.compile(pattern or '([^/]+)/')
    if expression.groups != 1:
        raise ValueError(f'subject must have one group, the name of the subject, got {pattern!r}')
    out, missing = {}, []
    for name in names:
        match = expression.match(name.split('/', 1)[1])
        if match:
            out[name] = match[1]
        else:
            missing.append(name)
    if missing and (out or pattern):
        raise ValueError(
            f'{folder}: {len(missing)} of {len(names)} {noun} have no subject, such as {missing[0]}'
        )
    return out
