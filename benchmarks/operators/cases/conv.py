"""Cases of graph convolutions."""

from __future__ import annotations

import copy
import warnings

import torch
from torch import Tensor
from torch.nn import LeakyReLU, MaxPool3d, Module, ModuleList, Sequential, Unflatten
from torch_geometric.nn import GCNConv
from torch_geometric.utils import dense_to_sparse, scatter, softmax, to_torch_csr_tensor

from benchmarks.nchw import (
    from_nchw,
    nchw_linear_parts,
    nchw_partition_linear,
    nchw_pointwise,
)
from benchmarks.operators.harness import Call, Setup, as_leaf, case
from graphmotion.data import repeat_edge_index, to_dense
from graphmotion.graphs import knn_graph
from graphmotion.nn import (
    AdaptiveSpatialConv,
    ChannelTopologyConv,
    CrossScaleConv,
    Divergence,
    LocallyConnectedConv,
    OrientedGradients,
    PerFrame,
    SeparateLinear,
    SilhouetteBackbone,
    SpatialConv,
    SpectralConv,
)

BLOCK_DIAGONAL = 'GCNConv, block-diagonal batch of frames'
CSR = 'GCNConv, block-diagonal batch as CSR matrix'
STATIC_GRAPH = 'GCNConv, static graph on [T, B*V, C]'


@case(SpatialConv, 'dense, shared')
def spatial_shared(s: Setup) -> tuple[Call, dict[str, Call]]:
    conv = SpatialConv(s.channels, s.channels)
    return Call(conv, s.x, s.adj), gcn_conv_calls(
        s, conv, s.adj.expand(s.batch, -1, -1), BLOCK_DIAGONAL, CSR, STATIC_GRAPH
    )


@case(SpatialConv, 'dense, per graph')
def spatial_per_graph(s: Setup) -> tuple[Call, dict[str, Call]]:
    conv, adj = SpatialConv(s.channels, s.channels), weighted_bones(s)
    return Call(conv, s.x, adj), gcn_conv_calls(s, conv, adj, BLOCK_DIAGONAL)


@case(SpatialConv, 'sparse')
def spatial_sparse(s: Setup) -> tuple[Call, dict[str, Call]]:
    conv, adj = SpatialConv(s.channels, s.channels), weighted_bones(s)
    return Call(conv, s.x, dense_to_edges(adj)), gcn_conv_calls(s, conv, adj, BLOCK_DIAGONAL, CSR)


@case(SpatialConv, 'dense, 3 partitions')
def spatial_partitions(s: Setup) -> tuple[Call, dict[str, Call]]:
    conv = SpatialConv(s.channels, s.channels, num_partitions=3)
    adj = s.skeleton.adjacency('spatial').to(s.device)
    image = NCHWSpatialConv(conv)
    return (
        Call(conv, s.x, adj),
        {'Conv2d, then einsum, in NCHW': Call(image, s.nchw(s.x), adj, view=from_nchw)},
    )


def weighted_bones(s: Setup) -> Tensor:
    """Returns random normalised bone weights for each graph as an adjacency [B, V, V]."""
    adj = s.adj * (0.5 + torch.rand(s.batch, s.joints, s.joints, device=s.device))
    return adj / adj.sum(dim=-1, keepdim=True)


def gcn_conv_calls(s: Setup, conv: SpatialConv, adj: Tensor, *names: str) -> dict[str, Call]:
    """Returns calls of PyG's convolution with the same weights and the adjacency [B, V, V].

    The edge weights are normalised beforehand.
    """
    gcn = GCNConv(s.channels, s.channels, normalize=False)
    weights = conv.state_dict()
    gcn.load_state_dict({'lin.weight': weights['weight'][0].t(), 'bias': weights['bias'][0]})
    frames = as_leaf(s.to_frames(s.x).flatten(0, 1))
    edge_index, weight = dense_to_edges(adj.repeat_interleave(s.frames, dim=0))
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', 'Sparse')  # CSR support is in beta
        matrix = to_torch_csr_tensor(edge_index.flip(0), weight, (len(frames), len(frames)))

    def swap_frames_and_nodes(out: Tensor) -> Tensor:
        return out.transpose(0, 1)

    calls = {
        BLOCK_DIAGONAL: Call(gcn, frames, edge_index, weight, view=s.from_frames),
        CSR: Call(gcn, frames, matrix, view=s.from_frames),
        STATIC_GRAPH: Call(
            gcn, as_leaf(s.x.transpose(0, 1)), *dense_to_edges(adj), view=swap_frames_and_nodes
        ),
    }
    return {name: calls[name] for name in names}


