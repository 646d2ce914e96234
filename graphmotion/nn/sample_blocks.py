"""Inference in blocks of samples whose features fit the cache of a CPU."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import Module
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.module import _has_any_global_hook

from graphmotion.nn.eager import is_eager
from graphmotion.nn.freed_memory import keep_freed_memory

# Size of the largest features of a block, for each thread. With 4 of 64 samples in a block,
# GaitMixer takes 0.7 times as long as with all of them, whose features are written to memory.
_BLOCK_BYTES = 2**22


def apply_to_samples(
    module: Module,
    function: Callable[[Tensor, Tensor | None], Tensor],
    x: Tensor,
    mask: Tensor | None,
    num_nodes: int,
    channels: int,
) -> Tensor:
    """Applies a function of ``module`` to the features [B * V, T, *], or [B * V, C], of samples of
    V nodes each.

    The function returns a row for each sample, which does not depend on other samples unless the
    module is in training mode. In inference on a CPU, it is called for one block of samples after
    another. ``channels`` is the number of features of a node and frame where they are largest.
    """
    if is_eager() and x.device.type == 'cpu' and not torch.is_grad_enabled():
        num_frames = x.size(1) if x.dim() > 2 else 1
        size = num_frames * channels * x.element_size() * num_nodes
        step = max(1, _BLOCK_BYTES * torch.get_num_threads() // max(1, size)) * num_nodes
        if step < x.size(0) and _can_be_split(module):
            keep_freed_memory()
            masks = (None,) * -(-x.size(0) // step) if mask is None else mask.split(step)
            return torch.cat([function(*block) for block in zip(x.split(step), masks)])
    return function(x, mask)


def _can_be_split(module: Module) -> bool:
    """Returns whether samples are independent and no hook would see the features of a block."""
    return not (
        module.training
        or has_hooks(module)
        or any(part.training and isinstance(part, _BatchNorm) for part in module.modules())
    )


def has_hooks(module: Module) -> bool:
    """Returns whether there are hooks that would see features of parts of the module."""
    return _has_any_global_hook() or any(
        part._forward_hooks
        or part._forward_pre_hooks
        or part._backward_hooks
        or part._backward_pre_hooks
        for part in module.modules()
    )
