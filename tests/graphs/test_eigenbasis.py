"""Eigenbases against closed forms, dense solvers and the equation that defines them."""

import math
from functools import cache

import networkx as nx
import numpy as np
import pytest
import torch
from torch_geometric.utils import to_undirected

from graphmotion.graphs import edge_weights, knn_graph, laplacian, laplacian_eigenbasis
from graphmotion.graphs import eigenbasis as module


def edges_of(graph):
    graph = nx.convert_node_labels_to_integers(graph)
    edges = torch.tensor(list(graph.edges()), dtype=torch.long).reshape(-1, 2).t()
    return to_undirected(edges, num_nodes=len(graph)), len(graph)


def path(n):
    return 4 * np.sin(np.pi * np.arange(n) / (2 * n)) ** 2


def cycle(n):
    return 4 * np.sin(np.pi * np.arange(n) / n) ** 2


def sums(a, b):
    return np.add.outer(a, b).ravel()


def hypercube(n):
    return np.concatenate([np.full(math.comb(n, k), 2.0 * k) for k in range(n + 1)])


SPECTRA = {
    'path': (nx.path_graph(30), path(30)),
    'cycle': (nx.cycle_graph(31), cycle(31)),
    'grid': (nx.grid_2d_graph(6, 6), sums(path(6), path(6))),
    'complete': (nx.complete_graph(20), np.array([0.0] + [20.0] * 19)),
    'star': (nx.star_graph(19), np.array([0.0] + [1.0] * 18 + [20.0])),
    'single node': (nx.empty_graph(1), np.zeros(1)),
    'no edges': (nx.empty_graph(7), np.zeros(7)),
    'two components': (
        nx.disjoint_union(nx.path_graph(12), nx.cycle_graph(15)),
        np.r_[path(12), cycle(15)],
    ),
}
# Large enough for the iteration; some eigenvalues are repeated more often than a block has rows.
LARGE_SPECTRA = {
    'path': lambda: (nx.path_graph(1500), path(1500)),
    'cycle': lambda: (nx.cycle_graph(1100), cycle(1100)),
    'grid': lambda: (nx.grid_2d_graph(33, 33), sums(path(33), path(33))),
    'torus': lambda: (nx.grid_2d_graph(34, 30, periodic=True), sums(cycle(34), cycle(30))),
    'star': lambda: (nx.star_graph(1199), np.r_[0, np.ones(1198), 1200]),
    'hypercube': lambda: (nx.hypercube_graph(10), hypercube(10)),
    'no edges': lambda: (nx.empty_graph(1200), np.zeros(1200)),
    'two components': lambda: (
        nx.disjoint_union(nx.path_graph(700), nx.cycle_graph(600)),
        np.r_[path(700), cycle(600)],
    ),
    'equal components': lambda: (
        nx.disjoint_union_all([nx.path_graph(50)] * 25),
        np.tile(path(50), 25),
    ),
}


def check(edge_index, num_nodes, eigenvalues, eigenvectors, weight=None, normalization=None):
    """Checks the requirements of a basis, in double precision."""
    matrix = laplacian(edge_index, num_nodes, weight, normalization)
    values, vectors = eigenvalues.numpy(), eigenvectors.numpy()
    assert vectors.shape == (num_nodes, len(values))
    scale = max(matrix.diagonal().max(), 1.0)
    assert np.linalg.norm(matrix @ vectors - vectors * values, axis=0).max() < 1e-8 * scale
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(len(values)), atol=1e-12)
    assert bool((eigenvalues.diff() >= 0).all())
    assert values[0] == 0.0
    zeros = nx.number_connected_components(nx.from_scipy_sparse_array(matrix))
    assert (values < 1e-11 * scale).sum() == min(zeros, len(values))
    largest = np.abs(vectors) >= (1 - 1e-6) * np.abs(vectors).max(axis=0)
    first = largest.argmax(axis=0)
    assert bool((vectors[first, np.arange(len(values))] > 0).all())


