"""Safe loading of pickles that hold arrays and plain containers."""

from __future__ import annotations

import io
import math
import os
import pickle
import struct
from collections import OrderedDict
from collections.abc import Callable
from typing import IO, Any, NoReturn

import numpy as np

from graphmotion.io.files import MalformedFileError

# Booleans, numbers and text: array types without Python objects.
_KINDS = 'biufcSU'
_ALLOWED = 'numpy arrays of numbers or text, and plain containers'


def load_pickle(path: str, content: bytes | None = None) -> Any:
    r"""Loads a pickle of numpy arrays and plain containers without running code.

    Allowed are dicts, lists, tuples, sets, numbers, text, bytes, booleans, :obj:`None` and arrays
    of them. Pickles can name arbitrary functions to be called on loading; any name other than
    those needed for these types stops loading before anything is called. Arrays of Python objects
    are rejected. Pickles written by numpy 1 and 2 and by Python 2 are supported.

    .. code-block:: python

        keypoints = load_pickle('walk.pkl')

    Args:
        path (str): Path of the file.
        content (bytes, optional): Content of the file if already read. (default: :obj:`None`)

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is empty, truncated, not a pickle, or holds any other object.
    """
    with _open(path, content) as file:
        if not file.read(1):
            raise MalformedFileError(path, 'content', 'a pickle', 'an empty file')
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        try:
            return _plain(_Unpickler(_BoundedFile(file, size), encoding='latin1').load(), {})
        except _Forbidden as error:
            raise MalformedFileError(path, 'object', _ALLOWED, str(error)) from None
        except Exception as error:  # damaged files raise errors of many types
            found = f'{type(error).__name__}: {error}'
            raise MalformedFileError(path, 'content', 'a complete pickle', found) from error


def _open(path: str, content: bytes | None) -> IO[bytes]:
    if content is not None:
        return io.BytesIO(content)
    if not os.path.isfile(path):
        raise FileNotFoundError(f'{path}: no such file')
    return open(path, 'rb')


class _Forbidden(Exception):
    """Raised for anything that is neither an array nor a plain container."""


class _BoundedFile:
    """A file that never allocates more than is left of it, whatever length a pickle claims."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self.file, self.size = file, size
        self.readline = file.readline

    def read(self, size: int) -> bytes:
        # Most reads are short, and asking for the position takes time.
        return self.file.read(size if size <= 4096 else min(size, self.size - self.file.tell()))


# Not the version in C, whose memo is an array: 5 bytes of a file can make it allocate 32 GB.
class _Unpickler(pickle._Unpickler):
    """Unpickler that resolves a few names, each to a restricted replacement defined here."""

    read: Callable[[int], bytes]
    append: Callable[[Any], None]

    def find_class(self, module: str, name: str) -> Any:
        # numpy 2 moved its core, Python 3 its builtins.
        module = module.replace('numpy._core', 'numpy.core').replace('__builtin__', 'builtins')
        known = (module, name)
        if known not in _KNOWN:
            raise _Forbidden(f'{module}.{name}')
        return _KNOWN[known]

    def persistent_load(self, pid: Any) -> NoReturn:
        raise _Forbidden('a persistent ID')

    def load_bytearray8(self) -> None:
        """Reads the bytes before it allocates an array for them."""
        (size,) = struct.unpack('<Q', self.read(8))
        content = self.read(size)
        if len(content) != size:
            raise EOFError(f'{len(content)} of {size} bytes')
        self.append(bytearray(content))

    dispatch = {**pickle._Unpickler.dispatch, pickle.BYTEARRAY8[0]: load_bytearray8}  # type: ignore[dict-item]


class _Maker:
    """Wraps a function so that a pickle can call it but not modify it."""

    __slots__ = ('make',)

    def __init__(self, make: Callable) -> None:
        self.make = make

    def __call__(self, *args: Any) -> Any:
        return self.make(*args)

    def __setstate__(self, state: Any) -> NoReturn:
        raise _Forbidden('the state of a function')


class _DType:
    """Replacement of numpy.dtype whose only state is the byte order."""

    __slots__ = ('dtype',)

    def __init__(self, spec: str, *_: Any) -> None:
        self.dtype = np.dtype(spec) if isinstance(spec, str) else np.dtype(object)
        if self.dtype.kind not in _KINDS or self.dtype.subdtype:
            raise _Forbidden(f'an array of type {spec}')

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, order, *structure = state[:5]
        if any(structure):
            raise _Forbidden('an array of records')
        self.dtype = self.dtype.newbyteorder(order)


class _Array(np.ndarray):
    """Array that validates its state; :func:`_plain` converts it to a plain array."""

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        version, shape, kind, fortran, content = state
        if not isinstance(kind, _DType):
            raise _Forbidden('an array without a type')
        if isinstance(content, str):  # bytes of Python 2
            content = content.encode('latin1')
        if not kind.dtype.itemsize and math.prod(shape):
            raise _Forbidden('an array of values without size')
        super().__setstate__((version, shape, kind.dtype, fortran, content))


def _reconstruct(*_: Any) -> _Array:
    return _Array((0,), np.int8)


def _from_buffer(content: bytes, kind: _DType, shape: tuple[int, ...], order: Any) -> np.ndarray:
    # A copy, since bytes are read-only.
    return np.frombuffer(content, kind.dtype).reshape(shape, order=order).copy(order)


def _scalar(kind: _DType, content: bytes | str) -> Any:
    content = content.encode('latin1') if isinstance(content, str) else content
    return np.frombuffer(content, kind.dtype, count=1)[0]


def _encode(text: str, encoding: str) -> bytes:
    """Decodes bytes of protocols before 3."""
    if encoding != 'latin1':
        raise _Forbidden(f'text in the encoding {encoding}')
    return text.encode('latin1')


def _no_bytes(*args: Any) -> bytes:
    """Returns the empty bytes of protocols before 3."""
    if args:
        raise _Forbidden('a call of bytes')
    return b''


def _refuse(*_: Any) -> NoReturn:
    raise _Forbidden('a call of numpy.ndarray')


_MAKERS: dict[tuple[str, str], Callable] = {
    ('numpy', 'ndarray'): _refuse,  # an argument of _reconstruct, which ignores it
    ('numpy', 'dtype'): _DType,
    ('numpy.core.multiarray', '_reconstruct'): _reconstruct,
    ('numpy.core.multiarray', 'scalar'): _scalar,
    ('numpy.core.numeric', '_frombuffer'): _from_buffer,
    ('_codecs', 'encode'): _encode,
    ('builtins', 'bytes'): _no_bytes,
    ('collections', 'OrderedDict'): OrderedDict,
    ('builtins', 'set'): set,
    ('builtins', 'frozenset'): frozenset,
}
_KNOWN = {name: _Maker(make) for name, make in _MAKERS.items()}


def _plain(value: Any, done: dict[int, Any]) -> Any:
    """Replaces each :class:`_Array` by a plain array."""
    if isinstance(value, _Array):
        return value.view(np.ndarray)
    if isinstance(value, _Maker | _DType):
        raise _Forbidden('a function or a type')
    if id(value) in done:  # containers may contain themselves
        return done[id(value)]
    if isinstance(value, list):
        done[id(value)] = value
        value[:] = [_plain(v, done) for v in value]
    elif isinstance(value, dict):
        done[id(value)] = value
        for key in value:
            _plain(key, done)
            value[key] = _plain(value[key], done)
    elif isinstance(value, tuple):
        done[id(value)] = tuple(_plain(v, done) for v in value)
        return done[id(value)]
    elif isinstance(value, set | frozenset):
        for v in value:
            _plain(v, done)
    return value
