"""Freed memory that the allocator of glibc keeps instead of returning it to the system, since the
first use of new pages takes more time than many operations.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

import torch

# Options of mallopt(3).
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_LARGEST = 2**25  # largest threshold for a piece of memory that glibc sets itself


def keep_freed_memory() -> None:
    """Keeps up to 64 MB of freed memory in the process.

    Memory is returned to the system from a threshold that grows to twice the largest piece that was
    freed, of up to 32 MB (``mallopt(3)``).
    """
    torch.empty(_LARGEST - 2**16, dtype=torch.uint8)  # never written, so that it takes no memory


@contextmanager
def kept_freed_memory(size: int = 2**30) -> Iterator[None]:
    """Keeps freed memory in the process, up to ``size`` bytes in pieces of any size, and returns
    it to the system in the end, but for the next 64 MB.
    """
    keep_freed_memory()
    mallopt = _from_glibc('mallopt')
    # Releases before 2.35 refuse larger pieces than 32 MB.
    if mallopt is None or not mallopt(_MMAP_THRESHOLD, size):
        yield
        return
    mallopt(_TRIM_THRESHOLD, size)
    try:
        yield
    finally:
        mallopt(_MMAP_THRESHOLD, _LARGEST)
        mallopt(_TRIM_THRESHOLD, 2 * _LARGEST)
        trim = _from_glibc('malloc_trim')
        if trim is not None:
            trim(0)


@cache
def _from_glibc(name: str) -> Callable[..., int] | None:
    """Returns a function of the C library if that is glibc."""
    if sys.platform != 'linux':
        return None
    library = ctypes.CDLL(None)
    return getattr(library, name, None) if hasattr(library, 'gnu_get_libc_version') else None
