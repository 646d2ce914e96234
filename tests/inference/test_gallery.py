import json
import math

import numpy as np
import pytest
import torch
from sklearn.metrics.pairwise import cosine_distances, euclidean_distances

from graphmotion.inference import Gallery
from graphmotion.inference import gallery as module

MATRIX = {'cosine': cosine_distances, 'euclidean': euclidean_distances}


def draw(*size, seed=0):
    return torch.randn(*size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def filled(distance='cosine', templates='mean', num_people=4, size=(6,)):
    """Returns a gallery of three samples a person, and their embeddings [people, 3, ...]."""
    samples = draw(num_people, 1, *size) + 0.5 * draw(num_people, 3, *size, seed=1)
    gallery = Gallery(distance, templates)
    for i, person in enumerate(samples):
        gallery.enroll(f'person {i}', person)
    return gallery, samples


@pytest.mark.parametrize('distance', list(MATRIX))
@pytest.mark.parametrize('templates', ['mean', 'all'])
@pytest.mark.parametrize('size', [(6,), (3, 4)])
def test_distances_match_a_loop(distance, templates, size, monkeypatch):
    gallery, samples = filled(distance, templates, size=size)
    probes = draw(7, *size, seed=2)
    expected = np.zeros((7, 4))
    for person in range(4):
        parts = samples[person].view(3, -1, size[-1])
        if distance == 'cosine':
            parts = parts / parts.norm(dim=-1, keepdim=True)
        if templates == 'mean':
            parts = parts.mean(dim=0, keepdim=True)
        for i, probe in enumerate(probes.view(7, -1, size[-1])):
            each = [
                np.mean([MATRIX[distance](a[None], b[None]).item() for a, b in zip(probe, other)])
                for other in parts
            ]
            expected[i, person] = min(each)
    for chunk in (1, 30, 2**22):
        monkeypatch.setattr(module, '_CHUNK', chunk)
        monkeypatch.setattr(module, '_BLOCK', chunk)  # one or all people at a time
        np.testing.assert_allclose(gallery.distances(probes), expected, atol=1e-7)


def test_people_are_ranked():
    gallery, samples = filled('euclidean')
    probes = samples[:, 0]
    found = gallery.identify(probes, k=3)
    matrix = gallery.distances(probes)
    for row, names, distance in zip(matrix, found.names, found.distance):
        order = sorted(range(4), key=lambda i: float(row[i]))[:3]
        assert names == tuple(f'person {i}' for i in order)
        assert distance.tolist() == sorted(row.tolist())[:3]
    assert found.labels == [f'person {i}' for i in range(4)]
    assert len(found) == 4
    assert len(gallery.identify(probes[0], k=9).names[0]) == 4


def test_samples_far_from_everyone_are_unknown():
    gallery = Gallery('euclidean')
    gallery.enroll('anna', torch.tensor([0.0, 0.0]))
    gallery.enroll('ben', torch.tensor([[10.0, 0.0], [12.0, 0.0]]))
    probes = torch.tensor([[1.0, 0.0], [5.0, 0.0], [11.0, 0.5]])
    assert gallery.identify(probes).labels == ['anna', 'anna', 'ben']
    found = gallery.identify(probes, k=2, threshold=2.0)
    assert found.labels == ['anna', 'unknown', 'ben']
    assert found.known.tolist() == [True, False, True]
    assert str(found) == (
        'anna (anna 1.000, ben 10.000)\n'
        'unknown (anna 5.000, ben 6.000)\n'
        'ben (ben 0.500, anna 11.011)'
    )
    exactly = gallery.identify(probes[0], threshold=1.0)  # the threshold itself is not below
    assert exactly.labels == ['unknown']


def test_verification():
    gallery = Gallery('euclidean')
    gallery.enroll('anna', torch.tensor([0.0, 0.0]))
    found = gallery.verify(torch.tensor([[1.0, 0.0], [3.0, 0.0]]), 'anna', threshold=2.0)
    assert found.accepted.tolist() == [True, False]
    assert found.distance.tolist() == [1, 3]
    assert len(found) == 2
    assert str(found) == (
        'anna: accepted (distance 1.000, threshold 2.000)\n'
        'anna: rejected (distance 3.000, threshold 2.000)'
    )
    with pytest.raises(RuntimeError, match='ambiguous'):
        bool(found)
    assert gallery.verify(torch.tensor([1.0, 0.0]), 'anna', threshold=2.0)
    assert not gallery.verify(torch.tensor([2.0, 0.0]), 'anna', threshold=2.0)


@pytest.mark.parametrize('templates', ['mean', 'all'])
@pytest.mark.parametrize('rate', [0.01, 0.1, 0.5])
def test_calibration_gives_the_rate(templates, rate):
    gallery, _ = filled(templates=templates, num_people=20)
    cohort, labels = draw(400, 6, seed=3), torch.arange(400) // 4
    gallery.calibrate(cohort, labels, rate)
    distance = gallery.distances(cohort)
    accepted = int(gallery.identify(cohort).known.sum())
    assert accepted == round(400 * rate)
    pairs = sum(int(gallery.verify(cohort, name).accepted.sum()) for name in gallery.names)
    assert pairs == round(400 * 20 * rate)
    assert gallery.identification_threshold < gallery.verification_threshold
    # The first distances that are rejected are the thresholds.
    assert gallery.identification_threshold in distance.amin(dim=1)
    assert gallery.verification_threshold in distance
    # Other strangers are accepted at about this rate.
    others = draw(4000, 6, seed=4)
    error = 5 * (rate / 400) ** 0.5
    assert gallery.identify(others).known.double().mean() == pytest.approx(rate, abs=error)


def test_threshold_follows_the_enrolled_people():
    gallery, _ = filled(num_people=20)
    before = Gallery()
    cohort = draw(300, 6, seed=3)
    before.calibrate(cohort, range(300), 0.05)  # before anyone is enrolled
    assert before.identification_threshold is None
    thresholds = []
    for name in gallery.names:
        before.enroll(name, gallery[name])
        thresholds.append(before.identification_threshold)
        assert int(before.identify(cohort).known.sum()) == 15
    assert np.diff(thresholds).max() < 1e-9  # a stranger may resemble one of more people
    assert thresholds[-1] < thresholds[0] / 2
    gallery.calibrate(cohort, range(300), 0.05)
    assert gallery.identification_threshold == thresholds[-1]
    gallery.remove('person 19')
    assert gallery.identification_threshold == pytest.approx(thresholds[-2])


def test_enrolled_people_in_the_cohort_are_not_strangers_to_themselves():
    gallery, samples = filled('euclidean', num_people=5)
    names = [name for name in gallery.names for _ in range(3)]
    cohort = samples.flatten(0, 1)
    gallery.calibrate(cohort, names, 0.2)
    distance = gallery.distances(cohort)
    others = [
        [float(d) for d, name in zip(row, gallery.names) if name != own]
        for row, own in zip(distance, names)
    ]
    searches = sorted(min(row) for row in others)
    pairs = sorted(d for row in others for d in row)
    assert gallery.identification_threshold == searches[3]
    assert gallery.verification_threshold == pairs[12]
    alone = Gallery()
    alone.enroll('anna', cohort[:3])
    alone.calibrate(cohort[:3], ['anna'] * 3, 0.5)
    with pytest.raises(ValueError, match='on other people than the enrolled person'):
        alone.identify(cohort)


def test_enrolment_adds_samples():
    gallery, samples = filled()
    once = Gallery()
    for i, person in enumerate(samples):
        once.enroll(f'person {i}', person[0])
        once.enroll(f'person {i}', person[1:])
    probes = draw(5, 6)
    assert torch.equal(once.distances(probes), gallery.distances(probes))
    assert once['person 2'].shape == (3, 1, 6)
    assert ('person 2' in once, 'anna' in once, len(once)) == (True, False, 4)
    once.remove('person 2')
    assert once.names == ['person 0', 'person 1', 'person 3']
    np.testing.assert_allclose(
        once.distances(probes), gallery.distances(probes)[:, [0, 1, 3]], atol=1e-12
    )


def test_merge():
    first, second = Gallery('euclidean'), Gallery('euclidean', templates='all')
    first.enroll('anna', torch.tensor([0.0]))
    first.enroll('ben', torch.tensor([4.0]))
    second.enroll('ben', torch.tensor([8.0]))
    second.enroll('carl', torch.tensor([9.0]))
    second.calibrate(torch.tensor([[1.0], [20.0]]), ['x', 'y'], 0.5)
    first.merge(second)
    assert first.names == ['anna', 'ben', 'carl']
    assert first.distances(torch.tensor([0.0])).tolist() == [[0, 6, 9]]
    assert second.names == ['ben', 'carl']
    assert (first.false_accept_rate, first.identification_threshold) == (0.5, 11)
    with pytest.raises(ValueError, match="other must use distance 'euclidean', got 'cosine'"):
        first.merge(Gallery())
    other = Gallery('euclidean')
    other.enroll('dora', torch.zeros(2))
    with pytest.raises(ValueError, match='size 1 of those in the gallery, got 2'):
        first.merge(other)
    assert first.names == ['anna', 'ben', 'carl']


@pytest.mark.parametrize('calibrated', [True, False])
@pytest.mark.parametrize('num_people', [0, 3])
@pytest.mark.parametrize('size', [(6,), (3, 4)])
def test_state_restores_the_gallery(calibrated, num_people, size):
    gallery, _ = filled('euclidean', 'all', num_people, size)
    if calibrated:
        gallery.calibrate(draw(50, *size, seed=3), range(50), 0.04)
    state = gallery.to_state()
    json.dumps({k: v for k, v in state.items() if not isinstance(v, torch.Tensor)})
    restored = Gallery.from_state(state)
    assert repr(restored) == repr(gallery)
    assert restored.names == gallery.names
    assert restored.identification_threshold == gallery.identification_threshold
    assert restored.verification_threshold == gallery.verification_threshold
    if num_people:
        probes = draw(5, *size)
        assert torch.equal(restored.distances(probes), gallery.distances(probes))


def test_broken_state_is_refused():
    state = filled(num_people=3)[0].to_state()
    for counts in ([3, 3], [3, 3, 4], [9, 0, 0]):
        with pytest.raises(ValueError, match='num_samples must divide 9 samples between 3 names'):
            Gallery.from_state(state | {'num_samples': counts})
    with pytest.raises(ValueError, match='num_samples must divide 9 samples'):
        Gallery.from_state(state | {'names': ['a', 'a', 'b']})
    with pytest.raises(ValueError, match='embeddings must be finite'):
        Gallery.from_state(state | {'samples': state['samples'] * math.nan})
    with pytest.raises(ValueError, match='distance must be one of'):
        Gallery.from_state(state | {'distance': 'l1'})
    del state['cohort']
    with pytest.raises(ValueError, match=r"state must have the keys \['cohort',"):
        Gallery.from_state(state)


def test_text():
    gallery, _ = filled()
    text = "Gallery(4 people, 12 samples, distance='cosine', templates='mean'"
    assert repr(gallery) == f'{text})'
    gallery.calibrate(draw(100, 6), range(100))
    assert repr(gallery) == f'{text}, false_accept_rate=0.01)'


def test_bad_input_raises():
    with pytest.raises(ValueError, match=r"distance must be one of \['cosine', 'euclidean'\]"):
        Gallery('l1')
    with pytest.raises(ValueError, match=r"templates must be one of \['mean', 'all'\]"):
        Gallery(templates='best')
    empty = Gallery()
    with pytest.raises(ValueError, match='gallery must have at least one enrolled person'):
        empty.identify(draw(2, 6))
    gallery, _ = filled()
    for name in ('', 'unknown', 3):
        with pytest.raises(ValueError, match="name must be a string other than 'unknown'"):
            gallery.enroll(name, draw(6))
    for call in (gallery.remove, gallery.__getitem__, lambda name: gallery.verify(draw(6), name)):
        with pytest.raises(ValueError, match=r"name must be one of 4 people \(person 0.*'anna'"):
            call('anna')
    with pytest.raises(ValueError, match='size 6 of those in the gallery, got 5'):
        gallery.identify(draw(2, 5))
    with pytest.raises(ValueError, match='size 6 of those in the gallery, got 2 x 3'):
        gallery.enroll('anna', draw(1, 2, 3))
    with pytest.raises(ValueError, match='embeddings must be finite, got 1 samples'):
        gallery.enroll('anna', torch.cat([draw(1, 6), draw(1, 6) * math.nan]))
    with pytest.raises(TypeError, match='embedding must be a floating-point tensor, got list'):
        gallery.identify([0.5] * 6)
    with pytest.raises(ValueError, match='k must be an integer >= 1, got 0'):
        gallery.identify(draw(6), k=0)
    with pytest.raises(ValueError, match='threshold must be given for a gallery that is not'):
        gallery.verify(draw(6), 'person 0')
    with pytest.raises(ValueError, match='labels must have length 9, got 8'):
        gallery.calibrate(draw(9, 6), range(8), 0.5)
    for rate in (0, 0.01, 1.5, math.nan):
        with pytest.raises(ValueError, match=r'false_accept_rate must be in \[0.11, 1\] for 9'):
            gallery.calibrate(draw(9, 6), range(9), rate)
    assert 'anna' not in gallery


def test_embeddings_are_copied():
    gallery, row = Gallery('euclidean'), torch.empty(1, 2)
    for name, values in (('anna', [3.0, 0.0]), ('ben', [0.0, 4.0])):
        gallery.enroll(name, row.copy_(torch.tensor([values])))
    cohort = torch.eye(2).double().repeat(2, 1)
    gallery.calibrate(cohort, [0, 1, 0, 1], 0.5)
    thresholds = gallery.identification_threshold, gallery.verification_threshold
    row.zero_()
    cohort.zero_()
    gallery.enroll('cleo', torch.ones(1, 2))  # thresholds are computed again
    gallery.remove('cleo')
    assert gallery.distances(torch.zeros(1, 2)).tolist() == [[3, 4]]
    assert (gallery.identification_threshold, gallery.verification_threshold) == thresholds
