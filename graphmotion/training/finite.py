"""Callback that finds steps whose loss or gradient is not finite."""

from __future__ import annotations

import warnings
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
    half precision, whose scaler skips such steps itself, are not checked, but the loss is.

    Args:
        nan_policy (str, optional): :obj:`"raise"` or :obj:`"skip"`, which warns and leaves the
            weights, the statistics of batch normalisation and the state of the optimiser as they
            are. (default: :obj:`"raise"`)

    Raises:
        ValueError: If :obj:`nan_policy` is unknown.
    """

    def __init__(self, nan_policy: str = 'raise') -> None:
        self.nan_policy = check_choice('nan_policy', nan_policy, NAN_POLICIES)
        self._batch: tuple[int, Any] = (0, None)
        self._loss = torch.zeros(())
        self._buffers: list[tuple[Tensor, Tensor]] = []

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Records the batch for the message, and the buffers."""
        self._batch = batch_idx, batch
        if self.nan_policy == 'skip':
            self._buffers = [(buffer, buffer.clone()) for buffer in pl_module.buffers()]

    def on_before_backward(
        self, trainer: Trainer, pl_module: LightningModule, loss: Tensor
    ) -> None:
        """Records the loss."""
        self._loss = loss.detach()

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        """Checks the gradient before it is clipped."""
        gradients = {n: p.grad for n, p in pl_module.named_parameters() if p.grad is not None}
        scaled = getattr(trainer.precision_plugin, 'scaler', None) is not None
        if scaled:
            gradients = {}
        # The norm takes one kernel for all parameters, but may overflow if all are finite.
        total = torch.nn.utils.get_total_norm([self._loss, *gradients.values()])
        faults = [] if total.isfinite() else self._faults(gradients)
        finite = not faults
        if self.nan_policy == 'skip':  # in all processes or in none
            finite = trainer.strategy.reduce_boolean_decision(finite)
        if finite:
            return
        faults = faults or ['the loss in another process is not finite']
        message = (
            f'epoch {trainer.current_epoch}, batch {self._batch[0]}: {"; ".join(faults)}; '
            f'{self._cause(trainer)}'
        )
        if self.nan_policy == 'skip':
            with torch.no_grad():
                for buffer, value in self._buffers:
                    buffer.copy_(value)
            warnings.warn(f'{message}; the step is skipped', stacklevel=2)
            if scaled:
                return  # the scaler skips the step
            raise SkippedStep
        raise FloatingPointError(f"{message}; nan_policy='skip' skips such steps")

    def _faults(self, gradients: dict[str, Tensor]) -> list[str]:
        """Returns messages about what is not finite."""
        names = [name for name, gradient in gradients.items() if not gradient.isfinite().all()]
        shown = ', '.join(names[:3]) + (f' and {len(names) - 3} more' if len(names) > 3 else '')
        loss = [] if self._loss.isfinite() else [f'the loss is {float(self._loss)}']
        return loss + ([f'the gradient of {shown} is not finite'] if names else [])

    def _cause(self, trainer: Trainer) -> str:
        number, batch = self._batch
        bad = find_non_finite(batch) if isinstance(batch, Data) else {}
        loader: Any = trainer.train_dataloader
        samples = loader.sampler.batch(trainer.current_epoch, number).tolist()
        if not bad:
            return f'all fields of the training samples {_shorten(samples)} are finite'
        fields = [
            f'{name} of {_shorten([samples[i] for i in found])}' for name, found in bad.items()
        ]
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