def dense_to_edges(adj: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the edges and weights of an adjacency [B, V, V] whose rows are targets."""
    return dense_to_sparse(adj.mT.contiguous())


class NCHWSpatialConv(Module):
    """The partitioned convolution as in the code of the ST-GCN paper."""

    def __init__(self, conv: SpatialConv) -> None:
        super().__init__()
        self.conv = nchw_partition_linear(conv)

    def forward(self, x: Tensor, adj: Tensor) -> Tensor:
        """Maps images [B, C, T, V] to images."""
        parts = self.conv(x).unflatten(1, (len(adj), -1))
        return torch.einsum('nkctv,kwv->nctw', parts, adj)


@case(CrossScaleConv, 'joints to parts', frames=32)  # the alternative takes seconds
def cross_scale(s: Setup) -> tuple[Call, dict[str, Call]]:
    conv = CrossScaleConv(s.channels, s.channels)
    sizes = (len(s.parts), s.joints)
    pair = (s.features(sizes[0]), s.x)
    all_to_all = torch.ones(sizes, device=s.device).nonzero().t()
    edges = repeat_edge_index(all_to_all, sizes, s.batch)
    return (
        Call(conv, pair, sizes),
        {'message passing over all edges': Call(MessagePassingCrossScale(conv), pair, edges)},
    )


class MessagePassingCrossScale(Module):
    """Cross-scale convolution as message passing from all joints to all parts."""

    def __init__(self, conv: CrossScaleConv) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, pair: tuple[Tensor, Tensor], edges: Tensor) -> Tensor:
        """Maps features of joints and parts to features of parts."""
        source = self.conv.source_embedding(pair[0].mean(dim=1))[edges[0]]
        target = self.conv.target_embedding(pair[1].mean(dim=1))[edges[1]]
        weight = softmax((source * target).sum(dim=-1), edges[1], num_nodes=pair[1].size(0))
        message = weight.view(-1, 1, 1) * self.conv.lin(pair[0])[edges[0]]
        return scatter(message, edges[1], dim=0, dim_size=pair[1].size(0), reduce='sum')


@case(PerFrame, 'GCNConv')
def per_frame(s: Setup) -> tuple[Call, dict[str, Call]]:
    gcn = GCNConv(s.channels, s.channels, normalize=False)
    edges = dense_to_edges(weighted_bones(s))

    def loop(x: Tensor, *edges: Tensor) -> Tensor:
        return torch.stack([gcn(frame, *edges) for frame in x.unbind(1)], dim=1)

    return (
        Call(PerFrame(gcn), s.x, *edges),
        {'loop over frames': Call(loop, s.x, *edges, parameters=gcn.parameters())},
    )


@case(LocallyConnectedConv)
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
        {'einsum over edges, scatter': Call(messages, s.x, parameters=conv.parameters())},
    )


@case(LocallyConnectedConv, 'shared by offset, faces')
def shared_by_offset(s: Setup) -> tuple[Call, dict[str, Call]]:
    pos = torch.rand(s.num_points, 2)
    edges = knn_graph(pos, 8)
    conv = LocallyConnectedConv(
        s.channels, s.channels, edges, s.num_points, shared=True, pos=pos
    ).to(s.device)
    source, target = conv.edge_index

    def equation(x: Tensor) -> Tensor:
        sent = x.view(s.batch, s.num_points, -1).index_select(1, source)
        sent = torch.einsum('bec,es,scd->bed', sent, conv.edge_basis, conv.weight)
        out = scatter(sent, target, dim=1, dim_size=s.num_points, reduce='sum')
        return out.flatten(0, 1) + conv.bias

    return (
        Call(conv, x := s.points()),
        {'einsum over edges, scatter': Call(equation, x, parameters=conv.parameters())},
    )


@case(SpectralConv, 'shared basis, 256 modes, faces')
def spectral_shared(s: Setup) -> tuple[Call, dict[str, Call]]:
    return spectral(s, min(256, s.num_points), shared=True)


@case(SpectralConv, 'basis per graph, 64 modes, faces')
def spectral_per_graph(s: Setup) -> tuple[Call, dict[str, Call]]:
    return spectral(s, min(64, s.num_points), shared=False)


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


@case(Divergence, '8 neighbours')
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


@case(OrientedGradients, '8 directions, 8 neighbours')
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


@case(SilhouetteBackbone, '2 layers')
def silhouette_backbone(s: Setup) -> tuple[Call, dict[str, Call]]:
    module = SilhouetteBackbone((s.channels // 2, s.channels)).to(s.device)
    shape = (s.batch, -(-s.frames // 4), 64, 44)
    clips = torch.rand(shape, device=s.device, requires_grad=True)
    layers: list[Module] = []
    for conv in module.convs:
        layers += [copy.deepcopy(conv), MaxPool3d((1, 2, 2)), LeakyReLU()]
    plain = Sequential(Unflatten(1, (1, -1)), *layers).to(s.device)
    plain.to(memory_format=torch.contiguous_format)
    return Call(module, clips), {'Conv3d in the default memory format': Call(plain, clips)}


@case(SeparateLinear, 'one map per strip')
def separate_linear(s: Setup) -> tuple[Call, dict[str, Call]]:
    module = SeparateLinear(s.joints, s.channels, s.channels).to(s.device)
    shape = (s.batch * s.frames, s.joints, s.channels)
    x = torch.randn(shape, device=s.device, requires_grad=True)

    def einsum(x: Tensor) -> Tensor:
        return torch.einsum('bpc,pcd->bpd', x, module.weight)

    return Call(module, x), {'einsum': Call(einsum, x, parameters=module.parameters())}


@case(AdaptiveSpatialConv, '3 partitions')
def adaptive_spatial(s: Setup) -> tuple[Call, dict[str, Call]]:
    adj = s.skeleton.adjacency('spatial').to(s.device)
    conv = AdaptiveSpatialConv(s.channels, s.channels, adj)
    image = Call(NCHWAdaptiveConv(conv), s.nchw(s.x), adj, view=from_nchw)
    return Call(conv, s.x), {'Conv2d and einsum, in NCHW': image}


@case(ChannelTopologyConv, '3 partitions')
def channel_topology(s: Setup) -> tuple[Call, dict[str, Call]]:
    adj = s.skeleton.adjacency('spatial').to(s.device)
    conv = ChannelTopologyConv(s.channels, s.channels, adj, alpha_init=0.5)
    image = Call(NCHWChannelTopologyConv(conv), s.nchw(s.x), view=from_nchw)
    return Call(conv, s.x), {'Conv2d and einsum, in NCHW': image}


class NCHWAdaptiveConv(Module):
    """Adaptive convolution on images [B, C, T, V] in a loop over partitions."""

    def __init__(self, conv: AdaptiveSpatialConv) -> None:
        super().__init__()
        self.residual = conv.conv.get_parameter('residual_adjacency')
        self.maps = ModuleList(map(nchw_pointwise, conv.conv.weight.mT, conv.bias))
        self.queries, self.keys = (
            ModuleList(nchw_linear_parts(lin, len(self.maps))) for lin in (conv.query, conv.key)
        )

    def forward(self, x: Tensor, adj: Tensor) -> Tensor:
        """Maps images to images."""
        parts = zip(self.maps, self.queries, self.keys, adj + self.residual)
        outs = []
        for map_, query, key, part in parts:
            q, k = query(x), key(x)
            scores = torch.einsum('nctv,nctw->nvw', q, k) / (q.size(1) * q.size(2))
            outs.append(map_(torch.einsum('nwv,nctv->nctw', part + scores.softmax(dim=2), x)))
        return sum(outs[1:], outs[0])


class NCHWChannelTopologyConv(Module):
    """Channel-wise topology convolution on images [B, C, T, V] in a loop over partitions."""

    def __init__(self, conv: ChannelTopologyConv) -> None:
        super().__init__()
        self.topology, self.alpha = conv.topology, conv.alpha
        self.maps = ModuleList(map(nchw_pointwise, conv.weight, conv.bias))
        self.refine = ModuleList(map(nchw_pointwise, conv.refine_weight, conv.refine_bias))
        self.queries, self.keys = (
            ModuleList(nchw_linear_parts(lin, len(self.maps))) for lin in (conv.query, conv.key)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Maps images to images."""
        outs = []
        for map_, refine, query, key, shared in zip(
            self.maps, self.refine, self.queries, self.keys, self.topology
        ):
            pairs = query(x).mean(dim=2).unsqueeze(3) - key(x).mean(dim=2).unsqueeze(2)
            topology = shared + self.alpha * refine(pairs.tanh())
            outs.append(torch.einsum('ncuv,nctv->nctu', topology, map_(x)))
        return sum(outs[1:], outs[0])
