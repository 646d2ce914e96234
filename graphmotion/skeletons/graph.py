"""Graph facts of a set of bones, apart from what the joints are called."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

STRATEGIES = ('uniform', 'distance', 'spatial')


def hop_distance(num_nodes: int, edges: Sequence[tuple[int, int]]) -> Tensor:
    """Number of edges on the shortest path between any two nodes of a connected graph."""
    adj = torch.zeros(num_nodes, num_nodes)
    for i, j in edges:
        adj[i, j] = adj[j, i] = 1
    hops = torch.full((num_nodes, num_nodes), -1, dtype=torch.long)
    reach = torch.eye(num_nodes)
    for hop in range(num_nodes):
        hops[(reach > 0) & (hops < 0)] = hop
        if bool((hops >= 0).all()):
            break
        reach = (reach @ (adj + torch.eye(num_nodes)) > 0).float()
    return hops


def normalize_adjacency(adj: Tensor, normalization: str | None) -> Tensor:
    """Scale an adjacency by its degrees, row-wise or symmetrically; empty rows stay empty."""
    degree = adj.sum(dim=-1)
    if normalization is None:
        return adj
    if normalization == 'row':
        return adj * torch.where(degree > 0, 1 / degree, 0.0).unsqueeze(-1)
    if normalization == 'sym':
        scale = torch.where(degree > 0, degree.rsqrt(), 0.0)
        return adj * scale.unsqueeze(-1) * scale.unsqueeze(-2)
    raise ValueError(f"normalization is 'row', 'sym' or None, got {normalization!r}")


def partition(
    hops: Tensor, center: int, strategy: str, max_hop: int, normalization: str | None
) -> Tensor:
    """Partitions of the adjacency of all nodes up to ``max_hop`` apart; see ``Skeleton``."""
    if strategy not in STRATEGIES:
        raise ValueError(f'strategy is one of {list(STRATEGIES)}, got {strategy!r}')
    if max_hop < 0:
        raise ValueError(f'max_hop is at least 0, got {max_hop}')
    adj = normalize_adjacency((hops <= max_hop).float(), normalization)
    if strategy == 'uniform':
        return adj.unsqueeze(0)
    by_hop = [adj * (hops == hop) for hop in range(max_hop + 1)]
    if strategy == 'distance':
        return torch.stack(by_hop)
    to_center = hops[center]
    receiver, sender = to_center.unsqueeze(1), to_center.unsqueeze(0)
    out = [by_hop[0]]
    for part in by_hop[1:]:
        out += [part * (sender >= receiver), part * (sender < receiver)]
    return torch.stack(out)
