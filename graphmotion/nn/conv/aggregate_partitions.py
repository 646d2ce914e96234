"""Graph convolution over the partitions of an adjacency shared by all graphs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from graphmotion.nn.eager import is_eager_cpu
from graphmotion.nn.graphs import split_graphs
from graphmotion.nn.kernels import graph as kernels
from graphmotion.nn.linear import prefers_convolutions

# Number of values of the graphs that are convolved at once, so that they stay in the cache.
BLOCK_SIZE = 2**17


def can_aggregate(x: Tensor, adj: Tensor, weight: Tensor) -> bool:
    """Returns whether :func:`aggregate_partitions` supports tensors and saves time."""
    num_partitions, in_channels, out_channels = weight.shape
    if adj.dim() != 3 or adj.size(1) != adj.size(2) or in_channels > out_channels:
        return False
    if num_partitions == 1:
        return kernels.supports(x, adj, weight)
    return is_eager_cpu(x, adj, weight)


def aggregate_nodes(x: Tensor, adj: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Applies :func:`aggregate_partitions` to node features [B * V, T, C], or [B * V, C]."""
    graphs = split_graphs(x, adj.size(-1))
    frames = graphs if graphs.dim() == 4 else graphs.unsqueeze(2)
    return aggregate_partitions(frames, adj, weight, bias).view(*x.shape[:-1], -1)


