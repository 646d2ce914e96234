"""Samples and batches on a graph over points."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data

from graphmotion.data.batching import (
    is_reserved_name,
    make_batch,
    set_nodes,
    set_shared_edges,
)
from graphmotion.graphs import PointGraph


def graph_to_data(graph: PointGraph, x: Tensor, basis: bool = False, **labels: Any) -> Data:
    r"""Makes a sample on a graph over points, which shares the tensors of the graph.

    .. code-block:: python

        graph = pixel_graph((16, 16), num_nodes=100)
        data = graph_to_data(graph, torch.rand(100, 1), y=3)

    Args:
        graph (PointGraph): The graph.
        x (Tensor): Features of the nodes.
        basis (bool, optional): If set to :obj:`True`, adds :obj:`eigenvalues` :math:`(1, K)` and
            :obj:`eigenvectors` :math:`(N, K)` to the sample. A model of a single graph stores
            them itself, so that batches need no copy per sample. (default: :obj:`False`)
        **labels (int or Tensor): Fields such as :obj:`y`: a number, or a tensor whose first
            dimension is 1.

    Shapes:
        - **x:** :math:`(N, C)`

    Raises:
        ValueError: If a shape does not match, or PyG reserves the name of a label.
    """
    if x.dim() < 2:
        raise ValueError(f'x must have shape [{graph.num_nodes}, C], got {list(x.shape)}')
    tensors = {
        name: value if isinstance(value, Tensor) and value.dim() else torch.tensor([value])
        for name, value in labels.items()
    }
    own, labels = _fields(graph, x.unsqueeze(0), basis, tensors)
    return Data(x=x, **own, **labels)


def graph_to_batch(graph: PointGraph, x: Tensor, basis: bool = False, **labels: Tensor) -> Batch:
    r"""Makes a batch of samples on a graph over points, equal to the result of
    :meth:`Batch.from_data_list` for samples of :func:`graph_to_data`.

    .. code-block:: python

        graph = pixel_graph((16, 16), num_nodes=100)
        batch = graph_to_batch(graph, torch.rand(4, 100, 1), y=torch.tensor([0, 1, 2, 3]))
        print(batch.num_graphs, batch.x.shape)  # 4, [400, 1]

    Args:
        graph (PointGraph): The graph.
        x (Tensor): Features of the nodes of each sample; the batch views them.
        basis (bool, optional): If set to :obj:`True`, adds :math:`B` copies of the eigenbasis.
            (default: :obj:`False`)
        **labels (Tensor): Fields such as :obj:`y`, one entry per sample.

    Shapes:
        - **x:** :math:`(B, N, C)`

    Raises:
        ValueError: If a shape does not match, or PyG reserves the name of a label.
    """
    if x.dim() < 3:
        raise ValueError(f'x must have shape [B, {graph.num_nodes}, C], got {list(x.shape)}')
    own, labels = _fields(graph, x, basis, labels)
    num_graphs, num_nodes = x.shape[:2]
    edge_index, edge_weight = own.pop('edge_index'), own.pop('edge_weight')
    graph_offsets = torch.arange(num_graphs + 1)
    offsets = {name: graph_offsets * len(value) for name, value in own.items()}
    values = {name: value.repeat(num_graphs, 1) for name, value in own.items()}
    offsets |= {'x': graph_offsets * num_nodes, **dict.fromkeys(labels, graph_offsets)}
    out = make_batch({'x': x.flatten(0, 1), **values, **labels}, offsets)
    set_nodes(out, num_nodes)
    set_shared_edges(out, edge_index, num_nodes, {'edge_weight': edge_weight})
    return out


def _fields(
    graph: PointGraph, x: Tensor, basis: bool, labels: dict[str, Any]
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Returns the fields of the graph and the labels, both checked against x [B, N, C]."""
    if x.size(1) != graph.num_nodes or not len(x):
        raise ValueError(
            f'x must hold at least one sample of {graph.num_nodes} nodes, got {len(x)} samples '
            f'of {x.size(1)} nodes'
        )
    own = {'edge_index': graph.edge_index, 'edge_weight': graph.edge_weight, 'pos': graph.pos}
    if basis:
        if graph.eigenvalues is None or graph.eigenvectors is None:
            raise ValueError('graph must have an eigenbasis, got one made without num_modes')
        own['eigenvalues'] = graph.eigenvalues.unsqueeze(0)
        own['eigenvectors'] = graph.eigenvectors
    for name, value in labels.items():
        if name in own or name == 'x' or is_reserved_name(name):
            raise ValueError(
                f'a label must not be called {name!r}, a name that PyG or the graph uses'
            )
        if not isinstance(value, Tensor) or value.dim() == 0 or len(value) != len(x):
            found = list(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise ValueError(
                f'{name!r} must be a tensor with an entry for each of {len(x)} samples, got {found}'
            )
    return {name: value.to(x.device) for name, value in own.items()}, labels
