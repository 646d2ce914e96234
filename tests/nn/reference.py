"""Slow references of operators as loops in double precision."""

import torch
from torch import Tensor


def spatial_conv(x: Tensor, adj: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Loops over nodes and frames; x [V, T, C], adj [K, V, V], weight [K, C, F], bias [K, F]."""
    num_nodes, num_frames, _ = x.shape
    out = torch.zeros(num_nodes, num_frames, weight.size(-1), dtype=torch.float64)
    for k in range(len(adj)):
        for i in range(num_nodes):
            for j in range(num_nodes):
                for t in range(num_frames):
                    message = x[j, t].double() @ weight[k].double()
                    if bias is not None:
                        message = message + bias[k].double()
                    out[i, t] += adj[k, i, j].double() * message
    return out


def temporal_conv(
    x: Tensor, weight: Tensor, bias: Tensor | None, stride: int = 1, dilation: int = 1
) -> Tensor:
    """Loops over nodes and frames with zero padding; x [N, T, C], weight [F, C, k]."""
    num_nodes, num_frames, _ = x.shape
    size = weight.size(-1)
    frames = range(0, num_frames, stride)
    out = torch.zeros(num_nodes, len(frames), weight.size(0), dtype=torch.float64)
    for n in range(num_nodes):
        for i, t in enumerate(frames):
            for j in range(size):
                source = t + dilation * (j - size // 2)
                if 0 <= source < num_frames:
                    out[n, i] += weight[:, :, j].double() @ x[n, source].double()
            if bias is not None:
                out[n, i] += bias.double()
    return out


def random_adjacency(*shape: int) -> Tensor:
    """Returns random weights, about half of them zero."""
    return torch.rand(shape) * (torch.rand(shape) > 0.5)


def to_sparse(adj: Tensor, num_graphs: int = 1) -> tuple[Tensor, Tensor]:
    """Returns edges and weights [E, K] of graphs with a dense adjacency [K, V, V]."""
    target, source = (adj != 0).any(dim=0).nonzero(as_tuple=True)
    weight = adj[:, target, source].t()
    offset = adj.size(-1) * torch.arange(num_graphs).repeat_interleave(len(source))
    edge_index = torch.stack([source, target]).repeat(1, num_graphs) + offset
    return edge_index, weight.repeat(num_graphs, 1)


def correlation(query: Tensor, key: Tensor, kind: str, mlp: tuple[Tensor, ...] = ()) -> Tensor:
    """Returns the correlation of the embeddings [R] of two joints in ChannelTopologyConv."""
    if kind == 'difference':
        return query - key
    if kind == 'sum':
        return query + key
    first, first_bias, second, second_bias = mlp
    hidden = (first @ torch.cat([query, key]) + first_bias).clamp(min=0)
    return second @ hidden + second_bias
