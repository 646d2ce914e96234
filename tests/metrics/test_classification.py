import json
import pickle

import numpy as np
import pytest
import torch

from graphmotion.metrics import ClassificationScores, classification_scores

EMOTIONS = ('happy', 'angry', 'sad', 'neutral')


def draw(num_classes=4, num_samples=97, seed=0):
    generator = torch.Generator().manual_seed(seed)
    target = torch.randint(num_classes, (num_samples,), generator=generator)
    prediction = torch.randint(num_classes, (num_samples,), generator=generator)
    keep = torch.rand(num_samples, generator=generator) < 0.5
    return target, torch.where(keep, target, prediction)


def loop_figures(target, prediction, num_classes):
    """Loops over samples for the metrics of each class."""
    out = []
    for c in range(num_classes):
        tp = fp = fn = tn = 0
        for y, p in zip(target, prediction):
            tp += y == c and p == c
            fp += y != c and p == c
            fn += y == c and p != c
            tn += y != c and p != c
        precision = tp / (tp + fp) if tp + fp else 0.0
        recall = tp / (tp + fn) if tp + fn else 0.0
        f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
        out.append(((tp + tn) / len(target), precision, recall, f1))
    return np.array(out, dtype=np.float64)


@pytest.mark.parametrize('num_classes', [2, 4, 7])
def test_metrics_against_a_loop_over_samples(num_classes):
    target, prediction = draw(num_classes, seed=num_classes)
    scores = classification_scores(target, prediction, num_classes)
    expected = loop_figures(target.tolist(), prediction.tolist(), num_classes)
    np.testing.assert_allclose(scores.one_vs_rest_accuracy, expected[:, 0], atol=1e-12)
    np.testing.assert_allclose(scores.class_precision, expected[:, 1], atol=1e-12)
    np.testing.assert_allclose(scores.class_recall, expected[:, 2], atol=1e-12)
    np.testing.assert_allclose(scores.class_f1, expected[:, 3], atol=1e-12)
    means = expected.mean(axis=0)
    assert scores.mean_one_vs_rest_accuracy == pytest.approx(means[0], abs=1e-12)
    assert scores.macro_precision == pytest.approx(means[1], abs=1e-12)
    assert scores.macro_recall == pytest.approx(means[2], abs=1e-12)
    assert scores.macro_f1 == pytest.approx(means[3], abs=1e-12)
    harmonic = 2 / (1 / means[1] + 1 / means[2])
    assert scores.f1_of_macro_means == pytest.approx(harmonic, abs=1e-12)
    assert scores.accuracy == pytest.approx(float((target == prediction).double().mean()))
    assert scores.num_samples == 97
    assert scores.support == tuple(torch.bincount(target, minlength=num_classes).tolist())


@pytest.mark.parametrize('seed', range(5))
def test_mean_one_vs_rest_accuracy_follows_from_accuracy(seed):
    scores = classification_scores(*draw(4, 208, seed), num_classes=4)
    assert abs(scores.mean_one_vs_rest_accuracy - (1 + scores.accuracy) / 2) < 1e-12
    scores = classification_scores(*draw(7, 208, seed), num_classes=7)
    assert abs(scores.mean_one_vs_rest_accuracy - (1 - 2 / 7 * (1 - scores.accuracy))) < 1e-12


@pytest.mark.parametrize(
    ('errors', 'num_samples', 'printed'), [(27, 208, 0.9351), (22, 184, 0.9402)]
)
def test_mean_one_vs_rest_accuracy_matches_the_paper(errors, num_samples, printed):
    target = torch.arange(num_samples) % 4
    prediction = torch.where(torch.arange(num_samples) < errors, (target + 1) % 4, target)
    scores = classification_scores(target, prediction, 4)
    assert scores.mean_one_vs_rest_accuracy == pytest.approx(printed, abs=5e-5)


def test_f1_of_macro_means_matches_the_paper():
    # Printed: P .8048, R .8201, F1 .8124; and P .8074, R .7726, F1 .7896. A two-class matrix
    # with such means: macro precision and recall are free, so that only the formula is tested.
    for precision, recall, printed in ((0.8048, 0.8201, 0.8124), (0.8074, 0.7726, 0.7896)):

        class Row(ClassificationScores):
            macro_precision = precision
            macro_recall = recall

        assert Row([[1, 0], [0, 1]]).f1_of_macro_means == pytest.approx(printed, abs=5e-5)


def test_the_two_f1_differ():
    scores = ClassificationScores([[8, 2], [0, 1]])
    assert scores.macro_f1 == pytest.approx((16 / 18 + 2 / 4) / 2)
    precision, recall = (1 + 1 / 3) / 2, (0.8 + 1) / 2
    assert scores.f1_of_macro_means == pytest.approx(2 * precision * recall / (precision + recall))
    assert scores.f1_of_macro_means > scores.macro_f1


