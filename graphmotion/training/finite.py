"""Callback that finds steps whose gradient is not finite."""

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
    r"""Ends training with an error, or skips the step, if the gradient has NaN or infinite values.

    Such a step would make all weights NaN. The message gives the step, the loss, the parameters
    and, if the input is to blame, its fields and samples. Gradients of mixed half precision, whose
    scaler skips such steps itself, are not checked.

    Args:
        nan_policy (str, optional): :obj:`"raise"` or :obj:`"skip"`, which warns and leaves the
            weights and the state of the optimiser as they are. (default: :obj:`"raise"`)

    Raises:
        ValueError: If :obj:`nan_policy` is unknown.
    """

    def __init__(self, nan_policy: str = 'raise') -> None:
        self.nan_policy = check_choice('nan_policy', nan_policy, NAN_POLICIES)
        self._batch: tuple[int, Any] = (0, None)

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Records the batch for the message."""
        self._batch = batch_idx, batch

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        """Checks the gradient before it is clipped."""
        if getattr(trainer.precision_plugin, 'scaler', None) is not None:
            return
        gradients = {n: p.grad for n, p in pl_module.named_parameters() if p.grad is not None}
        # The norm takes one kernel for all parameters, but may overflow if all are finite.
        if not gradients or torch.nn.utils.get_total_norm(gradients.values()).isfinite():
            return
        names = [name for name, gradient in gradients.items() if not gradient.isfinite().all()]
        if not names:
            return
        number, batch = self._batch
        shown = ', '.join(names[:3]) + (f' and {len(names) - 3} more' if len(names) > 3 else '')
        message = (
            f'epoch {trainer.current_epoch}, batch {number}: the gradient of {shown} is not '
            f'finite; {self._cause(trainer, batch)}'
        )
        if self.nan_policy == 'skip':
            warnings.warn(f'{message}; the step is skipped', stacklevel=2)
            raise SkippedStep
        raise FloatingPointError(f"{message}; nan_policy='skip' skips such steps")

    def _cause(self, trainer: Trainer, batch: Any) -> str:
        bad = find_non_finite(batch) if isinstance(batch, Data) else {}
        if not bad:
            return 'all fields of the samples are finite'
        loader: Any = trainer.train_dataloader
        numbers = loader.sampler.batch(trainer.current_epoch, self._batch[0]).tolist()
        fields = [f'{name} of {[numbers[i] for i in found][:10]}' for name, found in bad.items()]
        return f'not finite are, by training sample, {", ".join(fields)}'


def find_non_finite(batch: Batch) -> dict[str, list[int]]:
    r"""Returns the samples with NaN or infinite values, for each field that has some."""
    out: dict[str, list[int]] = {}
    for number, data in enumerate(to_data_list(batch)):
        for name, value in data.to_dict().items():
            if isinstance(value, Tensor) and not value.isfinite().all():
                out.setdefault(name, []).append(number)
    return out
