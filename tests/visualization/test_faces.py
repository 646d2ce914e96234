import numpy as np
import pytest
import torch
from PIL import Image

from graphmotion.graphs import PointGraph, sample_pixels
from graphmotion.visualization import plot_eigenvectors, plot_face_graph, plot_node_weights

from .conftest import check_nothing_is_cut_off

GRAPH = PointGraph.from_points(sample_pixels(12, 10, num=30), k=4, num_modes=12)
IMAGE = (torch.arange(120).view(12, 10) * 2).to(torch.uint8)
POS = GRAPH.pos.numpy()


def dots(ax):
    """The nodes of a panel: where they are, and the values of their colours."""
    nodes = ax.collections[-1]
    return np.asarray(nodes.get_offsets()), nodes


def test_nodes_and_each_edge_once_over_the_image():
    figure = plot_face_graph(IMAGE, GRAPH.pos, GRAPH.edge_index, title='k = 4')
    (ax,) = figure.axes
    shown = ax.images[0].get_array()
    np.testing.assert_allclose(shown, IMAGE / 238, atol=1e-6)
    lines = {tuple(map(tuple, segment)) for segment in ax.collections[0].get_segments()}
    expected = {(tuple(POS[u]), tuple(POS[v])) for u, v in GRAPH.edge_index.t().tolist() if u < v}
    assert lines == expected
    assert len(ax.collections[0].get_segments()) == GRAPH.edge_index.size(1) // 2
    np.testing.assert_array_equal(dots(ax)[0], POS)
    assert figure.get_suptitle() == 'k = 4'
    check_nothing_is_cut_off(figure)


@pytest.mark.parametrize('edges', [None, torch.empty(2, 0, dtype=torch.long)])
def test_nodes_alone(edges):
    assert len(plot_face_graph(IMAGE[None], GRAPH.pos, edges).axes[0].collections) == 1


def test_rows_are_down_and_columns_across():
    image = torch.zeros(12, 10)
    image[7, 2] = 1
    ax = plot_face_graph(image, torch.tensor([[2.0, 7.0]])).axes[0]
    column, row = dots(ax)[0][0]
    assert ax.images[0].get_array()[int(row), int(column)] == 1
    assert ax.yaxis_inverted()


def test_an_image_without_contrast_is_grey():
    shown = plot_face_graph(torch.full((12, 10), 7), GRAPH.pos).axes[0].images[0].get_array()
    np.testing.assert_array_equal(shown, np.full((12, 10), 0.5))


def test_modes_have_the_colours_of_their_entries():
    figure = plot_eigenvectors(IMAGE, GRAPH.pos, GRAPH.eigenvectors, GRAPH.eigenvalues, [0, 3, 11])
    *axes, bar = figure.axes
    assert len(axes) == 3
    for ax, mode in zip(axes, (0, 3, 11)):
        vector = GRAPH.eigenvectors[:, mode]
        place, nodes = dots(ax)
        np.testing.assert_array_equal(place, POS)
        np.testing.assert_allclose(nodes.get_array(), vector / vector.abs().max(), rtol=1e-6)
        assert nodes.get_clim() == (-1, 1)
    titles = [ax.get_title() for ax in axes]
    assert titles[0] == 'mode 0, λ = 0'
    assert titles[1] == f'mode 3, λ = {GRAPH.eigenvalues[3]:.2g}'
    assert bar.get_ylabel() == 'share of the largest entry'
    check_nothing_is_cut_off(figure)


def test_the_first_eight_modes_by_default():
    figure = plot_eigenvectors(IMAGE, GRAPH.pos, GRAPH.eigenvectors, title='modes')
    assert [ax.get_title() for ax in figure.axes[:-1]] == [f'mode {i}' for i in range(8)]
    few = plot_eigenvectors(IMAGE, GRAPH.pos, GRAPH.eigenvectors[:, :2])
    assert len(few.axes) == 3
    check_nothing_is_cut_off(figure)


def test_weights_of_models_side_by_side_at_their_own_scales():
    weight = torch.stack([torch.arange(30.0), torch.arange(30.0) / 100 + 5])
    figure = plot_node_weights(IMAGE, GRAPH.pos, weight, ['spatial', 'spectral'], title='weights')
    assert [ax.get_title() for ax in figure.axes[:2]] == ['spatial', 'spectral']
    for ax, row in zip(figure.axes, weight):
        nodes = dots(ax)[1]
        np.testing.assert_allclose(nodes.get_array(), row)
        np.testing.assert_allclose(nodes.get_clim(), (row.min(), row.max()))
    assert [bar.get_ylabel() for bar in figure.axes[2:]] == ['weight', 'weight']
    check_nothing_is_cut_off(figure)
    assert len(plot_node_weights(IMAGE, GRAPH.pos, weight[0]).axes) == 2


def test_equal_weights_are_drawn(tmp_path):
    path = tmp_path / 'new' / 'weights.png'
    plot_node_weights(IMAGE, GRAPH.pos, torch.ones(30), path=path)
    with Image.open(path) as image:
        assert len(set(image.convert('L').tobytes())) > 10


@pytest.mark.parametrize(
    ('draw', 'message'),
    [
        (lambda: plot_face_graph(IMAGE[0], GRAPH.pos), r'image has the shape \[10\]'),
        (lambda: plot_face_graph(torch.rand(3, 12, 10), GRAPH.pos), r'expected \[H, W\]'),
        (lambda: plot_face_graph(IMAGE, torch.rand(30, 3)), r'expected \[N, 2\]'),
        (lambda: plot_face_graph(IMAGE.t(), GRAPH.pos), 'nodes are outside of the image'),
        (
            lambda: plot_face_graph(IMAGE, GRAPH.pos[:5], GRAPH.edge_index),
            'names nodes beyond the 5 of pos',
        ),
        (
            lambda: plot_face_graph(IMAGE, GRAPH.pos, GRAPH.edge_index.t()),
            r'expected \[2, E\]',
        ),
        (
            lambda: plot_eigenvectors(IMAGE, GRAPH.pos, GRAPH.eigenvectors[:9]),
            '9 rows for 30 nodes',
        ),
        (
            lambda: plot_eigenvectors(IMAGE, GRAPH.pos, GRAPH.eigenvectors, modes=[12]),
            r'modes are some of 0..11, got \[12\]',
        ),
        (
            lambda: plot_eigenvectors(IMAGE, GRAPH.pos, GRAPH.eigenvectors, GRAPH.eigenvalues[:3]),
            'got 3 eigenvalues for 12 modes',
        ),
        (lambda: plot_node_weights(IMAGE, GRAPH.pos, torch.ones(9)), 'weight is of 9 nodes'),
        (
            lambda: plot_node_weights(IMAGE, GRAPH.pos, torch.ones(30), ['a', 'b']),
            'for 1 models',
        ),
        (
            lambda: plot_node_weights(IMAGE, GRAPH.pos, torch.full((30,), float('nan'))),
            'not finite',
        ),
    ],
)
def test_bad_input_is_refused(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()
