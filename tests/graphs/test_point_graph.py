"""Graphs that all samples share, and sampling of their pixels."""

import re
from dataclasses import replace

import pytest
import torch

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


def test_all_pixels_are_equally_likely():
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


def test_graph_matches_the_functions(graph):
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


def test_the_size_of_images(graph):
    sized = replace(graph, image_size=(16, 12))
    assert sized.to('cpu').image_size == (16, 12)
    for size in ((16,), (16, 12, 3), (16, 0), (16.0, 12), [16, 12], 16, (True, 12)):
        with pytest.raises(ValueError, match='image_size must be'):
            replace(graph, image_size=size)
    for size in ((12, 12), (16, 8)):
        with pytest.raises(ValueError, match='pos must be inside the image of'):
            replace(graph, image_size=size)


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


def test_to_the_same_device(graph):
    assert same(graph.to('cpu'), graph)


@pytest.mark.cuda
def test_cuda(graph):
    if not torch.cuda.is_available():
        pytest.skip('there is no CUDA device')
    moved = graph.to('cuda')
    assert all(value.is_cuda for value in tensors(moved))
    assert same(moved.to('cpu'), graph)
