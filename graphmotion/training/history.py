"""Callbacks for the history, the identity and the seeds of a run."""

from __future__ import annotations

import json
import math
import time
from typing import Any

import torch

from graphmotion.data.samplers import mix_seeds
from graphmotion.extras import requires_extra
from graphmotion.io.checkpoint import read_checkpoint
from graphmotion.io.files import atomic_write

with requires_extra('train'):
    from lightning.pytorch import Callback, LightningModule, Trainer


class History(Callback):
    r"""Records the logged metrics of every epoch in memory, in the checkpoint and in a file, and
    the training time of all epochs, :obj:`seconds`, in memory and in the checkpoint.

    .. code-block:: python

        data = GraphDataModule(train, transform=transform)
        fit(ClassificationModule(model, 4, recipe), data, 'results')  # with a History
        rows = json.loads(pathlib.Path('results/history.json').read_text())
        print(rows[-1]['train_loss'])

    Args:
        path (str, optional): A JSON file, written after every epoch. (default: :obj:`None`)
    """

    def __init__(self, path: str | None = None) -> None:
        self.path = path
        self.rows: list[dict[str, float]] = []
        self.seconds = 0.0
        self._rate = 0.0
        self._begin = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Continues the time of the epochs before."""
        if trainer.current_epoch == 0:
            self.seconds = 0.0
        self._begin = time.perf_counter() - self.seconds

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Records the learning rate of the step."""
        self._rate = float(trainer.optimizers[0].param_groups[0]['lr'])

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Appends the metrics of the epoch."""
        self.seconds = time.perf_counter() - self._begin
        row = {'epoch': float(trainer.current_epoch), 'lr': self._rate}
        row |= {name: float(value) for name, value in trainer.callback_metrics.items()}
        self.rows = [r for r in self.rows if r['epoch'] < row['epoch']] + [row]
        if self.path is not None and trainer.is_global_zero:
            with atomic_write(self.path) as file:
                file.write(json.dumps(self.rows, indent=1).encode())

    def state_dict(self) -> dict[str, Any]:
        """Returns the history for the checkpoint."""
        return {'rows': self.rows, 'seconds': self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores the history from a checkpoint."""
        self.rows = list(state_dict['rows'])
        self.seconds = float(state_dict.get('seconds', math.nan))


def training_seconds(checkpoint: str) -> float:
    r"""Returns the training time until a checkpoint of :func:`fit`, in seconds: that of all
    complete epochs with their validation, also before the run was interrupted. It is NaN if a part
    of the run did not record it.

    .. code-block:: python

        recipe = ClassificationRecipe(OneCycle(max_epochs=1))
        data = GraphDataModule(train, transform=transform)
        result = fit(ClassificationModule(model, 4, recipe), data, 'results')
        assert training_seconds(result.last) == result.seconds

    Args:
        checkpoint (str): Path of a checkpoint such as :obj:`last.ckpt`.

    Raises:
        ValueError: If the file is not a checkpoint of :func:`fit`.
    """
    callbacks, history = read_checkpoint(checkpoint, 'callbacks'), History()
    try:
        history.load_state_dict(callbacks[history.state_key])
    except (KeyError, TypeError, ValueError, AttributeError):
        raise ValueError(
            f'{checkpoint}: must be a checkpoint of fit, whose callbacks include History, got '
            f'{list(callbacks) if isinstance(callbacks, dict) else callbacks!r}'
        ) from None
    return history.seconds


class RunRecord(Callback):
    r"""Stores a description of the run in the checkpoint, such that no other run is resumed from
    it: :obj:`parts`, which maps names to descriptions.
    """

    def __init__(self) -> None:
        self.parts: dict[str, str] = {}

    def state_dict(self) -> dict[str, Any]:
        """Returns the description for the checkpoint."""
        return self.parts


class SeedEachStep(Callback):
    r"""Seeds each step by its epoch and index, such that dropout in a resumed run equals dropout in
    an uninterrupted run.

    .. code-block:: python

        data = GraphDataModule(train, transform=transform)
        module = ClassificationModule(model, 4, recipe)
        fit(module, data, 'results', callbacks=[SeedEachStep(7)])

    Args:
        seed (int): The seed of the run.
    """

    # Not once per epoch, as Lightning skips on_train_epoch_start in a resumed run.

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Seeds the step, differently in each process."""
        torch.manual_seed(
            mix_seeds(self.seed, trainer.current_epoch, batch_idx, trainer.global_rank)
        )
