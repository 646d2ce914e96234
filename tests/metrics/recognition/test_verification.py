import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import norm
from sklearn.metrics import det_curve, roc_curve
from sklearn.metrics.pairwise import cosine_distances, euclidean_distances

from graphmotion.metrics import (
    CASIA_B_LT,
    VerificationScores,
    retrieve,
    verification_scores,
)
from graphmotion.metrics.recognition import verification

from .gait_labels import casia_b_labels

SMALL = replace(CASIA_B_LT, train_subjects=1)
MATRIX = {'cosine': cosine_distances, 'euclidean': euclidean_distances}


def draw(*size, seed=0):
    return torch.randn(*size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def tied(num_genuine=60, num_impostors=90, seed=0):
    """Distances on a grid, so that many are equal."""
    genuine = (4 * draw(num_genuine, seed=seed)).round() / 4
    return genuine, (4 * draw(num_impostors, seed=seed + 1) + 4).round() / 4


@pytest.mark.parametrize('separation', [0.5, 1.0, 2.0])
def test_normal_distances(separation):
    quantiles = torch.from_numpy(norm.ppf((np.arange(20000) + 0.5) / 20000))
    scores = VerificationScores(quantiles, quantiles + separation)
    assert scores.equal_error_rate == pytest.approx(norm.cdf(-separation / 2), abs=1e-4)
    assert scores.equal_error_threshold == pytest.approx(separation / 2, abs=1e-3)
    for rate in (0.001, 0.01, 0.1):
        threshold = separation + norm.ppf(rate)
        assert scores.threshold_at(rate) == pytest.approx(threshold, abs=0.02)
        assert scores.true_accept_rate(rate) == pytest.approx(norm.cdf(threshold), abs=0.003)


def test_rates_match_a_count_over_the_pairs():
    genuine, impostor = tied()
    scores = VerificationScores(genuine, impostor)
    thresholds = torch.tensor([-9.0, -0.25, 0.0, 0.1, 0.75, 9.0, math.inf], dtype=torch.float64)
    accept, reject = scores.false_accept_rate(thresholds), scores.false_reject_rate(thresholds)
    for i, threshold in enumerate(thresholds.tolist()):
        assert accept[i] == sum(d < threshold for d in impostor.tolist()) / 90
        assert reject[i] == pytest.approx(sum(d >= threshold for d in genuine.tolist()) / 60)


@pytest.mark.parametrize('rate', [0, 0.01, 1 / 90, 0.07, 0.29, 0.5, 1])
def test_threshold_is_the_largest_with_the_rate(rate):
    genuine, impostor = tied()
    scores = VerificationScores(genuine, impostor)
    thresholds = sorted({*genuine.tolist(), *impostor.tolist(), math.inf})
    allowed = [t for t in thresholds if (impostor < t).double().mean() <= rate]
    assert scores.threshold_at(rate) == max(allowed)
    expected = max(float((genuine < t).double().mean()) for t in allowed)
    assert scores.true_accept_rate(rate) == pytest.approx(expected)


def test_rate_of_a_whole_number_of_pairs():
    scores = VerificationScores(torch.zeros(1), torch.arange(1.0, 101))
    for count in range(101):
        assert float(scores.false_accept_rate(scores.threshold_at(count / 100))) == count / 100


@pytest.mark.parametrize('ties', [True, False])
def test_curve_passes_through_the_points_of_sklearn(ties):
    genuine, impostor = tied() if ties else (draw(60), draw(90, seed=1) + 1)
    found = VerificationScores(genuine, impostor).det_curve()
    accept, reject, threshold = (values.numpy() for values in found)
    assert (accept[0], reject[0], accept[-1], reject[-1]) == (0, 1, 1, 0)
    assert threshold[-1] == math.inf
    is_genuine = np.r_[np.ones(60), np.zeros(90)]
    score = -torch.cat([genuine, impostor]).numpy()
    for drop in (True, False):
        false, true, _ = roc_curve(is_genuine, score, drop_intermediate=drop)
        for x, y in zip(false, 1 - true):  # on a step or a slope of the curve
            on_segment = [
                min(accept[i : i + 2]) - 1e-9 <= x <= max(accept[i : i + 2]) + 1e-9
                and abs(
                    (accept[i + 1] - accept[i]) * (y - reject[i])
                    - (reject[i + 1] - reject[i]) * (x - accept[i])
                )
                < 1e-9
                for i in range(len(accept) - 1)
            ]
            assert any(on_segment)
    false, missed, _ = det_curve(is_genuine, score)
    corners = set(zip(np.round(false, 9), np.round(missed, 9)))
    assert corners >= set(zip(accept.round(9), reject.round(9))) - {(1.0, 0.0), (0.0, 1.0)}
    if not ties:
        assert len(accept) < 100 < len(genuine) + len(impostor)  # corners only


@pytest.mark.parametrize('seed', range(5))
@pytest.mark.parametrize('ties', [True, False])
def test_equal_error_rate_is_where_the_curve_crosses_the_diagonal(seed, ties):
    genuine, impostor = tied(seed=seed) if ties else (draw(61, seed=seed), draw(80, seed=9) + 1)
    scores = VerificationScores(genuine, impostor)
    is_genuine = np.r_[np.ones(len(genuine)), np.zeros(len(impostor))]
    score = -torch.cat([genuine, impostor]).numpy()
    false, true, _ = roc_curve(is_genuine, score, drop_intermediate=False)
    # The difference of the rates changes linearly along each segment.
    position = np.interp(0, false - (1 - true), np.arange(len(false)))
    expected = np.interp(position, np.arange(len(false)), false)
    assert scores.equal_error_rate == pytest.approx(expected)
    at = scores.equal_error_threshold
    below = float(scores.false_accept_rate(at) - scores.false_reject_rate(at))
    above = float(scores.false_accept_rate(at + 1e-9) - scores.false_reject_rate(at + 1e-9))
    assert below <= 1e-12
    assert above >= -1e-12


def test_interpolation_at_equal_distances():
    scores = VerificationScores(torch.tensor([1.0, 2.0]), torch.tensor([2.0, 3.0, 4.0]))
    # From (0, 1/2) to (1/3, 0): FAR = s / 3 equals FRR = (1 - s) / 2 at s = 3/5.
    assert scores.equal_error_rate == pytest.approx(0.2)
    assert scores.equal_error_threshold == 2
    same = VerificationScores(torch.ones(3), torch.ones(5))
    assert (same.equal_error_rate, same.equal_error_threshold) == (0.5, 1)
    assert same.true_accept_rate(0.99) == 0
    assert same.true_accept_rate(1) == 1


def test_perfect_separation_and_its_reverse():
    near, far = torch.tensor([1.0, 0.5]), torch.tensor([2.0, 3.0, 4.0])
    scores = VerificationScores(near, far)
    assert (scores.equal_error_rate, scores.equal_error_threshold) == (0, 1.5)
    assert scores.true_accept_rate(0) == 1
    assert [values.tolist() for values in scores.det_curve()[:2]] == [[0, 0, 1], [1, 0, 0]]
    wrong = VerificationScores(far, near)
    assert wrong.equal_error_rate == 1
    assert wrong.true_accept_rate(0.5) == 0


@pytest.mark.parametrize('distance', list(MATRIX))
@pytest.mark.parametrize('num_parts', [None, 3])
def test_all_pairs_match_a_loop(distance, num_parts, monkeypatch):
    labels = {'subject': torch.tensor([0, 1, 1, 2, 0, 1, 3, 2])}
    embedding = draw(8, 4) if num_parts is None else draw(8, num_parts, 4)
    parts = embedding.view(8, -1, 4)
    matrix = np.mean([MATRIX[distance](part, part) for part in parts.unbind(1)], axis=0)
    pairs = {True: [], False: []}
    for i in range(8):
        for j in range(i + 1, 8):
            pairs[bool(labels['subject'][i] == labels['subject'][j])].append(matrix[i, j])
    for chunk in (1, 24, 2**22):
        monkeypatch.setattr(verification, '_CHUNK', chunk)
        found = verification_scores(embedding, labels, distance=distance)
        np.testing.assert_allclose(found.genuine, sorted(pairs[True]), atol=1e-7)
        np.testing.assert_allclose(found.impostor, sorted(pairs[False]), atol=1e-7)


@pytest.mark.parametrize('exclude', [True, False])
@pytest.mark.parametrize('impostors', [True, False])
def test_pairs_of_a_protocol_are_those_of_a_ranking(exclude, impostors):
    labels = casia_b_labels(5, num_views=3, keep=0.7)
    embedding = draw(len(labels['subject']), 5)
    protocol = replace(SMALL, exclude_identical_view=exclude, same_view_impostors=impostors)
    found = verification_scores(embedding, labels, protocol)
    ranked = retrieve(embedding, labels, protocol, k=len(embedding))
    valid = ranked.nearest >= 0
    genuine, impostor = ranked.distance[ranked.correct], ranked.distance[valid & ~ranked.correct]
    np.testing.assert_allclose(found.genuine, genuine.sort().values, atol=1e-7)
    np.testing.assert_allclose(found.impostor, impostor.sort().values, atol=1e-7)


def test_impostors_are_subsampled():
    labels = {'subject': torch.arange(200).repeat_interleave(2)}
    embedding = draw(400, 4)
    complete = verification_scores(embedding, labels)
    assert (len(complete.genuine), len(complete.impostor)) == (200, 400 * 399 // 2 - 200)
    for protocol in (None, replace(verification._ALL_PAIRS, name='a protocol')):
        found = verification_scores(embedding, labels, protocol, max_impostors=9000)
        assert abs(len(found.impostor) - 9000) < 5 * 9000**0.5
        assert torch.isin(found.impostor, complete.impostor).double().mean() > 0.49
        rate = float(found.false_accept_rate(complete.threshold_at(0.1)))
        assert rate == pytest.approx(0.1, abs=0.015)
    assert torch.equal(
        found.impostor,
        verification_scores(embedding, labels, protocol, max_impostors=9000).impostor,
    )
    other = verification_scores(embedding, labels, max_impostors=9000, seed=1).impostor
    assert not torch.equal(other[:9], found.impostor[:9])


def test_figures_and_text():
    scores = VerificationScores(torch.arange(1.0, 11), torch.arange(4.5, 104.5))
    figures = scores.figures((0.1, 0.01))
    assert list(figures) == ['EER', 'TAR@FAR=10%', 'TAR@FAR=1%']
    assert figures['TAR@FAR=10%'] == 1
    assert figures['TAR@FAR=1%'] == pytest.approx(0.5)
    text = f'VerificationScores(genuine=10, impostor=100, EER={100 * figures["EER"]:.2f}%)'
    assert repr(scores) == text


def test_bad_input_raises():
    one = torch.ones(1)
    with pytest.raises(ValueError, match=r'genuine must be one or more distances, got shape \[0'):
        VerificationScores(one[:0], one)
    with pytest.raises(ValueError, match=r'impostor must be one or more distances, got shape \[1,'):
        VerificationScores(one, one[None])
    with pytest.raises(ValueError, match='impostor must be finite, got 1 distances that are not'):
        VerificationScores(one, torch.tensor([1.0, math.nan]))
    with pytest.raises(TypeError, match='genuine must be a floating-point tensor, got torch'):
        VerificationScores(torch.arange(3), one)
    with pytest.raises(TypeError, match='genuine must be a floating-point tensor, got list'):
        VerificationScores([0.5], one)
    with pytest.raises(ValueError, match=r'false_accept_rate must be in \[0, 1\], got 2'):
        VerificationScores(one, one).threshold_at(2)
    with pytest.raises(ValueError, match='labels must give at least one genuine pair'):
        verification_scores(draw(3, 2), {'subject': [0, 1, 2]})
    with pytest.raises(ValueError, match='labels must give at least one impostor pair'):
        verification_scores(draw(3, 2), {'subject': [0, 0, 0]})
    with pytest.raises(ValueError, match="labels must include 'subject'"):
        verification_scores(draw(3, 2), {'view': [0, 0, 0]})
    with pytest.raises(ValueError, match='embedding must be finite'):
        verification_scores(draw(3, 2) * math.nan, {'subject': [0, 0, 1]})
    with pytest.raises(ValueError, match='max_impostors must be an integer >= 1, got 0'):
        verification_scores(draw(3, 2), {'subject': [0, 0, 1]}, max_impostors=0)
