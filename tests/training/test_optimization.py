import math
from dataclasses import FrozenInstanceError, replace

import pytest
import torch

from graphmotion.training import OneCycle, Optimization, SGDStepDecay, StepDecay
from graphmotion.training.optimization import moving_average


def learning_rates(optimization, steps_per_epoch):
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = optimization.optimizer([parameter])
    scheduler = optimization.scheduler(optimizer, steps_per_epoch)
    out = []
    for _ in range(optimization.max_epochs * steps_per_epoch):
        out.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        scheduler.step()
    return out


def test_one_cycle_rises_to_its_rate_and_falls():
    out = learning_rates(OneCycle(lr=0.1, max_epochs=10, warmup=0.2), 10)
    assert max(out) == pytest.approx(0.1)
    assert out.index(max(out)) == pytest.approx(19, abs=1)
    assert out[-1] < 1e-4


@pytest.mark.parametrize(('warmup', 'steps'), [(0.1, 10), (0.25, 4), (1 / 49, 49)])
def test_one_cycle_with_a_single_step_of_warm_up_starts_at_its_rate(warmup, steps):
    out = learning_rates(OneCycle(lr=0.1, max_epochs=steps, warmup=warmup), 1)
    end = 0.1 / 25 / 1e4
    falls = [(1 + math.cos(math.pi * step / (steps - 1))) / 2 for step in range(steps)]
    assert out == pytest.approx([end + (0.1 - end) * fall for fall in falls])


def test_one_cycle_decouples_weight_decay_from_the_gradient():
    parameter = torch.nn.Parameter(torch.ones(1))
    optimizer = OneCycle(lr=0.1, weight_decay=0.5).optimizer([parameter])
    assert type(optimizer) is torch.optim.AdamW
    parameter.grad = torch.zeros(1)
    optimizer.step()
    assert parameter.item() == pytest.approx(1 - 0.1 * 0.5)


def test_one_cycle_can_add_weight_decay_to_the_gradient():
    """The first step of Adam has the length of the learning rate for any gradient."""
    parameter = torch.nn.Parameter(torch.ones(1))
    optimization = OneCycle(lr=0.1, weight_decay=0.5, decoupled_weight_decay=False)
    optimizer = optimization.optimizer([parameter])
    parameter.grad = torch.zeros(1)
    optimizer.step()
    assert parameter.item() == pytest.approx(1 - 0.1)


def test_step_decay():
    rates = learning_rates(StepDecay(lr=1.0, max_epochs=4, milestones=(1, 3), gamma=0.5), 2)
    assert rates == pytest.approx([1.0] * 2 + [0.5] * 4 + [0.25] * 2)


def test_sgd_without_momentum_and_warm_up():
    optimization = SGDStepDecay(momentum=0.0, max_epochs=2)
    optimizer = optimization.optimizer([torch.nn.Parameter(torch.zeros(1))])
    assert not optimizer.param_groups[0]['nesterov']
    assert learning_rates(optimization, 3) == [0.1] * 6


def test_optimizations_are_frozen_and_changed_by_replace():
    optimization = StepDecay()
    with pytest.raises(FrozenInstanceError):
        optimization.lr = 1
    assert replace(optimization, lr=1.0).lr == 1.0
    with pytest.raises(NotImplementedError):
        Optimization().optimizer([])


def test_the_moving_average_warms_up_to_its_decay():
    update = moving_average(0.6)
    weights = torch.randn(30, 3, dtype=torch.double)
    average, expected = weights[0].clone(), weights[0]
    for n in range(1, 30):
        update([average], [weights[n]], torch.tensor(n))
        rate = min(0.6, (1 + n) / (10 + n))
        expected = rate * expected + (1 - rate) * weights[n]
    torch.testing.assert_close(average, expected, rtol=1e-6, atol=1e-6)
    # The first steps are soon forgotten: the second has a weight of 9 / 11.
    first = torch.zeros(1)
    update([first], [torch.ones(1)], torch.tensor(1))
    assert float(first) == pytest.approx(9 / 11)


def test_the_moving_average_of_a_constant_is_this_constant():
    constant = torch.rand(1000)
    averages = [constant.clone(), constant[:7].clone()]
    for count in (1, 5, 100):
        moving_average(0.7)(averages, [constant, constant[:7]], torch.tensor(count))
        assert torch.equal(averages[0], constant)
        assert torch.equal(averages[1], constant[:7])


def test_the_moving_average_copies_integers():
    counts = [torch.tensor(3), torch.tensor([4, 4])]
    moving_average(0.7)(counts, [torch.tensor(5), torch.tensor([6, 7])], torch.tensor(2))
    assert [x.tolist() for x in counts] == [5, [6, 7]]


@pytest.mark.parametrize(
    'optimization',
    [OneCycle(weight_decay=0.1), StepDecay(weight_decay=0.1), SGDStepDecay(weight_decay=0.1)],
)
def test_fused_optimizers_take_the_same_steps(optimization):
    weights = torch.randn(2, 50, dtype=torch.double)
    parameters = [torch.nn.Parameter(weights.clone()) for _ in range(2)]
    optimizers = [
        optimization.optimizer([parameter], fused=fused)
        for parameter, fused in zip(parameters, (False, True))
    ]
    for _ in range(5):
        for parameter, optimizer in zip(parameters, optimizers):
            parameter.grad = parameter.detach().cos()
            optimizer.step()
    assert not torch.equal(parameters[0], weights)
    torch.testing.assert_close(*parameters)


@pytest.mark.parametrize('warmup', [0.0, 0.15, 0.9])
def test_one_cycle_of_a_single_step_has_its_maximum_rate(warmup):
    assert learning_rates(OneCycle(lr=0.1, max_epochs=1, warmup=warmup), 1) == [0.1]


@pytest.mark.parametrize('warmup', [-0.1, 1, 1.5])
def test_one_cycle_must_fall(warmup):
    with pytest.raises(ValueError, match=rf'warmup must be in \[0, 1\), got {warmup}'):
        OneCycle(warmup=warmup)


@pytest.mark.parametrize(
    'optimization',
    [
        OneCycle(lr=0.1, max_epochs=4, warmup=0),
        OneCycle(lr=0.1, max_epochs=1),
        StepDecay(lr=0.1, max_epochs=4, milestones=(2, 3)),
        SGDStepDecay(lr=0.1, max_epochs=4, milestones=(2,), warmup_epochs=2),
    ],
)
def test_groups_with_a_learning_rate_of_their_own_have_the_same_schedule(optimization):
    groups = [{'params': [torch.nn.Parameter(torch.zeros(1))]} for _ in range(2)]
    groups[1]['lr'] = 0.4
    optimizer = optimization.optimizer(groups)
    scheduler = optimization.scheduler(optimizer, 1)
    for expected in learning_rates(optimization, 1):
        rates = [group['lr'] for group in optimizer.param_groups]
        assert rates == pytest.approx([expected, 4 * expected])
        optimizer.step()
        scheduler.step()


@pytest.mark.parametrize(
    ('optimization', 'extensible'),
    [
        (OneCycle(max_epochs=3), False),
        (StepDecay(max_epochs=3, milestones=(2, 4)), True),
        (SGDStepDecay(max_epochs=3, milestones=(2, 4), warmup_epochs=2), True),
    ],
)
def test_only_extensible_schedules_begin_like_longer_ones(optimization, extensible):
    assert optimization.extensible == extensible
    rates = learning_rates(optimization, 2)
    longer = learning_rates(replace(optimization, max_epochs=6), 2)
    assert (rates == longer[: len(rates)]) == extensible
