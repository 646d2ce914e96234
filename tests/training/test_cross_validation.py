import logging
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch_geometric.transforms import Compose

from graphmotion.inference import Recognizer, predict
from graphmotion.metrics import classification_scores
from graphmotion.models import st_gcn
from graphmotion.training import (
    ClassificationRecipe,
    OneCycle,
    cross_validate,
    train_and_test,
)
from graphmotion.transforms import CropFrames, RandomTimeShift, ToStream
from tests.toy import Waves, joints, noisy_joints

RECIPE = ClassificationRecipe(OneCycle(lr=1e-2, max_epochs=2), batch_size=16, class_balance=1.0)
MODEL = partial(st_gcn, 'emotion_gait16', 3, channels=(6, 8), dropout=0.0)
OPTIONS = {'transform': joints, 'enable_progress_bar': False, 'accelerator': 'cpu'}


@pytest.mark.slow
def test_every_fold_is_trained_and_tested_independently(tmp_path):
    dataset = Waves(48)
    folds = dataset.folds(3, seed=0)
    recipe = replace(RECIPE, batch_size=8).with_optimization(max_epochs=10)
    evaluations = cross_validate(MODEL, folds, recipe, str(tmp_path), **OPTIONS)
    assert sorted(p.name for p in tmp_path.iterdir()) == ['fold0', 'fold1', 'fold2']
    for (_, test), evaluation in zip(folds, evaluations):
        assert torch.equal(evaluation.target, test.labels())
        expected = predict(evaluation.model, test, joints)
        torch.testing.assert_close(evaluation.probabilities, expected)
        assert evaluation.scores == classification_scores(
            test.labels(), expected.argmax(dim=1), 3, dataset.class_names
        )
        assert len(evaluation.history) == 10
        assert 'val_loss' not in evaluation.history[0]
    weights = [e.model.lin.weight for e in evaluations]
    assert not torch.equal(weights[0], weights[1])
    assert sum(e.scores.accuracy for e in evaluations) / 3 > 0.6


def test_the_test_samples_do_not_affect_training(tmp_path):
    """The same training with other test samples gives the same weights."""
    dataset = Waves(30)
    train, test = dataset[:20], dataset[20:]
    options = OPTIONS | {'train_transform': noisy_joints}
    one = train_and_test(MODEL, train, test, RECIPE, str(tmp_path / 'a'), **options)
    two = train_and_test(MODEL, train, test[:3], RECIPE, str(tmp_path / 'b'), **options)
    for a, b in zip(one.model.parameters(), two.model.parameters()):
        assert torch.equal(a, b)
    torch.testing.assert_close(one.probabilities[:3], two.probabilities)


def test_validation_selects_and_augmentations_are_averaged(tmp_path):
    dataset = Waves(30)
    options = OPTIONS | {'transform': noisy_joints}
    out = train_and_test(
        MODEL, dataset[:18], dataset[24:], RECIPE, str(tmp_path), val=dataset[18:24],
        num_augmentations=3, seed=4, **options,
    )  # fmt: skip
    assert 'val_accuracy' in out.history[0]
    assert (tmp_path / 'best.ckpt').exists()
    expected = predict(out.model, dataset[24:], noisy_joints, num_augmentations=3, seed=4)
    torch.testing.assert_close(out.probabilities, expected)
    once = predict(out.model, dataset[24:], noisy_joints, seed=4)
    assert not torch.allclose(once, expected)


def test_the_seed_initialises_the_weights(tmp_path):
    dataset = Waves(12)
    recipe = RECIPE.with_optimization(lr=1e-12, weight_decay=0.0, max_epochs=1)
    weights = [
        train_and_test(
            MODEL, dataset, dataset[:3], recipe, str(tmp_path / f'{i}'), seed=seed, **OPTIONS
        ).model.lin.weight
        for i, seed in enumerate((0, 0, 1))
    ]
    assert torch.equal(weights[0], weights[1])
    assert (weights[0] - weights[2]).abs().max() > 0.01


