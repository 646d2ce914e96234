"""Time every operator side by side with what one would write without this library.

    python benchmarks/operators.py                                # everything, about 5 minutes
    python benchmarks/operators.py --operator TemporalConv --batch 32 --frames 300
    python benchmarks/operators.py --tiny                         # does it run: seconds

Before anything is timed, all sides have to give the same results and gradients. How to read
the tables: README.md beside this file.
"""

from __future__ import annotations

import argparse
import copy
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from common import (
    environment,
    facts_line,
    markdown,
    matrix_product,
    operations,
    parse,
    parser,
    peak_memory,
    quartiles,
    ratio,
    time_together,
    write_json,
)
from torch import Tensor
from torch.nn import (
    BatchNorm1d,
    BatchNorm2d,
    Buffer,
    Conv1d,
    Conv2d,
    Linear,
    Module,
    ModuleList,
    MultiheadAttention,
    Parameter,
    ReflectionPad1d,
    Sequential,
    Transformer,
)
from torch.nn.functional import leaky_relu, pad, scaled_dot_product_attention
from torch_geometric.data import Data, InMemoryDataset
from torch_geometric.loader import DataLoader
from torch_geometric.nn import GCNConv, TopKPooling
from torch_geometric.utils import dense_to_sparse, scatter, softmax, to_torch_csr_tensor

from graphmotion.data import from_array, repeat_edge_index, to_dense
from graphmotion.datasets import MotionDataset
from graphmotion.nn import (
    BranchFusion,
    ChannelGate,
    ClusterPooling,
    ConvValueTemporalAttention,
    CrossAttention,
    CrossScaleConv,
    HorizontalPyramidPooling,
    JointAttention,
    LargeKernelTemporalConv,
    LocallyConnectedConv,
    MotionBatchNorm,
    MultiResolutionTemporalConv,
    PartPooling,
    PerFrame,
    ScaleFusion,
    SelectiveTemporalConv,
    SpatialConv,
    SpatialGate,
    SpectralConv,
    TemporalConv,
    TemporalDecoder,
    TopKJointPooling,
)
from graphmotion.nn.attention.attend import attend
from graphmotion.nn.encoding import sinusoidal_encoding
from graphmotion.skeletons import get_skeleton, list_skeletons

SKELETONS = {get_skeleton(name).num_joints: name for name in list_skeletons()}
SIZES = ('batch', 'joints', 'frames', 'channels')
TINY = {'batch': [2, 4], 'joints': 16, 'frames': [4, 6], 'channels': 8}
TOLERANCE = 1e-3  # of single precision: summed in another order

OURS, PEAK = 'graphmotion', 'matrix product'
BLOCKS = 'GCNConv, block-diagonal batch of frames'
CSR = 'GCNConv, the same as a sparse CSR matrix'
STATIC = 'GCNConv, static graph on [T, B*V, C]'
FUSED = 'scaled_dot_product_attention on [B*T, V, C]'
LINE = 'depthwise Conv1d on [B*V, C, T]'
LINES = 'mirror, depthwise and pointwise Conv1d on [B*V, C, T]'
IMAGE = 'Conv2d in NCHW'
BOTH = 'forward+backward'

# What a row is made of ########################################################################


class Call:
    """A module or function with its arguments.

    :obj:`pick` names the part of what it returns that counts, a tensor or several;
    :obj:`view` brings each, and the gradient of each input, to our layout; :obj:`parameters` are
    those of a function.
    """

    def __init__(
        self,
        module: Callable,
        *args: Any,
        pick: Callable = lambda out: out,
        view: Callable = lambda out: out,
        parameters: Iterable[Parameter] = (),
    ) -> None:
        self.module = module
        self.args = args
        self.pick = pick
        self.view = view
        self.parameters = list(module.parameters() if isinstance(module, Module) else parameters)
        flat = [a for arg in args for a in (arg if isinstance(arg, (tuple, list)) else [arg])]
        tensors = [a for a in flat if isinstance(a, Tensor) and a.requires_grad]
        self.inputs = list({id(a): a for a in tensors}.values())  # once each

    def to(self, device: torch.device) -> Call:
        """Move the parameters; tensors are made where they belong."""
        if isinstance(self.module, Module):
            self.module.to(device)
        return self

    def outputs(self) -> list[Tensor]:
        """What one call returns."""
        out = self.pick(self.module(*self.args))
        return [out] if isinstance(out, Tensor) else list(out)

    def forward(self) -> list[Tensor]:
        """Forward alone, without a record for gradients."""
        with torch.no_grad():
            return self.outputs()

    @property
    def leaves(self) -> list[Tensor]:
        """What to differentiate for: inputs and parameters."""
        return [*self.inputs, *self.parameters]

    def backward(self) -> Callable[[], Any]:
        """A function that runs forward and backward."""
        leaves, gradients = self.leaves, [torch.randn_like(out) for out in self.forward()]
        return lambda: torch.autograd.grad(self.outputs(), leaves, gradients)

    def results(self) -> list[Tensor]:
        """The outputs, and where there are inputs to differentiate for, their gradients."""
        if not self.inputs:
            return [self.view(self.pick(self.module(*self.args)))]
        outputs = [self.view(out) for out in self.outputs()]
        torch.manual_seed(1)
        random = [torch.randn(out.shape, device=out.device) for out in outputs]
        gradients = torch.autograd.grad(outputs, self.inputs, random)
        return [*(out.detach() for out in outputs), *map(self.view, gradients)]