@pytest.mark.parametrize('seed', range(3))
def test_metrics_match_scikit_learn(seed):
    metrics = pytest.importorskip('sklearn.metrics')
    target, prediction = (labels.numpy() for labels in draw(5, 60, seed))
    prediction[prediction == 2] = 3  # never predicted
    scores = classification_scores(target, prediction, 5)
    each = metrics.precision_recall_fscore_support(
        target, prediction, labels=range(5), zero_division=0
    )
    mean = metrics.precision_recall_fscore_support(
        target, prediction, average='macro', zero_division=0
    )
    np.testing.assert_allclose(scores.class_precision, each[0])
    np.testing.assert_allclose(scores.class_recall, each[1])
    np.testing.assert_allclose(scores.class_f1, each[2])
    assert scores.support == tuple(each[3])
    macro = scores.macro_precision, scores.macro_recall, scores.macro_f1
    np.testing.assert_allclose(macro, mean[:3])
    assert scores.accuracy == pytest.approx(metrics.accuracy_score(target, prediction))
    expected = metrics.confusion_matrix(target, prediction, labels=range(5))
    assert scores.confusion.tolist() == expected.tolist()


def test_absent_classes_have_defined_metrics_without_warnings():
    # Class 1 is never predicted, class 2 has no samples, class 3 neither.
    scores = classification_scores([0, 0, 1, 0], [0, 0, 0, 2], 4)
    assert scores.class_precision == pytest.approx((2 / 3, 0, 0, 0))
    assert scores.class_recall == pytest.approx((2 / 3, 0, 0, 0))
    assert scores.class_f1 == pytest.approx((2 / 3, 0, 0, 0))
    assert scores.one_vs_rest_accuracy == pytest.approx((0.5, 0.75, 0.75, 1))
    # Class 3 does not count in the macro means, classes 1 and 2 do.
    assert scores.macro_precision == pytest.approx(2 / 9)
    assert scores.macro_recall == pytest.approx(2 / 9)
    assert scores.macro_f1 == pytest.approx(2 / 9)
    metrics = pytest.importorskip('sklearn.metrics')
    expected = metrics.f1_score([0, 0, 1, 0], [0, 0, 0, 2], average='macro', zero_division=0)
    assert scores.macro_f1 == pytest.approx(expected)


def test_all_wrong_is_zero():
    scores = classification_scores([0, 1], [1, 0], 2)
    assert scores.accuracy == scores.macro_f1 == scores.f1_of_macro_means == 0


def test_a_constant_guess_of_four_classes_is_not_below_one_half():
    scores = classification_scores([0, 1, 2, 3], [0, 0, 0, 0], 4)
    assert scores.accuracy == 0.25
    assert scores.mean_one_vs_rest_accuracy == pytest.approx(0.625)


def test_scores_are_made_from_a_confusion_matrix_of_any_kind():
    rows = [[3, 1], [0, 2]]
    made = [ClassificationScores(m) for m in (rows, np.array(rows), torch.tensor(rows))]
    assert made[0] == made[1] == made[2]
    assert hash(made[0]) == hash(made[1])
    assert made[0] != ClassificationScores([[3, 1], [1, 2]])
    assert made[0] != ClassificationScores(rows, ['a', 'b'])
    assert made[0].confusion.tolist() == rows
    assert made[0].class_names == ('0', '1')
    assert pickle.loads(pickle.dumps(made[0])) == made[0]


def test_scores_are_immutable():
    matrix = torch.tensor([[3, 1], [0, 2]])
    scores = ClassificationScores(matrix)
    matrix[0, 0] = 100
    scores.confusion[0, 0] = 100
    assert scores.accuracy == pytest.approx(5 / 6)
    with pytest.raises(AttributeError):
        scores.counts = ((1,),)


@pytest.mark.parametrize(
    ('counts', 'error', 'message'),
    [
        ([[1, 2]], ValueError, r'square.*\[1, 2\]'),
        ([1, 2], ValueError, r'square.*\[2\]'),
        ([], ValueError, 'square'),
        ([[1.0, 0.0], [0.0, 1.0]], TypeError, 'integer counts'),
        ([[1, -1], [0, 1]], ValueError, 'negative'),
        ([[0, 0], [0, 0]], ValueError, 'all zero'),
    ],
)
def test_bad_confusion_matrices_raise(counts, error, message):
    with pytest.raises(error, match=message):
        ClassificationScores(counts)


@pytest.mark.parametrize(
    ('names', 'message'),
    [
        (['a'], r"must be 2 distinct names, got \['a'\]"),
        (['a', 'a'], r"2 distinct names, got \['a', 'a'\]"),
        ('ab', 'got the string'),
    ],
)
def test_bad_class_names_raise(names, message):
    with pytest.raises(ValueError, match=message):
        classification_scores([0, 1], [0, 1], 2, names)


def test_dict_is_restored_from_json():
    scores = classification_scores(*draw(), 4, EMOTIONS)
    text = json.dumps(scores.as_dict(), allow_nan=False)
    out = json.loads(text)
    assert ClassificationScores.from_dict(out) == scores
    assert out['class_recall']['sad'] == scores.class_recall[2]
    assert out['macro_f1'] == scores.macro_f1
    assert out['confusion'] == scores.confusion.tolist()
    assert out['support'] == dict(zip(EMOTIONS, scores.support))
    with pytest.raises(ValueError, match='confusion'):
        ClassificationScores.from_dict({'accuracy': 1.0})


def test_figures_are_flat_and_complete():
    scores = classification_scores(*draw(), 4, EMOTIONS)
    figures = scores.figures()
    assert figures['one_vs_rest_accuracy/angry'] == scores.one_vs_rest_accuracy[1]
    assert figures['f1_of_macro_means'] == scores.f1_of_macro_means
    assert len(figures) == 6 + 4 * 4
    assert all(isinstance(value, float) for value in figures.values())
