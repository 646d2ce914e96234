"""A graph that a dataset shares: sampling, storage, and the samples made on it."""

import re
from dataclasses import replace

import pytest
import torch
from torch_geometric.data import Batch
from torch_geometric.loader import DataLoader

from graphmotion.data import graph_to_batch, graph_to_data, load_graph, save_graph
from graphmotion.graphs import (
    PointGraph,
    coarsening_hierarchy,
    edge_weights,
    knn_graph,
    laplacian_eigenbasis,
    sample_pixels,
)


@pytest.fixture(scope='module')
def graph():
    pos = sample_pixels(16, 12, seed=3)
    return PointGraph.from_points(pos, 6, 'gaussian', num_modes=10, levels=2, ratio=0.25)


def tensors(graph):
    own = [graph.pos, graph.edge_index, graph.edge_weight, graph.eigenvalues, graph.eigenvectors]
    for level in graph.hierarchy:
        own += [level.cluster, level.permutation, level.edge_index, level.edge_weight]
    return own


def same(a, b):
    return len(tensors(a)) == len(tensors(b)) and all(
        x is y if x is None or y is None else torch.equal(x, y) and x.dtype == y.dtype
        for x, y in zip(tensors(a), tensors(b))
    )


# Pixels #######################################################################################


def test_pixels_are_distinct_in_the_image_and_in_its_order():
    pos = sample_pixels(20, 31, ratio=0.4)
    assert pos.shape == (248, 2)
    assert pos.dtype == torch.float32
    column, row = pos.long().t()
    assert bool((row * 31 + column).diff().gt(0).all())
    assert row.min() >= 0
    assert row.max() < 20
    assert column.min() >= 0
    assert column.max() < 31
    assert row.max() > 15
    assert column.max() > 25


@pytest.mark.parametrize(
    ('height', 'width', 'ratio', 'num'),
    [
        (256, 256, 0.4, 26214),
        (48, 48, 0.4, 921),
        (100, 100, 0.4, 4000),
        (10, 10, 0.29, 29),  # 0.29 * 100 is a little less than 29
        (10, 10, 0.07, 7),
        (3, 3, 1.0, 9),
    ],
)
def test_number_of_pixels_is_rounded_down(height, width, ratio, num):
    assert len(sample_pixels(height, width, ratio)) == num


def test_pixels_by_number_and_seed():
    assert len(sample_pixels(10, 10, num=17)) == 17
    state = torch.get_rng_state()
    assert torch.equal(sample_pixels(10, 10, seed=4), sample_pixels(10, 10, seed=4))
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(sample_pixels(10, 10, seed=4), sample_pixels(10, 10, seed=5))


def test_every_pixel_is_as_likely():
    counts = torch.zeros(4, 3)
    for seed in range(600):
        column, row = sample_pixels(4, 3, num=4, seed=seed).long().t()
        counts[row, column] += 1
    assert bool(((counts - 200).abs() < 60).all())  # five standard deviations


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'ratio': 0.0}, 'ratio must be in'),
        ({'ratio': 1.1}, 'ratio must be in'),
        ({'ratio': 0.01}, r'in \[1, 20\] for 4 x 5, got 0'),
        ({'num': 21}, r'in \[1, 20\] for 4 x 5, got 21'),
        ({'num': 0}, 'got 0'),
    ],
)
def test_bad_pixels(options, message):
    with pytest.raises(ValueError, match=message):
        sample_pixels(4, 5, **options)
    with pytest.raises(ValueError, match='0 x 5'):
        sample_pixels(0, 5)


# The graph ####################################################################################


def test_graph_is_made_of_the_functions(graph):
    pos = sample_pixels(16, 12, seed=3)
    edge_index = knn_graph(pos, 6)
    weight = edge_weights(pos, edge_index, 'gaussian')
    expected = PointGraph(
        pos,
        edge_index,
        weight,
        *laplacian_eigenbasis(edge_index, 76, 10, weight),
        coarsening_hierarchy(edge_index, 76, 2, weight, 0.25),
    )
    assert same(graph, expected)
    plain = PointGraph.from_points(pos)
    assert torch.equal(plain.edge_index, knn_graph(pos, 8))
    assert plain.edge_weight.unique().tolist() == [1.0]
    assert plain.eigenvalues is None
    assert plain.hierarchy == ()
    sym = PointGraph.from_points(pos, 6, 'gaussian', sigma=2.0, num_modes=4, normalization='sym')
    weight = edge_weights(pos, edge_index, 'gaussian', 2.0)
    assert torch.equal(sym.eigenvalues, laplacian_eigenbasis(edge_index, 76, 4, weight, 'sym')[0])


