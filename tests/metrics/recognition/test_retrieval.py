from dataclasses import replace

import pytest
import torch
from sklearn.metrics.pairwise import cosine_distances, euclidean_distances

import graphmotion.metrics.recognition.retrieval as module
from graphmotion.metrics import CASIA_B_LT, GalleryProbeProtocol, gallery_probe, retrieve

from .gait_labels import casia_b_labels

SMALL = replace(CASIA_B_LT, train_subjects=1)
LINE = GalleryProbeProtocol('line', {'take': 1}, {'probe': {'take': 2}}, view=None)


def noise(labels):
    return torch.randn(
        len(labels['subject']), 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )


@pytest.mark.parametrize(
    ('distance', 'expected'), [('cosine', cosine_distances), ('euclidean', euclidean_distances)]
)
@pytest.mark.parametrize('exclude', [True, False])
@pytest.mark.parametrize('impostors', [True, False])
def test_nearest_match_a_sorted_matrix(distance, expected, exclude, impostors):
    labels = casia_b_labels(5, num_views=3, keep=0.7)
    embedding = noise(labels)
    protocol = replace(SMALL, exclude_identical_view=exclude, same_view_impostors=impostors)
    found = retrieve(embedding, labels, protocol, k=4, distance=distance)
    gallery, probes = protocol.select(labels)
    assert found.probes.tolist() == [i for p in probes.values() for i in p.tolist()]
    matrix = expected(embedding, embedding)
    for row, probe in enumerate(found.probes.tolist()):
        dropped = {
            g
            for g in gallery.tolist()
            if exclude
            and labels['view'][g] == labels['view'][probe]
            and (labels['subject'][g] == labels['subject'][probe] or not impostors)
        }
        others = [g for g in gallery.tolist() if g not in dropped]
        nearest = sorted(others, key=lambda g: matrix[probe, g])[:4]
        assert found.nearest[row].tolist() == nearest
        assert found.distance[row].numpy() == pytest.approx(matrix[probe, nearest])
        same = labels['subject'][nearest] == labels['subject'][probe]
        assert found.correct[row].tolist() == same.tolist()


def test_parts_have_the_mean_of_their_distances():
    labels = casia_b_labels(4, num_views=2)
    parts = torch.stack([noise(labels), 3 * noise(labels).flip(0)], dim=1)
    for distance, expected in (('cosine', cosine_distances), ('euclidean', euclidean_distances)):
        found = retrieve(parts, labels, SMALL, k=3, distance=distance)
        matrix = sum(expected(part, part) for part in parts.unbind(1)) / 2
        for probe, nearest, far in zip(found.probes, found.nearest, found.distance):
            assert far.numpy() == pytest.approx(matrix[probe, nearest])
            gallery = SMALL.select(labels)[0]
            same = labels['subject'][gallery] == labels['subject'][probe]
            gallery = gallery[(labels['view'][gallery] != labels['view'][probe]) | ~same]
            assert far[0].item() == pytest.approx(matrix[probe, gallery].min())


def test_the_nearest_agree_with_the_scores():
    labels = casia_b_labels(8, num_views=3, keep=0.9)
    embedding = noise(labels)
    scores = gallery_probe(embedding, labels, SMALL)
    found = retrieve(embedding, labels, SMALL, k=1)
    rates = found.correct[:, 0].double().split(scores.num_scored.tolist())
    assert [rate.mean().item() for rate in rates] == pytest.approx(scores.cmc[:, 0].tolist())


def test_selected_probes_and_ties():
    labels = {'subject': [0, 1, 0, 1, 0], 'take': [2, 1, 1, 1, 2]}
    embedding = torch.tensor([[0.0], [1.0], [-1.0], [0.5], [9.0]])
    found = retrieve(embedding, labels, LINE, probes=[4, 0], k=2, distance='euclidean')
    assert found.probes.tolist() == [4, 0]
    assert found.nearest.tolist() == [[1, 3], [3, 1]]  # 1 and 2 are as far from 0: the lower first
    assert found.distance.tolist() == [[8.0, 8.5], [0.5, 1.0]]
    assert found.correct.tolist() == [[False, False], [False, False]]


@pytest.mark.parametrize('k', [1, 7])
def test_equal_distances_are_ordered_by_view_then_row(k):
    labels = casia_b_labels(6, num_views=3, keep=0.8)
    size = len(labels['subject']), 2
    embedding = torch.randint(3, size, generator=torch.Generator().manual_seed(0)).double()
    protocol = replace(SMALL, exclude_identical_view=False)
    found = retrieve(embedding, labels, protocol, k=k, distance='euclidean')
    gallery = protocol.select(labels)[0].tolist()
    for probe, nearest in zip(found.probes.tolist(), found.nearest.tolist()):
        square = (embedding - embedding[probe]).square().sum(dim=1).tolist()
        keys = {g: (square[g], int(labels['view'][g]), g) for g in gallery}
        assert nearest == sorted(gallery, key=keys.get)[:k]


