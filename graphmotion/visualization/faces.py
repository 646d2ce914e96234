"""Graphs over faces: their edges, their eigenvectors, and what models learned about the nodes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from graphmotion.visualization._figure import (
    COLORS,
    Axes,
    Figure,
    LineCollection,
    Normalize,
    PathLike,
    ScalarMappable,
    finish,
    new_figure,
    to_array,
)
from graphmotion.visualization.adjacency import color_bar

Values = Tensor | np.ndarray

_PANEL, _LARGE_PANEL = 2.4, 3.1  # inches, of a face among several, and of one among few
_SIGNED, _POSITIVE = 'RdBu_r', 'magma'


def plot_face_graph(
    image: Values,
    pos: Values,
    edge_index: Values | None = None,
    title: str | None = None,
    path: PathLike | None = None,
) -> Figure:
    r"""Draw a graph over the image that its nodes were taken from.

    .. code-block:: python

        graph = PointGraph.from_points(sample_pixels(48, 48), k=8)
        plot_face_graph(image, graph.pos, graph.edge_index, path='graph.png')

    Args:
        image (Tensor): A grey image, of any range.
        pos (Tensor): Column and row of each node in the image, counted from 0.
        edge_index (Tensor, optional): The edges; without them the nodes alone are drawn.
            (default: :obj:`None`)
        title (str, optional): The title. (default: :obj:`None`)
        path (str, optional): The file to write; its suffix says the format.
            (default: :obj:`None`)

    Shapes:
        - **image:** :math:`(H, W)` or :math:`(1, H, W)`
        - **pos:** :math:`(N, 2)`
        - **edge_index:** :math:`(2, E)`

    Raises:
        ValueError: If a shape is another, a node is outside of the image, or an edge names a node
            that is not there.
    """
    picture, points = _read(image, pos)
    edges = _read_edges(edge_index, len(points))
    height, width = picture.shape
    # The larger the graph, the larger the picture, so that nodes stay apart.
    side = float(np.clip(0.16 * np.sqrt(len(points)), 3.0, 9.0))
    figure = new_figure(side * min(1.0, width / height), side * min(1.0, height / width) + 0.4)
    ax = figure.add_subplot()
    _draw_face(ax, picture)
    apart = _spacing(points, picture) * 72 * side / max(picture.shape)  # in points
    if len(edges):
        lines = points[np.unique(np.sort(edges, axis=1), axis=0)]
        ax.add_collection(
            LineCollection(
                list(lines),
                colors=COLORS[5],
                linewidths=np.clip(0.06 * apart, 0.3, 1.2),
                alpha=0.7,
                zorder=2,
            )
        )
    ax.scatter(
        points[:, 0], points[:, 1], s=(0.26 * apart) ** 2, color=COLORS[4], linewidths=0, zorder=3
    )
    return finish(figure, path, title)


def plot_eigenvectors(
    image: Values,
    pos: Values,
    eigenvectors: Values,
    eigenvalues: Values | None = None,
    modes: Sequence[int] | None = None,
    title: str | None = None,
    path: PathLike | None = None,
) -> Figure:
    r"""Draw eigenvectors of the graph's Laplacian as colours of the nodes, over the face.

    Colours run from blue over white at zero to red, in each mode up to its largest entry.

    Args:
        image (Tensor): A grey image, of any range.
        pos (Tensor): Column and row of each node in the image, counted from 0.
        eigenvectors (Tensor): A column for each mode.
        eigenvalues (Tensor, optional): They are written above the modes, if given.
            (default: :obj:`None`)
        modes (sequence of int, optional): The modes to draw, counted from 0; by default the first
            eight. (default: :obj:`None`)
        title (str, optional): The title. (default: :obj:`None`)
        path (str, optional): The file to write; its suffix says the format.
            (default: :obj:`None`)

    Shapes:
        - **image:** :math:`(H, W)` or :math:`(1, H, W)`
        - **pos:** :math:`(N, 2)`
        - **eigenvectors:** :math:`(N, K)`
        - **eigenvalues:** :math:`(K)`

    Raises:
        ValueError: If a shape is another, a node is outside of the image, or there is no such
            mode.
    """
    picture, points = _read(image, pos)
    vectors = to_array(eigenvectors, 'eigenvectors', dims=(2,), finite=True)
    num_modes = vectors.shape[1]
    if len(vectors) != len(points):
        raise ValueError(f'eigenvectors has {len(vectors)} rows for {len(points)} nodes')
    chosen = list(range(min(8, num_modes))) if modes is None else [int(mode) for mode in modes]
    if not chosen or not all(0 <= mode < num_modes for mode in chosen):
        raise ValueError(f'modes are some of 0..{num_modes - 1}, got {chosen or "none"}')
    titles = [f'mode {mode}' for mode in chosen]
    if eigenvalues is not None:
        values = to_array(eigenvalues, 'eigenvalues', dims=(1,), finite=True)
        if len(values) != num_modes:
            raise ValueError(f'got {len(values)} eigenvalues for {num_modes} modes')
        titles = [f'mode {mode}, λ = {_short(values[mode])}' for mode in chosen]
    columns = vectors[:, chosen].T
    largest = np.abs(columns).max(axis=1, keepdims=True)
    columns = columns / np.where(largest > 0, largest, 1)
    figure, axes = _panels(picture, len(chosen), title)
    for ax, values, heading in zip(axes, columns, titles):
        _draw_values(ax, picture, points, values, _SIGNED, Normalize(-1, 1))
        ax.set_title(heading, fontsize='small')
    scale = ScalarMappable(Normalize(-1, 1), _SIGNED)
    color_bar(figure, scale, np.array(axes), label='share of the largest entry')
    return finish(figure, path, title)


def plot_node_weights(
    image: Values,
    pos: Values,
    weight: Values,
    titles: Sequence[str] | None = None,
    title: str | None = None,
    path: PathLike | None = None,
) -> Figure:
    r"""Draw what models learned about nodes as their colours, over the face: which places count.

    Several models stand side by side, each at its own scale from its smallest to its largest
    weight.

    .. code-block:: python

        weight = torch.stack([model.spatial.node_weights(), model.spectral.node_weights()])
        plot_node_weights(image, graph.pos, weight, ['SPAGNN', 'SPEGNN'], path='weights.png')

    Args:
        image (Tensor): A grey image, of any range.
        pos (Tensor): Column and row of each node in the image, counted from 0.
        weight (Tensor): The weight of each node, as
            :meth:`~graphmotion.models.SPAGNN.node_weights` returns it, or those of several models.
        titles (sequence of str, optional): The names of the models. (default: :obj:`None`)
        title (str, optional): The title of the figure. (default: :obj:`None`)
        path (str, optional): The file to write; its suffix says the format.
            (default: :obj:`None`)

    Shapes:
        - **image:** :math:`(H, W)` or :math:`(1, H, W)`
        - **pos:** :math:`(N, 2)`
        - **weight:** :math:`(N)` or :math:`(M, N)`

    Raises:
        ValueError: If a shape is another, a node is outside of the image, or there is not one
            title for each model.
    """
    picture, points = _read(image, pos)
    rows = np.atleast_2d(to_array(weight, 'weight', dims=(1, 2), finite=True))
    if rows.shape[1] != len(points):
        raise ValueError(f'weight is of {rows.shape[1]} nodes, pos of {len(points)}')
    names = [''] * len(rows) if titles is None else list(titles)
    if isinstance(titles, str) or len(names) != len(rows):
        raise ValueError(f'got the titles {titles!r} for {len(rows)} models')
    figure, axes = _panels(picture, len(rows), title, _LARGE_PANEL, beside=0.7)
    for ax, values, name in zip(axes, rows, names):
        scale = Normalize(values.min(), values.max())
        _draw_values(ax, picture, points, values, _POSITIVE, scale, _LARGE_PANEL)
        ax.set_title(name, fontsize='medium')
        color_bar(figure, ScalarMappable(scale, _POSITIVE), np.array([ax]))
    return finish(figure, path, title)


# Drawing ######################################################################


def _panels(
    picture: np.ndarray,
    number: int,
    title: str | None,
    size: float = _PANEL,
    beside: float = 0.0,
) -> tuple[Figure, list[Axes]]:
    """A figure with so many places for the face, at most four in a row."""
    height, width = picture.shape
    across, down = size * min(1.0, width / height), size * min(1.0, height / width)
    num_columns = min(4, number)
    num_rows = -(-number // num_columns)
    figure = new_figure(
        num_columns * (across + 0.1 + beside) + 0.8,
        num_rows * (down + 0.3) + (0.4 if title else 0.1),
    )
    axes = figure.subplots(num_rows, num_columns, squeeze=False).ravel()
    for ax in axes[number:]:
        figure.delaxes(ax)
    return figure, list(axes[:number])


def _draw_face(ax: Axes, picture: np.ndarray, faint: bool = False) -> None:
    """The image in axes that have its size; without contrast it is grey."""
    low, high = picture.min(), picture.max()
    grey = (picture - low) / (high - low) if high > low else np.full_like(picture, 0.5)
    ax.imshow(0.5 * grey + 0.5 if faint else grey, cmap='gray', vmin=0, vmax=1, zorder=1)
    ax.set_axis_off()


def _draw_values(
    ax: Axes,
    picture: np.ndarray,
    points: np.ndarray,
    values: np.ndarray,
    colors: str,
    scale: Normalize,
    side: float = _PANEL,
) -> None:
    """Nodes coloured by their values over the faint image."""
    _draw_face(ax, picture, faint=True)
    apart = _spacing(points, picture) * 72 * side / max(picture.shape)
    size = float(np.clip((0.7 * apart) ** 2, 1.0, 60.0))
    across, down = points.T
    ax.scatter(across, down, s=size, c=values, cmap=colors, norm=scale, linewidths=0, zorder=2)


def _spacing(points: np.ndarray, picture: np.ndarray) -> float:
    """How far nodes are apart, in pixels, if they were even over the image."""
    return float(np.sqrt(picture.size / len(points)))


def _short(value: float) -> str:
    """An eigenvalue; what rounding leaves of zero is zero."""
    return '0' if abs(value) < 1e-5 else f'{value:.2g}'


# Reading ######################################################################


def _read(image: Values, pos: Values) -> tuple[np.ndarray, np.ndarray]:
    """The image [H, W] and the nodes [N, 2], which are inside."""
    picture = to_array(image, 'image', dims=(2, 3), finite=True)
    if picture.ndim == 3:
        if len(picture) != 1:
            raise ValueError(
                f'image has the shape {list(picture.shape)}, expected [H, W] or [1, H, W]'
            )
        picture = picture[0]
    points = to_array(pos, 'pos', dims=(2,), finite=True)
    if points.shape[1] != 2:
        raise ValueError(f'pos has the shape {list(points.shape)}, expected [N, 2]')
    height, width = picture.shape
    # The middle of a pixel has whole coordinates, so that it reaches half a pixel beyond.
    outside = ((points < -0.5) | (points > (width - 0.5, height - 0.5))).any(axis=1)
    if outside.any():
        raise ValueError(
            f'{outside.sum()} nodes are outside of the image of {height} x {width} pixels, the '
            f'first at column and row {points[outside][0].tolist()}'
        )
    return picture, points


def _read_edges(edge_index: Values | None, num_nodes: int) -> np.ndarray:
    """The edges [E, 2]."""
    if edge_index is None or 0 in tuple(edge_index.shape):
        return np.empty((0, 2), dtype=int)
    edges = to_array(edge_index, 'edge_index', dims=(2,))
    if len(edges) != 2:
        raise ValueError(f'edge_index has the shape {list(edges.shape)}, expected [2, E]')
    if not 0 <= edges.min() <= edges.max() < num_nodes:
        raise ValueError(f'edge_index names nodes beyond the {num_nodes} of pos')
    return edges.astype(int).T