def solve(edge_index, num_nodes, num_modes, weight=None, normalization=None, **kwargs):
    """Solves in double precision, the precision of the weights."""
    if weight is None:
        weight = torch.ones(edge_index.size(1), dtype=torch.float64)
    return laplacian_eigenbasis(edge_index, num_nodes, num_modes, weight, normalization, **kwargs)


@pytest.mark.parametrize('name', SPECTRA)
def test_closed_forms_with_all_modes(name):
    edge_index, num_nodes = edges_of(SPECTRA[name][0])
    basis = solve(edge_index, num_nodes, num_nodes)
    check(edge_index, num_nodes, *basis)
    np.testing.assert_allclose(basis[0], np.sort(SPECTRA[name][1]), atol=1e-12)


@pytest.mark.parametrize('name', LARGE_SPECTRA)
def test_closed_forms_with_few_modes_of_many_nodes(name):
    graph, spectrum = LARGE_SPECTRA[name]()
    edge_index, num_nodes = edges_of(graph)
    basis = solve(edge_index, num_nodes, 100)
    check(edge_index, num_nodes, *basis)
    np.testing.assert_allclose(basis[0], np.sort(spectrum)[:100], atol=1e-10)


def test_modes_that_a_block_has_no_room_for_are_counted_and_found(monkeypatch):
    monkeypatch.setattr(module, '_BLOCK', 1)
    factorized = []
    factorize = module._factorize
    monkeypatch.setattr(
        module, '_factorize', lambda *args: factorized.append(args) or factorize(*args)
    )
    spider = nx.Graph()  # 20 legs of 60 nodes: most eigenvalues are there 19 times
    for leg in range(20):
        nx.add_path(spider, [0, *range(1 + 60 * leg, 61 + 60 * leg)])
    edge_index, num_nodes = edges_of(spider)
    basis = solve(edge_index, num_nodes, 50)
    assert len(factorized) > 2  # one for the iteration, one for each count
    check(edge_index, num_nodes, *basis)
    exact = np.linalg.eigvalsh(laplacian(edge_index, num_nodes).toarray())
    np.testing.assert_allclose(basis[0], exact[:50], atol=1e-10)


@pytest.mark.parametrize('normalization', [None, 'sym'])
@pytest.mark.parametrize('num_nodes', [150, 450])
def test_both_solvers_against_numpy(monkeypatch, num_nodes, normalization):
    pos = torch.rand(num_nodes, 2, dtype=torch.float64)
    edge_index = knn_graph(pos, 8)
    weight = edge_weights(pos, edge_index)
    matrix = laplacian(edge_index, num_nodes, weight, normalization).toarray()
    values, vectors = np.linalg.eigh(matrix)
    bases = []
    for dense in (num_nodes, 50):
        monkeypatch.setattr(module, '_DENSE', dense)
        basis = solve(edge_index, num_nodes, 11, weight, normalization)
        check(edge_index, num_nodes, *basis, weight, normalization)
        np.testing.assert_allclose(basis[0], values[:11], atol=1e-10)
        bases.append(basis)
    torch.testing.assert_close(*bases, rtol=0, atol=1e-7)
    # Apart from signs those of numpy.
    overlap = np.abs(bases[0][1].numpy().T @ vectors[:, :11])
    np.testing.assert_allclose(overlap, np.eye(11), atol=1e-6)


