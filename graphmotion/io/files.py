"""What all readers share: files in folders and archives, and one form of error."""

from __future__ import annotations

import json
import os
import re
import secrets
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import IO, Any, NamedTuple

import numpy as np

# No file of one recording comes near this size; an archive that says so is no data set.
_LARGEST_MEMBER = 2**30
_ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError)


class MalformedFile(ValueError):
    r"""A file that does not hold what its format says.

    Args:
        path (str): The file.
        field (str): The part of it that is wrong.
        expected (str): What the format asks for.
        found (str): What is there.
    """

    def __init__(self, path: str, field: str, expected: str, found: str) -> None:
        super().__init__(f'{path}: {field}: expected {expected}, found {found}')
        #: What is wrong, in words that are the same for all files with the same fault.
        self.reason = f'with {field} not {expected}'

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (str(self), self.reason)


class FoundFile(NamedTuple):
    """A file of a data set, in a folder or in an archive that is open."""

    path: str
    archive: zipfile.ZipFile | None
    inside: str

    def read(self) -> bytes:
        r"""Its content.

        Raises:
            ValueError: If the archive is damaged there.
        """
        if self.archive is None:
            return read_file(self.path)
        return _read_member(self.archive, self.inside, self.path)


@contextmanager
def find_files(
    folder: str, suffix: str | Sequence[str], num_folders: int | None = 0
) -> Iterator[dict[str, FoundFile]]:
    r"""The files of a data set by name, as :func:`read_files` finds them, to be read one by one
    within this context.

    .. code-block:: python

        with find_files(folder, '.json') as files:
            content = files['a'].read()

    Args:
        folder (str): The folder, searched with all below it.
        suffix (str or sequence of str): The end of the names of the files; of several, the names
            keep theirs, as files may differ only in them.
        num_folders (int, optional): Number of folders above a file that are part of its name;
            :obj:`None` for all below :obj:`folder`, or in the archive. (default: :obj:`0`)

    Raises:
        ValueError: If an archive is damaged or has a member that would lie outside of the archive.
    """
    ends = (suffix,) if isinstance(suffix, str) else tuple(suffix)
    cut = suffix if isinstance(suffix, str) else ''
    with ExitStack() as stack:
        found: dict[str, FoundFile] = {}
        archives = []
        for path in list_files(folder):
            if path.lower().endswith('.zip'):
                archives.append(path)
            elif path.endswith(ends):
                below = os.path.relpath(path, folder) if num_folders is None else path
                found.setdefault(_stem(below, cut, num_folders), FoundFile(path, None, path))
        for path in archives:
            archive = stack.enter_context(_open_archive(path))
            for member in archive.infolist():
                name = member.filename
                if name.endswith(ends) and not member.is_dir() and not _hidden(name):
                    file = FoundFile(f'{path}/{name}', archive, name)
                    found.setdefault(_stem(name, cut, num_folders), file)
        yield dict(sorted(found.items()))


def read_files(
    folder: str, suffix: str | Sequence[str], num_folders: int | None = 0
) -> Iterator[tuple[str, str, bytes]]:
    r"""Read the files of a data set one after another, from a folder and from the zip archives
    that lie in it.

    Nothing is unpacked to disk, and only one file is in memory at a time. A file that is found
    twice, such as in an archive and beside it, is read once, from where it is unpacked. Hidden
    files are passed over.

    Args:
        folder (str): The folder, searched with all below it.
        suffix (str or sequence of str): The end of the names of the files to read, such as
            :obj:`".json"`; of several, the names keep theirs.
        num_folders (int, optional): Number of folders above a file that are part of its name, as 2
            for :obj:`"walk/anna/1"`; :obj:`None` for all of them. (default: :obj:`0`)

    Returns:
        iterator of tuple: The path, the name without :obj:`suffix` and the content of each file,
        sorted by name.

    Raises:
        ValueError: If an archive is damaged or has a member that would lie outside of the archive.
    """
    with find_files(folder, suffix, num_folders) as files:
        for name, file in files.items():
            yield file.path, name, file.read()


def load_json(path: str, content: bytes | None = None) -> Any:
    r"""The content of a JSON file.

    Args:
        path (str): The file.
        content (bytes, optional): Its bytes, if they were read before. (default: :obj:`None`)

    Raises:
        FileNotFoundError: If it is not there.
        ValueError: If it is empty, cut off or no JSON.
    """
    content = read_file(path) if content is None else content
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        found = f'{error}' if content.strip() else 'an empty file'
        raise MalformedFile(path, 'content', 'JSON', found) from error


