import os
from dataclasses import replace

import pytest
import torch

from graphmotion.models import st_gcn
from graphmotion.training import (
    ClassificationModule,
    MotionDataModule,
    OneCycleRecipe,
    fit,
    load_weights,
    predict,
)
from tests.toy import Waves, joints, noisy_joints

RECIPE = OneCycleRecipe(lr=1e-2, batch_size=16, max_epochs=3)
QUIET = {'enable_progress_bar': False, 'accelerator': 'cpu'}


def module(**changes):
    torch.manual_seed(0)
    model = st_gcn('emotion_gait16', 3, channels=(6, 8), dropout=0.1)
    return ClassificationModule(model, 3, replace(RECIPE, **changes))


def test_learns_and_keeps_what_was_best_on_validation(tmp_path):
    trained = module(max_epochs=12)
    data = MotionDataModule(Waves(), Waves(24), batch_size=16, transform=joints)
    result = fit(trained, data, str(tmp_path), **QUIET)
    assert [row['epoch'] for row in result.history] == list(range(12))
    assert result.history[-1]['train_accuracy'] > 0.9
    accuracies = [row['val_accuracy'] for row in result.history]
    predicted = predict(trained.model, Waves(24), joints).argmax(dim=1)
    accuracy = (predicted == Waves(24).labels()).float().mean()
    assert accuracy == pytest.approx(max(accuracies), abs=1e-6)
    assert sorted(os.listdir(tmp_path)) == ['best.ckpt', 'history.json', 'last.ckpt']


def test_the_same_seed_gives_the_same_run(tmp_path):
    data = MotionDataModule(Waves(), batch_size=16, transform=joints, train_transform=noisy_joints)
    runs = [fit(module(), data, str(tmp_path / str(i)), **QUIET) for i in range(2)]
    assert runs[0].history == runs[1].history
    assert runs[0].best is None
    other = fit(module(), data, str(tmp_path / 'other'), seed=1, **QUIET)
    assert other.history != runs[0].history


def test_resume_can_be_declined(tmp_path):
    data = MotionDataModule(Waves(), batch_size=16, transform=joints)
    first = fit(module(), data, str(tmp_path), **QUIET).history
    assert fit(module(), data, str(tmp_path), resume=False, **QUIET).history == first
    finished = fit(module(), data, str(tmp_path), **QUIET)
    assert finished.history == first


def test_mixed_precision(tmp_path):
    data = MotionDataModule(Waves(), batch_size=16, transform=joints)
    result = fit(module(), data, str(tmp_path), precision='bf16-mixed', **QUIET)
    exact = fit(module(), data, str(tmp_path / 'exact'), **QUIET)
    losses = [row['train_loss'] for row in result.history]
    expected = [row['train_loss'] for row in exact.history]
    assert losses == pytest.approx(expected, rel=0.05)
    assert losses != expected


def test_the_trainers_epochs_rule_the_schedule(tmp_path):
    data = MotionDataModule(Waves(), batch_size=16, transform=joints)
    result = fit(module(), data, str(tmp_path), max_epochs=2, **QUIET)
    assert len(result.history) == 2
    assert result.history[-1]['lr'] < 1e-5


def test_weights_of_another_model_or_no_weights_are_refused(tmp_path):
    data = MotionDataModule(Waves(), batch_size=16, transform=joints)
    result = fit(module(), data, str(tmp_path), max_epochs=1, **QUIET)
    load_weights(module(), result.last)
    model = st_gcn('emotion_gait16', 3, channels=(6, 6))
    other = ClassificationModule(model, 3, RECIPE)
    with pytest.raises(ValueError, match=r'last\.ckpt: the weights are of another model'):
        load_weights(other, result.last)
    bad = tmp_path / 'bad.ckpt'
    bad.write_bytes(b'nothing')
    with pytest.raises(ValueError, match=r'bad\.ckpt'):
        load_weights(other, str(bad))
    torch.save({'state_dict': print}, bad)
    with pytest.raises(ValueError, match=r'bad\.ckpt: holds more than weights'):
        load_weights(other, str(bad))


def test_predictions_are_averaged_over_views_and_leave_the_model_as_it_was():
    model = module().model.train()
    once = predict(model, Waves(10), noisy_joints, seed=5)
    again = predict(model, Waves(10), noisy_joints, seed=6)
    both = predict(model, Waves(10), noisy_joints, seed=5, views=2, batch_size=10)
    torch.testing.assert_close(both, (once + again) / 2)
    torch.testing.assert_close(both.sum(dim=1), torch.ones(10))
    assert model.training
