from dataclasses import FrozenInstanceError, replace

import pytest
import torch

from graphmotion.training import (
    ClassificationRecipe,
    OneCycle,
    RecognitionRecipe,
    StepDecay,
    agcn_recipe,
    ctr_gcn_recipe,
    fg_stformer_recipe,
    gaitmixer_recipe,
    msa_gcn_recipe,
)
from tests.training.test_optimization import learning_rates


def test_recipe_of_msa_gcn():
    recipe = msa_gcn_recipe()
    optimization = recipe.optimization
    assert (optimization.lr, optimization.weight_decay, recipe.batch_size) == (1e-3, 5e-4, 16)
    assert optimization.max_epochs == 400
    optimizer = optimization.optimizer([torch.nn.Parameter(torch.zeros(1))])
    assert type(optimizer) is torch.optim.Adam
    assert optimizer.param_groups[0]['betas'][0] == 0.9
    per_epoch = learning_rates(optimization, 2)[::2]
    expected = [1e-3] * 200 + [1e-4] * 100 + [1e-5] * 50 + [1e-6] * 50
    assert per_epoch == pytest.approx(expected)


def test_recipe_of_gaitmixer():
    recipe = gaitmixer_recipe()
    optimization = recipe.optimization
    assert (optimization.lr, optimization.weight_decay) == (6e-3, 1e-5)
    assert optimization.max_epochs == 300
    assert (recipe.subjects_per_batch, recipe.samples_per_subject) == (74, 4)
    assert (recipe.batch_size, recipe.margin, recipe.epsilon) == (296, 0.01, 0.1)
    optimizer = optimization.optimizer([torch.nn.Parameter(torch.zeros(1))])
    assert type(optimizer) is torch.optim.Adam
    assert optimizer.param_groups[0]['weight_decay'] == 1e-5
    out = learning_rates(optimization, 2)
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.Adam([parameter], 6e-3)
    default = torch.optim.lr_scheduler.OneCycleLR(optimizer, 6e-3, total_steps=600)
    for rate in out:
        assert rate == optimizer.param_groups[0]['lr']
        optimizer.step()
        default.step()
    assert (out[0], max(out)) == pytest.approx((6e-3 / 25, 6e-3))
    assert out.index(max(out)) == 179


def test_batch_size_follows_from_subjects_and_samples():
    recipe = RecognitionRecipe(OneCycle(lr=0.5), subjects_per_batch=8, samples_per_subject=4)
    assert recipe.batch_size == 32
    changed = replace(recipe, subjects_per_batch=3)
    assert (changed.batch_size, changed.samples_per_subject) == (12, 4)
    assert changed.optimization == recipe.optimization
    with pytest.raises(TypeError, match='batch_size'):
        replace(recipe, batch_size=5)


@pytest.mark.parametrize('name', ['mixup', 'label_smoothing', 'class_balance'])
def test_recognition_recipe_has_no_options_of_classification(name):
    with pytest.raises(TypeError, match=name):
        RecognitionRecipe(**{name: 0.1})


@pytest.mark.parametrize(
    ('options', 'values'),
    [({'subjects_per_batch': 1}, '1 and 4'), ({'samples_per_subject': 1}, '16 and 1')],
)
def test_batches_without_triplets_raise(options, values):
    with pytest.raises(ValueError, match=f'must be >= 2 to form triplets, got {values}'):
        RecognitionRecipe(**options)


def test_recipe_of_fg_stformer():
    recipe = fg_stformer_recipe()
    optimization = recipe.optimization
    assert (optimization.lr, optimization.weight_decay, recipe.batch_size) == (0.01, 5e-4, 32)
    optimizer = optimization.optimizer([torch.nn.Parameter(torch.zeros(1))])
    assert type(optimizer) is torch.optim.SGD
    group = optimizer.param_groups[0]
    assert (group['momentum'], group['nesterov'], group['weight_decay']) == (0.9, True, 5e-4)
    out = learning_rates(optimization, 2)
    assert out[:10] == pytest.approx([0.001 * (i + 1) for i in range(10)])
    assert out[10::2] == pytest.approx([0.01] * 45 + [0.001] * 20 + [0.0001] * 10)


def check_sgd(optimization, weight_decay, rates):
    """Nesterov momentum, and these learning rates by epoch."""
    optimizer = optimization.optimizer([torch.nn.Parameter(torch.zeros(1))])
    assert type(optimizer) is torch.optim.SGD
    group = optimizer.param_groups[0]
    assert (group['momentum'], group['nesterov'], group['weight_decay']) == (
        0.9,
        True,
        weight_decay,
    )
    assert learning_rates(optimization, 1) == pytest.approx(rates)


def test_recipe_of_ctr_gcn():
    recipe = ctr_gcn_recipe()
    rates = [0.02, 0.04, 0.06, 0.08] + [0.1] * 31 + [0.01] * 20 + [0.001] * 10
    check_sgd(recipe.optimization, 4e-4, rates)
    assert recipe.batch_size == 64
    recipe = ctr_gcn_recipe('nw_ucla')  # five times as many epochs
    rates = [0.004 * (i + 1) for i in range(25)] + [0.1] * 225 + [0.01] * 75
    check_sgd(recipe.optimization, 1e-4, rates)
    assert recipe.batch_size == 16
    with pytest.raises(ValueError, match=r"dataset must be one of .*, got 'ucla'"):
        ctr_gcn_recipe('ucla')


def test_recipe_of_agcn():
    recipe = agcn_recipe()
    check_sgd(recipe.optimization, 1e-4, [0.1] * 30 + [0.01] * 10 + [0.001] * 10)
    assert recipe.batch_size == 64


def test_recipes_are_frozen_and_changed_by_replace():
    recipe = ClassificationRecipe(StepDecay(lr=0.1, milestones=(2,)), label_smoothing=0.1)
    with pytest.raises(FrozenInstanceError):
        recipe.batch_size = 1
    assert replace(recipe, batch_size=8).batch_size == 8
    changed = recipe.with_optimization(lr=1.0, max_epochs=3)
    assert changed.optimization == StepDecay(lr=1.0, max_epochs=3, milestones=(2,))
    assert changed.label_smoothing == 0.1
    assert recipe.optimization.lr == 0.1
    with pytest.raises(TypeError, match='milestones'):
        RecognitionRecipe().with_optimization(milestones=(2,))
