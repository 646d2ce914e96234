"""Coarser and coarser graphs, by merging nodes that are strongly connected."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from graphmotion.graphs.laplacian import symmetric_edges


@dataclass(frozen=True, eq=False, repr=False)
class Coarsening:
    r"""One level of a coarsening hierarchy: which nodes merge, and the graph that comes out.

    Args:
        cluster (Tensor): For each node the coarse node that it becomes part of, :math:`(N)`,
            numbers :math:`0..M-1` without gaps.
        permutation (Tensor): The nodes in the order of their clusters, :math:`(N)`: in
            :obj:`x[permutation]` the members of a cluster are side by side.
        edge_index (Tensor): Edges of the coarse graph, both directions, :math:`(2, E)`.
        edge_weight (Tensor): The sum of the weights that each stands for, :math:`(E)`, in the
            precision of the weights given, 32 bits at least.
    """

    cluster: Tensor
    permutation: Tensor
    edge_index: Tensor
    edge_weight: Tensor

    @property
    def num_nodes(self) -> int:
        r"""Number of nodes :math:`N` that are merged."""
        return self.cluster.numel()

    @property
    def num_clusters(self) -> int:
        r"""Number of nodes :math:`M` of the coarse graph."""
        return int(self.cluster.max()) + 1

    def to(self, device: torch.device | str) -> Coarsening:
        r"""The same on another device."""
        return Coarsening(*(getattr(self, name).to(device) for name in self.__dataclass_fields__))

    def __repr__(self) -> str:
        num_edges = self.edge_index.size(1)
        return f'Coarsening({self.num_nodes} -> {self.num_clusters}, num_edges={num_edges})'


def coarsening_hierarchy(
    edge_index: Tensor,
    num_nodes: int,
    levels: int,
    edge_weight: Tensor | None = None,
    ratio: float | None = None,
    seed: int = 0,
) -> tuple[Coarsening, ...]:
    r"""Coarsen a graph level by level for pooling, by greedy matching with the normalised cut, as
    in the `"Weighted Graph Cuts without Eigenvectors: A Multilevel Approach"
    <https://doi.org/10.1109/TPAMI.2007.1115>`_ paper (Graclus) and for neural networks in the
    `"Convolutional Neural Networks on Graphs with Fast Localized Spectral Filtering"
    <https://arxiv.org/abs/1606.09375>`_ paper.

    Neighbours :math:`i` and :math:`j` merge where

    .. math::
        w_{ij} \left( \frac{1}{d_i} + \frac{1}{d_j} \right)

    is largest, with :math:`d` the sum of a node's weights, those inside of a cluster included:
    best pairs first, each node in one pair at most, until no two neighbours are left; equal pairs
    in random order. That is one pairing, which leaves a little more than half of the nodes.

    Coarse nodes are numbered so that clusters of the levels above are side by side: only the
    first level has a permutation that moves anything.

    .. code-block:: python

        first, second = coarsening_hierarchy(edge_index, num_nodes, levels=2, ratio=0.25)
        pool = ClusterPooling(first.cluster)

    Args:
        edge_index (Tensor): Edges, each in both directions.
        num_nodes (int): Number of nodes :math:`N`.
        levels (int): Number of levels.
        edge_weight (Tensor, optional): Weights, the same in both directions; ones by default.
            (default: :obj:`None`)
        ratio (float, optional): Pair again on each level until :math:`\lceil r N \rceil` of its
            :math:`N` nodes are left, exactly (more, where fewer would merge nodes that no path
            connects); by default one pairing. (default: :obj:`None`)
        seed (int, optional): The same seed gives the same hierarchy. (default: :obj:`0`)

    Returns:
        tuple of Coarsening: From the given graph to the coarsest, on the device of
        :obj:`edge_index`.

    Raises:
        ValueError: If :obj:`levels` is below 1, :obj:`ratio` not between 0 and 1, or the graph
            not symmetric.
    """
    if levels < 1:
        raise ValueError(f'levels is at least 1, got {levels}')
    if ratio is not None and not 0 < ratio < 1:
        raise ValueError(f'ratio is between 0 and 1, got {ratio}')
    edges, weight = symmetric_edges(edge_index, num_nodes, edge_weight)
    dtype = torch.float32 if edge_weight is None else edge_weight.dtype
    dtype = torch.promote_types(dtype, torch.float32)
    row, col = edges.cpu().numpy()
    once = row < col
    graph = _Graph(row[once], col[once], weight.cpu().numpy()[once], num_nodes)
    volume = np.bincount(row, weight.cpu().numpy(), minlength=num_nodes)
    generator = np.random.default_rng(seed)

    clusters, graphs = [], []
    for _ in range(levels):
        target = 1 if ratio is None else math.ceil(ratio * graph.num_nodes)
        cluster = np.arange(graph.num_nodes)
        while True:
            merged = _pair(graph, volume, graph.num_nodes - target, generator)
            cluster, graph = merged[cluster], graph.merge(merged)
            volume = np.bincount(merged, volume)
            if ratio is None or graph.num_nodes <= target or not len(graph.row):
                break
        clusters.append(cluster)
        graphs.append(graph)

    # Number the nodes of each level by their clusters, from the coarsest down.
    for level in range(levels - 1, 0, -1):
        order = np.argsort(clusters[level], kind='stable')
        rank = np.argsort(order)
        clusters[level] = clusters[level][order]
        clusters[level - 1] = rank[clusters[level - 1]]
        graphs[level - 1] = graphs[level - 1].renumber(rank)
    return tuple(
        Coarsening(
            torch.from_numpy(cluster),
            torch.from_numpy(np.argsort(cluster, kind='stable')),
            *graph.to_tensors(dtype),
        ).to(edge_index.device)
        for cluster, graph in zip(clusters, graphs)
    )


@dataclass(frozen=True)
class _Graph:
    """Edges in one direction, from the lower number to the higher."""

    row: np.ndarray
    col: np.ndarray
    weight: np.ndarray
    num_nodes: int

    def merge(self, cluster: np.ndarray) -> _Graph:
        """The graph of clusters: weights summed, what is inside of a cluster left out."""
        row, col = cluster[self.row], cluster[self.col]
        low, high = np.minimum(row, col), np.maximum(row, col)
        apart, count = low != high, int(cluster.max()) + 1
        pair, place = np.unique(low[apart] * count + high[apart], return_inverse=True)
        weight = np.bincount(place, self.weight[apart], minlength=len(pair))
        return _Graph(pair // count, pair % count, weight, count)

    def renumber(self, rank: np.ndarray) -> _Graph:
        """The same graph with other numbers."""
        return self.merge(rank)

    def to_tensors(self, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Edges in both directions, sorted, and their weights."""
        row, col = np.concatenate([[self.row, self.col], [self.col, self.row]], axis=1)
        order = np.lexsort((col, row))
        edge_index = torch.from_numpy(np.stack([row[order], col[order]]))
        return edge_index, torch.from_numpy(np.tile(self.weight, 2)[order]).to(dtype)