def test_printed(graph):
    edges = graph.edge_index.size(1)
    counts = f'PointGraph(num_nodes=76 -> 19 -> 5, num_edges={edges}, num_modes=10, '
    assert repr(graph).startswith(counts)
    assert re.fullmatch(r'[0-9a-f]{8}\)', repr(graph).removeprefix(counts))
    plain = PointGraph.from_points(graph.pos)
    assert 'num_modes=0, ' in repr(plain)


def test_graphs_that_differ_are_printed_differently(graph):
    level = graph.hierarchy[0]
    cluster = (level.cluster + 1) % level.num_clusters
    others = [
        replace(graph, pos=graph.pos + 1),
        replace(graph, edge_index=graph.edge_index.flip(0).contiguous()),
        replace(graph, edge_weight=2 * graph.edge_weight),
        replace(graph, eigenvalues=2 * graph.eigenvalues),
        replace(graph, hierarchy=(replace(level, cluster=cluster), *graph.hierarchy[1:])),
    ]
    assert len({repr(other) for other in (graph, *others)}) == 6
    # Not by the signs of eigenvectors, nor by whether it was made again.
    again = PointGraph.from_points(graph.pos, 6, 'gaussian', num_modes=10, levels=2, ratio=0.25)
    assert repr(again) == repr(graph)
    assert repr(replace(graph, eigenvectors=-graph.eigenvectors)) == repr(graph)


def test_the_size_of_images_is_kept(graph, tmp_path):
    sized = replace(graph, image_size=(16, 12))
    path = tmp_path / 'faces.graph'
    save_graph(sized, path)
    assert load_graph(path).image_size == sized.to('cpu').image_size == (16, 12)
    older = torch.load(path, weights_only=True)
    del older['image_size']
    torch.save(older, path)
    assert load_graph(path).image_size is None
    assert same(load_graph(path), graph)
    for size in ((16,), (16, 12, 3), (16, 0), (16.0, 12), [16, 12], 16, (True, 12)):
        with pytest.raises(ValueError, match='image_size must be'):
            replace(graph, image_size=size)
    for size in ((12, 12), (16, 8)):
        with pytest.raises(ValueError, match='pos must be inside the image of'):
            replace(graph, image_size=size)
    torch.save({**older, 'image_size': (4, 4)}, path)
    with pytest.raises(ValueError, match=r'faces\.graph: not a whole graph \(pos must be inside'):
        load_graph(path)


def test_parts_that_do_not_fit(graph):
    plain = (graph.pos, graph.edge_index, graph.edge_weight)
    with pytest.raises(ValueError, match=r'edge_weight must have shape .*got \[3\]'):
        PointGraph(graph.pos, graph.edge_index, graph.edge_weight[:3])
    with pytest.raises(ValueError, match=r'eigenvectors must have shape \[76, 1.*got \[76, 9\]'):
        PointGraph(*plain, graph.eigenvalues, graph.eigenvectors[:, :9])
    with pytest.raises(ValueError, match=r'eigenvectors must have shape .*got None'):
        PointGraph(*plain, graph.eigenvalues)
    with pytest.raises(ValueError, match=r'eigenvalues must have shape .*got None'):
        PointGraph(*plain, None, graph.eigenvectors)
    with pytest.raises(ValueError, match='level 0 of the hierarchy must have 76 nodes, got 19'):
        PointGraph(*plain, hierarchy=graph.hierarchy[1:])
    with pytest.raises(ValueError, match=r'edge_index must be in \[0, 74\]'):
        PointGraph(graph.pos[:75], graph.edge_index, graph.edge_weight)


# Storage ######################################################################################


def test_stored_and_read_back(graph, tmp_path):
    path = tmp_path / 'faces.graph'
    for stored in (PointGraph.from_points(graph.pos), graph):  # the second over the first
        save_graph(stored, path)
        assert same(load_graph(path), stored)
        assert repr(load_graph(str(path))) == repr(stored)
    assert [file.name for file in tmp_path.iterdir()] == ['faces.graph']


def test_a_failure_leaves_the_old_file(graph, tmp_path, monkeypatch):
    path = tmp_path / 'faces.graph'
    save_graph(graph, path)

    def fail(content, file):
        file.write(b'half')
        raise OSError('disk full')

    monkeypatch.setattr(torch, 'save', fail)
    with pytest.raises(OSError, match='disk full'):
        save_graph(graph, path)
    monkeypatch.undo()
    assert same(load_graph(path), graph)
    assert len(list(tmp_path.iterdir())) == 1


