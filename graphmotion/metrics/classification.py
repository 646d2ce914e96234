"""Figures of a single-label classifier, all derived from its confusion matrix."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphmotion.checks import check_int

Labels = Tensor | np.ndarray | Sequence[int]


def confusion_matrix(target: Labels, prediction: Labels, num_classes: int) -> Tensor:
    r"""How often each class was taken for each: rows are labels, columns are predictions.

    .. math::
        \mathbf{M}_{ij} = |\{ n : y_n = i, \hat{y}_n = j \}|

    Args:
        target (Tensor, array or sequence of int): The true classes.
        prediction (Tensor, array or sequence of int): The predicted classes.
        num_classes (int): The number of classes :math:`K`.

    Shapes:
        - **target**, **prediction:** :math:`(N)`
        - **output:** :math:`(K, K)`, integers, on the CPU

    Raises:
        ValueError: If there is no sample, the lengths differ or a label is not in
            :math:`0 .. K - 1`.
        TypeError: If the labels are not integers (scores and logits are not labels).
    """
    check_int('num_classes', num_classes, 1)
    y = check_labels(target, 'target', num_classes)
    p = check_labels(prediction, 'prediction', num_classes)
    if y.numel() != p.numel():
        raise ValueError(
            f'target and prediction have one entry for each sample, got {y.numel()} and {p.numel()}'
        )
    if y.numel() == 0:
        raise ValueError('target and prediction are empty: there is no sample to score')
    return torch.bincount(y * num_classes + p, minlength=num_classes**2).view(num_classes, -1)


def check_labels(labels: Labels, what: str, num_classes: int) -> Tensor:
    r"""Returns labels as integers on the CPU.

    Args:
        labels (Tensor, array or sequence of int): One label for each sample.
        what (str): What they are, for the error.
        num_classes (int): The number of classes :math:`K`.

    Raises:
        ValueError: If a label is not in :math:`0 .. K - 1`.
        TypeError: If the labels are not integers.
    """
    out = _check_integers(
        labels, what, 'integer labels; for scores [N, K] pass scores.argmax(dim=-1)'
    )
    if out.dim() != 1:
        raise ValueError(f'{what} has the shape {list(out.shape)}, expected one label a sample')
    wrong = ((out < 0) | (out >= num_classes)).nonzero().view(-1)
    if wrong.numel():
        first = int(wrong[0])
        raise ValueError(
            f'{what} has {wrong.numel()} labels outside 0..{num_classes - 1}, '
            f'the first is {int(out[first])} at position {first}'
        )
    return out


def _check_integers(values: Any, what: str, expected: str) -> Tensor:
    if isinstance(values, Tensor):
        found, is_integer = (
            str(values.dtype),
            not (values.is_floating_point() or values.is_complex() or values.dtype == torch.bool),
        )
    else:
        values = np.array(values)  # a copy: torch warns of arrays that are read-only
        found, is_integer = str(values.dtype), values.dtype.kind in 'iu'
    if values.shape == (0,):  # an empty list has no integer type
        return torch.empty(0, dtype=torch.long)
    if not is_integer:
        raise TypeError(f'{what} holds {found}, expected {expected}')
    return torch.as_tensor(values).detach().cpu().long()


@dataclass(frozen=True)
class ClassificationScores:
    r"""The figures of a single-label classifier, from its confusion matrix.

    For class :math:`i` the samples of the class that were recognised are its true positives
    :math:`\mathrm{TP}_i`, and with all others against it come :math:`\mathrm{FP}_i`,
    :math:`\mathrm{FN}_i` and :math:`\mathrm{TN}_i`.

    Two figures are those of the `"MSA-GCN: Multiscale Adaptive Graph Convolution Network for Gait
    Emotion Recognition" <https://arxiv.org/abs/2209.08988>`_ paper and easily mistaken:

    * :attr:`mean_one_vs_rest_accuracy`, which the paper prints as "mAP", is no average precision
      and no mean recall. True negatives count, so that with :math:`K` classes it is
      :math:`1 - \tfrac{2}{K} (1 - \mathrm{accuracy})`: with four classes never below one half.
    * :attr:`f1_of_macro_means`, which the paper prints as "F1", is the harmonic mean of the macro
      precision and the macro recall. :attr:`macro_f1` is the mean of the classes' F1.

    A class that was never predicted has precision 0; one without samples has recall 0; one with
    neither true positives nor errors has F1 0. A class that has neither samples nor predictions
    is left out of the macro means of precision, recall and F1, as in scikit-learn and
    torchmetrics.

    Args:
        counts (matrix of int): The confusion matrix :math:`(K, K)`, rows are labels, columns are
            predictions; anything that has rows of integers, kept as nested tuples so that scores
            are immutable and equal by value.
        class_names (sequence of str, optional): The names of the classes.
            (default: :obj:`"0"`, :obj:`"1"`, ...)

    Raises:
        ValueError: If the matrix is not square, is empty, has no samples or a negative count, or
            the names are not one for each class, all different.
        TypeError: If the counts are not integers.
    """

    counts: Any
    class_names: Sequence[str] = ()  # a tuple of one name a class after construction

    def __post_init__(self) -> None:
        counts = _check_integers(self.counts, 'a confusion matrix', 'integer counts')
        if counts.dim() != 2 or counts.size(0) != counts.size(1) or counts.size(0) == 0:
            raise ValueError(
                f'a confusion matrix is square, [K, K], got the shape {list(counts.shape)}'
            )
        if int(counts.min()) < 0:
            raise ValueError(f'a confusion matrix has no negative count, got {int(counts.min())}')
        if int(counts.sum()) == 0:
            raise ValueError('the confusion matrix is all zero: there is no sample to score')
        names = self.class_names or [str(i) for i in range(counts.size(0))]
        object.__setattr__(self, 'counts', tuple(map(tuple, counts.tolist())))
        object.__setattr__(self, 'class_names', _check_class_names(names, counts.size(0)))

    # Counts ###################################################################

    @property
    def confusion(self) -> Tensor:
        r"""The confusion matrix :math:`(K, K)`: rows are labels, columns are predictions."""
        return torch.tensor(self.counts)

    @property
    def num_classes(self) -> int:
        r"""The number of classes :math:`K`."""
        return len(self.counts)

    @property
    def num_samples(self) -> int:
        r"""The number of samples scored."""
        return int(self._matrix.sum())

    @property
    def support(self) -> tuple[int, ...]:
        r"""The number of samples of each class."""
        return tuple(sum(row) for row in self.counts)

    @property
    def _matrix(self) -> np.ndarray:
        return np.array(self.counts, dtype=np.float64)

    @property
    def _true_positives(self) -> np.ndarray:
        return self._matrix.diagonal()

    def _macro(self, values: Sequence[float]) -> float:
        seen = self._matrix.sum(axis=0) + self._matrix.sum(axis=1) > 0
        return float(np.mean(np.array(values)[seen]))

    # Figures ##################################################################

    @property
    def accuracy(self) -> float:
        r"""Top-1 accuracy: the share of samples whose class was recognised."""
        return float(self._true_positives.sum() / self._matrix.sum())

    @property
    def one_vs_rest_accuracy(self) -> tuple[float, ...]:
        r"""For each class :math:`(\mathrm{TP}_i + \mathrm{TN}_i) / N`; the MSA-GCN paper's
        "accuracy" of a class.
        """
        matrix = self._matrix
        errors = matrix.sum(axis=0) + matrix.sum(axis=1) - 2 * self._true_positives
        return tuple((1 - errors / matrix.sum()).tolist())

    @property
    def mean_one_vs_rest_accuracy(self) -> float:
        r"""The mean of :attr:`one_vs_rest_accuracy` over all classes; the paper's "mAP"."""
        return float(np.mean(self.one_vs_rest_accuracy))

    @property
    def class_precision(self) -> tuple[float, ...]:
        r"""For each class :math:`\mathrm{TP}_i / (\mathrm{TP}_i + \mathrm{FP}_i)`."""
        return _ratio(self._true_positives, self._matrix.sum(axis=0))

    @property
    def class_recall(self) -> tuple[float, ...]:
        r"""For each class :math:`\mathrm{TP}_i / (\mathrm{TP}_i + \mathrm{FN}_i)`."""
        return _ratio(self._true_positives, self._matrix.sum(axis=1))

    @property
    def class_f1(self) -> tuple[float, ...]:
        r"""For each class the harmonic mean of its precision and recall."""
        matrix = self._matrix
        return _ratio(2 * self._true_positives, matrix.sum(axis=0) + matrix.sum(axis=1))

    @property
    def macro_precision(self) -> float:
        r"""The mean of :attr:`class_precision`."""
        return self._macro(self.class_precision)

    @property
    def macro_recall(self) -> float:
        r"""The mean of :attr:`class_recall`, also known as balanced accuracy."""
        return self._macro(self.class_recall)

    @property
    def macro_f1(self) -> float:
        r"""The mean of :attr:`class_f1`."""
        return self._macro(self.class_f1)

    @property
    def f1_of_macro_means(self) -> float:
        r"""The harmonic mean of :attr:`macro_precision` and :attr:`macro_recall`; the MSA-GCN
        paper's "F1".
        """
        total = self.macro_precision + self.macro_recall
        return 2 * self.macro_precision * self.macro_recall / total if total > 0 else 0.0

    # Reading and writing ######################################################

    def figures(self) -> dict[str, float]:
        r"""All figures by name, those of a class as :obj:`"class_recall/happy"`."""
        out = {name: getattr(self, name) for name in OVERALL}
        for name in PER_CLASS:
            out |= {f'{name}/{c}': v for c, v in zip(self.class_names, getattr(self, name))}
        return out

    def as_dict(self) -> dict[str, Any]:
        r"""Everything as plain containers, for JSON; :meth:`from_dict` reads it back."""
        out: dict[str, Any] = {
            'num_samples': self.num_samples,
            'class_names': list(self.class_names),
            'confusion': [list(row) for row in self.counts],
            'support': dict(zip(self.class_names, self.support)),
        }
        out |= {name: getattr(self, name) for name in OVERALL}
        out |= {n: dict(zip(self.class_names, getattr(self, n))) for n in PER_CLASS}
        return out

    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any]) -> ClassificationScores:
        r"""The scores that :meth:`as_dict` wrote.

        Raises:
            ValueError: If the mapping lacks the confusion matrix.
        """
        if 'confusion' not in mapping:
            raise ValueError(f"expected the key 'confusion', got {sorted(mapping)}")
        return cls(mapping['confusion'], mapping.get('class_names', ()))


