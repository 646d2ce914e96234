"""Callback that finds steps whose loss or gradient is not finite."""

from __future__ import annotations

import warnings
from itertools import chain
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data

from graphmotion.checks import check_choice
from graphmotion.data.batching import to_data_list
from graphmotion.extras import requires_extra

with requires_extra('train'):
    from lightning.pytorch import Callback, LightningModule, Trainer

NAN_POLICIES = ('raise', 'skip')


class SkippedStep(Exception):
    """Ends a step before the weights are updated; see :class:`FiniteSteps`."""


class FiniteSteps(Callback):
    r"""Ends training with an error, or skips the step, if the loss or the gradient has NaN or
    infinite values.

    Such a step would make all weights NaN. The message gives the step, the loss, the parameters,
    the training samples and, if the input is to blame, its fields and samples. Gradients of mixed
    half precision, whose scaler skips such steps itself, are not checked, but the loss is. If the
    gradients of several batches are accumulated, a fault in any of them skips their step, and the
    message names the first batch with a fault.

    Args:
        nan_policy (str, optional): :obj:`"raise"` or :obj:`"skip"`, which warns and leaves the
            weights, the statistics of batch normalisation and the state of the optimiser as they
            are. (default: :obj:`"raise"`)

    Raises:
        ValueError: If :obj:`nan_policy` is unknown.
    """

    def __init__(self, nan_policy: str = 'raise') -> None:
        self.nan_policy = check_choice('nan_policy', nan_policy, NAN_POLICIES)
        self._batches: list[tuple[int, Any]] = []  # whose gradients are accumulated
        self._losses: list[Tensor] = []
        self._norms: list[Tensor] = []  # after each batch
        self._buffers: list[tuple[Tensor, Tensor]] = []

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Records the batch for the message, and the buffers before the step."""
        if batch_idx % trainer.accumulate_grad_batches == 0:
            self._batches, self._losses, self._norms = [], [], []
            if self.nan_policy == 'skip':
                self._buffers = [(buffer, buffer.clone()) for buffer in pl_module.buffers()]
        self._batches.append((batch_idx, batch))

    def on_before_backward(
        self, trainer: Trainer, pl_module: LightningModule, loss: Tensor
    ) -> None:
        """Records the loss."""
        self._losses.append(loss.detach())

    def on_after_backward(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Records the norm of the gradient, which becomes infinite or NaN with the first fault."""
        if trainer.accumulate_grad_batches > 1:
            self._norms.append(self._norm(trainer))

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        """Checks the gradient before it is clipped."""
        norms = [*self._norms[: len(self._batches) - 1], self._norm(trainer)]
        faults = []
        if not torch.stack(norms).isfinite().all():  # or a norm of finite values overflows
            faults = self._faults(_gradients(trainer, pl_module))
        finite = not faults
        if self.nan_policy == 'skip':  # in all processes or in none
            finite = trainer.strategy.reduce_boolean_decision(finite)
        if finite:
            return
        faults = faults or ['the loss in another process is not finite']
        # The first batch with a fault, or the last one.
        position = next((i for i, norm in enumerate(norms) if not norm.isfinite()), -1)
        number, batch = self._batches[position]
        message = (
            f'epoch {trainer.current_epoch}, batch {number}: {"; ".join(faults)}; '
            f'{_cause(trainer, number, batch)}'
        )
        if self.nan_policy == 'skip':
            with torch.no_grad():
                for buffer, value in self._buffers:
                    buffer.copy_(value)
            warnings.warn(f'{message}; the step is skipped', stacklevel=2)
            if _is_scaled(trainer):
                return  # the scaler skips the step
            raise SkippedStep
        raise FloatingPointError(f"{message}; nan_policy='skip' skips such steps")

    def _norm(self, trainer: Trainer) -> Tensor:
        """Returns the norm of the losses and the gradient, one kernel for all parameters."""
        # The optimisers list the parameters faster than the module does.
        groups = [] if _is_scaled(trainer) else [x.param_groups for x in trainer.optimizers]
        parameters = [p for group in chain(*groups) for p in group['params']]
        gradients = [p.grad for p in parameters if p.grad is not None]
        return torch.nn.utils.get_total_norm([*self._losses, *gradients])

    def _faults(self, gradients: dict[str, Tensor]) -> list[str]:
        """Returns messages about what is not finite."""
        names = [name for name, gradient in gradients.items() if not gradient.isfinite().all()]
        shown = ', '.join(names[:3]) + (f' and {len(names) - 3} more' if len(names) > 3 else '')
        losses = [float(loss) for loss in self._losses if not loss.isfinite()]
        loss = [f'the loss is {losses[0]}'] if losses else []
        return loss + ([f'the gradient of {shown} is not finite'] if names else [])


def _is_scaled(trainer: Trainer) -> bool:
    return getattr(trainer.precision_plugin, 'scaler', None) is not None


def _gradients(trainer: Trainer, module: LightningModule) -> dict[str, Tensor]:
    """Returns the gradients to check by parameter, none with a scaler."""
    if _is_scaled(trainer):
        return {}
    return {n: p.grad for n, p in module.named_parameters() if p.grad is not None}


def _cause(trainer: Trainer, number: int, batch: Any) -> str:
    bad = find_non_finite(batch) if isinstance(batch, Data) else {}
    loader: Any = trainer.train_dataloader
    samples = loader.sampler.batch(trainer.current_epoch, number).tolist()
    if not bad:
        return f'all fields of the training samples {_shorten(samples)} are finite'
    fields = [f'{name} of {_shorten([samples[i] for i in found])}' for name, found in bad.items()]
    return f'not finite are, by training sample, {", ".join(fields)}'


def _shorten(numbers: list[int], most: int = 16) -> str:
    return f'{numbers[:most]}' + (f' and {len(numbers) - most} more' if len(numbers) > most else '')


def find_non_finite(batch: Batch) -> dict[str, list[int]]:
    r"""Returns the samples with NaN or infinite values, for each field that has some."""
    out: dict[str, list[int]] = {}
    for number, data in enumerate(to_data_list(batch)):
        for name, value in data.to_dict().items():
            if isinstance(value, Tensor) and not value.isfinite().all():
                out.setdefault(name, []).append(number)
    return out
