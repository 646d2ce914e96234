"""Adjacency matrices as heat maps and as links over the body."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from graphmotion.checks import check_int
from graphmotion.skeletons import Skeleton, get_skeleton
from graphmotion.visualization._figure import (
    LINK_COLORMAP,
    WEIGHT_COLORMAP,
    Axes,
    ConnectionPatch,
    FancyArrowPatch,
    Figure,
    Normalize,
    PathLike,
    ScalarMappable,
    add_colorbar,
    finish_figure,
    new_figure,
)
from graphmotion.visualization._inputs import (
    ArrayLike,
    check_names,
    check_shape,
    to_array,
)
from graphmotion.visualization.body import draw_body
from graphmotion.visualization.projection import View, bounding_box, check_nodes, project
from graphmotion.visualization.rest_pose import rest_pose

_BODY_HEIGHT = 3.0  # inches


def plot_adjacency(
    adj: ArrayLike,
    skeleton: str | Skeleton | None = None,
    titles: Sequence[str] | None = None,
    title: str | None = None,
    path: PathLike | None = None,
) -> Figure:
    r"""Plots an adjacency matrix, or several (partitions, heads) side by side.

    Rows are target nodes and columns are source nodes. All matrices have the same colour scale. If
    there are negative weights, as in learned residuals, it is centred at zero.

    .. code-block:: python

        skeleton = get_skeleton('ntu25')
        plot_adjacency(skeleton.adjacency('spatial'), skeleton,
                       titles=['root', 'centrifugal', 'centripetal'])

    Args:
        adj (Tensor): The adjacency matrix or matrices.
        skeleton (str or Skeleton, optional): The skeleton whose joint names label the axes. If set
            to :obj:`None`, the nodes are numbered. (default: :obj:`None`)
        titles (sequence of str, optional): The title of each matrix. (default: :obj:`None`)
        title (str, optional): The title of the figure. (default: :obj:`None`)
        path (str, optional): The file to save the figure to; its suffix sets the format.
            (default: :obj:`None`)

    Shapes:
        - **adj:** :math:`(V, V)` or :math:`(K, V, V)`

    Raises:
        ValueError: If the matrices are not square, do not match the skeleton, or there is not one
            title for each matrix.
    """
    skeleton = None if skeleton is None else get_skeleton(skeleton)
    matrices = _read_matrices(adj, skeleton)
    names = list(map(str, range(matrices.shape[-1]))) if skeleton is None else skeleton.joints
    headings = check_names(titles, 'titles', len(matrices))
    label_length = _label_length(names)
    side = max(1.6, 0.15 * len(names))
    num_columns = min(3, len(matrices))
    num_rows = -(-len(matrices) // num_columns)
    figure = new_figure(
        (side + 0.1) * num_columns + label_length + 1.2,
        (side + 0.25) * num_rows + label_length + (0.5 if title else 0.2),
    )
    axes = figure.subplots(num_rows, num_columns, squeeze=False, sharex=True, sharey=True)
    limit, signed = _color_limit(np.abs(matrices)), bool(matrices.min() < 0)
    for ax, matrix, heading in zip(axes.ravel(), matrices, headings):
        image = _draw_matrix(ax, matrix, names, names, limit, signed)
        ax.set_title(heading, fontsize='medium')
        ax.label_outer()
    for ax in axes.ravel()[len(matrices) :]:
        figure.delaxes(ax)
    axes[0, 0].set_ylabel('target')
    axes[-1, 0].set_xlabel('source')
    add_colorbar(figure, image, ax=axes)
    return finish_figure(figure, path, title)


def plot_adjacency_on_body(
    adj: ArrayLike,
    skeleton: str | Skeleton,
    pose: ArrayLike | None = None,
    num_links: int | None = None,
    titles: Sequence[str] | None = None,
    view: View = 'front',
    up: str | None = None,
    title: str | None = None,
    path: PathLike | None = None,
) -> Figure:
    r"""Plots the largest weights of an adjacency matrix as arrows over the body.

    Arrows point from source to target joints; their width and colour show the weight. The ring
    around a joint shows its self-loop. Several matrices (partitions, heads) are drawn side by side
    with the same colour scale.

    .. code-block:: python

        skeleton = get_skeleton('ntu25')
        plot_adjacency_on_body(skeleton.adjacency('spatial'), skeleton,
                               titles=['root', 'centrifugal', 'centripetal'])

    Args:
        adj (Tensor): The adjacency matrix or matrices; only positive weights are drawn.
        skeleton (str or Skeleton): The skeleton, or the name of a built-in one.
        pose (Tensor, optional): The pose to draw. If set to :obj:`None`, it is
            :func:`rest_pose`. (default: :obj:`None`)
        num_links (int, optional): The maximum number of arrows for each matrix.
            (default: :math:`2V`)
        titles (sequence of str, optional): The title of each matrix. (default: :obj:`None`)
        view (str or tuple, optional): The viewpoint, see :func:`project`.
            (default: :obj:`"front"`)
        up (str, optional): The upward axis, see :func:`project`. (default: :obj:`None`)
        title (str, optional): The title of the figure. (default: :obj:`None`)
        path (str, optional): The file to save the figure to; its suffix sets the format.
            (default: :obj:`None`)

    Shapes:
        - **adj:** :math:`(V, V)` or :math:`(K, V, V)`
        - **pose:** :math:`(V, D)` with :math:`D \in \{2, 3\}`

    Raises:
        ValueError: If a shape does not match the skeleton, or there is not one title for each
            matrix.
    """
    skeleton = get_skeleton(skeleton)
    matrices = _read_matrices(adj, skeleton)
    headings = check_names(titles, 'titles', len(matrices))
    points = project(_read_pose(pose, skeleton), view, up)[0]
    num_columns = min(4, len(matrices))
    num_rows = -(-len(matrices) // num_columns)
    width, height = _body_panel_size(points)
    figure = new_figure(
        width * num_columns + 0.9, (height + 0.3) * num_rows + (0.3 if title else 0)
    )
    axes = figure.subplots(num_rows, num_columns, squeeze=False)
    for ax in axes.ravel()[len(matrices) :]:
        figure.delaxes(ax)
    limit = _color_limit(matrices)
    num_links = 2 * skeleton.num_joints if num_links is None else num_links
    for ax, matrix, heading in zip(axes.ravel(), matrices, headings):
        _set_body_limits(ax, points)
        draw_body(ax, points, skeleton, linewidth=1.0, color='0.75')
        ax.set_title(heading, fontsize='medium')
        loops = np.clip(matrix.diagonal(), 0, None) / limit
        ax.scatter(
            *points.T,
            s=16 + 60 * loops,
            facecolors='white',
            edgecolors=np.where(loops[:, None] > 0, LINK_COLORMAP(loops), (0.75, 0.75, 0.75, 1)),
            linewidths=0.8 + 1.6 * loops,
            zorder=4,
        )
        off_diagonal = matrix * (1 - np.eye(len(matrix)))
        for target, source, weight in top_links(off_diagonal, num_links):
            relative = weight / limit
            ax.add_patch(
                FancyArrowPatch(
                    points[source],
                    points[target],
                    connectionstyle='arc3,rad=0.18',
                    arrowstyle='-|>',
                    mutation_scale=5 + 5 * relative,
                    shrinkA=3,
                    shrinkB=3,
                    linewidth=0.5 + 2.0 * relative,
                    color=LINK_COLORMAP(relative),
                    zorder=5 + relative,
                )
            )
    add_colorbar(figure, ScalarMappable(Normalize(0, limit), LINK_COLORMAP), ax=axes)
    return finish_figure(figure, path, title)


def plot_cross_scale(
    adj: ArrayLike,
    skeleton: str | Skeleton,
    pose: ArrayLike | None = None,
    hierarchy: str | None = None,
    num_links: int | None = None,
    view: View = 'front',
    up: str | None = None,
    title: str | None = None,
    path: PathLike | None = None,
) -> Figure:
    r"""Plots an adjacency matrix between two scales of a skeleton.

    The target scale is drawn on the left, the source scale next to it, and the matrix on the
    right. Lines between the bodies show the largest weights by their width and colour. The shape
    of the matrix determines the levels of the hierarchy.

    .. code-block:: python

        assignment = get_skeleton('emotion_gait16').assignment(1)  # 16 joints, 10 parts
        plot_cross_scale(assignment, 'emotion_gait16')

    Args:
        adj (Tensor): The adjacency matrix; only positive weights are drawn as lines.
        skeleton (str or Skeleton): The skeleton of the joints, or the name of a built-in one.
        pose (Tensor, optional): The pose of the joints; parts are drawn at the mean of their
            joints. If set to :obj:`None`, it is :func:`rest_pose`. (default: :obj:`None`)
        hierarchy (str, optional): The name of the hierarchy. If set to :obj:`None`, it is the
            first one of the skeleton. (default: :obj:`None`)
        num_links (int, optional): The maximum number of lines. (default: :math:`V_{target}`)
        view (str or tuple, optional): The viewpoint, see :func:`project`.
            (default: :obj:`"front"`)
        up (str, optional): The upward axis, see :func:`project`. (default: :obj:`None`)
        title (str, optional): The title of the figure. (default: :obj:`None`)
        path (str, optional): The file to save the figure to; its suffix sets the format.
            (default: :obj:`None`)

    Shapes:
        - **adj:** :math:`(V_{target}, V_{source})`
        - **pose:** :math:`(V, D)` with :math:`D \in \{2, 3\}`

    Raises:
        ValueError: If the skeleton has no such hierarchy or no levels of these sizes, or the pose
            does not match the skeleton.
    """
    skeleton = get_skeleton(skeleton)
    matrix = to_array(adj, 'adj', ndim=(2,), finite=True)
    levels = [skeleton.hierarchy(hierarchy).level_of(size) for size in matrix.shape]
    scales = [skeleton.coarsen(level, hierarchy) for level in levels]
    joints = _read_pose(pose, skeleton)
    bodies = []
    for level in levels:
        members = skeleton.assignment(level, hierarchy=hierarchy).double().numpy()
        bodies.append(project(members / members.sum(axis=1, keepdims=True) @ joints, view, up)[0])

    limits = project(joints, view, up)[0]
    body_width, body_height = _body_panel_size(limits)
    target_names, source_names = (scale.joints for scale in scales)
    left, below = _label_length(target_names), _label_length(source_names)
    width, height = 0.17 * len(source_names), 0.17 * len(target_names)
    # Axes are placed explicitly: layout engines shrink bodies and matrices of equal aspect.
    panel_height = max(body_height, height + below)
    size = (2 * body_width + left + width + 1.0, panel_height + (0.7 if title else 0.4))
    figure = Figure(figsize=size)

    def add_axes(*inches: float) -> Axes:
        x, y, dx, dy = np.array(inches) / (*size, *size)
        return figure.add_axes((x, y, dx, dy))

    axes = [add_axes(i * body_width, 0.05, body_width, panel_height) for i in range(2)]
    bottom = 0.05 + below + (panel_height - height - below) / 2
    matrix_ax = add_axes(2 * body_width + left, bottom, width, height)
    colorbar_ax = add_axes(2 * body_width + left + width + 0.15, bottom, 0.12, height)
    for ax, scale, points, role in zip(axes, scales, bodies, ('target', 'source')):
        _set_body_limits(ax, limits)
        draw_body(ax, points, scale, linewidth=1.5)
        ax.set_title(f'{role}: {scale.num_joints} nodes', fontsize='medium')
    limit = _color_limit(matrix)
    num_links = len(matrix) if num_links is None else num_links
    for target, source, weight in top_links(matrix, num_links):
        relative = weight / limit
        figure.add_artist(
            ConnectionPatch(
                bodies[0][target],
                bodies[1][source],
                'data',
                axesA=axes[0],
                axesB=axes[1],
                linewidth=0.4 + 1.8 * relative,
                color=LINK_COLORMAP(relative),
                alpha=0.85,
            )
        )
    image = _draw_matrix(
        matrix_ax,
        matrix,
        target_names,
        source_names,
        _color_limit(np.abs(matrix)),
        signed=bool(matrix.min() < 0),
    )
    add_colorbar(figure, image, cax=colorbar_ax)
    return finish_figure(figure, path, title)


def top_links(matrix: np.ndarray, num_links: int) -> list[tuple[int, int, float]]:
    """Returns row, column and value of the largest positive entries in ascending order."""
    check_int('num_links', num_links, 1)
    order = np.argsort(-matrix, axis=None, kind='stable')[:num_links].tolist()
    entries = [(*divmod(k, matrix.shape[1]), float(matrix.flat[k])) for k in order[::-1]]
    return [entry for entry in entries if entry[2] > 0]


# Drawing ######################################################################


def _label_length(names: Sequence[str]) -> float:
    """Returns the space in inches for tick labels with these names and an axis label."""
    return 0.25 + 0.05 * max(map(len, names))


def _color_limit(values: np.ndarray) -> float:
    """Returns the largest value, or 1 if no value is positive."""
    largest = float(values.max())
    return largest if largest > 0 else 1.0


def _draw_matrix(
    ax: Axes,
    matrix: np.ndarray,
    rows: Sequence[str],
    columns: Sequence[str],
    limit: float,
    signed: bool,
) -> ScalarMappable:
    image = ax.imshow(
        matrix,
        cmap='RdBu_r' if signed else WEIGHT_COLORMAP,
        vmin=-limit if signed else 0,
        vmax=limit,
        interpolation='nearest',
    )
    ax.set_xticks(range(len(columns)), columns, fontsize='x-small', rotation=90)
    ax.set_yticks(range(len(rows)), rows, fontsize='x-small')
    ax.tick_params(length=0)
    return image


def _body_panel_size(points: np.ndarray) -> tuple[float, float]:
    """Returns the width and height in inches of the panel for a body."""
    left, right, bottom, top = bounding_box([points])
    aspect = min(1.5, 1.3 * (right - left) / (top - bottom))
    return max(1.2, _BODY_HEIGHT * aspect), _BODY_HEIGHT


def _set_body_limits(ax: Axes, points: np.ndarray) -> None:
    left, right, bottom, top = bounding_box([points])
    margin = 0.05 * max(right - left, top - bottom)
    ax.set_xlim(left - margin, right + margin)
    ax.set_ylim(bottom - margin, top + margin)
    ax.set_aspect('equal')
    ax.set_axis_off()


# Reading ######################################################################


def _read_matrices(adj: ArrayLike, skeleton: Skeleton | None) -> np.ndarray:
    """Returns the adjacency matrices [K, V, V]."""
    matrices = to_array(adj, 'adj', ndim=(2, 3), finite=True)
    matrices = matrices if matrices.ndim == 3 else matrices[None]
    if matrices.shape[1] != matrices.shape[2]:
        raise ValueError(f'adj must be square, got shape {list(matrices.shape[1:])}')
    if skeleton is not None and matrices.shape[1] != skeleton.num_joints:
        raise ValueError(
            f'adj must have the {skeleton.num_joints} joints of {skeleton.name!r} as nodes, '
            f'got {matrices.shape[1]}'
        )
    return matrices


def _read_pose(pose: ArrayLike | None, skeleton: Skeleton) -> np.ndarray:
    joints = to_array(rest_pose(skeleton) if pose is None else pose, 'pose', ndim=(2,), finite=True)
    check_shape(joints, 'pose', (skeleton.num_joints, 'D'))
    check_nodes(joints, 'pose', skeleton)
    return joints
