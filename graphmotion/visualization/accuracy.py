"""Accuracy against what was varied, and across datasets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from graphmotion.metrics import FoldSummary
from graphmotion.visualization._figure import (
    COLORS,
    Figure,
    PathLike,
    finish,
    new_figure,
    to_array,
)

Curve = Sequence[FoldSummary] | tuple[Sequence[float], Sequence[float]]

_MARKERS = 'osD^vPX'


def plot_accuracy_against(
    x: Sequence[float],
    results: Mapping[str, Curve],
    xlabel: str,
    metric: str = 'accuracy',
    title: str | None = None,
    path: PathLike | None = None,
) -> Figure:
    r"""Draw the accuracy of several models against something that was varied: the share of the
    training samples, the number of neighbours or of nodes.

    Bars show one deviation up and down; there is none where it is undefined (NaN), as with a
    single run.

    .. code-block:: python

        plot_accuracy_against(
            [0.1, 0.5, 1.0],
            {'SPAGNN': ([0.4, 0.5, 0.6], [0.03, 0.02, 0.02]), 'SSGNN': summaries},
            xlabel='share of the training samples',
        )

    Args:
        x (sequence of float): What was varied.
        results (mapping): For each model its name and, for each :obj:`x`, either a
            :class:`~graphmotion.metrics.FoldSummary` or, as a pair of sequences, mean and
            deviation as fractions.
        xlabel (str): What :obj:`x` is.
        metric (str, optional): The figure to take from summaries, and the label of the axis.
            (default: :obj:`"accuracy"`)
        title (str, optional): The title. (default: :obj:`None`)
        path (str, optional): The file to write; its suffix says the format.
            (default: :obj:`None`)

    Raises:
        ValueError: If there is no model, a model does not have a value for each :obj:`x`, or
            summaries lack the figure.
    """
    places = to_array(x, 'x', dims=(1,), finite=True)
    if not results:
        raise ValueError('there are no results to draw')
    figure = new_figure(5.6, 3.6)
    ax = figure.add_subplot()
    order = places.argsort(kind='stable')
    # Side by side, by a little, so that bars do not hide each other.
    step = 0.008 * float(np.ptp(places))
    for i, (name, curve) in enumerate(results.items()):
        mean, std = _read_curve(curve, name, metric, len(places))
        bars = ax.errorbar(
            places[order] + step * (i - (len(results) - 1) / 2),
            100 * mean[order],
            yerr=100 * np.nan_to_num(std[order]),
            label=name,
            color=COLORS[i % len(COLORS)],
            marker=_MARKERS[i % len(_MARKERS)],
            linestyle=('-', '--', ':')[i // len(COLORS) % 3],
            markersize=4,
            linewidth=1.3,
            elinewidth=0.9,
            capsize=2.5,
        )
        bars[0].set_zorder(3)
    ax.set_xlabel(xlabel)
    ax.set_ylabel(f'{metric}, %')
    ax.grid(color='0.9', linewidth=0.6)
    ax.set_axisbelow(True)
    ax.spines[['top', 'right']].set_visible(False)
    ax.legend(frameon=False, fontsize='small')
    return finish(figure, path, title)


def plot_cross_dataset(
    accuracy: Tensor | np.ndarray | Sequence[Sequence[float]],
    train_names: Sequence[str],
    test_names: Sequence[str] | None = None,
    title: str | None = None,
    path: PathLike | None = None,
) -> Figure:
    r"""Draw how accurate models are on datasets that they were not trained on: a row for each
    dataset of training, a column for each of testing.

    Accuracies on the dataset of training itself are bold.

    Args:
        accuracy (Tensor): Accuracies as fractions; NaN where there is none.
        train_names (sequence of str): The datasets of training.
        test_names (sequence of str, optional): Those of testing, by default the same.
            (default: :obj:`None`)
        title (str, optional): The title. (default: :obj:`None`)
        path (str, optional): The file to write; its suffix says the format.
            (default: :obj:`None`)

    Shapes:
        - **accuracy:** :math:`(R, C)`

    Raises:
        ValueError: If the names are not one for each row and column, or an accuracy is not
            between 0 and 1.
    """
    values = to_array(accuracy, 'accuracy', dims=(2,))
    rows = list(train_names)
    columns = rows if test_names is None else list(test_names)
    if values.shape != (len(rows), len(columns)):
        raise ValueError(
            f'accuracy has the shape {list(values.shape)} for {len(rows)} datasets of training '
            f'and {len(columns)} of testing'
        )
    known = values[~np.isnan(values)]
    if ((known < 0) | (known > 1)).any():
        raise ValueError(
            f'accuracies are fractions between 0 and 1, got {known.min():g} to {known.max():g}'
        )
    longest = 0.09 * max(map(len, rows + columns))  # in inches
    figure = new_figure(0.8 * len(columns) + longest + 1.5, 0.6 * len(rows) + 0.75 * longest + 1.0)
    ax = figure.add_subplot()
    image = ax.imshow(100 * values, cmap='Blues', vmin=0, vmax=100, aspect='auto')
    ax.set_xticks(range(len(columns)), columns, rotation=45, ha='right', rotation_mode='anchor')
    ax.set_yticks(range(len(rows)), rows)
    ax.tick_params(length=0)
    ax.set_xlabel('test')
    ax.set_ylabel('training')
    for row, column in np.ndindex(values.shape):
        value = values[row, column]
        if np.isnan(value):
            continue
        ax.text(
            column,
            row,
            f'{100 * value:.1f}',
            ha='center',
            va='center',
            color='white' if value > 0.55 else 'black',
            fontweight='bold' if rows[row] == columns[column] else 'normal',
        )
    bar = figure.colorbar(image, ax=ax, shrink=0.8, pad=0.02)
    bar.set_label('accuracy, %')
    bar.outline.set_visible(False)
    return finish(figure, path, title)


def _read_curve(curve: Any, name: str, metric: str, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation at each place."""
    curve = tuple(curve)
    if curve and all(isinstance(summary, FoldSummary) for summary in curve):
        missing = [i for i, summary in enumerate(curve) if metric not in summary.mean]
        if missing:
            raise ValueError(
                f'the summary {missing[0]} of {name!r} has no {metric!r}; it has '
                f'{sorted(curve[missing[0]].mean)}'
            )
        curve = [s.mean[metric] for s in curve], [s.std[metric] for s in curve]
    if len(curve) != 2:
        raise ValueError(
            f'results of {name!r} are summaries or a pair of means and deviations, got '
            f'{len(curve)} values'
        )
    mean = to_array(curve[0], f'mean of {name!r}', dims=(1,), finite=True)
    std = to_array(curve[1], f'deviation of {name!r}', dims=(1,))
    if len(mean) != size or len(std) != size:
        raise ValueError(
            f'{name!r} has {len(mean)} means and {len(std)} deviations for {size} values of x'
        )
    return mean, std
