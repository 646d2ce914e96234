"""Files of recognizers: tensors and JSON, from which nothing is executed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

import graphmotion
from graphmotion.io.files import MalformedFileError, atomic_write

#: Version of the format. It grows whenever older versions cannot read the files.
VERSION = 1
# Name of the JSON in the metadata of the file.
_KEY = 'graphmotion.recognizer'
# Memory that building the networks of a file may take: this, and a multiple of the file.
_FREE_BYTES, _FACTOR = 2**28, 16
# Counted for each tensor, which limits their number.
_MIN_BYTES = 2**12


def write_recognizer(path: str, content: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    r"""Writes a recognizer atomically, as safetensors with JSON in the metadata.

    Args:
        path (str): Path of the file.
        content (mapping): Everything but tensors, which :func:`json.dumps` accepts.
        tensors (mapping): Tensors by name.
    """
    header = {'version': VERSION, 'graphmotion': graphmotion.__version__, **content}
    # Cloned, since safetensors does not store tensors that share memory.
    plain = {name: t.detach().cpu().contiguous().clone() for name, t in tensors.items()}
    data = save(plain, metadata={_KEY: json.dumps(header, allow_nan=False)})
    with atomic_write(path) as file:
        file.write(data)


def read_recognizer(path: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    r"""Reads the content and the tensors of a recognizer.

    Raises:
        FileNotFoundError: If the file does not exist.
        MalformedFileError: If the file is damaged, is not a recognizer or was written in a newer
            format.
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(f'{path}: no such file')
    try:
        with safe_open(path, framework='pt', device='cpu') as file:
            metadata = file.metadata() or {}
            if _KEY not in metadata:
                raise MalformedFileError(path, 'metadata', 'a recognizer', 'none')
            content = _parse(path, metadata[_KEY])
            names = file.keys()
            # Cloned, as they are mapped to the file.
            return content, {name: file.get_tensor(name).clone() for name in names}
    except (SafetensorError, OSError) as error:
        raise MalformedFileError(
            path, 'content', 'a complete file of safetensors', f'{error}'
        ) from error


def _parse(path: str, text: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MalformedFileError(path, 'metadata', 'valid JSON', str(error)) from error
    version = content.get('version') if isinstance(content, dict) else None
    if type(version) is not int or version < 1:
        raise MalformedFileError(path, 'version', 'a version of the format', f'{version!r}')
    if version > VERSION:
        found = f'version {version}, written by graphmotion {content.get("graphmotion")}'
        raise MalformedFileError(path, 'version', f'at most {VERSION}; update graphmotion', found)
    return content


@contextmanager
def limited_memory(path: str) -> Iterator[None]:
    r"""Refuses to create tensors that are far larger than a file, as its options may be damaged."""
    limit = _FREE_BYTES + _FACTOR * os.path.getsize(path)
    with _LimitedMemory(limit):
        yield


class _LimitedMemory(TorchDispatchMode):
    """Limits the bytes of new tensors."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.left = limit

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func._overloadpacket.__name__ in _FACTORIES and args:
            shape = args[1] if isinstance(args[0], Tensor) else args[0]
            if isinstance(shape, (list, tuple)):
                dtype = (kwargs or {}).get('dtype') or torch.get_default_dtype()
                size = dtype.itemsize
                for length in shape:
                    size *= int(length)
                self.left -= max(size, _MIN_BYTES)
                if self.left < 0:
                    raise ValueError(f'a tensor of shape {list(shape)} is far larger than the file')
        return func(*args, **(kwargs or {}))


_FACTORIES = {
    *('empty', 'zeros', 'ones', 'full', 'rand', 'randn', 'randint', 'empty_strided'),
    *('new_empty', 'new_zeros', 'new_ones', 'new_full', 'new_empty_strided'),
}
