"""Recognition by nearest neighbours: accuracy by view, by rank, and what was found."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphmotion.metrics import GalleryProbeScores, Retrieval
from graphmotion.skeletons import Skeleton, get_skeleton
from graphmotion.visualization._figure import (
    COLORS,
    NEUTRAL,
    Axes,
    Figure,
    MaxNLocator,
    PathLike,
    ScaledTranslation,
    finish,
    new_figure,
    to_array,
)
from graphmotion.visualization.body import View, bounds, draw_body, read_clips

Scores = GalleryProbeScores | Mapping[str, GalleryProbeScores]

_PROBE, _CORRECT, _WRONG = '0.35', COLORS[2], COLORS[1]
_MARKERS = 'os^Dv*P'
_CELL = 1.25  # inches, the longer side of a sample
_MAX_WIDTH = 12.0

# Panels by name, and in each the curves by name: numbers over views or ranks.
Panels = dict[str, dict[str, np.ndarray]]


def plot_rank_by_view(
    scores: Scores,
    rank: int = 1,
    kind: str = 'line',
    left_out_are_wrong: bool = False,
    title: str | None = None,
    path: PathLike | None = None,
) -> Figure:
    r"""Draw the rank-:math:`k` accuracy of each probe view, its mean over the gallery views.

    Of one run all sets of probes are drawn together, of several runs each set in a panel of its
    own. The legend tells the mean over the views. Axes do not begin at 0 but below the least
    accuracy, the same in all panels.

    .. code-block:: python

        plot_rank_by_view(scores, kind='polar', path='views.png')
        plot_rank_by_view({'ST-GCN': baseline, 'GaitMixer': scores})

    Args:
        scores (GalleryProbeScores or dict): The scores, or those of several runs by name.
        rank (int, optional): The rank :math:`k`. (default: :obj:`1`)
        kind (str, optional): :obj:`"line"`, or :obj:`"polar"`, where the walker is in the middle
            and walks towards 0. (default: :obj:`"line"`)
        left_out_are_wrong (bool, optional): See
            :class:`~graphmotion.metrics.GalleryProbeScores`. (default: :obj:`False`)
        title (str, optional): The title. (default: :obj:`None`)
        path (str, optional): The file to write; its suffix says the format.
            (default: :obj:`None`)

    Raises:
        ValueError: If there are no scores, they have no views or different ones or different sets
            of probes, or the rank or the kind is unknown.
    """
    if kind not in ('line', 'polar'):
        raise ValueError(f"kind is 'line' or 'polar', got {kind!r}")
    runs = _read_runs(scores, 'probe_views')
    views = next(iter(runs.values())).probe_views
    if not views:
        raise ValueError('the scores have no views: their protocol has one gallery')
    rates = {name: run.view_accuracy(rank, left_out_are_wrong) for name, run in runs.items()}
    panels = _arrange(runs, rates)
    every = np.concatenate([c for curves in panels.values() for c in curves.values()])
    least = np.nanmin(every, initial=100)
    floor = 10 * math.floor(max(0, least - 5) / 10)

    polar = kind == 'polar'
    half = polar and min(views) >= 0 and max(views) <= 180
    legend = 0.2 * len(next(iter(panels.values())))  # inches
    width = 4.2 if not polar else 2.6 if half and len(panels) > 1 else 3.6
    figure = new_figure(width * len(panels), (3.6 if polar else 3.1) + legend)
    for i, (name, curves) in enumerate(panels.items()):
        ax = figure.add_subplot(1, len(panels), i + 1, projection='polar' if polar else None)
        angles = np.deg2rad(views) if polar else np.array(views, dtype=np.float64)
        for style, (label, curve) in zip(_styles(), curves.items()):
            mean = np.nanmean(curve) if np.isfinite(curve).any() else math.nan
            label = f'{label} ({mean:.1f})'
            ax.plot(*_broken(angles, curve), label=label, clip_on=False, **style)
        ax.set_ylim(floor, 100)
        if polar:
            _polar_axes(ax, views, half)
        else:
            ax.set_xticks(views, [f'{view}°' for view in views], fontsize='small')
            if len(views) > 8:
                ax.tick_params(axis='x', rotation=45)
            ax.set_xlabel('view of the probe')
            _plain_axes(ax, f'rank-{rank} accuracy, %' if i == 0 else '')
        ax.set_title(name, fontsize='medium')
        _legend_below(ax, 0.25 if polar else 0.55 if len(views) > 8 else 0.45)
    if polar and not title:
        title = f'rank-{rank} accuracy by view of the probe, %'
    return finish(figure, path, title)


def plot_cmc(
    scores: Scores,
    max_rank: int = 20,
    title: str | None = None,
    path: PathLike | None = None,
) -> Figure:
    r"""Draw the cumulative match characteristic: the share of the probes that have a true match
    among their :math:`k` nearest, of a gallery of all views, over :math:`k`.

    Of one run all sets of probes are drawn together, of several runs each set in a panel of its
    own. The legend tells the mean average precision.

    Args:
        scores (GalleryProbeScores or dict): The scores, or those of several runs by name.
        max_rank (int, optional): The last rank. (default: :obj:`20`)
        title (str, optional): The title. (default: :obj:`None`)
        path (str, optional): The file to write; its suffix says the format.
            (default: :obj:`None`)

    Raises:
        ValueError: If there are no scores, they have different sets of probes, or not that many
            ranks.
    """
    runs = _read_runs(scores)
    most = min(run.cmc.size(1) for run in runs.values())
    if not 2 <= max_rank <= most:
        raise ValueError(f'max_rank is between 2 and {most}, got {max_rank}')
    panels = _arrange(runs, {name: run.cmc[:, :max_rank] for name, run in runs.items()})
    precision = _arrange(
        runs, {name: run.mean_average_precision.unsqueeze(1) for name, run in runs.items()}
    )
    legend = 0.2 * len(next(iter(panels.values())))  # inches
    figure = new_figure(3.8 * len(panels), 3.0 + legend)
    axes = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    ranks = np.arange(1, max_rank + 1)
    for i, (ax, (name, curves)) in enumerate(zip(axes, panels.items())):
        for style, (label, curve) in zip(_styles(), curves.items()):
            text = f'{label} (mAP {precision[name][label].item():.1f})'
            ax.plot(ranks, curve, label=text, **{**style, 'markersize': 3})
        ax.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10], integer=True))
        ax.set_xlim(0.5, max_rank + 0.5)
        ax.set_xlabel('rank')
        ax.set_title(name, fontsize='medium')
        _plain_axes(ax, 'probes recognised, %' if i == 0 else '')
        _legend_below(ax, 0.45)
    return finish(figure, path, title)


def plot_retrieval(
    samples: Any,
    retrieval: Retrieval,
    skeleton: str | Skeleton | None = None,
    captions: Sequence[str] | Mapping[int, str] | None = None,
    num_rows: int = 5,
    num_poses: int = 1,
    view: View = 'oblique',
    up: str | None = None,
    title: str | None = None,
    path: PathLike | None = None,
) -> Figure:
    r"""Draw probes, each with the gallery samples nearest to it, in order.

    Those of the probe's subject have a solid green frame and a tick, the others a dashed red one
    and a cross. Below stands the distance.

    .. code-block:: python

        found = retrieve(embedding, test, CASIA_B_LT, probes=[3, 17, 40], k=6)
        plot_retrieval(test, found, skeleton='coco17', path='retrieval.png')
        plot_retrieval(silhouettes, found)  # a list or tensor of images or clips

    Args:
        samples (dataset, sequence or dict): For each position its sample: a :obj:`Data` with
            :obj:`pos` (and maybe :obj:`score`), :obj:`silhouettes` or :obj:`image`, or one of
            these as a tensor.
        retrieval (Retrieval): What was found.
        skeleton (str or Skeleton, optional): The skeleton, if samples are to be drawn as poses; by
            default they are images. (default: :obj:`None`)
        captions (sequence or dict of str, optional): For each position what is written below.
            (default: :obj:`None`)
        num_rows (int, optional): The most probes to draw, the first ones. (default: :obj:`5`)
        num_poses (int, optional): The number of frames to draw of each sample, in equal parts of
            its time; of 1, the middle. (default: :obj:`1`)
        view (str or tuple, optional): See :func:`project`. (default: :obj:`"oblique"`)
        up (str, optional): See :func:`project`. (default: :obj:`None`)
        title (str, optional): The title. (default: :obj:`None`)
        path (str, optional): The file to write; its suffix says the format.
            (default: :obj:`None`)

    Shapes:
        - **poses:** :math:`(V, T, D)` with :math:`D \in \{2, 3\}`
        - **images:** :math:`(H, W)` or :math:`(H, W, 3)`, bytes or shares of white
        - **clips:** :math:`(T, H, W)` or :math:`(1, T, H, W)`

    Raises:
        ValueError: If there is no probe, a sample or caption is missing, or has a shape that cannot
            be drawn.
    """
    if len(retrieval.probes) == 0 or num_rows < 1 or num_poses < 1:
        raise ValueError(
            f'there has to be a probe, a row and a pose to draw, got {len(retrieval.probes)}, '
            f'{num_rows} and {num_poses}'
        )
    probes = retrieval.probes[:num_rows]
    rows = torch.cat([probes.unsqueeze(1), retrieval.nearest[:num_rows]], dim=1).tolist()
    shown = sorted({position for row in rows for position in row if position >= 0})
    if skeleton is None:
        draw, shape = _images(samples, shown, num_poses)
    else:
        draw, shape = _poses(samples, shown, num_poses, get_skeleton(skeleton), view, up)

    num_columns = len(rows[0])
    gap = 0.25  # between the probe and what was found, as a share of a cell
    scale = _CELL / max(shape[0], shape[1] / num_poses)
    scale = min(scale, _MAX_WIDTH / (shape[1] * (num_columns + gap)))
    height, width = shape[0] * scale, shape[1] * scale
    letters = max(4, int((width + 0.06) / 0.07))  # that fit below
    below = {}
    if captions is not None:
        for i in shown:
            caption = str(_item(captions, i, 'caption'))
            below[i] = textwrap.wrap(caption, letters, break_long_words=False)
    num_lines = 1 + max(map(len, below.values()), default=0)
    figure = new_figure(
        (num_columns + gap) * (width + 0.1) + 0.1,
        len(rows) * (height + 0.1 + 0.17 * num_lines) + 0.35 + (0.3 if title else 0),
    )
    grid = figure.add_gridspec(
        len(rows), num_columns + 1, width_ratios=[1, gap, *[1] * (num_columns - 1)]
    )
    for i, row in enumerate(rows):
        for j, position in enumerate(row):
            if position < 0:
                continue
            ax = figure.add_subplot(grid[i, j + (j > 0)])
            draw(ax, position)
            lines_below = list(below.get(position, ()))
            if j == 0:
                _frame(ax, None)
            else:
                _frame(ax, bool(retrieval.correct[i, j - 1]))
                lines_below.append(f'{float(retrieval.distance[i, j - 1]):.3g}')
            ax.set_xlabel('\n'.join(lines_below), fontsize='small', color=NEUTRAL, labelpad=3)
            if i == 0:
                ax.set_title('probe' if j == 0 else f'{j}', fontsize='medium')
    return finish(figure, path, title)


# Curves #######################################################################


def _read_runs(scores: Scores, *same: str) -> dict[str, GalleryProbeScores]:
    """Runs by name, which have the same sets of probes."""
    runs = {'': scores} if isinstance(scores, GalleryProbeScores) else dict(scores)
    if not runs:
        raise ValueError('there are no scores to draw')
    first = next(iter(runs.values()))
    for name, run in runs.items():
        for field in ('probe_sets', *same):
            if getattr(run, field) != getattr(first, field):
                raise ValueError(
                    f'{name!r} has the {field} {getattr(run, field)}, '
                    f'expected {getattr(first, field)}'
                )
    return runs


def _arrange(runs: Mapping[str, GalleryProbeScores], values: Mapping[str, Tensor]) -> Panels:
    """Sets of probes together for one run, else apart; in per cent."""
    probe_sets = next(iter(runs.values())).probe_sets
    curves = {name: 100 * v.numpy() for name, v in values.items()}
    if len(runs) == 1:
        ((name, rows),) = curves.items()
        return {name: dict(zip(probe_sets, rows))}
    return {s: {name: rows[i] for name, rows in curves.items()} for i, s in enumerate(probe_sets)}


def _styles() -> list[dict[str, Any]]:
    """Colours and markers, and dashes once they are used up."""
    return [
        {
            'color': color,
            'marker': marker,
            'linestyle': line,
            'linewidth': 1.4,
            'markersize': 4.5,
        }
        for line in ('-', '--', ':')
        for color, marker in zip(COLORS, _MARKERS)
    ]


def _broken(views: np.ndarray, curve: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The curve without a line where views are missing: steps over twice the usual."""
    steps = np.diff(views)
    usual = np.median(steps) if len(steps) else 0
    breaks = np.flatnonzero(steps > 2 * usual) + 1
    return np.insert(views, breaks, np.nan), np.insert(curve, breaks, np.nan)


