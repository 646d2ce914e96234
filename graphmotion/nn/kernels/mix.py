"""Compiled sums over nodes weighted by maps of several heads that share the features."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from graphmotion.nn.eager import is_eager
from graphmotion.nn.kernels import Kernels, find_kernels, is_followed, to_plain

# Nodes and channels of which a panel stays in the cache.
MAX_NODES = 128
MAX_CHANNELS = 512


def mix_nodes(maps: Tensor, x: Tensor) -> Tensor | None:
    r"""Computes the sums :math:`\sum_u \mathbf{M}_{h,v,u} \mathbf{X}_{u,t}` of all heads.

    Returns None if the tensors are not supported.

    Shapes:
        - **maps:** :math:`(B, G, H, V, U)`, where each of :math:`G` maps is that of :math:`T / G`
          frames
        - **x:** :math:`(B, U, T, C)`
        - **output:** :math:`(B, V, T, H \cdot C)`, channels of a head side by side
    """
    if not is_eager():
        return None
    sizes = maps.size(0), maps.size(-1)
    if sizes != (x.size(0), x.size(1)) or max(maps.shape[-2:]) > MAX_NODES:
        return None
    if x.size(2) % max(1, maps.size(1)) or x.size(3) > MAX_CHANNELS:
        return None
    kernels = find_kernels(maps, x)
    # Contiguous here, so that second derivatives are those of the inputs.
    return None if kernels is None else _Mix.apply(maps.contiguous(), x.contiguous(), kernels)


class _Mix(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, maps: Tensor, x: Tensor, kernels: Kernels) -> Tensor:
        ctx.save_for_backward(maps, x)
        ctx.kernels = kernels
        heads, targets = maps.shape[2:4]
        out = x.new_empty(x.size(0), targets, x.size(2), heads * x.size(3))
        kernels('mix_forward', maps, x, out, [*maps.shape, *x.shape[2:]])
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        maps, x = ctx.saved_tensors
        needs_maps, needs_x, _ = ctx.needs_input_grad
        if is_followed(gradient):
            groups, heads = maps.shape[1:3]
            upper = gradient.unflatten(2, (groups, -1)).unflatten(-1, (heads, -1))
            frames = x.unflatten(2, (groups, -1))
            x_grad = torch.einsum('bghvu,bvgthc->bugtc', maps, upper).flatten(2, 3)
            return torch.einsum('bvgthc,bugtc->bghvu', upper, frames), x_grad, None
        grads = (
            torch.zeros_like(maps) if needs_maps else None,
            torch.empty_like(x) if needs_x else None,
        )
        senders = maps.permute(0, 1, 4, 2, 3).contiguous()
        sizes = [*maps.shape, *x.shape[2:]]
        ctx.kernels('mix_backward', senders, x, to_plain(gradient), *grads, sizes)
        return *grads, None