@pytest.mark.parametrize('dense', [1000, 20])
def test_trivial_modes_are_constant_on_components(monkeypatch, dense):
    monkeypatch.setattr(module, '_DENSE', dense)
    # Components of 100 and 60 nodes that lie mixed, and a node without edges.
    component = torch.tensor([0, 1, 0] * 40 + [0, 1] * 20)
    pos = torch.rand(160, 2) + 5 * component.unsqueeze(1)
    edge_index = knn_graph(pos, 6, batch=component)
    weight = edge_weights(pos, edge_index)
    size = component.bincount()
    for normalization in (None, 'sym'):
        values, vectors = laplacian_eigenbasis(edge_index, 161, 5, weight, normalization)
        assert values[:3].tolist() == [0.0] * 3
        assert values[3] > 1e-4
        expected = torch.zeros(161, 3)
        degree = torch.zeros(160).index_add_(0, edge_index[0], weight)
        amplitude = torch.ones(160) if normalization is None else degree.sqrt()
        for k in range(2):
            entry = amplitude[component == k]
            expected[:160][component == k, k] = entry / entry.norm()
            if normalization is None:
                torch.testing.assert_close(entry / entry.norm(), entry / size[k].sqrt())
        expected[160, 2] = 1.0
        torch.testing.assert_close(vectors[:, :3], expected)


def test_weakly_connected_components_do_not_mix_with_the_constant():
    # The second eigenvalue is zero but for rounding: the constant is kept all the same.
    edge_index, num_nodes = edges_of(nx.barbell_graph(10, 0))
    weight = torch.ones(edge_index.size(1), dtype=torch.float64)
    weight[((edge_index == 9) | (edge_index == 10)).all(dim=0)] = 1e-20
    values, vectors = solve(edge_index, num_nodes, 3, weight)
    torch.testing.assert_close(vectors[:, 0], torch.full((20,), 20**-0.5, dtype=torch.float64))
    torch.testing.assert_close(vectors.mT @ vectors, torch.eye(3, dtype=torch.float64))
    assert values[1] < 1e-14
    assert values[2] > 1


def uneven_grid():
    """Weights over twenty orders of magnitude: most modes are far below the mean degree."""
    i = torch.arange(40.0)
    edge_index = knn_graph(torch.cartesian_prod(i, i), 8)
    edges = edge_index[:, edge_index[0] < edge_index[1]]
    generator = torch.Generator().manual_seed(0)
    weight = torch.exp(
        6 * torch.randn(edges.size(1), generator=generator, dtype=torch.float64)
    ).repeat(2)
    return torch.cat([edges, edges.flip(0)], dim=1), 1600, weight


@cache
def uneven_laplacian(normalization):
    """Returns the dense Laplacian of the uneven grid and its smallest eigenvalues."""
    matrix = laplacian(*uneven_grid(), normalization).toarray()
    return matrix, np.linalg.eigvalsh(matrix)[:60]


# By the iteration, and by the dense matrix in the end.
@pytest.mark.parametrize('shifts', [module._SHIFTS, (1e-3,)])
@pytest.mark.parametrize('normalization', [None, 'sym'])
def test_modes_far_below_the_mean_degree(monkeypatch, normalization, shifts):
    monkeypatch.setattr(module, '_SHIFTS', shifts)
    edge_index, num_nodes, weight = uneven_grid()
    values, vectors = laplacian_eigenbasis(edge_index, num_nodes, 60, weight, normalization)
    matrix, expected = uneven_laplacian(normalization)
    values, vectors, scale = values.numpy(), vectors.numpy(), matrix.max()
    assert np.abs(values - expected).max() < 1e-12 * scale
    assert np.linalg.norm(matrix @ vectors - vectors * values, axis=0).max() < 1e-12 * scale
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(60), rtol=0, atol=1e-10)


def test_long_path():
    num_nodes = 60_000
    node = torch.arange(num_nodes)
    edges = torch.stack([node[:-1], node[1:]])
    edges = torch.cat([edges, edges.flip(0)], dim=1)
    values, vectors = solve(edges, num_nodes, 8)
    np.testing.assert_allclose(values, path(num_nodes)[:8], rtol=1e-6)
    wave = np.cos(np.pi * np.outer(node + 0.5, np.arange(1, 8)) / num_nodes)
    overlap = (vectors[:, 1:].numpy() * wave).sum(axis=0) * math.sqrt(2 / num_nodes)
    np.testing.assert_allclose(np.abs(overlap), 1.0, rtol=0, atol=1e-9)


