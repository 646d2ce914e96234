"""Coarsening against a loop that merges pair by pair."""

import math

import networkx as nx
import numpy as np
import pytest
import torch

from graphmotion.graphs import coarsening as module
from graphmotion.graphs import coarsening_hierarchy, edge_weights, knn_graph


def face(num_nodes=200):
    pos = torch.rand(num_nodes, 2)
    edge_index = knn_graph(pos, 6)
    return edge_index, num_nodes, edge_weights(pos, edge_index)


def dense(edge_index, weight, num_nodes):
    out = torch.zeros(num_nodes, num_nodes, dtype=torch.float64)
    return out.index_put_(tuple(edge_index), weight.double(), accumulate=True)


def check(level, edge_index, weight):
    """Checks the requirements of a level, given the graph that it merges."""
    size, count = level.num_nodes, level.num_clusters
    assert level.cluster.dtype == torch.long
    assert level.cluster.unique().tolist() == list(range(count))
    assert level.permutation.sort().values.tolist() == list(range(size))
    assert bool((level.cluster[level.permutation].diff() >= 0).all())
    # The coarse graph is that of the indicator matrix, without its diagonal.
    indicator = torch.eye(count, dtype=torch.float64)[level.cluster]
    coarse = indicator.mT @ dense(edge_index, weight, size) @ indicator
    coarse.fill_diagonal_(0)
    found = dense(level.edge_index, level.edge_weight, count)
    torch.testing.assert_close(found, coarse, rtol=1e-5, atol=1e-6)
    assert bool((level.edge_index[0] * count + level.edge_index[1]).diff().gt(0).all())
    assert level.edge_index.size(1) == int((coarse > 0).sum())
    # Members of a cluster hang together.
    graph = nx.Graph(edge_index.t().tolist())
    graph.add_nodes_from(range(size))
    for members in map(np.flatnonzero, indicator.t().numpy()):
        assert nx.is_connected(graph.subgraph(members.tolist()))


def check_all(hierarchy, edge_index, weight):
    for depth, level in enumerate(hierarchy):
        check(level, edge_index, weight)
        if depth:  # clusters are side by side without a permutation
            assert torch.equal(level.permutation, torch.arange(level.num_nodes))
        edge_index, weight = level.edge_index, level.edge_weight


@pytest.mark.parametrize('ratio', [None, 0.5, 0.25, 0.3])
def test_hierarchies(ratio):
    edge_index, num_nodes, weight = face()
    hierarchy = coarsening_hierarchy(edge_index, num_nodes, 3, weight, ratio)
    check_all(hierarchy, edge_index, weight)
    size = num_nodes
    for level in hierarchy:
        assert level.num_nodes == size
        if ratio is None:
            assert size / 2 <= level.num_clusters < 0.65 * size
            assert level.cluster.bincount().max() == 2
        else:
            assert level.num_clusters == math.ceil(ratio * size)
        size = level.num_clusters


def test_one_pairing_is_the_greedy_one():
    edge_index, num_nodes, weight = face()
    (level,) = coarsening_hierarchy(edge_index, num_nodes, 1, weight)
    matrix = dense(edge_index, weight, num_nodes)
    degree = matrix.sum(dim=0)
    score = matrix * (1 / degree + 1 / degree.unsqueeze(1))
    cluster = {}
    for place in score.triu().flatten().argsort(descending=True).tolist():
        i, j = divmod(place, num_nodes)
        if score[i, j] > 0 and i not in cluster and j not in cluster:
            cluster[i] = cluster[j] = (i, j)
    expected = {cluster.get(i, (i,)) for i in range(num_nodes)}
    found = {
        tuple((level.cluster == c).nonzero().flatten().tolist()) for c in range(level.num_clusters)
    }
    assert found == expected


def test_volumes_include_edges_inside_clusters():
    # Pairs first 0-1, then 2-3, 4-5. After that {0,1} and {2,3} look alike but for the weight
    # inside: to {4,5}, in between, {2,3} is the better partner, as its volume is less.
    edges = {(0, 1): 9.0, (2, 3): 5.0, (4, 5): 7.0, (1, 4): 1.0, (3, 5): 1.0}
    edge_index = torch.tensor([*edges, *((j, i) for i, j in edges)]).t()
    weight = torch.tensor(list(edges.values()) * 2)
    (level,) = coarsening_hierarchy(edge_index, 6, 1, weight, ratio=0.3)
    assert level.num_clusters == 2
    a, b = level.cluster[0], level.cluster[2]
    assert a != b
    assert level.cluster.tolist() == [a, a, b, b, b, b]


