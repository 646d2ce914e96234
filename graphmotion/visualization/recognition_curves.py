"""Recognition accuracy by view and by rank."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from graphmotion.metrics import GalleryProbeScores
from graphmotion.visualization._figure import (
    COLORS,
    LEGEND_LINE,
    NEUTRAL_COLOR,
    Figure,
    MaxNLocator,
    PathLike,
    add_legend_below,
    finish_figure,
    new_figure,
    style_axes,
)
from graphmotion.visualization._inputs import as_mapping, entry_name

Scores = GalleryProbeScores | Mapping[str, GalleryProbeScores]

_MARKERS = 'os^Dv*P'
_MAX_COLUMNS = 4  # panels in a row of cumulative curves

# Percentages over views or ranks, by panel and by curve.
_Panels = dict[str, dict[str, np.ndarray]]


def plot_rank_by_view(
    scores: Scores,
    rank: int = 1,
    kind: str = 'line',
    left_out_are_wrong: bool = False,
    title: str | None = None,
    path: PathLike | None = None,
) -> Figure:
    r"""Plots the rank-:math:`k` accuracy by probe view, averaged over gallery views.

    The probe sets of a single run share one panel. Several runs have one panel for each probe set.
    The legend shows the mean over the views. The accuracy axis starts below the lowest accuracy
    and is the same in all panels.

    .. code-block:: python

        dataset = SyntheticGait.casia_b(num_subjects=5, num_frames=8, views=[0, 45, 90])
        protocol = replace(CASIA_B_LT, train_subjects=0)
        embedding = torch.randn(len(dataset), 16) + 2 * torch.eye(16)[dataset.labels('subject')]

        scores = gallery_probe(embedding, dataset, protocol)
        plot_rank_by_view(scores)

    Args:
        scores (GalleryProbeScores or dict): The scores, or the scores of several runs by name.
        rank (int, optional): The rank :math:`k`. (default: :obj:`1`)
        kind (str, optional): The kind of plot: :obj:`"line"`, or :obj:`"polar"`, where the walker
            is at the centre and walks towards 0 degrees. (default: :obj:`"line"`)
        left_out_are_wrong (bool, optional): See
            :class:`~graphmotion.metrics.GalleryProbeScores`. (default: :obj:`False`)
        title (str, optional): The title of the figure. (default: :obj:`None`)
        path (str, optional): The file to save the figure to; its suffix sets the format.
            (default: :obj:`None`)

    Raises:
        ValueError: If there are no scores, the scores have no views, the views or probe sets
            differ between runs, or :obj:`rank` or :obj:`kind` is unknown.
    """
    if kind not in ('line', 'polar'):
        raise ValueError(f"kind must be 'line' or 'polar', got {kind!r}")
    runs = _read_runs(scores, 'probe_sets', 'probe_views')
    views = next(iter(runs.values())).probe_views
    if not views:
        raise ValueError('scores must have probe views, got scores of a single gallery')
    rates = {name: run.view_accuracy(rank, left_out_are_wrong) for name, run in runs.items()}
    panels = _arrange_panels(runs, rates)
    values = np.concatenate([c for curves in panels.values() for c in curves.values()])
    floor = 10 * math.floor(max(0, np.nanmin(values, initial=100) - 5) / 10)

    polar = kind == 'polar'
    half = polar and min(views) >= 0 and max(views) <= 180
    num_curves = len(next(iter(panels.values())))
    width = 4.2 if not polar else 2.6 if half and len(panels) > 1 else 3.6
    figure = new_figure(width * len(panels), (3.6 if polar else 3.1) + LEGEND_LINE * num_curves)
    x = np.deg2rad(views) if polar else np.array(views, dtype=np.float64)
    for i, (panel, curves) in enumerate(panels.items()):
        ax = figure.add_subplot(1, len(panels), i + 1, projection='polar' if polar else None)
        for style, (name, curve) in zip(_curve_styles(), curves.items()):
            mean = np.nanmean(curve) if np.isfinite(curve).any() else math.nan
            ax.plot(*_break_at_gaps(x, curve), label=f'{name} ({mean:.1f})', clip_on=False, **style)
        ax.set_ylim(floor, 100)
        if polar:
            _style_polar_axes(ax, views, half)
        else:
            ax.set_xticks(views, [f'{view}°' for view in views], fontsize='small')
            if len(views) > 8:
                ax.tick_params(axis='x', rotation=45)
            ax.set_xlabel('probe view')
            ax.set_ylabel(f'rank-{rank} accuracy (%)' if i == 0 else '')
            style_axes(ax)
        ax.set_title(panel, fontsize='medium')
        add_legend_below(ax, 0.25 if polar else 0.55 if len(views) > 8 else 0.45)
    if polar and not title:
        title = f'rank-{rank} accuracy by probe view (%)'
    return finish_figure(figure, path, title)


def plot_cmc(
    scores: Scores,
    max_rank: int = 20,
    title: str | None = None,
    path: PathLike | None = None,
) -> Figure:
    r"""Plots the cumulative match characteristic (CMC).

    The curve shows the percentage of probes that have a true match among their :math:`k` nearest
    samples, in a gallery of all views, over :math:`k`. The probe sets of a single run share one
    panel. Several runs have one panel for each probe set. The legend shows the mean average
    precision.

    .. code-block:: python

        dataset = SyntheticGait.casia_b(num_subjects=5, num_frames=8, views=[0, 45, 90])
        protocol = replace(CASIA_B_LT, train_subjects=0)
        embedding = torch.randn(len(dataset), 16) + 2 * torch.eye(16)[dataset.labels('subject')]

        scores = gallery_probe(embedding, dataset, protocol)
        plot_cmc(scores)

    Args:
        scores (GalleryProbeScores or dict): The scores, or the scores of several runs by name.
        max_rank (int, optional): The largest rank. (default: :obj:`20`)
        title (str, optional): The title of the figure. (default: :obj:`None`)
        path (str, optional): The file to save the figure to; its suffix sets the format.
            (default: :obj:`None`)

    Raises:
        ValueError: If there are no scores, the probe sets differ between runs, or the scores do
            not have :obj:`max_rank` ranks.
    """
    runs = _read_runs(scores, 'probe_sets')
    num_ranks = min(run.cmc.size(1) for run in runs.values())
    if not 2 <= max_rank <= num_ranks:
        raise ValueError(f'max_rank must be in [2, {num_ranks}], got {max_rank}')
    panels = _arrange_panels(runs, {name: run.cmc[:, :max_rank] for name, run in runs.items()})
    precision = _arrange_panels(
        runs, {name: run.mean_average_precision.unsqueeze(1) for name, run in runs.items()}
    )
    num_curves = len(next(iter(panels.values())))
    num_columns = min(len(panels), _MAX_COLUMNS)
    num_rows = math.ceil(len(panels) / num_columns)
    figure = new_figure(3.8 * num_columns, num_rows * (3.0 + LEGEND_LINE * num_curves))
    axes = figure.subplots(num_rows, num_columns, squeeze=False, sharey=True).flatten()
    for ax in axes[len(panels) :]:
        ax.remove()
    ranks = np.arange(1, max_rank + 1)
    for i, (ax, (panel, curves)) in enumerate(zip(axes, panels.items())):
        for style, (name, curve) in zip(_curve_styles(), curves.items()):
            label = f'{name} (mAP {precision[panel][name].item():.1f})'
            ax.plot(ranks, curve, label=label, **{**style, 'markersize': 3})
        ax.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10], integer=True))
        ax.set_xlim(0.5, max_rank + 0.5)
        ax.set_xlabel('rank')
        ax.set_ylabel('identification rate (%)' if i % num_columns == 0 else '')
        ax.set_title(panel, fontsize='medium')
        style_axes(ax)
        add_legend_below(ax, 0.45)
    return finish_figure(figure, path, title)


def _read_runs(scores: Scores, *fields: str) -> dict[str, GalleryProbeScores]:
    """Returns the runs by name; raises if they differ in one of the fields."""
    runs = as_mapping(scores, 'scores')
    first = next(iter(runs.values()))
    for name, run in runs.items():
        for field in fields:
            if getattr(run, field) != getattr(first, field):
                raise ValueError(
                    f'{entry_name("scores", name)} must have the {field} {getattr(first, field)} '
                    f'of the first run, got {getattr(run, field)}'
                )
    return runs


def _arrange_panels(
    runs: Mapping[str, GalleryProbeScores], values: Mapping[str, Tensor]
) -> _Panels:
    """Groups curves in percent into one panel, or one per probe set for several runs."""
    probe_sets = next(iter(runs.values())).probe_sets
    curves = {name: 100 * v.numpy() for name, v in values.items()}
    if len(runs) == 1:
        ((name, rows),) = curves.items()
        return {name: dict(zip(probe_sets, rows))}
    return {s: {name: rows[i] for name, rows in curves.items()} for i, s in enumerate(probe_sets)}


def _curve_styles() -> list[dict[str, Any]]:
    """Returns line styles that differ in colour and marker, then in dashes."""
    return [
        {
            'color': color,
            'marker': marker,
            'linestyle': linestyle,
            'linewidth': 1.4,
            'markersize': 4.5,
        }
        for linestyle in ('-', '--', ':')
        for color, marker in zip(COLORS, _MARKERS)
    ]


def _break_at_gaps(views: np.ndarray, curve: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Inserts NaN where the step between views is more than twice the median step."""
    steps = np.diff(views)
    median = np.median(steps) if len(steps) else 0
    gaps = np.flatnonzero(steps > 2 * median) + 1
    return np.insert(views, gaps, np.nan), np.insert(curve, gaps, np.nan)


def _style_polar_axes(ax: Any, views: Sequence[int], half: bool) -> None:
    # A view from above: the walker moves down the page, with its left side, which is at view 90
    # in SyntheticGait, on the right.
    ax.set_theta_zero_location('S')
    ax.set_theta_direction(1)
    ax.set_xticks(np.deg2rad(views), [f'{view}°' for view in views], fontsize='x-small')
    if half:
        ax.set_thetamin(0)
        ax.set_thetamax(180)
    else:
        # Radial labels go into the widest gap between views.
        angles = [*sorted(views), min(views) + 360]
        widest = int(np.argmax(np.diff(angles)))
        ax.set_rlabel_position((angles[widest] + angles[widest + 1]) / 2)
    ax.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    ax.tick_params(axis='y', labelsize='x-small', labelcolor=NEUTRAL_COLOR)
    ax.grid(color='0.85', linewidth=0.6)
    ax.spines[:].set_color('0.7')
