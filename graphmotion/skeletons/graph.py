"""Hop distances, normalisation and partitions of graphs."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

STRATEGIES = ('uniform', 'distance', 'spatial')
NORMALIZATIONS = ('row', 'column', 'sym')


def hop_distance(num_nodes: int, edges: Sequence[tuple[int, int]]) -> Tensor:
    """Computes the shortest path length between any two nodes, ``num_nodes`` without a path."""
    adj = torch.zeros(num_nodes, num_nodes)
    for i, j in edges:
        adj[i, j] = adj[j, i] = 1
    hops = torch.full((num_nodes, num_nodes), num_nodes, dtype=torch.long)
    reach = torch.eye(num_nodes)
    for hop in range(num_nodes):
        hops[(reach > 0) & (hops == num_nodes)] = hop
        if bool((hops < num_nodes).all()):
            break
        reach = (reach @ (adj + torch.eye(num_nodes)) > 0).float()
    return hops


def find_center(hops: Tensor) -> int:
    """Returns the graph centre, which minimises the maximum distance to all nodes.

    Ties are resolved by the smaller mean distance, then by the smaller index.
    """
    return min(range(len(hops)), key=lambda i: (int(hops[i].max()), int(hops[i].sum()), i))


def normalize_adjacency(adj: Tensor, normalization: str | None) -> Tensor:
    """Normalises adjacencies by their degrees; empty rows and columns stay empty."""
    if normalization is None:
        return adj
    if normalization not in NORMALIZATIONS:
        raise ValueError(
            f'normalization must be one of {list(NORMALIZATIONS)} or None, got {normalization!r}'
        )
    rows, columns = adj.sum(dim=-1, keepdim=True), adj.sum(dim=-2, keepdim=True)
    if normalization == 'sym':
        rows, columns = rows.sqrt(), columns.sqrt()
    if normalization != 'column':
        adj = adj / torch.where(rows > 0, rows, 1.0)
    if normalization != 'row':
        adj = adj / torch.where(columns > 0, columns, 1.0)
    return adj


def partition(
    hops: Tensor,
    center: int,
    strategy: str,
    max_hop: int,
    normalization: str | None,
    cap_distance: bool,
    per_partition: bool,
) -> Tensor:
    """Partitions the adjacency of all nodes up to ``max_hop`` apart; see ``Skeleton.adjacency``."""
    if strategy not in STRATEGIES:
        raise ValueError(f'strategy must be one of {list(STRATEGIES)}, got {strategy!r}')
    if max_hop < 0:
        raise ValueError(f'max_hop must be at least 0, got {max_hop}')
    connected = hops < len(hops)
    near = (connected & (hops <= max_hop)).unsqueeze(0)
    masks = near
    if strategy != 'uniform':
        masks = connected & (hops == torch.arange(max_hop + 1).view(-1, 1, 1))
    if strategy == 'spatial':
        to_center = hops[center].clamp(max=max_hop + 1) if cap_distance else hops[center]
        nearer = to_center.unsqueeze(0) < to_center.unsqueeze(1)  # source nearer than target
        masks = torch.stack([m for hop in masks for m in (hop & ~nearer, hop & nearer)])
        masks = torch.cat([masks[:1], masks[2:]])  # no joint is nearer than itself
    if per_partition:
        return normalize_adjacency(masks.float(), normalization)
    return normalize_adjacency(near.float(), normalization) * masks