class Setup:
    """Sizes, and the tensors of those sizes that rows share."""

    def __init__(
        self, batch: int, joints: int, frames: int, channels: int, device: str = 'cpu'
    ) -> None:
        self.batch, self.joints, self.frames, self.channels = batch, joints, frames, channels
        self.device = torch.device(device)
        self.skeleton = get_skeleton(SKELETONS[joints])
        self.adj = self.skeleton.adjacency()[0].to(self.device)
        self.parts = self.skeleton.assignment(1)
        self.x = self.features(joints)

    def features(self, num_nodes: int) -> Tensor:
        """Random features of graphs with that many nodes."""
        x = torch.randn(self.batch * num_nodes, self.frames, self.channels, device=self.device)
        return x.requires_grad_()

    @property
    def num_points(self) -> int:
        """Nodes of a face, so many that its features are as large as those of a motion."""
        return self.joints * self.frames

    def points(self) -> Tensor:
        """Random features of faces, graphs without frames: [B * N, C]."""
        x = torch.randn(self.batch * self.num_points, self.channels, device=self.device)
        return x.requires_grad_()

    def image(self, x: Tensor) -> Tensor:
        """[B * V, T, C] as [B, C, T, V], the layout of image convolutions."""
        return own(to_dense(x, x.size(0) // self.batch).permute(0, 3, 2, 1))


def own(x: Tensor) -> Tensor:
    """Its own contiguous memory and gradient, so that no side pays for the other's layout."""
    return x.detach().contiguous().requires_grad_()


def from_image(x: Tensor) -> Tensor:
    """[B, C, T, V] as [B * V, T, C]."""
    return x.permute(0, 3, 2, 1).flatten(0, 1)


@dataclass(frozen=True)
class Row:
    """An operator, how it is used, and the function that makes all sides."""

    operator: str
    variant: str
    make: Callable[[Setup], tuple[Call, dict[str, Call]]]
    sizes: dict[str, int] = field(default_factory=dict)  # that differ from those of other rows


ROWS: list[Row] = []


def row(operator: type, variant: str = '', **sizes: int) -> Callable[[Callable], Callable]:
    """Add a function to the benchmark: it returns our call, and the alternatives by their names."""

    def add(make: Callable) -> Callable:
        ROWS.append(Row(operator.__name__, variant, make, sizes))
        return make

    return add


# Rows #########################################################################################


@row(SpatialConv, 'dense, shared')
def spatial_shared(s: Setup) -> tuple[Call, dict[str, Call]]:
    conv = SpatialConv(s.channels, s.channels)
    return Call(conv, s.x, s.adj), gcn_convs(
        s, conv, s.adj.expand(s.batch, -1, -1), BLOCKS, CSR, STATIC
    )


@row(SpatialConv, 'dense, per graph')
def spatial_per_graph(s: Setup) -> tuple[Call, dict[str, Call]]:
    conv, adj = SpatialConv(s.channels, s.channels), weighted_bones(s)
    return Call(conv, s.x, adj), gcn_convs(s, conv, adj, BLOCKS)


@row(SpatialConv, 'sparse')
def spatial_sparse(s: Setup) -> tuple[Call, dict[str, Call]]:
    conv, adj = SpatialConv(s.channels, s.channels), weighted_bones(s)
    return Call(conv, s.x, edges_of(adj)), gcn_convs(s, conv, adj, BLOCKS, CSR)


@row(SpatialConv, 'dense, 3 partitions')
def spatial_partitions(s: Setup) -> tuple[Call, dict[str, Call]]:
    conv = SpatialConv(s.channels, s.channels, num_partitions=3)
    adj = s.skeleton.adjacency('spatial').to(s.device)
    image = ImageSpatialConv(conv)
    return (
        Call(conv, s.x, adj),
        {'Conv2d, then einsum, in NCHW': Call(image, s.image(s.x), adj, view=from_image)},
    )


@row(CrossScaleConv, 'joints to parts', frames=32)  # of which the alternative takes seconds
def cross_scale(s: Setup) -> tuple[Call, dict[str, Call]]:
    conv = CrossScaleConv(s.channels, s.channels)
    sizes = (len(s.parts), s.joints)
    pair = (s.features(sizes[0]), s.x)
    all_to_all = torch.ones(sizes, device=s.device).nonzero().t()
    edges = repeat_edge_index(all_to_all, sizes, s.batch)
    return (
        Call(conv, pair, sizes),
        {'messages along all edges, softmax, scatter': Call(BipartiteMessages(conv), pair, edges)},
    )


@row(PerFrame, 'GCNConv')
def per_frame(s: Setup) -> tuple[Call, dict[str, Call]]:
    gcn = GCNConv(s.channels, s.channels, normalize=False)
    edges = edges_of(weighted_bones(s))

    def loop(x: Tensor, *edges: Tensor) -> Tensor:
        return torch.stack([gcn(frame, *edges) for frame in x.unbind(1)], dim=1)

    return (
        Call(PerFrame(gcn), s.x, *edges),
        {'a loop over frames': Call(loop, s.x, *edges, parameters=gcn.parameters())},
    )


@row(LocallyConnectedConv)
def locally_connected(s: Setup) -> tuple[Call, dict[str, Call]]:
    edges, _ = dense_to_sparse(s.adj)
    conv = LocallyConnectedConv(s.channels, s.channels, edges, s.joints)
    source, target = conv.edge_index.to(s.device)

    def messages(x: Tensor) -> Tensor:
        sent = to_dense(x, s.joints).index_select(1, source)
        sent = torch.einsum('betc,ecd->betd', sent, conv.weight)
        out = scatter(sent, target, dim=1, dim_size=s.joints, reduce='sum')
        return out.flatten(0, 1) + conv.bias

    return (
        Call(conv, s.x),
        {'einsum along the edges, scatter': Call(messages, s.x, parameters=conv.parameters())},
    )


@row(SpectralConv, 'one basis, 256 modes, faces')
def spectral_shared(s: Setup) -> tuple[Call, dict[str, Call]]:
    return spectral(s, min(256, s.num_points), shared=True)


@row(SpectralConv, 'a basis for each graph, 64 modes, faces')
def spectral_per_graph(s: Setup) -> tuple[Call, dict[str, Call]]:
    return spectral(s, min(64, s.num_points), shared=False)


@row(TemporalConv, 'kernel of 9')
def temporal(s: Setup) -> tuple[Call, dict[str, Call]]:
    conv = TemporalConv(s.channels, s.channels, kernel_size=9)
    line = Conv1d(s.channels, s.channels, 9, padding=4)
    line.load_state_dict({'weight': conv.conv.weight.squeeze(2), 'bias': conv.conv.bias})
    return (
        Call(conv, s.x),
        {
            'Conv1d on [B*V, C, T]': Call(line, own(s.x.mT), view=lambda out: out.mT),
            IMAGE: Call(image_conv(conv), s.image(s.x), view=from_image),
        },
    )


@row(SelectiveTemporalConv, 'kernels of 5 and 9')
def selective(s: Setup) -> tuple[Call, dict[str, Call]]:
    conv = SelectiveTemporalConv(s.channels, s.channels, kernel_sizes=(5, 9))
    image = Call(ImageSelectiveConv(conv), s.image(s.x), view=from_image)
    return Call(conv, s.x, s.joints), {'the same in NCHW': image}


@row(MultiResolutionTemporalConv, 'windows of 1, 3 and 5')
def multi_resolution(s: Setup) -> tuple[Call, dict[str, Call]]:
    conv = MultiResolutionTemporalConv(s.channels, s.channels)
    image = Call(ImageMultiResolutionConv(conv), s.image(s.x), view=from_image)
    return Call(conv, s.x), {'the same in NCHW': image}


@row(LargeKernelTemporalConv, 'depthwise part', frames=60, channels=256)
def depthwise(s: Setup) -> tuple[Call, dict[str, Call]]:
    size = 31 if s.frames > 31 else 3
    conv = LargeKernelTemporalConv(s.channels, s.channels, size, padding='zeros').depthwise
    lines = Conv1d(s.channels, s.channels, size, padding=size // 2, groups=s.channels)
    lines.load_state_dict(conv.state_dict())
    return Call(conv, s.x), {LINE: Call(lines, own(s.x.mT), view=lambda out: out.mT)}


@row(LargeKernelTemporalConv, 'with mirrored frames', frames=60, channels=256)
def large_kernel(s: Setup) -> tuple[Call, dict[str, Call]]:
    size = min(31, s.frames)
    conv = LargeKernelTemporalConv(s.channels, s.channels, size)
    lines = Sequential(
        OrderedDict(
            mirror=ReflectionPad1d((size - 1, 0)),
            depthwise=Conv1d(s.channels, s.channels, size, groups=s.channels),
            pointwise=Conv1d(s.channels, s.channels, 1),
        )
    )
    lines.load_state_dict(conv.state_dict())
    return (
        Call(conv, s.x),
        {LINES: Call(lines, own(s.x.mT), view=lambda out: out.mT)},
    )


@row(ConvValueTemporalAttention, 'two heads')
def conv_value_attention(s: Setup) -> tuple[Call, dict[str, Call]]:
    module = ConvValueTemporalAttention(s.channels)
    image = Call(ImageConvValueAttention(module, s.frames), s.image(s.x), view=from_image)
    return Call(module, s.x), {'the same in NCHW, with einsum': image}


@row(JointAttention, 'heads of 16 channels')
def joint_attention(s: Setup) -> tuple[Call, dict[str, Call]]:
    attention = JointAttention(s.channels, heads_of(s))
    frames = own(to_dense(s.x, s.joints).transpose(1, 2).flatten(0, 1))

    def view(out: Tensor) -> Tensor:
        return out.view(s.batch, s.frames, s.joints, -1).transpose(1, 2).flatten(0, 1)

    return (
        Call(attention, s.x, s.joints),
        {
            FUSED: Call(FusedAttention(attention), frames, view=view),
            'MultiheadAttention on [B*T, V, C]': Call(
                multihead(attention), frames, frames, frames, pick=lambda out: out[0], view=view
            ),
        },
    )


@row(JointAttention, 'without its linear maps')
def attention_alone(s: Setup) -> tuple[Call, dict[str, Call]]:
    heads = heads_of(s)
    shape = (s.batch, s.joints, s.frames, heads, s.channels // heads)
    # As they come out of a linear map of [B, V, T, C], which is [B, T, V, C] for the other side.
    features = [torch.randn(shape, device=s.device).requires_grad_() for _ in range(3)]
    others = [own(x.transpose(1, 2)) for x in features]

    def ours(*parts: Tensor) -> Tensor:
        query, key, value = (x.permute(0, 2, 3, 1, 4) for x in parts)
        return attend(query, key, value).permute(0, 3, 1, 2, 4)

    def fused(*parts: Tensor) -> Tensor:
        query, key, value = (x.flatten(0, 1).transpose(1, 2) for x in parts)
        return scaled_dot_product_attention(query, key, value).transpose(1, 2)

    def view(out: Tensor) -> Tensor:
        return out.view(s.batch, s.frames, s.joints, heads, -1).transpose(1, 2)

    return Call(ours, *features), {FUSED: Call(fused, *others, view=view)}


@row(CrossAttention, 'parts to joints')
def cross_attention(s: Setup) -> tuple[Call, dict[str, Call]]:
    attention = CrossAttention(s.channels, heads_of(s))
    sizes = (len(s.parts), s.joints)
    pair = (s.features(sizes[0]), s.x)
    frames = [own(to_dense(x, n).transpose(1, 2).flatten(0, 1)) for x, n in zip(pair, sizes)]

    def view(out: Tensor) -> Tensor:
        return out.unflatten(0, (s.batch, s.frames)).transpose(1, 2).flatten(0, 1)

    theirs = Call(
        multihead(attention),
        *(frames[1], frames[0], frames[0]),
        pick=lambda out: out[0],
        view=view,
    )
    theirs.inputs = frames  # the source first, as ours
    return Call(attention, pair, sizes), {'MultiheadAttention on [B*T, V, C]': theirs}


@row(TemporalDecoder, 'a block each', frames=60)
def temporal_decoder(s: Setup) -> tuple[Call, dict[str, Call]]:
    sizes = (s.channels, heads_of(s), 1, 1, 4 * s.channels, 0.0)
    decoder, theirs = TemporalDecoder(*sizes), Transformer(*sizes, batch_first=True)
    weights = {
        name.replace('coder.', 'coder.layers.').replace('coder_norm', 'coder.norm'): weight
        for name, weight in decoder.state_dict().items()
    }
    theirs.load_state_dict(weights)

    class Decoded(Module):
        def __init__(self) -> None:
            super().__init__()
            self.transformer = theirs

        def forward(self, x: Tensor) -> Tensor:
            return self.transformer(x, x.max(dim=1, keepdim=True).values).squeeze(1)

    return Call(decoder, s.x), {'Transformer on [N, T, C]': Call(Decoded(), own(s.x))}


@row(PartPooling, 'mean')
def mean_pooling(s: Setup) -> tuple[Call, dict[str, Call]]:
    return pooling(s, 'mean')


@row(PartPooling, 'max')
def max_pooling(s: Setup) -> tuple[Call, dict[str, Call]]:
    return pooling(s, 'max')


@row(PartPooling, 'concat')
def concat_pooling(s: Setup) -> tuple[Call, dict[str, Call]]:
    pool = PartPooling(s.parts, 'concat')
    members = [part.nonzero().flatten().to(s.device) for part in s.parts]

    def part_by_part(x: Tensor) -> Tensor:
        graphs = to_dense(x, s.joints)
        parts = [graphs[:, joints].permute(0, 2, 1, 3).flatten(2) for joints in members]
        width = max(part.size(-1) for part in parts)
        padded = [pad(part, (0, width - part.size(-1))) for part in parts]
        return torch.stack(padded, dim=1).flatten(0, 1)

    return Call(pool, s.x), {'part by part, padded, stacked': Call(part_by_part, s.x)}


@row(TopKJointPooling, 'half of the joints')
def top_k(s: Setup) -> tuple[Call, dict[str, Call]]:
    pool, x = top_k_pooling(s, 'index')
    return (
        Call(pool, x, s.joints, pick=lambda out: out.x),
        {'topk, then gather': Call(gather_top_k(pool, s.joints), x)},
    )


@row(TopKJointPooling, 'the best first')
def top_k_by_score(s: Setup) -> tuple[Call, dict[str, Call]]:
    pool, x = top_k_pooling(s, 'score')
    theirs = TopKPooling(s.channels, pool.k, nonlinearity='sigmoid')
    theirs.load_state_dict({'select.weight': pool.weight.unsqueeze(0)})
    frames = own(to_dense(x, s.joints).transpose(1, 2).flatten(0, 2))
    edges, _ = edges_of(s.adj.expand(s.batch * s.frames, -1, -1))
    number = torch.arange(s.batch * s.frames, device=s.device).repeat_interleave(s.joints)

    def view(out: Tensor) -> Tensor:
        return out.view(s.batch, s.frames, -1, s.channels).transpose(1, 2).flatten(0, 1)

    batch = Call(theirs, frames, edges, None, number, pick=lambda out: out[0], view=view)
    return (
        Call(pool, x, s.joints, pick=lambda out: out.x),
        {'TopKPooling, block-diagonal batch of frames': batch},
    )


@row(HorizontalPyramidPooling, 'strips of 16 to 1')
def pyramid(s: Setup) -> tuple[Call, dict[str, Call]]:
    bins = (16, 8, 4, 2, 1)
    shape = (s.batch, s.channels, -(-s.frames // 4), 16, 11)  # of silhouettes, 64 x 44
    maps = torch.randn(shape, device=s.device, requires_grad=True)

    def level_by_level(x: Tensor) -> Tensor:
        levels = [x.reshape(*x.shape[:3], num, -1) for num in bins]
        strips = torch.cat([level.mean(-1) + level.max(-1).values for level in levels], dim=-1)
        return strips.permute(0, 3, 2, 1).flatten(0, 1)

    return (
        Call(HorizontalPyramidPooling(bins), maps),
        {'mean and max of each level': Call(level_by_level, maps)},
    )


@row(ClusterPooling, 'mean, faces')
def cluster_mean(s: Setup) -> tuple[Call, dict[str, Call]]:
    return cluster_pooling(s, 'mean')


@row(ClusterPooling, 'max, faces')
def cluster_max(s: Setup) -> tuple[Call, dict[str, Call]]:
    return cluster_pooling(s, 'max')


@row(MotionBatchNorm)
def norm(s: Setup) -> tuple[Call, dict[str, Call]]:
    image = Call(BatchNorm2d(s.channels), s.image(s.x), view=from_image)
    return Call(MotionBatchNorm(s.channels), s.x), {'BatchNorm2d in NCHW': image}


@row(MotionBatchNorm, 'each node apart')
def norm_by_node(s: Setup) -> tuple[Call, dict[str, Call]]:
    size = s.joints * s.channels
    rows = own(to_dense(s.x, s.joints).mT.flatten(1, 2))
    line = Call(
        BatchNorm1d(size),
        rows,
        view=lambda out: out.unflatten(1, (s.joints, -1)).mT.flatten(0, 1),
    )
    return Call(MotionBatchNorm(s.channels, s.joints), s.x), {'BatchNorm1d on [B, V*C, T]': line}


@row(SpatialGate)
def spatial_gate(s: Setup) -> tuple[Call, dict[str, Call]]:
    gate = SpatialGate(s.channels)
    image = Call(ImageSpatialGate(gate), s.image(s.x), view=from_image)
    return Call(gate, s.x), {'the same in NCHW': image}


@row(ChannelGate)
def channel_gate(s: Setup) -> tuple[Call, dict[str, Call]]:
    gate = ChannelGate(s.channels)
    image = Call(ImageChannelGate(gate), s.image(s.x), view=from_image)
    return Call(gate, s.x, s.joints), {'the same in NCHW': image}


@row(ScaleFusion, '4 scales')
def fusion(s: Setup) -> tuple[Call, dict[str, Call]]:
    module = ScaleFusion(s.channels, num_scales=4)
    scales = [s.features(s.joints) for _ in range(4)]
    image = Call(ImageScaleFusion(module), [s.image(x) for x in scales], view=from_image)
    return Call(module, scales, s.joints), {'the same in NCHW': image}


@row(BranchFusion, 'sum of 3 branches')
def branch_sum(s: Setup) -> tuple[Call, dict[str, Call]]:
    branches = [s.features(s.joints) for _ in range(3)]

    def sums(xs: list[Tensor]) -> list[Tensor]:
        return list(torch.stack(xs).cumsum(dim=0).unbind())

    return (
        Call(BranchFusion(s.channels, 3), branches),
        {'stack, then cumsum': Call(sums, branches)},
    )


@row(BranchFusion, 'attention of 3 branches')
def branch_attention(s: Setup) -> tuple[Call, dict[str, Call]]:
    module = BranchFusion(s.channels, 3, 'attention')
    branches = [s.features(s.joints) for _ in range(3)]
    image = Call(ImageBranchFusion(module), [s.image(x) for x in branches], view=from_image)
    return Call(module, branches), {'the same in NCHW': image}


@row(MotionDataset, 'get_batch, 4 batches')
def batches(s: Setup) -> tuple[Call, dict[str, Call]]:
    dataset = Walks(s, 4 * s.batch)
    plain = Plain(list(dataset))
    order = torch.arange(len(dataset)).split(s.batch)
    return (
        Call(lambda: [dataset.get_batch(samples) for samples in order], view=join),
        {
            'DataLoader, this dataset': Call(lambda: list(DataLoader(dataset, s.batch)), view=join),
            "DataLoader, PyG's InMemoryDataset": Call(
                lambda: list(DataLoader(plain, s.batch)), view=join
            ),
        },
    )


# Alternatives #################################################################################


def gcn_convs(s: Setup, conv: SpatialConv, adj: Tensor, *names: str) -> dict[str, Call]:
    """PyG's convolution with the weights of ours, over the adjacency [B, V, V] of each graph.

    It gets the normalised edge weights, so that it needs not normalise.
    """
    gcn = GCNConv(s.channels, s.channels, normalize=False)
    weights = conv.state_dict()
    gcn.load_state_dict({'lin.weight': weights['weight'][0].t(), 'bias': weights['bias'][0]})
    frames = own(to_dense(s.x, s.joints).transpose(1, 2).flatten(0, 2))
    edge_index, weight = edges_of(adj.repeat_interleave(s.frames, dim=0))
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', 'Sparse')  # that torch's support is in beta
        matrix = to_torch_csr_tensor(edge_index.flip(0), weight, (len(frames), len(frames)))

    def view(out: Tensor) -> Tensor:
        return out.view(s.batch, s.frames, s.joints, -1).transpose(1, 2).flatten(0, 1)

    def turn(out: Tensor) -> Tensor:
        return out.transpose(0, 1)

    calls = {
        BLOCKS: Call(gcn, frames, edge_index, weight, view=view),
        CSR: Call(gcn, frames, matrix, view=view),
        STATIC: Call(gcn, own(turn(s.x)), *edges_of(adj), view=turn),
    }
    return {name: calls[name] for name in names}


def edges_of(adj: Tensor) -> tuple[Tensor, Tensor]:
    """The edges and weights of the adjacency [B, V, V], whose rows receive."""
    return dense_to_sparse(adj.mT.contiguous())


def weighted_bones(s: Setup) -> Tensor:
    """The adjacency [B, V, V] of skeletons each of which weighs its bones in its own way."""
    adj = s.adj * (0.5 + torch.rand(s.batch, s.joints, s.joints, device=s.device))
    return adj / adj.sum(dim=-1, keepdim=True)


def spectral(s: Setup, num_modes: int, shared: bool) -> tuple[Call, dict[str, Call]]:
    conv, x = SpectralConv(s.channels, s.channels, num_modes), s.points()
    bases = torch.randn(1 if shared else s.batch, s.num_points, num_modes, device=s.device)
    bases = torch.linalg.qr(bases).Q
    args = (bases[0],) if shared else (bases.flatten(0, 1), s.num_points)

    def equation(x: Tensor) -> Tensor:
        graphs, theta = x.view(s.batch, s.num_points, -1), conv.multipliers
        each = 'nk' if shared else 'bnk'
        basis = bases[0] if shared else bases
        modes = torch.einsum(f'{each},bni->bki', basis, graphs)
        modes = torch.einsum('kij,bki->bkj', theta, modes)
        assert conv.bias is not None
        return (torch.einsum(f'{each},bkj->bnj', basis, modes) + conv.bias).flatten(0, 1)

    return (
        Call(conv, x, *args),
        {'einsum': Call(equation, x, parameters=conv.parameters())},
    )


def heads_of(s: Setup) -> int:
    """So many heads that they have 16 channels."""
    return max(2, s.channels // 16)


def multihead(attention: JointAttention | CrossAttention) -> MultiheadAttention:
    """PyTorch's attention with the weights of ours."""
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


class FusedAttention(Module):
    """The attention of joints, written with PyTorch's fused function on [B * T, V, C]."""

    def __init__(self, attention: JointAttention) -> None:
        super().__init__()
        self.heads = attention.heads
        self.qkv, self.proj = copy.deepcopy(attention.qkv), copy.deepcopy(attention.proj)

    def forward(self, x: Tensor) -> Tensor:
        """Frames to frames."""
        parts = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        out = scaled_dot_product_attention(*parts.unbind())
        return self.proj(out.transpose(1, 2).flatten(2))


def pooling(s: Setup, reduce: str) -> tuple[Call, dict[str, Call]]:
    pool = PartPooling(s.parts, reduce)
    part = pool.part_of + pool.num_parts * torch.arange(s.batch).unsqueeze(1)
    part, num_parts = part.flatten().to(s.device), s.batch * pool.num_parts
    return Call(pool, s.x), {'scatter': Call(scatter, s.x, part, 0, num_parts, reduce)}


def cluster_pooling(s: Setup, reduce: str) -> tuple[Call, dict[str, Call]]:
    """Clusters of four nodes, as after two levels of a hierarchy that halves."""
    x, num = s.points(), -(-s.num_points // 4)
    pool = ClusterPooling(torch.randperm(s.num_points) // 4, reduce)
    cluster = pool.cluster + num * torch.arange(s.batch).unsqueeze(1)
    index = cluster.flatten().to(s.device)
    return Call(pool, x), {'scatter': Call(scatter, x, index, 0, s.batch * num, reduce)}


def top_k_pooling(s: Setup, order: str) -> tuple[TopKJointPooling, Tensor]:
    """Pooling, and features of which one is the score, in steps that rounding cannot reorder."""
    pool = TopKJointPooling(s.channels, s.joints // 2, order=order)
    with torch.no_grad():
        pool.weight.zero_()[0] = 1
    x = to_dense(s.x.detach().clone(), s.joints)
    x[..., 0] = torch.rand(x.shape[:3], device=s.device).argsort(dim=1) / s.joints - 0.5
    return pool, x.flatten(0, 1).requires_grad_()


def gather_top_k(pool: TopKJointPooling, num_nodes: int) -> Module:
    """The joints that score best, as written with torch's functions for it."""

    class Gather(Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = Parameter(pool.weight.detach().clone())

        def forward(self, x: Tensor) -> Tensor:
            graphs = to_dense(x, num_nodes)
            score = (graphs @ self.weight / self.weight.norm()).sigmoid()
            best = score.topk(pool.k, dim=1).indices.sort(dim=1).values
            index = best.unsqueeze(-1).expand(-1, -1, -1, x.size(-1))
            return (graphs.gather(1, index) * score.gather(1, best).unsqueeze(-1)).flatten(0, 1)

    return Gather()


def image_conv(conv: Module) -> Conv2d:
    """A convolution along frames for images [B, C, T, V] with the weights of ours."""
    theirs = conv.get_submodule('conv')
    assert isinstance(theirs, Conv2d)
    (_, size), (_, dilation) = theirs.kernel_size, theirs.dilation
    out = Conv2d(
        theirs.in_channels,
        theirs.out_channels,
        (size, 1),
        padding=(dilation * (size // 2), 0),
        dilation=(dilation, 1),
    )
    weight = theirs.weight.transpose(2, 3).contiguous()
    out.load_state_dict({'weight': weight, 'bias': theirs.bias})
    return out


def pixelwise(lin: Module | None) -> Conv2d:
    """A linear map for images [B, C, T, V] with the weights of ours."""
    assert isinstance(lin, Linear)
    out = Conv2d(lin.in_features, lin.out_features, 1)
    out.load_state_dict({'weight': lin.weight[..., None, None], 'bias': lin.bias})
    return out


class ImageSpatialConv(Module):
    """The partitioned convolution as the code of the ST-GCN paper has it."""

    def __init__(self, conv: SpatialConv) -> None:
        super().__init__()
        num, size, out = conv.weight.shape
        self.conv = Conv2d(size, num * out, 1)
        weight = conv.weight.transpose(1, 2).reshape(num * out, size, 1, 1)
        self.conv.load_state_dict({'weight': weight, 'bias': conv.state_dict()['bias'].flatten()})

    def forward(self, x: Tensor, adj: Tensor) -> Tensor:
        """Images [B, C, T, V] to images."""
        parts = self.conv(x).unflatten(1, (len(adj), -1))
        return torch.einsum('nkctv,kwv->nctw', parts, adj)


class BipartiteMessages(Module):
    """The convolution between scales as message passing from all joints to all parts."""

    def __init__(self, conv: CrossScaleConv) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, pair: tuple[Tensor, Tensor], edges: Tensor) -> Tensor:
        """Features of joints and parts to features of parts."""
        source = self.conv.source_embedding(pair[0].mean(dim=1))[edges[0]]
        target = self.conv.target_embedding(pair[1].mean(dim=1))[edges[1]]
        weight = softmax((source * target).sum(dim=-1), edges[1], num_nodes=pair[1].size(0))
        message = weight.view(-1, 1, 1) * self.conv.lin(pair[0])[edges[0]]
        return scatter(message, edges[1], dim=0, dim_size=pair[1].size(0), reduce='sum')


class ImageSelectiveConv(Module):
    """The selection among kernels on images [B, C, T, V]."""

    def __init__(self, conv: SelectiveTemporalConv) -> None:
        super().__init__()
        self.convs = ModuleList(map(image_conv, conv.convs))
        self.squeeze, self.norm, self.select = conv.squeeze, conv.norm, conv.select

    def forward(self, x: Tensor) -> Tensor:
        """Images to images."""
        branches = [conv(x) for conv in self.convs]
        z = self.norm(self.squeeze(sum(branches).mean(dim=(2, 3)))).relu()
        weights = torch.stack([select(z) for select in self.select]).softmax(dim=0)
        return sum(u * a[:, :, None, None] for u, a in zip(branches, weights))


class ImageMultiResolutionConv(Module):
    """The windows of several lengths on images [B, C, T, V]."""

    def __init__(self, conv: MultiResolutionTemporalConv) -> None:
        super().__init__()
        self.first = ModuleList(map(image_conv, conv.first))
        self.second = ModuleList(map(image_conv, conv.second))

    def forward(self, x: Tensor) -> list[Tensor]:
        """Images to images."""
        hidden = [first(x).relu() for first in self.first]
        return [h + second(h).relu() for h, second in zip(hidden, self.second)]


class ImageConvValueAttention(Module):
    """The attention of frames to convolved frames on images [B, C, T, V]."""

    def __init__(self, module: ConvValueTemporalAttention, num_frames: int) -> None:
        super().__init__()
        position = sinusoidal_encoding(num_frames, module.channels)
        self.position = Buffer(position.t().unsqueeze(-1))
        self.values = ModuleList(map(image_conv, module.values))
        self.heads = ModuleList(map(pixelwise, module.heads))
        self.query, self.key = pixelwise(module.query), pixelwise(module.key)
        self.out = pixelwise(module.out)
        self.norm = BatchNorm2d(module.channels)
        self.slope = module.negative_slope

    def forward(self, x: Tensor) -> Tensor:
        """Images to images."""
        x = x + self.position
        num, heads = len(self.heads), []
        queries, keys = self.query(x).chunk(num, dim=1), self.key(x).chunk(num, dim=1)
        for mix, conv, query, key in zip(self.heads, self.values, queries, keys):
            value = conv(x)
            scores = torch.einsum('nctv,ncsv->nvts', query, key) / query.size(1) ** 0.5
            attended = torch.einsum('nvts,ncsv->nctv', scores.softmax(dim=-1), value)
            heads.append(mix(attended) + value)
        return leaky_relu(self.norm(self.out(torch.cat(heads, dim=1))), self.slope) + x


class ImageSpatialGate(Module):
    """The gate of nodes on images [B, C, T, V]."""

    def __init__(self, gate: SpatialGate) -> None:
        super().__init__()
        self.conv = pixelwise(gate.lin)

    def forward(self, x: Tensor) -> Tensor:
        """Images to images."""
        return self.conv(x).sigmoid() * x


class ImageChannelGate(Module):
    """The gate of channels on images [B, C, T, V]."""

    def __init__(self, gate: ChannelGate) -> None:
        super().__init__()
        self.mlp = gate.mlp

    def forward(self, x: Tensor) -> Tensor:
        """Images to images."""
        return x * self.mlp(x.mean(dim=(2, 3))).sigmoid()[:, :, None, None]


class ImageScaleFusion(Module):
    """The fusion of scales on images [B, C, T, V]."""

    def __init__(self, module: ScaleFusion) -> None:
        super().__init__()
        self.channel_gate = ImageChannelGate(module.channel_gate)  # type: ignore[arg-type]
        self.spatial_gate = ImageSpatialGate(module.spatial_gate)  # type: ignore[arg-type]

    def forward(self, xs: list[Tensor]) -> Tensor:
        """Images to an image."""
        gated = self.channel_gate(torch.cat(xs, dim=1)).unflatten(1, (len(xs), -1))
        return self.spatial_gate(gated.sum(dim=1))


class ImageBranchFusion(Module):
    """The attention of branches on images [B, C, T, V]."""

    def __init__(self, module: BranchFusion) -> None:
        super().__init__()
        self.conv = pixelwise(module.lin)

    def forward(self, xs: list[Tensor]) -> list[Tensor]:
        """Images to images."""
        fused = self.conv(torch.cat(xs, dim=1))
        weights = torch.stack([(fused * x).sum(dim=1, keepdim=True) for x in xs]).softmax(dim=0)
        return [weight * x + x for weight, x in zip(weights, xs)]


class Walks(MotionDataset):
    """Random positions, labelled."""

    def __init__(self, s: Setup, num_samples: int) -> None:
        self.skeleton = s.skeleton
        self.shape = (num_samples, s.frames, s.joints, 3)
        super().__init__()

    def read(self) -> Iterator[Data]:
        """Yield the samples."""
        for i, keypoints in enumerate(torch.randn(self.shape)):
            yield from_array(keypoints, self.skeleton, y=i % 4, subject=i)


class Plain(InMemoryDataset):
    """Samples as PyG keeps them; it holds on to each once it was asked for."""

    def __init__(self, samples: list[Data]) -> None:
        super().__init__()
        self.data, self.slices = self.collate(samples)


def join(batches: list) -> Tensor:
    """The fields of batches in one line."""
    names = ('pos', 'edge_index', 'batch', 'ptr', 'y', 'subject', 'num_frames')
    return torch.cat([batch[name].flatten().float() for batch in batches for name in names])


# Measurement ##################################################################################


def difference(ours: Call, other: Call) -> float:
    """The largest distance of results and gradients, relative to the length of each.

    Not that of single numbers: where a number is about zero, a rectifier passes its gradient on
    one side and not on the other.
    """
    pairs = list(zip(ours.results(), other.results(), strict=True))
    for a, b in pairs:
        if a.shape != b.shape:
            raise AssertionError(f'shapes differ: {list(a.shape)} and {list(b.shape)}')
    return max(float((a - b).norm() / b.norm()) for a, b in pairs)


def timed(entry: Row, s: Setup, args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """One result for each pass and side of a row, and for the matrix product beside it."""
    torch.manual_seed(0)
    ours, others = entry.make(s)
    calls = {OURS: ours.to(s.device), **{k: v.to(s.device) for k, v in others.items()}}
    apart = {name: difference(ours, other) for name, other in others.items()}
    for name, value in apart.items():
        if not value <= TOLERANCE:
            raise AssertionError(f'{entry.operator} differs from {name}: {value:.1e}')

    first = 'forward' if ours.inputs else 'call'
    passes: dict[str, dict[str, Callable]] = {first: {k: c.forward for k, c in calls.items()}}
    if args.backward and ours.inputs:
        passes[BOTH] = {k: c.backward() for k, c in calls.items()}
    product, of_product = matrix_product(s.device, args.tiny)
    for label, runs in passes.items():
        memory = {name: peak_memory(run, s.device) for name, run in runs.items()}
        flops = count_operations(ours, backward=label == BOTH)
        peak = {PEAK: product} if flops else {}
        times = time_together({**runs, **peak}, args.rounds, args.seconds, args.threads)
        of_peak = flops and [flops / t / (of_product / p) for t, p in zip(times[OURS], times[PEAK])]
        for name, rounds in times.items():
            done = {OURS: flops, PEAK: of_product}.get(name)
            median = quartiles(rounds)['median']
            yield {
                'operator': entry.operator,
                'variant': entry.variant,
                **{size: getattr(s, size) for size in SIZES},
                'pass': label,
                'side': name,
                'seconds': quartiles(rounds),
                'rounds': rounds,
                'flops': done,
                'gflops': done and done / median / 1e9,
                'of_peak': of_peak and quartiles(of_peak) if name == OURS else None,
                'ratio': ratio(rounds, times[OURS]) if name in others else None,
                'memory': memory.get(name),
                'memory_ratio': memory[name] / memory[OURS] if name in others else None,
                'difference': apart.get(name),
            }


def count_operations(call: Call, backward: bool) -> int | None:
    """Operations of the matrix products; None where they are too few to bound the time."""
    if not call.inputs:
        return None

    def run() -> None:
        outputs = call.outputs()
        if backward:
            torch.autograd.backward(outputs, [torch.ones_like(out) for out in outputs])

    counted = operations(run)
    for leaf in call.leaves:
        leaf.grad = None
    numbers = sum(x.numel() for x in (*call.forward(), *call.inputs))
    return counted if counted >= 10 * numbers else None


# Targets ######################################################################################


@dataclass(frozen=True)
class Target:
    """What an operator has to reach: a ratio, or a share of the matrix product's rate."""

    operator: str
    variant: str
    label: str
    what: str
    at_least: float
    side: str = OURS
    batch: int | None = None  # any
    device: str = 'cpu'


TARGETS = [
    Target('SpatialConv', 'dense, shared', BOTH, 'ratio', 3, STATIC),
    Target('SpatialConv', 'dense, shared', BOTH, 'ratio', 2, BLOCKS),
    Target('SpatialConv', 'dense, shared', BOTH, 'memory_ratio', 2, BLOCKS),
    Target('SpatialConv', 'dense, shared', 'forward', 'of_peak', 0.6, batch=16),
    Target('SpatialConv', 'sparse', 'forward', 'ratio', 1, BLOCKS),
    Target('SpatialConv', 'sparse', BOTH, 'ratio', 1, BLOCKS),
    Target('TemporalConv', 'kernel of 9', 'forward', 'of_peak', 0.6),
    Target('TemporalConv', 'kernel of 9', BOTH, 'ratio', 1.2, IMAGE),
    Target('LargeKernelTemporalConv', 'depthwise part', 'forward', 'ratio', 5, LINE),
    Target('LargeKernelTemporalConv', 'depthwise part', BOTH, 'ratio', 1.8, LINE),
    Target('JointAttention', 'heads of 16 channels', BOTH, 'ratio', 1.3, FUSED),
    Target('JointAttention', 'without its linear maps', BOTH, 'ratio', 1.3, FUSED),
    Target('JointAttention', 'heads of 16 channels', BOTH, 'ratio', 1, FUSED, device='cuda'),
    Target('JointAttention', 'without its linear maps', BOTH, 'ratio', 1, FUSED, device='cuda'),
]
WHAT = {
    'ratio': 'time of {}',
    'memory_ratio': 'peak memory of {}',
    'of_peak': "the matrix product's rate",
}


def targets(results: list[dict[str, Any]], device: str) -> list[dict[str, Any]]:
    """Each target for that kind of device with what was measured for it, for each size."""
    out = []
    for t in TARGETS:
        for result in results:
            key = (result['operator'], result['variant'], result['pass'], result['side'])
            if key != (t.operator, t.variant, t.label, t.side):
                continue
            if t.batch not in (None, result['batch']) or t.device != device:
                continue
            value = result[t.what]
            if value is None:
                continue
            value = value['median'] if isinstance(value, dict) else value
            out.append(
                {
                    **{name: result[name] for name in ('operator', 'variant', *SIZES, 'pass')},
                    'against': WHAT[t.what].format(t.side),
                    'at_least': t.at_least,
                    'measured': value,
                    'met': value >= t.at_least,
                }
            )
    return out


# Reports ######################################################################################


def title(result: dict[str, Any]) -> str:
    """The operator and how it is used."""
    return ', '.join(filter(None, (result['operator'], result['variant'])))


def size(result: dict[str, Any]) -> str:
    """The size of the motion tensor: B x V x T x C."""
    return 'x'.join(str(result[name]) for name in SIZES)


def short(value: float) -> str:
    """Three digits that count."""
    return f'{value:.0f}' if value >= 100 else f'{value:#.3g}'


def cells(result: dict[str, Any]) -> tuple[str, ...]:
    """A result as the table shows it."""
    seconds, faster = result['seconds'], result['ratio']
    return (
        title(result),
        size(result),
        result['pass'],
        result['side'],
        short(1e3 * seconds['median']),
        short(1e3 * (seconds['high'] - seconds['low'])),
        f'{result["gflops"]:.0f}' if result['gflops'] else '',
        f'{result["of_peak"]["median"]:.0%}' if result['of_peak'] else '',
        '' if result['memory'] is None else short(result['memory'] / 1e6),
        f'{faster["median"]:.2f}' if faster else '',
        f'{faster["low"]:.2f} - {faster["high"]:.2f}' if faster else '',
    )


HEAD = [
    'operator',
    'size',
    'pass',
    'side',
    'ms',
    'IQR',
    'GFLOP/s',
    'of peak',
    'MB',
    'ratio',
    'from - to',
]
TEXT = ('operator', 'size', 'pass', 'side', 'against', 'target')


def peak_result(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The matrix product in the rounds of all rows, as a row of its own, if there were any."""
    times = [t for result in results if result['side'] == PEAK for t in result['rounds']]
    if not times:
        return []
    first = next(result for result in results if result['side'] == PEAK)
    seconds = quartiles(times)
    facts = {'seconds': seconds, 'gflops': first['flops'] / seconds['median'] / 1e9}
    return [{**first, **facts, 'operator': PEAK, 'variant': '', 'pass': 'forward', 'rounds': times}]


def options() -> argparse.ArgumentParser:
    """What can be asked for on the command line."""
    out = parser(__doc__, rounds=5, seconds=0.05)
    names = sorted({entry.operator for entry in ROWS})
    out.add_argument('--operator', nargs='+', choices=names, default=names, metavar='NAME')
    out.add_argument('--batch', nargs='+', type=int, default=[16, 64], help='graphs B')
    out.add_argument(
        '--joints', type=int, default=25, choices=sorted(SKELETONS), help='nodes V of a graph'
    )
    out.add_argument('--frames', nargs='+', type=int, default=[64, 128], help='frames T, of each B')
    out.add_argument('--channels', type=int, default=64, help='channels C, in and out')
    return out


def main(argv: list[str] | None = None) -> list[dict[str, Any]]:
    choice = options()
    args = parse(choice, argv, TINY)
    batches, frames = args.batch, args.frames
    if len(batches) != len(frames):
        if 1 not in (len(batches), len(frames)):
            choice.error('--batch and --frames take equally many numbers, or one of them a single')
        batches, frames = batches * len(frames), frames * len(batches)
    facts = environment(args.device, args.threads)
    results: list[dict[str, Any]] = []
    for entry in ROWS:
        if entry.operator in args.operator:
            for b, t in zip(batches, frames):
                sizes = {'batch': b, 'joints': args.joints, 'frames': t, 'channels': args.channels}
                s = Setup(**{**sizes, **({} if args.tiny else entry.sizes)}, device=args.device)
                results += timed(entry, s, args)
    shown = peak_result(results) + [result for result in results if result['side'] != PEAK]
    print(facts_line(facts), end='\n\n')
    print(markdown(HEAD, map(cells, shown), left=TEXT), end='\n\n')
    for result in results:
        if result['ratio'] and result['ratio']['median'] < 1:
            name, shape, label, other, *_, less, _ = cells(result)
            print(f'Slower: {name} ({shape}, {label}), {less} against {other}')
    judged = targets(results, torch.device(args.device).type)
    if judged:
        lines = [
            (
                title(t),
                size(t),
                t['pass'],
                t['against'],
                f'{t["at_least"]:.2f}',
                f'{t["measured"]:.2f}',
                'met' if t['met'] else 'not met',
            )
            for t in judged
        ]
        head = ('operator', 'size', 'pass', 'against', 'at least', 'measured', 'target')
        print('\n' + markdown(head, lines, left=TEXT))
    write_json(args.json, environment=facts, results=shown, targets=judged)
    return shown


if __name__ == '__main__':
    main()
