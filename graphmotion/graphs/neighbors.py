"""Graphs over point sets: who is near whom, and how much an edge weighs."""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor
from torch_geometric.utils import coalesce, scatter, to_undirected

# Candidates looked at together: bounds the memory where very many points are equally far.
_CHUNK = 2**22


def knn_graph(
    pos: Tensor,
    k: int,
    batch: Tensor | None = None,
    *,
    symmetrize: bool = True,
    loop: bool = False,
) -> Tensor:
    r"""The graph in which every point is joined to its :math:`k` nearest others.

    An edge leads from the neighbour to the point, as PyG passes messages. "Being among the
    nearest" is not mutual: with :obj:`symmetrize` two points are joined in both directions if
    either is among the nearest of the other, :math:`\max(\mathbf{A}, \mathbf{A}^{\top})`, which
    the Laplacian needs. Among points that are equally far, as pixels often are, those with the
    lower number are taken, so that the graph depends on nothing but :obj:`pos`.

    Args:
        pos (Tensor): Positions, in any unit and number of dimensions.
        k (int): Number of neighbours :math:`k` of each point.
        batch (Tensor, optional): The graph of each point :math:`(N)`; no edge joins two graphs.
            (default: :obj:`None`)
        symmetrize (bool, optional): Join in both directions. (default: :obj:`True`)
        loop (bool, optional): Every point is the first of its own :math:`k` neighbours, as in
            PyG's function of this name. (default: :obj:`False`)

    Shapes:
        - **pos:** :math:`(N, D)`
        - **output:** :math:`(2, E)`, sorted by source, then by target, no edge twice

    Raises:
        ValueError: If the shape is another, a position is not finite, or a graph has too few
            points for :math:`k` neighbours.
    """
    _check_pos(pos)
    if k < 1:
        raise ValueError(f'k is the number of neighbours, at least 1, got {k}')
    if batch is not None and batch.shape != pos.shape[:1]:
        raise ValueError(
            f'batch has the shape {list(batch.shape)}, expected [{pos.size(0)}]: the graph of '
            f'each point'
        )
    points = pos.detach().cpu().double().numpy()
    if batch is None:
        members = [np.arange(len(points))]
    else:
        of_point = batch.cpu().numpy()
        order = np.argsort(of_point, kind='stable')
        members = np.split(order, np.flatnonzero(np.diff(of_point[order])) + 1)
    sources = []
    for nodes in members:
        if len(nodes) < k + (not loop):
            raise ValueError(
                f'{len(nodes)} points are too few for k = {k} neighbours each, expected at '
                f'least {k + (not loop)}'
            )
        sources.append(nodes[_nearest(points[nodes], k, loop)])
    pairs = np.stack([np.concatenate(sources).ravel(), np.concatenate(members).repeat(k)])
    edge_index = torch.from_numpy(pairs).to(pos.device)
    if symmetrize:
        return to_undirected(edge_index, num_nodes=pos.size(0))
    return coalesce(edge_index, num_nodes=pos.size(0))


def edge_weights(
    pos: Tensor,
    edge_index: Tensor,
    kind: str = 'gaussian',
    sigma: float | None = None,
    batch: Tensor | None = None,
) -> Tensor:
    r"""How much each edge of a graph over points weighs.

    With :math:`d_{ij}` the Euclidean distance of the two points of an edge,

    .. math::
        w_{ij} = 1, \quad w_{ij} = d_{ij} \quad \textrm{or} \quad
        w_{ij} = \exp \left( - \frac{d_{ij}^2}{2 \sigma^2} \right)

    for the kinds :obj:`"binary"`, :obj:`"distance"` and :obj:`"gaussian"`.

    Args:
        pos (Tensor): Positions.
        edge_index (Tensor): Edges.
        kind (str, optional): One of the three kinds. (default: :obj:`"gaussian"`)
        sigma (float, optional): :math:`\sigma` in the unit of :obj:`pos`; by default the mean
            distance over the edges of a graph. (default: :obj:`None`)
        batch (Tensor, optional): The graph of each point :math:`(N)`, by which each graph gets
            its own mean; without it all points are one graph. (default: :obj:`None`)

    Shapes:
        - **pos:** :math:`(N, D)`
        - **edge_index:** :math:`(2, E)`
        - **output:** :math:`(E)`, in the precision of :obj:`pos`, 32 bits at least

    Raises:
        ValueError: If there is no such kind, a position is not finite or :obj:`sigma` is not
            positive.
    """
    _check_pos(pos)
    if kind not in ('binary', 'distance', 'gaussian'):
        raise ValueError(f"kind is 'binary', 'distance' or 'gaussian', got {kind!r}")
    if sigma is not None and not 0 < sigma < float('inf'):
        raise ValueError(f'sigma is a positive number, got {sigma}')
    source, target = edge_index
    dtype = torch.promote_types(pos.dtype, torch.float32)
    if kind == 'binary':
        return torch.ones(edge_index.size(1), dtype=dtype, device=pos.device)
    pos = pos.to(dtype)
    distance = (pos[source] - pos[target]).norm(dim=1)
    if kind == 'distance':
        return distance
    if sigma is not None:
        return torch.exp(-0.5 * (distance / sigma).square())
    # A loop is no neighbour and has no say in the mean. Where all points are in one place, so
    # that their mean distance is zero, all edges weigh 1.
    graph = torch.zeros_like(source) if batch is None else batch[source]
    num_graphs = 1 if batch is None else int(batch.max()) + 1
    apart = source != target
    mean = scatter(distance[apart], graph[apart], dim_size=num_graphs, reduce='mean')
    mean = mean.masked_fill(mean == 0, 1.0)
    return torch.exp(-0.5 * (distance / mean[graph]).square())


def _nearest(points: np.ndarray, k: int, loop: bool) -> np.ndarray:
    """For each point the numbers of the k nearest, by distance, then by number: [N, k]."""
    tree, size = cKDTree(points), len(points)
    out = np.empty((size, k), dtype=np.int64)
    left, count = np.arange(size), k + 9  # itself, k others, and some that may be equally far
    while len(left):
        count = min(count, size)
        later = []
        for nodes in np.array_split(left, min(len(left), -(-len(left) * count // _CHUNK))):
            distance, index = tree.query(points[nodes], range(1, count + 1))
            # Points in the same place may push a point out of its own list: it counts as there,
            # at a distance that nothing else has, and the last of the list gives way to it.
            itself = index == nodes[:, None]
            itself[~itself.any(axis=1), -1] = True
            farthest = distance[:, -1].copy()
            index[itself], distance[itself] = nodes, -1.0 if loop else np.inf
            order = np.lexsort((index, distance))[:, :k]
            out[nodes] = np.take_along_axis(index, order, axis=1)
            last = np.take_along_axis(distance, order[:, -1:], axis=1)[:, 0]
            # Where the list ends at the distance of the last one taken, it may have been cut
            # among equals: look farther.
            later.append(nodes[(last >= farthest) & (count < size)])
        left, count = np.concatenate(later), 2 * count
    return out


def _check_pos(pos: Tensor) -> None:
    if pos.dim() != 2 or not pos.size(0) or not pos.size(1):
        raise ValueError(f'pos has the shape {list(pos.shape)}, expected [num_points, D]')
    if not bool(pos.isfinite().all()):
        bad = int((~pos.isfinite().all(dim=1)).sum())
        raise ValueError(f'pos has {bad} points that are not finite numbers')
