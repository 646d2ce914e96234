"""How transforms make graphs of samples that had no nodes."""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data

from graphmotion.data import edges_of_bodies
from graphmotion.graphs import edge_weights, knn_graph
from graphmotion.transforms.fields import put, remove


def put_nodes(data: Data, x: Tensor, pos: Tensor, made_of: Collection[str]) -> Data:
    """Give each sample the nodes ``x [B, N, C]`` at ``pos [B, N, 2]`` and drop the fields that they
    were made of.
    """
    num_graphs, size = x.shape[:2]
    remove(data, *made_of)
    ptr = torch.arange(num_graphs + 1) * size
    if getattr(data, '_slice_dict', None) is not None:
        data._slice_dict['pos'] = ptr
        data._inc_dict['pos'] = torch.zeros(num_graphs, dtype=torch.long)
    put(data, 'x', x.flatten(0, 1))
    put(data, 'pos', pos.flatten(0, 1))
    if isinstance(data, Batch):
        data.ptr = ptr.to(x.device)
        data.batch = torch.arange(num_graphs, device=x.device).repeat_interleave(size)
    return data


def put_edges(data: Data, edge_index: Tensor, edge_weight: Tensor, edge_ptr: Tensor) -> Data:
    """Set edges, those of the first sample first; where those of each begin is on the CPU."""
    data.edge_index = edge_index
    data.edge_weight = edge_weight
    slices = getattr(data, '_slice_dict', None)
    if slices is not None:
        first = slices['pos'][:-1]
        both = {'edge_index': edge_ptr, 'edge_weight': edge_ptr}
        data._slice_dict = {**slices, **both}
        steps = {'edge_index': first, 'edge_weight': torch.zeros_like(first)}
        data._inc_dict = {**data._inc_dict, **steps}
    return data


def put_shared_edges(data: Data, edge_index: Tensor, edge_weight: Tensor, num_graphs: int) -> Data:
    """Set the edges of one graph for each sample."""
    size = len(data.pos) // num_graphs
    return put_edges(
        data,
        edges_of_bodies(edge_index, size, num_graphs),
        edge_weight.repeat(num_graphs),
        torch.arange(num_graphs + 1) * edge_index.size(1),
    )


def put_nearest_edges(data: Data, k: int, weight: str, sigma: float | None, size: int) -> Data:
    """Join each node to its nearest in the graph of its own, of ``size`` nodes."""
    graph = torch.arange(len(data.pos), device=data.pos.device) // size
    edge_index = knn_graph(data.pos, k, graph)
    counts = graph[edge_index[0]].bincount().cpu()
    edge_ptr = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
    weights = edge_weights(data.pos, edge_index, weight, sigma, graph)
    return put_edges(data, edge_index, weights, edge_ptr)