def test_continues_after_a_singular_factor(monkeypatch):
    # The pivots of a path are integers: without a shift, the last pivot is exactly zero.
    monkeypatch.setattr(module, '_SHIFTS', (0.0, 1e-6))
    monkeypatch.setattr(module, '_all_modes', failing)
    values, _ = solve(*edges_of(nx.path_graph(1200)), 8)
    np.testing.assert_allclose(values, path(1200)[:8], rtol=0, atol=1e-12)


def test_modes_that_do_not_converge(monkeypatch):
    monkeypatch.setattr(module, '_SHIFTS', (1e-3,))
    monkeypatch.setattr(module, '_LARGEST', 1500)
    edge_index, num_nodes, weight = uneven_grid()
    with pytest.raises(RuntimeError, match='60 modes of 1600 nodes did not converge'):
        laplacian_eigenbasis(edge_index, num_nodes, 60, weight)


@pytest.mark.parametrize('num_nodes', [200, 1200])
def test_same_result_each_time_and_torchs_random_state_untouched(num_nodes):
    edge_index = knn_graph(torch.rand(num_nodes, 2), 8)
    state = torch.get_rng_state()
    first = laplacian_eigenbasis(edge_index, num_nodes, 20)
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(3)
    second = laplacian_eigenbasis(edge_index, num_nodes, 20)
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])


def test_signs_do_not_depend_on_rounding():
    # By symmetry the modes of a path have two largest entries, of opposite signs in odd modes.
    edge_index, num_nodes = edges_of(nx.path_graph(24))
    _, vectors = solve(edge_index, num_nodes, 6)
    assert bool((vectors[0, 1::2] > 0).all())
    noisy = vectors + 1e-13 * torch.randn(vectors.shape, dtype=torch.float64)
    flipped = noisy * torch.tensor([1, -1, 1, -1, -1, 1])
    torch.testing.assert_close(module._fix_signs(flipped[None])[0], vectors)


@pytest.mark.parametrize('num_nodes', [60, 1100])
def test_precision(num_nodes):
    pos = torch.rand(num_nodes, 2)
    edge_index = knn_graph(pos, 8)
    exact = solve(edge_index, num_nodes, 7)
    single = laplacian_eigenbasis(edge_index, num_nodes, 7)
    for a, b in zip(single, exact):
        assert a.dtype == torch.float32
        assert torch.equal(a, b.float())
    half = laplacian_eigenbasis(edge_index, num_nodes, 7, torch.ones(edge_index.size(1)).bfloat16())
    assert half[1].dtype == torch.float32
    matrix = laplacian(edge_index, num_nodes)
    values, vectors = (t.double().numpy() for t in single)
    assert np.linalg.norm(matrix @ vectors - vectors * values, axis=0).max() < 1e-5


def test_weights_keep_their_gradient_out():
    pos = torch.rand(30, 2).requires_grad_()
    edge_index = knn_graph(pos, 4)
    values, vectors = laplacian_eigenbasis(edge_index, 30, 5, edge_weights(pos, edge_index))
    assert not values.requires_grad
    assert not vectors.requires_grad


@pytest.mark.parametrize(('dense', 'largest'), [(1000, 4000), (1000, 50), (20, 4000)])
@pytest.mark.parametrize('normalization', [None, 'sym'])
def test_a_batch_equals_its_separate_graphs(monkeypatch, normalization, dense, largest):
    # All at once, one by one because of the memory, and by the iteration.
    monkeypatch.setattr(module, '_DENSE', dense)
    pos = torch.rand(3, 100, 2)
    pos[1, :40] += 3  # two components
    batch = torch.arange(3).repeat_interleave(100)
    edge_index = knn_graph(pos.flatten(0, 1), 5, batch=batch)
    weight = edge_weights(pos.flatten(0, 1), edge_index, batch=batch).double()
    alone = []
    for k in range(3):
        mine = edge_index[0] // 100 == k
        alone.append(
            laplacian_eigenbasis(
                edge_index[:, mine] - 100 * k, 100, 12, weight[mine], normalization
            )
        )
    monkeypatch.setattr(module, '_LARGEST', max(largest, 100))
    values, vectors = laplacian_eigenbasis(edge_index, 300, 12, weight, normalization, batch=batch)
    assert values.shape == (3, 12)
    assert vectors.shape == (300, 12)
    torch.testing.assert_close(values, torch.stack([a for a, _ in alone]), rtol=0, atol=1e-12)
    torch.testing.assert_close(vectors, torch.cat([b for _, b in alone]), rtol=0, atol=1e-9)


