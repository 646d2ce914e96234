"""Nearest neighbours against sorted distances, weights against their formula."""

import math

import numpy as np
import pytest
import torch

from graphmotion.graphs import edge_weights, knn_graph
from graphmotion.graphs import neighbors as module


def brute_force(pos, k, loop=False):
    """Returns the set of (neighbour, node), by distance, then by index."""
    distance = torch.cdist(pos.double(), pos.double())
    pairs = set()
    for i, row in enumerate(distance.tolist()):
        order = sorted(range(len(row)), key=lambda j: (-1.0 if loop and j == i else row[j], j))
        if not loop:
            order.remove(i)
        pairs |= {(j, i) for j in order[:k]}
    return pairs


def pairs_of(edge_index):
    return set(map(tuple, edge_index.t().tolist()))


def pixels(height, width):
    return torch.cartesian_prod(torch.arange(height), torch.arange(width)).float()


@pytest.mark.parametrize('loop', [False, True])
@pytest.mark.parametrize('dims', [1, 2, 3])
def test_neighbours_match_sorted_distances(dims, loop):
    pos = torch.randn(60, dims, dtype=torch.float64)
    edge_index = knn_graph(pos, 5, symmetrize=False, loop=loop)
    assert edge_index.shape == (2, 300)
    assert pairs_of(edge_index) == brute_force(pos, 5, loop)


@pytest.mark.parametrize('k', [1, 2, 5, 8, 13, 47])
def test_ties_are_broken_by_the_lower_index(k):
    pos = pixels(6, 8)
    assert pairs_of(knn_graph(pos, k, symmetrize=False)) == brute_force(pos, k)


@pytest.mark.parametrize('loop', [False, True])
def test_points_in_one_place(monkeypatch, loop):
    pos = torch.tensor([[0.0, 0.0]] * 30 + [[1.0, 0.0]] * 3)
    expected = brute_force(pos, 3, loop)
    assert pairs_of(knn_graph(pos, 3, symmetrize=False, loop=loop)) == expected
    monkeypatch.setattr(module, '_CHUNK', 16)  # the same, a few points at a time
    assert pairs_of(knn_graph(pos, 3, symmetrize=False, loop=loop)) == expected


def test_symmetric_graph_is_the_union_of_both_directions():
    pos = torch.rand(50, 2)
    once = pairs_of(knn_graph(pos, 4, symmetrize=False))
    edge_index = knn_graph(pos, 4)
    assert len(pairs_of(edge_index)) == edge_index.size(1)
    assert pairs_of(edge_index) == once | {(j, i) for i, j in once}
    assert once != {(j, i) for i, j in once}
    degree = edge_index[1].bincount(minlength=50)
    assert degree.min() >= 4
    assert degree.max() <= 49


@pytest.mark.parametrize('symmetrize', [False, True])
def test_edges_are_sorted_and_of_the_form_of_pyg(symmetrize):
    edge_index = knn_graph(torch.rand(40, 2), 6, symmetrize=symmetrize)
    assert edge_index.dtype == torch.long
    assert edge_index.is_contiguous()
    key = edge_index[0] * 40 + edge_index[1]
    assert bool((key.diff() > 0).all())
    if not symmetrize:  # every target has k sources
        assert edge_index[1].bincount().tolist() == [6] * 40


def test_all_neighbours_make_a_complete_graph():
    edge_index = knn_graph(torch.rand(12, 2), 11)
    assert edge_index.size(1) == 12 * 11


@pytest.mark.parametrize('loop', [False, True])
def test_graphs_of_a_batch_are_not_connected(loop):
    a, b = torch.rand(20, 2), torch.rand(15, 2)
    batch = torch.tensor([0] * 20 + [1] * 15)
    together = knn_graph(torch.cat([a, b]), 4, batch, loop=loop)  # third, as in PyG
    alone = [knn_graph(a, 4, loop=loop), knn_graph(b, 4, loop=loop) + 20]
    assert torch.equal(together, torch.cat(alone, dim=1))
    # Also if the nodes of a graph are not side by side.
    order = torch.randperm(35)
    mixed = knn_graph(torch.cat([a, b])[order], 4, loop=loop, batch=batch[order])
    assert pairs_of(order[mixed]) == pairs_of(together)


@pytest.mark.parametrize('dtype', [torch.float16, torch.float32, torch.float64, torch.long])
def test_any_type_of_numbers(dtype):
    pos = pixels(5, 5)
    assert torch.equal(knn_graph(pos.to(dtype), 4), knn_graph(pos, 4))


@pytest.mark.parametrize(
    ('pos', 'k', 'message'),
    [
        (torch.rand(5, 2), 5, 'at least 6 points for k=5 neighbours, got 5'),
        (torch.rand(5, 2), 0, 'at least 1, got 0'),
        (torch.tensor([[0.0, 1.0], [math.nan, 2.0], [1.0, 1.0]]), 1, '1 points that are not'),
        (torch.tensor([[0.0, 1.0], [math.inf, 2.0], [1.0, 1.0]]), 1, '1 points that are not'),
        (torch.rand(5), 1, r'shape \[num_points, D\], got \[5\]'),
        (torch.rand(5, 2, 2), 1, 'pos must have shape'),
        (torch.rand(0, 2), 1, 'pos must have shape'),
    ],
)
def test_bad_points(pos, k, message):
    with pytest.raises(ValueError, match=message):
        knn_graph(pos, k)


