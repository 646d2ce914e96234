"""Confusion matrices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from graphmotion.metrics import ClassificationScores
from graphmotion.visualization._figure import Figure, PathLike, finish_figure, new_figure

_MAX_WITH_COUNTS, _MAX_WITH_TEXT = 12, 30  # classes


def plot_confusion_matrix(
    confusion: ClassificationScores | Tensor | np.ndarray | Sequence[Sequence[int]],
    class_names: Sequence[str] | None = None,
    title: str | None = None,
    path: PathLike | None = None,
) -> Figure:
    r"""Plots a confusion matrix with true classes as rows and predictions as columns.

    Each cell shows the count and the percentage of its row. The colour is the percentage, so that
    the diagonal shows the recall of each class. Matrices of more than 12 classes show percentages
    only, and matrices of more than 30 classes show colours only.

    .. code-block:: python

        counts = [[8, 2, 0], [1, 9, 0], [0, 3, 7]]
        plot_confusion_matrix(counts, ['happy', 'sad', 'angry'])

    Args:
        confusion (ClassificationScores or Tensor): Scores, or a matrix of counts.
        class_names (sequence of str, optional): The class names. If set to :obj:`None`, they are
            taken from the scores. (default: :obj:`None`)
        title (str, optional): The title of the figure. (default: :obj:`None`)
        path (str, optional): The file to save the figure to; its suffix sets the format.
            (default: :obj:`None`)

    Shapes:
        - **confusion:** :math:`(K, K)`, integers

    Raises:
        ValueError: If the matrix is not square, is all zero or has a negative count, or if the
            number of names does not match the number of classes.
        TypeError: If the counts are not integers.
    """
    if isinstance(confusion, ClassificationScores):
        class_names = class_names or confusion.class_names
        confusion = confusion.counts
    scores = ClassificationScores(confusion, class_names or ())
    counts, num_classes = np.array(scores.counts), scores.num_classes
    total = counts.sum(axis=1, keepdims=True)
    percent = 100 * counts / np.where(total > 0, total, 1)

    with_counts, with_text = num_classes <= _MAX_WITH_COUNTS, num_classes <= _MAX_WITH_TEXT
    side = max(2.0, (0.62 if with_counts else 0.36 if with_text else 0.2) * num_classes)
    label_length = max(map(len, scores.class_names)) * (0.09 if with_counts else 0.07)  # inches
    rotated = label_length > (0.75 if with_counts else 0.2)
    figure = new_figure(
        side + 1.3 + label_length, side + 0.7 + (0.7 * label_length if rotated else 0)
    )
    ax = figure.add_subplot()
    image = ax.imshow(percent, cmap='Blues', vmin=0, vmax=100)
    fontsize = 'medium' if with_counts else 'x-small'
    ax.set_xticks(range(num_classes), scores.class_names, fontsize=fontsize)
    if rotated:
        for label in ax.get_xticklabels():
            label.set(rotation=45, ha='right', rotation_mode='anchor')
    ax.set_yticks(range(num_classes), scores.class_names, fontsize=fontsize)
    ax.tick_params(length=0)
    ax.set_xlabel('predicted class')
    ax.set_ylabel('true class')
    bar = figure.colorbar(image, ax=ax, shrink=0.8, pad=0.02)
    bar.set_label('percentage of true class')
    bar.outline.set_visible(False)
    for row, column in np.ndindex(counts.shape) if with_text else ():
        if counts[row, column] == 0 and not with_counts:
            continue
        rounded = f'{percent[row, column]:.0f}'
        ax.text(
            column,
            row,
            f'{counts[row, column]}\n{rounded}%' if with_counts else rounded,
            ha='center',
            va='center',
            fontsize='small' if with_counts else 'xx-small',
            color='white' if percent[row, column] > 55 else 'black',
        )
    return finish_figure(figure, path, title)
