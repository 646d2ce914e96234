"""Coarsening hierarchies, by the cells of regular grids."""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from graphmotion.checks import check_int
from graphmotion.graphs.coarsening import Coarsening


def grid_hierarchy(pos: Tensor, levels: int, cell_size: float) -> tuple[Coarsening, ...]:
    r"""Coarsens points level by level for pooling, by the cells of regular grids.

    Each cluster is a cell that contains points, in a grid that starts at the origin. The sides of
    cells double with each level. Neighbouring cells, also diagonal ones, are connected with weight
    one. Clusters are more regular than those of :func:`coarsening_hierarchy`, which merges
    neighbours, so that filters over offsets are sharper.

    Coarse nodes are numbered such that the members of each coarser cluster are adjacent.

    .. code-block:: python

        pos = sample_pixels(48, 48)
        first, second = grid_hierarchy(pos, levels=2, cell_size=3)
        pool = ClusterPooling(first.cluster)

    Args:
        pos (Tensor): Positions :math:`(N, D)`.
        levels (int): Number of levels.
        cell_size (float): Side of the cells of the first level, in the unit of the positions.

    Returns:
        tuple of Coarsening: The levels, from the given points to the coarsest, on the device of
        :obj:`pos`.

    Raises:
        ValueError: If :obj:`levels` is below 1, or :obj:`cell_size` is not positive.
    """
    check_int('levels', levels, 1)
    if not cell_size > 0:
        raise ValueError(f'cell_size must be positive, got {cell_size}')
    cell = np.floor(pos.detach().cpu().double().numpy() / cell_size).astype(np.int64)
    # The cells of all levels that contain a node, from the coarsest to its own: sorted rows are
    # grouped by the cells of all coarser levels.
    nodes = np.concatenate([cell >> level for level in reversed(range(levels))], axis=1)
    dim, out = pos.size(1), []
    for _ in range(levels):
        cells, cluster = np.unique(nodes, axis=0, return_inverse=True)
        cluster = cluster.reshape(-1)
        pairs = cKDTree(cells[:, -dim:]).query_pairs(1.5, p=np.inf, output_type='ndarray')
        edges = np.concatenate([pairs, pairs[:, ::-1]])
        edges = edges[np.lexsort((edges[:, 1], edges[:, 0]))].T
        out.append(
            Coarsening(
                torch.from_numpy(cluster),
                torch.from_numpy(np.argsort(cluster, kind='stable')),
                torch.from_numpy(np.ascontiguousarray(edges)),
                torch.ones(edges.shape[1]),
            ).to(pos.device)
        )
        nodes = cells[:, :-dim]
    return tuple(out)
