"""The operators written without this library, with the weights of ours."""

from __future__ import annotations

import copy
import warnings

import torch
from torch import Tensor
from torch.nn import (
    BatchNorm2d,
    Buffer,
    Conv2d,
    Linear,
    Module,
    ModuleList,
    MultiheadAttention,
    Parameter,
)
from torch.nn.functional import leaky_relu, max_pool2d, scaled_dot_product_attention
from torch_geometric.nn import GCNConv
from torch_geometric.utils import dense_to_sparse, scatter, softmax, to_torch_csr_tensor

from benchmarks.operators.harness import (
    Call,
    Setup,
    own,
)
from graphmotion.data import to_dense
from graphmotion.nn import (
    AdaptiveSpatialConv,
    BranchFusion,
    ChannelGate,
    ChannelTopologyConv,
    ClusterPooling,
    ConvValueTemporalAttention,
    CrossAttention,
    CrossScaleConv,
    JointAttention,
    MotionBatchNorm,
    MultiResolutionTemporalConv,
    MultiScaleTemporalConv,
    PartPooling,
    ScaleFusion,
    SelectiveTemporalConv,
    SpatialConv,
    SpatialGate,
    SpectralConv,
    TopKJointPooling,
)
from graphmotion.nn.encoding import sinusoidal_encoding

BLOCKS = 'GCNConv, block-diagonal batch of frames'
CSR = 'GCNConv, the same as a sparse CSR matrix'
STATIC = 'GCNConv, static graph on [T, B*V, C]'
FUSED = 'scaled_dot_product_attention on [B*T, V, C]'
LINE = 'depthwise Conv1d on [B*V, C, T]'
LINES = 'mirror, depthwise and pointwise Conv1d on [B*V, C, T]'
IMAGE = 'Conv2d in NCHW'


def from_image(x: Tensor) -> Tensor:
    """[B, C, T, V] as [B * V, T, C]."""
    return x.permute(0, 3, 2, 1).flatten(0, 1)


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


def pointwise(weight: Tensor, bias: Tensor) -> Conv2d:
    """A linear map [F, C] for images [B, C, T, V]."""
    out = Conv2d(weight.size(1), weight.size(0), 1)
    out.load_state_dict({'weight': weight[..., None, None], 'bias': bias})
    return out


def split_pixelwise(lin: Linear, num_parts: int) -> list[Conv2d]:
    """The parts of a linear map for images [B, C, T, V] with the weights of ours."""
    return list(map(pointwise, lin.weight.chunk(num_parts), lin.bias.chunk(num_parts)))


def split_norm(ours: MotionBatchNorm, num_parts: int) -> ModuleList:
    """The parts of a normalisation for images [B, C, T, V] with the weights of ours."""
    weights, biases = ours.norm.weight.chunk(num_parts), ours.norm.bias.chunk(num_parts)
    out = ModuleList(BatchNorm2d(len(weight)) for weight in weights)
    for part, weight, bias in zip(out, weights, biases):
        part.load_state_dict({'weight': weight, 'bias': bias}, strict=False)
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


class ImageAdaptiveConv(Module):
    """The adaptive convolution on images [B, C, T, V], one partition after the other."""

    def __init__(self, conv: AdaptiveSpatialConv) -> None:
        super().__init__()
        self.residual = conv.conv.get_parameter('residual_adjacency')
        self.maps = ModuleList(map(pointwise, conv.conv.weight.mT, conv.bias))
        self.queries, self.keys = (
            ModuleList(split_pixelwise(lin, len(self.maps))) for lin in (conv.query, conv.key)
        )

    def forward(self, x: Tensor, adj: Tensor) -> Tensor:
        """Images to images."""
        parts = zip(self.maps, self.queries, self.keys, adj + self.residual)
        outs = []
        for map_, query, key, part in parts:
            q, k = query(x), key(x)
            scores = torch.einsum('nctv,nctw->nvw', q, k) / (q.size(1) * q.size(2))
            outs.append(map_(torch.einsum('nwv,nctv->nctw', part + scores.softmax(dim=2), x)))
        return sum(outs[1:], outs[0])


class ImageChannelTopologyConv(Module):
    """The convolution with a topology for each channel on images [B, C, T, V]."""

    def __init__(self, conv: ChannelTopologyConv) -> None:
        super().__init__()
        self.topology, self.alpha = conv.topology, conv.alpha
        self.maps = ModuleList(map(pointwise, conv.weight, conv.bias))
        self.refine = ModuleList(map(pointwise, conv.refine_weight, conv.refine_bias))
        self.queries, self.keys = (
            ModuleList(split_pixelwise(lin, len(self.maps))) for lin in (conv.query, conv.key)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Images to images."""
        outs = []
        for map_, refine, query, key, shared in zip(
            self.maps, self.refine, self.queries, self.keys, self.topology
        ):
            pairs = query(x).mean(dim=2).unsqueeze(3) - key(x).mean(dim=2).unsqueeze(2)
            topology = shared + self.alpha * refine(pairs.tanh())
            outs.append(torch.einsum('ncuv,nctv->nctu', topology, map_(x)))
        return sum(outs[1:], outs[0])


class ImageMultiScaleConv(Module):
    """The branches of several scales on images [B, C, T, V]."""

    def __init__(self, conv: MultiScaleTemporalConv) -> None:
        super().__init__()
        self.reduce = ModuleList(split_pixelwise(conv.reduce, len(conv.convs) + 1))
        self.norms = split_norm(conv.reduce_norm, len(self.reduce))
        self.convs = ModuleList(map(image_conv, conv.convs))
        self.point = image_conv(conv.point)
        self.last = split_norm(conv.norm, len(self.reduce) + 1)

    def forward(self, x: Tensor) -> Tensor:
        """Images to images."""
        hidden = [norm(reduce(x)).relu() for norm, reduce in zip(self.norms, self.reduce)]
        outs = [conv(part) for conv, part in zip(self.convs, hidden)]
        outs += [max_pool2d(hidden[-1], (3, 1), (1, 1), (1, 0)), self.point(x)]
        return torch.cat([norm(out) for norm, out in zip(self.last, outs)], dim=1)


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
