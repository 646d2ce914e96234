import numpy as np
import pytest
import torch
from PIL import Image

from graphmotion.graphs import PointGraph, sample_pixels
from graphmotion.visualization import plot_eigenvectors, plot_face_graph, plot_node_weights

from .conftest import check_nothing_is_clipped

GRAPH = PointGraph.from_points(sample_pixels(12, 10, num=30), k=4, num_modes=12)
IMAGE = (torch.arange(120).view(12, 10) * 2).to(torch.uint8)
POS = GRAPH.pos.numpy()


def dots(ax):
    """Returns the positions of the nodes in a panel, and the collection of dots."""
    nodes = ax.collections[-1]
    return np.asarray(nodes.get_offsets()), nodes


def test_nodes_and_undirected_edges_over_the_image():
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
    check_nothing_is_clipped(figure)


def test_colour_images_are_drawn_in_grey():
    color = torch.stack([IMAGE, IMAGE // 2, IMAGE * 0])
    shown = plot_face_graph(color, GRAPH.pos).axes[0].images[0].get_array()
    mean = color.double().mean(dim=0)
    np.testing.assert_allclose(shown, mean / mean.max(), atol=1e-6)


@pytest.mark.parametrize('edges', [None, torch.empty(2, 0, dtype=torch.long)])
def test_nodes_without_edges(edges):
    assert len(plot_face_graph(IMAGE[None], GRAPH.pos, edges).axes[0].collections) == 1


def test_positions_are_column_and_row():
    image = torch.zeros(12, 10)
    image[7, 2] = 1
    ax = plot_face_graph(image, torch.tensor([[2.0, 7.0]])).axes[0]
    column, row = dots(ax)[0][0]
    assert ax.images[0].get_array()[int(row), int(column)] == 1
    assert ax.yaxis_inverted()


def test_constant_image_is_grey():
    shown = plot_face_graph(torch.full((12, 10), 7), GRAPH.pos).axes[0].images[0].get_array()
    np.testing.assert_array_equal(shown, np.full((12, 10), 0.5))


def test_eigenvectors_are_node_colours():
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
    assert bar.get_ylabel() == 'relative amplitude'
    check_nothing_is_clipped(figure)


def test_first_eight_modes_by_default():
    figure = plot_eigenvectors(IMAGE, GRAPH.pos, GRAPH.eigenvectors, title='modes')
    assert [ax.get_title() for ax in figure.axes[:-1]] == [f'mode {i}' for i in range(8)]
    few = plot_eigenvectors(IMAGE, GRAPH.pos, GRAPH.eigenvectors[:, :2])
    assert len(few.axes) == 3
    check_nothing_is_clipped(figure)


def test_weights_of_models_have_their_own_scales():
    weight = torch.stack([torch.arange(30.0), torch.arange(30.0) / 100 + 5])
    figure = plot_node_weights(IMAGE, GRAPH.pos, weight, ['spatial', 'spectral'], title='weights')
    assert [ax.get_title() for ax in figure.axes[:2]] == ['spatial', 'spectral']
    for ax, row in zip(figure.axes, weight):
        nodes = dots(ax)[1]
        np.testing.assert_allclose(nodes.get_array(), row)
        np.testing.assert_allclose(nodes.get_clim(), (row.min(), row.max()))
    assert [bar.get_ylabel() for bar in figure.axes[2:]] == ['weight', 'weight']
    check_nothing_is_clipped(figure)
    assert len(plot_node_weights(IMAGE, GRAPH.pos, weight[0]).axes) == 2


def test_equal_weights(tmp_path):
    path = tmp_path / 'new' / 'weights.png'
    plot_node_weights(IMAGE, GRAPH.pos, torch.ones(30), path=path)
    with Image.open(path) as image:
        assert len(set(image.convert('L').tobytes())) > 10


@pytest.mark.parametrize(
    ('draw', 'message'),
    [
        (
            lambda: plot_face_graph(IMAGE[0], GRAPH.pos),
            r'image must be 2D or 3D, got shape \[10\]',
        ),
        (
            lambda: plot_face_graph(torch.rand(2, 12, 10), GRAPH.pos),
            r'image must have shape \[1, H, W\], got \[2, 12, 10\]',
        ),
        (
            lambda: plot_face_graph(IMAGE, torch.rand(30, 3)),
            r'pos must have shape \[N, 2\], got \[30, 3\]',
        ),
        (
            lambda: plot_face_graph(IMAGE.t(), GRAPH.pos),
            'pos must lie inside the image of 12 columns and 10 rows, got',
        ),
        (
            lambda: plot_face_graph(IMAGE, GRAPH.pos[:5], GRAPH.edge_index),
            r'edge_index must be in \[0, 4\] for the 5 nodes of pos',
        ),
        (
            lambda: plot_face_graph(IMAGE, GRAPH.pos, GRAPH.edge_index.t()),
            r'edge_index must have shape \[2, E\]',
        ),
        (
            lambda: plot_eigenvectors(IMAGE, GRAPH.pos, GRAPH.eigenvectors[:9]),
            r'eigenvectors must have shape \[30, K\], got \[9, 12\]',
        ),
        (
            lambda: plot_eigenvectors(IMAGE, GRAPH.pos, GRAPH.eigenvectors, modes=[12]),
            r'modes must be one or more indices in \[0, 11\], got \[12\]',
        ),
        (
            lambda: plot_eigenvectors(IMAGE, GRAPH.pos, GRAPH.eigenvectors, GRAPH.eigenvalues[:3]),
            r'eigenvalues must have shape \[12\], got \[3\]',
        ),
        (
            lambda: plot_node_weights(IMAGE, GRAPH.pos, torch.ones(9)),
            r'weight must have shape \[M, 30\], got \[1, 9\]',
        ),
        (
            lambda: plot_node_weights(IMAGE, GRAPH.pos, torch.ones(30), ['a', 'b']),
            'titles must have length 1, got 2',
        ),
        (
            lambda: plot_node_weights(IMAGE, GRAPH.pos, torch.full((30,), float('nan'))),
            'must be finite',
        ),
    ],
)
def test_invalid_input(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()
