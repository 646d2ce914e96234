"""Compiled convolution over an adjacency that all graphs share."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from graphmotion.nn.eager import is_eager
from graphmotion.nn.kernels import Kernels, find_kernels, is_followed, to_plain

# Rows of the adjacencies of all partitions, which stay in the cache.
MAX_ROWS = 512


def supports(x: Tensor, adj: Tensor, weight: Tensor) -> bool:
    """Returns whether :func:`convolve` supports features, adjacencies [K, V, V] and weights."""
    return _sizes_fit(x, adj, weight) and find_kernels(x, adj, weight) is not None


def _sizes_fit(x: Tensor, adj: Tensor, weight: Tensor) -> bool:
    if not is_eager() or adj.size(0) * adj.size(1) > MAX_ROWS:
        return False
    return len(adj) == len(weight) and x.size(-1) == weight.size(1)


def convolve(graphs: Tensor, adj: Tensor, weight: Tensor, bias: Tensor) -> Tensor | None:
    r"""Computes :math:`\mathbf{b} + \sum_k \mathbf{A}_k \mathbf{X}_t \mathbf{\Theta}_k`.

    Returns None if the tensors are not supported. Shapes are those of
    :func:`~graphmotion.nn.conv.aggregate_partitions.aggregate_partitions`.
    """
    num_nodes = adj.size(-1)
    shapes = graphs.size(1) == adj.size(1) == num_nodes, bias.shape == (num_nodes, weight.size(-1))
    if not _sizes_fit(graphs, adj, weight) or not all(shapes):
        return None
    kernels = find_kernels(graphs, adj, weight, bias)
    if kernels is None:
        return None
    # Contiguous here, so that second derivatives are those of the inputs.
    inputs = (part.contiguous() for part in (graphs, adj, weight, bias))
    return _Convolution.apply(*inputs, kernels)


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, graphs: Tensor, adj: Tensor, weight: Tensor, bias: Tensor, kernels: Kernels
    ) -> Tensor:
        ctx.save_for_backward(graphs, adj, weight)
        ctx.kernels = kernels
        out = graphs.new_empty(*graphs.shape[:-1], weight.size(2))
        sizes = [*graphs.shape, weight.size(2), len(adj)]
        kernels('graph_forward', graphs, adj, weight, bias, out, sizes)
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        graphs, adj, weight = ctx.saved_tensors
        needs_x, needs_adj, needs_weight, needs_bias, _ = ctx.needs_input_grad
        bias_grad = gradient.sum(dim=(0, 2)) if needs_bias else None
        if is_followed(gradient):
            x_grad = adj_grad = weight_grad = None
            if needs_x or needs_adj:
                messages = torch.einsum('bvtf,kcf->kbvtc', gradient, weight)
                x_grad = torch.einsum('kbvtc,kvu->butc', messages, adj) if needs_x else None
                adj_grad = torch.einsum('kbvtc,butc->kvu', messages, graphs) if needs_adj else None
            if needs_weight:
                received = torch.einsum('kvu,butc->kbvtc', adj, graphs)
                weight_grad = torch.einsum('kbvtc,bvtf->kcf', received, gradient)
            return x_grad, adj_grad, weight_grad, bias_grad, None
        grads = (
            torch.empty_like(graphs) if needs_x else None,
            torch.zeros_like(adj) if needs_adj else None,
            torch.zeros_like(weight) if needs_weight else None,
        )
        senders, rows = adj.permute(2, 0, 1).contiguous(), weight.mT.contiguous()
        sizes = [*graphs.shape, weight.size(2), len(adj)]
        inputs = graphs, adj, senders, rows, to_plain(gradient)
        ctx.kernels('graph_backward', *inputs, *grads, sizes)
        return *grads, bias_grad, None
