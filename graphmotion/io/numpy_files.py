"""Arrays in NumPy files, whose sizes are checked before memory is allocated."""

from __future__ import annotations

import io
import math
import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import IO

import numpy as np

from graphmotion.io.files import LARGEST_BYTES, MalformedFileError, open_zip

# Longest header that NumPy accepts, and its prefix.
_HEADER_BYTES = 10_000 + 12
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_EXPECTED = 'numeric arrays in an .npy or .npz file'


@dataclass(frozen=True)
class StoredArray:
    r"""An array in an open file.

    Args:
        path (str): Path of the file.
        name (str): Name of the array in an :obj:`.npz` file, or :obj:`"array"`.
        shape (tuple of int): Shape of the array.
        dtype (dtype): Type of the values.
        is_fortran (bool): Whether the first axis varies fastest.
        values (file): The file at the first value.
    """

    path: str
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    is_fortran: bool
    values: IO[bytes]

    @property
    def size(self) -> int:
        r"""Number of values; 0 of Python objects, which cannot be read."""
        return 0 if self.dtype.hasobject else math.prod(self.shape)

    def read(self) -> np.ndarray:
        r"""Reads the array.

        Raises:
            ValueError: If the array is larger than 1 GiB, the file is truncated, or the values are
                Python objects.
        """
        if self.dtype.hasobject:
            found = f'{self.name} of Python objects'
            raise MalformedFileError(self.path, 'content', _EXPECTED, found)
        self.check_bytes(self.size * self.dtype.itemsize)
        return self.read_next(self.shape).copy(order='K')

    def check_bytes(self, num_bytes: int) -> None:
        r"""Raises an error if more than 1 GiB is to be read at once."""
        if num_bytes > LARGEST_BYTES:
            raise MalformedFileError(
                self.path, self.name, f'at most {LARGEST_BYTES} bytes', f'{num_bytes}'
            )

    def read_next(self, shape: tuple[int, ...]) -> np.ndarray:
        r"""Reads the next values as a read-only array of this shape."""
        num_bytes = math.prod(shape) * self.dtype.itemsize
        content = self.values.read(num_bytes)
        if len(content) != num_bytes:
            found = f'{len(content)} of {num_bytes} bytes'
            raise MalformedFileError(self.path, self.name, 'a complete array', found)
        array = np.frombuffer(content, self.dtype)
        return array.reshape(shape, order='F' if self.is_fortran else 'C')


@contextmanager
def open_arrays(path: str) -> Iterator[Mapping[str, StoredArray]]:
    r"""Opens the arrays of an :obj:`.npz` file by name, or that of an :obj:`.npy` file.

    Only headers are read, and an array that claims more than the size of the file is refused. The
    arrays must be read one at a time.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is neither, is damaged, or an array has an invalid header.
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(f'{path}: no such file')
    with ExitStack() as stack:
        try:
            if zipfile.is_zipfile(path):
                archive = stack.enter_context(open_zip(path))
                members = {
                    member.filename.removesuffix('.npy'): member
                    for member in archive.infolist()
                    if member.filename.endswith('.npy')
                }
                arrays = {
                    name: _open(path, name, stack.enter_context(archive.open(m)), m.file_size)
                    for name, m in members.items()
                }
            else:
                file = stack.enter_context(open(path, 'rb'))
                arrays = {'array': _open(path, 'array', file, os.path.getsize(path))}
        except MalformedFileError:
            raise
        except Exception as error:  # damaged files raise errors of many types
            found = str(error) or 'no array'
            raise MalformedFileError(path, 'content', _EXPECTED, found) from error
        yield arrays


def read_npy(path: str) -> np.ndarray:
    r"""Reads the array of an :obj:`.npy` file.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is damaged, is larger than 1 GiB or holds several arrays or objects.
    """
    with open_arrays(path) as arrays:
        if list(arrays) != ['array']:
            raise MalformedFileError(path, 'content', 'an .npy file', f'arrays {list(arrays)}')
        return arrays['array'].read()


def _open(path: str, name: str, file: IO[bytes], num_bytes: int) -> StoredArray:
    start = io.BytesIO(file.read(_HEADER_BYTES))
    shape, is_fortran, dtype = _HEADERS[np.lib.format.read_magic(start)](start)
    if not dtype.itemsize:
        raise MalformedFileError(path, 'content', _EXPECTED, f'{name} of type {dtype}')
    claimed, stored = math.prod(shape) * dtype.itemsize, num_bytes - start.tell()
    if min(shape, default=0) < 0 or (claimed > stored and not dtype.hasobject):
        found = (
            f'a header of the shape {list(shape)}, {claimed} bytes, and {stored} bytes of {name}'
        )
        raise MalformedFileError(path, 'content', _EXPECTED, found)
    file.seek(start.tell())
    return StoredArray(path, name, shape, dtype, is_fortran, file)