def test_limits(monkeypatch):
    edge_index, num_nodes = edges_of(nx.path_graph(20))
    for num_modes in (0, 21):
        with pytest.raises(
            ValueError, match=rf'num_modes must be in \[1, 20\] for 20 nodes, got {num_modes}'
        ):
            laplacian_eigenbasis(edge_index, num_nodes, num_modes)
    edge_index, num_nodes = edges_of(nx.path_graph(4001))
    with pytest.raises(ValueError, match=r'at most 500 for 4001 nodes .* got 501'):
        laplacian_eigenbasis(edge_index, num_nodes, 501)
    monkeypatch.setattr(torch.linalg, 'eigh', failing)
    with pytest.raises(AssertionError, match='4000 x 4000'):
        laplacian_eigenbasis(*edges_of(nx.path_graph(4000)), 501)
    with pytest.raises(AssertionError) as error:  # of the vectors of the iteration, not of nodes
        laplacian_eigenbasis(edge_index, num_nodes, 20)
    assert int(str(error.value).split()[0]) < 300


def failing(matrix):
    raise AssertionError('{} x {}'.format(*matrix.shape[-2:]))


def test_bad_batches():
    edge_index = edges_of(nx.disjoint_union(nx.path_graph(4), nx.path_graph(4)))[0]
    batch = torch.tensor([0, 0, 0, 0, 1, 1, 1, 1])
    assert laplacian_eigenbasis(edge_index, 8, 4, batch=batch)[0].shape == (2, 4)
    with pytest.raises(ValueError, match=r'num_modes must be in \[1, 4\]'):
        laplacian_eigenbasis(edge_index, 8, 5, batch=batch)
    with pytest.raises(ValueError, match='same number of nodes, got 3 to 5'):
        laplacian_eigenbasis(edge_index, 8, 2, batch=torch.tensor([0, 0, 0, 1, 1, 1, 1, 1]))
    with pytest.raises(ValueError, match='must be sorted'):
        laplacian_eigenbasis(edge_index, 8, 2, batch=batch.flip(0))
    with pytest.raises(ValueError, match=r'shape \[8\], got \[4\]'):
        laplacian_eigenbasis(edge_index, 8, 2, batch=batch[:4])
    with pytest.raises(ValueError, match='connect two graphs'):
        laplacian_eigenbasis(*edges_of(nx.path_graph(8)), 2, batch=batch)
    with pytest.raises(ValueError, match='must be symmetric'):
        laplacian_eigenbasis(edge_index[:, 1:], 8, 2)
    with pytest.raises(ValueError, match="None or 'sym'"):
        laplacian_eigenbasis(edge_index, 8, 2, normalization='rw')


@pytest.mark.cuda
@pytest.mark.parametrize('num_nodes', [300, 1300])
def test_cuda(num_nodes):
    if not torch.cuda.is_available():
        pytest.skip('there is no CUDA device')
    pos = torch.rand(num_nodes, 2)
    edge_index = knn_graph(pos, 8)
    there = laplacian_eigenbasis(edge_index.cuda(), num_nodes, 20)
    for a, b in zip(there, laplacian_eigenbasis(edge_index, num_nodes, 20)):
        assert a.is_cuda
        torch.testing.assert_close(a.cpu(), b, rtol=0, atol=1e-5)