def test_every_fold_has_its_own_seed(tmp_path):
    dataset = Waves(12)
    recipe = RECIPE.with_optimization(lr=1e-12, weight_decay=0.0, max_epochs=1)
    fold = (dataset, dataset[:3])
    both = cross_validate(MODEL, [fold, fold], recipe, str(tmp_path / 'both'), **OPTIONS)
    second = cross_validate(MODEL, [fold], recipe, str(tmp_path / 'second'), seed=1, **OPTIONS)
    weights = [e.model.lin.weight for e in (*both, *second)]
    assert (weights[0] - weights[1]).abs().max() > 0.01
    assert torch.equal(weights[1], weights[2])


def test_rare_classes_weigh_more_in_the_loss(tmp_path):
    """Class balance changes the loss if a class is rare."""
    dataset = Waves(60)
    y = dataset.labels()
    rare = torch.cat([(y != 2).nonzero().view(-1), (y == 2).nonzero().view(-1)[:2]])
    recipe = RECIPE.with_optimization(max_epochs=1, lr=1e-12)
    losses = {}
    for balance in (0.0, 1.0):
        out = train_and_test(
            MODEL, dataset[rare], dataset[:3], replace(recipe, class_balance=balance),
            str(tmp_path / str(balance)), **OPTIONS,
        )  # fmt: skip
        losses[balance] = out.history[0]['train_loss']
    assert losses[0.0] != pytest.approx(losses[1.0], rel=1e-3)


def test_the_recognizer_reproduces_the_evaluation(tmp_path):
    dataset = Waves(30)
    transform = Compose([RandomTimeShift(), CropFrames(12), ToStream('joint')])
    options = OPTIONS | {'transform': transform, 'num_augmentations': 3, 'seed': 4}
    out = train_and_test(
        MODEL, dataset[:24], dataset[24:], RECIPE, str(tmp_path), val=dataset[18:24], **options
    )
    loaded = Recognizer.load(tmp_path / 'recognizer.safetensors')
    for recognizer in (loaded, out.recognizer):
        torch.testing.assert_close(recognizer.probabilities(dataset[24:]), out.probabilities)
        assert recognizer.class_names == tuple(dataset.class_names)
        assert recognizer.skeleton == dataset.skeleton
    assert loaded.info['scores'] == out.scores.as_dict()
    assert loaded.info['recipe']['name'] == 'ClassificationRecipe'
    assert loaded.info['recipe']['optimization']['max_epochs'] == 2
    assert loaded.info['dataset'] == str(dataset[:24])
    assert set(loaded.info['versions']) == {'graphmotion', 'torch', 'torch_geometric'}


def test_transforms_that_cannot_be_described_leave_no_recognizer(tmp_path):
    dataset = Waves(12)
    stale = tmp_path / 'recognizer.safetensors'
    stale.write_text('of an earlier run')
    out = train_and_test(MODEL, dataset, dataset[:3], RECIPE, str(tmp_path), **OPTIONS)
    assert not stale.exists()
    torch.testing.assert_close(out.recognizer.probabilities(dataset[:3]), out.probabilities)


@pytest.mark.slow
def test_folds_in_several_processes_equal_those_in_sequence(tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(logging.getLogger('lightning.pytorch'), 'level', logging.WARNING)
    folds = Waves(12).folds(2, seed=0)
    options = OPTIONS | {'transform': ToStream('joint')}
    one = cross_validate(MODEL, folds, RECIPE, str(tmp_path / 'one'), **options)
    two = cross_validate(MODEL, folds, RECIPE, str(tmp_path / 'two'), num_jobs=2, **options)
    captured = capfd.readouterr()
    assert 'available' not in captured.out + captured.err  # 'GPU available: ...' of Lightning
    for a, b in zip(one, two, strict=True):
        assert a.history == b.history
        assert a.scores == b.scores
        assert torch.equal(a.probabilities, b.probabilities)
        for p, q in zip(a.model.parameters(), b.model.parameters(), strict=True):
            assert torch.equal(p, q)
    folders = tmp_path / 'one', tmp_path / 'two'
    files = [sorted(p.relative_to(f) for p in f.rglob('*')) for f in folders]
    assert files[0] == files[1]
    with pytest.raises(ValueError, match='num_jobs must be an integer >= 1, got 0'):
        cross_validate(MODEL, folds, RECIPE, str(tmp_path), num_jobs=0, **options)
