"""Confusion matrices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from graphmotion.metrics import ClassificationScores
from graphmotion.visualization._figure import Figure, PathLike, finish, new_figure


def plot_confusion_matrix(
    confusion: ClassificationScores | Tensor | np.ndarray | Sequence[Sequence[int]],
    class_names: Sequence[str] | None = None,
    title: str | None = None,
    path: PathLike | None = None,
) -> Figure:
    r"""Draw a confusion matrix: rows are labels, columns are predictions.

    Each cell shows the count and its share of the row in per cent, which also is its colour, so
    that the diagonal shows the recall. Matrices of more than 12 classes show the share alone,
    those of more than 30 colours alone.

    .. code-block:: python

        plot_confusion_matrix(scores, path='confusion.png')

    Args:
        confusion (ClassificationScores or Tensor): Scores, or a matrix of counts.
        class_names (sequence of str, optional): The names of the classes; by default those of the
            scores. (default: :obj:`None`)
        title (str, optional): The title. (default: :obj:`None`)
        path (str, optional): The file to write; its suffix says the format.
            (default: :obj:`None`)

    Shapes:
        - **confusion:** :math:`(K, K)`, integers

    Raises:
        ValueError: If the matrix is not square, has no samples or a negative count, or the names
            are not one for each class.
        TypeError: If the counts are not integers.
    """
    if isinstance(confusion, ClassificationScores):
        class_names = class_names or confusion.class_names
        confusion = confusion.counts
    scores = ClassificationScores(confusion, class_names or ())
    counts, num_classes = np.array(scores.counts), scores.num_classes
    total = counts.sum(axis=1, keepdims=True)
    share = 100 * counts / np.where(total > 0, total, 1)

    few, readable = num_classes <= 12, num_classes <= 30
    side = max(2.0, (0.62 if few else 0.36 if readable else 0.2) * num_classes)
    longest = max(map(len, scores.class_names)) * (0.09 if few else 0.07)  # in inches
    turned = longest > (0.75 if few else 0.2)
    figure = new_figure(side + 1.3 + longest, side + 0.7 + (0.7 * longest if turned else 0))
    ax = figure.add_subplot()
    image = ax.imshow(share, cmap='Blues', vmin=0, vmax=100)
    fontsize = 'medium' if few else 'x-small'
    ax.set_xticks(range(num_classes), scores.class_names, fontsize=fontsize)
    if turned:
        for label in ax.get_xticklabels():
            label.set(rotation=45, ha='right', rotation_mode='anchor')
    ax.set_yticks(range(num_classes), scores.class_names, fontsize=fontsize)
    ax.tick_params(length=0)
    ax.set_xlabel('predicted')
    ax.set_ylabel('label')
    bar = figure.colorbar(image, ax=ax, shrink=0.8, pad=0.02)
    bar.set_label('share of the label, %')
    bar.outline.set_visible(False)
    for row, column in np.ndindex(counts.shape) if readable else ():
        if counts[row, column] == 0 and not few:
            continue
        per_cent = f'{share[row, column]:.0f}'
        ax.text(
            column,
            row,
            f'{counts[row, column]}\n{per_cent}%' if few else per_cent,
            ha='center',
            va='center',
            fontsize='small' if few else 'xx-small',
            color='white' if share[row, column] > 55 else 'black',
        )
    return finish(figure, path, title)
