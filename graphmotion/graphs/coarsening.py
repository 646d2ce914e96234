"""Coarsening hierarchies, by merging strongly connected nodes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from graphmotion.graphs.laplacian import symmetric_edges


@dataclass(frozen=True, eq=False, repr=False)
class Coarsening:
    r"""One level of a coarsening hierarchy: the clusters of nodes and the coarse graph.

    .. code-block:: python

        pos = torch.rand(16, 2)
        levels = coarsening_hierarchy(knn_graph(pos, k=4), num_nodes=16, levels=2)
        print([int(level.cluster.max()) + 1 for level in levels])  # about [8, 4]

    Args:
        cluster (Tensor): Coarse node of each node :math:`(N)`, consecutive indices
            :math:`0..M-1`.
        permutation (Tensor): Nodes sorted by cluster :math:`(N)`: in :obj:`x[permutation]`, the
            members of a cluster are adjacent.
        edge_index (Tensor): Edges of the coarse graph in both directions :math:`(2, E)`.
        edge_weight (Tensor): Sum of the merged weights of each edge :math:`(E)`, in the precision
            of the given weights, at least 32 bits.
    """

    cluster: Tensor
    permutation: Tensor
    edge_index: Tensor
    edge_weight: Tensor

    @property
    def num_nodes(self) -> int:
        r"""Number of nodes :math:`N` of the fine graph."""
        return self.cluster.numel()

    @property
    def num_clusters(self) -> int:
        r"""Number of nodes :math:`M` of the coarse graph."""
        return int(self.cluster.max()) + 1

    def to(self, device: torch.device | str) -> Coarsening:
        r"""Returns a copy on another device."""
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
    r"""Coarsens a graph level by level for pooling, by greedy matching with the normalised cut.

    This is the matching of the `"Weighted Graph Cuts without Eigenvectors: A Multilevel Approach"
    <https://doi.org/10.1109/TPAMI.2007.1115>`_ paper (Graclus), used for neural networks in the
    `"Convolutional Neural Networks on Graphs with Fast Localized Spectral Filtering"
    <https://arxiv.org/abs/1606.09375>`_ paper. It merges the neighbours :math:`i` and :math:`j`
    with the largest

    .. math::
        w_{ij} \left( \frac{1}{d_i} + \frac{1}{d_j} \right)

    where :math:`d` is the sum of a node's weights, including those inside its cluster. Pairs are
    merged in descending order, ties in random order, each node at most once, until no two
    unmatched nodes are neighbours. One such matching keeps slightly more than half of the nodes.

    Coarse nodes are numbered such that the members of each coarser cluster are adjacent; only the
    permutation of the first level is not the identity.

    .. code-block:: python

        edge_index = knn_graph(torch.rand(100, 2), k=8)
        first, second = coarsening_hierarchy(edge_index, 100, levels=2, ratio=0.25)
        pool = ClusterPooling(first.cluster)

    Args:
        edge_index (Tensor): Edges, each in both directions.
        num_nodes (int): Number of nodes :math:`N`.
        levels (int): Number of levels.
        edge_weight (Tensor, optional): Weights, equal in both directions; ones by default.
            (default: :obj:`None`)
        ratio (float, optional): If given, repeats the matching on each level until exactly
            :math:`\lceil r N \rceil` of its :math:`N` nodes are left, or more if the graph has
            more components. (default: :obj:`None`)
        seed (int, optional): Random seed for ties. (default: :obj:`0`)

    Returns:
        tuple of Coarsening: The levels, from the given graph to the coarsest, on the device of
        :obj:`edge_index`.

    Raises:
        ValueError: If :obj:`levels` is below 1, :obj:`ratio` is not between 0 and 1, or the graph
            is not symmetric.
    """
    if levels < 1:
        raise ValueError(f'levels must be at least 1, got {levels}')
    if ratio is not None and not 0 < ratio < 1:
        raise ValueError(f'ratio must be between 0 and 1, got {ratio}')
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

    # Renumber the nodes of each level by cluster, starting at the coarsest.
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
    """Edges in one direction, from the lower to the higher index."""

    row: np.ndarray
    col: np.ndarray
    weight: np.ndarray
    num_nodes: int

    def merge(self, cluster: np.ndarray) -> _Graph:
        """Returns the graph of clusters, with summed weights and without edges inside clusters."""
        row, col = cluster[self.row], cluster[self.col]
        low, high = np.minimum(row, col), np.maximum(row, col)
        apart, count = low != high, int(cluster.max()) + 1
        pair, place = np.unique(low[apart] * count + high[apart], return_inverse=True)
        weight = np.bincount(place, self.weight[apart], minlength=len(pair))
        return _Graph(pair // count, pair % count, weight, count)

    def renumber(self, rank: np.ndarray) -> _Graph:
        """Returns the graph with renumbered nodes."""
        return self.merge(rank)

    def to_tensors(self, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Returns sorted edges in both directions and their weights."""
        row, col = np.concatenate([[self.row, self.col], [self.col, self.row]], axis=1)
        order = np.lexsort((col, row))
        edge_index = torch.from_numpy(np.stack([row[order], col[order]]))
        return edge_index, torch.from_numpy(np.tile(self.weight, 2)[order]).to(dtype)


def _pair(
    graph: _Graph, volume: np.ndarray, most: int, generator: np.random.Generator
) -> np.ndarray:
    """Merges at most ``most`` pairs of neighbours; returns the cluster of each node."""
    row, col = graph.row, graph.col
    # Weights may have underflowed to zero.
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
        # Greedy in rounds: an edge that is the best of both its ends is always in the matching.
        # Written in reverse, so that the best edge of each node is written last.
        first[np.stack([row[rank], col[rank]], axis=1)[::-1].ravel()] = np.repeat(rank[::-1], 2)
        chosen = rank[(first[row[rank]] == rank) & (first[col[rank]] == rank)]
        pairs.append(chosen)
        free[row[chosen]] = free[col[chosen]] = False
        rank = rank[free[row[rank]] & free[col[rank]]]
    matched = np.sort(np.concatenate(pairs))[:most] if pairs else rank
    partner[col[matched]] = row[matched]
    return np.unique(partner, return_inverse=True)[1]
