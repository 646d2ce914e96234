"""Files of :func:`torch.save`, read without executing anything in them."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from graphmotion.io.files import MalformedFileError, open_zip

# A tensor may be larger than its file by repeating its values: up to this, and a multiple.
_FREE_BYTES, _FACTOR = 2**28, 16


def load_torch(path: str, mmap: bool = False) -> Any:
    r"""Loads tensors and plain containers to the CPU.

    With :obj:`mmap`, tensors stay on disk until they are accessed.

    Raises:
        MalformedFileError: If the file is compressed or holds tensors that are far larger than it.
        Exception: Of many types, if the file is damaged or holds other objects.
    """
    if zipfile.is_zipfile(path):
        with open_zip(path) as archive:
            if any(member.compress_type for member in archive.infolist()):
                raise MalformedFileError(path, 'content', 'tensors as stored by torch', 'a zip')
    content = torch.load(path, map_location='cpu', weights_only=True, mmap=mmap)
    limit = _FREE_BYTES + _FACTOR * os.path.getsize(path)
    for tensor in _tensors(content, set()):
        if tensor.numel() * tensor.element_size() > limit:
            found = f'the shape {list(tensor.shape)}'
            raise MalformedFileError(path, 'tensor', 'a size that fits the file', found)
    return content


def _tensors(value: Any, done: set[int]) -> Iterator[Tensor]:
    """Yields the tensors in plain containers, which may contain themselves."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping | list | tuple | set) and id(value) not in done:
        done.add(id(value))
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _tensors(item, done)
