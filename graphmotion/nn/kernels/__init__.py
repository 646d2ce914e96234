"""Compiled operators for processors with AVX2 or AVX-512.

The installation compiles them if there is a C compiler. Without one, on other processors, and if
the environment variable ``GRAPHMOTION_KERNELS`` is ``0``, operators of torch compute the same.
"""

from __future__ import annotations

import ctypes
import os
import warnings
import zlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import Parameter

from graphmotion.nn.eager import is_eager, is_eager_cpu

# The name of the library and the width of its vectors, by the name that torch gives the processor.
LIBRARIES = {'AVX512': ('_avx512', 16), 'AVX2': ('_avx2', 8)}


class Kernels:
    """The functions of a compiled library."""

    def __init__(self, path: str, width: int) -> None:
        self.width = width
        self._library = ctypes.CDLL(path)
        self._library.checksum.restype = ctypes.c_uint32

    @property
    def checksum(self) -> int:
        """The checksum of the sources from which the library was compiled."""
        return int(self._library.checksum())

    def __call__(self, name: str, *args: object) -> None:
        """Calls a function with tensors, sequences of integers, integers and floats; a tensor is
        passed as the address of its data.
        """
        threads = ctypes.c_int(torch.get_num_threads())
        if getattr(self._library, name)(*map(_to_c, args), threads):
            raise MemoryError(f'{name} failed to allocate memory')


def _to_c(value: object) -> object:
    if isinstance(value, torch.Tensor):
        return ctypes.c_void_p(value.data_ptr())
    if isinstance(value, float):
        return ctypes.c_float(value)
    if isinstance(value, int):
        return ctypes.c_int64(value)
    if value is None:
        return ctypes.c_void_p(None)
    assert isinstance(value, list | tuple)
    return (ctypes.c_int64 * len(value))(*value)


def find_kernels(*tensors: Tensor) -> Kernels | None:
    """Returns the compiled operators if they support the tensors, all in single precision.

    They are not used where something else follows the operators of torch, such as a compiler or
    :class:`~torch.utils.flop_counter.FlopCounterMode`.
    """
    supported = (
        tensors[0].dtype == torch.float32
        and is_eager_cpu(*tensors)
        and torch._C._len_torch_dispatch_stack() == torch._C._len_torch_function_stack() == 0
        and all(type(x) in (Tensor, Parameter) for x in tensors)
        # Numbers that are not in memory as they are.
        and not any(x.is_neg() or x._is_zerotensor() for x in tensors)
    )
    return load_kernels() if supported else None


def is_followed(gradient: Tensor) -> bool:
    """Returns whether a backward pass must consist of operators of torch, which are differentiated
    again, counted or transformed.
    """
    return (
        torch.is_grad_enabled()
        or torch._C._len_torch_dispatch_stack() > 0
        or not is_eager()
        or torch._C._functorch.is_legacy_batchedtensor(gradient)  # is_grads_batched=True
    )


def to_plain(gradient: Tensor) -> Tensor:
    """Returns a gradient as it is in memory, without strides."""
    return gradient.resolve_neg().contiguous()


@cache
def load_kernels() -> Kernels | None:
    """Returns the compiled operators for this processor, or None if there are none."""
    capability = torch.backends.cpu.get_cpu_capability()
    if capability not in LIBRARIES or os.environ.get('GRAPHMOTION_KERNELS') == '0':
        return None
    name, width = LIBRARIES[capability]
    spec = find_spec(f'{__name__}.{name}')
    if spec is None or spec.origin is None:
        return None
    try:
        kernels = Kernels(spec.origin, width)
    except OSError:  # compiled for another system
        return None
    sources = _checksum()
    if sources is not None and kernels.checksum != sources:
        warnings.warn(
            f'{spec.origin} was compiled from other sources and is not used; install graphmotion '
            'again',
            stacklevel=2,
        )
        return None
    return kernels


def _checksum() -> int | None:
    """Returns the checksum of the sources, or None if they are not installed."""
    checksum = None
    for path in sorted((Path(__file__).parent / 'src').glob('*.[ch]')):
        checksum = zlib.crc32(path.read_bytes(), checksum or 0)
    return checksum
