"""The joints that a model looks at, and the body parts that they attend to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from torch import Tensor

from graphmotion.skeletons import Skeleton, get_skeleton
from graphmotion.visualization._figure import (
    COLORS,
    Axes,
    Figure,
    LineCollection,
    Normalize,
    PathLike,
    ScalarMappable,
    finish,
    to_array,
)
from graphmotion.visualization.adjacency import LINKS, color_bar, strongest
from graphmotion.visualization.body import Poses, View, read_clips
from graphmotion.visualization.pose import check_labels, choose_frames, draw_strips

_GREEN, _GREY = COLORS[2], '0.75'
_POSE_HEIGHT = 2.2  # inches


class _Focus(NamedTuple):
    """What was looked at in a sequence with M bodies."""

    nodes: np.ndarray  # [M, T', K]
    score: np.ndarray  # [M, T', K]
    attention: np.ndarray | None  # [M, T', K, P]
    stride: int


def plot_focal_joints(
    pos: Poses,
    skeleton: str | Skeleton,
    joint_ids: Poses,
    score: Poses,
    joint_to_part: Poses | None = None,
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
    r"""Draw a sequence as a row of poses with the focal joints of each, as Fig. 5 of the `"Focal
    and Global Spatial-Temporal Transformer for Skeleton-based Action Recognition"
    <https://arxiv.org/abs/2210.02693>`_ paper, or several sequences as rows below each other.

    Focal joints are dots, the larger and darker the higher they score; the bar tells the scores.
    Green lines lead from the joints to the centres of the parts that they attend to most; their
    width is the attention, in proportion to the largest in the figure.

    A network that strides in time has focal joints for :math:`T'` of the :math:`T` frames; the
    :math:`i`-th are those of frame :math:`i \lceil T / T' \rceil` and are drawn until the next.

    .. code-block:: python

        _, focal = model(data.x, return_attention=True)  # an FGSTFormer
        plot_focal_joints(data.pos, 'kinect20', focal.joint_ids[0], focal.score[0],
                          focal.joint_to_part[0], path='focal.png')

    Args:
        pos (Tensor or list of Tensor): The sequence, or several, with the frames that the model
            saw. Joints whose position is not finite are not drawn.
        skeleton (str or Skeleton): The skeleton, or the name of a built-in one.
        joint_ids (Tensor or list of Tensor): The focal joints of each sequence.
        score (Tensor or list of Tensor): Their scores.
        joint_to_part (Tensor or list of Tensor, optional): How much each focal joint takes from
            each part; values that are not positive are not drawn. (default: :obj:`None`)
        parts (Tensor, optional): Which joint belongs to which part; by default the first level of
            the skeleton's first hierarchy. (default: :obj:`None`)
        frames (sequence of int, optional): The frames to draw of each sequence. By default
            :obj:`num_poses` at equal distances among those that have focal joints of their own.
            (default: :obj:`None`)
        num_poses (int, optional): The number of poses if :obj:`frames` is not given.
            (default: :obj:`6`)
        num_links (int, optional): The most lines to draw over a body, the strongest first.
            (default: :obj:`6`)
        labels (sequence of str, optional): A label for each sequence. (default: :obj:`None`)
        view (str or tuple, optional): See :func:`project`. (default: :obj:`"front"`)
        up (str, optional): See :func:`project`. (default: :obj:`None`)
        follow (bool, optional): If set to :obj:`False`, a body that travels is drawn where it is,
            smaller. (default: :obj:`True`)
        title (str, optional): The title. (default: :obj:`None`)
        path (str, optional): The file to write; its suffix says the format.
            (default: :obj:`None`)

    Shapes:
        - **pos:** :math:`(M \cdot V, T, D)` with :math:`D \in \{2, 3\}` and :math:`M` bodies
        - **joint_ids**, **score:** :math:`(M, T', K)`, or :math:`(T', K)` for one body
        - **joint_to_part:** :math:`(M, T', K, P)` or :math:`(T', K, P)`
        - **parts:** :math:`(P, V)`, zeros and ones

    Raises:
        ValueError: If a shape does not fit the others, a joint or a frame is not there, or there
            is not one entry for each sequence.
    """
    skeleton = get_skeleton(skeleton)
    clips = read_clips(pos, skeleton, None, view, up, follow)
    several = isinstance(pos, (list, tuple))
    members = None
    if joint_to_part is not None:
        assigned = skeleton.assignment(1) if parts is None else parts
        members = to_array(assigned, 'parts', dims=(2,), finite=True)
        if members.shape[1] != skeleton.num_joints:
            raise ValueError(
                f'parts has the shape {list(members.shape)}, expected [P, {skeleton.num_joints}]'
            )
    focuses = [
        _read_focus(ids, marks, attention, clip.points.shape[:2], skeleton, members)
        for clip, ids, marks, attention in zip(
            clips,
            _split(joint_ids, 'joint_ids', several, len(clips)),
            _split(score, 'score', several, len(clips)),
            _split(joint_to_part, 'joint_to_part', several, len(clips)),
        )
    ]
    chosen = []
    for clip, focus in zip(clips, focuses):
        own = clip.num_frames if frames is not None else focus.nodes.shape[1]
        stride = 1 if frames is not None else focus.stride
        chosen.append([stride * i for i in choose_frames(own, frames, num_poses)])

    shown = [(f, sorted({t // f.stride for t in c})) for f, c in zip(focuses, chosen)]
    scores = np.concatenate([focus.score[:, times].ravel() for focus, times in shown])
    norm = Normalize(scores.min() - (0.01 if np.ptp(scores) == 0 else 0), scores.max())
    most = [f.attention[:, times].max() for f, times in shown if f.attention is not None]
    limit = float(max(most, default=0.0))

    def decorate(ax: Axes, row: int, t: int, points: np.ndarray) -> None:
        focus, seen = focuses[row], clips[row].seen[:, t]
        i = t // focus.stride
        for body in range(len(focus.nodes)):
            first = body * skeleton.num_joints
            own = slice(first, first + skeleton.num_joints)
            nodes = focus.nodes[body, i]
            if focus.attention is not None and members is not None and limit > 0:
                attention = focus.attention[body, i] * seen[nodes][:, None]
                _draw_links(
                    ax, points[nodes], attention, points[own], members * seen[own], num_links, limit
                )
            there = seen[nodes]
            share = norm(focus.score[body, i][there])
            across, high = points[nodes[there]].T
            ax.scatter(
                across,
                high,
                s=14 + 50 * share,
                c=LINKS(share),
                edgecolors='white',
                linewidths=0.5,
                zorder=6,
            )

    strips = list(zip(clips, chosen, check_labels(labels, len(clips))))
    figure = draw_strips({'': strips}, skeleton, bool(title), _POSE_HEIGHT, _GREY, decorate)
    width, height = figure.get_size_inches()
    figure.set_size_inches(width + 0.9, height + (0.3 if limit > 0 else 0))
    color_bar(figure, ScalarMappable(norm, LINKS), np.array(figure.axes), label='score')
    if limit > 0:
        line = LineCollection([], colors=_GREEN, linewidths=_line_width(1.0))
        figure.legend(
            [line],
            [f'attention of a joint to a part: {limit:.2f}'],
            loc='outside lower center',
            fontsize='small',
            frameon=False,
        )
    return finish(figure, path, title)


def _draw_links(
    ax: Axes,
    joints: np.ndarray,
    attention: np.ndarray,
    body: np.ndarray,
    members: np.ndarray,
    num_links: int,
    limit: float,
) -> None:
    """Lines from the focal joints of a body to the centres of its parts."""
    size = members.sum(axis=1, keepdims=True)
    centers = members @ body / np.where(size > 0, size, 1)
    links = strongest(attention * (size.T > 0), num_links)
    ax.add_collection(
        LineCollection(
            [[joints[k], centers[p]] for k, p, _ in links],
            colors=_GREEN,
            linewidths=[_line_width(weight / limit) for *_, weight in links],
            capstyle='round',
            alpha=0.8,
            zorder=4,
        ),
        autolim=False,
    )
    across, high = centers[sorted({p for _, p, _ in links})].T
    ax.scatter(across, high, s=12, c='white', edgecolors=_GREEN, linewidths=1.0, zorder=5)


def _line_width(share: float) -> float:
    return 0.3 + 2.2 * share


# Reading ######################################################################


def _split(values: Poses | None, what: str, several: bool, count: int) -> list:
    """One entry for each sequence."""
    if values is None:
        return [None] * count
    entries = list(values) if several else [values]
    if len(entries) != count:
        raise ValueError(f'{what} has {len(entries)} entries for {count} sequences')
    return entries


def _read_focus(
    joint_ids: Tensor | np.ndarray,
    score: Tensor | np.ndarray,
    joint_to_part: Tensor | np.ndarray | None,
    size: tuple[int, int],
    skeleton: Skeleton,
    members: np.ndarray | None,
) -> _Focus:
    num_bodies, num_frames = size[0] // skeleton.num_joints, size[1]
    ids = to_array(joint_ids, 'joint_ids', dims=(2, 3), finite=True)
    ids = ids if ids.ndim == 3 else ids[None]
    times = ids.shape[1]
    stride = -(-num_frames // times)
    if len(ids) != num_bodies or -(-num_frames // stride) != times:
        raise ValueError(
            f'joint_ids has the shape {list(ids.shape)}, expected those of {num_bodies} bodies in '
            f'{num_frames} frames, or in every second, third, ... of them'
        )
    wrong = ids[(ids != ids.round()) | (ids < 0) | (ids >= skeleton.num_joints)]
    if len(wrong):
        raise ValueError(
            f'joint_ids are joints 0..{skeleton.num_joints - 1} of {skeleton.name!r}, '
            f'got {wrong[0]:g}'
        )
    first = skeleton.num_joints * np.arange(num_bodies)
    scores = _read(score, 'score', ids.shape)
    attention = None
    if joint_to_part is not None and members is not None:
        attention = _read(joint_to_part, 'joint_to_part', (*ids.shape, len(members)))
    return _Focus(ids.astype(int) + first[:, None, None], scores, attention, stride)


def _read(values: Tensor | np.ndarray, what: str, shape: tuple[int, ...]) -> np.ndarray:
    out = to_array(values, what, dims=(len(shape) - 1, len(shape)), finite=True)
    out = out if out.ndim == len(shape) else out[None]
    if out.shape != shape:
        raise ValueError(f'{what} has the shape {list(out.shape)}, expected {list(shape)}')
    return out
