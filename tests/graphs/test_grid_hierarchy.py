import math

import pytest
import torch

from graphmotion.graphs import grid_hierarchy, pixel_graph, sample_pixels


@pytest.mark.parametrize(
    ('pos', 'cell_size'),
    [
        (sample_pixels(20, 14, 0.3), 3),
        (torch.randn(60, 3, generator=torch.Generator().manual_seed(0)).double(), 0.7),
    ],
)
def test_clusters_and_edges_against_loops(pos, cell_size):
    members = [[i] for i in range(len(pos))]
    for level, coarse in enumerate(grid_hierarchy(pos, 3, cell_size)):
        side = cell_size * 2**level
        cells = [tuple(math.floor(v / side) for v in point) for point in pos.tolist()]
        merged = [[] for _ in range(coarse.num_clusters)]
        for node, cluster in enumerate(coarse.cluster.tolist()):
            merged[cluster] += members[node]
        # A cluster has all points of one cell.
        expected = {}
        for i, cell in enumerate(cells):
            expected.setdefault(cell, set()).add(i)
        assert sorted(map(sorted, merged)) == sorted(map(sorted, expected.values()))
        own = [cells[points[0]] for points in merged]
        edges = [
            [i, j]
            for i in range(len(own))
            for j in range(len(own))
            if i != j and max(abs(a - b) for a, b in zip(own[i], own[j])) == 1
        ]
        assert coarse.edge_index.t().tolist() == edges
        assert torch.equal(coarse.edge_weight, torch.ones(len(edges)))
        assert torch.equal(coarse.cluster[coarse.permutation], coarse.cluster.sort().values)
        if level:  # the members of a cluster are adjacent
            assert torch.equal(coarse.permutation, torch.arange(coarse.num_nodes))
        members = merged


def test_pixel_graphs():
    graph = pixel_graph((20, 14), 0.3, k=4, num_modes=8, levels=2, cell_size=3)
    expected = grid_hierarchy(graph.pos, 2, 3)
    assert [level.num_clusters for level in graph.hierarchy] == [31, 12]  # of 7 x 5 and 4 x 3 cells
    for level, other in zip(graph.hierarchy, expected, strict=True):
        assert torch.equal(level.cluster, other.cluster)
    assert pixel_graph((20, 14), 0.3, num_modes=None, levels=0, cell_size=3).hierarchy == ()


def test_bad_input():
    pos = torch.rand(5, 2)
    with pytest.raises(ValueError, match='levels must be an integer >= 1, got 0'):
        grid_hierarchy(pos, 0, 1)
    for size in (0, -1, math.nan):
        with pytest.raises(ValueError, match=f'cell_size must be positive, got {size}'):
            grid_hierarchy(pos, 1, size)
