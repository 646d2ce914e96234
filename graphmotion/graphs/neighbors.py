"""Nearest-neighbour graphs over point sets and their edge weights."""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor
from torch_geometric.utils import coalesce, scatter, to_undirected

# Candidates examined at a time; bounds the memory if very many points are equidistant.
_CHUNK = 2**22


def knn_graph(
    pos: Tensor,
    k: int,
    batch: Tensor | None = None,
    *,
    symmetrize: bool = True,
    loop: bool = False,
) -> Tensor:
    r"""Connects every point to its :math:`k` nearest neighbours.

    Edges point from the neighbour to the point, the direction of PyG's messages. The neighbour
    relation is not symmetric: with :obj:`symmetrize`, two points are connected in both directions
    if either is a neighbour of the other, :math:`\max(\mathbf{A}, \mathbf{A}^{\top})`, as the
    Laplacian requires. Ties between equidistant points, which are common among pixels, are broken
    by the lower index, so that the graph depends on :obj:`pos` only.

    .. code-block:: python

        >>> knn_graph(torch.tensor([[0.0], [1.0], [3.0]]), k=1)
        tensor([[0, 1, 1, 2],
                [1, 0, 2, 1]])

    Args:
        pos (Tensor): Positions, in any unit and number of dimensions.
        k (int): Number of neighbours :math:`k` of each point.
        batch (Tensor, optional): Graph of each point :math:`(N)`; no edge connects two graphs.
            (default: :obj:`None`)
        symmetrize (bool, optional): If :obj:`True`, adds the reverse of each edge.
            (default: :obj:`True`)
        loop (bool, optional): If :obj:`True`, every point is the first of its own :math:`k`
            neighbours, as in PyG's function of the same name. (default: :obj:`False`)

    Shapes:
        - **pos:** :math:`(N, D)`
        - **output:** :math:`(2, E)`, sorted by source, then by target, without duplicates

    Raises:
        ValueError: If a position is not finite or a graph has too few points for :math:`k`
            neighbours.
    """
    _check_pos(pos)
    if k < 1:
        raise ValueError(f'k must be at least 1, got {k}')
    if batch is not None and batch.shape != pos.shape[:1]:
        raise ValueError(f'batch must have shape [{pos.size(0)}], got {list(batch.shape)}')
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
                f'a graph must have at least {k + (not loop)} points for k={k} neighbours, got '
                f'{len(nodes)}'
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
    r"""Computes the weight of each edge from the distance between its points.

    With :math:`d_{ij}` the Euclidean distance,

    .. math::
        w_{ij} = 1, \quad w_{ij} = d_{ij} \quad \textrm{or} \quad
        w_{ij} = \exp \left( - \frac{d_{ij}^2}{2 \sigma^2} \right)

    for the kinds :obj:`"binary"`, :obj:`"distance"` and :obj:`"gaussian"`.

    .. code-block:: python

        pos = torch.rand(10, 2)
        edge_index = knn_graph(pos, k=3)
        weight = edge_weights(pos, edge_index)  # Gaussian of the distance

    Args:
        pos (Tensor): Positions.
        edge_index (Tensor): Edges.
        kind (str, optional): Kind of weights. (default: :obj:`"gaussian"`)
        sigma (float, optional): Width :math:`\sigma` in the unit of :obj:`pos`; by default the
            mean edge length of each graph. (default: :obj:`None`)
        batch (Tensor, optional): Graph of each point :math:`(N)`. If not given, all points belong
            to one graph. (default: :obj:`None`)

    Shapes:
        - **pos:** :math:`(N, D)`
        - **edge_index:** :math:`(2, E)`
        - **output:** :math:`(E)`, in the precision of :obj:`pos`, at least 32 bits

    Raises:
        ValueError: If the kind is unknown, a position is not finite or :obj:`sigma` is not
            positive.
    """
    _check_pos(pos)
    if kind not in ('binary', 'distance', 'gaussian'):
        raise ValueError(f"kind must be 'binary', 'distance' or 'gaussian', got {kind!r}")
    if sigma is not None and not 0 < sigma < float('inf'):
        raise ValueError(f'sigma must be positive and finite, got {sigma}')
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
    # Self-loops do not count in the mean. If all points coincide, their mean distance is zero and
    # all weights are 1.
    graph = torch.zeros_like(source) if batch is None else batch[source]
    num_graphs = 1 if batch is None else int(batch.max()) + 1
    apart = source != target
    mean = scatter(distance[apart], graph[apart], dim_size=num_graphs, reduce='mean')
    mean = mean.masked_fill(mean == 0, 1.0)
    return torch.exp(-0.5 * (distance / mean[graph]).square())


def _nearest(points: np.ndarray, k: int, loop: bool) -> np.ndarray:
    """Returns the k nearest points of each point, by distance, then by index: [N, k]."""
    tree, size = cKDTree(points), len(points)
    out = np.empty((size, k), dtype=np.int64)
    left, count = np.arange(size), k + 9  # the point itself, k others, and some possible ties
    while len(left):
        count = min(count, size)
        later = []
        for nodes in np.array_split(left, min(len(left), -(-len(left) * count // _CHUNK))):
            distance, index = tree.query(points[nodes], range(1, count + 1))
            # Coincident points may push a point out of its own list; it then replaces the last
            # entry, at a distance that no other point has.
            itself = index == nodes[:, None]
            itself[~itself.any(axis=1), -1] = True
            farthest = distance[:, -1].copy()
            index[itself], distance[itself] = nodes, -1.0 if loop else np.inf
            order = np.lexsort((index, distance))[:, :k]
            out[nodes] = np.take_along_axis(index, order, axis=1)
            last = np.take_along_axis(distance, order[:, -1:], axis=1)[:, 0]
            # If the list ends at the distance of the last neighbour, it may have been cut between
            # ties: search further.
            later.append(nodes[(last >= farthest) & (count < size)])
        left, count = np.concatenate(later), 2 * count
    return out


def _check_pos(pos: Tensor) -> None:
    if pos.dim() != 2 or not pos.size(0) or not pos.size(1):
        raise ValueError(f'pos must have shape [num_points, D], got {list(pos.shape)}')
    if not bool(pos.isfinite().all()):
        bad = int((~pos.isfinite().all(dim=1)).sum())
        raise ValueError(f'pos must be finite, got {bad} points that are not')
