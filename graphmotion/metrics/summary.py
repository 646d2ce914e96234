"""Mean and standard deviation over folds or runs, and a table of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphmotion.checks import check_choice
from graphmotion.metrics.classification import ClassificationScores
from graphmotion.metrics.markdown import align_columns


@dataclass(frozen=True)
class FoldSummary:
    r"""Mean and standard deviation of metrics over folds, returned by :func:`fold_summary`.

    .. code-block:: python

        folds = [ClassificationScores([[8, 2], [1, 9]]), ClassificationScores([[7, 3], [2, 8]])]
        summary = fold_summary(folds)
        print(summary.format('accuracy', percent=True))  # 80.0 ± 7.1

    Args:
        mean (dict): Mean of each metric over the folds.
        std (dict): Standard deviation of each metric over the folds; NaN if there are too few
            folds.
        num_folds (int): Number of folds.
        pooled (ClassificationScores, optional): Scores of the predictions of all folds, computed
            from the sum of the confusion matrices. (default: :obj:`None`)
    """

    mean: dict[str, float]
    std: dict[str, float]
    num_folds: int
    pooled: ClassificationScores | None = None

    def format(self, name: str, percent: bool = False) -> str:
        r"""Returns a metric as text, :obj:`"0.623 ± 0.041"` or in percent :obj:`"62.3 ± 4.1"`.

        Raises:
            ValueError: If there is no metric of this name.
        """
        check_choice('name', name, sorted(self.mean))
        mean, std = self.mean[name], self.std[name]
        scale, digits = (100, 1) if percent else (1, 3)
        deviation = '' if math.isnan(std) else f' ± {scale * std:.{digits}f}'
        return f'{scale * mean:.{digits}f}{deviation}'

    def as_dict(self) -> dict[str, Any]:
        r"""Returns plain containers for JSON; an undefined deviation is None."""
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
    r"""Computes mean and standard deviation of all metrics over the folds of a cross-validation.

    .. code-block:: python

        folds = [[[9, 1], [2, 8]], [[7, 3], [1, 9]]]  # counts of true and predicted classes
        summary = fold_summary([ClassificationScores(counts) for counts in folds])
        print(summary.format('accuracy', percent=True))  # 82.5 ± 3.5

    Args:
        folds (sequence): :class:`ClassificationScores` of each fold, or a mapping from names to
            numbers, as written by loggers. If all folds are :class:`ClassificationScores`, they
            are also pooled.
        ddof (int, optional): Delta degrees of freedom: the divisor of the variance is the number
            of folds minus :obj:`ddof`. 1 gives the sample standard deviation, 0 the population
            standard deviation (the default of NumPy). (default: :obj:`1`)

    Raises:
        ValueError: If there are no folds, or the folds differ in their metrics or classes.
        TypeError: If a fold is neither scores nor a mapping, or a metric is not a number.
    """
    folds = list(folds)
    if not folds:
        raise ValueError('folds must not be empty')
    rows = [_figures(fold, i) for i, fold in enumerate(folds)]
    for i, row in enumerate(rows):
        if row.keys() != rows[0].keys():
            raise ValueError(
                f'all folds must have the same metrics, got a difference between fold {i} and '
                f'fold 0: {sorted(row.keys() ^ rows[0].keys())}'
            )
    values = np.array([[row[name] for name in rows[0]] for row in rows])
    too_few = len(folds) <= ddof
    std = np.full(len(rows[0]), np.nan) if too_few else values.std(axis=0, ddof=ddof)
    scores = [fold for fold in folds if isinstance(fold, ClassificationScores)]
    pooled = None
    if len(scores) == len(folds):
        for i, score in enumerate(scores):
            if score.class_names != scores[0].class_names:
                raise ValueError(
                    f'all folds must have the same classes in the same order, got '
                    f'{score.class_names} in fold {i} and {scores[0].class_names} in fold 0'
                )
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
            f'fold {i} must be ClassificationScores or a mapping, got {type(fold).__name__}'
        )
    out = {}
    for name, value in fold.items():
        try:
            out[name] = float(value)  # tensors with one element are also numbers
        except (TypeError, ValueError):
            raise TypeError(f'fold {i}: {name!r} must be a number, got {value!r}') from None
    return out


# Heading and metric of each column, after one column for each class.
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
    r"""Returns a text table with one row per run.

    The first columns are those of the MSA-GCN paper:
    :attr:`~ClassificationScores.one_vs_rest_accuracy` of each class, its mean, macro precision,
    macro recall and :attr:`~ClassificationScores.f1_of_macro_means` as F1. They are followed by
    :attr:`~ClassificationScores.macro_f1` and top-1 accuracy. Summaries of folds are written as
    mean ± standard deviation.

    .. code-block:: python

        rows = {'ST-GCN': [[8, 2], [3, 7]], 'MSA-GCN': [[9, 1], [2, 8]]}
        print(format_table({name: ClassificationScores(counts) for name, counts in rows.items()}))

    Args:
        rows (mapping): Scores of each run, or the summary of its folds, by the name of the run.
        percent (bool, optional): If set to :obj:`True`, writes percentages instead of fractions.
            (default: :obj:`False`)
        per_class (bool, optional): If set to :obj:`False`, omits the columns of single classes.
            (default: :obj:`True`)

    Raises:
        ValueError: If there are no rows, the rows differ in their classes, or a summary was not
            computed from scores.
    """
    if not rows:
        raise ValueError('rows must not be empty')
    classes: dict[str, Sequence[str]] = {}
    for name, row in rows.items():
        scores = row.pooled if isinstance(row, FoldSummary) else row
        if scores is None:
            raise ValueError(f'row {name!r} must summarise ClassificationScores, got only metrics')
        classes[name] = scores.class_names
    names = next(iter(classes.values()))
    for name, found in classes.items():
        if found != names:
            raise ValueError(f'row {name!r} must have classes {list(names)}, got {list(found)}')
    columns = [(c, f'one_vs_rest_accuracy/{c}') for c in names] if per_class else []
    columns += list(_COLUMNS.items())
    lines = [['', *(heading for heading, _ in columns)]]
    for name, row in rows.items():
        lines.append([name, *(_cell(row, metric, percent) for _, metric in columns)])
    is_left = [i == 0 for i in range(len(lines[0]))]
    out = ['  '.join(line).rstrip() for line in align_columns(lines, is_left)]
    return '\n'.join([out[0], '-' * max(map(len, out)), *out[1:]])


def _cell(row: ClassificationScores | FoldSummary, metric: str, percent: bool) -> str:
    if isinstance(row, FoldSummary):
        return row.format(metric, percent)
    value = row.figures()[metric]
    return f'{100 * value:.2f}' if percent else f'{value:.4f}'
