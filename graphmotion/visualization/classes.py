"""How well runs recognise each class, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from torch import Tensor

from graphmotion.metrics import ClassificationScores
from graphmotion.visualization._figure import (
    COLORS,
    Figure,
    PathLike,
    finish,
    new_figure,
    to_array,
)

_BAR = 0.17  # inches


def plot_class_comparison(
    accuracy: Mapping[str, ClassificationScores | Tensor | np.ndarray | Sequence[float]],
    class_names: Sequence[str] | None = None,
    worst: int | None = None,
    title: str | None = None,
    path: PathLike | None = None,
) -> Figure:
    r"""Draw the recall of each class in two runs or more as bars, as Fig. 6 of the `"Focal and
    Global Spatial-Temporal Transformer for Skeleton-based Action Recognition"
    <https://arxiv.org/abs/2210.02693>`_ paper.

    All figures are in per cent. The classes are sorted by how much the last run differs from the
    first, which stands on the right; the largest gain is on top.

    .. code-block:: python

        plot_class_comparison({'ST-GCN': scores, 'FG-STFormer': other}, worst=10)

    Args:
        accuracy (mapping): For each run, by its name, its scores, or the recall of each class in
            0..1.
        class_names (sequence of str, optional): The names of the classes; by default those of the
            scores. (default: :obj:`None`)
        worst (int, optional): Draw only so many classes, those in which the first run is worst.
            (default: :obj:`None`)
        title (str, optional): The title. (default: :obj:`None`)
        path (str, optional): The file to write; its suffix says the format.
            (default: :obj:`None`)

    Shapes:
        - **accuracy:** each :math:`(K)`

    Raises:
        ValueError: If there are not two runs, they differ in their classes, a recall is not in
            0..1, or the names are not one for each class.
    """
    if len(accuracy) < 2:
        raise ValueError(f'a comparison takes two runs or more, got {list(accuracy)}')
    runs = list(accuracy)
    recalls = []
    for name, values in accuracy.items():
        if isinstance(values, ClassificationScores):
            class_names = values.class_names if class_names is None else class_names
            values = values.class_recall
        recall = to_array(values, f'the accuracy of {name!r}', dims=(1,), finite=True)
        if recall.min() < 0 or recall.max() > 1:
            raise ValueError(f'the accuracy of {name!r} is in 0..1, got {recall.tolist()}')
        recalls.append(recall)
    sizes = [len(recall) for recall in recalls]
    if len(set(sizes)) > 1:
        raise ValueError(f'runs have the same classes, got {dict(zip(runs, sizes))}')
    names = [str(i) for i in range(sizes[0])] if class_names is None else list(class_names)
    if len(names) != sizes[0]:
        raise ValueError(f'got {len(names)} names for {sizes[0]} classes')
    if worst is not None and worst < 1:
        raise ValueError(f'worst is at least 1, got {worst}')

    share = 100 * np.stack(recalls)
    weak = np.sort(np.argsort(share[0], kind='stable')[:worst])
    gain = share[-1] - share[0]
    order = weak[np.argsort(-gain[weak], kind='stable')]

    num_runs = len(runs)
    figure = new_figure(
        4.9 + 0.085 * max(len(names[k]) for k in order),
        (num_runs + 0.6) * _BAR * len(order) + 0.12 * num_runs + 0.8 + (0.3 if title else 0),
    )
    ax = figure.add_subplot()
    thick = 1 / (num_runs + 0.6)
    rows = np.arange(len(order))
    for i, (name, values) in enumerate(zip(runs, share[:, order])):
        # The first run is the grey one that the others are compared to.
        color = '0.72' if i == 0 else COLORS[(i - 1) % len(COLORS)]
        y = rows + (i - (num_runs - 1) / 2) * thick
        bars = ax.barh(y, values, 0.92 * thick, color=color, label=name)
        ax.bar_label(bars, fmt='%.1f', padding=2, fontsize='x-small')
    ax.set_yticks(rows, [names[k] for k in order])
    ax.set_ylim(len(order) - 0.45, -0.55)
    ax.set_xlim(0, 112)  # room for the number behind a full bar
    ax.set_xticks(range(0, 101, 20))
    ax.set_xlabel('recall, %')
    ax.tick_params(axis='y', length=0)
    ax.spines[['top', 'right']].set_visible(False)
    side = ax.secondary_yaxis('right')
    side.set_yticks(rows, [f'{gain[k]:+.1f}' for k in order])
    side.tick_params(length=0)
    side.spines['right'].set_visible(False)
    side.set_ylabel('difference' if num_runs == 2 else 'last run less first')
    ax.legend(loc='lower center', bbox_to_anchor=(0.5, 1), ncols=min(num_runs, 2), frameon=False)
    return finish(figure, path, title)
