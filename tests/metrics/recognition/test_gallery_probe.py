import json
import math
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

from graphmotion.metrics import (
    CASIA_B_LT,
    ODD_TO_EVEN_TAKES,
    GalleryProbeProtocol,
    gallery_probe,
)
from graphmotion.metrics.recognition.gallery_probe import count_closer

from .gait_labels import Labelled, casia_b_labels

SMALL = replace(CASIA_B_LT, train_subjects=2)


def embed(labels, dim=6, spread=1.0, seed=0, dtype=torch.float64):
    """Returns noisy embeddings that depend on subjects and, less, on views."""
    generator = torch.Generator().manual_seed(seed)
    people = torch.randn(int(labels['subject'].max()) + 1, dim, generator=generator)
    noise = torch.randn(len(labels['subject']), dim, generator=generator)
    out = people[labels['subject']] + spread * noise
    if 'view' in labels:
        out = out + 0.5 * torch.randn(11, dim, generator=generator)[labels['view'] // 18]
    return out.to(dtype)


def slow_distance(a, b, distance):
    """Distance of two samples [D] or [P, D] in double precision."""
    parts = []
    for p, g in zip(np.atleast_2d(a), np.atleast_2d(b)):
        if distance == 'cosine':
            parts.append(1 - float(p @ g) / math.sqrt(float(p @ p) * float(g @ g)))
        else:
            parts.append(math.sqrt(float(((p - g) ** 2).sum())))
    return sum(parts) / len(parts)


def slow_scores(embedding, labels, protocol, distance, ranks):
    """Loops over probes for all scores."""
    x = embedding.double().numpy()
    subject = labels['subject'].tolist()
    has_views = protocol.view is not None
    view = labels['view'].tolist() if has_views else [0] * len(subject)
    gallery, probes = (
        protocol.select(labels)[0].tolist(),
        {k: p.tolist() for k, p in protocol.select(labels)[1].items()},
    )
    gallery_views = sorted({view[g] for g in gallery})
    probe_views = sorted({view[p] for positions in probes.values() for p in positions})
    shape = len(probes), len(probe_views), len(gallery_views)
    out = {
        'accuracy': np.full((len(ranks), *shape), np.nan),
        'left_out': np.zeros(shape, dtype=int),
        'cmc': [],
        'mAP': [],
        'mINP': [],
        'num_left_out': [],
    }

    def ranks_of_matches(probe, candidates):
        far = {g: slow_distance(x[probe], x[g], distance) for g in candidates if g != probe}
        matches = sorted(far[g] for g in far if subject[g] == subject[probe])
        wrong = [far[g] for g in far if subject[g] != subject[probe]]
        return [i + 1 + sum(w <= d for w in wrong) for i, d in enumerate(matches)]

    def is_dropped(g, p):
        """Scores with the gallery of all views."""
        if not protocol.exclude_identical_view or view[g] != view[p]:
            return False
        return subject[g] == subject[p] or not protocol.same_view_impostors

    for s, positions in enumerate(probes.values()):
        for v, probe_view in enumerate(probe_views):
            for w, gallery_view in enumerate(gallery_views):
                candidates = [g for g in gallery if view[g] == gallery_view]
                found = [
                    ranks_of_matches(p, candidates) for p in positions if view[p] == probe_view
                ]
                first = [r[0] for r in found if r]
                out['left_out'][s, v, w] = len(found) - len(first)
                for i, k in enumerate(ranks):
                    if first:
                        out['accuracy'][i, s, v, w] = np.mean([r <= k for r in first])
        found = [
            ranks_of_matches(p, [g for g in gallery if not is_dropped(g, p)]) for p in positions
        ]
        scored = [r for r in found if r]
        out['num_left_out'].append(len(found) - len(scored))
        out['cmc'].append([np.mean([r[0] <= k for r in scored]) for k in range(1, 51)])
        precision = [np.mean([(i + 1) / rank for i, rank in enumerate(r)]) for r in scored]
        out['mAP'].append(np.mean(precision))
        out['mINP'].append(np.mean([len(r) / r[-1] for r in scored]))
    return out, probe_views, gallery_views


def assert_same(scores, slow, ranks):
    for i, k in enumerate(ranks):
        np.testing.assert_allclose(scores.pair_accuracy(k), slow['accuracy'][i], atol=1e-12)
    np.testing.assert_array_equal(scores.left_out, slow['left_out'])
    np.testing.assert_array_equal(scores.num_left_out, slow['num_left_out'])
    np.testing.assert_allclose(scores.cmc, slow['cmc'], atol=1e-12)
    np.testing.assert_allclose(scores.mean_average_precision, slow['mAP'], atol=1e-12)
    np.testing.assert_allclose(scores.mean_inverse_negative_penalty, slow['mINP'], atol=1e-12)


def columns_of(scores):
    """Returns all scores for a comparison."""
    return json.dumps(scores.as_dict(), allow_nan=False)


# Against a slow loop ##########################################################


@pytest.mark.parametrize('distance', ['cosine', 'euclidean'])
@pytest.mark.parametrize('exclude', [True, False])
@pytest.mark.parametrize('impostors', [True, False])
def test_all_metrics_against_a_loop(distance, exclude, impostors):
    labels = casia_b_labels(7, num_views=3, keep=0.4)  # missing takes and views
    protocol = replace(SMALL, exclude_identical_view=exclude, same_view_impostors=impostors)
    embedding = embed(labels)
    ranks = (1, 2, 5)
    scores = gallery_probe(embedding, labels, protocol, distance, ranks)
    slow, probe_views, gallery_views = slow_scores(embedding, labels, protocol, distance, ranks)
    assert_same(scores, slow, ranks)
    assert scores.probe_views == tuple(probe_views) == (0, 18, 36)
    assert scores.gallery_views == tuple(gallery_views)
    assert 0.05 < scores.mean_accuracy(1) < 0.95
    assert scores.left_out.sum() > 0


@pytest.mark.parametrize('impostors', [True, False])
def test_views_with_very_different_numbers_of_samples(impostors):
    """One view only has probes, one only has gallery samples, and a subject has no gallery."""
    labels = casia_b_labels(7, num_views=4, keep=0.5, seed=1)
    is_gallery = (labels['condition'] == 0) & (labels['take'] < 5)
    drop = (is_gallery & (labels['view'] == 0)) | (~is_gallery & (labels['view'] == 54))
    drop |= is_gallery & (labels['subject'] == 4)
    labels = {name: values[~drop] for name, values in labels.items()}
    embedding = embed(labels)
    protocol = replace(SMALL, same_view_impostors=impostors)
    scores = gallery_probe(embedding, labels, protocol, ranks=(1, 3))
    slow, _, _ = slow_scores(embedding, labels, protocol, 'cosine', (1, 3))
    assert_same(scores, slow, (1, 3))
    assert (scores.probe_views, scores.gallery_views) == ((0, 18, 36), (18, 36, 54))
    assert scores.num_left_out.min() > 0
    # A probe view's denominator is the number of its pairs: 3 where its own view is no gallery.
    pairs = scores.pair_accuracy()
    for s, v in np.ndindex(3, 3):
        own = [w for w in range(3) if scores.gallery_views[w] != scores.probe_views[v]]
        expected = pairs[s, v, own].nanmean()
        assert len(own) == (3 if v == 0 else 2)
        torch.testing.assert_close(scores.view_accuracy()[s, v], expected)


@pytest.mark.parametrize('distance', ['cosine', 'euclidean'])
def test_parts_have_the_mean_of_their_distances(distance):
    labels = casia_b_labels(6, num_views=2, keep=0.8)
    embedding = torch.stack([embed(labels, dim=3, seed=seed) for seed in range(4)], dim=1)
    embedding = embedding * torch.tensor([1.0, 5.0, 0.2, 1.0]).view(1, 4, 1)
    scores = gallery_probe(embedding, labels, SMALL, distance, (1, 2))
    slow, _, _ = slow_scores(embedding, labels, SMALL, distance, (1, 2))
    assert_same(scores, slow, (1, 2))
    whole = gallery_probe(embedding.flatten(1), labels, SMALL, distance, (1, 2))
    assert columns_of(whole) != columns_of(scores)  # of parts side by side it is another


def test_one_view():
    labels = {k: v for k, v in casia_b_labels(9, num_views=2).items() if k != 'view'}
    embedding = embed(labels)
    scores = gallery_probe(embedding, labels, ODD_TO_EVEN_TAKES, ranks=(1, 4))
    slow, _, _ = slow_scores(embedding, labels, ODD_TO_EVEN_TAKES, 'cosine', (1, 4))
    assert_same(scores, slow, (1, 4))
    assert scores.hits.shape == (2, 1, 1, 1)
    assert (scores.probe_views, scores.gallery_views) == ((), ())
    for k in (1, 4):  # the one gallery is that of all views
        torch.testing.assert_close(scores.accuracy(k), scores.cmc[:, k - 1])


def test_average_precision_matches_scikit_learn():
    labels = {k: v for k, v in casia_b_labels(5, num_views=2).items() if k != 'view'}
    embedding = embed(labels)
    unit = torch.nn.functional.normalize(embedding, dim=1)
    gallery, probes = ODD_TO_EVEN_TAKES.select(labels)
    expected = [
        average_precision_score(
            (labels['subject'][gallery] == labels['subject'][p]).numpy(),
            (unit[gallery] @ unit[p]).numpy(),
        )
        for p in probes['even']
    ]
    scores = gallery_probe(embedding, labels, ODD_TO_EVEN_TAKES)
    assert float(scores.mean_average_precision) == pytest.approx(np.mean(expected), abs=1e-12)


# By hand ######################################################################

# One probe at 0 on a line; the gallery lies to its right, subject 0 is its own.
LINE = GalleryProbeProtocol('line', {'take': 1}, {'probe': {'take': 2}}, view=None)


def on_a_line(subjects):
    """Scores of a probe given the subjects of its nearest gallery samples in order."""
    embedding = torch.tensor([[float(i)] for i in range(len(subjects) + 1)])
    labels = {'subject': [0, *subjects], 'take': [2] + [1] * len(subjects)}
    return gallery_probe(embedding, labels, LINE, 'euclidean', ranks=(1, 2, 3))


@pytest.mark.parametrize(
    ('order', 'precision', 'penalty', 'first'),
    [
        ([0, 1, 0, 0, 2], (1 + 2 / 3 + 3 / 4) / 3, 3 / 4, 1),
        ([0, 0, 1, 2], 1.0, 1.0, 1),
        ([1, 2, 3, 0], 1 / 4, 1 / 4, 4),
        ([1, 0, 0, 2, 2, 0], (1 / 2 + 2 / 3 + 3 / 6) / 3, 3 / 6, 2),
        ([0, 1, 1, 1, 1, 0], (1 + 2 / 6) / 2, 2 / 6, 1),
        ([0], 1.0, 1.0, 1),
    ],
)
def test_figures_by_hand(order, precision, penalty, first):
    scores = on_a_line(order)
    assert scores.mean_average_precision.item() == pytest.approx(precision)
    assert scores.mean_inverse_negative_penalty.item() == pytest.approx(penalty)
    assert scores.cmc[0].tolist() == [float(k >= first) for k in range(1, 51)]
    assert [scores.mean_accuracy(k) for k in (1, 2, 3)] == [float(k >= first) for k in (1, 2, 3)]


def test_impostors_in_the_probe_view_count_by_default():
    # Along a line: the probe, its subject in its view, an impostor there, its subject elsewhere.
    labels = {'subject': [0, 0, 1, 0], 'take': [2, 1, 1, 1], 'view': [90, 90, 90, 0]}
    embedding = torch.tensor([[0.0], [1.0], [2.0], [3.0]])
    published = replace(LINE, view='view', exclude_identical_view=True)
    scores = gallery_probe(embedding, labels, published, 'euclidean')
    assert (
        scores.mean_average_precision.item() == scores.mean_inverse_negative_penalty.item() == 0.5
    )
    assert scores.cmc[0, :2].tolist() == [0, 1]
    assert scores.same_view_impostors
    dropped = replace(published, same_view_impostors=False)
    without = gallery_probe(embedding, labels, dropped, 'euclidean')
    assert without.mean_average_precision.item() == without.cmc[0, 0].item() == 1
    assert not without.same_view_impostors
    complete = replace(published, exclude_identical_view=False)
    both = gallery_probe(embedding, labels, complete, 'euclidean')
    assert both.mean_average_precision.item() == pytest.approx((1 + 2 / 3) / 2)


def test_impostors_in_the_probe_view_do_not_change_accuracy_by_view():
    labels = casia_b_labels(8, num_views=3, keep=0.8)
    embedding = embed(labels)
    scores = gallery_probe(embedding, labels, SMALL)
    without = gallery_probe(embedding, labels, replace(SMALL, same_view_impostors=False))
    torch.testing.assert_close(scores.hits, without.hits)
    torch.testing.assert_close(scores.scored, without.scored)
    assert (scores.mean_average_precision < without.mean_average_precision).all()


def test_a_probe_without_a_true_match_is_excluded():
    scores = on_a_line([1, 2])
    assert (scores.num_scored.tolist(), scores.num_left_out.tolist()) == ([0], [1])
    assert (scores.scored.tolist(), scores.left_out.tolist()) == ([[[0]]], [[[1]]])
    assert math.isnan(scores.mean_accuracy())
    assert scores.mean_accuracy(left_out_are_wrong=True) == 0
    assert scores.mean_average_precision.isnan().all()
    labels = {'subject': [0, 1, 0, 5], 'take': [2, 1, 1, 2]}
    embedding = torch.tensor([[0.0], [2.0], [1.0], [4.0]])
    scores = gallery_probe(embedding, labels, LINE, 'euclidean')
    assert (scores.num_scored.tolist(), scores.num_left_out.tolist()) == ([1], [1])
    assert scores.mean_accuracy() == scores.mean_average_precision.item() == 1
    assert scores.mean_accuracy(left_out_are_wrong=True) == 0.5


def test_ties_rank_wrong_samples_first():
    labels = {'subject': [0, 0, 1, 0], 'take': [2, 1, 1, 1]}
    embedding = torch.tensor([[0.0], [1.0], [1.0], [3.0]])
    scores = gallery_probe(embedding, labels, LINE, 'euclidean')
    assert scores.mean_accuracy() == 0
    expected = (1 / 2 + 2 / 3) / 2  # the wrong one of the two at 1 comes first
    assert scores.mean_average_precision.item() == pytest.approx(expected)
    with pytest.warns(UserWarning, match='have collapsed'):
        same = gallery_probe(torch.ones(4, 3), labels, LINE)
    assert same.mean_accuracy() == 0
    assert same.mean_average_precision.item() == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert same.mean_inverse_negative_penalty.item() == pytest.approx(2 / 3)


def test_a_sample_is_not_compared_with_itself():
    """Leave-one-out: all samples are gallery and probes."""
    protocol = GalleryProbeProtocol('all', {'take': (1, 2)}, {'all': {'take': (1, 2)}}, view=None)
    labels = {'subject': torch.tensor([0, 0, 1, 1, 2]), 'take': torch.ones(5)}
    embedding = torch.tensor([[0.0], [5.0], [1.0], [2.0], [9.0]])
    scores = gallery_probe(embedding, labels, protocol, 'euclidean')
    assert (scores.num_scored.tolist(), scores.num_left_out.tolist()) == ([4], [1])
    assert scores.mean_accuracy() == pytest.approx(1 / 4)  # 3 finds 2; 2 ties with 0
    slow, _, _ = slow_scores(embedding, labels, protocol, 'euclidean', (1,))
    assert_same(scores, slow, (1,))


# What has to hold #############################################################


@pytest.mark.parametrize('distance', ['cosine', 'euclidean'])
def test_perfect_embeddings(distance):
    labels = casia_b_labels(8, num_views=3, keep=0.8)
    embedding = torch.nn.functional.one_hot(labels['subject']).float() * 3
    scores = gallery_probe(embedding, labels, SMALL, distance)
    assert set(scores.figures().values()) == {1.0}
    assert (scores.cmc == 1).all()
    assert scores.pair_accuracy().nan_to_num(1).eq(1).all()


def test_embeddings_of_views_have_chance_accuracy_without_identical_views():
    labels = casia_b_labels(22, num_views=11)
    generator = torch.Generator().manual_seed(0)
    views = torch.randn(11, 16, generator=generator)[labels['view'] // 18]
    # A little noise, as equal distances are mistakes.
    embedding = views + 0.01 * torch.randn(views.shape, generator=generator)
    chance = 1 / 20
    scores = gallery_probe(embedding, labels, SMALL, ranks=(1, 5))
    # 3 sets of 2 * 20 probes in 11 * 10 pairs of views, of which few are independent.
    assert scores.mean_accuracy(1) == pytest.approx(chance, abs=0.02)
    hits = 1 - (1 - chance) ** 5
    assert scores.mean_accuracy(5) == pytest.approx(hits, abs=0.06)
    assert scores.mean_average_precision.mean() < 2 * chance


def test_identical_views_change_the_means_only_if_included():
    labels = casia_b_labels(10, num_views=3)
    embedding = embed(labels)
    scores = gallery_probe(embedding, labels, SMALL)
    kept = gallery_probe(embedding, labels, replace(SMALL, exclude_identical_view=False))
    torch.testing.assert_close(scores.hits, kept.hits)  # tables hold the identical pairs, too
    diagonal = kept.pair_accuracy().diagonal(dim1=1, dim2=2)
    expected = (3 * kept.view_accuracy() - diagonal) / 2
    torch.testing.assert_close(scores.view_accuracy(), expected)
    assert not torch.equal(scores.mean_average_precision, kept.mean_average_precision)


@pytest.mark.parametrize('distance', ['cosine', 'euclidean'])
def test_chunk_size_has_no_effect(distance):
    labels = casia_b_labels(8, num_views=3, keep=0.7)
    embedding = embed(labels)
    whole = gallery_probe(embedding, labels, SMALL, distance)
    for size in (1, 7, 10**6):
        parts = gallery_probe(embedding, labels, SMALL, distance, chunk_size=size)
        np.testing.assert_array_equal(parts.hits, whole.hits)
        np.testing.assert_array_equal(parts.cmc, whole.cmc)
        for name in ('mean_average_precision', 'mean_inverse_negative_penalty'):
            torch.testing.assert_close(getattr(parts, name), getattr(whole, name))


def test_the_order_of_the_samples_has_no_effect():
    labels = casia_b_labels(8, num_views=3, keep=0.7)
    embedding = embed(labels).round()  # with ties
    scores = gallery_probe(embedding, labels, SMALL, 'euclidean')
    order = torch.randperm(len(embedding), generator=torch.Generator().manual_seed(0))
    moved = {name: values[order] for name, values in labels.items()}
    again = gallery_probe(embedding[order], moved, SMALL, 'euclidean')
    np.testing.assert_array_equal(again.hits, scores.hits)
    np.testing.assert_array_equal(again.cmc, scores.cmc)
    for name in ('mean_average_precision', 'mean_inverse_negative_penalty'):
        torch.testing.assert_close(getattr(again, name), getattr(scores, name))


def test_training_subjects_are_ignored():
    labels = casia_b_labels(8, num_views=3, keep=0.8)
    embedding = embed(labels)
    scores = gallery_probe(embedding, labels, SMALL)
    changed = embedding.clone()
    changed[labels['subject'] < 2] = embedding[labels['subject'] >= 2][:1]
    test = labels['subject'] >= 2
    part = Labelled({name: values[test] for name, values in labels.items()})
    assert columns_of(gallery_probe(changed, labels, SMALL)) == columns_of(scores)
    assert columns_of(gallery_probe(embedding[test], part, SMALL)) == columns_of(scores)


def test_cosine_ignores_length_and_euclidean_the_origin():
    labels = casia_b_labels(8, num_views=2)
    embedding = embed(labels)
    scale = torch.rand(len(embedding), 1, generator=torch.Generator().manual_seed(0)) + 0.5
    for distance, moved in (('cosine', embedding * scale), ('euclidean', embedding + 3)):
        scores = gallery_probe(embedding, labels, SMALL, distance)
        again = gallery_probe(moved.double(), labels, SMALL, distance)
        assert columns_of(again) == columns_of(scores)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float16, torch.bfloat16])
