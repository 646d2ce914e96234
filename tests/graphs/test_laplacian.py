"""Laplacians against networkx."""

import networkx as nx
import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from graphmotion.graphs import edge_weights, knn_graph, laplacian


def face(num_nodes=60, k=5):
    pos = torch.rand(num_nodes, 2, dtype=torch.float64)
    edge_index = knn_graph(pos, k)
    return edge_index, edge_weights(pos, edge_index)


def as_networkx(edge_index, num_nodes, weight=None):
    graph = nx.Graph()
    graph.add_nodes_from(range(num_nodes))
    weight = torch.ones(edge_index.size(1)) if weight is None else weight
    for (i, j), w in zip(edge_index.t().tolist(), weight.tolist()):
        graph.add_edge(i, j, weight=w)
    return graph


@pytest.mark.parametrize('weighted', [False, True])
@pytest.mark.parametrize('num_nodes', [60, 63])  # the last three without edges
def test_against_networkx(num_nodes, weighted):
    edge_index, weight = face()
    weight = weight if weighted else None
    graph = as_networkx(edge_index, num_nodes, weight)
    matrix = laplacian(edge_index, num_nodes, weight)
    assert isinstance(matrix, csr_array)
    assert matrix.dtype == np.float64
    np.testing.assert_allclose(matrix.toarray(), nx.laplacian_matrix(graph).toarray(), atol=1e-14)
    np.testing.assert_allclose(
        laplacian(edge_index, num_nodes, weight, 'sym').toarray(),
        nx.normalized_laplacian_matrix(graph).toarray(),
        atol=1e-14,
    )


@pytest.mark.parametrize('normalization', [None, 'sym'])
def test_loops_zeros_and_repeated_edges(normalization):
    edge_index, weight = face()
    expected = laplacian(edge_index, 60, weight, normalization).toarray()
    far = torch.tensor([[0, 59], [59, 0]])
    loops = torch.arange(60).expand(2, -1)
    several = torch.cat([edge_index, edge_index, loops, far], dim=1)
    weights = torch.cat([0.25 * weight, 0.75 * weight, torch.ones(60), torch.zeros(2)])
    order = torch.randperm(several.size(1))
    found = laplacian(several[:, order], 60, weights[order], normalization)
    np.testing.assert_allclose(found.toarray(), expected, atol=1e-14)


def test_rows_sum_to_zero_and_no_eigenvalue_is_negative():
    edge_index, weight = face()
    matrix = laplacian(edge_index, 60, weight)
    np.testing.assert_allclose(matrix.sum(axis=1), 0, atol=1e-13)
    assert np.linalg.eigvalsh(matrix.toarray()).min() > -1e-12


def test_no_edges():
    empty = torch.empty(2, 0, dtype=torch.long)
    for normalization in (None, 'sym'):
        assert (
            laplacian(empty, 4, normalization=normalization).toarray().tolist() == [[0.0] * 4] * 4
        )


def test_bad_graphs():
    edge_index = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
    weight = torch.ones(4)
    one_way = edge_index[:, :3]
    with pytest.raises(ValueError, match='must be symmetric, but some edges have no reverse'):
        laplacian(one_way, 3)
    with pytest.raises(ValueError, match='edge_weight must be symmetric'):
        laplacian(edge_index, 3, torch.tensor([1.0, 2.0, 1.0, 1.0]))
    with pytest.raises(ValueError, match=r'shape \[4\], got \[3\]'):
        laplacian(edge_index, 3, weight[:3])
    for bad in (-1.0, float('nan'), float('inf')):
        with pytest.raises(ValueError, match='finite and not negative'):
            laplacian(edge_index, 3, weight * bad)
    with pytest.raises(ValueError, match=r'must be in \[0, 1\], got 0 to 2'):
        laplacian(edge_index, 2)
    with pytest.raises(ValueError, match='got -1 to 1'):
        laplacian(edge_index - 1, 3)
    with pytest.raises(ValueError, match='num_nodes must be at least 1'):
        laplacian(edge_index[:, :0], 0)
    with pytest.raises(ValueError, match=r'edge_index must be .*\[2, num_edges\]'):
        laplacian(edge_index.t(), 3)
    with pytest.raises(ValueError, match='got torch'):
        laplacian(edge_index.float(), 3)
    with pytest.raises(ValueError, match="None or 'sym', got 'rw'"):
        laplacian(edge_index, 3, normalization='rw')
