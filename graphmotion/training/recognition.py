"""Training of embeddings for recognition."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Batch

from graphmotion.extras import requires_extra
from graphmotion.inference.predict import check_rows
from graphmotion.metrics import relative_spread
from graphmotion.metrics.recognition.similarity import Similarity
from graphmotion.training.module import RecipeModule
from graphmotion.training.recipes import EmbeddingRecipe, RecognitionRecipe

with requires_extra('train'):
    from pytorch_metric_learning.distances import LpDistance
    from pytorch_metric_learning.losses import TripletMarginLoss
    from pytorch_metric_learning.miners import MultiSimilarityMiner
    from pytorch_metric_learning.reducers import AvgNonZeroReducer
    from torchmetrics import MeanMetric, Metric

# Number of probes whose similarities are computed at once.
_PROBE_CHUNK = 1024


class EmbeddingModule(RecipeModule):
    r"""Base class of modules that train embeddings of subjects.

    Gathers the samples of all processes, and logs :obj:`val_rank1` and :obj:`test_rank1`. A
    subclass implements :meth:`embed` and :meth:`training_step`.

    .. code-block:: python

        class PairModule(EmbeddingModule):
            def embedding_loss(self, embedding, labels):
                return part_triplet_loss(embedding.unsqueeze(1), labels, self.recipe.margin)[0]

    Args:
        model (torch.nn.Module): The model.
        recipe (EmbeddingRecipe): Optimisation and loss.
        label (str): The field that holds the subject of a sample.
        gather (bool): If set to :obj:`True`, the samples of all processes are compared.
    """

    monitor = 'val_rank1'
    recipe: EmbeddingRecipe

    def __init__(
        self, model: torch.nn.Module, recipe: EmbeddingRecipe, label: str, gather: bool
    ) -> None:
        super().__init__(model, recipe)
        self.label = label
        self.gather = gather
        self.rank1 = torch.nn.ModuleDict(
            {prefix: LeaveOneOutRank1() for prefix in ('val_', 'test_')}
        )

    def batch_options(self) -> dict[str, Any]:
        """Returns the options of a :class:`GraphDataModule` that the recipe determines."""
        return {
            'batch_size': self.recipe.batch_size,
            'balance': self.label,
            'samples_per_class': self.recipe.samples_per_subject,
            'batches_per_epoch': self.recipe.batches_per_epoch,
        }

    def embed(self, batch: Batch) -> Tensor:
        r"""Returns the embeddings of a batch, by which rank-1 is computed."""
        raise NotImplementedError

    def get_labels(self, batch: Batch) -> Tensor:
        r"""Returns the subject of each sample of a batch."""
        if self.label not in batch:
            raise ValueError(
                f'batch must have the field {self.label!r}, the subject of each sample'
            )
        return batch[self.label]

    def gather_samples(self, value: Tensor) -> Tensor:
        r"""Concatenates a per-sample value over all processes if :obj:`gather` is set.

        Every process then computes the loss of the full batch, and gradients are summed over the
        processes in the backward pass. Lightning averages them over the processes, which yields the
        gradient of that loss.
        """
        distributed = torch.distributed
        if not (self.gather and distributed.is_available() and distributed.is_initialized()):
            return value
        return self.all_gather(value, sync_grads=value.is_floating_point()).flatten(0, 1)  # type: ignore[union-attr]

    def _update_rank1(self, batch: Batch, prefix: str) -> None:
        metric = self.rank1[prefix]
        labels = self.get_labels(batch)
        metric.update(self.embed(batch), labels)  # type: ignore[operator]
        self.log_metric(f'{prefix}rank1', metric, batch)  # type: ignore[arg-type]

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Updates the rank-1 accuracy of validation."""
        self._update_rank1(batch, 'val_')

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Updates the rank-1 accuracy of the test."""
        self._update_rank1(batch, 'test_')


class RecognitionModule(EmbeddingModule):
    r"""Trains embeddings by a triplet loss on mined pairs of samples.

    Pairs of samples are compared by the cosine similarity :math:`s` of their embeddings. The
    multi-similarity miner of the `"Multi-Similarity Loss with General Pair Weighting for Deep
    Metric Learning" <https://arxiv.org/abs/1904.06627>`_ paper keeps, for an anchor :math:`a`, the
    positives :math:`p` and negatives :math:`n` with

    .. math::
        s_{ap} - \epsilon < \max_{n} s_{an}, \qquad s_{an} + \epsilon > \min_{p} s_{ap}

    The loss is the triplet loss of the `"FaceNet: A Unified Embedding for Face Recognition and
    Clustering" <https://arxiv.org/abs/1503.03832>`_ paper, without squaring the distances. It is
    computed for all triplets of a kept positive and a kept negative pair of the same anchor, and is
    the mean of

    .. math::
        \max(0, d_{ap} - d_{an} + m)

    over the triplets with a nonzero value, where :math:`d` is the Euclidean distance of normalised
    embeddings. If there is no such triplet, the loss is zero.

    Logs :obj:`train_loss`; :obj:`train_triplets`, the number of triplets per step with a nonzero
    loss; :obj:`train_positive_distance` and :obj:`train_negative_distance`, the mean distances
    between samples of the same subject and of different subjects; :obj:`train_spread`, the
    :func:`~graphmotion.metrics.relative_spread` of the embeddings of a batch, which approaches zero
    if training collapses; and :obj:`val_rank1`, the fraction of validation samples whose nearest
    neighbour is a sample of the same subject. Subjects with a single validation sample are in the
    gallery only.

    Batches should hold several samples of each subject; see :class:`BalancedBatchSampler`.

    .. code-block:: python

        recipe = RecognitionRecipe(OneCycle(max_epochs=1), subjects_per_batch=2)
        data = GraphDataModule(
            train,
            batch_size=recipe.batch_size,
            balance='subject',
            samples_per_class=recipe.samples_per_subject,
            train_transform=transform,
        )
        model = gaitmixer('coco17', channels=8, heads=2, temporal_channels=(8, 16))
        fit(RecognitionModule(model, recipe), data, 'results')

    Args:
        model (torch.nn.Module): Returns embeddings :math:`(B, D)`. Its attribute :obj:`inputs`
            names the fields of a batch that it is called with.
        recipe (RecognitionRecipe): Optimisation and loss.
        label (str, optional): The field that holds the subject of a sample.
            (default: :obj:`"subject"`)
        gather (bool, optional): If set to :obj:`True`, compares the samples of all processes, such
            that the loss equals the loss of a single process; every process must then have the
            same number of samples. If set to :obj:`False`, each process compares its own samples.
            (default: :obj:`True`)

    Raises:
        ValueError: If a batch lacks the field :obj:`label`, or the model does not return an
            embedding for each sample.
    """

    recipe: RecognitionRecipe

    def __init__(
        self,
        model: torch.nn.Module,
        recipe: RecognitionRecipe,
        label: str = 'subject',
        gather: bool = True,
    ) -> None:
        super().__init__(model, recipe, label, gather)
        self.miner = MultiSimilarityMiner(recipe.epsilon)
        self.triplet_loss = TripletMarginLoss(
            recipe.margin,
            distance=EuclideanDistance(),
            reducer=AvgNonZeroReducer(collect_stats=True),
        )
        names = ('loss', 'triplets', 'positive_distance', 'negative_distance', 'spread')
        # FiniteSteps reports steps that are not finite.
        self.train_metrics = torch.nn.ModuleDict({name: MeanMetric('ignore') for name in names})

    def embed(self, batch: Batch) -> Tensor:
        """Returns the embeddings of a batch in single or double precision."""
        embeddings = check_rows(self.model, self(batch), batch.num_graphs, 'embeddings')
        # Half precision cannot resolve the similarities that the miner compares.
        return embeddings if embeddings.dtype == torch.float64 else embeddings.float()

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Returns the loss of a training batch."""
        labels = self.get_labels(batch)
        embeddings = self.gather_samples(self.embed(batch))
        labels = self.gather_samples(labels)
        with torch.autocast(embeddings.device.type, enabled=False):
            pairs = self.miner(embeddings, labels)
            triplets = pairs_to_triplets(pairs, len(labels))
            loss = self.triplet_loss(embeddings, labels, triplets)
            values = mean_distances(embeddings.detach(), labels)
        values |= {
            'loss': loss.detach(),
            'triplets': self.triplet_loss.reducer.num_past_filter,
            'spread': relative_spread(embeddings),
        }
        for name, metric in self.train_metrics.items():
            metric.update(values[name], weight=batch.num_graphs)  # type: ignore[operator]
            self.log_metric(f'train_{name}', metric, batch, prog_bar=name == 'loss')  # type: ignore[arg-type]
        return loss


