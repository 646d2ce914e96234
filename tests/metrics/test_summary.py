import json
import statistics

import pytest
import torch

from graphmotion.metrics import (
    ClassificationScores,
    classification_scores,
    fold_summary,
    format_table,
)

FOLDS = [
    ClassificationScores([[8, 2], [1, 9]], ['calm', 'upset']),
    ClassificationScores([[6, 4], [3, 7]], ['calm', 'upset']),
    ClassificationScores([[9, 1], [5, 6]], ['calm', 'upset']),
]


def test_mean_and_sample_deviation_of_each_figure():
    summary = fold_summary(FOLDS)
    assert summary.num_folds == 3
    assert summary.mean.keys() == summary.std.keys() == FOLDS[0].figures().keys()
    for name in FOLDS[0].figures():
        values = [fold.figures()[name] for fold in FOLDS]
        assert summary.mean[name] == pytest.approx(statistics.fmean(values), abs=1e-12)
        assert summary.std[name] == pytest.approx(statistics.stdev(values), abs=1e-12)


def test_population_deviation():
    summary = fold_summary(FOLDS, ddof=0)
    values = [fold.accuracy for fold in FOLDS]
    assert summary.std['accuracy'] == pytest.approx(statistics.pstdev(values), abs=1e-12)


def test_pooled_scores_use_all_predictions():
    pooled = fold_summary(FOLDS).pooled
    assert pooled.confusion.tolist() == [[23, 7], [9, 22]]
    assert pooled.class_names == ('calm', 'upset')
    generator = torch.Generator().manual_seed(0)
    target = torch.randint(3, (60,), generator=generator)
    prediction = torch.randint(3, (60,), generator=generator)
    folds = [classification_scores(target[i::4], prediction[i::4], num_classes=3) for i in range(4)]
    assert fold_summary(folds).pooled == classification_scores(target, prediction, 3)


def test_folds_may_be_mappings():
    summary = fold_summary([{'loss': 1.0, 'top5': 3}, {'loss': torch.tensor(2.0), 'top5': 4}])
    assert summary.mean == {'loss': 1.5, 'top5': 3.5}
    assert summary.std['loss'] == pytest.approx(0.5**0.5)
    assert summary.pooled is None


def test_one_fold_has_no_deviation():
    summary = fold_summary(FOLDS[:1])
    assert summary.format('accuracy') == '0.850'
    assert json.loads(json.dumps(summary.as_dict(), allow_nan=False))['std']['accuracy'] is None
    assert fold_summary(FOLDS[:1], ddof=0).std['accuracy'] == 0


def test_format():
    summary = fold_summary([{'accuracy': 0.5}, {'accuracy': 0.7}])
    assert summary.format('accuracy') == '0.600 ± 0.141'
    assert summary.format('accuracy', percent=True) == '60.0 ± 14.1'
    assert str(summary).splitlines()[-1] == 'accuracy  0.600 ± 0.141'
    with pytest.raises(ValueError, match=r"name must be one of \['accuracy'\], got 'f1'"):
        summary.format('f1')


def test_dict_is_restored_from_json():
    summary = fold_summary(FOLDS)
    out = json.loads(json.dumps(summary.as_dict(), allow_nan=False))
    assert out['mean']['macro_f1'] == summary.mean['macro_f1']
    assert ClassificationScores.from_dict(out['pooled']) == summary.pooled


@pytest.mark.parametrize(
    ('folds', 'error', 'message'),
    [
        ([], ValueError, 'folds must not be empty'),
        ([{'a': 1}, {'b': 1}], ValueError, r"fold 1 and fold 0.*\['a', 'b'\]"),
        ([FOLDS[0], ClassificationScores([[1]])], ValueError, 'calm'),
        ([{'a': 'high'}], TypeError, "fold 0: 'a' must be a number"),
        ([{'a': [1, 2]}], TypeError, "fold 0: 'a' must be a number"),
        ([{'a': 1}, 0.5], TypeError, 'fold 1 must be .*, got float'),
    ],
)
def test_bad_folds_raise(folds, error, message):
    with pytest.raises(error, match=message):
        fold_summary(folds)


def test_table_of_scores_and_summaries():
    table = format_table({'plain': FOLDS[0], 'folds': fold_summary(FOLDS)})
    lines = table.splitlines()
    assert lines[0].split() == [
        *('calm', 'upset', 'mean', 'precision', 'recall', 'F1', 'macro-F1', 'top-1')
    ]
    scores = FOLDS[0]
    figures = [
        *scores.one_vs_rest_accuracy,
        scores.mean_one_vs_rest_accuracy,
        scores.macro_precision,
        scores.macro_recall,
        scores.f1_of_macro_means,
        scores.macro_f1,
        scores.accuracy,
    ]
    assert lines[2].split() == ['plain', *(f'{value:.4f}' for value in figures)]
    assert lines[3].count('±') == 8
    assert lines[3].endswith(fold_summary(FOLDS).format('accuracy'))
    assert len(lines[2]) == len(lines[3])  # aligned to the right
    short = format_table({'plain': FOLDS[0]}, per_class=False).splitlines()
    assert short[0].split() == lines[0].split()[2:]
    assert short[2].split()[1:] == lines[2].split()[3:]
    assert '85.00' in format_table({'plain': FOLDS[0]}, percent=True)


def test_class_names_may_equal_column_names():
    table = format_table({'': ClassificationScores([[1, 0], [1, 1]], ['mean', 'top-1'])})
    assert len(table.splitlines()[0].split()) == 8


@pytest.mark.parametrize(
    ('rows', 'message'),
    [
        ({}, 'rows must not be empty'),
        ({'a': FOLDS[0], 'b': ClassificationScores([[1]])}, "'b' must have classes"),
        ({'a': fold_summary([{'loss': 1}])}, 'must summarise ClassificationScores'),
    ],
)
def test_bad_tables_raise(rows, message):
    with pytest.raises(ValueError, match=message):
        format_table(rows)


def test_classes_in_another_order_raise():
    folds = [ClassificationScores([[4, 0], [1, 5]], [*names]) for names in ('ab', 'ba')]
    with pytest.raises(ValueError, match=r"order, got \('b', 'a'\) in fold 1 and \('a', 'b'\)"):
        fold_summary(folds)
