"""Training curves."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from graphmotion.visualization._figure import (
    COLORS,
    NEUTRAL_COLOR,
    Axes,
    Figure,
    MaxNLocator,
    PathLike,
    finish_figure,
    new_figure,
    style_axes,
)

History = Mapping[str, Sequence[float]] | Sequence[Mapping[str, Any]]

# Label and colour of a curve, by the prefix of its column.
_SPLITS = {
    'train': ('training', COLORS[0]),
    'training': ('training', COLORS[0]),
    'val': ('validation', COLORS[1]),
    'valid': ('validation', COLORS[1]),
    'validation': ('validation', COLORS[1]),
    'test': ('test', COLORS[2]),
}
_SPLIT_LABELS = {label for label, _ in _SPLITS.values()}
_LEARNING_RATE = 'learning rate'
_LEARNING_RATE_COLUMNS = ('lr', 'learning_rate')
_LINE_STYLES = ('-', '--', ':')


def plot_training_curves(
    history: History,
    monitor: str | None = None,
    mode: str | None = None,
    milestones: Sequence[int] = (),
    title: str | None = None,
    path: PathLike | None = None,
) -> Figure:
    r"""Plots the loss and the metrics of a training run, one panel for each metric.

    Columns are matched by their names: :obj:`"train_loss"` and :obj:`"val/loss"` are curves of
    the panel :obj:`"loss"`. The columns :obj:`"lr"`, :obj:`"learning_rate"` and :obj:`"lr-Adam"`
    are drawn as steps on a logarithmic scale, :obj:`"epoch"` sets the x-axis, and :obj:`"step"` is
    ignored.

    .. code-block:: python

        history = {'train_loss': [1.4, 0.9, 0.6], 'val_loss': [1.5, 1.1, 1.2]}
        history['val_accuracy'] = [0.3, 0.5, 0.6]
        plot_training_curves(history)

    Args:
        history (mapping or sequence of mappings): The values of each column by epoch, or the rows
            of a logger's CSV file. A row may lack a column (absent, :obj:`None`, empty or NaN),
            and rows of the same epoch are averaged.
        monitor (str, optional): The column whose best epoch is marked. If set to :obj:`None`, it
            is the first validation metric, or else the validation loss. (default: :obj:`None`)
        mode (str, optional): Whether the best value is the minimum (:obj:`"min"`) or the maximum
            (:obj:`"max"`). If set to :obj:`None`, it is the minimum for columns whose name
            contains :obj:`"loss"` or :obj:`"error"`. (default: :obj:`None`)
        milestones (sequence of int, optional): The epochs at which the learning rate changed,
            marked by dotted lines. (default: :obj:`()`)
        title (str, optional): The title of the figure. (default: :obj:`None`)
        path (str, optional): The file to save the figure to; its suffix sets the format.
            (default: :obj:`None`)

    Raises:
        ValueError: If the history is empty, its columns differ in length, or :obj:`monitor` or
            :obj:`mode` is unknown.
        TypeError: If a value is not a number.
    """
    columns = _read_history(history)
    if mode not in (None, 'min', 'max'):
        raise ValueError(f"mode must be 'min', 'max' or None, got {mode!r}")
    monitor = _default_monitor(columns) if monitor is None else monitor
    if monitor is not None and monitor not in columns:
        raise ValueError(f'monitor must be one of {list(columns)}, got {monitor!r}')

    panels: dict[str, list[str]] = defaultdict(list)
    for column in sorted(columns, key=_panel_order):
        panels[_split_column(column)[1]].append(column)
    num_columns = 2 if len(panels) == 4 else min(3, len(panels))
    num_rows = math.ceil(len(panels) / num_columns)
    figure = new_figure(3.4 * num_columns, 2.6 * num_rows)
    axes = list(figure.subplots(num_rows, num_columns, squeeze=False).flat)
    for ax in axes[len(panels) :]:
        figure.delaxes(ax)
    for ax, (panel, names) in zip(axes, panels.items()):
        _draw_panel(ax, panel, {name: columns[name] for name in names}, milestones)
    if monitor is not None:
        monitored = axes[list(panels).index(_split_column(monitor)[1])]
        minimize = mode == 'min' or (mode is None and _is_loss(monitor))
        _mark_best(axes[: len(panels)], monitored, columns[monitor], minimize)
    for ax in axes[: len(panels)]:
        labels = ax.get_legend_handles_labels()[1]
        if len(labels) > 1 or labels[0] in _SPLIT_LABELS:
            ax.legend(frameon=False, fontsize='small')
    return finish_figure(figure, path, title)


def plot_initial_loss(
    x: Sequence[float],
    histories: Mapping[str, Sequence[History]],
    column: str = 'train_loss',
    xlabel: str = 'share of the training samples',
    title: str | None = None,
    path: PathLike | None = None,
) -> Figure:
    r"""Plots the loss of the first epoch against a varied setting, one curve for each model.

    With the share of the training samples, this is Fig. 9 of the paper "SSGNN: A Macro and
    Microfacial Expression Recognition Graph Neural Network Combining Spatial and Spectral Domain
    Features".

    .. code-block:: python

        first_epochs = {
            'SPAGNN': [{'train_loss': [loss]} for loss in (1.9, 1.7, 1.4)],
            'SPEGNN': [{'train_loss': [loss]} for loss in (1.9, 1.8, 1.6)],
        }
        plot_initial_loss([0.1, 0.5, 1.0], first_epochs)

    Args:
        x (sequence of float): The values of the setting.
        histories (mapping): For each model the history of one run per value; see
            :func:`plot_training_curves`.
        column (str, optional): The column of the loss. (default: :obj:`"train_loss"`)
        xlabel (str, optional): The label of the x-axis.
            (default: :obj:`"share of the training samples"`)
        title (str, optional): The title of the figure. (default: :obj:`None`)
        path (str, optional): The file to save the figure to; its suffix sets the format.
            (default: :obj:`None`)

    Raises:
        ValueError: If there is no model, a model does not have one history per value, or a column
            is missing.
    """
    if not histories:
        raise ValueError('histories must have at least one model, got none')
    figure = new_figure(3.8, 2.8)
    ax = figure.add_subplot()
    for number, (name, runs) in enumerate(histories.items()):
        if len(runs) != len(x):
            raise ValueError(
                f'histories[{name!r}] must have one history for each of {len(x)} values, got '
                f'{len(runs)}'
            )
        losses = []
        for run in runs:
            columns = _read_history(run)
            if column not in columns:
                raise ValueError(f'column must be one of {list(columns)}, got {column!r}')
            losses.append(next(iter(columns[column].values())))
        color = COLORS[number % len(COLORS)]
        ax.plot(x, losses, label=name, color=color, marker='o', markersize=3)
    ax.set(xlabel=xlabel, ylabel='loss of the first epoch')
    ax.legend(frameon=False, fontsize='small')
    style_axes(ax)
    return finish_figure(figure, path, title)


def _read_history(history: History) -> dict[str, dict[float, float]]:
    """Returns the values of each column by epoch."""
    if isinstance(history, Mapping):
        lengths = {name: len(values) for name, values in history.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f'history must have columns of equal length, got {lengths}')
        rows: list[Mapping[str, Any]] = [
            dict(zip(history, values)) for values in zip(*history.values())
        ]
    else:
        rows = list(history)
    collected: dict[str, dict[float, list[float]]] = defaultdict(lambda: defaultdict(list))
    for i, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise TypeError(f'history[{i}] must be a mapping, got {type(row).__name__}')
        epoch = _to_number(row.get('epoch', i + 1), 'epoch', i)
        for name, value in row.items():
            value = _to_number(value, name, i)
            if name not in ('epoch', 'step') and not math.isnan(value):
                collected[name][epoch].append(value)
    if not collected:
        raise ValueError('history must have at least one value, got none')
    return {
        name: {epoch: sum(v) / len(v) for epoch, v in sorted(values.items())}
        for name, values in collected.items()
    }


def _to_number(value: Any, name: str, row: int) -> float:
    try:
        return math.nan if value in (None, '') else float(value)
    except (TypeError, ValueError):
        raise TypeError(f'history[{row}][{name!r}] must be a number, got {value!r}') from None


def _split_column(column: str) -> tuple[str | None, str]:
    """Splits a column name into the data split, if any, and the metric."""
    if column.split('-')[0] in _LEARNING_RATE_COLUMNS:
        return None, _LEARNING_RATE
    column = column.removesuffix('_epoch')  # added by Lightning to means over an epoch
    for separator in '/_':
        prefix, found, metric = column.partition(separator)
        if found and prefix in _SPLITS:
            return prefix, metric
    return None, column


def _is_loss(column: str) -> bool:
    return 'loss' in column or 'error' in column


def _panel_order(column: str) -> tuple[bool, bool]:
    """Sorts losses first and the learning rate last."""
    return _split_column(column)[1] == _LEARNING_RATE, not _is_loss(column)


def _default_monitor(columns: Mapping[str, Any]) -> str | None:
    validation = [c for c in columns if (_split_column(c)[0] or '').startswith('val')]
    metrics = [c for c in validation if not _is_loss(c)]
    return next(iter(metrics + validation), None)


def _draw_panel(
    ax: Axes,
    panel: str,
    curves: Mapping[str, Mapping[float, float]],
    milestones: Sequence[int],
) -> None:
    for epoch in milestones:
        ax.axvline(epoch, color='0.4', linewidth=0.9, linestyle=':', zorder=1)
    for i, (name, values) in enumerate(curves.items()):
        split = _split_column(name)[0]
        label, color = _SPLITS[split] if split else (name, NEUTRAL_COLOR)
        ax.plot(
            list(values),
            list(values.values()),
            label=label,
            color=color,
            linestyle='-' if split else _LINE_STYLES[i % len(_LINE_STYLES)],
            linewidth=1.3,
            marker='.' if len(values) == 1 else None,
            drawstyle='steps-post' if panel == _LEARNING_RATE else 'default',
        )
    if panel == _LEARNING_RATE and min(min(v.values()) for v in curves.values()) > 0:
        ax.set_yscale('log')
    ax.set_xlabel('epoch')
    ax.set_ylabel(panel.replace('_', ' '))
    ax.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10], integer=True))
    style_axes(ax)


def _mark_best(
    axes: Sequence[Axes], monitored: Axes, values: Mapping[float, float], minimize: bool
) -> None:
    best = (min if minimize else max)(values, key=values.__getitem__)
    for ax in axes:
        ax.axvline(best, color=COLORS[2], linewidth=0.9, linestyle='--', zorder=1)
    monitored.plot(
        best,
        values[best],
        linestyle='none',
        marker='o',
        markersize=5,
        markerfacecolor='none',
        color=COLORS[2],
        label=f'best: epoch {best:g} ({values[best]:.3g})',
    )