# The one place that says which figures there are.
OVERALL = (
    'accuracy',
    'mean_one_vs_rest_accuracy',
    'macro_precision',
    'macro_recall',
    'macro_f1',
    'f1_of_macro_means',
)
PER_CLASS = ('one_vs_rest_accuracy', 'class_precision', 'class_recall', 'class_f1')


def classification_scores(
    target: Labels,
    prediction: Labels,
    num_classes: int,
    class_names: Sequence[str] | None = None,
) -> ClassificationScores:
    r"""The figures of a single-label classifier.

    .. code-block:: python

        scores = classification_scores(y, logits.argmax(dim=-1), num_classes=4)
        scores.accuracy, scores.macro_f1

    Args:
        target (Tensor, array or sequence of int): The true classes.
        prediction (Tensor, array or sequence of int): The predicted classes.
        num_classes (int): The number of classes :math:`K`.
        class_names (sequence of str, optional): The names of the classes. (default: :obj:`None`)

    Shapes:
        - **target**, **prediction:** :math:`(N)`

    Raises:
        ValueError: If there is no sample, the lengths differ, a label is not in
            :math:`0 .. K - 1`, or the names are not one for each class.
        TypeError: If the labels are not integers.
    """
    counts = confusion_matrix(target, prediction, num_classes)
    return ClassificationScores(counts, class_names or ())


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> tuple[float, ...]:
    """Quotients, zero where the denominator is."""
    return tuple((numerator / np.where(denominator > 0, denominator, 1)).tolist())


def _check_class_names(names: Iterable[Any], num_classes: int) -> tuple[str, ...]:
    if isinstance(names, str):
        raise ValueError(f'class_names is a list of names, got the str {names!r}')
    out = tuple(str(name) for name in names)
    if len(out) != num_classes:
        raise ValueError(f'class_names has {len(out)} names for {num_classes} classes')
    if len(set(out)) != len(out):
        raise ValueError(f'class_names are not all different: {list(out)}')
    return out