def numbers(
    value: Any, path: str, field: str, shape: Sequence[int | str], finite: bool = True
) -> np.ndarray:
    r"""An array of real numbers of a given shape, in single precision.

    Args:
        value: What the file holds: an array, or lists of numbers.
        path (str): The file.
        field (str): The part of it.
        shape (sequence): The size of each dimension, or a letter for any size above 0.
        finite (bool, optional): Whether NaN and infinity are refused. (default: :obj:`True`)

    Raises:
        ValueError: If it is something else.
    """
    expected = f'numbers of shape [{", ".join(map(str, shape))}]'
    try:
        array = np.asarray(value)
    except (ValueError, TypeError, OverflowError):  # lists of different length
        raise MalformedFile(path, field, expected, 'lists of unequal length') from None
    fits = array.ndim == len(shape) and all(
        size == n if isinstance(n, int) else size > 0 for size, n in zip(array.shape, shape)
    )
    if not fits:
        raise MalformedFile(path, field, expected, _describe(value, array))
    if array.dtype.kind not in 'iuf':
        raise MalformedFile(path, field, expected, f'values of type {array.dtype}')
    with np.errstate(over='ignore'):
        array = array.astype(np.float32)  # infinite where single precision does not reach
    if finite and not np.isfinite(array).all():
        raise MalformedFile(path, field, f'finite {expected}', 'NaN or infinite values')
    return array


@contextmanager
def whole_file(path: str) -> Iterator[IO[bytes]]:
    r"""Open a file for writing that appears under its name when it is complete, or not at all."""
    # Not made by tempfile, which hides what it makes from all other users.
    temporary = f'{path}.{secrets.token_hex(4)}.tmp'
    file = open(temporary, 'xb')  # noqa: SIM115
    try:
        with file:
            yield file
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def frame_number(name: str) -> int | None:
    r"""The last number in the name of a frame's file, if there is one."""
    digits = re.findall(r'\d+', os.path.splitext(os.path.basename(name))[0])
    return int(digits[-1]) if digits else None


def _restore(message: str, reason: str) -> MalformedFile:
    error = MalformedFile.__new__(MalformedFile, message)
    ValueError.__init__(error, message)
    error.reason = reason
    return error


def _describe(value: Any, array: np.ndarray) -> str:
    for kind, name in ((str, 'text'), (dict, 'an object'), (type(None), 'nothing')):
        if isinstance(value, kind):
            return name
    return f'the shape {list(array.shape)}'


def read_file(path: str) -> bytes:
    r"""The bytes of a file.

    Raises:
        FileNotFoundError: If it is not there.
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(f'{path}: no such file')
    with open(path, 'rb') as file:
        return file.read()


def list_files(folder: str) -> Iterator[str]:
    r"""All files below a folder that are not hidden, in a fixed order."""
    for where, folders, files in os.walk(folder, followlinks=True):
        folders[:] = sorted(name for name in folders if not _hidden(name))
        yield from (os.path.join(where, name) for name in sorted(files) if not _hidden(name))


def _hidden(name: str) -> bool:
    return os.path.basename(name).startswith('.') or '__MACOSX' in name


def _stem(path: str, suffix: str, num_folders: int | None) -> str:
    parts = path.replace(os.sep, '/').split('/')
    name = '/'.join(parts if num_folders is None else parts[-num_folders - 1 :])
    return name[: -len(suffix)] if suffix else name


@contextmanager
def _open_archive(path: str) -> Iterator[zipfile.ZipFile]:
    try:
        archive = zipfile.ZipFile(path)
    except _ZIP_ERRORS as error:
        raise MalformedFile(path, 'content', 'a whole zip archive', str(error)) from error
    with archive:
        for member in archive.infolist():
            # As it stands in the file: the other name was cut by zipfile where it is odd.
            parts = re.split(r'[/\\]', member.orig_filename)
            if '..' in parts or parts[0] == '' or ':' in parts[0] or '\0' in member.orig_filename:
                raise MalformedFile(
                    path, 'member', 'a path inside the archive', repr(member.orig_filename)
                )
        yield archive


def _read_member(archive: zipfile.ZipFile, name: str, path: str) -> bytes:
    size = archive.getinfo(name).file_size
    if size > _LARGEST_MEMBER:
        raise MalformedFile(path, 'size', f'at most {_LARGEST_MEMBER} bytes', f'{size}')
    try:
        return archive.read(name)
    except _ZIP_ERRORS as error:
        raise MalformedFile(path, 'content', 'an undamaged member of a zip', str(error)) from error
