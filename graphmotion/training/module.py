"""What the modules that train a model by a recipe share."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Batch

from graphmotion.extras import requires_extra
from graphmotion.training.predict import call_model
from graphmotion.training.recipes import Recipe

with requires_extra('train'):
    from lightning.pytorch import LightningModule
    from torchmetrics import Metric


class RecipeModule(LightningModule):
    r"""Trains a model by a recipe. A subclass computes the loss.

    Args:
        model (torch.nn.Module): Its attribute :obj:`inputs` names the fields of a batch that it is
            called with.
        recipe (Recipe): Optimiser, schedule and loss.
    """

    #: The figure by which :func:`fit` chooses the best epoch.
    monitor: str

    def __init__(self, model: torch.nn.Module, recipe: Recipe) -> None:
        super().__init__()
        self.model = model
        self.recipe = recipe

    def forward(self, batch: Batch) -> Tensor:
        """What the model makes of a batch."""
        return call_model(self.model, batch)

    def batch_options(self) -> dict[str, Any]:
        """Options of a :class:`GraphDataModule` whose training batches are those of the recipe."""
        return {'batch_size': self.recipe.batch_size}

    def log_metric(self, name: str, metric: Metric, batch: Batch, shown: bool = True) -> None:
        """Log a figure of the epoch, that of the samples of all processes."""
        self.log(
            name,
            metric,
            prog_bar=shown,
            batch_size=batch.num_graphs,
            on_step=False,
            on_epoch=True,
        )

    def configure_optimizers(self) -> Any:
        """Optimiser and schedule of the recipe."""
        optimizer = self.recipe.optimizer(self.parameters())
        total = int(self.trainer.estimated_stepping_batches)
        # Rounded up, as a limit of steps may fall inside an epoch.
        schedule = self.recipe.scheduler(optimizer, -(-total // self.recipe.max_epochs))
        return [optimizer], [{'scheduler': schedule, 'interval': 'step'}]
