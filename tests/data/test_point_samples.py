"""Samples and batches on a graph that a dataset shares."""

import pytest
import torch
from torch_geometric.data import Batch
from torch_geometric.loader import DataLoader

from graphmotion.data import graph_to_batch, graph_to_data, load_graph, save_graph
from graphmotion.graphs import PointGraph, sample_pixels
from tests.graphs.test_point_graph import same


@pytest.fixture(scope='module')
def graph():
    pos = sample_pixels(16, 12, seed=3)
    return PointGraph.from_points(pos, 6, 'gaussian', num_modes=10, levels=2, ratio=0.25)


def test_a_sample_shares_the_tensors_of_the_graph(graph):
    x = torch.rand(76, 3)
    data = graph_to_data(graph, x, y=4, subject=torch.tensor([2]))
    assert data.x is x
    assert data.y.tolist() == [4]
    assert data.subject.tolist() == [2]
    assert set(data.keys()) == {'x', 'pos', 'edge_index', 'edge_weight', 'y', 'subject'}
    for name in ('pos', 'edge_index', 'edge_weight'):
        assert data[name].data_ptr() == getattr(graph, name).data_ptr()
    assert data.is_undirected()
    assert data.validate()
    full = graph_to_data(graph, x, basis=True)
    assert full.eigenvalues.shape == (1, 10)
    assert full.eigenvectors.data_ptr() == graph.eigenvectors.data_ptr()


@pytest.mark.parametrize('basis', [False, True])
def test_batches_equal_those_of_pyg(graph, basis):
    x, y, score = torch.rand(4, 76, 2), torch.arange(4), torch.rand(4, 5)
    batch = graph_to_batch(graph, x, basis, y=y, score=score)
    samples = [
        graph_to_data(graph, x[i], basis, y=int(y[i]), score=score[i : i + 1]) for i in range(4)
    ]
    expected = Batch.from_data_list(samples)
    loaded = next(iter(DataLoader(samples, 4)))
    for other in (expected, loaded):
        assert type(batch) is type(other)
        assert set(batch.keys()) == set(other.keys())
        for name in batch.keys():  # noqa: SIM118
            assert torch.equal(batch[name], other[name]), name
        assert batch.num_graphs == other.num_graphs == 4
        assert batch.num_nodes == other.num_nodes
    assert batch.x.data_ptr() == x.data_ptr()
    # PyG takes it apart again.
    for sample, other in zip(batch.to_data_list(), samples):
        assert set(sample.keys()) == set(other.keys())
        for name in other.keys():  # noqa: SIM118
            assert torch.equal(sample[name], other[name]), name
    assert torch.equal(batch.index_select([2])[0].x, x[2])
    if basis:
        assert batch.eigenvectors.shape == (4 * 76, 10)
        assert batch.eigenvalues.shape == (4, 10)


def test_invalid_samples_raise(graph):
    x = torch.rand(76, 3)
    with pytest.raises(ValueError, match=r'sample of 76 nodes, got 1 samples of 75 nodes'):
        graph_to_data(graph, x[:75])
    with pytest.raises(ValueError, match=r'shape \[76, C\], got \[76\]'):
        graph_to_data(graph, x[:, 0])
    with pytest.raises(ValueError, match=r'shape \[B, 76, C\], got \[76, 3\]'):
        graph_to_batch(graph, x)
    with pytest.raises(ValueError, match='got 0 samples'):
        graph_to_batch(graph, x.expand(0, 76, 3))
    for name in ('frame_index', 'batch', 'pos', 'num_nodes'):
        with pytest.raises(ValueError, match=f'must not be called {name!r}'):
            graph_to_data(graph, x, **{name: 1})
    with pytest.raises(ValueError, match=r"'y' must be .* each of 1 samples, got \[2\]"):
        graph_to_data(graph, x, y=torch.tensor([1, 2]))
    with pytest.raises(ValueError, match=r"'y' must be .* each of 2 samples, got int"):
        graph_to_batch(graph, x.expand(2, 76, 3), y=1)
    with pytest.raises(ValueError, match='must have an eigenbasis'):
        graph_to_data(PointGraph.from_points(graph.pos), x, basis=True)


@pytest.mark.cuda
def test_cuda(graph, tmp_path):
    if not torch.cuda.is_available():
        pytest.skip('there is no CUDA device')
    moved = graph.to('cuda')
    save_graph(moved, tmp_path / 'faces.graph')
    assert same(load_graph(tmp_path / 'faces.graph'), graph)
    batch = graph_to_batch(moved, torch.rand(3, 76, 2, device='cuda'), basis=True)
    other = graph_to_batch(graph, batch.x.cpu().view(3, 76, 2), basis=True)
    for name in batch.keys():  # noqa: SIM118
        assert torch.equal(batch[name].cpu(), other[name])
    assert torch.equal(batch[1].eigenvectors.cpu(), graph.eigenvectors)
    # Features on another device than the graph.
    assert graph_to_batch(graph, batch.x.view(3, 76, 2)).edge_index.is_cuda