@pytest.mark.parametrize('distance', ['cosine', 'euclidean'])
@pytest.mark.parametrize('k', [1, 3, 40])
@pytest.mark.parametrize(('pairs', 'probes'), [(12, 3), (60, 7), (1, 1)])
def test_blocks_of_the_gallery_equal_a_complete_sort(monkeypatch, distance, k, pairs, probes):
    """Also with equal distances on both sides of the borders of blocks."""
    monkeypatch.setattr(module, '_CHUNK', pairs)
    monkeypatch.setattr(module, '_PROBES', probes)
    generator = torch.Generator().manual_seed(0)
    labels = {
        'subject': torch.randint(4, (36,), generator=generator),
        'take': torch.arange(36) % 3,
        'view': torch.randint(2, (36,), generator=generator),
    }
    # Few unit vectors of exact products: many samples are at the same distance.
    vectors = torch.cat([torch.eye(4), -torch.eye(4)]).double()
    embedding = vectors[torch.randint(8, (36,), generator=generator)]
    protocol = GalleryProbeProtocol('blocks', {'take': [1, 2]}, {'a': {'take': 0}})
    found = retrieve(embedding, labels, protocol, k=k, distance=distance)
    gallery = protocol.select(labels)[0].tolist()
    largest = 0
    for row, probe in enumerate(found.probes.tolist()):
        square = (embedding - embedding[probe]).square().sum(dim=1)
        far = (square / 2 if distance == 'cosine' else square.sqrt()).tolist()
        same = {g: labels['subject'][g] == labels['subject'][probe] for g in gallery}
        kept = [g for g in gallery if not (same[g] and labels['view'][g] == labels['view'][probe])]
        nearest = sorted(kept, key=lambda g: (far[g], int(labels['view'][g]), g))[:k]
        largest = max(largest, len(nearest))
        missing = k - len(nearest)
        assert found.nearest[row].tolist() == nearest + missing * [-1]
        assert found.distance[row, : len(nearest)].tolist() == pytest.approx(
            [far[g] for g in nearest]
        )
        assert found.distance[row, len(nearest) :].isnan().all()
        assert found.correct[row].tolist() == [same[g] for g in nearest] + missing * [False]
    assert (largest < k) == (k == 40)


def test_no_probes_find_nothing():
    labels = casia_b_labels(3, num_views=2)
    found = retrieve(noise(labels), labels, SMALL, probes=[], k=3)
    assert found.probes.shape == (0,)
    for values in (found.nearest, found.distance, found.correct):
        assert values.shape == (0, 3)


@pytest.mark.parametrize('index', ['IVF0,Flat', 'HNSW0', 'IVF4_HNSW0,Flat', 'PCA00,Flat'])
def test_an_index_with_a_count_of_zero_raises(index):
    labels = casia_b_labels(3, num_views=2)
    with pytest.raises(ValueError, match=f"index must have counts of at least 1, got '{index}'"):
        retrieve(noise(labels), labels, SMALL, index=index)


def test_a_gallery_with_fewer_than_k_samples():
    labels = {'subject': [0, 0, 1], 'take': [2, 1, 1]}
    embedding = torch.tensor([[0.0], [1.0], [2.0]])
    found = retrieve(embedding, labels, LINE, k=4, distance='euclidean')
    assert found.nearest.tolist() == [[1, 2, -1, -1]]
    assert found.distance[0, :2].tolist() == [1, 2]
    assert found.distance[0, 2:].isnan().all()
    assert found.correct.tolist() == [[True, False, False, False]]


def test_a_probe_does_not_find_itself():
    protocol = GalleryProbeProtocol('all', {'take': 1}, {'all': {'take': 1}}, view=None)
    labels = {'subject': [0, 0, 1], 'take': [1, 1, 1]}
    found = retrieve(
        torch.tensor([[1.0], [2.0], [4.0]]), labels, protocol, k=3, distance='euclidean'
    )
    assert found.nearest.tolist() == [[1, 2, -1], [0, 2, -1], [1, 0, -1]]


def test_bad_input_raises():
    labels = casia_b_labels(3, num_views=2)
    embedding = noise(labels)
    with pytest.raises(ValueError, match='k must be an integer >= 1, got 0'):
        retrieve(embedding, labels, SMALL, k=0)
    gallery, _ = SMALL.select(labels)
    with pytest.raises(
        ValueError, match=rf"row indices of probes of 'CASIA-B LT', got \[{int(gallery[0])}, 9999\]"
    ):
        retrieve(embedding, labels, SMALL, probes=[int(gallery[0]), 9999])
    with pytest.raises(ValueError, match="got 'l1'"):
        retrieve(embedding, labels, SMALL, distance='l1')
