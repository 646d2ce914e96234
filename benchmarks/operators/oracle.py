"""PyTorch modules with the weights and the result of an operator.

The benchmarks time them as alternatives, and the tests of the operators compare with them.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor
from torch.nn import (
    Conv1d,
    Module,
    MultiheadAttention,
    ReflectionPad1d,
    Sequential,
    Transformer,
    ZeroPad1d,
)

from graphmotion.nn import CrossAttention, JointAttention, LargeKernelTemporalConv, TemporalDecoder


def to_multihead_attention(attention: JointAttention | CrossAttention) -> MultiheadAttention:
    """Returns PyTorch's attention with the same weights, for frames [B * T, V, C]."""
    out = MultiheadAttention(attention.channels, attention.heads, batch_first=True)
    names = ['qkv'] if isinstance(attention, JointAttention) else ['q', 'kv']
    state = attention.state_dict()
    out.load_state_dict(
        {
            'in_proj_weight': torch.cat([state[f'{name}.weight'] for name in names]),
            'in_proj_bias': torch.cat([state[f'{name}.bias'] for name in names]),
            'out_proj.weight': state['proj.weight'],
            'out_proj.bias': state['proj.bias'],
        }
    )
    return out


class MaxQueryTransformer(Module):
    """PyTorch's transformer with the weights of a decoder; the query is the maximum over frames."""

    def __init__(self, decoder: TemporalDecoder) -> None:
        super().__init__()
        self.transformer = Transformer(
            decoder.channels,
            decoder.heads,
            len(decoder.encoder),
            len(decoder.decoder),
            decoder.feedforward_channels,
            decoder.dropout,
            batch_first=True,
        )
        self.transformer.load_state_dict(
            {
                name.replace('coder.', 'coder.layers.').replace('coder_norm', 'coder.norm'): weight
                for name, weight in decoder.state_dict().items()
            }
        )

    def forward(self, x: Tensor) -> Tensor:
        """Maps frames [N, T, C] to features [N, C]."""
        return self.transformer(x, x.max(dim=1, keepdim=True).values).squeeze(1)


def to_conv1d(conv: LargeKernelTemporalConv) -> Sequential:
    """Returns padding and two convolutions with the same weights, for [N, C, T]."""
    size = conv.kernel_size
    start = size - 1 if conv.padding == 'reflect_start' else size // 2
    pad = ZeroPad1d if conv.padding == 'zeros' else ReflectionPad1d
    bias = conv.pointwise.bias is not None
    layers: OrderedDict[str, Module] = OrderedDict(
        pad=pad((start, size - 1 - start)),
        depthwise=Conv1d(
            conv.in_channels, conv.in_channels, size, groups=conv.in_channels, bias=bias
        ),
        pointwise=Conv1d(conv.in_channels, conv.out_channels, 1, bias=bias),
    )
    out = Sequential(layers)
    out.load_state_dict(conv.state_dict())
    return out
