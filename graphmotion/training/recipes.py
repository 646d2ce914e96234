"""How a model is trained: optimiser, schedule and budget, one frozen dataclass a recipe."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
from torch.nn import Parameter
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, MultiStepLR, OneCycleLR

from graphmotion.metrics.classification import check_labels


@dataclass(frozen=True)
class Recipe:
    r"""What all recipes share; a subclass says how the learning rate goes.

    Recipes are changed with :func:`dataclasses.replace`.

    Args:
        lr (float): Learning rate, the highest of the schedule.
        weight_decay (float): Weight decay.
        batch_size (int): Samples of a step, those of all processes together.
        max_epochs (int): Number of epochs.
        label_smoothing (float): Weight of the uniform distribution in the target.
        class_balance (float): Exponent of the inverse class frequency that weighs the loss of a
            sample: 0 weighs samples alike, 1 weighs classes alike.
        gradient_clip (float, optional): Highest norm of the gradient.
        mixup (float): Parameter :math:`\alpha` of the `"mixup: Beyond Empirical Risk Minimization"
            <https://arxiv.org/abs/1710.09412>`_ paper: the features and losses of a batch are mixed
            with those of its samples in another order; 0 for none.
        ema_decay (float): Decay, a step, of the exponential moving average of the weights that
            validation and test use instead of the weights themselves; 0 for none. The average is
            over the last :math:`1 / (1 - \text{ema\_decay})` steps or so, and does away with some
            of the chance in the last steps of a small training set.
    """

    lr: float = 1e-3
    weight_decay: float = 0.0
    batch_size: int = 16
    max_epochs: int = 100
    label_smoothing: float = 0.0
    class_balance: float = 0.0
    gradient_clip: float | None = None
    mixup: float = 0.0
    ema_decay: float = 0.0

    def optimizer(self, parameters: Iterable[Parameter]) -> Optimizer:
        r"""The optimiser."""
        raise NotImplementedError

    def scheduler(self, optimizer: Optimizer, steps_per_epoch: int) -> LRScheduler:
        r"""The schedule of the learning rate, which steps once a batch."""
        raise NotImplementedError


@dataclass(frozen=True)
class StepRecipe(Recipe):
    r"""Adam, whose learning rate falls at given epochs.

    Args:
        milestones (tuple of int): The epochs after which it falls.
        gamma (float): The factor by which it falls.
    """

    milestones: tuple[int, ...] = ()
    gamma: float = 0.1

    def optimizer(self, parameters: Iterable[Parameter]) -> Optimizer:
        r"""Adam with weight decay as a term of the gradient."""
        return Adam(parameters, lr=self.lr, weight_decay=self.weight_decay)

    def scheduler(self, optimizer: Optimizer, steps_per_epoch: int) -> LRScheduler:
        r"""A fall at each milestone."""
        return MultiStepLR(optimizer, [m * steps_per_epoch for m in self.milestones], self.gamma)


@dataclass(frozen=True)
class SGDRecipe(StepRecipe):
    r"""Gradient descent with Nesterov's momentum, whose learning rate rises from zero to its
    highest in the first epochs and falls at given ones.

    Args:
        momentum (float): Momentum.
        warmup_epochs (int): The number of epochs in which it rises.
    """

    lr: float = 0.1
    momentum: float = 0.9
    warmup_epochs: int = 0

    def optimizer(self, parameters: Iterable[Parameter]) -> Optimizer:
        r"""SGD with weight decay as a term of the gradient."""
        return SGD(
            parameters,
            lr=self.lr,
            momentum=self.momentum,
            nesterov=self.momentum > 0,
            weight_decay=self.weight_decay,
        )

    def scheduler(self, optimizer: Optimizer, steps_per_epoch: int) -> LRScheduler:
        r"""A linear rise, then a fall at each milestone."""
        warmup = self.warmup_epochs * steps_per_epoch

        def factor(step: int) -> float:
            passed = sum(step >= m * steps_per_epoch for m in self.milestones)
            return self.gamma**passed * min(1.0, (step + 1) / max(1, warmup))

        return LambdaLR(optimizer, factor)


@dataclass(frozen=True)
class OneCycleRecipe(Recipe):
    r"""AdamW or Adam, whose learning rate rises and falls once, from the `"Super-Convergence: Very
    Fast Training of Neural Networks Using Large Learning Rates"
    <https://arxiv.org/abs/1708.07120>`_ paper.

    Args:
        warmup (float): The fraction of the steps on which it rises.
        decoupled_weight_decay (bool): Weights decay apart from the gradient, as in AdamW; if
            :obj:`False`, the decay is a term of the gradient, as in Adam.
    """

    warmup: float = 0.15
    decoupled_weight_decay: bool = True

    def optimizer(self, parameters: Iterable[Parameter]) -> Optimizer:
        r"""AdamW or Adam."""
        kind = AdamW if self.decoupled_weight_decay else Adam
        return kind(parameters, lr=self.lr, weight_decay=self.weight_decay)

    def scheduler(self, optimizer: Optimizer, steps_per_epoch: int) -> LRScheduler:
        r"""One cycle over all epochs."""
        total = max(1, self.max_epochs * steps_per_epoch)
        return OneCycleLR(optimizer, self.lr, total_steps=total, pct_start=self.warmup)


@dataclass(frozen=True)
class RecognitionRecipe(Recipe):
    r"""What recipes share that train embeddings by triplets of samples; to be combined with a
    recipe that says how the learning rate goes. The :obj:`batch_size` follows from the numbers of
    subjects and samples. See :class:`RecognitionModule` for the loss; :obj:`label_smoothing`,
    :obj:`class_balance` and :obj:`mixup` have no part in it.

    Args:
        subjects_per_batch (int): Number of subjects in a batch, those of all processes together.
        samples_per_subject (int): Number of samples of each.
        margin (float): By how much farther than a sample of the same subject one of another is to
            be, in the distance of embeddings of length one.
        epsilon (float): By how much a pair may be easier than the hardest ones of its anchor, in
            cosine similarity, and still count.

    Raises:
        ValueError: If a batch has less than two subjects or two samples of each, or an option is
            set that has no part in the loss.
    """

    batch_size: int = field(init=False)
    subjects_per_batch: int = 16
    samples_per_subject: int = 4
    margin: float = 0.2
    epsilon: float = 0.1

    def __post_init__(self) -> None:
        if self.subjects_per_batch < 2 or self.samples_per_subject < 2:
            raise ValueError(
                f'triplets need two subjects in a batch and two samples of each, got '
                f'{self.subjects_per_batch} and {self.samples_per_subject}'
            )
        for name in ('label_smoothing', 'class_balance', 'mixup'):
            if getattr(self, name):
                raise ValueError(f'{name} is for classifiers, got {getattr(self, name)}')
        # How a frozen dataclass sets what follows from its fields.
        object.__setattr__(self, 'batch_size', self.subjects_per_batch * self.samples_per_subject)


@dataclass(frozen=True)
class OneCycleRecognitionRecipe(RecognitionRecipe, OneCycleRecipe):
    r"""Embeddings trained in one cycle of the learning rate; see :class:`RecognitionRecipe` and
    :class:`OneCycleRecipe`.
    """


@dataclass(frozen=True)
class GaitMixerRecipe(OneCycleRecognitionRecipe):
    r"""The recipe of the `"GaitMixer: Skeleton-based Gait Representation Learning via Wide-spectrum
    Multi-axial Mixer" <https://arxiv.org/abs/2210.15491>`_ paper. The number of epochs, the margin
    and the shape of the cycle, which the paper does not tell, are those of its published code.
    """

    lr: float = 6e-3
    weight_decay: float = 1e-5
    max_epochs: int = 300
    warmup: float = 0.3
    decoupled_weight_decay: bool = False
    subjects_per_batch: int = 74
    samples_per_subject: int = 4
    margin: float = 0.01
    epsilon: float = 0.1


@dataclass(frozen=True)
class MSAGCNRecipe(StepRecipe):
    r"""The recipe of the `"MSA-GCN: Multiscale Adaptive Graph Convolution Network for Gait Emotion
    Recognition" <https://arxiv.org/abs/2209.08988>`_ paper; its "momentum 0.9" is Adam's
    :math:`\beta_1`.
    """

    lr: float = 1e-3
    weight_decay: float = 5e-4
    batch_size: int = 16
    max_epochs: int = 400
    milestones: tuple[int, ...] = (200, 300, 350)


@dataclass(frozen=True)
class FGSTFormerRecipe(SGDRecipe):
    r"""The recipe of the `"Focal and Global Spatial-Temporal Transformer for Skeleton-based Action
    Recognition" <https://arxiv.org/abs/2210.02693>`_ paper.
    """

    lr: float = 0.01
    weight_decay: float = 5e-4
    batch_size: int = 32
    max_epochs: int = 80
    milestones: tuple[int, ...] = (50, 70)
    warmup_epochs: int = 5


@dataclass(frozen=True)
class LMGCSLossRecipe(Recipe):
    r"""Batches, losses and stages of LMGCS, to be combined with a learning rate schedule.

    The :obj:`batch_size` is the product of the numbers of subjects and samples.

    Args:
        global_epochs (int): Number of epochs of the second stage.
        subjects_per_batch (int): Number of subjects in a batch over all processes.
        samples_per_subject (int): Number of samples of each subject.
        batches_per_epoch (int): Number of batches in an epoch.
        margin (float): Margin of the triplet losses.
        self_positives (bool): Whether anchors are positives of themselves, as in OpenGait; see
            :func:`part_triplet_loss`.
        triplet (bool): Whether the loss includes the triplet losses.
        cross_entropy (bool): Whether the loss includes cross-entropy.

    Raises:
        ValueError: If no loss is left, a batch has fewer than two subjects or two samples of each
            with triplets, or an option is set that this loss does not use.
    """

    batch_size: int = field(init=False)
    global_epochs: int = 30
    subjects_per_batch: int = 8
    samples_per_subject: int = 8
    batches_per_epoch: int = 1000
    margin: float = 0.2
    self_positives: bool = False
    triplet: bool = True
    cross_entropy: bool = True

    def __post_init__(self) -> None:
        if not (self.triplet or self.cross_entropy):
            raise ValueError('a recipe without triplet loss and cross-entropy trains nothing')
        if self.triplet and (self.subjects_per_batch < 2 or self.samples_per_subject < 2):
            raise ValueError(
                f'triplets need two subjects in a batch and two samples of each, got '
                f'{self.subjects_per_batch} and {self.samples_per_subject}'
            )
        for name in ('class_balance', 'mixup'):
            if getattr(self, name):
                raise ValueError(f'{name} has no part in this loss, got {getattr(self, name)}')
        # How a frozen dataclass sets what follows from its fields.
        object.__setattr__(self, 'batch_size', self.subjects_per_batch * self.samples_per_subject)


@dataclass(frozen=True)
class LMGCSRecipe(LMGCSLossRecipe, StepRecipe):
    r"""The recipe of the paper of :class:`~graphmotion.models.LMGCS` for CASIA-B.

    80,000 steps for local features, whose learning rate falls after 70,000, then 30,000 steps for
    attention. The paper's "momentum 0.9" is Adam's :math:`\beta_1`. An epoch has 1,000 steps if the
    data are drawn in :obj:`batches_per_epoch`. For OU-MVLP, use
    :obj:`LMGCSRecipe(subjects_per_batch=32, max_epochs=100, milestones=(80,), global_epochs=40)`.
    """

    lr: float = 1e-4
    max_epochs: int = 80
    milestones: tuple[int, ...] = (70,)


@dataclass(frozen=True)
class OneCycleLMGCSRecipe(LMGCSLossRecipe, OneCycleRecipe):
    r"""LMGCS trained in one cycle of the learning rate, for short runs and narrow networks."""

    lr: float = 2e-3
    weight_decay: float = 0.01
    max_epochs: int = 80
    warmup: float = 0.1
    label_smoothing: float = 0.1
    gradient_clip: float | None = 5.0


def class_weights(y: torch.Tensor, num_classes: int, exponent: float) -> torch.Tensor:
    r"""Weights of the classes by their inverse frequency to the power of :obj:`exponent`, with
    mean one over the samples. A class without samples has weight zero.

    Raises:
        ValueError: If a label is not one of the classes.
    """
    check_labels(y, 'y', num_classes)
    counts = torch.bincount(y, minlength=num_classes).float()
    weights = torch.where(counts > 0, counts.clamp(min=1) ** -exponent, 0.0)
    return weights * counts.sum() / (weights * counts).sum()