def _plain_axes(ax: Axes, label: str) -> None:
    ax.set_ylabel(label)
    ax.grid(color='0.9', linewidth=0.6)
    ax.set_axisbelow(True)
    ax.spines[['top', 'right']].set_visible(False)


def _polar_axes(ax: Any, views: Sequence[int], half: bool) -> None:
    # From above: the walker goes down the page, and its left side, where SyntheticGait has view
    # 90, is to the right.
    ax.set_theta_zero_location('S')
    ax.set_theta_direction(1)
    ax.set_xticks(np.deg2rad(views), [f'{view}°' for view in views], fontsize='x-small')
    if half:
        ax.set_thetamin(0)
        ax.set_thetamax(180)
    else:
        # Numbers stand where there are no views.
        around = [*sorted(views), min(views) + 360]
        widest = int(np.argmax(np.diff(around)))
        ax.set_rlabel_position((around[widest] + around[widest + 1]) / 2)
    ax.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    ax.tick_params(axis='y', labelsize='x-small', labelcolor=NEUTRAL)
    ax.grid(color='0.85', linewidth=0.6)
    ax.spines[:].set_color('0.7')


def _legend_below(ax: Axes, distance: float) -> None:
    """The legend where no curve is, this many inches below the axes."""
    down = ScaledTranslation(0, -distance, ax.figure.dpi_scale_trans)
    ax.legend(
        frameon=False,
        fontsize='small',
        loc='upper center',
        bbox_to_anchor=(0.5, 0),
        bbox_transform=ax.transAxes + down,
        borderaxespad=0,
    )