def aggregate_partitions(graphs: Tensor, adj: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    r"""Computes :math:`\mathbf{b} + \sum_k \mathbf{A}_k \mathbf{X}_t \mathbf{\Theta}_k`.

    The sums over neighbours are not stored for the backward pass, which computes them again.

    Shapes:
        - **graphs:** :math:`(B, V, T, F_{in})`
        - **adj:** :math:`(K, V, V)`
        - **weight:** :math:`(K, F_{in}, F_{out})`
        - **bias:** bias of each node :math:`(V, F_{out})`
        - **output:** :math:`(B, V, T, F_{out})`
    """
    out = kernels.convolve(graphs, adj, weight, bias)
    if out is not None:
        return out
    return _AggregatePartitions.apply(graphs.contiguous(), adj, weight, bias)


class _AggregatePartitions(torch.autograd.Function):
    @staticmethod
    def forward(graphs: Tensor, adj: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        # Of one frame of one graph, the expanded bias is contiguous already.
        out = (
            bias.unsqueeze(1)
            .expand(*graphs.shape[:-1], -1)
            .clone(memory_format=torch.contiguous_format)
        )
        if prefers_convolutions(graphs):
            matrix, kernel = _stack(adj, weight)
            for x, part in _blocks(graphs, out):
                received = torch.bmm(matrix.expand(len(x), -1, -1), x)
                image = _to_image(received, len(adj), weight.size(1))
                part += conv2d(image, kernel).permute(0, 2, 3, 1).reshape(part.shape)
            return out
        for x, part in _blocks(graphs, out):
            rows = part.view(-1, out.size(-1))
            received = torch.empty_like(x)
            for k, matrix in enumerate(adj):
                torch.bmm(matrix.expand(len(x), -1, -1), x, out=received)
                # FlopCounterMode does not count operations in place, but those with `out`.
                torch.addmm(rows, received.view(-1, weight.size(1)), weight[k], out=rows)
        return out

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs[:3])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        graphs, adj, weight = ctx.saved_tensors
        bias_grad = gradient.sum(dim=(0, 2)) if ctx.needs_input_grad[3] else None
        if torch.is_grad_enabled():  # a second derivative is required
            messages = torch.einsum('bvtf,kcf->kbvtc', gradient, weight)
            return (
                torch.einsum('kbvtc,kvu->butc', messages, adj),
                torch.einsum('kbvtc,butc->kvu', messages, graphs),
                torch.einsum('kvu,butc,bvtf->kcf', adj, graphs, gradient),
                bias_grad,
            )
        find = _gradients_by_convolutions if prefers_convolutions(graphs) else _gradients
        grads = find(graphs, adj, weight, gradient.contiguous(), ctx.needs_input_grad)
        return (*grads, bias_grad)


def _gradients(
    graphs: Tensor, adj: Tensor, weight: Tensor, gradient: Tensor, needed: tuple[bool, ...]
) -> tuple[Tensor | None, ...]:
    """Computes the required gradients of the features, the adjacency and the weight."""
    x_grad = torch.empty_like(graphs) if needed[0] else None
    adj_grad = torch.zeros_like(adj) if needed[1] else None
    weight_grad = torch.zeros_like(weight) if needed[2] else None
    # Without a gradient of the features, the blocks of the features take its place unused.
    for x, part, x_part in _blocks(graphs, gradient, graphs if x_grad is None else x_grad):
        rows = part.view(-1, weight.size(2))
        buffer = torch.empty_like(x)
        for k, matrix in enumerate(adj):
            if weight_grad is not None:
                torch.bmm(matrix.expand(len(x), -1, -1), x, out=buffer)
                total = weight_grad[k]
                torch.addmm(total, buffer.view(-1, weight.size(1)).t(), rows, out=total)
            if x_grad is None and adj_grad is None:
                continue
            torch.mm(rows, weight[k].t(), out=buffer.view(-1, weight.size(1)))
            if adj_grad is not None:
                adj_grad[k] += torch.bmm(buffer, x.mT).sum(dim=0)
            if x_grad is not None:
                senders = matrix.t().expand(len(x), -1, -1)
                torch.baddbmm(x_part, senders, buffer, beta=int(k > 0), out=x_part)
    return x_grad, adj_grad, weight_grad


def _stack(adj: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the adjacencies of all partitions [K * V, V], and the weights as a kernel over the
    partitions [F_out, F_in, K, 1].
    """
    kernel = weight.permute(2, 1, 0).unsqueeze(3)
    return adj.flatten(0, 1), kernel.contiguous(memory_format=torch.channels_last)


def _to_image(x: Tensor, num_partitions: int, channels: int) -> Tensor:
    """Views [B, K * V, T * C] as a channels-last image [B, C, K, V * T]."""
    return x.view(len(x), num_partitions, -1, channels).permute(0, 3, 1, 2)


def _gradients_by_convolutions(
    graphs: Tensor, adj: Tensor, weight: Tensor, gradient: Tensor, needed: tuple[bool, ...]
) -> tuple[Tensor | None, ...]:
    """Computes the required gradients as :func:`_gradients`, with the products of all partitions as
    one convolution.
    """
    x_grad = torch.empty_like(graphs) if needed[0] else None
    adj_grad = torch.zeros_like(adj).flatten(0, 1) if needed[1] else None
    matrix, kernel = _stack(adj, weight)
    kernel_grad = torch.zeros_like(kernel) if needed[2] else None
    for x, part, x_part in _blocks(graphs, gradient, graphs if x_grad is None else x_grad):
        received = torch.bmm(matrix.expand(len(x), -1, -1), x)
        part_grad, kernel_part, _ = torch.ops.aten.convolution_backward(
            _to_image(part, 1, weight.size(2)),
            _to_image(received, len(adj), weight.size(1)),
            kernel,
            None,
            [1, 1],
            [0, 0],
            [1, 1],
            False,
            [0, 0],
            1,
            [needed[0] or needed[1], needed[2], False],
        )
        if kernel_grad is not None:
            kernel_grad += kernel_part
        if part_grad is None:
            continue
        part_grad = part_grad.permute(0, 2, 3, 1).reshape(received.shape)
        if adj_grad is not None:
            adj_grad += torch.bmm(part_grad, x.mT).sum(dim=0)
        if x_grad is not None:
            torch.bmm(matrix.t().expand(len(x), -1, -1), part_grad, out=x_part)
    weight_grad = None if kernel_grad is None else kernel_grad.squeeze(3).permute(2, 1, 0)
    return x_grad, None if adj_grad is None else adj_grad.view(adj.shape), weight_grad


def _blocks(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Yields blocks of a few graphs of tensors [B, V, T, C] as views [b, V, T * C]."""
    num_graphs = max(1, BLOCK_SIZE // tensors[0][0].numel())
    yield from zip(*(x.flatten(2).split(num_graphs) for x in tensors))
