"""Metrics of a single-label classifier, all derived from its confusion matrix."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphmotion.metrics.confusion import Labels, check_integers, confusion_matrix


@dataclass(frozen=True)
class ClassificationScores:
    r"""Metrics of a single-label classifier, computed from its confusion matrix.

    The correctly predicted samples of class :math:`i` are its true positives
    :math:`\mathrm{TP}_i`; :math:`\mathrm{FP}_i`, :math:`\mathrm{FN}_i` and :math:`\mathrm{TN}_i`
    count the other outcomes of class :math:`i` against all other classes.

    Two metrics follow the `"MSA-GCN: Multiscale Adaptive Graph Convolution Network for Gait
    Emotion Recognition" <https://arxiv.org/abs/2209.08988>`_ paper and are easily misread:

    * :attr:`mean_one_vs_rest_accuracy`, which the paper prints as "mAP", is neither an average
      precision nor a mean recall. Since true negatives count, it equals
      :math:`1 - \tfrac{2}{K} (1 - \mathrm{accuracy})` for :math:`K` classes, which is at least one
      half for four classes.
    * :attr:`f1_of_macro_means`, which the paper prints as "F1", is the harmonic mean of macro
      precision and macro recall. :attr:`macro_f1` is the mean F1 of the classes.

    A class that is never predicted has precision 0, a class without samples has recall 0, and a
    class with neither has F1 0. A class with neither samples nor predictions is excluded from
    macro precision, recall and F1, as in scikit-learn and torchmetrics.

    .. code-block:: python

        >>> scores = ClassificationScores([[8, 2], [1, 9]], ('wave', 'clap'))
        >>> round(scores.accuracy, 2), scores.class_recall
        (0.85, (0.8, 0.9))

    Args:
        counts (matrix of int): Confusion matrix :math:`(K, K)` with labels in rows and predictions
            in columns, as a tensor, an array or nested sequences. Stored as nested tuples, so that
            scores are immutable and compare by value.
        class_names (sequence of str, optional): Name of each class.
            (default: :obj:`"0"`, :obj:`"1"`, ...)

    Raises:
        ValueError: If the matrix is not square, is empty, has no samples or a negative count, or
            if there is not one distinct name per class.
        TypeError: If the counts are not integers.
    """

    counts: Any
    class_names: Sequence[str] = ()  # a tuple with one name per class after construction

    def __post_init__(self) -> None:
        counts = check_integers(self.counts, 'counts', 'integer counts')
        if counts.dim() != 2 or counts.size(0) != counts.size(1) or counts.size(0) == 0:
            raise ValueError(
                f'counts must be a square matrix [K, K], got shape {list(counts.shape)}'
            )
        if int(counts.min()) < 0:
            raise ValueError(f'counts must not be negative, got {int(counts.min())}')
        if int(counts.sum()) == 0:
            raise ValueError('counts must contain at least one sample, got all zero')
        names = self.class_names or [str(i) for i in range(counts.size(0))]
        object.__setattr__(self, 'counts', tuple(map(tuple, counts.tolist())))
        object.__setattr__(self, 'class_names', _check_class_names(names, counts.size(0)))

    # Counts ###################################################################

    @property
    def confusion(self) -> Tensor:
        r"""Confusion matrix :math:`(K, K)`; rows are labels, columns are predictions."""
        return torch.tensor(self.counts)

    @property
    def num_classes(self) -> int:
        r"""Number of classes :math:`K`."""
        return len(self.counts)

    @property
    def num_samples(self) -> int:
        r"""Number of samples."""
        return int(self._matrix.sum())

    @property
    def support(self) -> tuple[int, ...]:
        r"""Number of samples of each class."""
        return tuple(sum(row) for row in self.counts)

    @property
    def _matrix(self) -> np.ndarray:
        return np.array(self.counts, dtype=np.float64)

    @property
    def _true_positives(self) -> np.ndarray:
        return self._matrix.diagonal()

    def _macro(self, values: Sequence[float]) -> float:
        present = self._matrix.sum(axis=0) + self._matrix.sum(axis=1) > 0
        return float(np.mean(np.array(values)[present]))

    # Metrics ##################################################################

    @property
    def accuracy(self) -> float:
        r"""Top-1 accuracy: the fraction of correct predictions."""
        return float(self._true_positives.sum() / self._matrix.sum())

    @property
    def one_vs_rest_accuracy(self) -> tuple[float, ...]:
        r"""One-vs-rest accuracy :math:`(\mathrm{TP}_i + \mathrm{TN}_i) / N` of each class, the
        accuracy per class of the MSA-GCN paper.
        """
        matrix = self._matrix
        errors = matrix.sum(axis=0) + matrix.sum(axis=1) - 2 * self._true_positives
        return tuple((1 - errors / matrix.sum()).tolist())

    @property
    def mean_one_vs_rest_accuracy(self) -> float:
        r"""Mean of :attr:`one_vs_rest_accuracy` over all classes, "mAP" in the MSA-GCN paper."""
        return float(np.mean(self.one_vs_rest_accuracy))

    @property
    def class_precision(self) -> tuple[float, ...]:
        r"""Precision :math:`\mathrm{TP}_i / (\mathrm{TP}_i + \mathrm{FP}_i)` of each class."""
        return _ratio(self._true_positives, self._matrix.sum(axis=0))

    @property
    def class_recall(self) -> tuple[float, ...]:
        r"""Recall :math:`\mathrm{TP}_i / (\mathrm{TP}_i + \mathrm{FN}_i)` of each class."""
        return _ratio(self._true_positives, self._matrix.sum(axis=1))

    @property
    def class_f1(self) -> tuple[float, ...]:
        r"""Harmonic mean of the precision and the recall of each class."""
        matrix = self._matrix
        return _ratio(2 * self._true_positives, matrix.sum(axis=0) + matrix.sum(axis=1))

    @property
    def macro_precision(self) -> float:
        r"""Mean of :attr:`class_precision`."""
        return self._macro(self.class_precision)

    @property
    def macro_recall(self) -> float:
        r"""Mean of :attr:`class_recall`, also known as balanced accuracy."""
        return self._macro(self.class_recall)

    @property
    def macro_f1(self) -> float:
        r"""Mean of :attr:`class_f1`."""
        return self._macro(self.class_f1)

    @property
    def f1_of_macro_means(self) -> float:
        r"""Harmonic mean of :attr:`macro_precision` and :attr:`macro_recall`, "F1" in the MSA-GCN
        paper.
        """
        total = self.macro_precision + self.macro_recall
        return 2 * self.macro_precision * self.macro_recall / total if total > 0 else 0.0

    # Serialisation ############################################################

    def figures(self) -> dict[str, float]:
        r"""Returns all metrics by name; metrics of one class have names such as
        :obj:`"class_recall/happy"`.
        """
        out = {name: getattr(self, name) for name in OVERALL}
        for name in PER_CLASS:
            out |= {f'{name}/{c}': v for c, v in zip(self.class_names, getattr(self, name))}
        return out

    def as_dict(self) -> dict[str, Any]:
        r"""Returns plain containers for JSON, which :meth:`from_dict` reads."""
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
        r"""Restores scores from the output of :meth:`as_dict`.

        Raises:
            ValueError: If the mapping lacks the confusion matrix.
        """
        if 'confusion' not in mapping:
            raise ValueError(f"mapping must have the key 'confusion', got {sorted(mapping)}")
        return cls(mapping['confusion'], mapping.get('class_names', ()))


# Names of the metrics over all classes and per class, used by all formats.
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
    r"""Computes the metrics of a single-label classifier.

    .. code-block:: python

        y, predicted = torch.tensor([0, 1, 2, 3, 3]), torch.tensor([0, 1, 2, 3, 0])
        scores = classification_scores(y, predicted, num_classes=4)
        scores.accuracy, scores.macro_f1

    Args:
        target (Tensor, array or sequence of int): True class of each sample.
        prediction (Tensor, array or sequence of int): Predicted class of each sample.
        num_classes (int): Number of classes :math:`K`.
        class_names (sequence of str, optional): Name of each class. (default: :obj:`None`)

    Shapes:
        - **target**, **prediction:** :math:`(N)`

    Raises:
        ValueError: If there are no samples, the lengths differ, a label is not in
            :math:`[0, K)`, or there is not one distinct name per class.
        TypeError: If the labels are not integers.
    """
    counts = confusion_matrix(target, prediction, num_classes)
    return ClassificationScores(counts, class_names or ())


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> tuple[float, ...]:
    """Returns quotients, zero where the denominator is zero."""
    return tuple((numerator / np.where(denominator > 0, denominator, 1)).tolist())


def _check_class_names(names: Iterable[Any], num_classes: int) -> tuple[str, ...]:
    if isinstance(names, str):
        raise ValueError(f'class_names must be a sequence of names, got the string {names!r}')
    out = tuple(str(name) for name in names)
    if len(out) != num_classes or len(set(out)) != len(out):
        raise ValueError(f'class_names must be {num_classes} distinct names, got {list(out)}')
    return out
