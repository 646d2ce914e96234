"""Callbacks that make a run readable and repeatable."""

from __future__ import annotations

import json
import os
from typing import Any

import torch

from graphmotion.data.samplers import mix_seeds
from graphmotion.extras import requires_extra

with requires_extra('train'):
    from lightning.pytorch import Callback, LightningModule, Trainer


class History(Callback):
    r"""Keeps the logged figures of every epoch, in memory, in the checkpoint and in a file.

    Args:
        path (str, optional): A JSON file, written after every epoch. (default: :obj:`None`)
    """

    def __init__(self, path: str | None = None) -> None:
        self.path = path
        self.rows: list[dict[str, float]] = []
        self._rate = 0.0

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Note the learning rate of the step."""
        self._rate = float(trainer.optimizers[0].param_groups[0]['lr'])

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Add the figures of the epoch."""
        row = {'epoch': float(trainer.current_epoch), 'lr': self._rate}
        row |= {name: float(value) for name, value in trainer.callback_metrics.items()}
        self.rows = [r for r in self.rows if r['epoch'] < row['epoch']] + [row]
        if self.path is not None and trainer.is_global_zero:
            partial = f'{self.path}.tmp'
            with open(partial, 'w') as file:
                json.dump(self.rows, file, indent=1)
            os.replace(partial, self.path)

    def state_dict(self) -> dict[str, Any]:
        """What the checkpoint keeps."""
        return {'rows': self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue the history of a checkpoint."""
        self.rows = list(state_dict['rows'])


class RunRecord(Callback):
    r"""Keeps in the checkpoint what a run is made of, so that no other run is continued from it:
    :obj:`parts`, a name and a description of each.
    """

    def __init__(self) -> None:
        self.parts: dict[str, str] = {}

    def state_dict(self) -> dict[str, Any]:
        """What the checkpoint keeps."""
        return self.parts


class SeedEachStep(Callback):
    r"""Seeds each step by its epoch and number, so that dropout in a run which was cut off goes on
    as it would have.

    Args:
        seed (int): The seed of the run.
    """

    # Not once an epoch: Lightning leaves that hook out where a run is continued.

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Seed the step; processes draw apart, as their samples differ."""
        torch.manual_seed(
            mix_seeds(self.seed, trainer.current_epoch, batch_idx, trainer.global_rank)
        )
