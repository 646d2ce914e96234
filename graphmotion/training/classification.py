"""Training of classifiers."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch_geometric.data import Batch

from graphmotion.data import GraphDataset, num_nodes_per_graph
from graphmotion.extras import requires_extra
from graphmotion.inference.predict import check_rows
from graphmotion.metrics.confusion import check_labels
from graphmotion.training.module import RecipeModule
from graphmotion.training.recipes import ClassificationRecipe

with requires_extra('train'):
    from torchmetrics import MeanMetric
    from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score


class ClassificationModule(RecipeModule):
    r"""Trains a classifier by cross-entropy.

    Logs the :obj:`loss`, the :obj:`accuracy` and the macro-averaged :obj:`f1`, in the range 0 to 1,
    as :obj:`train_loss`, :obj:`val_accuracy`, :obj:`test_f1` and so on.

    .. code-block:: python

        recipe = ClassificationRecipe(OneCycle(lr=1e-3, max_epochs=2), batch_size=16)
        data = GraphDataModule(train, val=test, transform=transform)
        fit(ClassificationModule(model, 4, recipe), data, 'results')

    Args:
        model (torch.nn.Module): Returns logits :math:`(B, \text{num\_classes})`. Its attribute
            :obj:`inputs` names the fields of a batch that it is called with.
        num_classes (int): Number of classes.
        recipe (ClassificationRecipe): Optimisation and loss.
        class_weight (Tensor, optional): Weight of each class in the loss; see
            :func:`~graphmotion.training.class_weights`. (default: :obj:`None`)

    Raises:
        ValueError: If a batch has no labels or labels outside the classes, or the model does not
            return logits of all classes for each sample.
    """

    monitor = 'val_accuracy'
    class_weight: Tensor | None
    recipe: ClassificationRecipe

    def __init__(
        self,
        model: torch.nn.Module,
        num_classes: int,
        recipe: ClassificationRecipe,
        class_weight: Tensor | None = None,
    ) -> None:
        super().__init__(model, recipe)
        self.num_classes = num_classes
        self.register_buffer('class_weight', class_weight, persistent=False)
        self.metrics = torch.nn.ModuleDict(
            {
                prefix: torch.nn.ModuleDict(
                    {
                        # Lightning's own mean is inexact where processes have different numbers
                        # of samples. FiniteSteps reports training steps that are not finite.
                        'loss': MeanMetric('ignore' if prefix == 'train_' else 'warn'),
                        'accuracy': MulticlassAccuracy(num_classes, average='micro'),
                        'f1': MulticlassF1Score(num_classes, average='macro'),
                    }
                )
                for prefix in ('train_', 'val_', 'test_')
            }
        )

    def batch_options(self) -> dict[str, Any]:
        """Returns the options of a :class:`GraphDataModule` that the recipe determines."""
        return {'batch_size': self.recipe.batch_size}

    def class_names(self, dataset: GraphDataset) -> Sequence[str]:
        """Returns the names of the classes of a dataset, or their numbers if it has no names."""
        return dataset.class_names or [str(number) for number in range(self.num_classes)]

    def _loss(self, logits: Tensor, y: Tensor, smoothing: float = 0.0) -> Tensor:
        # The weights have mean one over the samples. Dividing by the number of samples instead of
        # the sum of their weights gives the same loss for any number of processes, and a finite
        # one if all weights are zero.
        losses = cross_entropy(
            logits, y, self.class_weight, label_smoothing=smoothing, reduction='none'
        )
        return losses.mean()

    def forward(self, batch: Batch) -> Tensor:
        """Returns the logits of a batch."""
        logits = check_rows(self.model, super().forward(batch), batch.num_graphs, 'logits')
        if logits.size(1) != self.num_classes:
            raise ValueError(
                f'{type(self.model).__name__} must return logits of num_classes='
                f'{self.num_classes} classes, got {logits.size(1)}'
            )
        return logits

    def _step(self, batch: Batch, prefix: str) -> Tensor:
        if batch.get('y') is None:
            raise ValueError("batch must have the field 'y', the class of each sample")
        check_labels(batch.y, 'y', self.num_classes)
        smoothing = self.recipe.label_smoothing if prefix == 'train_' else 0.0
        if prefix == 'train_' and self.recipe.mixup:
            batch, permutation, ratio = mixup(batch, self.recipe.mixup)
            logits = self(batch)
            loss = ratio * self._loss(logits, batch.y, smoothing)
            loss = loss + (1 - ratio) * self._loss(logits, batch.y[permutation], smoothing)
        else:
            logits = self(batch)
            loss = self._loss(logits, batch.y, smoothing)
        size = batch.num_graphs
        for name, metric in self.metrics[prefix].items():  # type: ignore[operator]
            if name == 'loss':
                metric.update(loss.detach(), weight=size)
            else:
                metric.update(logits.detach(), batch.y)
            prog_bar = prefix != 'train_' or name == 'loss'
            self.log_metric(f'{prefix}{name}', metric, batch, prog_bar)
        return loss

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Returns the loss of a training batch."""
        return self._step(batch, 'train_')

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Updates the metrics of validation."""
        self._step(batch, 'val_')

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Updates the metrics of the test."""
        self._step(batch, 'test_')


def mixup(batch: Batch, alpha: float) -> tuple[Batch, Tensor, float]:
    r"""Mixes the features of the samples of a batch in random pairs, as in the `"mixup: Beyond
    Empirical Risk Minimization" <https://arxiv.org/abs/1710.09412>`_ paper.

    Args:
        batch (Batch): Graphs of equal size with features :obj:`x`.
        alpha (float): Parameter of the beta distribution of the mixing ratio.

    Returns:
        tuple: The batch with mixed features, the permutation that maps each sample to the one mixed
        into it, and the ratio of the sample itself, which is at least a half.

    Raises:
        ValueError: If graphs have different numbers of nodes.
    """
    sizes = num_nodes_per_graph(batch)
    if not bool((sizes == sizes[0]).all()):
        raise ValueError(
            f'batch must hold graphs of equal size for mixup, got '
            f'{sorted(set(sizes.tolist()))} nodes'
        )
    ratio = float(torch.distributions.Beta(alpha, alpha).sample())
    ratio = max(ratio, 1 - ratio)
    permutation = torch.randperm(batch.num_graphs, device=batch.x.device)
    graphs = batch.x.view(batch.num_graphs, -1, *batch.x.shape[1:])
    batch = copy.copy(batch)
    batch.x = torch.lerp(graphs[permutation], graphs, ratio).flatten(0, 1)
    return batch, permutation, ratio
