"""What operators share: the graphs of a batch, and one step of propagation in each form of it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.utils import scatter

# An adjacency is a dense matrix, shared [V, V] or of each graph [B, V, V], or PyG's edge_index
# with edge_weight for a batch that mixes topologies. Entry (i, j) weighs what i takes from j.
Adjacency = Tensor | tuple[Tensor, Tensor | None]


def split_graphs(x: Tensor, num_nodes: int) -> Tensor:
    """View [B * V, T, C] as [B, V, T, C]."""
    if num_nodes < 1 or x.size(0) % num_nodes:
        raise ValueError(
            f'x has {x.size(0)} nodes, expected a multiple of the {num_nodes} nodes of a graph'
        )
    return x.view(-1, num_nodes, *x.shape[1:])


def propagate(x: Tensor, adj: Adjacency) -> Tensor:
    """Sum over the neighbours, weighted by the adjacency: [N, T, C] to [N, T, C]."""
    if isinstance(adj, Tensor):
        num_nodes = adj.size(-1)
        if adj.size(-2) != num_nodes:
            raise ValueError(f'a dense adjacency is square, got the shape {list(adj.shape)}')
        graphs = split_graphs(x, num_nodes).flatten(2)
        if adj.dim() == 3 and adj.size(0) not in (1, graphs.size(0)):
            raise ValueError(
                f'adj holds {adj.size(0)} matrices, expected one for each of the '
                f'{graphs.size(0)} graphs of {num_nodes} nodes'
            )
        return (adj @ graphs).view(x.shape)
    edge_index, weight = adj
    message = x.index_select(0, edge_index[0])
    if weight is not None:
        message = message * weight.to(x.dtype).view(-1, *[1] * (x.dim() - 1))
    return scatter(message, edge_index[1], dim=0, dim_size=x.size(0), reduce='sum')


def graph_mean(
    x: Tensor,
    num_nodes: int | None = None,
    batch: Tensor | None = None,
    batch_size: int | None = None,
) -> Tensor:
    """Mean over the nodes and frames of each graph: [N, T, C] to [B, C].

    Graphs have ``num_nodes`` nodes each, or are told apart by the vector ``batch``; with neither
    there is one graph. ``batch_size`` is the number of graphs in ``batch``: counted if not given,
    which waits for the device and cannot be exported.
    """
    frames = x.mean(dim=1)
    if num_nodes is not None:
        return split_graphs(frames, num_nodes).mean(dim=1)
    if batch is not None:
        return scatter(frames, batch, dim=0, dim_size=batch_size, reduce='mean')
    return frames.mean(dim=0, keepdim=True)


def of_graphs(x: Tensor, num_nodes: int | None = None, batch: Tensor | None = None) -> Tensor:
    """Hand the rows [B, C] of graphs to their nodes, with a dimension for frames: [N, 1, C]."""
    if num_nodes is not None:
        x = x.repeat_interleave(num_nodes, dim=0)
    elif batch is not None:
        x = x.index_select(0, batch)
    return x.unsqueeze(1)


def reset_all(module: torch.nn.Module) -> None:
    """Draw the parameters of all submodules anew."""
    for child in module.children():
        reset = getattr(child, 'reset_parameters', None)
        if reset is not None:
            reset()
        else:
            reset_all(child)
