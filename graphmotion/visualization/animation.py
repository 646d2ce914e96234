"""Animations of motion sequences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from graphmotion.skeletons import Skeleton, get_skeleton
from graphmotion.visualization._figure import (
    NEUTRAL_COLOR,
    FigureCanvasAgg,
    Image,
    PathLike,
    finish_figure,
    new_figure,
)
from graphmotion.visualization._inputs import check_names
from graphmotion.visualization._strips import hide_axes
from graphmotion.visualization.body import draw_body
from graphmotion.visualization.projection import (
    Arrays,
    Poses,
    ProjectedSequence,
    View,
    bounding_box,
    project_sequences,
)

_DPI = 100
_NUM_COLORS = 64
_MAX_FPS = 50  # limit of common GIF players


def animate_skeleton(
    pos: Poses,
    skeleton: str | Skeleton,
    path: PathLike,
    fps: float = 20,
    score: Arrays | None = None,
    labels: Sequence[str] | None = None,
    view: View = 'oblique',
    up: str | None = None,
    follow: bool = False,
    size: float = 2.4,
    title: str | None = None,
) -> Path:
    r"""Saves a sequence, or several sequences side by side, as an animated GIF.

    The axes are fixed over time. Sequences that are shorter than the longest one are repeated.

    .. code-block:: python

        data = SyntheticGait(num_subjects=1, num_takes=1)[0]
        animate_skeleton(data, 'emotion_gait16', 'gait.gif', fps=30)

    Args:
        pos (Tensor, Data or list): The sequence, or several sequences of any lengths; see
            :func:`plot_pose_strip`.
        skeleton (str or Skeleton): The skeleton, or the name of a built-in one.
        path (str): The file to save the animation to.
        fps (float, optional): The number of frames per second, at most 50. GIF stores durations
            in hundredths of a second, so that 30 frames per second play as 33.
            (default: :obj:`20`)
        score, labels, view, up (optional): See :func:`plot_pose_strip`.
        follow (bool, optional): If set to :obj:`True`, horizontal motion of the body is removed.
            (default: :obj:`False`)
        size (float, optional): The height of a panel in inches of 100 pixels.
            (default: :obj:`2.4`)
        title (str, optional): The title of the figure. (default: :obj:`None`)

    Returns:
        pathlib.Path: The path of the saved file.

    Shapes:
        - **pos:** :math:`(B \cdot V, T, D)` with :math:`B` bodies and :math:`D \in \{2, 3\}`
        - **score:** :math:`(B \cdot V, T)`

    Raises:
        ValueError: If a shape does not match the skeleton, there is not one label for each
            sequence, :obj:`fps` is not in :math:`(0, 50]`, or the suffix is not :obj:`.gif`.
    """
    path = Path(path)
    if path.suffix.lower() != '.gif':
        raise ValueError(f'path must end in .gif, got {str(path)!r}')
    if not 0 < fps <= _MAX_FPS:
        raise ValueError(f'fps must be positive and at most {_MAX_FPS}, got {fps}')
    skeleton = get_skeleton(skeleton)
    sequences = project_sequences(pos, skeleton, score, view, up, follow)
    labels = check_names(labels, 'labels', len(sequences))
    images = _render_frames(sequences, skeleton, labels, size, title)
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


def _render_frames(
    sequences: list[ProjectedSequence],
    skeleton: Skeleton,
    labels: list[str],
    size: float,
    title: str | None,
) -> Iterator[Image.Image]:
    left, right, bottom, top = bounding_box([s.points[s.visible] for s in sequences])
    margin = 0.06 * (top - bottom)
    width, height = right - left + 2 * margin, top - bottom + 2 * margin
    figure = new_figure(
        max(1.6, size * min(2.5, width / height)) * len(sequences), size + (0.6 if title else 0.3)
    )
    figure.set_dpi(_DPI)
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots(1, len(sequences), squeeze=False)[0]
    for ax, label in zip(axes, labels):
        hide_axes(ax, left - margin, bottom - margin, width, height)
        ax.set_title(label, fontsize='medium')
    finish_figure(figure, None, title)
    counter = axes[-1].set_xlabel('', fontsize='small', color=NEUTRAL_COLOR)
    for t in range(max(sequence.num_frames for sequence in sequences)):
        counter.set_text(f'frame {t}')
        for ax, sequence in zip(axes, sequences):
            for artist in list(ax.collections):
                artist.remove()
            now = t % sequence.num_frames
            draw_body(
                ax,
                sequence.points[:, now],
                skeleton,
                sequence.nearness[:, now],
                sequence.visible[:, now],
            )
        canvas.draw()
        image = Image.frombuffer(
            'RGBA', canvas.get_width_height(), canvas.buffer_rgba(), 'raw', 'RGBA', 0, 1
        )
        yield image.convert('RGB').quantize(_NUM_COLORS, dither=Image.Dither.NONE)
        # The first draw settles the layout; later ones must not move the axes.
        figure.set_layout_engine('none')
