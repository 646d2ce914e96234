from dataclasses import replace

import pytest
import torch

from graphmotion.data import load_graph, save_graph
from graphmotion.graphs import PointGraph, sample_pixels
from tests.graphs.test_point_graph import same


@pytest.fixture(scope='module')
def graph():
    pos = sample_pixels(16, 12, seed=3)
    return PointGraph.from_points(pos, 6, 'gaussian', num_modes=10, levels=2, ratio=0.25)


def test_a_graph_can_be_saved_and_loaded(graph, tmp_path):
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
    """An object whose unpickling executes code."""


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


def test_other_files_raise(graph, tmp_path):
    path = tmp_path / 'faces.graph'
    with pytest.raises(FileNotFoundError, match='no such file'):
        load_graph(path)
    for content in (torch.ones(3), {'pos': torch.ones(3)}, [1]):
        torch.save(content, path)
        with pytest.raises(ValueError, match='not written by save_graph'):
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
        with pytest.raises(ValueError, match=r'faces\.graph: not a valid graph'):
            load_graph(path)
    del good['edge_index']
    torch.save(good, path)
    with pytest.raises(ValueError, match='not a valid graph'):
        load_graph(path)


def test_the_image_size_is_kept(graph, tmp_path):
    path = tmp_path / 'faces.graph'
    save_graph(replace(graph, image_size=(16, 12)), path)
    assert load_graph(path).image_size == (16, 12)
    older = torch.load(path, weights_only=True)
    del older['image_size']
    torch.save(older, path)
    assert load_graph(path).image_size is None
    assert same(load_graph(path), graph)
    torch.save({**older, 'image_size': (4, 4)}, path)
    with pytest.raises(
        ValueError, match=r'faces\.graph: not a valid graph \(pos .* the image of 4'
    ):
        load_graph(path)
