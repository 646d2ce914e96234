from dataclasses import FrozenInstanceError, replace

import pytest
import torch

from graphmotion.training import (
    FGSTFormerRecipe,
    MSAGCNRecipe,
    OneCycleRecipe,
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
