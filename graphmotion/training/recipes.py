"""Training recipes: an optimisation together with the options of a loss."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from graphmotion.checks import check_choice
from graphmotion.training.optimization import OneCycle, Optimization, SGDStepDecay, StepDecay

_Recipe = TypeVar('_Recipe', bound='Recipe')


@dataclass(frozen=True)
class Recipe:
    r"""Base class of recipes, which compose an optimisation with the options of a loss.

    Options are changed by :func:`dataclasses.replace` and those of the optimisation by
    :meth:`with_optimization`:

    .. code-block:: python

        recipe = replace(msa_gcn_recipe(), batch_size=32)
        recipe = recipe.with_optimization(lr=2e-3, max_epochs=50)

    To fine-tune a model (see :func:`~graphmotion.models.create_model`), layers can be frozen and
    the head can have a learning rate of its own:

    .. code-block:: python

        recipe = replace(recipe, freeze='*')  # everything but the head
        recipe = replace(recipe, freeze=('input_norm', 'layers.[0-3]'), head_lr=1e-2)

    Args:
        optimization (Optimization): Optimiser, learning rate schedule and number of epochs.
        freeze (str or tuple of str): Names of submodules or parameters of the model that are not
            trained, with the wildcards :obj:`*`, :obj:`?` and :obj:`[...]`. Frozen modules run in
            evaluation mode, so that the statistics of batch normalisation stay fixed, too. The
            attribute :obj:`head` of the model is always trained. (default: :obj:`()`)
        head_lr (float, optional): Maximum learning rate of the attribute :obj:`head` of the model
            and of parameters of the loss, instead of that of :obj:`optimization`.
            (default: :obj:`None`)
    """

    optimization: Optimization = field(default=OneCycle())
    freeze: str | tuple[str, ...] = field(default=(), kw_only=True)
    head_lr: float | None = field(default=None, kw_only=True)

    def with_optimization(self: _Recipe, **changes: Any) -> _Recipe:
        r"""Returns the recipe with changed options of the optimisation."""
        return replace(self, optimization=replace(self.optimization, **changes))


@dataclass(frozen=True)
class ClassificationRecipe(Recipe):
    r"""Cross-entropy of classes; see :class:`ClassificationModule`.

    .. code-block:: python

        recipe = ClassificationRecipe(OneCycle(max_epochs=50), label_smoothing=0.1, mixup=1.0)
        module = ClassificationModule(st_gcn('coco17', num_classes=4), 4, recipe)

    Args:
        batch_size (int): Number of samples in a batch, over all processes.
        label_smoothing (float): Weight of the uniform distribution in the target.
        class_balance (float): Exponent of the inverse class frequency that weights the samples in
            the loss; see :func:`class_weights`.
        mixup (float): Parameter :math:`\alpha` of the `"mixup: Beyond Empirical Risk Minimization"
            <https://arxiv.org/abs/1710.09412>`_ paper; 0 disables it.
    """

    batch_size: int = 16
    label_smoothing: float = 0.0
    class_balance: float = 0.0
    mixup: float = 0.0


@dataclass(frozen=True)
class EmbeddingRecipe(Recipe):
    r"""Base class of recipes that train embeddings by triplets of samples.

    .. code-block:: python

        recipe = RecognitionRecipe(subjects_per_batch=8, samples_per_subject=4)
        print(recipe.batch_size)  # 32

    Args:
        subjects_per_batch (int): Number of subjects in a batch, over all processes.
        samples_per_subject (int): Number of samples of each subject in a batch.
        batches_per_epoch (int, optional): Number of batches in an epoch. By default, the number of
            batches that hold as many samples as the training set.
        margin (float): Margin of the triplet loss.

    Raises:
        ValueError: If a batch has fewer than two subjects or two samples of each.
    """

    subjects_per_batch: int = 16
    samples_per_subject: int = 4
    batches_per_epoch: int | None = None
    margin: float = 0.2

    @property
    def batch_size(self) -> int:
        r"""Number of samples in a batch, over all processes."""
        return self.subjects_per_batch * self.samples_per_subject

    def __post_init__(self) -> None:
        if self.subjects_per_batch < 2 or self.samples_per_subject < 2:
            raise ValueError(
                f'subjects_per_batch and samples_per_subject must be >= 2 to form triplets, got '
                f'{self.subjects_per_batch} and {self.samples_per_subject}'
            )


@dataclass(frozen=True)
class RecognitionRecipe(EmbeddingRecipe):
    r"""Triplet loss of mined pairs; see :class:`RecognitionModule`.

    .. code-block:: python

        recipe = RecognitionRecipe(OneCycle(lr=1e-3, max_epochs=60), subjects_per_batch=8)
        module = RecognitionModule(gaitmixer('coco17'), recipe)

    Args:
        epsilon (float): Tolerance, in cosine similarity, of the miner: pairs that are easier than
            the hardest pair of their anchor by less than this are kept.
    """

    epsilon: float = 0.1


@dataclass(frozen=True)
class LMGCSRecipe(EmbeddingRecipe):
    r"""Part-wise triplet losses and cross-entropy in two stages; see :class:`LMGCSModule`.

    The defaults are the values of :func:`lmgcs_recipe`.

    .. code-block:: python

        recipe = replace(lmgcs_recipe(), batches_per_epoch=100, subjects_per_batch=4)
        print(recipe.batch_size)  # 4 subjects with 8 samples each: 32

    Args:
        optimization (Optimization): Optimisation of the first stage. The second stage differs in
            the number of epochs and has no milestones.
        global_epochs (int): Number of epochs of the second stage.
        self_positives (bool): If set to :obj:`True`, anchors are their own positives; see
            :func:`part_triplet_loss`.
        triplet (bool): If set to :obj:`False`, the triplet losses are left out.
        cross_entropy (bool): If set to :obj:`False`, the cross-entropy is left out.
        label_smoothing (float): Weight of the uniform distribution in the target of cross-entropy.

    Raises:
        ValueError: If both losses are left out, or a batch has fewer than two subjects or two
            samples of each while the triplet losses are used.
    """

    optimization: Optimization = field(default=StepDecay(lr=1e-4, max_epochs=80, milestones=(70,)))
    subjects_per_batch: int = 8
    samples_per_subject: int = 8
    batches_per_epoch: int | None = 1000
    global_epochs: int = 30
    self_positives: bool = False
    triplet: bool = True
    cross_entropy: bool = True
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        if self.triplet:
            super().__post_init__()
        elif not self.cross_entropy:
            raise ValueError('triplet or cross_entropy must be True, got False for both')


def gaitmixer_recipe() -> RecognitionRecipe:
    r"""Returns the recipe of the `"GaitMixer: Skeleton-based Gait Representation Learning via
    Wide-spectrum Multi-axial Mixer" <https://arxiv.org/abs/2210.15491>`_ paper. The number of
    epochs, the margin and the shape of the cycle, which the paper does not state, are taken from
    its published code.

    .. code-block:: python

        module = RecognitionModule(gaitmixer('coco17'), gaitmixer_recipe())
    """
    return RecognitionRecipe(
        OneCycle(
            lr=6e-3, weight_decay=1e-5, max_epochs=300, warmup=0.3, decoupled_weight_decay=False
        ),
        subjects_per_batch=74,
        samples_per_subject=4,
        margin=0.01,
        epsilon=0.1,
    )


def msa_gcn_recipe() -> ClassificationRecipe:
    r"""Returns the recipe of the `"MSA-GCN: Multiscale Adaptive Graph Convolution Network for Gait
    Emotion Recognition" <https://arxiv.org/abs/2209.08988>`_ paper, whose "momentum 0.9" is read as
    :math:`\beta_1` of Adam.

    .. code-block:: python

        recipe = msa_gcn_recipe().with_optimization(max_epochs=50)
        module = ClassificationModule(msa_gcn(num_classes=4), 4, recipe)
    """
    return ClassificationRecipe(
        StepDecay(lr=1e-3, weight_decay=5e-4, max_epochs=400, milestones=(200, 300, 350)),
        batch_size=16,
    )


def fg_stformer_recipe() -> ClassificationRecipe:
    r"""Returns the recipe of the `"Focal and Global Spatial-Temporal Transformer for Skeleton-based
    Action Recognition" <https://arxiv.org/abs/2210.02693>`_ paper.

    .. code-block:: python

        print(fg_stformer_recipe().optimization.max_epochs)  # 80
    """
    return ClassificationRecipe(
        SGDStepDecay(
            lr=0.01, weight_decay=5e-4, max_epochs=80, milestones=(50, 70), warmup_epochs=5
        ),
        batch_size=32,
    )


def ctr_gcn_recipe(dataset: str = 'ntu') -> ClassificationRecipe:
    r"""Returns the recipe of the code of the `"Channel-wise Topology Refinement Graph Convolution
    for Skeleton-Based Action Recognition" <https://arxiv.org/abs/2107.12213>`_ paper, for samples
    of :func:`~graphmotion.transforms.ctr_gcn_train_transform`.

    The authors pass over Northwestern-UCLA five times in each of their 65 epochs, which are 325
    epochs here. They report the epoch with the highest test accuracy.

    .. code-block:: python

        model = ctr_gcn('kinect20', num_classes=10)
        module = ClassificationModule(model, 10, ctr_gcn_recipe('nw_ucla'))

    Args:
        dataset (str, optional): :obj:`"ntu"` or :obj:`"nw_ucla"`. (default: :obj:`"ntu"`)

    Raises:
        ValueError: If the dataset is unknown.
    """
    if check_choice('dataset', dataset, ('ntu', 'nw_ucla')) == 'ntu':
        optimization = SGDStepDecay(
            lr=0.1, weight_decay=4e-4, max_epochs=65, milestones=(35, 55), warmup_epochs=5
        )
        return ClassificationRecipe(optimization, batch_size=64)
    optimization = SGDStepDecay(
        lr=0.1, weight_decay=1e-4, max_epochs=325, milestones=(250,), warmup_epochs=25
    )
    return ClassificationRecipe(optimization, batch_size=16)


def agcn_recipe() -> ClassificationRecipe:
    r"""Returns the recipe of the code of the `"Two-Stream Adaptive Graph Convolutional Networks for
    Skeleton-Based Action Recognition" <https://arxiv.org/abs/1805.07694>`_ paper for NTU RGB+D.

    .. code-block:: python

        module = ClassificationModule(agcn('ntu25', num_classes=60), 60, agcn_recipe())
    """
    return ClassificationRecipe(
        SGDStepDecay(lr=0.1, weight_decay=1e-4, max_epochs=50, milestones=(30, 40)),
        batch_size=64,
    )


def lmgcs_recipe() -> LMGCSRecipe:
    r"""Returns the recipe of the paper of :class:`~graphmotion.models.LMGCS` for CASIA-B.

    The first stage trains the local features for 80,000 steps, with a tenth of the learning rate
    after 70,000; the second trains the attention for 30,000. An epoch is 1,000 steps. The paper's
    "momentum 0.9" is read as :math:`\beta_1` of Adam.

    .. code-block:: python

        recipe = replace(lmgcs_recipe(), batches_per_epoch=100)
    """
    return LMGCSRecipe(
        StepDecay(lr=1e-4, max_epochs=80, milestones=(70,)),
        subjects_per_batch=8,
        samples_per_subject=8,
        batches_per_epoch=1000,
        margin=0.2,
        global_epochs=30,
    )


def lmgcs_ou_mvlp_recipe() -> LMGCSRecipe:
    r"""Returns the recipe of the paper of :class:`~graphmotion.models.LMGCS` for OU-MVLP.

    It differs from :func:`lmgcs_recipe` in 100,000 steps, with a tenth of the learning rate after
    80,000, and 40,000 steps of the second stage, in batches of 32 subjects.

    .. code-block:: python

        print(lmgcs_ou_mvlp_recipe().subjects_per_batch)
    """
    recipe = replace(lmgcs_recipe(), subjects_per_batch=32, global_epochs=40)
    return recipe.with_optimization(max_epochs=100, milestones=(80,))
