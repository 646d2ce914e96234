"""Numeric arrays in MATLAB files."""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator

import numpy as np

from graphmotion.io.files import LARGEST_BYTES, MalformedFileError, read_file

# Storage types and array classes of the MAT-File Level 5 format.
_STORED = {1: 'i1', 2: 'u1', 3: 'i2', 4: 'u2', 5: 'i4', 6: 'u4', 7: 'f4', 9: 'f8', 12: 'i8'}
_STORED |= {13: 'u8'}
_ARRAYS = {6: 'f8', 7: 'f4', 8: 'i1', 9: 'u1', 10: 'i2', 11: 'u2', 12: 'i4', 13: 'u4', 14: 'i8'}
_ARRAYS |= {15: 'u8'}
_MATRIX, _COMPRESSED, _COMPLEX = 14, 15, 0x0800
_HEADER = 128


def read_matlab(path: str, name: str, content: bytes | None = None) -> np.ndarray:
    r"""Reads a real-valued array from a MATLAB file of version 5 to 7.

    Unlike SciPy's reader, which supports all variable types, this one is safe on damaged and
    untrusted files: it never reads beyond the data.

    .. code-block:: python

        skeleton = read_matlab('skeleton.mat', 'pos')

    Args:
        path (str): Path of the file.
        name (str): Name of the variable.
        content (bytes, optional): Content of the file if already read. (default: :obj:`None`)

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is empty, truncated or of a different version, or if the variable
            is missing or not a real-valued array.
    """
    content = read_file(path) if content is None else content
    expected = 'a MATLAB file of version 5 to 7'
    if content[126:128] not in (b'IM', b'MI') or len(content) < _HEADER:
        found = 'something else' if content else 'an empty file'
        if content[:6] == b'MATLAB' or b'HDF' in content[:600]:
            found = 'a truncated file or another version'
        raise MalformedFileError(path, 'content', expected, found)
    order = '<' if content[126:128] == b'IM' else '>'
    try:
        for kind, data in _elements(memoryview(content)[_HEADER:], order):
            if kind == _COMPRESSED:
                decoder = zlib.decompressobj()
                data = memoryview(decoder.decompress(data, LARGEST_BYTES))
                if not decoder.eof:
                    raise _Damage('a compressed variable that is truncated or above 1 GiB')
                kind, data = next(_elements(data, order), (0, data))
            if kind == _MATRIX:
                array = _read_array(data, order, name)
                if array is not None:
                    return array
    except (_Damage, zlib.error, struct.error, UnicodeDecodeError) as error:
        raise MalformedFileError(path, 'content', expected, f'{error}') from error
    except _NotReal as error:
        raise MalformedFileError(path, name, 'an array of real numbers', f'{error}') from None
    raise MalformedFileError(path, name, 'an array of real numbers', 'no such variable')


class _Damage(Exception):
    """Raised for inconsistent content."""


class _NotReal(Exception):
    """Raised for variables that are not real-valued arrays."""


def _elements(data: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
    """Yields type and bytes of consecutive data elements."""
    at = 0
    while at < len(data):
        (tag,) = struct.unpack_from(f'{order}I', data, at)
        if tag >> 16:  # small element: size and type share one word
            kind, size, start = tag & 0xFFFF, tag >> 16, at + 4
            after = at + 8
        else:
            kind, start = tag, at + 8
            (size,) = struct.unpack_from(f'{order}I', data, at + 4)
            after = start + size + (-size % 8 if kind != _COMPRESSED else 0)
        if start + size > min(len(data), after):
            raise _Damage(f'{len(data) - start} of {size} bytes')
        yield kind, data[start : start + size]
        at = after


def _read_array(data: memoryview, order: str, name: str) -> np.ndarray | None:
    """Returns the array if it has this name."""
    elements = _elements(data, order)
    try:
        flags, sizes, title = (next(elements)[1] for _ in range(3))
    except RuntimeError:
        raise _Damage('a variable without name and size') from None
    if bytes(title) != name.encode():
        return None
    (kind,) = struct.unpack_from(f'{order}I', flags)
    if kind & 0xFF not in _ARRAYS or kind & _COMPLEX:
        raise _NotReal('complex numbers' if kind & _COMPLEX else 'another type')
    stored, numbers = next(elements, (0, memoryview(b'')))
    if len(sizes) % 4 or stored not in _STORED:
        raise _Damage(f'numbers of type {stored}')
    shape = struct.unpack(f'{order}{len(sizes) // 4}i', sizes)
    kind_stored = np.dtype(order + _STORED[stored])
    if min(shape, default=-1) < 0 or math.prod(shape) * kind_stored.itemsize != len(numbers):
        raise _Damage(f'{len(numbers)} bytes for the shape {list(shape)}')
    dtype = np.dtype(_ARRAYS[kind & 0xFF])
    if math.prod(shape) * dtype.itemsize > LARGEST_BYTES:
        raise _NotReal(f'the shape {list(shape)}, above 1 GiB')
    flat = np.frombuffer(numbers, kind_stored)
    # MATLAB stores integral values in the smallest type that holds them.
    with np.errstate(invalid='ignore'):
        return flat.astype(dtype).reshape(shape, order='F')
