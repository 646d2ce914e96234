"""Training of LMGCS: three losses, in two stages or at once."""

from __future__ import annotations

import os
import warnings
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import BatchNorm1d
from torch.nn.functional import cross_entropy
from torch_geometric.data import Batch

from graphmotion.extras import requires_extra
from graphmotion.metrics import relative_spread
from graphmotion.models.lmgcs import LMGCS, LMGCSFeatures, SeparateLinear
from graphmotion.training.data_module import GraphDataModule
from graphmotion.training.fitting import FitResult, fit
from graphmotion.training.part_triplet import part_triplet_loss
from graphmotion.training.predict import model_inputs
from graphmotion.training.recipes import LMGCSLossRecipe, StepRecipe
from graphmotion.training.recognition import SubjectModule

with requires_extra('train'):
    from torchmetrics import MeanMetric

STAGES = ('local', 'global', 'joint')


class LMGCSModule(SubjectModule):
    r"""Trains :class:`~graphmotion.models.LMGCS`, or a stage of it.

    Two triplet losses, of the parts made of maxima over frames and of those made by attention,
    compare samples part by part: see :func:`part_triplet_loss`. The paper prints the distances in
    them with the other sign, which would draw different people together. Cross-entropy tells
    subjects from each part, by a linear map of its own behind a batch normalisation, which the
    embedding does not have, as in the `"Bag of Tricks and A Strong Baseline for Deep Person
    Re-identification" <https://arxiv.org/abs/1903.07071>`_ paper: without it little is learned in
    the first hundreds of steps. All are means over parts, and the loss is their sum.

    The stage :obj:`"local"` trains all but attention, which is not computed, by the triplet loss of
    maxima and cross-entropy of these parts. The stage :obj:`"global"` trains attention alone, by
    the other triplet loss and cross-entropy of its parts; all before it is in evaluation mode and
    stays as it is, to the bit unless the recipe has a moving average of weights, which rounds.
    :obj:`"joint"` trains all at once, by both triplet losses and cross-entropy of the parts made by
    attention. A network without attention has only the first.

    Logs :obj:`train_loss` and its terms; :obj:`train_active`, the fraction of triplets that cost
    something, and :obj:`train_spread`, the :func:`~graphmotion.metrics.relative_spread` of a batch,
    which vanishes where the training collapses, both of the parts that cross-entropy sees; and
    :obj:`val_rank1`, the fraction of validation samples whose nearest other one is of the same
    subject.

    Args:
        model (LMGCS): The network.
        recipe (LMGCSLossRecipe): Optimiser, schedule and loss.
        subjects (Tensor): The subjects of the training samples, any integers, in any order and
            number.
        stage (str, optional): :obj:`"local"`, :obj:`"global"` or :obj:`"joint"`.
            (default: :obj:`"joint"`)
        label (str, optional): The field that tells who a sample is of.
            (default: :obj:`"subject"`)
        gather (bool, optional): If several processes train, compare the samples of all of them,
            so that the loss is that of a single process; their shares of a batch have to be
            equal. (default: :obj:`True`)

    Raises:
        ValueError: If the stage is unknown or is that of attention which the network does not
            have, or a training batch lacks the label or holds a subject that is not one of
            :obj:`subjects`.
    """

    model: LMGCS
    recipe: LMGCSLossRecipe
    subjects: Tensor

    def __init__(
        self,
        model: LMGCS,
        recipe: LMGCSLossRecipe,
        subjects: Tensor,
        stage: str = 'joint',
        label: str = 'subject',
        gather: bool = True,
    ) -> None:
        super().__init__(model, recipe, label, gather)
        if stage not in STAGES:
            raise ValueError(f'stage is one of {list(STAGES)}, got {stage!r}')
        if stage == 'global' and not model.global_modules:
            raise ValueError("the model has no attention for the stage 'global' to train")
        self.stage = stage
        self._warned = False
        self.register_buffer('subjects', subjects.unique())
        self.classifier = (
            SeparateLinear(model.num_parts, model.feature_dim, len(self.subjects))
            if recipe.cross_entropy
            else None
        )
        self.normalize = (
            BatchNorm1d(model.num_parts * model.feature_dim) if recipe.cross_entropy else None
        )
        terms = ['cross_entropy'] if recipe.cross_entropy else []
        if recipe.triplet:
            terms += [f'triplet_{name}' for name in self._trained()] + ['active']
        names = ('loss', *terms, 'spread')
        self.train_metrics = torch.nn.ModuleDict({name: MeanMetric() for name in names})
        for modules, name in ((model.local_modules, 'local'), (model.global_modules, 'global')):
            for module in modules:
                module.requires_grad_(name in self._trained())

    def _trained(self) -> list[str]:
        """What the stage trains, that of which the embedding is made last."""
        if self.stage != 'joint':
            return [self.stage]
        return ['local', 'global'] if self.model.global_modules else ['local']

    def on_train_start(self) -> None:
        """Put into evaluation mode what the stage is to leave as it is."""
        # Not before: Lightning warns of modules that begin in evaluation mode.
        if self.stage == 'global':
            for module in self.model.local_modules:
                module.eval()

    def on_train_end(self) -> None:
        """Put it back."""
        for module in self.model.local_modules:
            module.train(self.training)

    def features(self, batch: Batch) -> LMGCSFeatures:
        """The parts of a batch that the stage trains; the others are :obj:`None`."""
        trained, model = self._trained(), self.model
        with torch.set_grad_enabled(torch.is_grad_enabled() and 'local' in trained):
            branches, mask = model.branches(*model_inputs(model, batch))
        return LMGCSFeatures(
            model.local_parts(branches, mask) if 'local' in trained else None,
            model.global_parts(branches, mask) if 'global' in trained else None,
        )

    def training_step(self, batch: Batch, number: int) -> Tensor:
        """Loss of a training batch."""
        labels = self.find_labels(batch)
        features = {
            name: self.gather_samples(parts if parts.dtype == torch.float64 else parts.float())
            for name, parts in zip(('local', 'global'), self.features(batch))
            if parts is not None
        }
        labels = self.gather_samples(labels)
        with torch.autocast(labels.device.type, enabled=False):
            terms, active = self.losses(features, labels)
        loss = torch.stack(list(terms.values())).sum()
        figures = {'loss': loss} | terms | ({} if active is None else {'active': active})
        figures['spread'] = relative_spread(features[self._trained()[-1]])
        for name, metric in self.train_metrics.items():
            metric.update(figures[name].detach(), weight=batch.num_graphs)  # type: ignore[operator]
            self.log_metric(f'train_{name}', metric, batch, shown=name == 'loss')  # type: ignore[arg-type]
        return loss

    def losses(
        self, features: dict[str, Tensor], labels: Tensor
    ) -> tuple[dict[str, Tensor], Tensor | None]:
        """The terms of the loss by name, and the fraction of triplets that cost something."""
        terms, active = {}, None
        if self.recipe.triplet:
            self._warn_without_triplets(labels)
            for name, parts in features.items():
                terms[f'triplet_{name}'], active = part_triplet_loss(
                    parts, labels, self.recipe.margin, self.recipe.self_positives
                )
        if self.classifier is not None:
            assert self.normalize is not None  # they go together
            parts = features[self._trained()[-1]]
            logits = self.classifier(self.normalize(parts.flatten(1)).view_as(parts))
            terms['cross_entropy'] = cross_entropy(
                logits.flatten(0, 1),
                self._classes(labels).repeat_interleave(logits.size(1)),
                label_smoothing=self.recipe.label_smoothing,
            )
        return terms, active

    def _warn_without_triplets(self, labels: Tensor) -> None:
        """Warn, once, of a batch whose triplet loss is zero whatever the embeddings are."""
        if self._warned:
            return
        counts = labels.unique(return_counts=True)[1]
        if len(counts) < 2 or (int(counts.max()) < 2 and not self.recipe.self_positives):
            self._warned = True
            warnings.warn(
                f'a batch of {len(labels)} samples of {len(counts)} subjects has no triplet to '
                f'train with: it needs two subjects and two samples of one, which '
                f'GraphDataModule(balance={self.label!r}, samples_per_class=...) draws',
                stacklevel=2,
            )

    def _classes(self, labels: Tensor) -> Tensor:
        """The number of each subject among those of training."""
        classes = torch.searchsorted(self.subjects, labels).clamp(max=len(self.subjects) - 1)
        if bool((self.subjects[classes] != labels).any()):
            unknown = labels[self.subjects[classes] != labels].unique().tolist()
            raise ValueError(f'the batch holds the subjects {unknown}, which training has not')
        return classes

    def embed(self, batch: Batch) -> Tensor:
        """Embeddings of a batch: the parts that the stage trains."""
        if self.stage == 'local':  # attention is not trained yet
            branches, mask = self.model.branches(*model_inputs(self.model, batch))
            embeddings = self.model.local_parts(branches, mask).flatten(1)
        else:
            embeddings = self(batch)
        return embeddings.float()


