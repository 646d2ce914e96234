"""Files in folders and archives, arrays read from them, and the error of malformed files."""

from __future__ import annotations

import filecmp
import json
import os
import re
import secrets
import stat
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import IO, Any, NamedTuple

import numpy as np

#: Limit of what is read at once; larger than any file of one recording.
LARGEST_BYTES = 2**30
_FILE_MANAGERS = ('thumbs.db', 'desktop.ini')
_ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError)


class MalformedFileError(ValueError):
    r"""A file whose content does not follow its format.

    .. code-block:: python

        pathlib.Path('broken.json').write_text('[1, 2')
        try:
            load_json('broken.json')
        except MalformedFileError as error:
            print(error)

    Args:
        path (str): Path of the file.
        field (str): The invalid part of the file.
        expected (str): What the format requires.
        found (str): What the file contains.
    """

    def __init__(self, path: str, field: str, expected: str, found: str) -> None:
        super().__init__(f'{path}: {field}: expected {expected}, found {found}')
        #: The fault in words that do not depend on the file, so that equal faults can be counted.
        self.reason = f'with {field} not {expected}'

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (str(self), self.reason)


class FoundFile(NamedTuple):
    r"""A file of a dataset, in a folder or in an open archive.

    .. code-block:: python

        with find_files('recordings', '.json') as files:  # a folder, also with .zip archives
            for name, file in files.items():
                content = file.read()

    Args:
        path (str): Path of the file or, in an archive, of the archive and the file.
        archive (optional): The archive. (default: :obj:`None`)
        inside (str, optional): Path in the archive. (default: :obj:`""`)
        other (str, optional): Path of another file of the same name with different content, both on
            disk or in archives. (default: :obj:`None`)
    """

    path: str
    archive: _Archive | None = None
    inside: str = ''
    other: str | None = None

    def read(self) -> bytes:
        r"""Returns the content of the file.

        Raises:
            ValueError: If the file cannot be read or this member of the archive is damaged.
        """
        if self.archive is not None:
            return _read_member(self.archive.zip, self.inside, self.path)
        try:
            return read_file(self.path)
        except OSError as error:
            found = error.strerror or 'a broken link'
            raise MalformedFileError(self.path, 'file', 'readable', found) from error

    def differs(self, other: FoundFile) -> bool:
        r"""Returns whether the content differs from that of another file of the same kind."""
        if self.archive is None or other.archive is None:
            return not filecmp.cmp(self.path, other.path, shallow=False)
        return self.state() != other.state()

    def state(self) -> tuple[int, int]:
        r"""Returns two numbers that change with the content: size and time of modification, or size
        and checksum in an archive.

        Raises:
            OSError: If the file does not exist.
        """
        if self.archive is not None:
            member = self.archive.zip.getinfo(self.inside)
            return member.file_size, member.CRC
        status = os.stat(self.path)
        return status.st_size, status.st_mtime_ns


