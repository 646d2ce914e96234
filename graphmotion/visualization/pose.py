"""Skeleton sequences as strips of poses and as animations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from graphmotion.skeletons import Skeleton, get_skeleton
from graphmotion.visualization._figure import (
    NEUTRAL,
    Axes,
    Figure,
    FigureCanvasAgg,
    Image,
    PathLike,
    finish,
    new_figure,
)
from graphmotion.visualization.body import Clip, Poses, View, bounds, draw_body, read_clips

_POSE_HEIGHT = 1.5  # inches
_MAX_WIDTH = 12.0
_GAP = 0.15  # between poses, as a share of their width

# A sequence on paper, the frames to draw of it, and its label.
Strip = tuple[Clip, list[int], str]


def plot_pose_strip(
    pos: Poses,
    skeleton: str | Skeleton,
    frames: Sequence[int] | None = None,
    num_poses: int = 6,
    score: Poses | None = None,
    labels: Sequence[str] | None = None,
    view: View = 'oblique',
    up: str | None = None,
    follow: bool = True,
    title: str | None = None,
    path: PathLike | None = None,
) -> Figure:
    r"""Draw a sequence as a row of poses, or several sequences as rows below each other.

    The body's left side is blue, its right side orange, its trunk grey. All poses have the same
    scale. The numbers below are frames, counted from 0.

    .. code-block:: python

        plot_pose_strip(data.pos, 'emotion_gait16', frames=range(0, 25, 4))
        plot_pose_strip([a.pos, b.pos], 'ntu25', labels=['happy', 'sad'], path='gaits.png')

    Args:
        pos (Tensor or list of Tensor): The sequence, or several, which may differ in length.
        skeleton (str or Skeleton): The skeleton, or the name of a built-in one.
        frames (sequence of int, optional): The frames to draw of each sequence. By default
            :obj:`num_poses` at equal distances from the first to the last.
            (default: :obj:`None`)
        num_poses (int, optional): The number of poses if :obj:`frames` is not given.
            (default: :obj:`6`)
        score (Tensor or list of Tensor, optional): Confidences for each sequence; joints whose
            confidence is 0, or whose position is not finite, are not drawn.
            (default: :obj:`None`)
        labels (sequence of str, optional): A label for each sequence. (default: :obj:`None`)
        view (str or tuple, optional): See :func:`project`. (default: :obj:`"oblique"`)
        up (str, optional): The axis that points up, see :func:`project`. By default :obj:`"y"` in
            three dimensions and :obj:`"-y"` in two. (default: :obj:`None`)
        follow (bool, optional): If set to :obj:`False`, a body that travels is drawn where it is,
            smaller. (default: :obj:`True`)
        title (str, optional): The title. (default: :obj:`None`)
        path (str, optional): The file to write; its suffix says the format.
            (default: :obj:`None`)

    Shapes:
        - **pos:** :math:`(B \cdot V, T, D)` with :math:`D \in \{2, 3\}` and :math:`B` bodies
        - **score:** :math:`(B \cdot V, T)`

    Raises:
        ValueError: If a shape does not fit the skeleton, a frame is not in the sequence, or there
            is not one label for each sequence.
    """
    skeleton = get_skeleton(skeleton)
    clips = read_clips(pos, skeleton, score, view, up, follow)
    chosen = [choose_frames(clip.num_frames, frames, num_poses) for clip in clips]
    strips = list(zip(clips, chosen, check_labels(labels, len(clips))))
    return finish(draw_strips({'': strips}, skeleton, titled=bool(title)), path, title)


def plot_pose_gallery(
    pos: Poses,
    skeleton: str | Skeleton,
    target: torch.Tensor | Sequence[int],
    prediction: torch.Tensor | Sequence[int],
    class_names: Sequence[str],
    num_rows: int = 4,
    num_poses: int = 3,
    score: Poses | None = None,
    view: View = 'oblique',
    up: str | None = None,
    title: str | None = None,
    path: PathLike | None = None,
) -> Figure:
    r"""Draw sequences that were recognised beside sequences that were not, a few poses each.

    The first :obj:`num_rows` of either kind are drawn, in the order given.

    Args:
        pos (list of Tensor): The sequences, which may differ in length.
        skeleton (str or Skeleton): The skeleton, or the name of a built-in one.
        target (Tensor or sequence of int): The class of each sequence.
        prediction (Tensor or sequence of int): The predicted class of each sequence.
        class_names (sequence of str): The names of the classes.
        num_rows (int, optional): The most sequences to draw of each kind. (default: :obj:`4`)
        num_poses (int, optional): The number of poses of each. (default: :obj:`3`)
        score (list of Tensor, optional): Confidences, see :func:`plot_pose_strip`.
            (default: :obj:`None`)
        view (str or tuple, optional): See :func:`project`. (default: :obj:`"oblique"`)
        up (str, optional): See :func:`project`. (default: :obj:`None`)
        title (str, optional): The title. (default: :obj:`None`)
        path (str, optional): The file to write; its suffix says the format.
            (default: :obj:`None`)

    Shapes:
        - **pos:** each :math:`(B \cdot V, T, D)` with :math:`D \in \{2, 3\}`

    Raises:
        ValueError: If a shape does not fit the skeleton, or there is not one class and one
            prediction for each sequence, or one of them has no name.
    """
    if not isinstance(pos, (list, tuple)):
        raise ValueError('pos is a list of sequences, each [V, T, D]')
    wanted, got = (
        [int(label) for label in torch.as_tensor(labels).view(-1)]
        for labels in (target, prediction)
    )
    if not len(pos) == len(wanted) == len(got):
        raise ValueError(
            f'got {len(wanted)} targets and {len(got)} predictions for {len(pos)} sequences'
        )
    outside = [label for label in wanted + got if not 0 <= label < len(class_names)]
    if outside:
        raise ValueError(f'class {outside[0]} has no name among {list(class_names)}')
    right = [i for i in range(len(pos)) if wanted[i] == got[i]][:num_rows]
    wrong = [i for i in range(len(pos)) if wanted[i] != got[i]][:num_rows]
    shown = right + wrong
    clips = read_clips(
        [pos[i] for i in shown],
        skeleton := get_skeleton(skeleton),
        None if score is None else [score[i] for i in shown],
        view,
        up,
        follow=True,
    )
    strips = [
        (
            clip,
            choose_frames(clip.num_frames, None, num_poses),
            class_names[wanted[i]] + ('' if i in right else f'\nas {class_names[got[i]]}'),
        )
        for i, clip in zip(shown, clips)
    ]
    columns = {'recognised': strips[: len(right)], 'mistaken': strips[len(right) :]}
    columns = {heading: below for heading, below in columns.items() if below}
    return finish(draw_strips(columns, skeleton, titled=bool(title)), path, title)


def choose_frames(num_frames: int, frames: Sequence[int] | None, num_poses: int) -> list[int]:
    """The frames asked for, or some at equal distances."""
    if frames is None:
        if num_poses < 1:
            raise ValueError(f'num_poses is at least 1, got {num_poses}')
        return sorted({round(t) for t in np.linspace(0, num_frames - 1, num_poses)})
    chosen = [int(t) for t in frames]
    outside = [t for t in chosen if not 0 <= t < num_frames]
    if outside or not chosen:
        raise ValueError(f'frames are some of 0..{num_frames - 1}, got {outside or "none"}')
    return chosen


def check_labels(labels: Sequence[str] | None, num_sequences: int) -> list[str]:
    """One label for each sequence, empty if there are none."""
    if labels is None:
        return [''] * num_sequences
    labels = [labels] if isinstance(labels, str) else [str(label) for label in labels]
    if len(labels) != num_sequences:
        raise ValueError(f'got {len(labels)} labels for {num_sequences} sequences')
    return labels


def _step(clip: Clip, frames: list[int]) -> float:
    """The least distance at which no pose touches the next, if all stand equally apart."""
    across, seen = clip.points[:, frames, 0], clip.seen[:, frames]
    right = np.where(seen, across, -np.inf).max(axis=0)
    left = np.where(seen, across, np.inf).min(axis=0)
    apart = right[:-1] - left[1:]
    return float(max(apart[np.isfinite(apart)], default=0.0))


def draw_strips(
    columns: dict[str, list[Strip]],
    skeleton: Skeleton,
    titled: bool = False,
    pose_height: float = _POSE_HEIGHT,
    color: str | None = None,
    decorate: Callable[[Axes, int, int, np.ndarray], None] | None = None,
) -> Figure:
    """Columns of strips, each an Axes in which poses stand side by side at one scale.

    ``decorate`` draws more over a pose: it gets the axes, the row, the frame and the points.
    """
    strips = [strip for column in columns.values() for strip in column]
    left, right, bottom, top = bounds(
        [clip.points[:, frames][clip.seen[:, frames]] for clip, frames, _ in strips]
    )
    gap = _GAP * (right - left)
    step = gap + max([_step(clip, frames) for clip, frames, _ in strips])
    most = max(len(frames) for _, frames, _ in strips)
    margin = 0.07 * (top - bottom)
    across, high = step * (most - 1) + right - left + 2 * gap, top - bottom + 2 * margin
    scale = min(pose_height / high, _MAX_WIDTH / (across * len(columns)))
    lines = [line for _, _, label in strips for line in label.split('\n')]
    beside = 0.15 + 0.085 * max(map(len, lines))
    num_rows = max(map(len, columns.values()))
    figure = new_figure(
        max(1.0, (across * scale + beside) * len(columns)),
        num_rows * (high * scale + 0.25) + (0.25 if any(columns) else 0) + (0.3 if titled else 0),
    )
    axes = figure.subplots(num_rows, len(columns), squeeze=False)
    for column, (heading, below) in enumerate(columns.items()):
        axes[0, column].set_title(heading, fontsize='medium')
        for row in range(num_rows):
            if row >= len(below):
                figure.delaxes(axes[row, column])
                continue
            ax, (clip, frames, label) = axes[row, column], below[row]
            for i, t in enumerate(frames):
                points, seen = clip.points[:, t] + [i * step, 0], clip.seen[:, t]
                draw_body(ax, points, skeleton, clip.near[:, t], seen, linewidth=1.8, color=color)
                if decorate is not None:
                    decorate(ax, row, t, points)
            _frame(ax, left - gap, bottom - margin, across, high)
            ax.set_xticks(
                [i * step + (left + right) / 2 for i in range(len(frames))],
                [str(t) for t in frames],
                fontsize='small',
                color=NEUTRAL,
            )
            ax.set_ylabel(label, rotation=0, ha='right', va='center')
    return figure


def _frame(ax: Axes, left: float, bottom: float, width: float, height: float) -> None:
    ax.set_xlim(left, left + width)
    ax.set_ylim(bottom, bottom + height)
    ax.set_aspect('equal')
    ax.tick_params(length=0)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)


def animate_skeleton(
    pos: Poses,
    skeleton: str | Skeleton,
    path: PathLike,
    fps: float = 20,
    score: Poses | None = None,
    labels: Sequence[str] | None = None,
    view: View = 'oblique',
    up: str | None = None,
    follow: bool = False,
    size: float = 2.4,
    title: str | None = None,
) -> Path:
    r"""Write a sequence, or several side by side, as an animated GIF.

    The axes do not move. Of sequences that differ in length the shorter ones start over until the
    longest has ended.

    .. code-block:: python

        animate_skeleton(data.pos, 'emotion_gait16', 'gait.gif', fps=30)

    Args:
        pos (Tensor or list of Tensor): The sequence, or several.
        skeleton (str or Skeleton): The skeleton, or the name of a built-in one.
        path (str): The file to write.
        fps (float, optional): Frames a second, at most 50. GIF counts time in hundredths of a
            second, so that 30 frames a second are played as 33. (default: :obj:`20`)
        score (Tensor or list of Tensor, optional): Confidences for each sequence; joints whose
            confidence is 0, or whose position is not finite, are not drawn.
            (default: :obj:`None`)
        labels (sequence of str, optional): A label for each sequence. (default: :obj:`None`)
        view (str or tuple, optional): See :func:`project`. (default: :obj:`"oblique"`)
        up (str, optional): See :func:`project`. (default: :obj:`None`)
        follow (bool, optional): If set to :obj:`True`, a body that travels stays in the middle.
            (default: :obj:`False`)
        size (float, optional): The height of a body's panel in inches of 100 pixels.
            (default: :obj:`2.4`)
        title (str, optional): The title. (default: :obj:`None`)

    Returns:
        pathlib.Path: The file written.

    Shapes:
        - **pos:** :math:`(B \cdot V, T, D)` with :math:`D \in \{2, 3\}` and :math:`B` bodies
        - **score:** :math:`(B \cdot V, T)`

    Raises:
        ValueError: If a shape does not fit the skeleton, there is not one label for each
            sequence, :obj:`fps` is not between 0 and 50, or the file is not a :obj:`.gif`.
    """
    path = Path(path)
    if path.suffix.lower() != '.gif':
        raise ValueError(f'an animation is written as .gif, got {str(path)!r}')
    if not 0 < fps <= 50:
        raise ValueError(f'fps is above 0 and at most 50, got {fps}')
    skeleton = get_skeleton(skeleton)
    clips = read_clips(pos, skeleton, score, view, up, follow)
    images = _images(clips, skeleton, check_labels(labels, len(clips)), size, title)
    path.parent.mkdir(parents=True, exist_ok=True)
    next(images).save(
        path,
        format='GIF',
        save_all=True,
        append_images=images,
        duration=10 * round(100 / fps),
        loop=0,
        disposal=2,
    )
    return path


def _images(
    clips: list[Clip], skeleton: Skeleton, labels: list[str], size: float, title: str | None
) -> Iterator[Image.Image]:
    left, right, bottom, top = bounds([clip.points[clip.seen] for clip in clips])
    margin = 0.06 * (top - bottom)
    width, height = right - left + 2 * margin, top - bottom + 2 * margin
    figure = new_figure(
        max(1.6, size * min(2.5, width / height)) * len(clips), size + (0.6 if title else 0.3)
    )
    figure.set_dpi(100)
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots(1, len(clips), squeeze=False)[0]
    for ax, label in zip(axes, labels):
        _frame(ax, left - margin, bottom - margin, width, height)
        ax.set_title(label, fontsize='medium')
    finish(figure, None, title)
    num_frames = max(clip.num_frames for clip in clips)
    counter = axes[-1].set_xlabel('', fontsize='small', color=NEUTRAL)
    for t in range(num_frames):
        counter.set_text(f'frame {t}')
        for ax, clip in zip(axes, clips):
            for artist in list(ax.collections):
                artist.remove()
            now = t % clip.num_frames
            draw_body(ax, clip.points[:, now], skeleton, clip.near[:, now], clip.seen[:, now])
        canvas.draw()
        image = Image.frombuffer(
            'RGBA', canvas.get_width_height(), canvas.buffer_rgba(), 'raw', 'RGBA', 0, 1
        )
        yield image.convert('RGB').quantize(64, dither=Image.Dither.NONE)
        figure.set_layout_engine('none')  # settled by the first draw; labels no longer move
