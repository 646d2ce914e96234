"""Cases of attention and gates."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import Module
from torch.nn.functional import scaled_dot_product_attention

from benchmarks.nchw import from_nchw, nchw_linear, with_torch_layers
from benchmarks.operators.harness import Call, Setup, as_leaf, case
from benchmarks.operators.oracle import MaxQueryTransformer, to_multihead_attention
from graphmotion.nn import (
    ChannelGate,
    CrossAttention,
    JointAttention,
    SpatialGate,
    TemporalDecoder,
)
from graphmotion.nn.attention.attend import attend

FUSED_ATTENTION = 'scaled_dot_product_attention on [B*T, V, C]'


@case(JointAttention, 'heads of 16 channels')
def joint_attention(s: Setup) -> tuple[Call, dict[str, Call]]:
    attention = JointAttention(s.channels, num_heads(s))
    frames = as_leaf(s.to_frames(s.x))

    return (
        Call(attention, s.x, s.joints),
        {
            FUSED_ATTENTION: Call(FusedAttention(attention), frames, view=s.from_frames),
            'MultiheadAttention on [B*T, V, C]': Call(
                to_multihead_attention(attention),
                *(frames, frames, frames),
                pick=lambda out: out[0],
                view=s.from_frames,
            ),
        },
    )


@case(JointAttention, 'without linear maps')
def attention_alone(s: Setup) -> tuple[Call, dict[str, Call]]:
    heads = num_heads(s)
    shape = (s.batch, s.joints, s.frames, heads, s.channels // heads)
    # The layout of the output of a linear map: [B, V, T, C] here, [B, T, V, C] in the alternative.
    features = [torch.randn(shape, device=s.device).requires_grad_() for _ in range(3)]
    others = [as_leaf(x.transpose(1, 2)) for x in features]

    def ours(*parts: Tensor) -> Tensor:
        query, key, value = (x.permute(0, 2, 3, 1, 4) for x in parts)
        return attend(query, key, value).permute(0, 3, 1, 2, 4)

    def fused(*parts: Tensor) -> Tensor:
        query, key, value = (x.flatten(0, 1).transpose(1, 2) for x in parts)
        return scaled_dot_product_attention(query, key, value).transpose(1, 2)

    def view(out: Tensor) -> Tensor:
        return out.view(s.batch, s.frames, s.joints, heads, -1).transpose(1, 2)

    return Call(ours, *features), {FUSED_ATTENTION: Call(fused, *others, view=view)}


class FusedAttention(Module):
    """Joint attention with PyTorch's fused function on [B * T, V, C]."""

    def __init__(self, attention: JointAttention) -> None:
        super().__init__()
        self.heads = attention.heads
        self.qkv, self.proj = map(with_torch_layers, (attention.qkv, attention.proj))

    def forward(self, x: Tensor) -> Tensor:
        """Maps frames to frames."""
        parts = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        out = scaled_dot_product_attention(*parts.unbind())
        return self.proj(out.transpose(1, 2).flatten(2))


@case(CrossAttention, 'parts to joints')
def cross_attention(s: Setup) -> tuple[Call, dict[str, Call]]:
    attention = CrossAttention(s.channels, num_heads(s))
    sizes = (len(s.parts), s.joints)
    pair = (s.features(sizes[0]), s.x)
    frames = [as_leaf(s.to_frames(x)) for x in pair]

    theirs = Call(
        to_multihead_attention(attention),
        *(frames[1], frames[0], frames[0]),
        pick=lambda out: out[0],
        view=s.from_frames,
    )
    theirs.inputs = frames  # in the order of ours, source first
    return Call(attention, pair, sizes), {'MultiheadAttention on [B*T, V, C]': theirs}


def num_heads(s: Setup) -> int:
    """Returns the number of heads of 16 channels, at least two."""
    return max(2, s.channels // 16)


@case(TemporalDecoder, 'one block each', frames=60)
def temporal_decoder(s: Setup) -> tuple[Call, dict[str, Call]]:
    decoder = TemporalDecoder(s.channels, num_heads(s), 1, 1, 4 * s.channels, dropout=0.0)
    return Call(decoder, s.x), {
        'Transformer on [N, T, C]': Call(MaxQueryTransformer(decoder), as_leaf(s.x))
    }


@case(SpatialGate)
def spatial_gate(s: Setup) -> tuple[Call, dict[str, Call]]:
    gate = SpatialGate(s.channels)
    image = Call(NCHWSpatialGate(gate), s.nchw(s.x), view=from_nchw)
    return Call(gate, s.x), {'the same in NCHW': image}


class NCHWSpatialGate(Module):
    """The spatial gate on images [B, C, T, V]."""

    def __init__(self, gate: SpatialGate) -> None:
        super().__init__()
        self.conv = nchw_linear(gate.lin)

    def forward(self, x: Tensor) -> Tensor:
        """Maps images to images."""
        return self.conv(x).sigmoid() * x


@case(ChannelGate)
def channel_gate(s: Setup) -> tuple[Call, dict[str, Call]]:
    gate = ChannelGate(s.channels)
    image = Call(NCHWChannelGate(gate), s.nchw(s.x), view=from_nchw)
    return Call(gate, s.x, s.joints), {'the same in NCHW': image}


class NCHWChannelGate(Module):
    """The channel gate on images [B, C, T, V]."""

    def __init__(self, gate: ChannelGate) -> None:
        super().__init__()
        self.mlp = gate.mlp

    def forward(self, x: Tensor) -> Tensor:
        """Maps images to images."""
        return x * self.mlp(x.mean(dim=(2, 3))).sigmoid()[:, :, None, None]