class _Archive:
    """A zip archive that each process opens on its own, since an open file has one position."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._open()

    def _open(self) -> None:
        self._zip, self._process = open_zip(self.path), os.getpid()

    @property
    def zip(self) -> zipfile.ZipFile:
        """The archive, opened in this process."""
        if self._process != os.getpid():
            self._open()
        return self._zip

    def __reduce__(self) -> tuple[Any, ...]:
        return _Archive, (self.path,)


@contextmanager
def find_files(
    folder: str, suffix: str | Sequence[str], num_folders: int | None = 0
) -> Iterator[dict[str, FoundFile]]:
    r"""Finds the files of a dataset in a folder and in the zip archives inside it.

    Archives stay open within the context, so that files can be read one by one.

    .. code-block:: python

        with find_files('recording', '.json') as files:
            for name, file in files.items():
                print(name, len(file.read()))

    Args:
        folder (str): The folder, searched recursively.
        suffix (str or sequence of str): Ending of the file names, in upper or lower case. It is
            removed from the names unless several are given, since files may differ in nothing
            else.
        num_folders (int, optional): Number of parent folders that are part of a file's name, or
            :obj:`None` for all folders below :obj:`folder` or in the archive.
            (default: :obj:`0`)

    Raises:
        ValueError: If an archive is damaged or has a member whose path leaves the archive.
    """
    ends = (suffix.lower(),) if isinstance(suffix, str) else tuple(map(str.lower, suffix))
    cut = suffix if isinstance(suffix, str) else ''
    with ExitStack() as stack:
        found: dict[str, FoundFile] = {}
        archives = []
        prefix = os.path.join(folder, '')
        for path in list_files(folder):
            if path.lower().endswith('.zip'):
                archives.append(path)
            elif path.lower().endswith(ends):
                below = path.removeprefix(prefix) if num_folders is None else path
                _add(found, _stem(below, cut, num_folders), FoundFile(path))
        for path in archives:
            archive = stack.enter_context(_open_archive(path))
            for member in archive.zip.infolist():
                name = member.filename.replace('\\', '/')  # written by Windows
                if name.lower().endswith(ends) and not member.is_dir() and not is_hidden(name):
                    file = FoundFile(f'{path}/{name}', archive, member.filename)
                    _add(found, _stem(name, cut, num_folders), file)
        yield dict(sorted(found.items()))


def _add(found: dict[str, FoundFile], name: str, file: FoundFile) -> None:
    first = found.setdefault(name, file)
    if first is file or (first.archive is None) != (file.archive is None):
        return  # a file on disk is read instead of its copy in an archive
    with suppress(OSError):
        if first.differs(file):
            found[name] = first._replace(other=file.path)


def read_files(
    folder: str, suffix: str | Sequence[str], num_folders: int | None = 0
) -> Iterator[tuple[str, str, bytes]]:
    r"""Reads the files of a dataset from a folder and from the zip archives inside it.

    Nothing is unpacked to disk, and only one file is in memory at a time. If a file exists both in
    an archive and unpacked, the unpacked one is read. Hidden files are ignored.

    .. code-block:: python

        for name, _, content in read_files('recording', '.json'):
            print(name, len(content))

    Args:
        folder (str): The folder, searched recursively.
        suffix (str or sequence of str): Ending of the file names, such as :obj:`".json"`, in upper
            or lower case. It is removed from the names unless several are given.
        num_folders (int, optional): Number of parent folders that are part of a file's name, such
            as 2 for :obj:`"walk/anna/1"`, or :obj:`None` for all of them. (default: :obj:`0`)

    Returns:
        iterator of tuple: Path, name and content of each file, sorted by name.

    Raises:
        ValueError: If an archive is damaged or has a member whose path leaves the archive.
    """
    with find_files(folder, suffix, num_folders) as files:
        for name, file in files.items():
            yield file.path, name, file.read()


def load_json(path: str, content: bytes | None = None) -> Any:
    r"""Reads a JSON file.

    .. code-block:: python

        people = load_json('alphapose-results.json')

    Args:
        path (str): Path of the file.
        content (bytes, optional): Content of the file if already read. (default: :obj:`None`)

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is empty, truncated or not JSON.
    """
    content = read_file(path) if content is None else content
    try:
        return json.loads(content)
    except UnicodeDecodeError as error:
        expected = 'JSON in the encoding UTF-8, to which text editors and iconv convert'
        found = f'the byte {content[error.start : error.start + 1].hex()} at position {error.start}'
        raise MalformedFileError(path, 'content', expected, found) from error
    except (ValueError, RecursionError) as error:
        found = f'{error}' if content.strip() else 'an empty file'
        raise MalformedFileError(path, 'content', 'JSON', found) from error


def as_float_array(
    value: Any, path: str, field: str, shape: Sequence[int | str], finite: bool = True
) -> np.ndarray:
    r"""Converts a value read from a file to a single-precision array of a given shape.

    Args:
        value (Any): An array or nested lists of real numbers.
        path (str): Path of the file, for error messages.
        field (str): Field of the file, for error messages.
        shape (sequence): Size of each dimension, or a letter for any size above 0.
        finite (bool, optional): If :obj:`True`, rejects NaN and infinity.
            (default: :obj:`True`)

    Raises:
        ValueError: If the value is not such an array.
    """
    expected = f'numbers of shape [{", ".join(map(str, shape))}]'
    try:
        array = np.asarray(value)
    except (ValueError, TypeError, OverflowError):  # lists of different length
        raise MalformedFileError(path, field, expected, 'lists of unequal length') from None
    fits = array.ndim == len(shape) and all(
        size == n if isinstance(n, int) else size > 0 for size, n in zip(array.shape, shape)
    )
    if not fits:
        raise MalformedFileError(path, field, expected, _describe(value, array))
    if array.dtype.kind not in 'iuf':
        raise MalformedFileError(path, field, expected, f'values of type {array.dtype}')
    with np.errstate(over='ignore'):
        array = array.astype(np.float32)  # infinite where single precision does not reach
    if finite and not np.isfinite(array).all():
        raise MalformedFileError(path, field, f'finite {expected}', 'NaN or infinite values')
    return array


@contextmanager
def atomic_write(path: str) -> Iterator[IO[bytes]]:
    r"""Opens a file for writing that replaces :obj:`path` atomically once it is complete.

    .. code-block:: python

        with atomic_write('scores.txt') as file:
            file.write(b'0.5')
    """
    # Not a tempfile, which only its owner could read.
    temporary = f'{path}.{secrets.token_hex(4)}.tmp'
    file = open(temporary, 'xb')  # noqa: SIM115
    try:
        with file:
            yield file
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _restore(message: str, reason: str) -> MalformedFileError:
    error = MalformedFileError.__new__(MalformedFileError, message)
    ValueError.__init__(error, message)
    error.reason = reason
    return error


def shape_of(value: Any) -> tuple[int, ...]:
    r"""Returns the shape of an array or of nested lists, which is empty if they are ragged."""
    try:
        return np.shape(value)
    except ValueError:
        return ()


def _describe(value: Any, array: np.ndarray) -> str:
    for kind, name in ((str, 'text'), (dict, 'an object'), (type(None), 'nothing')):
        if isinstance(value, kind):
            return name
    return f'the shape {list(array.shape)}'


def read_file(path: str) -> bytes:
    r"""Returns the content of a file.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If it is a folder.
    """
    if os.path.isdir(path):
        raise MalformedFileError(path, 'path', 'a file', 'a folder')
    if not os.path.isfile(path):
        raise FileNotFoundError(f'{path}: no such file')
    with open(path, 'rb') as file:
        return file.read()


def list_files(folder: str) -> Iterator[str]:
    r"""Yields all files below a folder except hidden ones, sorted within each folder.

    Links to folders are followed, except to those that contain the link.

    .. code-block:: python

        for path in list_files('recording'):
            print(path)
    """
    for where, folders, files in os.walk(folder, followlinks=True):
        folders[:] = sorted(
            name
            for name in folders
            if not is_hidden(name) and not _is_loop(folder, where, os.path.join(where, name))
        )
        yield from (os.path.join(where, name) for name in sorted(files) if not is_hidden(name))


def _is_loop(top: str, where: str, path: str) -> bool:
    """Returns whether a folder in ``where`` is a link to a folder that contains the link."""
    if not os.path.islink(path):
        return False
    target = os.path.join(os.path.realpath(path), '')
    while True:
        if os.path.join(os.path.realpath(where), '').startswith(target):
            return True
        if len(where) <= len(top):
            return False
        where = os.path.dirname(where)


def is_hidden(name: str) -> bool:
    r"""Returns whether a file or folder is hidden or was made by a file manager."""
    base = os.path.basename(name)
    return base.startswith('.') or base.lower() in _FILE_MANAGERS or '__MACOSX' in name


def sort_names(names: Iterable[str]) -> list[str]:
    r"""Sorts names in natural order: by value if all of them are numbers, and otherwise as text
    whose digits are compared as numbers, such as :obj:`["s1", "s2", "s10"]`.
    """
    names = sorted(names)
    if all(re.fullmatch(r'[-+]?\d+(\.\d+)?', name) for name in names):
        return sorted(names, key=float)
    return sorted(names, key=natural_key)


def natural_key(name: str) -> list[str | int]:
    r"""Returns a key that sorts text in natural order, such as :obj:`["s", 10, ""]`."""
    return [int(part) if part.isdecimal() else part for part in re.split(r'(\d+)', name)]


def _stem(path: str, suffix: str, num_folders: int | None) -> str:
    parts = path.replace(os.sep, '/').split('/')
    name = '/'.join(parts if num_folders is None else parts[-num_folders - 1 :])
    return name[: -len(suffix)] if suffix else name


@contextmanager
def _open_archive(path: str) -> Iterator[_Archive]:
    try:
        archive = _Archive(path)
    except _ZIP_ERRORS as error:
        raise MalformedFileError(path, 'content', 'a complete zip archive', str(error)) from error
    with archive.zip:
        yield archive


def open_zip(path: str) -> zipfile.ZipFile:
    r"""Opens a zip archive whose members are safe to read one by one.

    Raises:
        ValueError: If a member has a path that leaves the archive, is a link or is compressed by
            another method than deflate, or members share their content, as in zip bombs.
    """
    archive = zipfile.ZipFile(path)
    try:
        for member in archive.infolist():
            _check_member(path, member)
        size, limit = sum(m.compress_size for m in archive.infolist()), os.path.getsize(path)
        if size > limit:
            raise MalformedFileError(path, 'size', f'members of at most {limit} bytes', f'{size}')
    except BaseException:
        archive.close()
        raise
    return archive


def _check_member(path: str, member: zipfile.ZipInfo) -> None:
    # The name as stored; zipfile truncates `filename` at null bytes.
    name = member.orig_filename
    parts = re.split(r'[/\\]', name)
    if '..' in parts or parts[0] == '' or ':' in parts[0] or '\0' in name:
        raise MalformedFileError(path, 'member', 'a path inside the archive', repr(name))
    if stat.S_ISLNK(member.external_attr >> 16):
        raise MalformedFileError(path, 'member', 'a file or a folder', f'{name!r}, a link')
    # A few bytes of other methods can expand to gigabytes in one step.
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        found = f'{name!r}, compressed by method {member.compress_type}'
        raise MalformedFileError(path, 'member', 'stored or deflated', found)


def _read_member(archive: zipfile.ZipFile, name: str, path: str) -> bytes:
    size = archive.getinfo(name).file_size
    if size > LARGEST_BYTES:
        raise MalformedFileError(path, 'size', f'at most {LARGEST_BYTES} bytes', f'{size}')
    try:
        # Without the size, zipfile would expand all of a member that is larger than it claims.
        with archive.open(name) as file:
            return file.read(size)
    except _ZIP_ERRORS as error:
        raise MalformedFileError(path, 'content', 'an intact zip member', str(error)) from error
