"""Edges for samples without a graph."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.data import Data

from graphmotion.data import num_graphs, set_edges
from graphmotion.graphs import edge_weights, knn_graph


def set_knn_edges(data: Data, k: int, weight: str, sigma: float | None) -> Data:
    """Connects each node to its k nearest; all graphs must have the same number of nodes."""
    count = num_graphs(data)
    size = len(data.pos) // count
    graph = torch.arange(len(data.pos), device=data.pos.device) // size
    edge_index = knn_graph(data.pos, k, graph)
    num_edges = graph[edge_index[0]].bincount(minlength=count).cpu()
    weights = edge_weights(data.pos, edge_index, weight, sigma, graph)
    set_edges(data, edge_index, num_edges, {'edge_weight': weights})
    return data


def nearest_distances(points: Tensor, k: int) -> Tensor:
    """Returns the sorted distances of points ``[B, N, 2]`` to the k nearest others, [B, N, k]."""
    # The matrix product that cdist may use is inaccurate for small distances.
    distance = torch.cdist(points, points, compute_mode='donot_use_mm_for_euclid_dist')
    distance.diagonal(dim1=1, dim2=2).fill_(torch.inf)
    return distance.topk(k, dim=2, largest=False, sorted=True).values
