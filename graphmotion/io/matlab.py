"""Arrays of numbers in Matlab's files."""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator

import numpy as np

from graphmotion.io.files import MalformedFileError, read_file

# Of the "MAT-File Level 5 File Format": how numbers are stored, and what an array is made of.
_STORED = {1: 'i1', 2: 'u1', 3: 'i2', 4: 'u2', 5: 'i4', 6: 'u4', 7: 'f4', 9: 'f8', 12: 'i8'}
_STORED |= {13: 'u8'}
_ARRAYS = {6: 'f8', 7: 'f4', 8: 'i1', 9: 'u1', 10: 'i2', 11: 'u2', 12: 'i4', 13: 'u4', 14: 'i8'}
_ARRAYS |= {15: 'u8'}
_MATRIX, _COMPRESSED, _COMPLEX = 14, 15, 0x0800
_HEADER = 128
_LARGEST = 2**30  # bytes of a variable


def read_matlab(path: str, name: str, content: bytes | None = None) -> np.ndarray:
    r"""Read an array of real numbers from a Matlab file of version 5 to 7.

    Unlike SciPy's reader, which reads all that such a file can hold, this one can be given damaged
    files: it reads only within them.

    Args:
        path (str): The file.
        name (str): The variable.
        content (bytes, optional): The bytes of the file, if they were read before.
            (default: :obj:`None`)

    Raises:
        FileNotFoundError: If the file is not there.
        ValueError: If it is empty, cut off or of another version, or the variable is not in it or
            not an array of real numbers.
    """
    content = read_file(path) if content is None else content
    expected = 'a Matlab file of version 5 to 7'
    if content[126:128] not in (b'IM', b'MI') or len(content) < _HEADER:
        found = 'something else' if content else 'an empty file'
        if content[:6] == b'MATLAB' or b'HDF' in content[:600]:
            found = 'one that is cut off or of another version'
        raise MalformedFileError(path, 'content', expected, found)
    order = '<' if content[126:128] == b'IM' else '>'
    try:
        for kind, data in _elements(memoryview(content)[_HEADER:], order):
            if kind == _COMPRESSED:
                decoder = zlib.decompressobj()
                data = memoryview(decoder.decompress(data, _LARGEST))
                if not decoder.eof:
                    raise _Damage('a compressed variable that does not end')
                kind, data = next(_elements(data, order), (0, data))
            if kind == _MATRIX:
                array = _read_array(data, order, name)
                if array is not None:
                    return array
    except (_Damage, zlib.error, struct.error, UnicodeDecodeError) as error:
        raise MalformedFileError(path, 'content', expected, f'{error}') from error
    except _NoNumbers as error:
        raise MalformedFileError(path, name, 'an array of real numbers', f'{error}') from None
    raise MalformedFileError(path, name, 'an array of real numbers', 'no such variable')


class _Damage(Exception):
    """Parts that do not fit."""


class _NoNumbers(Exception):
    """A variable of another kind."""


def _elements(data: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
    """The elements that stand one after another: their types and their bytes."""
    at = 0
    while at < len(data):
        (tag,) = struct.unpack_from(f'{order}I', data, at)
        if tag >> 16:  # a small one, whose size stands beside its type
            kind, size, start = tag & 0xFFFF, tag >> 16, at + 4
            after = at + 8
        else:
            kind, start = tag, at + 8
            (size,) = struct.unpack_from(f'{order}I', data, at + 4)
            after = start + size + (-size % 8 if kind != _COMPRESSED else 0)
        if start + size > min(len(data), after):
            raise _Damage(f'{len(data) - start} bytes of {size}, as if cut off')
        yield kind, data[start : start + size]
        at = after


def _read_array(data: memoryview, order: str, name: str) -> np.ndarray | None:
    """The array, if it is the one of that name."""
    elements = _elements(data, order)
    try:
        flags, sizes, title = (next(elements)[1] for _ in range(3))
    except RuntimeError:
        raise _Damage('a variable without name and size') from None
    if bytes(title) != name.encode():
        return None
    (kind,) = struct.unpack_from(f'{order}I', flags)
    if kind & 0xFF not in _ARRAYS or kind & _COMPLEX:
        raise _NoNumbers('complex numbers' if kind & _COMPLEX else 'something else')
    stored, numbers = next(elements, (0, memoryview(b'')))
    if len(sizes) % 4 or stored not in _STORED:
        raise _Damage(f'numbers of type {stored}')
    shape = struct.unpack(f'{order}{len(sizes) // 4}i', sizes)
    kind_stored = np.dtype(order + _STORED[stored])
    if min(shape, default=-1) < 0 or math.prod(shape) * kind_stored.itemsize != len(numbers):
        raise _Damage(f'{len(numbers)} bytes for the shape {list(shape)}')
    flat = np.frombuffer(numbers, kind_stored)
    # Matlab stores whole numbers in fewer bytes than their type has.
    with np.errstate(invalid='ignore'):
        return flat.astype(_ARRAYS[kind & 0xFF]).reshape(shape, order='F')
