"""Graphs of a batch, and propagation over dense or sparse adjacencies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch_geometric.nn import global_mean_pool

from graphmotion.nn.frames import frame_mean

# An adjacency is a dense matrix, shared [V, V] or of each graph [B, V, V], or PyG's edge_index
# with edge_weight for a batch that mixes topologies. Entry (i, j) is the weight of the edge from
# j to i. Skeleton.edges and Skeleton.adjacency return the same weights in both forms.
Adjacency = Tensor | tuple[Tensor, Tensor | None]


def split_graphs(x: Tensor, num_nodes: int) -> Tensor:
    """Views [B * V, T, C] as [B, V, T, C]."""
    if num_nodes < 1 or x.size(0) % num_nodes:
        raise ValueError(f'x must have a multiple of {num_nodes} nodes, got {x.size(0)}')
    num_graphs = x.size(0) // num_nodes
    if torch.compiler.is_compiling():
        # Keeps all nodes, but shows an exporter with dynamic shapes that their number is a
        # multiple. Otherwise it infers nested quotients for each dimension, which is far slower.
        x = x[: num_graphs * num_nodes]
    return x.view(num_graphs, num_nodes, *x.shape[1:])


def check_graph_sizes(
    x: Tensor, batch: Tensor | None, num_joints: int, num_people: int = 1
) -> None:
    """Checks that each graph of ``batch`` has the nodes of ``num_people`` skeletons.

    Rows of the output would otherwise mix people of different samples. On a GPU, where an error
    would have to wait for the device, and in compiled and exported code, it is an assertion on the
    device.
    """
    if batch is None:
        return
    if batch.shape != x.shape[:1]:
        raise ValueError(
            f'batch must have shape [{x.size(0)}], with the graph of each node of x, got '
            f'{list(batch.shape)}'
        )
    num_nodes = num_people * num_joints
    expected = torch.arange(batch.size(0), device=batch.device) // num_nodes
    equal = (batch == expected).all()
    message = (
        f'each graph must have {num_nodes} nodes (num_people={num_people} of {num_joints} joints)'
    )
    if torch.compiler.is_compiling() or batch.device.type != 'cpu':
        torch._assert_async(equal, f'{message}; pad samples with PadPeople')
    elif not bool(equal):
        sizes = sorted(set(batch.unique_consecutive(return_counts=True)[1].tolist()))
        raise ValueError(f'{message}, got graphs of {sizes} nodes; pad samples with PadPeople')


def is_known(size: int) -> bool:
    """Returns whether a size is a number and not a symbol in an export with dynamic shapes."""
    return isinstance(size, int)


def check_channels(x: Tensor, channels: int, name: str = 'x') -> None:
    """Checks the size of features [..., C], which a reshape might confuse with frames."""
    if x.dim() < 2 or x.size(-1) != channels:
        raise ValueError(f'{name} must have shape [num_nodes, T, {channels}], got {list(x.shape)}')


def check_partitions(adj: Tensor) -> None:
    """Checks the shape of a dense adjacency of partitions."""
    if not isinstance(adj, Tensor):
        raise TypeError(
            f'adj must be a tensor, such as skeleton.adjacency("spatial"), got {type(adj).__name__}'
        )
    if adj.dim() != 3 or adj.size(1) != adj.size(2):
        raise ValueError(f'adj must have shape [K, V, V], got {list(adj.shape)}')


class SortedEdges(NamedTuple):
    """Edges sorted by target."""

    source: Tensor  # [E]
    first: Tensor  # first edge of each node, and the number of edges at the end [N + 1]
    weight: Tensor  # [E]


def accumulate(x: Tensor, adj: Tensor | SortedEdges, out: Tensor | None = None) -> Tensor:
    """Sums over the neighbours of each node, weighted by the adjacency, for x [N, T, C].

    If ``out``, the result of an earlier call, is given, the sum is added to it in place. The result
    has the shape of the matrix product, [B, V, T * C] or [N, T * C], since autograd copies a tensor
    that is modified in place through a view.
    """
    if isinstance(adj, Tensor):
        num_nodes = adj.size(-1)
        if adj.size(-2) != num_nodes:
            raise ValueError(f'adj must be square, got shape {list(adj.shape)}')
        graphs = split_graphs(x, num_nodes).flatten(2)
        if adj.dim() == 3 and adj.size(0) not in (1, graphs.size(0)):
            raise ValueError(
                f'adj must have one matrix for each of the {graphs.size(0)} graphs of {num_nodes} '
                f'nodes, got {adj.size(0)}'
            )
        # Expanded, since `adj @ graphs` transposes and copies x if adj requires a gradient.
        adj = adj.expand(graphs.size(0), -1, -1)
        if out is None:
            return torch.bmm(adj, graphs)
        out = out if out.shape == graphs.shape else out.view(graphs.shape)
        # Autocast does not apply to in-place operations.
        return out.baddbmm_(adj.to(out.dtype), graphs.to(out.dtype))
    # One bag of neighbours per node, summed without storing the messages [E, T, C].
    total = torch.nn.functional.embedding_bag(
        adj.source,
        x.flatten(1),
        adj.first,
        mode='sum',
        include_last_offset=True,
        per_sample_weights=adj.weight.to(x.dtype),
    )
    return total if out is None else out.add_(total.view(out.shape))


def sort_edges(edge_index: Tensor, weight: Tensor, num_nodes: int) -> list[SortedEdges]:
    """Sorts edges by target, for each column of weights [E, K]."""
    if not torch.compiler.is_compiling() and edge_index.device.type == 'cpu' and edge_index.numel():
        low, high = (int(end) for end in edge_index.aminmax())
        if low < 0 or high >= num_nodes:
            raise ValueError(
                f'edge_index must be in 0..{num_nodes - 1}, the nodes of x, got values from {low} '
                f'to {high}'
            )
    target, order = edge_index[1].sort(stable=True)
    source = edge_index[0].index_select(0, order)
    first = torch.searchsorted(target, torch.arange(num_nodes + 1, device=target.device))
    return [SortedEdges(source, first, part) for part in weight.index_select(0, order).unbind(1)]


def graph_mean(
    x: Tensor,
    num_nodes: int | None = None,
    batch: Tensor | None = None,
    batch_size: int | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Averages over the nodes and frames of each graph: [N, T, C] or [N, C] to [B, C].

    Graphs are given by the vector ``batch``, or have ``num_nodes`` nodes each; with neither, there
    is a single graph. ``batch_size`` is the number of graphs in ``batch``. Without it, graphs are
    counted, which waits for the device and cannot be exported. Frames that are False in ``mask``
    [N, T], the same for all nodes of a graph, are left out.
    """
    if mask is not None:
        x = frame_mean(x, mask)
    if batch is not None:
        frames = x if x.dim() == 2 else x.flatten(1, -2).mean(dim=1)
        return global_mean_pool(frames, batch, batch_size)
    if num_nodes is not None:
        return split_graphs(x, num_nodes).flatten(1, -2).mean(dim=1)
    return x.flatten(0, -2).mean(dim=0, keepdim=True)


