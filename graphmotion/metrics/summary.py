"""Mean and deviation over folds or runs, and the table that shows them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphmotion.metrics.classification import ClassificationScores


@dataclass(frozen=True)
class FoldSummary:
    r"""Mean and deviation of every figure over folds; made by :func:`fold_summary`.

    Args:
        mean (dict): For each figure its mean over the folds.
        std (dict): For each figure its standard deviation; NaN if there are too few folds for
            one.
        num_folds (int): The number of folds.
        pooled (ClassificationScores, optional): The scores of all folds' predictions taken
            together, from the sum of their confusion matrices. (default: :obj:`None`)
    """

    mean: dict[str, float]
    std: dict[str, float]
    num_folds: int
    pooled: ClassificationScores | None = None

    def format(self, name: str, percent: bool = False) -> str:
        r"""One figure as :obj:`"0.623 ± 0.041"`, or in per cent as :obj:`"62.3 ± 4.1"`.

        Raises:
            ValueError: If there is no such figure; the message lists those there are.
        """
        if name not in self.mean:
            raise ValueError(f'there is no figure {name!r}; there are {sorted(self.mean)}')
        mean, std = self.mean[name], self.std[name]
        scale, digits = (100, 1) if percent else (1, 3)
        deviation = '' if math.isnan(std) else f' ± {scale * std:.{digits}f}'
        return f'{scale * mean:.{digits}f}{deviation}'

    def as_dict(self) -> dict[str, Any]:
        r"""Everything as plain containers, for JSON; a deviation that is undefined is None."""
        return {
            'num_folds': self.num_folds,
            'mean': dict(self.mean),
            'std': {k: None if math.isnan(v) else v for k, v in self.std.items()},
            'pooled': self.pooled.as_dict() if self.pooled else None,
        }

    def __str__(self) -> str:
        width = max(map(len, self.mean))
        lines = [f'{name:<{width}}  {self.format(name)}' for name in self.mean]
        return '\n'.join([f'mean ± standard deviation of {self.num_folds} folds', *lines])


def fold_summary(
    folds: Sequence[ClassificationScores | Mapping[str, float]], ddof: int = 1
) -> FoldSummary:
    r"""Mean and standard deviation of every figure over the folds of a cross-validation.

    .. code-block:: python

        summary = fold_summary([scores_of_fold_0, scores_of_fold_1, ...])
        print(summary.format('accuracy', percent=True))  # 62.3 ± 4.1

    Args:
        folds (sequence): For each fold its :class:`ClassificationScores`, or a mapping of names
            to numbers, as loggers write it. The former are also pooled.
        ddof (int, optional): The deviation divides by the number of folds less this: 1 for the
            sample standard deviation, 0 for that of the population (NumPy's default).
            (default: :obj:`1`)

    Raises:
        ValueError: If there is no fold, or the folds do not have the same figures or classes.
        TypeError: If a fold is neither scores nor a mapping, or a figure is not a number.
    """
    folds = list(folds)
    if not folds:
        raise ValueError('there is no fold to summarise')
    rows = [_figures(fold, i) for i, fold in enumerate(folds)]
    for i, row in enumerate(rows):
        if row.keys() != rows[0].keys():
            raise ValueError(
                f'fold {i} and fold 0 do not have the same figures: '
                f'{sorted(row.keys() ^ rows[0].keys())}'
            )
    values = np.array([[row[name] for name in rows[0]] for row in rows])
    too_few = len(folds) <= ddof
    std = np.full(len(rows[0]), np.nan) if too_few else values.std(axis=0, ddof=ddof)
    scores = [fold for fold in folds if isinstance(fold, ClassificationScores)]
    pooled = None
    if len(scores) == len(folds):
        pooled = ClassificationScores(
            sum(score.confusion for score in scores), scores[0].class_names
        )
    return FoldSummary(
        dict(zip(rows[0], values.mean(axis=0).tolist())),
        dict(zip(rows[0], std.tolist())),
        len(folds),
        pooled,
    )


def _figures(fold: Any, i: int) -> dict[str, float]:
    if isinstance(fold, ClassificationScores):
        return fold.figures()
    if not isinstance(fold, Mapping):
        raise TypeError(
            f'fold {i} is a {type(fold).__name__}, expected ClassificationScores or a mapping'
        )
    out = {}
    for name, value in fold.items():
        try:
            out[name] = float(value)  # also of a tensor with one element
        except (TypeError, ValueError):
            raise TypeError(f'fold {i}: {name!r} is no number, got {value!r}') from None
    return out


# Headings of the table and the figures below them, after one column for each class.
_COLUMNS = {
    'mean': 'mean_one_vs_rest_accuracy',
    'precision': 'macro_precision',
    'recall': 'macro_recall',
    'F1': 'f1_of_macro_means',
    'macro-F1': 'macro_f1',
    'top-1': 'accuracy',
}


def format_table(
    rows: Mapping[str, ClassificationScores | FoldSummary],
    percent: bool = False,
    per_class: bool = True,
) -> str:
    r"""Runs as the rows of a text table.

    The columns are those of the MSA-GCN paper: for each class its
    :attr:`~ClassificationScores.one_vs_rest_accuracy`, their mean, macro precision and recall
    and :attr:`~ClassificationScores.f1_of_macro_means` as F1; and after them
    :attr:`~ClassificationScores.macro_f1` and the top-1 accuracy. Summaries of folds are written
    as mean ± deviation.

    .. code-block:: python

        print(format_table({'ST-GCN': baseline, 'MSA-GCN': scores}))

    Args:
        rows (mapping): For each run its name and its scores or the summary of its folds.
        percent (bool, optional): Write per cent instead of fractions. (default: :obj:`False`)
        per_class (bool, optional): If set to :obj:`False`, leave out the columns of the classes.
            (default: :obj:`True`)

    Raises:
        ValueError: If there is no row, or the rows are not of the same classes, or a summary
            was not made from scores.
    """
    if not rows:
        raise ValueError('a table has at least one row')
    classes: dict[str, Sequence[str]] = {}
    for name, row in rows.items():
        scores = row.pooled if isinstance(row, FoldSummary) else row
        if scores is None:
            raise ValueError(f'{name!r} is a summary of figures without scores of classes')
        classes[name] = scores.class_names
    names = next(iter(classes.values()))
    for name, found in classes.items():
        if found != names:
            raise ValueError(f'{name!r} has the classes {list(found)}, expected {list(names)}')
    columns = [(c, f'one_vs_rest_accuracy/{c}') for c in names] if per_class else []
    columns += list(_COLUMNS.items())
    lines = [['', *(heading for heading, _ in columns)]]
    for name, row in rows.items():
        lines.append([name, *(_cell(row, figure, percent) for _, figure in columns)])
    widths = [max(map(len, column)) for column in zip(*lines)]
    out = [
        '  '.join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip()
        for line in lines
    ]
    return '\n'.join([out[0], '-' * max(map(len, out)), *out[1:]])


def _cell(row: ClassificationScores | FoldSummary, figure: str, percent: bool) -> str:
    if isinstance(row, FoldSummary):
        return row.format(figure, percent)
    value = row.figures()[figure]
    return f'{100 * value:.2f}' if percent else f'{value:.4f}'
