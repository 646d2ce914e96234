"""Adjacencies as matrices and over the body, within a scale and across scales."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from graphmotion.skeletons import Skeleton, get_skeleton
from graphmotion.visualization._figure import (
    Axes,
    ConnectionPatch,
    FancyArrowPatch,
    Figure,
    LinearSegmentedColormap,
    Normalize,
    PathLike,
    ScalarMappable,
    finish,
    new_figure,
    to_array,
)
from graphmotion.visualization.body import (
    View,
    bounds,
    check_nodes,
    draw_body,
    project,
    rest_pose,
)

Matrix = Tensor | np.ndarray

# Weights from nothing to strong, and for lines from faint, which is still seen on white.
_WEIGHTS = LinearSegmentedColormap.from_list('weights', ['#FFFFFF', '#9E6BBF', '#2D004B'])
LINKS = LinearSegmentedColormap.from_list('links', _WEIGHTS(np.linspace(0.2, 1, 64)))
_BODY_HEIGHT = 3.0  # inches


def plot_adjacency(
    adj: Matrix,
    skeleton: str | Skeleton | None = None,
    titles: Sequence[str] | None = None,
    title: str | None = None,
    path: PathLike | None = None,
) -> Figure:
    r"""Draw an adjacency as a matrix, or several (partitions, heads) side by side at one scale.

    Rows receive, columns send. If there are negative weights, as in learned residuals, the
    colours run from blue over white at zero to red.

    .. code-block:: python

        skeleton = get_skeleton('ntu25')
        plot_adjacency(skeleton.adjacency('spatial'), skeleton,
                       titles=['itself', 'farther', 'nearer'])

    Args:
        adj (Tensor): The adjacency.
        skeleton (str or Skeleton, optional): The skeleton that names the joints; without it they
            are numbered. (default: :obj:`None`)
        titles (sequence of str, optional): A title for each of the matrices.
            (default: :obj:`None`)
        title (str, optional): The title of the figure. (default: :obj:`None`)
        path (str, optional): The file to write; its suffix says the format.
            (default: :obj:`None`)

    Shapes:
        - **adj:** :math:`(V, V)` or :math:`(K, V, V)`

    Raises:
        ValueError: If the shape is another, is not that of the skeleton, or there is not one
            title for each matrix.
    """
    matrices, skeleton = _read_square(adj, skeleton)
    names = list(map(str, range(matrices.shape[-1]))) if skeleton is None else skeleton.joints
    titles = _check_titles(titles, len(matrices))
    beside = _label_length(names)
    side = max(1.6, 0.15 * len(names))
    num_columns = min(3, len(matrices))
    num_rows = -(-len(matrices) // num_columns)
    figure = new_figure(
        (side + 0.1) * num_columns + beside + 1.2,
        (side + 0.25) * num_rows + beside + (0.5 if title else 0.2),
    )
    axes = figure.subplots(num_rows, num_columns, squeeze=False, sharex=True, sharey=True)
    limit, signed = _largest(np.abs(matrices)), bool(matrices.min() < 0)
    for ax, matrix, heading in zip(axes.ravel(), matrices, titles):
        image = _draw_matrix(ax, matrix, names, names, limit, signed)
        ax.set_title(heading, fontsize='medium')
        ax.label_outer()
    for ax in axes.ravel()[len(matrices) :]:
        figure.delaxes(ax)
    axes[0, 0].set_ylabel('receives')
    axes[-1, 0].set_xlabel('sends')
    color_bar(figure, image, ax=axes)
    return finish(figure, path, title)


def plot_adjacency_on_body(
    adj: Matrix,
    skeleton: str | Skeleton,
    pose: Matrix | None = None,
    num_links: int | None = None,
    titles: Sequence[str] | None = None,
    view: View = 'front',
    up: str | None = None,
    title: str | None = None,
    path: PathLike | None = None,
) -> Figure:
    r"""Draw the strongest weights of an adjacency as arrows over the body.

    Arrows lead from the sending joint to the receiving one and grow in width and colour with the
    weight; the ring around a joint is its weight for itself. Several adjacencies (partitions,
    heads) stand side by side at one scale.

    Args:
        adj (Tensor): The adjacency; weights that are not positive are not drawn.
        skeleton (str or Skeleton): The skeleton, or the name of a built-in one.
        pose (Tensor, optional): The pose to draw over; by default :func:`rest_pose`.
            (default: :obj:`None`)
        num_links (int, optional): The most arrows to draw of each adjacency, the strongest first.
            (default: :math:`2V`)
        titles (sequence of str, optional): A title for each of the bodies.
            (default: :obj:`None`)
        view (str or tuple, optional): See :func:`project`. (default: :obj:`"front"`)
        up (str, optional): See :func:`project`. (default: :obj:`None`)
        title (str, optional): The title of the figure. (default: :obj:`None`)
        path (str, optional): The file to write; its suffix says the format.
            (default: :obj:`None`)

    Shapes:
        - **adj:** :math:`(V, V)` or :math:`(K, V, V)`
        - **pose:** :math:`(V, D)` with :math:`D \in \{2, 3\}`

    Raises:
        ValueError: If a shape does not fit the skeleton, or there is not one title for each
            adjacency.
    """
    skeleton = get_skeleton(skeleton)
    matrices, _ = _read_square(adj, skeleton)
    titles = _check_titles(titles, len(matrices))
    points = project(_read_pose(pose, skeleton), view, up)[0]
    num_columns = min(4, len(matrices))
    num_rows = -(-len(matrices) // num_columns)
    width, height = _panel(points)
    figure = new_figure(
        width * num_columns + 0.9, (height + 0.3) * num_rows + (0.3 if title else 0)
    )
    axes = figure.subplots(num_rows, num_columns, squeeze=False)
    for ax in axes.ravel()[len(matrices) :]:
        figure.delaxes(ax)
    limit = _largest(matrices)
    num_links = 2 * skeleton.num_joints if num_links is None else num_links
    for ax, matrix, heading in zip(axes.ravel(), matrices, titles):
        _stage(ax, points)
        draw_body(ax, points, skeleton, linewidth=1.0, color='0.75')
        ax.set_title(heading, fontsize='medium')
        loops = np.clip(matrix.diagonal(), 0, None) / limit
        ax.scatter(
            *points.T,
            s=16 + 60 * loops,
            facecolors='white',
            edgecolors=np.where(loops[:, None] > 0, LINKS(loops), (0.75, 0.75, 0.75, 1)),
            linewidths=0.8 + 1.6 * loops,
            zorder=4,
        )
        off_diagonal = matrix * (1 - np.eye(len(matrix)))
        for i, j, weight in strongest(off_diagonal, num_links):
            share = weight / limit
            ax.add_patch(
                FancyArrowPatch(
                    points[j],
                    points[i],
                    connectionstyle='arc3,rad=0.18',
                    arrowstyle='-|>',
                    mutation_scale=5 + 5 * share,
                    shrinkA=3,
                    shrinkB=3,
                    linewidth=0.5 + 2.0 * share,
                    color=LINKS(share),
                    zorder=5 + share,
                )
            )
    color_bar(figure, ScalarMappable(Normalize(0, limit), LINKS), ax=axes)
    return finish(figure, path, title)


def plot_cross_scale(
    adj: Matrix,
    skeleton: str | Skeleton,
    pose: Matrix | None = None,
    hierarchy: str | None = None,
    num_links: int | None = None,
    view: View = 'front',
    up: str | None = None,
    title: str | None = None,
    path: PathLike | None = None,
) -> Figure:
    r"""Draw an adjacency between two scales of a skeleton over the bodies and as a matrix.

    The receiving scale stands on the left, the sending scale beside it; the strongest weights are
    lines between the two, which grow in width and colour with the weight. Which levels of the
    hierarchy they are is told by the shape of the adjacency.

    .. code-block:: python

        plot_cross_scale(adj, 'emotion_gait16', path='parts_to_joints.png')  # adj is 16 x 10

    Args:
        adj (Tensor): The adjacency; weights that are not positive are not drawn as lines.
        skeleton (str or Skeleton): The skeleton of the joints, or the name of a built-in one.
        pose (Tensor, optional): The pose of the joints to draw over, whose means over parts are
            the coarser nodes; by default :func:`rest_pose`. (default: :obj:`None`)
        hierarchy (str, optional): The name of the hierarchy; the first by default.
            (default: :obj:`None`)
        num_links (int, optional): The most lines to draw, the strongest first. (default: the
            number of receiving nodes)
        view (str or tuple, optional): See :func:`project`. (default: :obj:`"front"`)
        up (str, optional): See :func:`project`. (default: :obj:`None`)
        title (str, optional): The title. (default: :obj:`None`)
        path (str, optional): The file to write; its suffix says the format.
            (default: :obj:`None`)

    Shapes:
        - **adj:** :math:`(V_{to}, V_{from})`, row :math:`i` holds what node :math:`i` receives
        - **pose:** :math:`(V, D)` with :math:`D \in \{2, 3\}`

    Raises:
        ValueError: If the skeleton has no such hierarchy or no levels of these sizes, or the pose
            does not fit it.
    """
    skeleton = get_skeleton(skeleton)
    matrix = to_array(adj, 'adj', dims=(2,), finite=True)
    levels = [skeleton.hierarchy(hierarchy).level_of(size) for size in matrix.shape]
    scales = [skeleton.coarsen(level, hierarchy) for level in levels]
    joints = _read_pose(pose, skeleton)
    bodies = []
    for level in levels:
        members = skeleton.assignment(level, hierarchy=hierarchy).double().numpy()
        bodies.append(project(members / members.sum(axis=1, keepdims=True) @ joints, view, up)[0])

    whole = project(joints, view, up)[0]
    width, height = _panel(whole)
    names = [scale.joints for scale in scales]
    wide, high = 0.17 * len(names[1]), 0.17 * len(names[0])
    beside, below = (_label_length(side) for side in names)
    # Placed by hand: the layouts squeeze bodies and matrices of equal aspect against each other.
    tall = max(height, high + below)
    total = (2 * width + beside + wide + 1.0, tall + (0.7 if title else 0.4))
    figure = Figure(figsize=total)

    def place(*inches: float) -> Axes:
        left, bottom, across, upwards = np.array(inches) / (*total, *total)
        return figure.add_axes((left, bottom, across, upwards))

    axes = [place(side * width, 0.05, width, tall) for side in (0, 1)]
    floor = 0.05 + below + (tall - high - below) / 2
    matrix_ax = place(2 * width + beside, floor, wide, high)
    bar_ax = place(2 * width + beside + wide + 0.15, floor, 0.12, high)
    for ax, scale, points, role in zip(axes, scales, bodies, ('receive', 'send')):
        _stage(ax, whole)
        draw_body(ax, points, scale, linewidth=1.5)
        ax.set_title(f'{scale.num_joints} {role}', fontsize='medium')
    limit = _largest(matrix)
    num_links = len(matrix) if num_links is None else num_links
    for i, j, weight in strongest(matrix, num_links):
        share = weight / limit
        figure.add_artist(
            ConnectionPatch(
                bodies[0][i],
                bodies[1][j],
                'data',
                axesA=axes[0],
                axesB=axes[1],
                linewidth=0.4 + 1.8 * share,
                color=LINKS(share),
                alpha=0.85,
            )
        )
    image = _draw_matrix(matrix_ax, matrix, names[0], names[1])
    color_bar(figure, image, cax=bar_ax)
    return finish(figure, path, title)


# Parts of the figures #########################################################


def _label_length(names: Sequence[str]) -> float:
    """The inches that the longest name takes beside a matrix, with the label of the axis."""
    return 0.25 + 0.05 * max(map(len, names))


def _largest(values: np.ndarray) -> float:
    """The largest value, to which weights are compared; one where none is positive."""
    largest = float(values.max())
    return largest if largest > 0 else 1.0


def _draw_matrix(
    ax: Axes,
    matrix: np.ndarray,
    rows: Sequence[str],
    columns: Sequence[str],
    limit: float | None = None,
    signed: bool | None = None,
) -> ScalarMappable:
    limit = _largest(np.abs(matrix)) if limit is None else limit
    signed = bool(matrix.min() < 0) if signed is None else signed
    image = ax.imshow(
        matrix,
        cmap='RdBu_r' if signed else _WEIGHTS,
        vmin=-limit if signed else 0,
        vmax=limit,
        interpolation='nearest',
    )
    ax.set_xticks(range(len(columns)), columns, fontsize='x-small', rotation=90)
    ax.set_yticks(range(len(rows)), rows, fontsize='x-small')
    ax.tick_params(length=0)
    return image


def color_bar(
    figure: Figure,
    values: ScalarMappable,
    ax: np.ndarray | None = None,
    cax: Axes | None = None,
    label: str = 'weight',
) -> None:
    """Say what colours mean, beside axes or in axes of its own."""
    bar = figure.colorbar(values, shrink=0.7, pad=0.02, aspect=30, ax=ax, cax=cax)
    bar.set_label(label)
    bar.outline.set_visible(False)


def strongest(matrix: np.ndarray, most: int) -> list[tuple[int, int, float]]:
    """Row, column and value of the largest positive entries, from weak to strong."""
    if most < 1:
        raise ValueError(f'num_links is at least 1, got {most}')
    order = np.argsort(-matrix, axis=None, kind='stable')[:most].tolist()
    entries = [(*divmod(k, matrix.shape[1]), float(matrix.flat[k])) for k in order[::-1]]
    return [entry for entry in entries if entry[2] > 0]


def _panel(points: np.ndarray) -> tuple[float, float]:
    """Width and height in inches of the panel that a body takes."""
    left, right, bottom, top = bounds([points])
    return max(1.2, _BODY_HEIGHT * min(1.5, 1.3 * (right - left) / (top - bottom))), _BODY_HEIGHT


def _stage(ax: Axes, points: np.ndarray) -> None:
    left, right, bottom, top = bounds([points])
    margin = 0.05 * max(right - left, top - bottom)
    ax.set_xlim(left - margin, right + margin)
    ax.set_ylim(bottom - margin, top + margin)
    ax.set_aspect('equal')
    ax.set_axis_off()


# Reading ######################################################################


def _read_square(
    adj: Matrix, skeleton: str | Skeleton | None
) -> tuple[np.ndarray, Skeleton | None]:
    matrices = to_array(adj, 'adj', dims=(2, 3), finite=True)
    matrices = matrices if matrices.ndim == 3 else matrices[None]
    if matrices.shape[1] != matrices.shape[2]:
        raise ValueError(f'adj has the shape {list(matrices.shape[1:])}, expected [V, V]')
    if skeleton is None:
        return matrices, None
    skeleton = get_skeleton(skeleton)
    if matrices.shape[1] != skeleton.num_joints:
        raise ValueError(
            f'adj is of {matrices.shape[1]} nodes, expected the {skeleton.num_joints} joints of '
            f'{skeleton.name!r}'
        )
    return matrices, skeleton


def _read_pose(pose: Matrix | None, skeleton: Skeleton) -> np.ndarray:
    joints = to_array(rest_pose(skeleton) if pose is None else pose, 'pose', dims=(2,), finite=True)
    check_nodes(joints, 'pose', skeleton)
    if len(joints) != skeleton.num_joints:
        raise ValueError(f'pose has {len(joints)} nodes, expected those of a single body')
    return joints


def _check_titles(titles: Sequence[str] | None, num_matrices: int) -> list[str]:
    if titles is None:
        return [''] * num_matrices
    titles = [titles] if isinstance(titles, str) else list(titles)
    if len(titles) != num_matrices:
        raise ValueError(f'got {len(titles)} titles for {num_matrices} adjacencies')
    return titles
