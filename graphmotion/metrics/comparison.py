"""Paired comparison of two models on the same samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from graphmotion.checks import check_int

# Number of resampled values drawn at once, which bounds the memory.
_BLOCK = 4_000_000


@dataclass(frozen=True)
class PairedComparison:
    r"""The difference between two models on the same samples, returned by :func:`compare_paired`.

    .. code-block:: python

        first = torch.rand(200, generator=torch.Generator().manual_seed(0)) < 0.8
        second = torch.rand(200, generator=torch.Generator().manual_seed(1)) < 0.7
        comparison = compare_paired(first, second)
        print(comparison.difference, comparison.interval, comparison.p_value)

    Args:
        first (float): Accuracy of the first model.
        second (float): Accuracy of the second model.
        difference (float): Accuracy of the first minus accuracy of the second model.
        interval (tuple of float): Confidence interval of the difference.
        confidence (float): Its level.
        p_value (float): Two-sided :math:`p` value of no difference.
        test (str): Name of the test.
        num_samples (int): Number of samples.
        num_groups (int): Number of groups that were resampled: samples or, for example, subjects.
    """

    first: float
    second: float
    difference: float
    interval: tuple[float, float]
    confidence: float
    p_value: float
    test: str
    num_samples: int
    num_groups: int

    def __str__(self) -> str:
        low, high = (100 * bound for bound in self.interval)
        return (
            f'{100 * self.first:.1f} - {100 * self.second:.1f} = {100 * self.difference:+.1f} '
            f'[{low:+.1f}, {high:+.1f}] ({100 * self.confidence:g} % interval), '
            f'p = {self.p_value:.3g} ({self.test}), {self.num_samples} samples in '
            f'{self.num_groups} groups'
        )


def compare_paired(
    first: Sequence[bool] | np.ndarray,
    second: Sequence[bool] | np.ndarray,
    groups: Sequence | np.ndarray | None = None,
    confidence: float = 0.95,
    num_resamples: int = 10_000,
    seed: int = 0,
) -> PairedComparison:
    r"""Compares the accuracies of two models on the same samples.

    The confidence interval is that of a percentile bootstrap over samples, or over groups if
    samples are not independent, such as the walks of a subject. The test is McNemar's exact test,
    a binomial test on the samples that a single model classifies correctly, or, with groups, a
    permutation test that exchanges both models in random groups.

    .. code-block:: python

        >>> compare_paired([1, 1, 1, 1, 1, 1, 0], [0, 0, 0, 0, 0, 0, 1]).p_value
        0.125

    Args:
        first (sequence of bool): Whether the first model is correct on each sample.
        second (sequence of bool): The same for the second model.
        groups (sequence, optional): Group of each sample, such as its subject.
            (default: :obj:`None`)
        confidence (float, optional): Level of the confidence interval. (default: :obj:`0.95`)
        num_resamples (int, optional): Number of bootstrap samples and permutations.
            (default: :obj:`10_000`)
        seed (int, optional): Seed of the resampling. (default: :obj:`0`)

    Raises:
        ValueError: If the arguments differ in length, are empty or hold other values than 0 and 1,
            or :obj:`confidence` is not between 0 and 1.
    """
    hits = [_parse('first', first), _parse('second', second)]
    num_samples = len(hits[0])
    labels = np.arange(num_samples) if groups is None else np.asarray(groups)
    for name, values in (('second', hits[1]), ('groups', labels)):
        if values.shape != hits[0].shape:
            raise ValueError(
                f'{name} must have one value for each of the {num_samples} samples of first, '
                f'got shape {list(values.shape)}'
            )
    if not 0 < confidence < 1:
        raise ValueError(f'confidence must be between 0 and 1, got {confidence}')
    check_int('num_resamples', num_resamples, 1)
    group = np.unique(labels, return_inverse=True)[1]
    size = np.bincount(group).astype(float)
    gain = np.bincount(group, hits[0] - hits[1])
    generator = np.random.default_rng(seed)
    num_groups = len(size)
    block = max(1, _BLOCK // num_groups)
    differences, extreme = [], 0
    for start in range(0, num_resamples, block):
        count = min(block, num_resamples - start)
        draw = generator.integers(num_groups, size=(count, num_groups))
        differences.append(gain[draw].sum(axis=1) / size[draw].sum(axis=1))
        if groups is not None:
            signs = generator.choice([-1.0, 1.0], size=(count, num_groups))
            extreme += int((abs(signs @ gain) >= abs(gain.sum()) - 1e-9).sum())
    tail = 50 * (1 - confidence)
    low, high = np.percentile(np.concatenate(differences), [tail, 100 - tail])
    if groups is None:
        better, worse = int((gain > 0).sum()), int((gain < 0).sum())
        from scipy.stats import binomtest  # takes a second to import

        p_value = float(binomtest(better, better + worse).pvalue) if better + worse else 1.0
    else:
        p_value = (extreme + 1) / (num_resamples + 1)
    return PairedComparison(
        first=float(hits[0].mean()),
        second=float(hits[1].mean()),
        difference=float(gain.sum() / num_samples),
        interval=(float(low), float(high)),
        confidence=confidence,
        p_value=p_value,
        test='exact McNemar test' if groups is None else 'permutation test over groups',
        num_samples=num_samples,
        num_groups=num_groups,
    )


def _parse(name: str, values: Sequence[bool] | np.ndarray) -> np.ndarray:
    array = np.asarray(values, dtype=float)
    if array.ndim != 1 or not array.size or not np.isin(array, (0, 1)).all():
        raise ValueError(
            f'{name} must be a non-empty sequence of 0 and 1, whether each sample is correct, got '
            f'shape {list(array.shape)}'
        )
    return array
