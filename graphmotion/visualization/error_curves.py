"""Error rates of verification and open-set identification over a threshold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle

import numpy as np
from scipy.special import ndtri

from graphmotion.metrics import OpenSetScores, VerificationScores
from graphmotion.visualization._figure import (
    COLORS,
    LEGEND_LINE,
    NEUTRAL_COLOR,
    Axes,
    Figure,
    PathLike,
    add_legend_below,
    finish_figure,
    new_figure,
    style_axes,
)
from graphmotion.visualization._inputs import as_mapping

_DASHES = ('-', '--', '-.', ':')
# Error rates of the axes.
_TICKS = np.array(
    [1e-5, 1e-4, 1e-3, 2e-3, 5e-3, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 0.99]
)


def plot_det(
    scores: VerificationScores | Mapping[str, VerificationScores],
    title: str | None = None,
    path: PathLike | None = None,
) -> Figure:
    r"""Plots the detection error tradeoff (DET): false rejects over false accepts.

    Both axes show the normal deviate of the error rate, as proposed in the `"The DET Curve in
    Assessment of Detection Task Performance" <https://doi.org/10.21437/Eurospeech.1997-504>`_
    paper, so that normally distributed distances give a straight line. A dot marks the equal error
    rate, which the legend shows. Rates of zero are outside the axes.

    .. code-block:: python

        dataset = SyntheticGait.casia_b(num_subjects=5, num_frames=8, views=[0, 90])
        embedding = torch.randn(len(dataset), 8) + torch.eye(8)[dataset.labels('subject')]
        plot_det({'GaitMixer': verification_scores(embedding, dataset)})

    Args:
        scores (VerificationScores or dict): The scores, or the scores of several runs by name.
        title (str, optional): The title of the figure. (default: :obj:`None`)
        path (str, optional): The file to save the figure to; its suffix sets the format.
            (default: :obj:`None`)

    Raises:
        ValueError: If there are no scores.
    """
    runs = as_mapping(scores, 'scores')
    rates = [run.equal_error_rate for run in runs.values()]
    curves = [[rate.numpy() for rate in run.det_curve()[:2]] for run in runs.values()]
    high = 0.5 if max(rates) < 0.4 else 0.99
    x_low = min(_lowest(accept, reject, high) for accept, reject in curves)
    y_low = min(_lowest(reject, accept, high) for accept, reject in curves)
    figure = new_figure(4.0, 4.0 + LEGEND_LINE * len(runs))
    ax = figure.add_subplot()
    diagonal = ndtri([max(x_low, y_low), high])
    ax.plot(diagonal, diagonal, color='0.7', linewidth=0.8, zorder=1)
    for name, curve, rate, color, dashes in zip(runs, curves, rates, cycle(COLORS), cycle(_DASHES)):
        label = f'{name} (EER {100 * rate:.1f}%)' if name else f'EER {100 * rate:.1f}%'
        # Rates of 0 and 1 are infinitely far away, outside the axes.
        x, y = (ndtri(np.clip(values, 1e-9, 1 - 1e-9)) for values in curve)
        ax.plot(x, y, color=color, linestyle=dashes, linewidth=1.4, label=label)
        ax.plot(*2 * [ndtri(max(rate, 1e-9))], 'o', color=color, markersize=4.5)
    for axis, low in ((ax.xaxis, x_low), (ax.yaxis, y_low)):
        ticks = _TICKS[(low <= _TICKS) & (high >= _TICKS)]
        axis.set_ticks(ndtri(ticks), [f'{100 * t:g}' for t in ticks], fontsize='small')
    ax.set_xlim(ndtri(x_low), ndtri(high))
    ax.set_ylim(ndtri(y_low), ndtri(high))
    ax.set_xlabel('false accept rate (%)')
    ax.set_ylabel('false reject rate (%)')
    style_axes(ax)
    add_legend_below(ax, 0.5)
    return finish_figure(figure, path, title)


def plot_open_set(
    scores: OpenSetScores | Mapping[str, OpenSetScores],
    rank: int = 1,
    false_alarm_rate: float = 0.01,
    title: str | None = None,
    path: PathLike | None = None,
) -> Figure:
    r"""Plots the detection and identification rate (DIR) over the false alarm rate.

    The curve ends on the right at the rank-:math:`k` accuracy among the enrolled people. A dot and
    the legend show the rate at one false alarm rate. The axis of false alarms is logarithmic and
    begins at the lowest rate that the number of non-mated probes allows to measure.

    .. code-block:: python

        dataset = SyntheticGait.casia_b(num_subjects=6, num_frames=8, views=[0, 90])
        gallery = {**CASIA_B_LT.gallery, 'subject': range(4)}  # two people are not enrolled
        protocol = replace(CASIA_B_LT, gallery=gallery, train_subjects=0)
        embedding = torch.randn(len(dataset), 8) + 2 * torch.eye(8)[dataset.labels('subject')]
        plot_open_set(open_set_scores(embedding, dataset, protocol), false_alarm_rate=0.1)

    Args:
        scores (OpenSetScores or dict): The scores, or the scores of several runs by name.
        rank (int, optional): The rank :math:`k`. (default: :obj:`1`)
        false_alarm_rate (float, optional): The false alarm rate of the dot. (default: :obj:`0.01`)
        title (str, optional): The title of the figure. (default: :obj:`None`)
        path (str, optional): The file to save the figure to; its suffix sets the format.
            (default: :obj:`None`)

    Raises:
        ValueError: If there are no scores, the rank is below 1, or the rate is not in
            :math:`[0, 1]`.
    """
    runs = as_mapping(scores, 'scores')
    low = _tick_below(min(0.5, 1 / max(len(run.non_mated) for run in runs.values())))
    figure = new_figure(4.4, 3.0 + LEGEND_LINE * len(runs))
    ax = figure.add_subplot()
    for (name, run), color, dashes in zip(runs.items(), cycle(COLORS), cycle(_DASHES)):
        alarm, detected, _ = run.curve(rank)
        at_rate = 100 * run.detection_rate_at(false_alarm_rate, rank)
        label = f'DIR at {100 * false_alarm_rate:g}%: {at_rate:.1f}%'
        label = f'{name} ({label})' if name else label
        x = np.maximum(alarm.numpy(), low / 10)  # zero is infinitely far away
        ax.plot(x, 100 * detected, color=color, linestyle=dashes, linewidth=1.4, label=label)
        if low <= false_alarm_rate:
            ax.plot([false_alarm_rate], [at_rate], 'o', color=color, markersize=4.5, clip_on=False)
    ax.set_xscale('log')
    _set_log_ticks(ax, low)
    ax.set_ylim(0, 100)
    ax.set_xlabel('false alarm rate (%)')
    ax.set_ylabel(f'rank-{rank} detection and\nidentification rate (%)')
    style_axes(ax)
    ax.axvline(false_alarm_rate, color=NEUTRAL_COLOR, linewidth=0.8, linestyle=':', zorder=1)
    add_legend_below(ax, 0.5)
    return finish_figure(figure, path, title)


def _lowest(rate: np.ndarray, other: np.ndarray, high: float) -> float:
    """Returns the tick below the positive rates where the other rate is in the axes."""
    return _tick_below(min(rate[(other <= high) & (rate > 0)], default=1.0))


def _tick_below(rate: float) -> float:
    """Returns the largest tick, up to 20%, that does not exceed a rate."""
    return float(_TICKS[min(max(rate, _TICKS[0]), 0.2) >= _TICKS].max())


def _set_log_ticks(ax: Axes, low: float) -> None:
    ticks: Sequence[float] = [t for t in (1e-5, 1e-4, 1e-3, 0.01, 0.1, 1) if t >= low]
    ax.set_xlim(low, 1)
    ax.set_xticks(ticks, [f'{100 * t:g}' for t in ticks])
