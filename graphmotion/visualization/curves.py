"""Curves over the epochs of a training."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from graphmotion.visualization._figure import (
    COLORS,
    NEUTRAL,
    Axes,
    Figure,
    MaxNLocator,
    PathLike,
    finish,
    new_figure,
)

History = Mapping[str, Sequence[float]] | Sequence[Mapping[str, Any]]

# The parts of the data by the prefix that loggers give them, with colour and line.
_SPLITS = {
    'train': ('training', COLORS[0], '-'),
    'training': ('training', COLORS[0], '-'),
    'val': ('validation', COLORS[1], '-'),
    'valid': ('validation', COLORS[1], '-'),
    'validation': ('validation', COLORS[1], '-'),
    'test': ('test', COLORS[2], '-'),
}
_RATES = ('lr', 'learning_rate')


def plot_training_curves(
    history: History,
    monitor: str | None = None,
    mode: str | None = None,
    milestones: Sequence[int] = (),
    title: str | None = None,
    path: PathLike | None = None,
) -> Figure:
    r"""Draw loss and metrics over the epochs, training and validation in one panel each.

    Columns are told apart by their names as loggers write them: :obj:`"train_loss"` and
    :obj:`"val/loss"` are the curves of the panel :obj:`"loss"`. A column named :obj:`"lr"`,
    :obj:`"learning_rate"` or :obj:`"lr-Adam"` is drawn in steps on a logarithmic scale;
    :obj:`"epoch"` gives the positions, :obj:`"step"` is left out.

    Args:
        history (mapping or sequence of mappings): For each column its values, one an epoch; or
            rows of columns as in a logger's CSV, where a row may lack a column (absent, None,
            empty or NaN) and several rows of one epoch are averaged.
        monitor (str, optional): The column whose best epoch is marked. By default the first
            validation column that is no loss, or else the validation loss, if there are any.
            (default: :obj:`None`)
        mode (str, optional): :obj:`"min"` or :obj:`"max"`; by default :obj:`"min"` for columns
            with :obj:`"loss"` or :obj:`"error"` in their name. (default: :obj:`None`)
        milestones (sequence of int, optional): Epochs at which the learning rate was changed,
            marked by dotted lines. (default: :obj:`()`)
        title (str, optional): The title. (default: :obj:`None`)
        path (str, optional): The file to write; its suffix says the format.
            (default: :obj:`None`)

    Raises:
        ValueError: If the history is empty, its columns differ in length, :obj:`monitor` is not
            one of them, or :obj:`mode` is unknown.
        TypeError: If a value is not a number.
    """
    columns = _read_history(history)
    if mode not in (None, 'min', 'max'):
        raise ValueError(f"mode is 'min', 'max' or None, got {mode!r}")
    monitor = _default_monitor(columns) if monitor is None else monitor
    if monitor is not None and monitor not in columns:
        raise ValueError(f'there is no column {monitor!r}; there are {list(columns)}')

    panels: dict[str, list[str]] = defaultdict(list)
    for column in sorted(columns, key=_panel_order):
        panels[_split(column)[1]].append(column)
    num_columns = 2 if len(panels) == 4 else min(3, len(panels))
    num_rows = math.ceil(len(panels) / num_columns)
    figure = new_figure(3.4 * num_columns, 2.6 * num_rows)
    axes = list(figure.subplots(num_rows, num_columns, squeeze=False).flat)
    for ax in axes[len(panels) :]:
        figure.delaxes(ax)
    for ax, (panel, names) in zip(axes, panels.items()):
        _draw_panel(ax, panel, {name: columns[name] for name in names}, milestones)
    if monitor is not None:
        monitored = axes[list(panels).index(_split(monitor)[1])]
        smaller = mode == 'min' or (mode is None and _is_loss(monitor))
        _mark_best(axes[: len(panels)], monitored, columns[monitor], smaller)
    for ax in axes[: len(panels)]:
        labels = ax.get_legend_handles_labels()[1]
        if len(labels) > 1 or labels[0] in {label for label, _, _ in _SPLITS.values()}:
            ax.legend(frameon=False, fontsize='small')
    return finish(figure, path, title)


def _read_history(history: History) -> dict[str, dict[float, float]]:
    """For each column its values by epoch."""
    if isinstance(history, Mapping):
        lengths = {name: len(values) for name, values in history.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f'the columns of a history have one length, got {lengths}')
        rows: list[Mapping[str, Any]] = [
            dict(zip(history, values)) for values in zip(*history.values())
        ]
    else:
        rows = list(history)
    seen: dict[str, dict[float, list[float]]] = defaultdict(lambda: defaultdict(list))
    for i, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise TypeError(f'row {i} of the history is a {type(row).__name__}, not a mapping')
        epoch = _number(row.get('epoch', i + 1), 'epoch', i)
        for name, value in row.items():
            value = _number(value, name, i)
            if name not in ('epoch', 'step') and not math.isnan(value):
                seen[name][epoch].append(value)
    if not seen:
        raise ValueError('the history is empty: there is no epoch with a value')
    return {
        name: {epoch: sum(v) / len(v) for epoch, v in sorted(values.items())}
        for name, values in seen.items()
    }


def _number(value: Any, name: str, row: int) -> float:
    try:
        return math.nan if value in (None, '') else float(value)
    except (TypeError, ValueError):
        raise TypeError(f'history, row {row}: {name!r} is no number, got {value!r}') from None


def _split(column: str) -> tuple[str | None, str]:
    """The part of the data and the metric that a column is of."""
    if column.split('-')[0] in _RATES:
        return None, 'learning rate'
    column = column.removesuffix('_epoch')  # which Lightning adds to means over an epoch
    for mark in '/_':
        prefix, found, metric = column.partition(mark)
        if found and prefix in _SPLITS:
            return prefix, metric
    return None, column


def _is_loss(column: str) -> bool:
    return 'loss' in column or 'error' in column


def _panel_order(column: str) -> tuple[bool, bool]:
    """Losses first, the learning rate last, otherwise as given."""
    return _split(column)[1] == 'learning rate', not _is_loss(column)


def _default_monitor(columns: Mapping[str, Any]) -> str | None:
    held_out = [c for c in columns if (_split(c)[0] or '').startswith('val')]
    return next((c for c in held_out if not _is_loss(c)), held_out[0] if held_out else None)


def _draw_panel(
    ax: Axes,
    panel: str,
    curves: Mapping[str, Mapping[float, float]],
    milestones: Sequence[int],
) -> None:
    for epoch in milestones:
        ax.axvline(epoch, color='0.4', linewidth=0.9, linestyle=':', zorder=1)
    for i, (name, values) in enumerate(curves.items()):
        split = _split(name)[0]
        label, color, line = _SPLITS[split] if split else (name, NEUTRAL, ('-', '--', ':')[i % 3])
        ax.plot(
            list(values),
            list(values.values()),
            label=label,
            color=color,
            linestyle=line,
            linewidth=1.3,
            marker='.' if len(values) == 1 else None,
            drawstyle='steps-post' if panel == 'learning rate' else 'default',
        )
    if panel == 'learning rate' and min(min(v.values()) for v in curves.values()) > 0:
        ax.set_yscale('log')
    ax.set_xlabel('epoch')
    ax.set_ylabel(panel.replace('_', ' '))
    ax.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10], integer=True))
    ax.grid(color='0.9', linewidth=0.6)
    ax.set_axisbelow(True)
    ax.spines[['top', 'right']].set_visible(False)


def _mark_best(
    axes: Sequence[Axes], monitored: Axes, values: Mapping[float, float], smaller: bool
) -> None:
    best = (min if smaller else max)(values, key=values.__getitem__)
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
