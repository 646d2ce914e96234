"""Conditions of the autograd functions that are written for CPUs."""

from __future__ import annotations

import torch
from torch import Tensor


def is_eager() -> bool:
    """Returns whether operations are neither compiled, traced nor differentiated
    in forward mode or transformed by :mod:`torch.func`.
    """
    if torch.compiler.is_compiling() or torch.jit.is_tracing():
        return False
    is_forward_mode = torch.autograd.forward_ad._current_level >= 0
    return not (is_forward_mode or torch._C._are_functorch_transforms_active())


def is_eager_cpu(*tensors: Tensor) -> bool:
    """Returns whether tensors are on the CPU, dense, real, of one precision and not empty, and
    neither under autocast nor in code that a compiler fuses itself (:func:`is_eager`).
    """
    if not is_eager() or torch.is_autocast_enabled('cpu'):
        return False
    dtype = tensors[0].dtype
    return dtype in (torch.float32, torch.float64) and all(
        x.device.type == 'cpu'
        and x.dtype == dtype
        and x.layout == torch.strided
        and not x.is_nested
        and x.numel() > 0
        for x in tensors
    )
