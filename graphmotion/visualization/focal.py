"""Focal joints selected by a model and their attention to body parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from graphmotion.skeletons import Skeleton, get_skeleton
from graphmotion.visualization._figure import (
    COLORS,
    LINK_COLORMAP,
    Axes,
    Figure,
    LineCollection,
    Normalize,
    PathLike,
    ScalarMappable,
    add_colorbar,
    finish_figure,
)
from graphmotion.visualization._inputs import ArrayLike, check_names, check_shape, to_array
from graphmotion.visualization._strips import Strip, draw_strips, select_frames
from graphmotion.visualization.adjacency import top_links
from graphmotion.visualization.projection import Arrays, Poses, View, project_sequences

_LINE_COLOR, _BODY_COLOR = COLORS[2], '0.75'
_POSE_HEIGHT = 2.2  # inches


def plot_focal_joints(
    pos: Poses,
    skeleton: str | Skeleton,
    joint_ids: Arrays,
    score: Arrays,
    joint_to_part: Arrays | None = None,
    parts: Tensor | np.ndarray | None = None,
    frames: Sequence[int] | None = None,
    num_poses: int = 6,
    num_links: int = 6,
    labels: Sequence[str] | None = None,
    view: View = 'front',
    up: str | None = None,
    follow: bool = True,
    title: str | None = None,
    path: PathLike | None = None,
) -> Figure:
    r"""Plots the focal joints of each pose, with one row for each sequence.

    The figure follows Fig. 5 of the `"Focal and Global Spatial-Temporal Transformer for
    Skeleton-based Action Recognition" <https://arxiv.org/abs/2210.02693>`_ paper. Focal joints are
    dots whose size and colour show the score. Green lines connect each focal joint to the centres
    of the parts it attends to most; their width is the attention relative to the largest attention
    in the figure.

    A model with temporal stride selects focal joints for :math:`T'` of the :math:`T` frames. The
    :math:`i`-th selection belongs to frame :math:`i \lceil T / T' \rceil` and is drawn until the
    next one.

    .. code-block:: python

        data = SyntheticActions(num_subjects=1, num_takes=1, views=None)[0]
        model = fg_stformer('kinect20', num_classes=10)
        _, focal = model(data.pos, return_attention=True)
        plot_focal_joints(data.pos, 'kinect20', focal.joint_ids[0], focal.score[0],
                          focal.joint_to_part[0])

    Args:
        pos (Tensor or list of Tensor): The sequence or sequences, with the frames that were passed
            to the model. Joints with a non-finite position are not drawn.
        skeleton (str or Skeleton): The skeleton, or the name of a built-in one.
        joint_ids (Tensor or list of Tensor): The focal joints of each sequence.
        score (Tensor or list of Tensor): The scores of the focal joints.
        joint_to_part (Tensor or list of Tensor, optional): The attention of each focal joint to
            each part; only positive values are drawn. (default: :obj:`None`)
        parts (Tensor, optional): The assignment of joints to parts. If set to :obj:`None`, it is
            the first level of the first hierarchy of the skeleton. (default: :obj:`None`)
        frames (sequence of int, optional): The frames to draw of each sequence. If set to
            :obj:`None`, :obj:`num_poses` evenly spaced frames with their own selection are drawn.
            (default: :obj:`None`)
        num_links (int, optional): The maximum number of lines for each body. (default: :obj:`6`)
        view (str or tuple, optional): The viewpoint, see :func:`project`.
            (default: :obj:`"front"`)
        num_poses, labels, up, follow, title, path (optional): See :func:`plot_pose_strip`.

    Shapes:
        - **pos:** :math:`(M \cdot V, T, D)` with :math:`M` bodies and :math:`D \in \{2, 3\}`
        - **joint_ids**, **score:** :math:`(M, T', K)`, or :math:`(T', K)` for one body
        - **joint_to_part:** :math:`(M, T', K, P)`, or :math:`(T', K, P)` for one body
        - **parts:** :math:`(P, V)`, zeros and ones

    Raises:
        ValueError: If the shapes do not match, a joint or a frame is out of range, or there is not
            one entry for each sequence.
    """
    skeleton = get_skeleton(skeleton)
    sequences = project_sequences(pos, skeleton, None, view, up, follow)
    count = len(sequences)
    is_list = isinstance(pos, (list, tuple))
    members = None
    if joint_to_part is not None:
        members = to_array(
            skeleton.assignment(1) if parts is None else parts, 'parts', ndim=(2,), finite=True
        )
        check_shape(members, 'parts', ('P', skeleton.num_joints))
    selections = [
        _read_selection(ids, scores, attention, sequence.visible.shape, skeleton, members)
        for sequence, ids, scores, attention in zip(
            sequences,
            _as_list(joint_ids, 'joint_ids', is_list, count),
            _as_list(score, 'score', is_list, count),
            _as_list(joint_to_part, 'joint_to_part', is_list, count),
        )
    ]
    strips = []
    for sequence, selection, label in zip(
        sequences, selections, check_names(labels, 'labels', count)
    ):
        if frames is None:
            selected = select_frames(selection.joints.shape[1], None, num_poses)
            selected = [selection.stride * i for i in selected]
        else:
            selected = select_frames(sequence.num_frames, frames, num_poses)
        strips.append(Strip(sequence, selected, label))

    drawn = [
        (selection, sorted({t // selection.stride for t in strip.frames}))
        for selection, strip in zip(selections, strips)
    ]
    scores = np.concatenate([selection.score[:, times].ravel() for selection, times in drawn])
    norm = Normalize(scores.min() - (0.01 if np.ptp(scores) == 0 else 0), scores.max())
    largest = max(
        (s.attention[:, times].max() for s, times in drawn if s.attention is not None), default=0.0
    )
    limit = float(max(largest, 0.0))

    def draw_selection(ax: Axes, row: int, t: int, points: np.ndarray) -> None:
        selection, visible = selections[row], sequences[row].visible[:, t]
        i = t // selection.stride
        for body in range(len(selection.joints)):
            start = body * skeleton.num_joints
            own = slice(start, start + skeleton.num_joints)
            joints = selection.joints[body, i]
            if selection.attention is not None and members is not None and limit > 0:
                attention = selection.attention[body, i] * visible[joints][:, None]
                _draw_links(
                    ax,
                    points[joints],
                    points[own],
                    attention,
                    members * visible[own],
                    num_links,
                    limit,
                )
            shown = joints[visible[joints]]
            relative = norm(selection.score[body, i][visible[joints]])
            x, y = points[shown].T
            ax.scatter(
                x,
                y,
                s=14 + 50 * relative,
                c=LINK_COLORMAP(relative),
                edgecolors='white',
                linewidths=0.5,
                zorder=6,
            )

    figure = draw_strips(
        {'': strips}, skeleton, bool(title), _POSE_HEIGHT, _BODY_COLOR, draw_selection
    )
    width, height = figure.get_size_inches()
    figure.set_size_inches(width + 0.9, height + (0.3 if limit > 0 else 0))
    mappable = ScalarMappable(norm, LINK_COLORMAP)
    add_colorbar(figure, mappable, np.array(figure.axes), label='score')
    if limit > 0:
        figure.legend(
            [LineCollection([], colors=_LINE_COLOR, linewidths=_line_width(1.0))],
            [f'joint-to-part attention: {limit:.2f}'],
            loc='outside lower center',
            fontsize='small',
            frameon=False,
        )
    return finish_figure(figure, path, title)


class _Selection(NamedTuple):
    """The focal joints of a sequence with M bodies."""

    joints: np.ndarray  # [M, T', K], indices of nodes
    score: np.ndarray  # [M, T', K]
    attention: np.ndarray | None  # [M, T', K, P]
    stride: int


def _draw_links(
    ax: Axes,
    joints: np.ndarray,
    body: np.ndarray,
    attention: np.ndarray,
    members: np.ndarray,
    num_links: int,
    limit: float,
) -> None:
    """Draws lines from focal joints [K, 2] of a body [V, 2] to its part centres."""
    size = members.sum(axis=1, keepdims=True)
    centers = members @ body / np.where(size > 0, size, 1)
    links = top_links(attention * (size.T > 0), num_links)
    ax.add_collection(
        LineCollection(
            [[joints[k], centers[p]] for k, p, _ in links],
            colors=_LINE_COLOR,
            linewidths=[_line_width(weight / limit) for *_, weight in links],
            capstyle='round',
            alpha=0.8,
            zorder=4,
        ),
        autolim=False,
    )
    x, y = centers[sorted({p for _, p, _ in links})].T
    ax.scatter(x, y, s=12, c='white', edgecolors=_LINE_COLOR, linewidths=1.0, zorder=5)


def _line_width(relative: float) -> float:
    return 0.3 + 2.2 * relative


# Reading ######################################################################


def _as_list(values: Any, name: str, is_list: bool, count: int) -> list[Any]:
    """Returns one entry for each sequence."""
    if values is None:
        return [None] * count
    entries = list(values) if is_list else [values]
    if len(entries) != count:
        raise ValueError(f'{name} must have length {count}, got {len(entries)}')
    return entries


def _read_selection(
    joint_ids: ArrayLike,
    score: ArrayLike,
    joint_to_part: ArrayLike | None,
    shape: tuple[int, ...],
    skeleton: Skeleton,
    members: np.ndarray | None,
) -> _Selection:
    num_bodies, num_frames = shape[0] // skeleton.num_joints, shape[1]
    ids = to_array(joint_ids, 'joint_ids', ndim=(2, 3), finite=True)
    ids = ids if ids.ndim == 3 else ids[None]
    check_shape(ids, 'joint_ids', (num_bodies, "T'", 'K'))
    num_selections = ids.shape[1]
    stride = -(-num_frames // num_selections)
    if -(-num_frames // stride) != num_selections:
        raise ValueError(
            f'joint_ids must have the {num_frames} frames of pos divided by an integer stride, '
            f'got {num_selections}'
        )
    invalid = ids[(ids != ids.round()) | (ids < 0) | (ids >= skeleton.num_joints)]
    if len(invalid):
        raise ValueError(
            f'joint_ids must be integers in [0, {skeleton.num_joints - 1}], the joints of '
            f'{skeleton.name!r}, got {invalid[0]:g}'
        )
    first_node = skeleton.num_joints * np.arange(num_bodies)
    scores = _read_values(score, 'score', ids.shape)
    attention = None
    if joint_to_part is not None and members is not None:
        attention = _read_values(joint_to_part, 'joint_to_part', (*ids.shape, len(members)))
    return _Selection(ids.astype(int) + first_node[:, None, None], scores, attention, stride)


def _read_values(values: ArrayLike, name: str, shape: tuple[int, ...]) -> np.ndarray:
    out = to_array(values, name, ndim=(len(shape) - 1, len(shape)), finite=True)
    out = out if out.ndim == len(shape) else out[None]
    check_shape(out, name, shape)
    return out