class Foreign:
    """Something that unpickling would have to run code for."""


@pytest.mark.parametrize('how', ['truncated', 'text', 'empty', 'class'])
def test_damaged_files(graph, tmp_path, how):
    path = tmp_path / 'faces.graph'
    save_graph(graph, path)
    content = path.read_bytes()
    if how == 'class':
        torch.save(Foreign(), path)
    else:
        path.write_bytes({'truncated': content[:-500], 'text': b'not this', 'empty': b''}[how])
    with pytest.raises(ValueError, match=r'faces\.graph: damaged or not written by this library'):
        load_graph(path)


def test_files_of_something_else(graph, tmp_path):
    path = tmp_path / 'faces.graph'
    with pytest.raises(FileNotFoundError, match='no such file'):
        load_graph(path)
    for content in (torch.ones(3), {'pos': torch.ones(3)}, [1]):
        torch.save(content, path)
        with pytest.raises(ValueError, match='not a graph that'):
            load_graph(path)
    save_graph(graph, path)
    good = torch.load(path, weights_only=True)
    torch.save({**good, 'point_graph': 2}, path)
    with pytest.raises(ValueError, match='version 2, expected 1'):
        load_graph(path)
    level = good['hierarchy'][0]
    for change in (
        {'pos': torch.rand(5, 2)},
        {'pos': None},
        {'pos': torch.tensor(1.0)},
        {'edge_index': 3},
        {'eigenvectors': None},
        {'hierarchy': None},
        {'hierarchy': [3]},
        {'hierarchy': [{**level, 'cluster': level['cluster'][:4]}]},
        {'hierarchy': [{'cluster': level['cluster']}]},
        {'extra': 1},
    ):
        torch.save({**good, **change}, path)
        with pytest.raises(ValueError, match=r'faces\.graph: not a whole graph'):
            load_graph(path)
    del good['edge_index']
    torch.save(good, path)
    with pytest.raises(ValueError, match='not a whole graph'):
        load_graph(path)


# Samples ######################################################################################


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
def test_a_batch_is_that_of_pyg(graph, basis):
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


def test_bad_samples(graph):
    x = torch.rand(76, 3)
    with pytest.raises(ValueError, match=r'1 samples of 75 nodes, expected .* 76 nodes'):
        graph_to_data(graph, x[:75])
    with pytest.raises(ValueError, match=r'shape \[76\], expected \[76, C\]'):
        graph_to_data(graph, x[:, 0])
    with pytest.raises(ValueError, match=r'shape \[76, 3\], expected \[B, 76, C\]'):
        graph_to_batch(graph, x)
    with pytest.raises(ValueError, match='0 samples'):
        graph_to_batch(graph, x.expand(0, 76, 3))
    for name in ('frame_index', 'batch', 'pos', 'num_nodes'):
        with pytest.raises(ValueError, match=f'cannot be called {name!r}'):
            graph_to_data(graph, x, **{name: 1})
    with pytest.raises(ValueError, match=r"'y' is .* each of 1 samples, got \[2\]"):
        graph_to_data(graph, x, y=torch.tensor([1, 2]))
    with pytest.raises(ValueError, match=r"'y' is .* each of 2 samples, got int"):
        graph_to_batch(graph, x.expand(2, 76, 3), y=1)
    with pytest.raises(ValueError, match='no eigenbasis'):
        graph_to_data(PointGraph.from_points(graph.pos), x, basis=True)


def test_to_the_same_device(graph):
    assert same(graph.to('cpu'), graph)


@pytest.mark.cuda
def test_cuda(graph, tmp_path):
    if not torch.cuda.is_available():
        pytest.skip('there is no CUDA device')
    moved = graph.to('cuda')
    assert all(value.is_cuda for value in tensors(moved))
    save_graph(moved, tmp_path / 'faces.graph')
    assert same(load_graph(tmp_path / 'faces.graph'), graph)
    batch = graph_to_batch(moved, torch.rand(3, 76, 2, device='cuda'), basis=True)
    other = graph_to_batch(graph, batch.x.cpu().view(3, 76, 2), basis=True)
    for name in batch.keys():  # noqa: SIM118
        assert torch.equal(batch[name].cpu(), other[name])
    assert torch.equal(batch[1].eigenvectors.cpu(), graph.eigenvectors)
    # Features on another device than the graph.
    assert graph_to_batch(graph, batch.x.view(3, 76, 2)).edge_index.is_cuda
