import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from graphmotion.metrics import USF, GalleryProbeProtocol, match_sequences, sequence_distances

PROTOCOL = GalleryProbeProtocol(
    'toy', gallery={'probe': 0}, probes={'A': {'probe': 1}, 'B': {'probe': 2}}, view=None
)


def slow(distance, probes, gallery):
    out = np.zeros((len(set(probes)), len(set(gallery))))
    for i, p in enumerate(sorted(set(probes))):
        for j, g in enumerate(sorted(set(gallery))):
            rows = [k for k, v in enumerate(probes) if v == p]
            columns = [k for k, v in enumerate(gallery) if v == g]
            there = [min(distance[r, c] for c in columns) for r in rows]
            back = [min(distance[r, c] for r in rows) for c in columns]
            out[i, j] = (np.mean(there) + np.mean(back)) / 2
    return out


def test_follows_the_equation():
    random = np.random.default_rng(0)
    distance = random.uniform(size=(30, 40))
    probes, gallery = random.integers(0, 5, 30) * 7, random.integers(3, 9, 40)
    out = sequence_distances(*map(torch.from_numpy, (distance, probes, gallery)))
    np.testing.assert_allclose(out, slow(distance, probes, gallery), atol=1e-12)
    back = sequence_distances(*map(torch.from_numpy, (distance.T.copy(), gallery, probes)))
    np.testing.assert_allclose(back, out.T, atol=1e-12)


@pytest.fixture
def labels():
    random = np.random.default_rng(1)
    subject, probe = random.integers(0, 6, 120) * 3, random.integers(0, 3, 120)
    take = random.integers(0, 2, 120)
    subject[(probe == 0) & (subject == 15)] = 12  # who is only a probe
    return {'subject': subject, 'probe': probe, 'take': take}


@pytest.mark.parametrize('distance', ['cosine', 'euclidean'])
@pytest.mark.parametrize('shape', [(4,), (3, 4)])
@pytest.mark.parametrize('sequence', [None, 'take'])
def test_against_a_loop(labels, distance, shape, sequence):
    random = np.random.default_rng(2)
    embedding = random.normal(size=(120, *shape)) + labels['subject'].reshape(-1, *[1] * len(shape))
    embedding = embedding * (1 + random.uniform(size=embedding.shape))
    out = match_sequences(torch.from_numpy(embedding), labels, PROTOCOL, distance, sequence)
    parts = embedding.reshape(120, -1, 4)
    d = np.mean([cdist(parts[:, p], parts[:, p], distance) for p in range(parts.shape[1])], axis=0)
    name = labels['subject'] + (0 if sequence is None else 1000 * labels['take'])
    for number, title in enumerate('AB', start=1):
        rows, columns = labels['probe'] == number, labels['probe'] == 0
        between = slow(d[rows][:, columns], name[rows], name[columns])
        own, known = sorted(set(name[rows])), sorted(set(name[columns]))
        hits = [
            known[row.argmin()] % 1000 == o % 1000 for o, row in zip(own, between) if o % 1000 != 15
        ]
        assert 15 in own
        assert np.mean(hits) > 0
        assert out[title] == pytest.approx(np.mean(hits))


def test_ties_do_not_help_and_unknown_subjects_are_excluded():
    labels = {'subject': [0, 1, 0, 1, 2, 2], 'probe': [0, 0, 1, 1, 1, 2]}
    with pytest.warns(UserWarning, match='have collapsed'):
        out = match_sequences(torch.ones(6, 3), labels, PROTOCOL)
    assert out['A'] == 0
    assert math.isnan(out['B'])
    out = match_sequences(torch.eye(3)[[0, 1, 0, 1, 2, 2]], labels, PROTOCOL)
    assert out['A'] == 1


def test_mismatched_input_raises(labels):
    with pytest.raises(ValueError, match='got 7 embeddings and 120 labels'):
        match_sequences(torch.ones(7, 3), labels, PROTOCOL)
    with pytest.raises(ValueError, match="include 'surface' for protocol 'USF'"):
        match_sequences(torch.ones(120, 3), labels, USF)
    with pytest.raises(ValueError, match=r"distance must be one of .*, got 'far'"):
        match_sequences(torch.ones(120, 3), labels, PROTOCOL, 'far')
    with pytest.raises(ValueError, match=r"one of the labels \['probe', 'subject'.*got 'walk'"):
        match_sequences(torch.ones(120, 3), labels, PROTOCOL, sequence='walk')
    with pytest.raises(ValueError, match=r'got \[2, 3\], \[2\] and \[4\]'):
        sequence_distances(torch.ones(2, 3), torch.zeros(2).long(), torch.zeros(4).long())
    with pytest.raises(ValueError, match='distance must not be empty'):
        sequence_distances(torch.ones(0, 3), torch.zeros(0).long(), torch.zeros(3).long())


def test_a_sample_is_not_compared_with_itself():
    protocol = replace(PROTOCOL, gallery={'probe': (0, 1)}, probes={'A': {'probe': 1}})
    # Each probe is nearest to the other subject's gallery sample, but for itself.
    labels = {'subject': [0, 1, 0, 1, 2], 'probe': [0, 0, 1, 1, 1]}
    embedding = torch.tensor([[10.0], [0.0], [1.0], [11.0], [30.0]])
    own = {'subject': labels['subject'], 'probe': labels['probe'], 'walk': [0, 0, 1, 1, 0]}
    assert match_sequences(embedding, own, protocol, 'euclidean', 'walk') == {'A': 0}
    distance = torch.tensor([[torch.inf, 2.0, 4.0], [1.0, torch.inf, torch.inf]]).double()
    out = sequence_distances(distance, torch.tensor([0, 1]), torch.tensor([0, 0, 1]))
    assert out.tolist() == [[(2 + 2) / 2, 4], [1, torch.inf]]


def test_sequences_may_be_named(labels):
    embedding = torch.randn(120, 4, generator=torch.Generator().manual_seed(0))
    expected = match_sequences(embedding, labels, PROTOCOL, sequence='take')
    for names in (['left', 'right'], [0.25, 0.5]):
        named = labels | {'take': [names[take] for take in labels['take']]}
        assert match_sequences(embedding, named, PROTOCOL, sequence='take') == expected
    for wrong in ([0, 1], [None] * 120, [[0]] * 120):
        with pytest.raises(ValueError, match="'take' must be one number or string for each of 120"):
            match_sequences(embedding, labels | {'take': wrong}, PROTOCOL, sequence='take')


def test_protocols_that_exclude_views_raise(labels):
    protocol = replace(PROTOCOL, view='take', exclude_identical_view=True)
    with pytest.raises(ValueError, match=r'replace\(protocol, exclude_identical_view=False\)'):
        match_sequences(torch.ones(120, 3), labels, protocol)
    match_sequences(torch.randn(120, 3), labels, replace(protocol, exclude_identical_view=False))
