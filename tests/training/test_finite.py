import warnings

import pytest
import torch
from lightning.pytorch import Callback

from graphmotion.data import graph_loader
from graphmotion.models import st_gcn
from graphmotion.training import (
    ClassificationModule,
    ClassificationRecipe,
    GraphDataModule,
    OneCycle,
    fit,
)
from graphmotion.training.finite import FiniteSteps, find_non_finite
from tests.toy import Waves, joints

QUIET = {'enable_progress_bar': False, 'accelerator': 'cpu'}


def module(**options):
    torch.manual_seed(0)
    recipe = ClassificationRecipe(OneCycle(lr=1e-2, max_epochs=2, **options), batch_size=16)
    return ClassificationModule(st_gcn('emotion_gait16', 3, channels=(6, 8)), 3, recipe)


def spoiled(number, value=float('nan')):
    samples = [sample.clone() for sample in Waves()]
    samples[number].pos[3, 5, 1] = value
    return GraphDataModule(samples, batch_size=16, transform=joints)


class SpoilGradient(Callback):
    """Makes the gradient of the second batch of each epoch NaN."""

    def __init__(self):
        self.steps = 0

    def on_after_backward(self, trainer, pl_module):
        self.steps += 1
        if self.steps % 3 == 2:
            pl_module.model.lin.weight.grad[0, 0] = float('nan')


class Weights(Callback):
    def __init__(self):
        self.seen = []

    def on_train_batch_end(self, trainer, pl_module, *_):
        self.seen.append(pl_module.model.lin.weight.detach().clone())


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_the_error_names_the_sample(tmp_path, value):
    with pytest.raises(FloatingPointError, match=r"pos of \[37\], x of \[37\].*nan_policy='skip'"):
        fit(module(), spoiled(37, value), str(tmp_path), **QUIET)


def test_the_error_names_step_and_parameter(tmp_path):
    data = GraphDataModule(Waves(), batch_size=16, transform=joints)
    with pytest.raises(
        FloatingPointError,
        match=r'epoch 0, batch 1: the gradient of model.lin.weight is not finite; all fields',
    ):
        fit(module(), data, str(tmp_path), callbacks=[SpoilGradient()], **QUIET)


@pytest.mark.parametrize('clip', [None, 1.0])
def test_skipped_steps_leave_the_weights(tmp_path, clip):
    weights = Weights()
    data = GraphDataModule(Waves(), batch_size=16, transform=joints)
    with pytest.warns(UserWarning, match='the step is skipped'):
        fit(
            module(gradient_clip=clip),
            data,
            str(tmp_path),
            nan_policy='skip',
            callbacks=[SpoilGradient(), weights],
            **QUIET,
        )
    same = [torch.equal(a, b) for a, b in zip(weights.seen, weights.seen[1:])]
    assert same == [True, False, False, True, False]
    assert weights.seen[-1].isfinite().all()


def test_finite_training_is_silent(tmp_path):
    data = GraphDataModule(Waves(), batch_size=16, transform=joints)
    with warnings.catch_warnings():
        warnings.simplefilter('error', UserWarning)
        fit(module(), data, str(tmp_path), **QUIET)


def test_non_finite_fields_of_samples_of_any_length():
    samples = [sample.clone() for sample in Waves()][:4]
    samples[0].pos = samples[0].pos[:, :7]
    samples[2].pos[0, 0, 0] = float('nan')
    batch = next(iter(graph_loader(samples, 4, joints)))
    assert find_non_finite(batch) == {'pos': [2], 'x': [2]}


def test_an_unknown_policy_is_refused():
    with pytest.raises(ValueError, match='nan_policy must be one of'):
        FiniteSteps('ignore')
