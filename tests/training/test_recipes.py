from dataclasses import FrozenInstanceError, replace

import pytest
import torch

from graphmotion.training import (
    FGSTFormerRecipe,
    GaitMixerRecipe,
    MSAGCNRecipe,
    OneCycleRecipe,
    OneCycleRecognitionRecipe,
    Recipe,
    SGDRecipe,
    class_weights,
)


def rates(recipe, steps_per_epoch):
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = recipe.optimizer([parameter])
    scheduler = recipe.scheduler(optimizer, steps_per_epoch)
    out = []
    for _ in range(recipe.max_epochs * steps_per_epoch):
        out.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        scheduler.step()
    return out


def test_the_recipe_of_the_paper():
    recipe = MSAGCNRecipe()
    assert (recipe.lr, recipe.weight_decay, recipe.batch_size) == (1e-3, 5e-4, 16)
    assert recipe.max_epochs == 400
    optimizer = recipe.optimizer([torch.nn.Parameter(torch.zeros(1))])
    assert type(optimizer) is torch.optim.Adam
    assert optimizer.param_groups[0]['betas'][0] == 0.9
    per_epoch = rates(recipe, 2)[::2]
    expected = [1e-3] * 200 + [1e-4] * 100 + [1e-5] * 50 + [1e-6] * 50
    assert per_epoch == pytest.approx(expected)


def test_one_cycle_rises_to_its_rate_and_falls():
    out = rates(OneCycleRecipe(lr=0.1, max_epochs=10, warmup=0.2), 10)
    assert max(out) == pytest.approx(0.1)
    assert out.index(max(out)) == pytest.approx(19, abs=1)
    assert out[-1] < 1e-4


def test_one_cycle_decays_weights_apart_from_the_gradient():
    parameter = torch.nn.Parameter(torch.ones(1))
    optimizer = OneCycleRecipe(lr=0.1, weight_decay=0.5).optimizer([parameter])
    parameter.grad = torch.zeros(1)
    optimizer.step()
    assert parameter.item() == pytest.approx(1 - 0.1 * 0.5)


def test_one_cycle_can_decay_weights_in_the_gradient():
    """Adam's first step is of one length, whatever the gradient: here the decay alone."""
    parameter = torch.nn.Parameter(torch.ones(1))
    recipe = OneCycleRecipe(lr=0.1, weight_decay=0.5, decoupled_weight_decay=False)
    optimizer = recipe.optimizer([parameter])
    parameter.grad = torch.zeros(1)
    optimizer.step()
    assert parameter.item() == pytest.approx(1 - 0.1)


def test_the_recipe_of_gaitmixer():
    recipe = GaitMixerRecipe()
    assert (recipe.lr, recipe.weight_decay, recipe.max_epochs) == (6e-3, 1e-5, 300)
    assert (recipe.subjects_per_batch, recipe.samples_per_subject) == (74, 4)
    assert (recipe.batch_size, recipe.margin, recipe.epsilon) == (296, 0.01, 0.1)
    optimizer = recipe.optimizer([torch.nn.Parameter(torch.zeros(1))])
    assert type(optimizer) is torch.optim.Adam
    assert optimizer.param_groups[0]['weight_decay'] == 1e-5
    out = rates(recipe, 2)
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.Adam([parameter], 6e-3)
    default = torch.optim.lr_scheduler.OneCycleLR(optimizer, 6e-3, total_steps=600)
    for rate in out:
        assert rate == optimizer.param_groups[0]['lr']
        optimizer.step()
        default.step()
    assert (out[0], max(out)) == pytest.approx((6e-3 / 25, 6e-3))
    assert out.index(max(out)) == 179


def test_the_batch_of_a_recognition_recipe_follows_from_its_subjects():
    recipe = OneCycleRecognitionRecipe(subjects_per_batch=8, samples_per_subject=4, lr=0.5)
    assert (recipe.batch_size, recipe.lr, recipe.warmup) == (32, 0.5, 0.15)
    changed = replace(recipe, subjects_per_batch=3, max_epochs=7)
    assert (changed.batch_size, changed.samples_per_subject, changed.max_epochs) == (12, 4, 7)
    # ValueError up to Python 3.12, TypeError from 3.13 on.
    with pytest.raises((TypeError, ValueError), match='batch_size'):
        replace(recipe, batch_size=5)
    assert isinstance(recipe, OneCycleRecipe)
    assert type(recipe.optimizer([torch.nn.Parameter(torch.zeros(1))])) is torch.optim.AdamW


@pytest.mark.parametrize(
    ('options', 'reason'),
    [
        ({'subjects_per_batch': 1}, 'two subjects .* two samples of each, got 1 and 4'),
        ({'samples_per_subject': 1}, 'two subjects .* two samples of each, got 16 and 1'),
        ({'mixup': 0.2}, 'mixup is for classifiers, got 0.2'),
        ({'label_smoothing': 0.1}, 'label_smoothing is for classifiers'),
        ({'class_balance': 1.0}, 'class_balance is for classifiers'),
    ],
)
def test_recognition_recipes_without_a_meaning_are_refused(options, reason):
    with pytest.raises(ValueError, match=reason):
        OneCycleRecognitionRecipe(**options)


def test_momentum_with_warm_up():
    recipe = FGSTFormerRecipe()
    assert (recipe.lr, recipe.weight_decay, recipe.batch_size) == (0.01, 5e-4, 32)
    optimizer = recipe.optimizer([torch.nn.Parameter(torch.zeros(1))])
    assert type(optimizer) is torch.optim.SGD
    group = optimizer.param_groups[0]
    assert (group['momentum'], group['nesterov'], group['weight_decay']) == (0.9, True, 5e-4)
    out = rates(recipe, 2)
    assert out[:10] == pytest.approx([0.001 * (i + 1) for i in range(10)])
    assert out[10::2] == pytest.approx([0.01] * 45 + [0.001] * 20 + [0.0001] * 10)
    plain = SGDRecipe(momentum=0.0, max_epochs=2)
    assert not plain.optimizer([torch.nn.Parameter(torch.zeros(1))]).param_groups[0]['nesterov']
    assert rates(plain, 3) == [0.1] * 6


def test_recipes_are_frozen_and_changed_by_replace():
    recipe = MSAGCNRecipe()
    with pytest.raises(FrozenInstanceError):
        recipe.lr = 1
    assert replace(recipe, lr=1.0).lr == 1.0
    with pytest.raises(NotImplementedError):
        Recipe().optimizer([])


def test_class_weights():
    y = torch.tensor([0] * 6 + [1] * 3 + [2])
    assert torch.equal(class_weights(y, 3, 0.0), torch.ones(3))
    balanced = class_weights(y, 3, 1.0)
    torch.testing.assert_close(balanced * torch.tensor([6.0, 3, 1]), torch.full((3,), 10 / 3))
    half = class_weights(y, 4, 0.5)
    assert half[y].mean() == pytest.approx(1.0)
    assert half[2] / half[0] == pytest.approx(6**0.5)
    assert half[3] == 0


@pytest.mark.parametrize('label', [-1, 3])
def test_weights_of_classes_that_there_are_not(label):
    with pytest.raises(ValueError, match=rf'y has 1 labels outside 0\.\.2, the first is {label}'):
        class_weights(torch.tensor([0, 1, label]), 3, 1.0)
