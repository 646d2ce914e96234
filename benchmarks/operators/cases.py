"""One row for each use of an operator, with its alternatives."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import (
    BatchNorm1d,
    BatchNorm2d,
    Conv1d,
    Module,
    ReflectionPad1d,
    Sequential,
    Transformer,
)
from torch.nn.functional import pad, scaled_dot_product_attention
from torch_geometric.data import Data, InMemoryDataset
from torch_geometric.loader import DataLoader
from torch_geometric.nn import GCNConv, TopKPooling
from torch_geometric.utils import dense_to_sparse, scatter

from benchmarks.operators.alternatives import (
    BLOCKS,
    CSR,
    FUSED,
    IMAGE,
    LINE,
    LINES,
    STATIC,
    BipartiteMessages,
    FusedAttention,
    ImageBranchFusion,
    ImageChannelGate,
    ImageConvValueAttention,
    ImageMultiResolutionConv,
    ImageScaleFusion,
    ImageSelectiveConv,
    ImageSpatialConv,
    ImageSpatialGate,
    cluster_pooling,
    edges_of,
    from_image,
    gather_top_k,
    gcn_convs,
    heads_of,
    image_conv,
    multihead,
    pooling,
    spectral,
    top_k_pooling,
    weighted_bones,
)
from benchmarks.operators.harness import (
    Call,
    Setup,
    own,
    row,
)
from graphmotion.data import from_array, repeat_edge_index, to_dense
from graphmotion.datasets import MotionDataset
from graphmotion.graphs import knn_graph
from graphmotion.nn import (
    BranchFusion,
    ChannelGate,
    ClusterPooling,
    ConvValueTemporalAttention,
    CrossAttention,
    CrossScaleConv,
    DecisionFusion,
    Divergence,
    HorizontalPyramidPooling,
    JointAttention,
    LargeKernelTemporalConv,
    LocallyConnectedConv,
    MotionBatchNorm,
    MultiResolutionTemporalConv,
    OrientedGradients,
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


@row(DecisionFusion, 'maximum of 2 classifiers')
def decision_fusion(s: Setup) -> tuple[Call, dict[str, Call]]:
    logits = [s.points() for _ in range(2)]

    def maximum(parts: list[Tensor]) -> Tensor:
        best = torch.stack([part.softmax(dim=-1) for part in parts]).amax(dim=0)
        return (best / best.sum(dim=-1, keepdim=True)).log()

    return Call(DecisionFusion(2), logits), {'softmax, maximum, log': Call(maximum, logits)}


@row(OrientedGradients, '8 directions, 8 neighbours')
def oriented_gradients(s: Setup) -> tuple[Call, dict[str, Call]]:
    pos = torch.rand(s.num_points, 2)
    module, x = OrientedGradients(pos, knn_graph(pos, 8), num_hops=1).to(s.device), s.points()
    target = torch.repeat_interleave(module.first.diff())

    def messages(x: Tensor) -> Tensor:
        columns = x.view(s.batch, s.num_points, -1).transpose(0, 1).flatten(1)

        def gather(columns: Tensor, weight: Tensor) -> Tensor:
            sent = columns[module.source] * weight.unsqueeze(1)
            return scatter(sent, target, dim_size=s.num_points, reduce='sum')

        along_x, along_y, mean = module.weight
        gradient = torch.stack([gather(columns, along_x), gather(columns, along_y)], dim=-1)
        energy = gather(gradient.square().sum(dim=-1), mean)
        parts = (gradient @ module.directions).relu() / (energy + 0.02).sqrt().unsqueeze(-1)
        parts = parts.view(s.num_points, s.batch, -1).transpose(0, 1).flatten(0, 1)
        return torch.cat([x, parts], dim=-1)

    return Call(module, x), {'index, scatter': Call(messages, x)}


@row(Divergence, '8 neighbours')
def divergence(s: Setup) -> tuple[Call, dict[str, Call]]:
    pos = torch.rand(s.num_points, 2)
    module, x = Divergence(pos, knn_graph(pos, 8)).to(s.device), s.points()
    target = torch.repeat_interleave(module.first.diff())

    def messages(x: Tensor) -> Tensor:
        graphs = x.view(s.batch, s.num_points, 2, -1).permute(2, 1, 0, 3)
        sent = graphs.reshape(2 * s.num_points, -1)[module.source] * module.weight.unsqueeze(1)
        out = scatter(sent, target, dim_size=s.num_points, reduce='sum')
        return out.view(s.num_points, s.batch, -1).transpose(0, 1).flatten(0, 1)

    return Call(module, x), {'index, scatter': Call(messages, x)}


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
