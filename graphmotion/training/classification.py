"""Training of classifiers."""

from __future__ import annotations

import copy

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch_geometric.data import Batch

from graphmotion.data import num_nodes_per_graph
from graphmotion.extras import requires_extra
from graphmotion.metrics.classification import check_labels
from graphmotion.training.module import RecipeModule
from graphmotion.training.predict import check_rows
from graphmotion.training.recipes import Recipe

with requires_extra('train'):
    from torchmetrics import MeanMetric
    from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score


class ClassificationModule(RecipeModule):
    r"""Trains a model that classifies samples, by cross-entropy.

    Logs :obj:`loss`, :obj:`accuracy` and macro :obj:`f1` of each part, as :obj:`train_loss`,
    :obj:`val_accuracy` and so on, in fractions.

    Args:
        model (torch.nn.Module): Gives logits :math:`(B, \text{num\_classes})`. Its attribute
            :obj:`inputs` names the fields of a batch that it is called with.
        num_classes (int): Number of classes.
        recipe (Recipe): Optimiser, schedule and loss.
        class_weight (Tensor, optional): Weight of each class in the loss; see
            :func:`~graphmotion.training.class_weights`. (default: :obj:`None`)

    Raises:
        ValueError: If a batch has no labels or labels outside the classes, or the model gives
            anything but logits of all classes for each sample.
    """

    monitor = 'val_accuracy'
    class_weight: Tensor | None

    def __init__(
        self,
        model: torch.nn.Module,
        num_classes: int,
        recipe: Recipe,
        class_weight: Tensor | None = None,
    ) -> None:
        super().__init__(model, recipe)
        self.num_classes = num_classes
        self.register_buffer('class_weight', class_weight, persistent=False)
        self.metrics = torch.nn.ModuleDict(
            {
                part: torch.nn.ModuleDict(
                    {
                        # Not Lightning's own mean, which is off by a fraction where processes
                        # have different numbers of samples.
                        'loss': MeanMetric(),
                        'accuracy': MulticlassAccuracy(num_classes, average='micro'),
                        'f1': MulticlassF1Score(num_classes, average='macro'),
                    }
                )
                for part in ('train_', 'val_', 'test_')
            }
        )

    def _loss(self, logits: Tensor, y: Tensor, smoothing: float = 0.0) -> Tensor:
        # The weights have mean one over the samples. The mean over samples, not over weights, is
        # the same for one process and for several, and defined where a class weighs nothing.
        losses = cross_entropy(
            logits, y, self.class_weight, label_smoothing=smoothing, reduction='none'
        )
        return losses.mean()

    def forward(self, batch: Batch) -> Tensor:
        """The logits of a batch.

        Raises:
            ValueError: If the model gives anything but logits of all classes for each sample.
        """
        logits = check_rows(self.model, super().forward(batch), batch.num_graphs, 'logits')
        if logits.size(1) != self.num_classes:
            raise ValueError(
                f'{type(self.model).__name__} gives logits of {logits.size(1)} classes, expected '
                f'num_classes={self.num_classes}'
            )
        return logits

    def _step(self, batch: Batch, part: str) -> Tensor:
        if batch.get('y') is None:
            raise ValueError("the batch lacks the field 'y', the class of each sample")
        check_labels(batch.y, 'y', self.num_classes)
        smoothing = self.recipe.label_smoothing if part == 'train_' else 0.0
        if part == 'train_' and self.recipe.mixup:
            batch, order, share = mix_samples(batch, self.recipe.mixup)
            logits = self(batch)
            loss = share * self._loss(logits, batch.y, smoothing)
            loss = loss + (1 - share) * self._loss(logits, batch.y[order], smoothing)
        else:
            logits = self(batch)
            loss = self._loss(logits, batch.y, smoothing)
        size = batch.num_graphs
        for name, metric in self.metrics[part].items():  # type: ignore[operator]
            if name == 'loss':
                metric.update(loss.detach(), weight=size)
            else:
                metric.update(logits.detach(), batch.y)
            shown = part != 'train_' or name == 'loss'
            self.log_metric(f'{part}{name}', metric, batch, shown)
        return loss

    def training_step(self, batch: Batch, number: int) -> Tensor:
        """Loss of a training batch."""
        return self._step(batch, 'train_')

    def validation_step(self, batch: Batch, number: int) -> None:
        """Figures of a validation batch."""
        self._step(batch, 'val_')

    def test_step(self, batch: Batch, number: int) -> None:
        """Figures of a test batch."""
        self._step(batch, 'test_')


def mix_samples(batch: Batch, alpha: float) -> tuple[Batch, Tensor, float]:
    r"""Mix the features of a batch with those of its samples in another order, as in the `"mixup:
    Beyond Empirical Risk Minimization" <https://arxiv.org/abs/1710.09412>`_ paper.

    Args:
        batch (Batch): With features :obj:`x`, and as many nodes in every graph.
        alpha (float): Parameter of the beta distribution of the share.

    Returns:
        tuple: The batch with mixed features, the order of the samples mixed in, and the share of
        each sample in itself, at least a half.

    Raises:
        ValueError: If graphs have different numbers of nodes.
    """
    sizes = num_nodes_per_graph(batch)
    if not bool((sizes == sizes[0]).all()):
        raise ValueError(f'mixup needs graphs of one size, got {sorted(set(sizes.tolist()))} nodes')
    share = float(torch.distributions.Beta(alpha, alpha).sample())
    share = max(share, 1 - share)
    order = torch.randperm(batch.num_graphs, device=batch.x.device)
    graphs = batch.x.view(batch.num_graphs, -1, *batch.x.shape[1:])
    batch = copy.copy(batch)
    batch.x = torch.lerp(graphs[order], graphs, share).flatten(0, 1)
    return batch, order, share
