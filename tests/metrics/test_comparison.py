from itertools import product

import numpy as np
import pytest
from scipy.stats import binom, norm

from graphmotion.metrics import compare_paired


def outcomes(both, first, second, neither):
    pairs = [(1, 1)] * both + [(1, 0)] * first + [(0, 1)] * second + [(0, 0)] * neither
    return tuple(np.array(pairs).T)


def test_mcnemar():
    result = compare_paired(*outcomes(20, 9, 2, 7))
    assert result.first == pytest.approx(29 / 38)
    assert result.second == pytest.approx(22 / 38)
    assert result.difference == pytest.approx(7 / 38)
    assert result.p_value == pytest.approx(2 * binom.cdf(2, 11, 0.5))
    assert (result.num_samples, result.num_groups) == (38, 38)


def test_models_that_agree():
    result = compare_paired(*outcomes(5, 0, 0, 3))
    assert result.p_value == 1
    assert result.difference == 0
    assert result.interval == (0, 0)


def test_the_interval_of_many_samples_is_normal():
    result = compare_paired(*outcomes(500, 200, 100, 200), confidence=0.9)
    deviation = np.sqrt((0.3 - 0.1**2) / 1000)
    expected = 0.1 + norm.ppf([0.05, 0.95]) * deviation
    np.testing.assert_allclose(result.interval, expected, atol=2e-3)


def test_groups_are_permuted_together():
    generator = np.random.default_rng(1)
    groups = np.repeat(np.arange(8), 5)
    first = (generator.random(40) < 0.8).astype(int)
    second = (generator.random(40) < 0.5).astype(int)
    gain = [int((first - second)[groups == g].sum()) for g in range(8)]
    signs = list(product([-1, 1], repeat=8))
    totals = [abs(sum(s * g for s, g in zip(sign, gain))) for sign in signs]
    exact = np.mean([total >= abs(sum(gain)) for total in totals])
    result = compare_paired(first, second, [f's{g}' for g in groups])
    assert result.p_value == pytest.approx(exact, abs=0.01)
    assert result.num_groups == 8


def test_few_groups_widen_the_interval():
    """A gain on all samples of half the subjects is uncertain, however many samples they have."""
    first = np.repeat([1, 1, 1, 0, 0, 0], 100)
    second = np.zeros(600)
    by_sample = compare_paired(first, second).interval
    low, high = compare_paired(first, second, np.repeat(np.arange(6), 100)).interval
    assert low < by_sample[0] - 0.1
    assert high > by_sample[1] + 0.1


def test_groups_of_unequal_size_are_weighted_by_their_samples():
    first, second = [1, 1, 1, 0], [0, 0, 0, 0]
    result = compare_paired(first, second, [0, 0, 0, 1], num_resamples=2000)
    # Group 0 twice, both groups, or group 1 twice.
    assert result.difference == 0.75
    assert result.interval == (0, 1)


def test_the_seed_determines_the_result():
    pair = outcomes(20, 9, 4, 7)
    assert compare_paired(*pair, seed=3) == compare_paired(*pair, seed=3)
    assert 'p = ' in str(compare_paired(*pair))


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (([], []), 'first must be a non-empty sequence'),
        (([0, 2], [0, 1]), 'first must be'),
        (([0, 1], [0, 1, 1]), 'second must have one value for each of the 2 samples'),
        (([0, 1], [0, 1], [1]), 'groups must have one value'),
        (([0, 1], [0, 1], None, 1.0), 'confidence must be between 0 and 1'),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        compare_paired(*arguments)
