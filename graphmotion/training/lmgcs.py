"""Training of LMGCS in two stages or jointly."""

from __future__ import annotations

import os
import warnings
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import BatchNorm1d, Module
from torch.nn.functional import cross_entropy
from torch_geometric.data import Batch

from graphmotion.extras import requires_extra
from graphmotion.inference.predict import model_inputs
from graphmotion.metrics import relative_spread
from graphmotion.models.lmgcs import LMGCS, LMGCSFeatures
from graphmotion.models.weights import state_digest
from graphmotion.nn import SeparateLinear
from graphmotion.training.data_module import GraphDataModule
from graphmotion.training.fitting import FitResult, fit
from graphmotion.training.optimization import StepDecay
from graphmotion.training.part_triplet import part_triplet_loss
from graphmotion.training.recipes import LMGCSRecipe
from graphmotion.training.recognition import EmbeddingModule

with requires_extra('train'):
    from torchmetrics import MeanMetric

STAGES = ('local', 'global', 'joint')


class LMGCSModule(EmbeddingModule):
    r"""Trains :class:`~graphmotion.models.LMGCS`, in one of its stages or jointly.

    The loss is the sum of two triplet losses and a cross-entropy, each averaged over parts. The
    triplet losses, one of the local parts (maxima over frames) and one of the global parts
    (attention), compare samples part by part; see :func:`part_triplet_loss`. The paper prints their
    distances with the opposite sign, which would pull different subjects together. The
    cross-entropy classifies subjects from each part by a separate linear map after a batch
    normalisation, which is not part of the embedding, as in the `"Bag of Tricks and A Strong
    Baseline for Deep Person Re-identification" <https://arxiv.org/abs/1903.07071>`_ paper. Without
    the batch normalisation, the loss hardly decreases in the first few hundred steps.

    The stages differ in the parameters and in the terms of the loss:

    - :obj:`"local"` trains everything except the attention, which is not computed, by the triplet
      loss and the cross-entropy of the local parts.
    - :obj:`"global"` trains the attention only, by the triplet loss and the cross-entropy of the
      global parts. All other modules are in evaluation mode and stay unchanged.
    - :obj:`"joint"` trains all parameters by both triplet losses and the cross-entropy of the
      global parts, or as :obj:`"local"` if the network has no attention.

    Logs :obj:`train_loss` and its terms; :obj:`train_active`, the fraction of triplets with a
    nonzero loss, and :obj:`train_spread`, the :func:`~graphmotion.metrics.relative_spread` of a
    batch, which approaches zero if training collapses, both of the parts that the cross-entropy
    classifies; and :obj:`val_rank1`, the fraction of validation samples whose nearest neighbour is
    a sample of the same subject.

    .. code-block:: python

        subjects = torch.arange(50)  # of the training set
        module = LMGCSModule(lmgcs(channels=(4, 8, 8, 8), width=8), lmgcs_recipe(), subjects)

    Args:
        model (LMGCS): The network.
        recipe (LMGCSRecipe): Optimisation and loss.
        subjects (Tensor): The subjects of the training samples: integers in any order, possibly
            repeated.
        stage (str, optional): :obj:`"local"`, :obj:`"global"` or :obj:`"joint"`.
            (default: :obj:`"joint"`)
        label (str, optional): The field that holds the subject of a sample.
            (default: :obj:`"subject"`)
        gather (bool, optional): If set to :obj:`True`, compares the samples of all processes, such
            that the loss equals the loss of a single process; every process must then have the
            same number of samples. (default: :obj:`True`)

    Raises:
        ValueError: If :obj:`stage` is unknown or is :obj:`"global"` for a network without
            attention, or a training batch lacks the field :obj:`label` or holds a subject outside
            :obj:`subjects`.
    """

    model: LMGCS
    recipe: LMGCSRecipe
    subjects: Tensor

    def __init__(
        self,
        model: LMGCS,
        recipe: LMGCSRecipe,
        subjects: Tensor,
        stage: str = 'joint',
        label: str = 'subject',
        gather: bool = True,
    ) -> None:
        super().__init__(model, recipe, label, gather)
        if stage not in STAGES:
            raise ValueError(f'stage must be one of {list(STAGES)}, got {stage!r}')
        if stage == 'global' and not model.global_modules:
            raise ValueError("model must have attention for the stage 'global', got none")
        self.stage = stage
        self.initial_weights: str | None = None
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
            terms += [f'triplet_{name}' for name in self._trained_parts()] + ['active']
        names = ('loss', *terms, 'spread')
        # FiniteSteps reports steps that are not finite.
        self.train_metrics = torch.nn.ModuleDict({name: MeanMetric('ignore') for name in names})
        for modules, name in ((model.local_modules, 'local'), (model.global_modules, 'global')):
            for module in modules:
                module.requires_grad_(name in self._trained_parts())

    def _trained_parts(self) -> list[str]:
        """Returns the names of the parts that the stage trains; the last one is classified."""
        if self.stage != 'joint':
            return [self.stage]
        return ['local', 'global'] if self.model.global_modules else ['local']

    def frozen_modules(self) -> list[Module]:
        """Returns the modules that the recipe freezes or the stage does not train."""
        return super().frozen_modules() + (
            self.model.local_modules if self.stage == 'global' else []
        )

    def features(self, batch: Batch) -> LMGCSFeatures:
        """Returns the parts of a batch that the stage trains and :obj:`None` for the others."""
        trained, model = self._trained_parts(), self.model
        with torch.set_grad_enabled(torch.is_grad_enabled() and 'local' in trained):
            branches, mask = model.branches(*model_inputs(model, batch))
        return LMGCSFeatures(
            model.local_parts(branches, mask) if 'local' in trained else None,
            model.global_parts(branches, mask) if 'global' in trained else None,
        )

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Returns the loss of a training batch."""
        labels = self.get_labels(batch)
        features = {
            name: self.gather_samples(parts if parts.dtype == torch.float64 else parts.float())
            for name, parts in zip(('local', 'global'), self.features(batch))
            if parts is not None
        }
        labels = self.gather_samples(labels)
        with torch.autocast(labels.device.type, enabled=False):
            terms, active = self.losses(features, labels)
        loss = torch.stack(list(terms.values())).sum()
        values = {'loss': loss} | terms | ({} if active is None else {'active': active})
        values['spread'] = relative_spread(features[self._trained_parts()[-1]])
        for name, metric in self.train_metrics.items():
            metric.update(values[name].detach(), weight=batch.num_graphs)  # type: ignore[operator]
            self.log_metric(f'train_{name}', metric, batch, prog_bar=name == 'loss')  # type: ignore[arg-type]
        return loss

    def losses(
        self, features: dict[str, Tensor], labels: Tensor
    ) -> tuple[dict[str, Tensor], Tensor | None]:
        """Returns the terms of the loss and the fraction of triplets with a nonzero loss."""
        terms, active = {}, None
        if self.recipe.triplet:
            self._warn_without_triplets(labels)
            for name, parts in features.items():
                terms[f'triplet_{name}'], active = part_triplet_loss(
                    parts, labels, self.recipe.margin, self.recipe.self_positives
                )
        if self.classifier is not None:
            assert self.normalize is not None  # set together with the classifier
            parts = features[self._trained_parts()[-1]]
            logits = self.classifier(self.normalize(parts.flatten(1)).view_as(parts))
            terms['cross_entropy'] = cross_entropy(
                logits.flatten(0, 1),
                self._classes(labels).repeat_interleave(logits.size(1)),
                label_smoothing=self.recipe.label_smoothing,
            )
        return terms, active

    def _warn_without_triplets(self, labels: Tensor) -> None:
        """Warns once about a batch whose triplet loss is zero for any embeddings."""
        if self._warned:
            return
        counts = labels.unique(return_counts=True)[1]
        if len(counts) < 2 or (int(counts.max()) < 2 and not self.recipe.self_positives):
            self._warned = True
            warnings.warn(
                f'a batch of {len(labels)} samples of {len(counts)} subjects has no triplets, '
                f'which require two subjects and two samples of one of them; balance batches by '
                f'GraphDataModule(balance={self.label!r}, samples_per_class=...)',
                stacklevel=2,
            )

    def _classes(self, labels: Tensor) -> Tensor:
        """Returns the indices of subjects among the training subjects."""
        classes = torch.searchsorted(self.subjects, labels).clamp(max=len(self.subjects) - 1)
        if bool((self.subjects[classes] != labels).any()):
            unknown = labels[self.subjects[classes] != labels].unique().tolist()
            raise ValueError(f'labels must be among the training subjects, got {unknown}')
        return classes

    def embed(self, batch: Batch) -> Tensor:
        """Returns the embeddings of a batch, of the local parts only in the first stage."""
        if self.stage == 'local':  # the attention is not trained yet
            branches, mask = self.model.branches(*model_inputs(self.model, batch))
            embeddings = self.model.local_parts(branches, mask).flatten(1)
        else:
            embeddings = self(batch)
        return embeddings.float()


def fit_two_stages(
    model: LMGCS,
    recipe: LMGCSRecipe,
    data: GraphDataModule,
    directory: str,
    seed: int = 0,
    label: str = 'subject',
    **options: Any,
) -> list[FitResult]:
    r"""Trains the local features of a network and then, with these fixed, its attention.

    Each stage is a run of :func:`fit` in a separate directory, :obj:`local` and :obj:`global`, and
    is resumed if it was interrupted. If the first stage is continued for more epochs, an earlier
    second stage raises an error, since it was trained with other local features.

    .. code-block:: python

        recipe = replace(lmgcs_recipe(), subjects_per_batch=2, samples_per_subject=2)
        recipe = replace(recipe, batches_per_epoch=1, global_epochs=1)
        recipe = recipe.with_optimization(max_epochs=1)  # a moment instead of days
        walks = SyntheticGait.casia_b(num_subjects=2, num_frames=8, views=[90], silhouettes=True)
        data = GraphDataModule(
            walks,
            batch_size=recipe.batch_size,
            balance='subject',
            samples_per_class=recipe.samples_per_subject,
            batches_per_epoch=recipe.batches_per_epoch,
            train_transform=CropFrames(4),
        )
        model = lmgcs(channels=(4, 8, 8, 8), feature_dim=8, width=8)
        fit_two_stages(model, recipe, data, 'results')

    Args:
        model (LMGCS): The network with initialised weights.
        recipe (LMGCSRecipe): Optimisation and loss.
        data (GraphDataModule): Training and validation samples.
        directory (str): Directory of the checkpoints and histories.
        seed (int, optional): Seed of both runs. (default: :obj:`0`)
        label (str, optional): The field that holds the subject of a sample.
            (default: :obj:`"subject"`)
        **options: Further options of :func:`fit`.

    Returns:
        list of FitResult: The result of each stage; a network without attention has only the first.
    """
    # The first stage does not depend on the number of epochs of the second.
    stages = {'local': replace(recipe, global_epochs=0)}
    if model.global_modules:
        second = stages['local'].with_optimization(max_epochs=recipe.global_epochs)
        if isinstance(second.optimization, StepDecay):
            second = second.with_optimization(milestones=())
        stages['global'] = second
    subjects = data.train.labels(label)
    results: list[FitResult] = []
    try:
        for stage, stage_recipe in stages.items():
            torch.manual_seed(seed)  # for the weights of the classifier
            module = LMGCSModule(model, stage_recipe, subjects, stage, label)
            # Recorded in the checkpoint, as the second stage keeps the weights of the first.
            module.initial_weights = state_digest(model.state_dict()) if results else None
            results.append(fit(module, data, os.path.join(directory, stage), seed, **options))
    finally:
        model.requires_grad_(True)
    return results