def fit_two_stages(
    model: LMGCS,
    recipe: LMGCSLossRecipe,
    data: GraphDataModule,
    directory: str,
    seed: int = 0,
    label: str = 'subject',
    **options: Any,
) -> list[FitResult]:
    r"""Train the local features of a network and then, on those as they are, its attention.

    Each stage is a run of :func:`fit` in a folder of its own, :obj:`local` and :obj:`global`, and
    is continued where it was cut off.

    .. code-block:: python

        recipe = LMGCSRecipe()
        data = GraphDataModule(
            train,
            batch_size=recipe.batch_size,
            balance='subject',
            samples_per_class=recipe.samples_per_subject,
            batches_per_epoch=recipe.batches_per_epoch,
            train_transform=CropFrames(30),
        )
        fit_two_stages(lmgcs(), recipe, data, 'results')

    Args:
        model (LMGCS): The network; its weights are drawn by the caller before.
        recipe (LMGCSLossRecipe): How it is trained.
        data (GraphDataModule): On what.
        directory (str): Where checkpoints and history go.
        seed (int, optional): Seed of both runs. (default: :obj:`0`)
        label (str, optional): The field that tells who a sample is of.
            (default: :obj:`"subject"`)
        **options: Further options of :func:`fit`.

    Returns:
        list of FitResult: One for each stage; a network without attention has only the first.
    """
    changes: dict[str, Any] = {'milestones': ()} if isinstance(recipe, StepRecipe) else {}
    second = replace(recipe, max_epochs=recipe.global_epochs, **changes)
    stages = [('local', recipe)] + ([('global', second)] if model.global_modules else [])
    subjects = data.train.labels(label)
    results = []
    try:
        for stage, how in stages:
            torch.manual_seed(seed)  # for the weights of the classifier
            module = LMGCSModule(model, how, subjects, stage, label)
            results.append(fit(module, data, os.path.join(directory, stage), seed, **options))
    finally:
        model.requires_grad_(True)
    return results
