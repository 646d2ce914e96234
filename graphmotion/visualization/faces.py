"""Plots of graphs over face images: edges, eigenvectors and node weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from graphmotion.visualization._figure import (
    COLORS,
    Axes,
    Figure,
    LineCollection,
    Normalize,
    PathLike,
    ScalarMappable,
    add_colorbar,
    finish_figure,
    new_figure,
)
from graphmotion.visualization._inputs import (
    ArrayLike,
    check_indices,
    check_names,
    check_shape,
    to_array,
)

_PANEL_SIZE, _LARGE_PANEL_SIZE = 2.4, 3.1  # inches
_POINTS_PER_INCH = 72
_SIGNED_COLORMAP, _POSITIVE_COLORMAP = 'RdBu_r', 'magma'


def plot_face_graph(
    image: ArrayLike,
    pos: ArrayLike,
    edge_index: ArrayLike | None = None,
    title: str | None = None,
    path: PathLike | None = None,
) -> Figure:
    r"""Plots a graph over the image that its nodes were sampled from.

    .. code-block:: python

        image = SyntheticFaces(num_subjects=1, num_takes=1)[0].image
        graph = PointGraph.from_points(sample_pixels(48, 48), k=8)
        plot_face_graph(image, graph.pos, graph.edge_index)

    Args:
        image (Tensor): A grey-scale or colour image in any value range, drawn in grey.
        pos (Tensor): The column and row of each node in the image, starting from 0.
        edge_index (Tensor, optional): The edges. If set to :obj:`None`, only nodes are drawn.
            (default: :obj:`None`)
        title (str, optional): The title of the figure. (default: :obj:`None`)
        path (str, optional): The file to save the figure to; its suffix sets the format.
            (default: :obj:`None`)

    Shapes:
        - **image:** :math:`(H, W)`, :math:`(1, H, W)` or :math:`(3, H, W)`
        - **pos:** :math:`(N, 2)`
        - **edge_index:** :math:`(2, E)`

    Raises:
        ValueError: If an argument has another shape, a node lies outside the image, or an edge
            refers to a node that does not exist.
    """
    picture, points = _read_nodes(image, pos)
    edges = _read_edges(edge_index, len(points))
    height, width = picture.shape
    # The figure grows with the number of nodes to keep them distinguishable.
    side = float(np.clip(0.16 * np.sqrt(len(points)), 3.0, 9.0))
    figure = new_figure(side * min(1.0, width / height), side * min(1.0, height / width) + 0.4)
    ax = figure.add_subplot()
    _draw_image(ax, picture)
    spacing = _node_spacing(points, picture, side)
    if len(edges):
        ax.add_collection(
            LineCollection(
                list(points[np.unique(np.sort(edges, axis=1), axis=0)]),
                colors=COLORS[5],
                linewidths=np.clip(0.06 * spacing, 0.3, 1.2),
                alpha=0.7,
                zorder=2,
            )
        )
    x, y = points.T
    ax.scatter(x, y, s=(0.26 * spacing) ** 2, color=COLORS[4], linewidths=0, zorder=3)
    return finish_figure(figure, path, title)


def plot_eigenvectors(
    image: ArrayLike,
    pos: ArrayLike,
    eigenvectors: ArrayLike,
    eigenvalues: ArrayLike | None = None,
    modes: Sequence[int] | None = None,
    title: str | None = None,
    path: PathLike | None = None,
) -> Figure:
    r"""Plots eigenvectors of the graph Laplacian as node colours over the image.

    Each eigenvector is divided by its largest absolute entry. Negative entries are blue and
    positive entries are red.

    .. code-block:: python

        image = SyntheticFaces(num_subjects=1, num_takes=1)[0].image
        graph = PointGraph.from_points(sample_pixels(48, 48), k=8, num_modes=8)
        plot_eigenvectors(image, graph.pos, graph.eigenvectors, graph.eigenvalues)

    Args:
        image (Tensor): A grey-scale or colour image in any value range, drawn in grey.
        pos (Tensor): The column and row of each node in the image, starting from 0.
        eigenvectors (Tensor): The eigenvectors as columns.
        eigenvalues (Tensor, optional): The eigenvalues to print above the panels.
            (default: :obj:`None`)
        modes (sequence of int, optional): The indices of the eigenvectors to draw. If set to
            :obj:`None`, the first eight are drawn. (default: :obj:`None`)
        title (str, optional): The title of the figure. (default: :obj:`None`)
        path (str, optional): The file to save the figure to; its suffix sets the format.
            (default: :obj:`None`)

    Shapes:
        - **image:** :math:`(H, W)`, :math:`(1, H, W)` or :math:`(3, H, W)`
        - **pos:** :math:`(N, 2)`
        - **eigenvectors:** :math:`(N, K)`
        - **eigenvalues:** :math:`(K)`

    Raises:
        ValueError: If an argument has another shape, a node lies outside the image, or a mode is
            out of range.
    """
    picture, points = _read_nodes(image, pos)
    vectors = to_array(eigenvectors, 'eigenvectors', ndim=(2,), finite=True)
    check_shape(vectors, 'eigenvectors', (len(points), 'K'))
    num_modes = vectors.shape[1]
    selected = check_indices(
        range(min(8, num_modes)) if modes is None else modes, 'modes', num_modes
    )
    headings = [f'mode {mode}' for mode in selected]
    if eigenvalues is not None:
        values = to_array(eigenvalues, 'eigenvalues', ndim=(1,), finite=True)
        check_shape(values, 'eigenvalues', (num_modes,))
        headings = [f'mode {mode}, λ = {_format_eigenvalue(values[mode])}' for mode in selected]
    rows = vectors[:, selected].T
    largest = np.abs(rows).max(axis=1, keepdims=True)
    rows = rows / np.where(largest > 0, largest, 1)
    figure, axes = _face_panels(picture, len(selected), title)
    norm = Normalize(-1, 1)
    for ax, values, heading in zip(axes, rows, headings):
        _draw_values(ax, picture, points, values, _SIGNED_COLORMAP, norm)
        ax.set_title(heading, fontsize='small')
    mappable = ScalarMappable(norm, _SIGNED_COLORMAP)
    add_colorbar(figure, mappable, np.array(axes), label='relative amplitude')
    return finish_figure(figure, path, title)


def plot_node_weights(
    image: ArrayLike,
    pos: ArrayLike,
    weight: ArrayLike,
    titles: Sequence[str] | None = None,
    title: str | None = None,
    path: PathLike | None = None,
) -> Figure:
    r"""Plots learned node weights as node colours over the image.

    Several models are drawn side by side, each with its own colour scale from its smallest to its
    largest weight.

    .. code-block:: python

        image = SyntheticFaces(num_subjects=1, num_takes=1)[0].image
        pos = sample_pixels(48, 48)
        graph = PointGraph.from_points(pos, k=8, num_modes=64, levels=2, ratio=0.25)
        model = ssgnn(graph, num_classes=7)
        weight = torch.stack([model.spatial.node_weights(), model.spectral.node_weights()])
        plot_node_weights(image, graph.pos, weight, ['SPAGNN', 'SPEGNN'])

    Args:
        image (Tensor): A grey-scale or colour image in any value range, drawn in grey.
        pos (Tensor): The column and row of each node in the image, starting from 0.
        weight (Tensor): The node weights of one or more models, as returned by
            :meth:`~graphmotion.models.SPAGNN.node_weights`.
        titles (sequence of str, optional): The name of each model. (default: :obj:`None`)
        title (str, optional): The title of the figure. (default: :obj:`None`)
        path (str, optional): The file to save the figure to; its suffix sets the format.
            (default: :obj:`None`)

    Shapes:
        - **image:** :math:`(H, W)`, :math:`(1, H, W)` or :math:`(3, H, W)`
        - **pos:** :math:`(N, 2)`
        - **weight:** :math:`(N)` or :math:`(M, N)`

    Raises:
        ValueError: If an argument has another shape, a node lies outside the image, or there is
            not one title for each model.
    """
    picture, points = _read_nodes(image, pos)
    rows = np.atleast_2d(to_array(weight, 'weight', ndim=(1, 2), finite=True))
    check_shape(rows, 'weight', ('M', len(points)))
    names = check_names(titles, 'titles', len(rows))
    figure, axes = _face_panels(picture, len(rows), title, _LARGE_PANEL_SIZE, extra_width=0.7)
    for ax, values, name in zip(axes, rows, names):
        norm = Normalize(values.min(), values.max())
        _draw_values(ax, picture, points, values, _POSITIVE_COLORMAP, norm, _LARGE_PANEL_SIZE)
        ax.set_title(name, fontsize='medium')
        add_colorbar(figure, ScalarMappable(norm, _POSITIVE_COLORMAP), np.array([ax]))
    return finish_figure(figure, path, title)


# Drawing ######################################################################


def _face_panels(
    picture: np.ndarray,
    num_panels: int,
    title: str | None,
    size: float = _PANEL_SIZE,
    extra_width: float = 0.0,
) -> tuple[Figure, list[Axes]]:
    """Creates a figure with one panel for each face, at most four in a row."""
    height, width = picture.shape
    num_columns = min(4, num_panels)
    num_rows = -(-num_panels // num_columns)
    figure = new_figure(
        num_columns * (size * min(1.0, width / height) + 0.1 + extra_width) + 0.8,
        num_rows * (size * min(1.0, height / width) + 0.3) + (0.4 if title else 0.1),
    )
    axes = figure.subplots(num_rows, num_columns, squeeze=False).ravel()
    for ax in axes[num_panels:]:
        figure.delaxes(ax)
    return figure, list(axes[:num_panels])


def _draw_image(ax: Axes, picture: np.ndarray, faint: bool = False) -> None:
    """Draws an image stretched to the full grey range, or mid-grey if constant."""
    low, high = picture.min(), picture.max()
    grey = (picture - low) / (high - low) if high > low else np.full_like(picture, 0.5)
    ax.imshow(0.5 * grey + 0.5 if faint else grey, cmap='gray', vmin=0, vmax=1, zorder=1)
    ax.set_axis_off()


def _draw_values(
    ax: Axes,
    picture: np.ndarray,
    points: np.ndarray,
    values: np.ndarray,
    colormap: str,
    norm: Normalize,
    side: float = _PANEL_SIZE,
) -> None:
    """Draws nodes coloured by their values over the faded image."""
    _draw_image(ax, picture, faint=True)
    size = float(np.clip((0.7 * _node_spacing(points, picture, side)) ** 2, 1.0, 60.0))
    x, y = points.T
    ax.scatter(x, y, s=size, c=values, cmap=colormap, norm=norm, linewidths=0, zorder=2)


def _node_spacing(points: np.ndarray, picture: np.ndarray, side: float) -> float:
    """Returns the mean node distance in points, in a panel of a size in inches."""
    pixels = float(np.sqrt(picture.size / len(points)))
    return pixels * _POINTS_PER_INCH * side / max(picture.shape)


def _format_eigenvalue(value: float) -> str:
    return '0' if abs(value) < 1e-5 else f'{value:.2g}'


# Reading ######################################################################


def _read_nodes(image: ArrayLike, pos: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Returns the image [H, W] and the node positions [N, 2]."""
    picture = _read_image(image)
    points = to_array(pos, 'pos', ndim=(2,), finite=True)
    check_shape(points, 'pos', ('N', 2))
    height, width = picture.shape
    # Integer coordinates are pixel centres, so the image extends by half a pixel beyond them.
    outside = ((points < -0.5) | (points > (width - 0.5, height - 0.5))).any(axis=1)
    if outside.any():
        raise ValueError(
            f'pos must lie inside the image of {width} columns and {height} rows, got '
            f'{outside.sum()} nodes outside, the first at {points[outside][0].tolist()}'
        )
    return picture, points


def _read_image(image: ArrayLike) -> np.ndarray:
    """Returns the grey values [H, W]; colours are averaged."""
    picture = to_array(image, 'image', ndim=(2, 3), finite=True)
    if picture.ndim == 3 and len(picture) != 3:
        check_shape(picture, 'image', (1, 'H', 'W'))
    return picture.mean(axis=0) if picture.ndim == 3 else picture


def _read_edges(edge_index: ArrayLike | None, num_nodes: int) -> np.ndarray:
    """Returns the edges [E, 2]."""
    if edge_index is None or 0 in tuple(edge_index.shape):
        return np.empty((0, 2), dtype=int)
    edges = to_array(edge_index, 'edge_index', ndim=(2,))
    check_shape(edges, 'edge_index', (2, 'E'))
    if not 0 <= edges.min() <= edges.max() < num_nodes:
        raise ValueError(
            f'edge_index must be in [0, {num_nodes - 1}] for the {num_nodes} nodes of pos, got '
            f'values from {edges.min():g} to {edges.max():g}'
        )
    return edges.astype(int).T
