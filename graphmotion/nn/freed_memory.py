"""Freed memory that the allocator of glibc keeps instead of returning it to the system, since the
first use of new pages takes more time than many operations.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

import torch

# Options of mallopt(3).
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_LARGEST = 2**25  # largest threshold for a piece of memory that glibc sets itself
_VARIABLES = ('MALLOC_MMAP_THRESHOLD_', 'MALLOC_TRIM_THRESHOLD_', 'GLIBC_TUNABLES')
_lock = threading.Lock()
_users: list[int] = []  # the sizes of all who keep memory at this time


def keep_freed_memory() -> None:
    """Keeps up to 64 MB of freed memory in the process.

    Memory is returned to the system from a threshold that grows to twice the largest piece that was
    freed, of up to 32 MB (``mallopt(3)``).
    """
    torch.empty(_LARGEST - 2**16, dtype=torch.uint8)  # never written, so that it takes no memory


@contextmanager
def kept_freed_memory(size: int = 2**30) -> Iterator[None]:
    """Keeps up to ``size`` bytes of freed memory in the process, in pieces of any size.

    Afterwards, memory is returned, and from then on at most 64 MB are kept. Settings of the user by
    the variables of glibc are left as they are.
    """
    keep_freed_memory()
    if any(name in os.environ for name in _VARIABLES):
        yield
        return
    with _lock:
        _users.append(size)
        _set_limits(max(_users), max(_users))
    try:
        yield
    finally:
        with _lock:
            _users.remove(size)
            if _users:
                _set_limits(max(_users), max(_users))
            else:
                _set_limits(_LARGEST, 2 * _LARGEST)
                trim = _from_glibc('malloc_trim')
                if trim is not None:
                    trim(0)


def _set_limits(piece: int, total: int) -> None:
    """Sets the largest size of a piece of memory that is kept and of all at the end of the heap."""
    mallopt = _from_glibc('mallopt')
    # Releases before 2.35 refuse larger pieces than 32 MB.
    if mallopt is not None and mallopt(_MMAP_THRESHOLD, piece):
        mallopt(_TRIM_THRESHOLD, total)


@cache
def _from_glibc(name: str) -> Callable[..., int] | None:
    """Returns a function of the C library if that is glibc."""
    if sys.platform != 'linux':
        return None
    library = ctypes.CDLL(None)
    return getattr(library, name, None) if hasattr(library, 'gnu_get_libc_version') else None
