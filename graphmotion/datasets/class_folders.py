"""Datasets of the user's own files with one folder per class."""

from __future__ import annotations

import os
import re
import unicodedata
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from graphmotion.io import MalformedFileError, list_files
from graphmotion.io.files import is_hidden, sort_names

#: The part (0 training, 1 validation, 2 test) of common folder names in lower case.
PART_FOLDERS = {
    **dict.fromkeys(('train', 'training'), 0),
    **dict.fromkeys(('val', 'valid', 'validation', 'dev', 'publictest'), 1),
    **dict.fromkeys(('test', 'testing', 'eval', 'privatetest'), 2),
}


class ClassFolders:
    r"""Classes, subjects and parts of files in one folder per class.

    Args:
        folder (str): Folder that contains the files.
        files (iterable of str): Names of the files relative to :obj:`folder`, such as
            :obj:`"wave/anna/1"`.
        noun (str): Plural noun for the files, for error messages.
        contents (str): What a class folder must contain, such as :obj:`".json files"`, for error
            messages.
        subject (str, optional): Regular expression with one group, the name of the subject. It is
            matched at the start of the names without their class. By default, the subject is the
            folder inside the folder of the class, if there is one. (default: :obj:`None`)
        parts (sequence of str, optional): Names of the folders that contain the class folders, such
            as :obj:`("train", "test")`. (default: :obj:`None`)
        subfolder (str, optional): Path of the class folders, or of those of the parts, inside
            :obj:`folder`. By default, leading folders that contain all files are skipped, with a
            warning where they could be the only class. (default: :obj:`None`)
        ignored (str, optional): Path of a folder that is not a class, which is that of processed
            files. (default: :obj:`None`)

    Raises:
        ValueError: If there are no files, a file is not in a class folder, a class folder is empty,
            two names differ only in case, surrounding spaces or Unicode normalization, only some
            files have a subject, or the expression does not have one group.
    """

    def __init__(
        self,
        folder: str,
        files: Iterable[str],
        noun: str,
        contents: str,
        subject: str | None = None,
        parts: Sequence[str] | None = None,
        subfolder: str | None = None,
        ignored: str | None = None,
    ) -> None:
        self._ignored = ignored
        self._folder, self._noun, self._contents = folder, noun, contents
        #: Names of the parts.
        self.parts = tuple(parts or ())
        if isinstance(parts, str) or len(set(self.parts)) < len(self.parts):
            raise ValueError(f'parts must be a sequence of different names, got {parts!r}')
        names = {file: file.split('/') for file in files}
        if not names:
            raise self._empty(folder)
        names = self._skip_folders(names, subfolder)
        #: Number of the part of each file; empty without parts.
        self.part_of: dict[str, int] = {}
        if self.parts:
            self.part_of = {file: self._find_part(file, name[0]) for file, name in names.items()}
            names = {file: name[1:] for file, name in names.items()}
        self._class_of = {file: name[0] for file, name in names.items()}
        #: Names of the classes in natural order.
        self.class_names = self._distinct(self._class_of.values(), 'class')
        if not self.parts:
            self._check_parts()
        self._check_empty_folders()
        below = {file: '/'.join(name[1:]) for file, name in names.items()}
        #: Name of the subject of each file; empty if the files have no subjects.
        self.subjects = self._find_subjects(below, subject)
        #: Names of the subjects in natural order.
        self.subject_names = self._distinct(self.subjects.values(), 'subject')

    def labels(self, file: str) -> dict[str, int]:
        r"""Returns the field :obj:`y` of a file and, if files have them, :obj:`subject` and
        :obj:`part`.
        """
        labels = {'y': self.class_names.index(self._class_of[file])}
        if self.subjects:
            labels['subject'] = self.subject_names.index(self.subjects[file])
        if self.parts:
            labels['part'] = self.part_of[file]
        return labels

    def _skip_folders(
        self, names: dict[str, list[str]], subfolder: str | None
    ) -> dict[str, list[str]]:
        """Removes the folders that contain the class folders, or those of the parts."""
        skipped = [] if subfolder is None else [name for name in subfolder.split('/') if name]
        for file, name in names.items():
            if name[: len(skipped)] != skipped:
                path = os.path.join(self._folder, file)
                raise MalformedFileError(path, 'folder', f'{"/".join(skipped)!r}', 'another one')
        depth = 2 + bool(self.parts)
        while subfolder is None:
            first = {tuple(name[: len(skipped) + 1]) for name in names.values()}
            shortest = min(map(len, names.values())) - len(skipped)
            beside = self._subfolders(os.path.join(self._folder, *skipped))
            (*_, last), *others = first
            if others or len(beside) > 1 or shortest <= depth or last in self.parts:
                break
            skipped.append(last)
        self._class_root = os.path.join(self._folder, *skipped)
        names = {file: name[len(skipped) :] for file, name in names.items()}
        for file, name in names.items():
            if len(name) < depth:
                path = os.path.join(self._folder, file)
                expected = f'a class folder with {self._contents}'
                found = f'{self._noun} next to the class folders'
                found = found if len(name) == 1 else 'no class folder'
                if all(len(other) == 1 for other in names.values()):
                    root = os.path.basename(self._class_root)
                    found += f'; if {root!r} is a class, pass the folder that contains it'
                raise MalformedFileError(path, 'folder', expected, found)
        if skipped and subfolder is None and not self.parts:
            wrapper, outer = '/'.join(skipped), '/'.join(skipped[:-1])
            classes = sort_names({name[0] for name in names.values()})
            warnings.warn(
                f'{self._folder}: {wrapper!r} contains all {self._noun} and is taken as the folder '
                f'of the classes {classes[:3]}; pass subfolder={wrapper!r} to confirm, or '
                f'subfolder={outer!r} if {skipped[-1]!r} is a class with folders of subjects',
                stacklevel=4,
            )
        return names

    def _find_part(self, file: str, name: str) -> int:
        if name not in self.parts:
            path = os.path.join(self._folder, file)
            raise MalformedFileError(path, 'folder', f'one of the parts {list(self.parts)}', name)
        return self.parts.index(name)

    def _check_parts(self) -> None:
        found = sorted(self.class_names)
        numbers = {name: PART_FOLDERS.get(name.lower(), 3) for name in found}
        named = [name for name in found if numbers[name] < 3]
        if len(named) > 1 or named == found:
            parts = tuple(sorted(found, key=lambda name: (numbers[name], name)))
            raise ValueError(
                f'{self._class_root}: expected class folders, found folders of parts {found}; '
                f'pass parts={parts!r}, with the training part first'
            )

    def _check_empty_folders(self) -> None:
        for number, part in enumerate(self.parts or ('',)):
            members = {
                name
                for file, name in self._class_of.items()
                if self.part_of.get(file, number) == number
            }
            for path in self._subfolders(os.path.join(self._class_root, part)):
                if os.path.basename(path) not in members:
                    raise self._empty(path)

    def _empty(self, folder: str) -> MalformedFileError:
        """Returns the error of a folder without the expected contents."""
        if folder == self._folder:
            inside = self._subfolders(folder)
            folder = inside[0] if inside else folder
        expected = 'one folder per class' if folder == self._folder else self._contents
        files = list_files(folder)
        ends = sorted({os.path.splitext(path)[1] or os.path.basename(path) for path in files})
        found = f'only {", ".join(ends[:5])}' if ends else 'none'
        return MalformedFileError(folder, self._noun, expected, found)

    def _subfolders(self, folder: str) -> list[str]:
        """Returns the paths of the visible folders in a folder, if it is on disk."""
        if not os.path.isdir(folder):
            return []
        with os.scandir(folder) as entries:
            paths = [e.path for e in entries if e.is_dir() and not is_hidden(e.name)]
        return sorted(path for path in paths if path != self._ignored)

    def _distinct(self, names: Iterable[str], noun: str) -> tuple[str, ...]:
        """Sorts names and raises if two of them are the same to a reader."""
        known: dict[str, str] = {}
        for name in sorted(set(names)):
            key = unicodedata.normalize('NFKC', name).strip().casefold()
            other = known.setdefault(key, name)
            if other != name:
                raise ValueError(
                    f'{self._folder}: the {noun} names {other!r} and {name!r} must differ in more '
                    f'than case, surrounding spaces and Unicode normalization; rename one of them'
                )
        return tuple(sort_names(known.values()))

    def _find_subjects(self, names: Mapping[str, str], pattern: str | None) -> dict[str, str]:
        """Returns the subject of each file; empty if no file has a subject."""
        expression = re.compile(pattern or '([^/]+)/')
        if expression.groups != 1:
            raise ValueError(
                f'subject must have one group, the name of the subject, got {pattern!r}'
            )
        out, missing = {}, []
        for file, name in names.items():
            match = expression.match(name)
            if match and match[1]:
                out[file] = match[1]
            else:
                missing.append(file)
        if missing and (out or pattern):
            raise ValueError(
                f'{self._folder}: {len(missing)} of {len(names)} {self._noun} have no subject, '
                f'such as {missing[0]}'
            )
        return out


def find_class_folders(root: str | Path) -> tuple[str, str]:
    r"""Returns the folder of the class folders, which is :obj:`raw/` in :obj:`root` or, if that
    does not exist, :obj:`root`, and the folder of processed files.

    Raises:
        FileNotFoundError: If the folder does not exist.
    """
    root = os.path.normpath(os.path.expanduser(root))
    raw = os.path.join(root, 'raw')
    folder = raw if os.path.isdir(raw) else root
    if not os.path.isdir(folder):
        raise FileNotFoundError(f'{folder}: no such folder')
    return folder, os.path.join(root, 'processed')
