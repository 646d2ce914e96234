import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics.pairwise import cosine_distances, euclidean_distances

from graphmotion.metrics import (
    CASIA_B_LT,
    GalleryProbeProtocol,
    OpenSetScores,
    gallery_probe,
    open_set_scores,
)
from graphmotion.metrics.recognition import open_set

from .gait_labels import casia_b_labels

ENROLLED = (1, 3, 4)
SMALL = replace(CASIA_B_LT, train_subjects=1, gallery={**CASIA_B_LT.gallery, 'subject': ENROLLED})
LINE = GalleryProbeProtocol('line', {'take': 1}, {'probe': {'take': 2}}, view=None)
MATRIX = {'cosine': cosine_distances, 'euclidean': euclidean_distances}


def draw(*size, seed=0):
    return torch.randn(*size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def toy():
    """Distances of four mated and three non-mated probes to three people."""
    distance = torch.tensor(
        [
            [0.1, 0.9, 0.8],
            [0.4, 0.3, 0.2],
            [0.7, 0.6, 0.6],
            [0.5, 0.5, 0.9],
            [0.3, 0.8, 0.9],
            [0.6, 0.6, 0.7],
            [2.0, 1.0, 3.0],
        ]
    )
    return distance, torch.tensor([0, 1, 2, 0, -1, -1, -1])


def test_rates_by_hand():
    scores = OpenSetScores.from_distances(*toy())
    assert scores.rank.tolist() == [1, 2, 2, 2]  # ties rank the wrong person first
    np.testing.assert_allclose(scores.mated, [0.1, 0.3, 0.5, 0.6])
    np.testing.assert_allclose(scores.non_mated, [0.3, 0.6, 1.0])
    threshold = torch.tensor([0.1, 0.35, 0.7, math.inf])
    assert scores.detection_rate(threshold).tolist() == [0, 0.25, 0.25, 0.25]
    assert scores.detection_rate(threshold, rank=2).tolist() == [0, 0.5, 1, 1]
    np.testing.assert_allclose(scores.false_alarm_rate(threshold), [0, 1 / 3, 2 / 3, 1])
    assert scores.threshold_at(0.3) == pytest.approx(0.3)
    assert scores.threshold_at(1 / 3) == pytest.approx(0.6)
    assert scores.threshold_at(1) == math.inf
    assert scores.detection_rate_at(0, rank=2) == 0.25  # 0.3 is not below 0.3
    assert scores.detection_rate_at(1 / 3, rank=2) == 0.75
    figures = scores.figures((0.5, 0.01))
    assert figures == {'rank-1': 0.25, 'DIR@FAR=50%': 0.25, 'DIR@FAR=1%': 0.25}
    assert repr(scores) == 'OpenSetScores(mated=4, non_mated=3, rank-1=25.00%)'


@pytest.mark.parametrize('rank', [1, 2])
def test_curve_has_the_rates_at_all_thresholds(rank):
    distance = (8 * draw(200, 5)).round() / 8
    person = torch.arange(200) % 7 - 2
    person[person == -2] = -1
    scores = OpenSetScores.from_distances(distance, person)
    alarm, detected, threshold = scores.curve(rank)
    assert (alarm[0], detected[0], alarm[-1]) == (0, 0, 1)
    assert detected[-1] == scores.detection_rate(math.inf, rank)
    for a, d, t in zip(alarm.tolist(), detected.tolist(), threshold.tolist()):
        strangers = [row.min() for row, p in zip(distance, person) if p < 0]
        own = [
            row[p] < t and sum(row <= row[p]) <= rank for row, p in zip(distance, person) if p >= 0
        ]
        assert a == pytest.approx(sum(float(s) < t for s in strangers) / len(strangers))
        assert d == pytest.approx(sum(map(bool, own)) / len(own))
    # Every rate between lies on the curve: the best at each false alarm rate is a point of it.
    for rate in np.linspace(0, 1, 21):
        best = max(d for a, d in zip(alarm.tolist(), detected.tolist()) if a <= rate)
        assert scores.detection_rate_at(rate, rank) == pytest.approx(best)


@pytest.mark.parametrize('distance', list(MATRIX))
@pytest.mark.parametrize('num_parts', [None, 2])
@pytest.mark.parametrize('exclude', [True, False])
@pytest.mark.parametrize('impostors', [True, False])
def test_search_matches_a_loop(distance, num_parts, exclude, impostors, monkeypatch):
    labels = casia_b_labels(6, num_views=3, keep=0.6)
    size = len(labels['subject'])
    embedding = draw(size, 5) if num_parts is None else draw(size, num_parts, 5)
    parts = embedding.view(size, -1, 5)
    matrix = np.mean([MATRIX[distance](part, part) for part in parts.unbind(1)], axis=0)
    protocol = replace(SMALL, exclude_identical_view=exclude, same_view_impostors=impostors)
    gallery, probes = protocol.select(labels)
    subject, view = labels['subject'].tolist(), labels['view'].tolist()
    mated, non_mated = [], []
    for probe in torch.cat(list(probes.values())).tolist():
        nearest = dict.fromkeys(ENROLLED, math.inf)
        for g in gallery.tolist():
            same = not impostors or subject[g] == subject[probe]
            if not (exclude and same and view[g] == view[probe]):
                nearest[subject[g]] = min(nearest[subject[g]], matrix[probe, g])
        own = nearest.get(subject[probe])
        if own is None:
            non_mated.append(min(nearest.values()))
        else:
            mated.append((own, sum(d <= own for d in nearest.values())))
    for chunk in (1, 2**22):
        monkeypatch.setattr(open_set, '_CHUNK', chunk)
        found = open_set_scores(embedding, labels, protocol, distance)
        np.testing.assert_allclose(found.mated, sorted(d for d, _ in mated), atol=1e-7)
        assert found.rank.tolist() == [r for _, r in sorted(mated)]
        np.testing.assert_allclose(found.non_mated, sorted(non_mated), atol=1e-7)
        assert found.num_left_out == 0


def test_rank_1_is_that_of_closed_set_recognition():
    labels = casia_b_labels(6, num_views=3)
    embedding = draw(6, 5)[labels['subject']] + draw(len(labels['subject']), 5, seed=1)
    scores = open_set_scores(embedding, labels, SMALL)
    closed = gallery_probe(embedding, labels, SMALL)
    hits = (closed.cmc[:, 0] * closed.num_scored).sum() / closed.num_scored.sum()
    assert float(scores.detection_rate(math.inf)) == pytest.approx(float(hits))
    assert 0.2 < hits < 0.9


def test_random_distances_have_a_closed_form():
    # With independent uniform distances to n people, the nearest is below t with 1 - (1 - t)^n,
    # and the own person is the nearest and below t with a probability of 1 / n of that.
    num_people = 5
    distance = torch.rand(
        60000, num_people, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )
    person = torch.arange(60000) % num_people
    person[30000:] = -1
    scores = OpenSetScores.from_distances(distance, person)
    for threshold in (0.05, 0.2, 0.6):
        rate = 1 - (1 - threshold) ** num_people
        assert float(scores.false_alarm_rate(threshold)) == pytest.approx(rate, abs=0.01)
        assert float(scores.detection_rate(threshold)) == pytest.approx(rate / 5, abs=0.01)


def test_probes_without_a_sample_to_compare_are_left_out():
    labels = {
        'subject': [0, 0, 0, 1, 1, 2],
        'take': [1, 2, 2, 1, 2, 2],
        'view': [0, 0, 9, 9, 0, 0],
    }
    protocol = replace(LINE, view='view', exclude_identical_view=True)
    embedding = torch.tensor([[0.0], [1.0], [2.0], [5.0], [5.5], [3.0]])
    scores = open_set_scores(embedding, labels, protocol, 'euclidean')
    # The first probe has its only gallery sample in its own view.
    assert scores.num_left_out == 1
    assert scores.mated.tolist() == [0.5, 2]
    assert scores.rank.tolist() == [1, 1]
    assert scores.non_mated.tolist() == [2]


def test_bad_input_raises():
    distance, person = toy()
    with pytest.raises(ValueError, match='at least one non-mated probe, got none'):
        OpenSetScores.from_distances(distance[:4], person[:4])
    with pytest.raises(ValueError, match='at least one mated probe, got none'):
        OpenSetScores.from_distances(distance[4:], person[4:])
    with pytest.raises(ValueError, match=r'distance must be \[N, P\] and person \[N\]'):
        OpenSetScores.from_distances(distance, person[1:])
    with pytest.raises(ValueError, match=r'person must be in \[-1, 2\], got values in \[-1, 3\]'):
        OpenSetScores.from_distances(distance, torch.where(person == 2, 3, person))
    with pytest.raises(ValueError, match='distance must not be NaN, got 21'):
        OpenSetScores.from_distances(distance * math.nan, person)
    scores = OpenSetScores.from_distances(distance, person)
    with pytest.raises(ValueError, match='rank must be an integer >= 1, got 0'):
        scores.detection_rate(1.0, rank=0)
    with pytest.raises(ValueError, match=r'false_alarm_rate must be in \[0, 1\], got -1'):
        scores.threshold_at(-1)
    one = torch.ones(1)
    with pytest.raises(ValueError, match='rank must be an integer >= 1, got 0'):
        OpenSetScores(one, torch.tensor([0]), one)
    with pytest.raises(ValueError, match='rank must be one integer for each of 1 mated probes'):
        OpenSetScores(one, torch.tensor([1, 2]), one)
    with pytest.raises(TypeError, match='mated must be a floating-point tensor, got list'):
        OpenSetScores([1.0], torch.tensor([1]), one)
    labels = casia_b_labels(6, num_views=2)
    with pytest.raises(ValueError, match='at least one non-mated probe, got none'):
        open_set_scores(
            draw(len(labels['subject']), 3), labels, replace(CASIA_B_LT, train_subjects=1)
        )
