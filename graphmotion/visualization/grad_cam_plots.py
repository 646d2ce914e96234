"""Plots of Grad-CAM maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from graphmotion.skeletons import Skeleton, get_skeleton
from graphmotion.visualization._figure import (
    LINK_COLORMAP,
    NEUTRAL_COLOR,
    Axes,
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
    as_mapping,
    check_names,
    check_shape,
    entry_name,
    to_array,
)
from graphmotion.visualization._strips import Strip, draw_strips, select_frames
from graphmotion.visualization.projection import View, project_sequences

Maps = ArrayLike | Mapping[str, ArrayLike]

_COLORBAR_LABEL = 'relative importance'
_BODY_COLOR = '0.75'
_POSE_HEIGHT = 2.2  # inches
_MAX_PARTS = 6  # into which the rows of a heat map are grouped
_MAX_LABELS = 60


def plot_grad_cam(
    maps: Maps,
    nodes: str | Skeleton | Sequence[str] | None = None,
    title: str | None = None,
    path: PathLike | None = None,
) -> Figure:
    r"""Plots Grad-CAM maps as heat maps over joints and frames.

    The figure follows Fig. 4 of the `"GaitMixer: Skeleton-based Gait Representation Learning via
    Wide-spectrum Multi-axial Mixer" <https://arxiv.org/abs/2210.15491>`_ paper. The maps of several
    models are drawn side by side, each divided by its largest value. The joints of a skeleton with
    a hierarchy are grouped by body part.

    .. code-block:: python

        data = SyntheticGait(skeleton='coco17', num_subjects=1, num_takes=1)[0]
        gcn, mixer = st_gcn('coco17', num_classes=4), gaitmixer('coco17', in_channels=3)
        maps = {
            'ST-GCN': grad_cam(gcn, 'layers.2', data.pos)[0],
            'GaitMixer': grad_cam(mixer, 'temporal.3', data.pos)[0],
        }
        plot_grad_cam(maps, 'coco17')

    Args:
        maps (Tensor or mapping): The map returned by :func:`grad_cam` for one sample, or the maps
            of several models by name.
        nodes (str, Skeleton or sequence of str, optional): The skeleton, the name of a built-in
            one, or the names of the nodes. If set to :obj:`None`, the nodes are numbered.
            (default: :obj:`None`)
        title (str, optional): The title of the figure. (default: :obj:`None`)
        path (str, optional): The file to save the figure to; its suffix sets the format.
            (default: :obj:`None`)

    Shapes:
        - **maps:** :math:`(V, T)`; :math:`T` may differ between models

    Raises:
        ValueError: If the number of nodes differs between maps or does not match :obj:`nodes`, or
            if a map has negative values.
    """
    panels = _read_maps(maps)
    num_nodes = {len(values) for values in panels.values()}
    if len(num_nodes) > 1:
        shapes = {name: list(values.shape) for name, values in panels.items()}
        raise ValueError(f'maps must have the same number of nodes, got shapes {shapes}')
    names, order, parts = _arrange_rows(nodes, num_nodes.pop())
    height = max(1.2, (0.155 if len(names) <= _MAX_LABELS else 0.05) * len(names))
    widths = [min(6.0, max(2.2, 0.045 * values.shape[1])) for values in panels.values()]
    label_width = 0.3 + 0.065 * max(map(len, names)) + (0.3 if parts else 0)
    figure = new_figure(
        sum(widths) + 0.2 * len(widths) + label_width + 0.9, height + (1.1 if title else 0.8)
    )
    axes = figure.subplots(
        1, len(panels), squeeze=False, sharey=True, gridspec_kw={'width_ratios': widths}
    )[0]
    for ax, (name, values) in zip(axes, panels.items()):
        ax.imshow(
            values[order], cmap='inferno', vmin=0, vmax=1, aspect='auto', interpolation='nearest'
        )
        for part in parts[1:]:
            ax.axhline(part.first - 0.5, color='white', linewidth=0.8)
        ax.set_title(name, fontsize='medium')
        ax.set_xlabel('frame')
        ax.tick_params(length=0, labelsize='small')
        ax.spines[:].set_visible(False)
    _label_rows(axes[0], [names[v] for v in order], parts)
    mappable = ScalarMappable(Normalize(0, 1), 'inferno')
    add_colorbar(figure, mappable, axes, label=_COLORBAR_LABEL)
    return finish_figure(figure, path, title)


def plot_grad_cam_on_body(
    maps: Maps,
    pos: ArrayLike,
    skeleton: str | Skeleton,
    frames: Sequence[int] | None = None,
    num_poses: int = 6,
    view: View = 'front',
    up: str | None = None,
    follow: bool = True,
    title: str | None = None,
    path: PathLike | None = None,
) -> Figure:
    r"""Plots Grad-CAM maps over the poses of the sequence, one row for each model.

    Each joint has a dot whose size and colour show its value relative to the largest value of the
    map. Zeros have no dot.

    .. code-block:: python

        data = SyntheticGait(num_subjects=1, num_takes=1)[0]
        maps = grad_cam(st_gcn('emotion_gait16', num_classes=4), 'layers.2', data.pos)
        plot_grad_cam_on_body(maps[0], data.pos, 'emotion_gait16')

    Args:
        maps (Tensor or mapping): The map returned by :func:`grad_cam` for one sample, or the maps
            of several models by name.
        pos (Tensor): The sequence, with the frames that were passed to the model.
        skeleton (str or Skeleton): The skeleton, or the name of a built-in one.
        view (str or tuple, optional): The viewpoint, see :func:`project`.
            (default: :obj:`"front"`)
        frames, num_poses, up, follow, title, path (optional): See :func:`plot_pose_strip`.

    Shapes:
        - **maps:** :math:`(M \cdot V, T)` for :math:`M` bodies
        - **pos:** :math:`(M \cdot V, T, D)` with :math:`D \in \{2, 3\}`

    Raises:
        ValueError: If a shape does not match the skeleton or the sequence, a map has negative
            values, or a frame is out of range.
    """
    skeleton = get_skeleton(skeleton)
    (sequence,) = project_sequences(pos, skeleton, None, view, up, follow)
    panels = _read_maps(maps)
    for name, values in panels.items():
        check_shape(values, entry_name('maps', name), sequence.visible.shape)
    selected = select_frames(sequence.num_frames, frames, num_poses)
    rows = list(panels.values())

    def draw_dots(ax: Axes, row: int, t: int, points: np.ndarray) -> None:
        values = rows[row][:, t] * sequence.visible[:, t]
        order = np.argsort(values)
        order = order[values[order] > 0]
        x, y = points[order].T
        ax.scatter(
            x,
            y,
            s=6 + 70 * values[order],
            c=LINK_COLORMAP(values[order]),
            edgecolors='white',
            linewidths=0.5,
            zorder=6,
        )

    strips = [Strip(sequence, selected, name) for name in panels]
    figure = draw_strips({'': strips}, skeleton, bool(title), _POSE_HEIGHT, _BODY_COLOR, draw_dots)
    width, height = figure.get_size_inches()
    figure.set_size_inches(width + 0.9, height)
    mappable = ScalarMappable(Normalize(0, 1), LINK_COLORMAP)
    add_colorbar(figure, mappable, np.array(figure.axes), label=_COLORBAR_LABEL)
    return finish_figure(figure, path, title)


class _Part(NamedTuple):
    """The rows of a heat map that belong to a body part."""

    name: str
    first: int
    last: int


def _label_rows(ax: Axes, names: Sequence[str], parts: Sequence[_Part]) -> None:
    """Labels the rows, unless there are too many, and the body parts left of them."""
    if len(names) > _MAX_LABELS:
        ax.set_ylabel('node')
        return
    ax.set_yticks(range(len(names)), names, fontsize='x-small')
    if not parts:
        return
    outer = ax.secondary_yaxis(0)
    centers = [(part.first + part.last) / 2 for part in parts]
    labels = [part.name.replace('_', '\n' if part.last - part.first < 3 else ' ') for part in parts]
    outer.set_yticks(centers, labels, fontsize='x-small', rotation=90, va='center', ha='center')
    outer.tick_params(length=0, labelcolor=NEUTRAL_COLOR, pad=12 + 4.6 * max(map(len, names)))
    outer.spines[:].set_visible(False)


def _read_maps(maps: Maps) -> dict[str, np.ndarray]:
    """Returns each map divided by its largest value."""
    out = {}
    for model, values in as_mapping(maps, 'maps').items():
        name = entry_name('maps', model)
        array = to_array(values, name, ndim=(2,), finite=True)
        if array.min() < 0:
            raise ValueError(f'{name} must be non-negative, got a minimum of {array.min():g}')
        largest = array.max()
        out[model] = array / largest if largest > 0 else array
    return out


def _arrange_rows(
    nodes: str | Skeleton | Sequence[str] | None, num_nodes: int
) -> tuple[list[str], list[int], list[_Part]]:
    """Returns node names, the order of nodes from top to bottom, and body parts."""
    if nodes is None:
        return [str(v) for v in range(num_nodes)], list(range(num_nodes)), []
    if not isinstance(nodes, (str, Skeleton)):
        return check_names(nodes, 'nodes', num_nodes), list(range(num_nodes)), []
    skeleton = get_skeleton(nodes)
    if num_nodes % skeleton.num_joints:
        raise ValueError(
            f'maps must have a multiple of {skeleton.num_joints} nodes, the joints of '
            f'{skeleton.name!r}, got {num_nodes}'
        )
    num_bodies = num_nodes // skeleton.num_joints
    groups: list[tuple[str, Sequence[int]]] = [('', range(skeleton.num_joints))]
    if skeleton.hierarchies:
        hierarchy = skeleton.hierarchy()
        coarse = [i for i, size in enumerate(hierarchy.sizes) if i and size <= _MAX_PARTS]
        level = coarse[0] if coarse else hierarchy.num_levels - 1
        groups = list(zip(hierarchy.names(level), hierarchy.members(level)))
    names: list[str] = []
    order: list[int] = []
    parts: list[_Part] = []
    for body in range(num_bodies):
        suffix = f' {body + 1}' if num_bodies > 1 else ''
        names += [name + suffix for name in skeleton.joints]
        for part, members in groups:
            if part:
                parts.append(_Part(part, len(order), len(order) + len(members) - 1))
            order += [body * skeleton.num_joints + v for v in members]
    return names, order, parts