def expand_to_nodes(x: Tensor, num_nodes: int | None = None, batch: Tensor | None = None) -> Tensor:
    """Repeats the rows [B, C] of graphs for their nodes, with a dimension for frames: [N, 1, C]."""
    if batch is not None:
        x = x.index_select(0, batch)
    elif num_nodes is not None:
        x = x.repeat_interleave(num_nodes, dim=0)
    return x.unsqueeze(1)


def check_same_shape(xs: Sequence[Tensor], count: int) -> None:
    """Checks the number of tensors and that they have the same shape."""
    shapes = [list(x.shape) for x in xs]
    if len(xs) != count or any(shape != shapes[0] for shape in shapes):
        raise ValueError(f'xs must be {count} tensors of the same shape, got shapes {shapes}')


def check_same_graphs(source: Sequence[int], target: Sequence[int]) -> None:
    """Checks that source and target have the same sizes, the number of graphs and of frames."""
    if source != target:
        raise ValueError(
            f'source and target must have the same numbers of graphs and frames, got '
            f'{list(source)} and {list(target)}'
        )


def count_graphs(*batches: Tensor) -> int:
    """Returns the number of graphs in batch vectors, which waits for the device."""
    return max((int(batch.max()) + 1 for batch in batches if batch.numel()), default=0)


