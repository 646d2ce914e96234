"""Blocks of PyTorch's transformer, computed faster for short sequences and single queries."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import (
    MultiheadAttention,
    TransformerDecoderLayer,
    TransformerEncoderLayer,
    functional,
)
from torch.nn.functional import dropout, relu_

from graphmotion.nn.attention.attend import attend
from graphmotion.nn.eager import is_eager_cpu
from graphmotion.nn.linear import linear, prefers_convolutions
from graphmotion.nn.sample_blocks import has_hooks

# Number of rows whose gradient of hidden features is computed at once. The memory is used again,
# because the system maps each new large tensor page by page.
BLOCK_SIZE = 1024


def encode(block: TransformerEncoderLayer, x: Tensor, padded: Tensor | None = None) -> Tensor:
    """Applies an encoder block with ReLU and normalisation last to sequences [N, T, C].

    ``padded`` [N, T] is True for the frames that no frame attends to. In training on a CPU, this
    saves copies of queries, keys and values and, without convolutions, memory for the gradients of
    hidden features.
    """
    attention = block.self_attn
    trained = block.training and torch.is_grad_enabled()
    layers = block.dropout, block.dropout1, block.dropout2
    drops = any(layer.training and layer.p > 0 for layer in layers)
    drops = drops or (attention.training and attention.dropout > 0)
    faster = (trained or prefers_convolutions(x)) and not has_hooks(block)
    if drops or not (faster and is_eager_cpu(x, attention.in_proj_weight)):
        return block(x, src_key_padding_mask=padded)
    shape = (*x.shape[:2], attention.num_heads, -1)
    rows = x.flatten(0, 1)
    query, key, value = (
        linear(rows, weight, bias).view(shape).transpose(1, 2)
        for weight, bias in zip(attention.in_proj_weight.chunk(3), attention.in_proj_bias.chunk(3))
    )
    mask = None if padded is None else ~padded[:, None, None]
    out = attend(query, key, value, mask=mask).transpose(1, 2).reshape(rows.shape)
    out = linear(out, attention.out_proj.weight, attention.out_proj.bias)
    rows = block.norm1(out.add_(rows))
    first, last = block.linear1, block.linear2
    if prefers_convolutions(x):
        hidden = linear(linear(rows, first.weight, first.bias).relu(), last.weight, last.bias)
    else:
        hidden = _FeedForward.apply(rows, first.weight, first.bias, last.weight, last.bias)
    return block.norm2(hidden.add_(rows)).view(x.shape)


def decode(
    block: TransformerDecoderLayer, query: Tensor, memory: Tensor, padded: Tensor | None = None
) -> Tensor:
    """Applies a decoder block with ReLU and normalisation last to one query [N, C] per sequence.

    The memory has the shape [N, T, C].
    """
    attended = attend_single(block.self_attn, query, query.unsqueeze(1))
    query = block.norm1(query + block.dropout1(attended))
    attended = attend_single(block.multihead_attn, query, memory, padded)
    query = block.norm2(query + block.dropout2(attended))
    hidden = block.dropout(block.linear1(query).relu())
    return block.norm3(query + block.dropout3(block.linear2(hidden)))


def attend_single(
    attention: MultiheadAttention, query: Tensor, memory: Tensor, padded: Tensor | None = None
) -> Tensor:
    """Attends with one query [N, C] to each sequence [N, T, C].

    Instead of projecting all keys and values, each head multiplies the query by the weights of its
    keys, and the mean of the memory by the weights of its values. The bias of the keys, which adds
    the same to all scores of a head, has no effect.
    """
    heads = attention.num_heads
    query_weight, *weights = attention.in_proj_weight.chunk(3)
    query_bias, _, value_bias = attention.in_proj_bias.chunk(3)
    key_weight, value_weight = (weight.unflatten(0, (heads, -1)) for weight in weights)  # [H, d, C]
    query = linear(query, query_weight, query_bias).unflatten(-1, (heads, -1))
    query = query * query.size(-1) ** -0.5
    inputs = torch.bmm(query.transpose(0, 1), key_weight).transpose(0, 1)  # [N, H, C]
    scores = torch.bmm(inputs, memory.mT)
    if padded is not None:
        scores = scores.masked_fill(padded.unsqueeze(1), -torch.inf)
    shares = dropout(scores.softmax(dim=-1), attention.dropout, attention.training)
    means = torch.bmm(shares.to(memory.dtype), memory).transpose(0, 1)
    values = torch.bmm(means, value_weight.mT).transpose(0, 1)  # [N, H, d]
    values = values + value_bias.view(heads, -1) * shares.sum(dim=-1, keepdim=True)
    return attention.out_proj(values.flatten(1))


class _FeedForward(torch.autograd.Function):
    """Two linear maps of rows [N, C] with a ReLU in between.

    The backward pass does not allocate the gradient of all hidden features.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, *parameters: Tensor) -> Tensor:
        weight, bias, out_weight, out_bias = parameters
        hidden = relu_(functional.linear(x, weight, bias))
        ctx.save_for_backward(x, hidden, weight, bias, out_weight)
        return functional.linear(hidden, out_weight, out_bias)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, ...]:
        x, hidden, weight, bias, out_weight = ctx.saved_tensors
        if torch.is_grad_enabled():  # a second derivative is required
            hidden = functional.linear(x, weight, bias).relu()
            part = (gradient @ out_weight) * (hidden > 0)
            first = part @ weight, part.t() @ x, part.sum(dim=0)
            return *first, gradient.t() @ hidden, gradient.sum(dim=0)
        x_grad, weight_grad = torch.empty_like(x), torch.zeros_like(weight)
        bias_grad = torch.zeros_like(bias)
        buffer = hidden.new_empty(min(BLOCK_SIZE, len(x)), len(weight))
        blocks = (part.split(BLOCK_SIZE) for part in (x, hidden, gradient, x_grad))
        for rows, active, upper, lower in zip(*blocks):
            part = torch.mm(upper, out_weight, out=buffer[: len(rows)])
            torch.ops.aten.threshold_backward.grad_input(part, active, 0, grad_input=part)
            torch.addmm(weight_grad, part.t(), rows, out=weight_grad)
            bias_grad += part.sum(dim=0)
            torch.mm(part, weight, out=lower)
        return x_grad, weight_grad, bias_grad, gradient.t() @ hidden, gradient.sum(dim=0)
