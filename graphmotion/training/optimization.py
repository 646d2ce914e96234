"""Optimisers and learning rate schedules."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, MultiStepLR, OneCycleLR


@dataclass(frozen=True)
class Optimization:
    r"""Base class of the optimisers with their learning rate schedules.

    .. code-block:: python

        recipe = ClassificationRecipe(SGDStepDecay(lr=0.1, max_epochs=65, milestones=(35, 55)))
        print(recipe.optimization.max_epochs)  # 65

    Args:
        lr (float): Maximum learning rate.
        weight_decay (float): Weight decay.
        max_epochs (int): Number of epochs.
        gradient_clip (float, optional): Maximum norm of the gradient.
        ema_decay (float): Decay per step of an exponential moving average of the weights, which
            replaces the weights in validation, test and the final model; 0 disables it. The average
            extends over about :math:`1 / (1 - \text{ema\_decay})` steps, fewer at the start of
            training, and reduces the variance between the last steps on a small training set; see
            :func:`moving_average`.
    """

    #: Whether the learning rates of the first epochs are the same for any :obj:`max_epochs`, so
    #: that :func:`fit` can continue a finished run for more epochs.
    extensible: ClassVar[bool] = False

    lr: float = 1e-3
    weight_decay: float = 0.0
    max_epochs: int = 100
    gradient_clip: float | None = None
    ema_decay: float = 0.0

    def optimizer(
        self,
        parameters: Iterable[Parameter] | Iterable[dict[str, Any]],
        fused: bool | None = None,
    ) -> Optimizer:
        r"""Returns the optimiser of the given parameters, or of groups of parameters, each of which
        may have its own maximum learning rate :obj:`"lr"`.

        Args:
            parameters (iterable of Parameter or dict): The parameters, or their groups.
            fused (bool, optional): If set to :obj:`True`, updates all parameters in one kernel; see
                :class:`torch.optim.Adam`. By default, torch decides. (default: :obj:`None`)
        """
        raise NotImplementedError

    def scheduler(self, optimizer: Optimizer, steps_per_epoch: int) -> LRScheduler:
        r"""Returns the learning rate schedule, which is stepped after every batch."""
        raise NotImplementedError


@dataclass(frozen=True)
class StepDecay(Optimization):
    r"""Adam with a learning rate that is multiplied by a factor at given epochs.

    .. code-block:: python

        recipe = ClassificationRecipe(StepDecay(lr=1e-3, max_epochs=80, milestones=(50, 70)))

    Args:
        milestones (tuple of int): Epochs after which the learning rate is multiplied by
            :obj:`gamma`.
        gamma (float): The factor.
    """

    extensible = True

    milestones: tuple[int, ...] = ()
    gamma: float = 0.1

    def optimizer(
        self,
        parameters: Iterable[Parameter] | Iterable[dict[str, Any]],
        fused: bool | None = None,
    ) -> Optimizer:
        r"""Returns Adam, with weight decay added to the gradient."""
        return Adam(parameters, lr=self.lr, weight_decay=self.weight_decay, fused=fused)

    def scheduler(self, optimizer: Optimizer, steps_per_epoch: int) -> LRScheduler:
        r"""Returns a schedule that decays at every milestone."""
        return MultiStepLR(optimizer, [m * steps_per_epoch for m in self.milestones], self.gamma)


@dataclass(frozen=True)
class SGDStepDecay(StepDecay):
    r"""SGD with Nesterov momentum, a linear warm-up of the learning rate, and step decay.

    .. code-block:: python

        optimization = SGDStepDecay(lr=0.1, max_epochs=65, milestones=(35, 55), warmup_epochs=5)
        recipe = ClassificationRecipe(optimization, batch_size=64)

    Args:
        momentum (float): Momentum; 0 disables it.
        warmup_epochs (int): Number of warm-up epochs.
    """

    lr: float = 0.1
    momentum: float = 0.9
    warmup_epochs: int = 0

    def optimizer(
        self,
        parameters: Iterable[Parameter] | Iterable[dict[str, Any]],
        fused: bool | None = None,
    ) -> Optimizer:
        r"""Returns SGD, with weight decay added to the gradient."""
        return SGD(
            parameters,
            lr=self.lr,
            momentum=self.momentum,
            nesterov=self.momentum > 0,
            weight_decay=self.weight_decay,
            fused=fused,
        )

    def scheduler(self, optimizer: Optimizer, steps_per_epoch: int) -> LRScheduler:
        r"""Returns a schedule that warms up linearly and decays at every milestone."""
        warmup = self.warmup_epochs * steps_per_epoch

        def factor(step: int) -> float:
            passed = sum(step >= m * steps_per_epoch for m in self.milestones)
            return self.gamma**passed * min(1.0, (step + 1) / max(1, warmup))

        return LambdaLR(optimizer, factor)


@dataclass(frozen=True)
class OneCycle(Optimization):
    r"""AdamW or Adam with the one-cycle learning rate policy of the `"Super-Convergence: Very Fast
    Training of Neural Networks Using Large Learning Rates" <https://arxiv.org/abs/1708.07120>`_
    paper.

    .. code-block:: python

        optimization = OneCycle(lr=2e-3, max_epochs=30, warmup=0.1, ema_decay=0.98)
        recipe = ClassificationRecipe(optimization)

    Args:
        warmup (float): Fraction of the steps in which the learning rate increases.
        decoupled_weight_decay (bool): If set to :obj:`True`, uses AdamW, which decouples weight
            decay from the gradient; otherwise Adam, which adds it to the gradient.

    Raises:
        ValueError: If :obj:`warmup` is not in [0, 1).
    """

    warmup: float = 0.15
    decoupled_weight_decay: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.warmup < 1:
            raise ValueError(f'warmup must be in [0, 1), got {self.warmup!r}')

    def optimizer(
        self,
        parameters: Iterable[Parameter] | Iterable[dict[str, Any]],
        fused: bool | None = None,
    ) -> Optimizer:
        r"""Returns AdamW or Adam."""
        cls = AdamW if self.decoupled_weight_decay else Adam
        return cls(parameters, lr=self.lr, weight_decay=self.weight_decay, fused=fused)

    def scheduler(self, optimizer: Optimizer, steps_per_epoch: int) -> LRScheduler:
        r"""Returns one cycle over all epochs, or the maximum learning rate for a single step."""
        total = max(1, self.max_epochs * steps_per_epoch)
        if total == 1:
            return LambdaLR(optimizer, lambda step: 1.0)
        warmup = float(self.warmup)
        if warmup * total == 1:
            # OneCycleLR divides by the number of steps before the maximum, which is the first one.
            warmup *= 1 - 1e-9
        max_lr = [group['lr'] for group in optimizer.param_groups]
        return OneCycleLR(optimizer, max_lr, total_steps=total, pct_start=warmup)


def moving_average(decay: float) -> Callable[[list[Tensor], list[Tensor], Tensor], None]:
    r"""Returns the update, in place, of an exponential moving average of weights with a warm-up.

    .. math::
        \mathbf{w}'_n = d_n \, \mathbf{w}'_{n-1} + (1 - d_n) \, \mathbf{w}_n, \qquad
        d_n = \min \left( \text{decay}, \frac{1 + n}{10 + n} \right)

    Without the warm-up, weights of the first steps, which change quickly, dominate the average for
    several times :math:`1 / (1 - \text{decay})` steps.

    Args:
        decay (float): Decay per step.
    """

    def update(averages: list[Tensor], weights: list[Tensor], count: Tensor) -> None:
        if not averages[0].is_floating_point():  # the tensors have the same type
            torch._foreach_copy_(averages, weights)
            return
        step = float(count)
        # lerp leaves weights that do not change as they are, without rounding.
        torch._foreach_lerp_(averages, weights, 1 - min(decay, (1 + step) / (10 + step)))

    return update