def to_graphs(
    x: Tensor,
    num_nodes: int | None = None,
    batch: Tensor | None = None,
    batch_size: int | None = None,
) -> tuple[Tensor, Tensor | None]:
    """Returns graphs [B, V, ...] of nodes [N, ...], and a mask [B, V] of real nodes if padded.

    Graphs of different sizes, given by ``batch``, are padded to ``num_nodes``. Without ``batch``,
    all graphs have ``num_nodes`` nodes; with neither, there is a single graph.
    """
    if batch is not None:
        return pad_graphs(x, batch, batch_size, num_nodes)
    return split_graphs(x, x.size(0) if num_nodes is None else num_nodes), None


def to_nodes(graphs: Tensor, batch: Tensor | None = None) -> Tensor:
    """Returns the nodes [N, ...] of graphs [B, V, ...]; undoes :func:`to_graphs`."""
    return graphs.flatten(0, 1) if batch is None else unpad_graphs(graphs, batch)


def pad_graphs(
    x: Tensor,
    batch: Tensor,
    batch_size: int | None = None,
    max_num_nodes: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Pads graphs of different sizes with zeros, [N, ...] to [B, V, ...].

    Returns the graphs and a mask [B, V] of the real nodes. The vector ``batch`` must be in
    ascending order. Without ``batch_size`` or ``max_num_nodes``, they are counted, which waits for
    the device and cannot be exported. With both, the function never waits, unlike PyG's
    ``to_dense_batch``, which copies a number to the device.
    """
    if batch.shape != x.shape[:1]:
        raise ValueError(f'batch must have shape [{x.size(0)}], got {list(batch.shape)}')
    if batch_size is None:
        batch_size = count_graphs(batch)
    eager = not torch.compiler.is_compiling() and x.device.type == 'cpu' and batch.numel() > 0
    if eager and bool((batch.diff() < 0).any()):
        raise ValueError('batch must be in ascending order')
    if eager and int(batch[-1]) >= batch_size:
        raise ValueError(
            f'batch must have at most batch_size={batch_size} graphs, got {int(batch[-1]) + 1}'
        )
    place = _place_in_graph(batch, batch_size)
    if max_num_nodes is None:
        max_num_nodes = int(place.max()) + 1 if batch.numel() else 0
    elif eager:
        largest = int(place.max()) + 1
        if largest > max_num_nodes:
            raise ValueError(f'graphs must have at most {max_num_nodes} nodes, got {largest}')
    rows = batch * max_num_nodes + place
    dense = x.new_zeros(batch_size * max_num_nodes, *x.shape[1:]).index_copy(0, rows, x)
    mask = batch.new_zeros(batch_size * max_num_nodes, dtype=torch.bool).index_fill(0, rows, True)
    shape = (batch_size, max_num_nodes)
    return dense.view(*shape, *x.shape[1:]), mask.view(shape)


def unpad_graphs(dense: Tensor, batch: Tensor) -> Tensor:
    """Returns the real nodes of padded graphs, [B, V, ...] to [N, ...]; undoes pad_graphs."""
    batch_size, num_nodes = dense.shape[:2]
    rows = batch * num_nodes + _place_in_graph(batch, batch_size)
    return dense.flatten(0, 1).index_select(0, rows)


def _place_in_graph(batch: Tensor, batch_size: int) -> Tensor:
    """Returns the position of each node in its graph, from zero: [N]."""
    first = torch.searchsorted(batch, torch.arange(batch_size, device=batch.device))
    return torch.arange(batch.size(0), device=batch.device) - first.index_select(0, batch)
