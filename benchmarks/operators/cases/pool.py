"""Cases of pooling."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import Module, Parameter
from torch.nn.functional import pad
from torch_geometric.nn import TopKPooling
from torch_geometric.utils import scatter

from benchmarks.operators.cases.conv import dense_to_edges
from benchmarks.operators.harness import Call, Setup, as_leaf, case
from graphmotion.data import to_dense
from graphmotion.nn import ClusterPooling, HorizontalPyramidPooling, PartPooling, TopKJointPooling


@case(PartPooling, 'mean')
def mean_pooling(s: Setup) -> tuple[Call, dict[str, Call]]:
    return pooling(s, 'mean')


@case(PartPooling, 'max')
def max_pooling(s: Setup) -> tuple[Call, dict[str, Call]]:
    return pooling(s, 'max')


def pooling(s: Setup, reduce: str) -> tuple[Call, dict[str, Call]]:
    pool = PartPooling(s.parts, reduce)
    part = pool.part_of + pool.num_parts * torch.arange(s.batch).unsqueeze(1)
    part, num_parts = part.flatten().to(s.device), s.batch * pool.num_parts
    return Call(pool, s.x), {'scatter': Call(scatter, s.x, part, 0, num_parts, reduce)}


@case(PartPooling, 'concat')
def concat_pooling(s: Setup) -> tuple[Call, dict[str, Call]]:
    pool = PartPooling(s.parts, 'concat')
    members = [part.nonzero().flatten().to(s.device) for part in s.parts]

    def part_by_part(x: Tensor) -> Tensor:
        graphs = to_dense(x, s.joints)
        parts = [graphs[:, joints].permute(0, 2, 1, 3).flatten(2) for joints in members]
        width = max(part.size(-1) for part in parts)
        padded = [pad(part, (0, width - part.size(-1))) for part in parts]
        return torch.stack(padded, dim=1).flatten(0, 1)

    return Call(pool, s.x), {'loop over parts, pad, stack': Call(part_by_part, s.x)}


@case(TopKJointPooling, 'half of the joints')
def top_k(s: Setup) -> tuple[Call, dict[str, Call]]:
    pool, x = top_k_pooling(s, 'index')
    return (
        Call(pool, x, s.joints, pick=lambda out: out.x),
        {'topk, then gather': Call(GatherTopK(pool, s.joints), x)},
    )


class GatherTopK(Module):
    """Selection of the joints with the highest scores by ``topk`` and ``gather``."""

    def __init__(self, pool: TopKJointPooling, num_nodes: int) -> None:
        super().__init__()
        self.k, self.num_nodes = pool.k, num_nodes
        self.weight = Parameter(pool.weight.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        """Maps the features of all joints to those of the selected joints."""
        graphs = to_dense(x, self.num_nodes)
        score = (graphs @ self.weight / self.weight.norm()).sigmoid()
        best = score.topk(self.k, dim=1).indices.sort(dim=1).values
        index = best.unsqueeze(-1).expand(-1, -1, -1, x.size(-1))
        return (graphs.gather(1, index) * score.gather(1, best).unsqueeze(-1)).flatten(0, 1)


@case(TopKJointPooling, 'best joint first')
def top_k_by_score(s: Setup) -> tuple[Call, dict[str, Call]]:
    pool, x = top_k_pooling(s, 'score')
    theirs = TopKPooling(s.channels, pool.k, nonlinearity='sigmoid')
    theirs.load_state_dict({'select.weight': pool.weight.unsqueeze(0)})
    frames = as_leaf(s.to_frames(x).flatten(0, 1))
    edges, _ = dense_to_edges(s.adj.expand(s.batch * s.frames, -1, -1))
    batch = torch.arange(s.batch * s.frames, device=s.device).repeat_interleave(s.joints)
    call = Call(theirs, frames, edges, None, batch, pick=lambda out: out[0], view=s.from_frames)
    return (
        Call(pool, x, s.joints, pick=lambda out: out.x),
        {'TopKPooling, block-diagonal batch of frames': call},
    )


def top_k_pooling(s: Setup, order: str) -> tuple[TopKJointPooling, Tensor]:
    """Returns a pooling whose score is the first channel, and features with distinct scores."""
    pool = TopKJointPooling(s.channels, s.joints // 2, order=order)
    with torch.no_grad():
        pool.weight.zero_()[0] = 1
    x = to_dense(s.x.detach().clone(), s.joints)
    x[..., 0] = torch.rand(x.shape[:3], device=s.device).argsort(dim=1) / s.joints - 0.5
    return pool, x.flatten(0, 1).requires_grad_()


@case(HorizontalPyramidPooling, 'strips of 16 to 1')
def pyramid(s: Setup) -> tuple[Call, dict[str, Call]]:
    bins = (16, 8, 4, 2, 1)
    shape = (s.batch, s.channels, -(-s.frames // 4), 16, 11)  # features of 64 x 44 silhouettes
    maps = torch.randn(shape, device=s.device, requires_grad=True)

    def level_by_level(x: Tensor) -> Tensor:
        levels = [x.reshape(*x.shape[:3], num, -1) for num in bins]
        strips = torch.cat([level.mean(-1) + level.max(-1).values for level in levels], dim=-1)
        return strips.permute(0, 3, 2, 1).flatten(0, 1)

    return (
        Call(HorizontalPyramidPooling(bins), maps),
        {'mean and max of each level': Call(level_by_level, maps)},
    )


@case(ClusterPooling, 'mean, faces')
def cluster_mean(s: Setup) -> tuple[Call, dict[str, Call]]:
    return cluster_pooling(s, 'mean')


@case(ClusterPooling, 'max, faces')
def cluster_max(s: Setup) -> tuple[Call, dict[str, Call]]:
    return cluster_pooling(s, 'max')


def cluster_pooling(s: Setup, reduce: str) -> tuple[Call, dict[str, Call]]:
    """Returns the pooling of random clusters of four nodes."""
    x, num = s.points(), -(-s.num_points // 4)
    pool = ClusterPooling(torch.randperm(s.num_points) // 4, reduce)
    cluster = pool.cluster + num * torch.arange(s.batch).unsqueeze(1)
    index = cluster.flatten().to(s.device)
    return Call(pool, x), {'scatter': Call(scatter, x, index, 0, s.batch * num, reduce)}
