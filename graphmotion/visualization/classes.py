"""Comparison of runs class by class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from torch import Tensor

from graphmotion.checks import check_int
from graphmotion.metrics import ClassificationScores
from graphmotion.visualization._figure import (
    COLORS,
    Figure,
    PathLike,
    finish_figure,
    new_figure,
)
from graphmotion.visualization._inputs import check_names, entry_name, to_array

_BAR_HEIGHT = 0.17  # inches


def plot_class_comparison(
    recall: Mapping[str, ClassificationScores | Tensor | np.ndarray | Sequence[float]],
    class_names: Sequence[str] | None = None,
    num_worst: int | None = None,
    title: str | None = None,
    path: PathLike | None = None,
) -> Figure:
    r"""Plots the recall of each class in two or more runs as bars.

    The figure follows Fig. 6 of the `"Focal and Global Spatial-Temporal Transformer for
    Skeleton-based Action Recognition" <https://arxiv.org/abs/2210.02693>`_ paper. Classes are
    sorted by the difference between the last and the first run, largest gain on top; the difference
    is printed on the right. All values are percentages.

    .. code-block:: python

        recall = {'ST-GCN': [0.7, 0.9, 0.6], 'FG-STFormer': [0.8, 0.88, 0.75]}
        plot_class_comparison(recall, ['wave', 'clap', 'kick'])

    Args:
        recall (mapping): For each run, by name, its scores or the recall of each class as a
            fraction.
        class_names (sequence of str, optional): The class names. If set to :obj:`None`, they are
            taken from the scores. (default: :obj:`None`)
        num_worst (int, optional): If given, only this many classes are drawn, the ones with the
            lowest recall in the first run. (default: :obj:`None`)
        title (str, optional): The title of the figure. (default: :obj:`None`)
        path (str, optional): The file to save the figure to; its suffix sets the format.
            (default: :obj:`None`)

    Shapes:
        - **recall:** :math:`(K)` for each run

    Raises:
        ValueError: If there are fewer than two runs, their numbers of classes differ, a recall is
            not in :math:`[0, 1]`, or the number of names does not match the number of classes.
    """
    if len(recall) < 2:
        raise ValueError(f'recall must have at least two runs, got {list(recall)}')
    runs = list(recall)
    rows = []
    for name, values in recall.items():
        if isinstance(values, ClassificationScores):
            class_names = values.class_names if class_names is None else class_names
            values = values.class_recall
        row = to_array(values, entry_name('recall', name), ndim=(1,), finite=True)
        if row.min() < 0 or row.max() > 1:
            raise ValueError(f'{entry_name("recall", name)} must be in [0, 1], got {row.tolist()}')
        rows.append(row)
    sizes = [len(row) for row in rows]
    if len(set(sizes)) > 1:
        raise ValueError(
            f'recall must have the same classes in all runs, got {dict(zip(runs, sizes))} classes'
        )
    names = check_names(
        range(sizes[0]) if class_names is None else class_names, 'class_names', sizes[0]
    )
    if num_worst is not None:
        check_int('num_worst', num_worst, 1)

    percent = 100 * np.stack(rows)
    shown = np.sort(np.argsort(percent[0], kind='stable')[:num_worst])
    gain = percent[-1] - percent[0]
    order = shown[np.argsort(-gain[shown], kind='stable')]

    num_runs = len(runs)
    figure = new_figure(
        4.9 + 0.085 * max(len(names[k]) for k in order),
        (num_runs + 0.6) * _BAR_HEIGHT * len(order) + 0.12 * num_runs + 0.8 + (0.3 if title else 0),
    )
    ax = figure.add_subplot()
    thickness = 1 / (num_runs + 0.6)
    positions = np.arange(len(order))
    for i, (name, values) in enumerate(zip(runs, percent[:, order])):
        # The first run is the grey baseline.
        color = '0.72' if i == 0 else COLORS[(i - 1) % len(COLORS)]
        y = positions + (i - (num_runs - 1) / 2) * thickness
        bars = ax.barh(y, values, 0.92 * thickness, color=color, label=name)
        ax.bar_label(bars, fmt='%.1f', padding=2, fontsize='x-small')
    ax.set_yticks(positions, [names[k] for k in order])
    ax.set_ylim(len(order) - 0.45, -0.55)
    ax.set_xlim(0, 112)  # leaves room for the label of a full bar
    ax.set_xticks(range(0, 101, 20))
    ax.set_xlabel('recall (%)')
    ax.tick_params(axis='y', length=0)
    ax.spines[['top', 'right']].set_visible(False)
    side = ax.secondary_yaxis('right')
    side.set_yticks(positions, [f'{gain[k]:+.1f}' for k in order])
    side.tick_params(length=0)
    side.spines['right'].set_visible(False)
    side.set_ylabel('difference' if num_runs == 2 else 'last run minus first run')
    ax.legend(loc='lower center', bbox_to_anchor=(0.5, 1), ncols=min(num_runs, 2), frameon=False)
    return finish_figure(figure, path, title)
