"""Cases of temporal convolutions."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import BatchNorm2d, Buffer, Conv1d, Module, ModuleList
from torch.nn.functional import leaky_relu, max_pool2d

from benchmarks.nchw import (
    from_nchw,
    nchw_linear,
    nchw_linear_parts,
    nchw_norm_parts,
    nchw_temporal_conv,
)
from benchmarks.operators.cases.attention import num_heads
from benchmarks.operators.harness import Call, Setup, as_leaf, case
from benchmarks.operators.oracle import to_conv1d
from graphmotion.nn import (
    ConvValueTemporalAttention,
    LargeKernelTemporalConv,
    LocalGlobalTemporal,
    MultiResolutionTemporalConv,
    MultiScaleTemporalConv,
    SelectiveTemporalConv,
    TemporalConv,
)
from graphmotion.nn.encoding import sinusoidal_encoding

DEPTHWISE_CONV1D = 'depthwise Conv1d on [B*V, C, T]'
NCHW_CONV = 'Conv2d in NCHW'


@case(TemporalConv, 'kernel of 9')
def temporal(s: Setup) -> tuple[Call, dict[str, Call]]:
    conv = TemporalConv(s.channels, s.channels, kernel_size=9)
    line = Conv1d(s.channels, s.channels, 9, padding=4)
    line.load_state_dict({'weight': conv.conv.weight.squeeze(2), 'bias': conv.conv.bias})
    return (
        Call(conv, s.x),
        {
            'Conv1d on [B*V, C, T]': Call(line, as_leaf(s.x.mT), view=lambda out: out.mT),
            NCHW_CONV: Call(nchw_temporal_conv(conv), s.nchw(s.x), view=from_nchw),
        },
    )


@case(TemporalConv, 'kernel of 9, 128 channels', frames=32, channels=128)
def temporal_128(s: Setup) -> tuple[Call, dict[str, Call]]:
    return temporal_layers(s, [(1, 1, 1)])


@case(TemporalConv, 'kernel of 9, 256 channels', frames=16, channels=256)
def temporal_256(s: Setup) -> tuple[Call, dict[str, Call]]:
    return temporal_layers(s, [(1, 1, 1)])


@case(TemporalConv, 'kernel of 9, 256 channels, stride of 2', frames=32, channels=256)
def temporal_stride(s: Setup) -> tuple[Call, dict[str, Call]]:
    return temporal_layers(s, [(1, 1, 2)])


@case(TemporalConv, 'the ten layers of ST-GCN', frames=64, channels=64)
def temporal_st_gcn(s: Setup) -> tuple[Call, dict[str, Call]]:
    sizes = [*[(1, 1, 1)] * 4, (2, 1, 2), *[(2, 2, 1)] * 2, (4, 2, 2), *[(4, 4, 1)] * 2]
    return temporal_layers(s, sizes)


def temporal_layers(s: Setup, sizes: list[tuple[int, int, int]]) -> tuple[Call, dict[str, Call]]:
    """Returns convolutions with a kernel of 9 of separate inputs.

    The sizes are the factor of the channels, the quotient of the frames, and the stride.
    """
    convs = [TemporalConv(s.channels * c, s.channels * c, 9, stride) for c, _, stride in sizes]
    xs = [
        torch.randn(s.batch * s.joints, -(-s.frames // t), s.channels * c, device=s.device)
        for c, t, _ in sizes
    ]
    xs = [x.requires_grad_() for x in xs]
    images = Layers(list(map(nchw_temporal_conv, convs)))
    return (
        Call(Layers(convs), xs),
        {NCHW_CONV: Call(images, list(map(s.nchw, xs)), view=from_nchw)},
    )


class Layers(ModuleList):
    """Layers with an input and an output each."""

    def forward(self, xs: list[Tensor]) -> list[Tensor]:
        """Applies the layers."""
        return [layer(x) for layer, x in zip(self, xs)]


@case(SelectiveTemporalConv, 'kernels of 5 and 9')
def selective(s: Setup) -> tuple[Call, dict[str, Call]]:
    conv = SelectiveTemporalConv(s.channels, s.channels, kernel_sizes=(5, 9))
    image = Call(NCHWSelectiveConv(conv), s.nchw(s.x), view=from_nchw)
    return Call(conv, s.x, s.joints), {'the same in NCHW': image}


class NCHWSelectiveConv(Module):
    """Kernel selection on images [B, C, T, V]."""

    def __init__(self, conv: SelectiveTemporalConv) -> None:
        super().__init__()
        self.convs = ModuleList(map(nchw_temporal_conv, conv.convs))
        self.squeeze, self.norm, self.select = conv.squeeze, conv.norm, conv.select

    def forward(self, x: Tensor) -> Tensor:
        """Maps images to images."""
        branches = [conv(x) for conv in self.convs]
        z = self.norm(self.squeeze(sum(branches).mean(dim=(2, 3)))).relu()
        weights = torch.stack([select(z) for select in self.select]).softmax(dim=0)
        return sum(u * a[:, :, None, None] for u, a in zip(branches, weights))


@case(MultiResolutionTemporalConv, 'windows of 1, 3 and 5')
def multi_resolution(s: Setup) -> tuple[Call, dict[str, Call]]:
    conv = MultiResolutionTemporalConv(s.channels, s.channels)
    image = Call(NCHWMultiResolutionConv(conv), s.nchw(s.x), view=from_nchw)
    return Call(conv, s.x), {'the same in NCHW': image}


class NCHWMultiResolutionConv(Module):
    """Multi-resolution convolution on images [B, C, T, V]."""

    def __init__(self, conv: MultiResolutionTemporalConv) -> None:
        super().__init__()
        self.first = ModuleList(map(nchw_temporal_conv, conv.first))
        self.second = ModuleList(map(nchw_temporal_conv, conv.second))

    def forward(self, x: Tensor) -> list[Tensor]:
        """Maps images to images."""
        hidden = [first(x).relu() for first in self.first]
        return [h + second(h).relu() for h, second in zip(hidden, self.second)]


@case(LargeKernelTemporalConv, 'depthwise part', frames=60, channels=256)
def depthwise(s: Setup) -> tuple[Call, dict[str, Call]]:
    size = 31 if s.frames > 31 else 3
    conv = LargeKernelTemporalConv(s.channels, s.channels, size, padding='zeros').depthwise
    lines = Conv1d(s.channels, s.channels, size, padding=size // 2, groups=s.channels)
    lines.load_state_dict(conv.state_dict())
    return Call(conv, s.x), {
        DEPTHWISE_CONV1D: Call(lines, as_leaf(s.x.mT), view=lambda out: out.mT)
    }


@case(LargeKernelTemporalConv, 'with reflection padding', frames=60, channels=256)
def large_kernel(s: Setup) -> tuple[Call, dict[str, Call]]:
    size = min(31, s.frames)
    conv = LargeKernelTemporalConv(s.channels, s.channels, size)
    return (
        Call(conv, s.x),
        {
            'ReflectionPad1d, depthwise and pointwise Conv1d on [B*V, C, T]': Call(
                to_conv1d(conv), as_leaf(s.x.mT), view=lambda out: out.mT
            )
        },
    )


@case(ConvValueTemporalAttention, 'two heads')
def conv_value_attention(s: Setup) -> tuple[Call, dict[str, Call]]:
    module = ConvValueTemporalAttention(s.channels)
    image = Call(NCHWConvValueAttention(module, s.frames), s.nchw(s.x), view=from_nchw)
    return Call(module, s.x), {'the same in NCHW, with einsum': image}


class NCHWConvValueAttention(Module):
    """Attention over frames with convolved values on images [B, C, T, V]."""

    def __init__(self, module: ConvValueTemporalAttention, num_frames: int) -> None:
        super().__init__()
        position = sinusoidal_encoding(num_frames, module.channels)
        self.position = Buffer(position.t().unsqueeze(-1))
        self.values = ModuleList(map(nchw_temporal_conv, module.values))
        self.heads = ModuleList(map(nchw_linear, module.heads))
        self.query, self.key = nchw_linear(module.query), nchw_linear(module.key)
        self.out = nchw_linear(module.out)
        self.norm = BatchNorm2d(module.channels)
        self.slope = module.negative_slope

    def forward(self, x: Tensor) -> Tensor:
        """Maps images to images."""
        x = x + self.position
        num, heads = len(self.heads), []
        queries, keys = self.query(x).chunk(num, dim=1), self.key(x).chunk(num, dim=1)
        for mix, conv, query, key in zip(self.heads, self.values, queries, keys):
            value = conv(x)
            scores = torch.einsum('nctv,ncsv->nvts', query, key) / query.size(1) ** 0.5
            attended = torch.einsum('nvts,ncsv->nctv', scores.softmax(dim=-1), value)
            heads.append(mix(attended) + value)
        return leaky_relu(self.norm(self.out(torch.cat(heads, dim=1))), self.slope) + x


@case(LocalGlobalTemporal, '3 windows, one block each', frames=32)
def local_global_temporal(s: Setup) -> tuple[Call, dict[str, Call]]:
    module = LocalGlobalTemporal(
        s.channels,
        s.channels,
        heads=num_heads(s),
        num_blocks=(1, 1),
        feedforward_channels=4 * s.channels,
    ).to(s.device)

    def loop(x: Tensor) -> tuple[Tensor, Tensor]:
        branches = torch.stack(module.local(x)).cumsum(dim=0)
        decoded = [module.decode(branch.unsqueeze(0)) for branch in branches]
        return branches.amax(dim=2), torch.cat(decoded)

    return (
        Call(module, s.x),
        {'loop over branches': Call(loop, s.x, parameters=module.parameters())},
    )


@case(MultiScaleTemporalConv, 'dilations of 1 and 2')
def multi_scale(s: Setup) -> tuple[Call, dict[str, Call]]:
    conv = MultiScaleTemporalConv(s.channels, s.channels)
    image = Call(NCHWMultiScaleConv(conv), s.nchw(s.x), view=from_nchw)
    return Call(conv, s.x), {'loop over branches, in NCHW': image}


class NCHWMultiScaleConv(Module):
    """Multi-scale temporal convolution on images [B, C, T, V] in a loop over branches."""

    def __init__(self, conv: MultiScaleTemporalConv) -> None:
        super().__init__()
        self.reduce = ModuleList(nchw_linear_parts(conv.reduce, len(conv.convs) + 1))
        self.norms = nchw_norm_parts(conv.reduce_norm, len(self.reduce))
        self.convs = ModuleList(map(nchw_temporal_conv, conv.convs))
        self.point = nchw_temporal_conv(conv.point)
        self.last = nchw_norm_parts(conv.norm, len(self.reduce) + 1)

    def forward(self, x: Tensor) -> Tensor:
        """Maps images to images."""
        hidden = [norm(reduce(x)).relu() for norm, reduce in zip(self.norms, self.reduce)]
        outs = [conv(part) for conv, part in zip(self.convs, hidden)]
        outs += [max_pool2d(hidden[-1], (3, 1), (1, 1), (1, 0)), self.point(x)]
        return torch.cat([norm(out) for norm, out in zip(self.last, outs)], dim=1)
