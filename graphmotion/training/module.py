"""Base class of the Lightning modules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Batch

from graphmotion.data import GraphDataset
from graphmotion.extras import requires_extra
from graphmotion.inference.predict import call_model
from graphmotion.training.recipes import Recipe

with requires_extra('train'):
    from lightning.pytorch import LightningModule
    from torchmetrics import Metric


class RecipeModule(LightningModule):
    r"""Base class of modules that train a model by a recipe. A subclass computes the loss.

    Args:
        model (torch.nn.Module): The model, whose attribute :obj:`inputs` names the fields of a
            batch that it is called with.
        recipe (Recipe): Optimisation and loss.
    """

    #: The metric by which :func:`fit` selects the best epoch.
    monitor: str
    recipe: Recipe

    def __init__(self, model: torch.nn.Module, recipe: Recipe) -> None:
        super().__init__()
        self.model = model
        self.recipe = recipe

    def forward(self, batch: Batch) -> Tensor:
        """Returns the output of the model for a batch."""
        return call_model(self.model, batch)

    def batch_options(self) -> dict[str, Any]:
        """Returns the options of a :class:`GraphDataModule` that the recipe determines."""
        raise NotImplementedError

    def class_names(self, dataset: GraphDataset) -> Sequence[str] | None:
        """Returns the names of the classes, or :obj:`None` for models that return embeddings."""
        return None

    def log_metric(self, name: str, metric: Metric, batch: Batch, prog_bar: bool = True) -> None:
        """Logs a metric of the epoch, over the samples of all processes."""
        self.log(
            name,
            metric,
            prog_bar=prog_bar,
            batch_size=batch.num_graphs,
            on_step=False,
            on_epoch=True,
        )

    def configure_optimizers(self) -> Any:
        """Returns the optimiser and the schedule of the recipe."""
        optimization = self.recipe.optimization
        optimizer = optimization.optimizer(self.parameters())
        total = int(self.trainer.estimated_stepping_batches)
        # Rounded up, as max_steps may end training inside an epoch.
        scheduler = optimization.scheduler(optimizer, -(-total // optimization.max_epochs))
        return [optimizer], [{'scheduler': scheduler, 'interval': 'step'}]