def _pair(
    graph: _Graph, volume: np.ndarray, most: int, generator: np.random.Generator
) -> np.ndarray:
    """Merge pairs of neighbours, at most so many: the cluster of each node."""
    row, col = graph.row, graph.col
    # A node with edges has a volume; the weights may have been rounded to nothing.
    inverse = 1.0 / np.maximum(volume, np.finfo(float).tiny)
    score = graph.weight * (inverse[row] + inverse[col])
    best = np.lexsort((generator.random(len(score)), -score))
    row, col = row[best], col[best]
    free = np.ones(graph.num_nodes, dtype=bool)
    partner = np.arange(graph.num_nodes)
    first = np.empty(graph.num_nodes, dtype=np.int64)
    pairs = []
    rank = np.arange(len(row))
    while len(rank):
        # Greedy in rounds: an edge that is the best of both its ends is in the matching, whatever
        # the others do. Written backwards, so that the best edge of a node is written last.
        first[np.stack([row[rank], col[rank]], axis=1)[::-1].ravel()] = np.repeat(rank[::-1], 2)
        chosen = rank[(first[row[rank]] == rank) & (first[col[rank]] == rank)]
        pairs.append(chosen)
        free[row[chosen]] = free[col[chosen]] = False
        rank = rank[free[row[rank]] & free[col[rank]]]
    matched = np.sort(np.concatenate(pairs))[:most] if pairs else rank
    partner[col[matched]] = row[matched]
    return np.unique(partner, return_inverse=True)[1]