# Strips #######################################################################

# Draws the sample at a position into axes.
Draw = Callable[[Axes, int], None]


def _item(values: Any, position: int, what: str) -> Any:
    try:
        return values[position]
    except (IndexError, KeyError):
        raise ValueError(f'there is no {what} at position {position}') from None


def _field(samples: Any, position: int, names: Sequence[str]) -> Any:
    """A sample's tensor: itself, or the first of these fields that it has."""
    sample = _item(samples, position, 'sample')
    if isinstance(sample, (Tensor, np.ndarray)):
        return sample
    for name in names:
        if name in sample:
            return sample[name]
    raise ValueError(f'the sample at position {position} has none of the fields {list(names)}')


def _middles(num_frames: int, number: int) -> list[int]:
    """The middle frames of equal parts of a sequence."""
    return [int((i + 0.5) * num_frames / number) for i in range(number)]


def _images(
    samples: Any, positions: Sequence[int], num_poses: int
) -> tuple[Draw, tuple[float, float]]:
    """How to draw images, and the height and width of the largest."""
    images = {}
    for position in positions:
        what = f'the sample at position {position}'
        values = to_array(_field(samples, position, ('silhouettes', 'image')), what, (2, 3, 4))
        if values.ndim == 4:
            if len(values) != 1:
                raise ValueError(
                    f'{what} has the shape {list(values.shape)}, expected [1, T, H, W]'
                )
            values = values[0]
        if values.ndim == 3 and values.shape[-1] != 3:
            values = np.concatenate(values[_middles(len(values), num_poses)], axis=1)
        images[position] = values / (255 if values.max() > 1 else 1)

    def draw(ax: Axes, position: int) -> None:
        ax.imshow(images[position], cmap='gray', vmin=0, vmax=1, interpolation='nearest')

    height, width = np.max([image.shape[:2] for image in images.values()], axis=0)
    return draw, (float(height), float(width))