@pytest.mark.parametrize('ratio', [None, 0.25])
def test_the_same_for_the_same_seed(ratio):
    pos = torch.cartesian_prod(torch.arange(12), torch.arange(12))
    edge_index = knn_graph(pos, 4)
    state = torch.get_rng_state()
    a, b, c = (
        coarsening_hierarchy(edge_index, 144, 2, ratio=ratio, seed=seed) for seed in (0, 0, 1)
    )
    assert torch.equal(torch.get_rng_state(), state)
    for x, y in zip(a, b):
        assert torch.equal(x.cluster, y.cluster)
        assert torch.equal(x.edge_index, y.edge_index)
    assert not torch.equal(a[0].cluster, c[0].cluster)


def test_nodes_without_edges_are_not_merged():
    edge_index, num_nodes, weight = face(50)
    hierarchy = coarsening_hierarchy(edge_index + 2, num_nodes + 5, 2, weight)
    check_all(hierarchy, edge_index + 2, weight)
    sizes = hierarchy[0].cluster.bincount()[hierarchy[0].cluster]
    assert sizes[[0, 1, 52, 53, 54]].tolist() == [1] * 5
    empty = torch.empty(2, 0, dtype=torch.long)
    for ratio in (None, 0.5):
        for level in coarsening_hierarchy(empty, 4, 2, ratio=ratio):
            assert sorted(level.cluster.tolist()) == [0, 1, 2, 3]
            assert level.edge_index.shape == (2, 0)


def test_components_do_not_merge():
    edge_index, _, weight = face(30)
    both = torch.cat([edge_index, edge_index + 30], dim=1)
    hierarchy = coarsening_hierarchy(both, 60, 8, torch.cat([weight, weight]), ratio=0.4)
    check_all(hierarchy, both, torch.cat([weight, weight]))
    assert hierarchy[-1].num_clusters == 2
    cluster = torch.arange(60)
    for level in hierarchy:
        cluster = level.cluster[cluster]
    assert cluster.tolist() in ([0] * 30 + [1] * 30, [1] * 30 + [0] * 30)


def test_weights_keep_their_precision():
    edge_index, num_nodes, weight = face(40)
    for dtype in (torch.float32, torch.float64):
        (level,) = coarsening_hierarchy(edge_index, num_nodes, 1, weight.to(dtype))
        assert level.edge_weight.dtype == dtype
    # Sums of ones are counts, which neither a truth value nor 8 bits of precision hold.
    exact = coarsening_hierarchy(edge_index, num_nodes, 1, ratio=0.1)[0].edge_weight
    assert exact.max() > 1
    for dtype in (torch.bool, torch.long, torch.bfloat16):
        ones = torch.ones(edge_index.size(1), dtype=dtype)
        (level,) = coarsening_hierarchy(edge_index, num_nodes, 1, ones, ratio=0.1)
        assert level.edge_weight.dtype == torch.float32
        assert torch.equal(level.edge_weight, exact)
    (level,) = coarsening_hierarchy(edge_index, num_nodes, 1)
    assert level.edge_weight.dtype == torch.float32


def test_large_graphs_take_few_rounds(monkeypatch):
    calls = []
    count = np.repeat
    monkeypatch.setattr(module.np, 'repeat', lambda *args: calls.append(1) or count(*args))
    pos = torch.cartesian_prod(torch.arange(70), torch.arange(70))
    coarsening_hierarchy(knn_graph(pos, 8), 4900, 1)
    assert 1 < len(calls) < 30


def test_bad_input():
    edge_index, num_nodes, weight = face(20)
    with pytest.raises(ValueError, match='levels must be at least 1, got 0'):
        coarsening_hierarchy(edge_index, num_nodes, 0)
    for ratio in (0.0, 1.0, -1.0):
        with pytest.raises(ValueError, match='ratio must be between 0 and 1'):
            coarsening_hierarchy(edge_index, num_nodes, 1, ratio=ratio)
    with pytest.raises(ValueError, match='must be symmetric'):
        coarsening_hierarchy(edge_index[:, 1:], num_nodes, 1, weight[1:])


def test_compared():
    edge_index, num_nodes, weight = face(20)
    (level,) = coarsening_hierarchy(edge_index, num_nodes, 1, weight)
    assert level == level
    assert level != coarsening_hierarchy(edge_index, num_nodes, 1, weight)[0]
    assert len({level, level}) == 1


def test_printed():
    edge_index, num_nodes, weight = face(50)
    (level,) = coarsening_hierarchy(edge_index, num_nodes, 1, weight, ratio=0.5)
    assert repr(level) == f'Coarsening(50 -> 25, num_edges={level.edge_index.size(1)})'