def test_lower_precision_is_computed_in_single(dtype):
    labels = casia_b_labels(8, num_views=2)
    embedding = embed(labels, dtype=dtype)
    for distance in ('cosine', 'euclidean'):
        exact = gallery_probe(embedding.double(), labels, SMALL, distance).figures()
        found = gallery_probe(embedding, labels, SMALL, distance).figures()
        assert found == pytest.approx(exact, abs=2e-3)


def test_the_embedding_is_not_modified():
    labels = casia_b_labels(5, num_views=2)
    embedding = embed(labels, dtype=torch.float32).requires_grad_()
    before = embedding.detach().clone()
    for distance in ('cosine', 'euclidean'):
        scores = gallery_probe(embedding, labels, SMALL, distance)
        assert not scores.mean_average_precision.requires_grad
    assert torch.equal(embedding, before)


def test_closer_entries_are_counted(monkeypatch):
    close = torch.tensor([[3.0, 1.0, 2.0], [-torch.inf, 5.0, 5.0], [0.0, 0.0, 0.0]])
    thresholds = torch.tensor([[2.0, 0.0], [5.0, 6.0], [0.0, -1.0]])
    expected = [[2, 3], [2, 0], [3, 3]]
    assert count_closer(close, thresholds).tolist() == expected
    module = sys.modules[
        'graphmotion.metrics.recognition.gallery_probe'
    ]  # the package names the function
    monkeypatch.setattr(module, '_BLOCK', 6)  # two rows at a time
    assert count_closer(close.double(), thresholds.double()).tolist() == expected


