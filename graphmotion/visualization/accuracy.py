"""Plots of accuracy against a varied setting, and of accuracy across datasets."""

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
    finish_figure,
    new_figure,
    style_axes,
)
from graphmotion.visualization._inputs import as_mapping, check_shape, entry_name, to_array

Curve = Sequence[FoldSummary] | tuple[Sequence[float], Sequence[float]]

_MARKERS = 'osD^vPX'
_LINE_STYLES = ('-', '--', ':')


def plot_accuracy_against(
    x: Sequence[float],
    results: Mapping[str, Curve],
    xlabel: str,
    metric: str = 'accuracy',
    title: str | None = None,
    path: PathLike | None = None,
) -> Figure:
    r"""Plots the accuracy of one or more models against a varied setting.

    The setting may be the training set size, the number of neighbours or the number of nodes.
    Error bars show one standard deviation; they are omitted where it is NaN, as for a single run.

    .. code-block:: python

        plot_accuracy_against(
            [0.1, 0.5, 1.0],
            {'SPAGNN': ([0.4, 0.5, 0.6], [0.03, 0.02, 0.02]), 'SPEGNN': ([0.3, 0.5, 0.5], [0] * 3)},
            xlabel='fraction of training samples',
        )

    Args:
        x (sequence of float): The values of the varied setting.
        results (mapping): The results of each model by name: either one
            :class:`~graphmotion.metrics.FoldSummary` for each value of :obj:`x`, or a pair of
            sequences with means and standard deviations, both as fractions.
        xlabel (str): The label of the x-axis.
        metric (str, optional): The metric to read from summaries, and the label of the y-axis.
            (default: :obj:`"accuracy"`)
        title (str, optional): The title of the figure. (default: :obj:`None`)
        path (str, optional): The file to save the figure to; its suffix sets the format.
            (default: :obj:`None`)

    Raises:
        ValueError: If :obj:`results` is empty, a model does not have one result for each value of
            :obj:`x`, or a summary lacks the metric.
    """
    settings = to_array(x, 'x', ndim=(1,), finite=True)
    figure = new_figure(5.6, 3.6)
    ax = figure.add_subplot()
    order = settings.argsort(kind='stable')
    curves = as_mapping(results, 'results')
    # Curves are shifted sideways by a little so that their error bars do not overlap.
    step = 0.008 * float(np.ptp(settings))
    for i, (name, curve) in enumerate(curves.items()):
        mean, std = _read_curve(curve, entry_name('results', name), metric, len(settings))
        bars = ax.errorbar(
            settings[order] + step * (i - (len(curves) - 1) / 2),
            100 * mean[order],
            yerr=100 * np.nan_to_num(std[order]),
            label=name,
            color=COLORS[i % len(COLORS)],
            marker=_MARKERS[i % len(_MARKERS)],
            linestyle=_LINE_STYLES[i // len(COLORS) % len(_LINE_STYLES)],
            markersize=4,
            linewidth=1.3,
            elinewidth=0.9,
            capsize=2.5,
        )
        bars[0].set_zorder(3)
    ax.set_xlabel(xlabel)
    ax.set_ylabel(f'{metric} (%)')
    style_axes(ax)
    ax.legend(frameon=False, fontsize='small')
    return finish_figure(figure, path, title)


def plot_cross_dataset(
    accuracy: Tensor | np.ndarray | Sequence[Sequence[float]],
    train_names: Sequence[str],
    test_names: Sequence[str] | None = None,
    title: str | None = None,
    path: PathLike | None = None,
) -> Figure:
    r"""Plots the accuracies of models trained on one dataset and tested on another.

    Rows are training datasets and columns are test datasets. Accuracies on the training dataset
    itself are printed in bold.

    .. code-block:: python

        plot_cross_dataset([[0.91, 0.62], [0.48, 0.84]], ['JAFFE', 'CK+'])

    Args:
        accuracy (Tensor): The accuracies as fractions; NaN where there is no result.
        train_names (sequence of str): The names of the training datasets.
        test_names (sequence of str, optional): The names of the test datasets. If set to
            :obj:`None`, they equal :obj:`train_names`. (default: :obj:`None`)
        title (str, optional): The title of the figure. (default: :obj:`None`)
        path (str, optional): The file to save the figure to; its suffix sets the format.
            (default: :obj:`None`)

    Shapes:
        - **accuracy:** :math:`(R, C)`

    Raises:
        ValueError: If the shape does not match the number of names, or an accuracy is not in
            :math:`[0, 1]`.
    """
    rows = list(train_names)
    columns = rows if test_names is None else list(test_names)
    values = to_array(accuracy, 'accuracy', ndim=(2,))
    check_shape(values, 'accuracy', (len(rows), len(columns)))
    known = values[~np.isnan(values)]
    if ((known < 0) | (known > 1)).any():
        raise ValueError(
            f'accuracy must be in [0, 1], got values from {known.min():g} to {known.max():g}'
        )
    label_length = 0.09 * max(map(len, rows + columns))  # inches
    figure = new_figure(
        0.8 * len(columns) + label_length + 1.5, 0.6 * len(rows) + 0.75 * label_length + 1.0
    )
    ax = figure.add_subplot()
    image = ax.imshow(100 * values, cmap='Blues', vmin=0, vmax=100, aspect='auto')
    ax.set_xticks(range(len(columns)), columns, rotation=45, ha='right', rotation_mode='anchor')
    ax.set_yticks(range(len(rows)), rows)
    ax.tick_params(length=0)
    ax.set_xlabel('test dataset')
    ax.set_ylabel('training dataset')
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
    bar.set_label('accuracy (%)')
    bar.outline.set_visible(False)
    return finish_figure(figure, path, title)


def _read_curve(curve: Any, name: str, metric: str, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the mean and the standard deviation of each point."""
    curve = tuple(curve)
    if curve and all(isinstance(summary, FoldSummary) for summary in curve):
        for i, summary in enumerate(curve):
            if metric not in summary.mean:
                raise ValueError(
                    f'metric must be one of {sorted(summary.mean)} for {name}[{i}], got {metric!r}'
                )
        curve = [s.mean[metric] for s in curve], [s.std[metric] for s in curve]
    if len(curve) != 2:
        raise ValueError(
            f'{name} must be a sequence of summaries or a pair (means, deviations), '
            f'got {len(curve)} entries'
        )
    mean = to_array(curve[0], f'the mean of {name}', ndim=(1,), finite=True)
    std = to_array(curve[1], f'the deviation of {name}', ndim=(1,))
    check_shape(mean, f'the mean of {name}', (size,))
    check_shape(std, f'the deviation of {name}', (size,))
    return mean, std