def _poses(
    samples: Any,
    positions: Sequence[int],
    num_poses: int,
    skeleton: Skeleton,
    view: View,
    up: str | None,
) -> tuple[Draw, tuple[float, float]]:
    """How to draw poses, and the height and width that all fit in."""
    poses = {}
    for position in positions:
        pos = _field(samples, position, ('pos',))
        sample = samples[position]
        score = sample['score'] if not hasattr(sample, 'shape') and 'score' in sample else None
        try:
            (clip,) = read_clips(pos, skeleton, score, view, up, follow=True)
        except ValueError as error:
            raise ValueError(f'the sample at position {position}: {error}') from None
        frames = _middles(clip.num_frames, num_poses)
        points, near, seen = (t[:, frames] for t in (clip.points, clip.near, clip.seen))
        left, right, bottom, top = bounds([points[seen]])
        # Bodies stand in the middle of their cells, wherever they were.
        points = points - [(left + right) / 2, (bottom + top) / 2]
        poses[position] = points, near, seen, (top - bottom, right - left)
    height, width = 1.12 * np.max([size for *_, size in poses.values()], axis=0)
    if num_poses == 1:
        width = max(width, 0.62 * height)  # with room for words below

    def draw(ax: Axes, position: int) -> None:
        points, near, seen, _ = poses[position]
        for i in range(num_poses):
            shifted = points[:, i] + [i * width, 0]
            draw_body(ax, shifted, skeleton, near[:, i], seen[:, i], linewidth=1.8)
        ax.set_xlim(-width / 2, (num_poses - 0.5) * width)
        ax.set_ylim(-height / 2, height / 2)
        ax.set_aspect('equal')

    return draw, (height, width * num_poses)


def _frame(ax: Axes, correct: bool | None) -> None:
    """The frame of a probe, or of what was found, with a sign."""
    color = _PROBE if correct is None else _CORRECT if correct else _WRONG
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set(
        visible=True,
        color=color,
        linewidth=1.0 if correct is None else 2.2,
        linestyle=(0, (3, 2)) if correct is False else '-',
        zorder=5,
    )
    if correct is not None:
        ax.annotate(
            '✓' if correct else '✗',
            (1, 1),
            xycoords='axes fraction',
            xytext=(-2.5, -2.5),
            textcoords='offset points',
            ha='right',
            va='top',
            color='white',
            fontsize='small',
            fontweight='bold',
            zorder=6,
            bbox={'boxstyle': 'square,pad=0.3', 'facecolor': color, 'linewidth': 0},
        )