def test_bad_batches():
    pos = torch.rand(6, 2)
    with pytest.raises(ValueError, match=r'batch must have shape \[6\], got \[5\]'):
        knn_graph(pos, 1, batch=torch.zeros(5, dtype=torch.long))
    with pytest.raises(ValueError, match='at least 3 points for k=2 neighbours, got 2'):
        knn_graph(pos, 2, batch=torch.tensor([0, 0, 0, 0, 1, 1]))


def test_with_loops_a_node_is_one_of_its_neighbours():
    edge_index = knn_graph(torch.rand(5, 2), 5, loop=True)
    assert edge_index.size(1) == 25
    assert knn_graph(torch.rand(1, 2), 1, loop=True).tolist() == [[0], [0]]


# Weights ######################################################################################


def test_weights_match_the_formula():
    pos = torch.rand(30, 2, dtype=torch.float64)
    edge_index = knn_graph(pos, 5)
    distance = [math.dist(pos[i], pos[j]) for i, j in edge_index.t().tolist()]
    mean = sum(distance) / len(distance)
    expected = {
        'binary': [1.0] * len(distance),
        'distance': distance,
        'gaussian': [math.exp(-(d**2) / (2 * mean**2)) for d in distance],
    }
    for kind, values in expected.items():
        weight = edge_weights(pos, edge_index, kind)
        np.testing.assert_allclose(weight.numpy(), values, rtol=1e-12)
    narrow = edge_weights(pos, edge_index, sigma=0.05)
    np.testing.assert_allclose(
        narrow.numpy(), [math.exp(-(d**2) / (2 * 0.05**2)) for d in distance], rtol=1e-12
    )


def test_weights_are_the_same_in_both_directions():
    pos = torch.rand(100, 2)
    edge_index = knn_graph(pos, 6)
    weight = torch.zeros(100, 100)
    weight[tuple(edge_index)] = edge_weights(pos, edge_index)
    assert torch.equal(weight, weight.t())


def test_each_graph_has_its_own_width():
    a, b = torch.rand(20, 2), 10 * torch.rand(15, 2)
    batch = torch.tensor([0] * 20 + [1] * 15)
    pos = torch.cat([a, b])
    together = edge_weights(pos, knn_graph(pos, 4, batch=batch), batch=batch)
    alone = [edge_weights(part, knn_graph(part, 4)) for part in (a, b)]
    torch.testing.assert_close(together, torch.cat(alone))


def test_loops_do_not_affect_the_width():
    pos = torch.rand(20, 2)
    edge_index = knn_graph(pos, 4)
    loops = torch.arange(20).expand(2, -1)
    weight = edge_weights(pos, torch.cat([edge_index, loops], dim=1))
    torch.testing.assert_close(weight[:-20], edge_weights(pos, edge_index))
    assert weight[-20:].tolist() == [1.0] * 20


def test_weights_of_points_in_one_place_are_one():
    pos = torch.zeros(6, 2)
    assert edge_weights(pos, knn_graph(pos, 2)).unique().tolist() == [1.0]
    empty = torch.empty(2, 0, dtype=torch.long)
    assert edge_weights(pos, empty).shape == (0,)


def test_precision_of_weights():
    pos = pixels(4, 4)
    edge_index = knn_graph(pos, 3)
    for kind in ('binary', 'distance', 'gaussian'):
        assert edge_weights(pos, edge_index, kind).dtype == torch.float32
        assert edge_weights(pos.double(), edge_index, kind).dtype == torch.float64
        assert edge_weights(pos.half(), edge_index, kind).dtype == torch.float32
        assert edge_weights(pos.long(), edge_index, kind).dtype == torch.float32


def test_bad_weights():
    pos = torch.rand(6, 2)
    edge_index = knn_graph(pos, 2)
    with pytest.raises(
        ValueError, match="kind must be 'binary', 'distance' or 'gaussian', got 'cos"
    ):
        edge_weights(pos, edge_index, 'cosine')
    for sigma in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match='sigma must be positive'):
            edge_weights(pos, edge_index, sigma=sigma)


@pytest.mark.cuda
def test_cuda():
    if not torch.cuda.is_available():
        pytest.skip('there is no CUDA device')
    pos = torch.rand(50, 2)
    edge_index = knn_graph(pos.cuda(), 4)
    assert edge_index.is_cuda
    assert torch.equal(edge_index.cpu(), knn_graph(pos, 4))
    weight = edge_weights(pos.cuda(), edge_index)
    torch.testing.assert_close(weight.cpu(), edge_weights(pos, edge_index.cpu()))
