"""Base class of the Lightning modules."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module, Parameter
from torch_geometric.data import Batch

from graphmotion.data import GraphDataset
from graphmotion.extras import requires_extra
from graphmotion.inference.predict import call_model
from graphmotion.training.finite import SkippedStep
from graphmotion.training.freezing import frozen_parts, head_parameters
from graphmotion.training.recipes import Recipe

with requires_extra('train'):
    from lightning.pytorch import LightningModule
    from lightning.pytorch.plugins import MixedPrecision
    from torchmetrics import Metric


class RecipeModule(LightningModule):
    r"""Base class of modules that train a model by a recipe. A subclass computes the loss.

    While :func:`fit` or a Lightning trainer runs, the parts of the model that the recipe freezes
    require no gradient and are in evaluation mode.

    .. code-block:: python

        class RegressionModule(RecipeModule):
            def training_step(self, batch, batch_idx):
                return (self.model(batch.x, batch.batch).squeeze(-1) - batch.y).square().mean()

        recipe = ClassificationRecipe(OneCycle(max_epochs=1))
        module = RegressionModule(st_gcn('coco17', num_classes=1), recipe)

    Args:
        model (torch.nn.Module): The model, whose attribute :obj:`inputs` names the fields of a
            batch that it is called with.
        recipe (Recipe): Optimisation and loss.

    Raises:
        ValueError: If the recipe freezes unknown parts or all parameters of the model, or has a
            learning rate of the head but the model has no attribute :obj:`head`.
    """

    #: The metric by which :func:`fit` selects the best epoch.
    monitor: str
    recipe: Recipe

    def __init__(self, model: torch.nn.Module, recipe: Recipe) -> None:
        super().__init__()
        self.model = model
        self.recipe = recipe
        self._frozen: list[Parameter] = []
        self._modes: list[tuple[Module, bool]] = []
        frozen_parts(model, recipe.freeze)
        if recipe.head_lr is not None and not head_parameters(model):
            raise ValueError(
                f"model must have the attribute 'head' for head_lr, got {type(model).__name__}"
            )

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

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Updates the weights unless :class:`FiniteSteps` skips the step."""
        with suppress(SkippedStep):
            super().optimizer_step(*args, **kwargs)

    def setup(self, stage: str) -> None:
        """Freezes the parameters that the recipe does not train."""
        # Not later, as distributed training registers the trained parameters.
        if stage == 'fit':
            parameters = frozen_parts(self.model, self.recipe.freeze).parameters
            self._frozen = [p for p in parameters if p.requires_grad]
            for parameter in self._frozen:
                parameter.requires_grad_(False)

    def frozen_modules(self) -> list[Module]:
        """Returns the modules that are in evaluation mode while others are trained."""
        return frozen_parts(self.model, self.recipe.freeze).modules

    def on_train_start(self) -> None:
        """Puts frozen modules into evaluation mode."""
        # Not earlier, as Lightning warns about modules that start in evaluation mode.
        parts = [part for module in self.frozen_modules() for part in module.modules()]
        self._modes = [(part, part.training) for part in parts]
        for part in parts:
            part.training = False

    def teardown(self, stage: str) -> None:
        """Undoes the freezing."""
        for parameter in self._frozen:
            parameter.requires_grad_(True)
        for module, mode in self._modes:
            module.training = mode
        self._frozen, self._modes = [], []

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Returns the trained parameters, those of the head and the loss apart if their learning
        rate differs.
        """
        trained = [p for p in self.parameters() if p.requires_grad]
        if self.recipe.head_lr is None:
            return [{'params': trained}]
        head = set(map(id, head_parameters(self.model)))
        body = {id(p) for p in self.model.parameters()} - head
        groups: list[dict[str, Any]] = [
            {'params': [p for p in trained if id(p) in body]},
            {'params': [p for p in trained if id(p) not in body], 'lr': self.recipe.head_lr},
        ]
        return [group for group in groups if group['params']]

    def configure_optimizers(self) -> Any:
        """Returns the optimiser and the schedule of the recipe."""
        optimization = self.recipe.optimization
        # Lightning does not clip the gradients of fused optimisers in mixed precision.
        mixed = isinstance(self.trainer.precision_plugin, MixedPrecision)
        optimizer = optimization.optimizer(self.parameter_groups(), fused=None if mixed else True)
        total = int(self.trainer.estimated_stepping_batches)
        # Rounded up, as max_steps may end training inside an epoch.
        scheduler = optimization.scheduler(optimizer, -(-total // optimization.max_epochs))
        return [optimizer], [{'scheduler': scheduler, 'interval': 'step'}]