class EuclideanDistance(LpDistance):
    r"""Euclidean distance of normalised embeddings, computed from their differences.

    For more than 25 embeddings, :obj:`LpDistance` computes distances from inner products. In single
    precision this loses distances below about :math:`10^{-3}`, which occur when training is about
    to collapse, and their gradients.
    """

    def compute_mat(self, query_emb: Tensor, ref_emb: Tensor) -> Tensor:
        """Returns the distances of all pairs."""
        return torch.cdist(query_emb, ref_emb, compute_mode='donot_use_mm_for_euclid_dist')


class LeaveOneOutRank1(Metric):
    r"""Fraction of samples whose nearest neighbour by cosine similarity has the same label.

    Samples with a unique label are excluded as probes. Ties between samples of the same and of
    another label count as errors.
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False

    embeddings: list[Tensor]
    labels: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.add_state('embeddings', default=[], dist_reduce_fx='cat')
        self.add_state('labels', default=[], dist_reduce_fx='cat')

    def update(self, embeddings: Tensor, labels: Tensor) -> None:
        """Adds samples."""
        self.embeddings.append(embeddings.detach())
        self.labels.append(labels)

    def compute(self) -> Tensor:
        """Returns the fraction."""
        # The reduction over processes leaves a tensor instead of a list.
        embeddings, labels = (
            torch.cat(v) if isinstance(v, list) else v for v in (self.embeddings, self.labels)
        )
        _, subject, counts = labels.unique(return_inverse=True, return_counts=True)
        probes = (counts[subject] > 1).nonzero().view(-1)
        if not len(probes):
            raise ValueError(
                f'labels must include a label of two or more samples, got {len(counts)} labels of '
                f'{len(labels)} samples'
            )
        similarity = Similarity(embeddings, torch.arange(len(labels)))
        hits = [self._hits(similarity, labels, chunk) for chunk in probes.split(_PROBE_CHUNK)]
        return torch.cat(hits).float().mean()

    @staticmethod
    def _hits(similarity: Similarity, labels: Tensor, probes: Tensor) -> Tensor:
        """Returns whether the nearest sample of the same label is strictly nearer than all samples
        of other labels; :obj:`False` for NaN.
        """
        similar = similarity(probes)
        same = labels[probes].unsqueeze(1) == labels
        other = similar.masked_fill(same, -torch.inf).amax(dim=1)
        same.scatter_(1, probes.unsqueeze(1), False)
        return similar.masked_fill(~same, -torch.inf).amax(dim=1) > other


def pairs_to_triplets(
    pairs: tuple[Tensor, Tensor, Tensor, Tensor], num_samples: int
) -> tuple[Tensor, Tensor, Tensor]:
    r"""Returns all triplets of a positive and a negative pair with the same anchor.

    The triplets equal those that :obj:`TripletMarginLoss` forms from the same pairs, without
    comparing every positive pair with every negative pair.

    Args:
        pairs (tuple of Tensor): Anchors and positives of the positive pairs, then anchors (in
            ascending order) and negatives of the negative pairs, as returned by a miner.
        num_samples (int): Number of samples.

    Returns:
        tuple: Anchors, positives and negatives of the triplets.
    """
    positive_anchor, positive, negative_anchor, negative = pairs
    counts = torch.bincount(negative_anchor, minlength=num_samples)
    first = counts.cumsum(0) - counts
    times = counts[positive_anchor]
    pair = torch.repeat_interleave(times)
    step = torch.arange(len(pair), device=pair.device) - (times.cumsum(0) - times)[pair]
    anchor = positive_anchor[pair]
    return anchor, positive[pair], negative[first[anchor] + step]


def mean_distances(embeddings: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Returns the mean distances of normalised embeddings with equal and with different labels."""
    distances = EuclideanDistance()(embeddings)
    same = labels.unsqueeze(0) == labels.unsqueeze(1)
    other = ~same
    same = same.fill_diagonal_(False)
    return {
        name: (distances * mask).sum() / mask.sum().clamp(min=1)
        for name, mask in (('positive_distance', same), ('negative_distance', other))
    }