# Bad input ####################################################################


@pytest.mark.parametrize(
    ('change', 'error', 'message'),
    [
        ({'distance': 'manhattan'}, ValueError, "'euclidean'.*got 'manhattan'"),
        ({'ranks': ()}, ValueError, 'ranks must not be empty'),
        ({'ranks': (0, 1)}, ValueError, 'ranks must be an integer >= 1, got 0'),
        ({'chunk_size': 0}, ValueError, 'chunk_size must be an integer >= 1, got 0'),
        ({'embedding': torch.ones(3, 2)}, ValueError, '3 embeddings and 60 labels'),
        ({'embedding': torch.ones(60)}, ValueError, r'must have shape .*, got \[60\]'),
        (
            {'embedding': torch.ones(60, 2).long()},
            TypeError,
            'must be a floating.*torch.int64',
        ),
        ({'embedding': [[1.0]] * 60}, TypeError, 'must be a floating.*list'),
        (
            {'embedding': torch.ones(60, 2).index_fill(0, torch.tensor([7, 9]), torch.nan)},
            ValueError,
            'got 2 samples that are not, the first at position 7',
        ),
    ],
)
def test_bad_input_raises(change, error, message):
    labels = casia_b_labels(3, num_views=2)
    options = {'embedding': embed(labels), 'labels': labels, 'protocol': SMALL, **change}
    with pytest.raises(error, match=message):
        gallery_probe(**options)


def test_a_single_view_cannot_be_excluded():
    labels = casia_b_labels(6)
    chosen = labels['view'] == 90
    labels = {name: values[chosen] for name, values in labels.items()}
    match = r'exclude_identical_view=False for samples of a single view, 90'
    with pytest.raises(ValueError, match=match):
        gallery_probe(embed(labels), labels, SMALL)
    scores = gallery_probe(embed(labels), labels, replace(SMALL, exclude_identical_view=False))
    assert scores.accuracy().isfinite().all()
