"""Training of embeddings, by which subjects are recognised."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.data import Batch

from graphmotion.metrics import relative_spread
from graphmotion.metrics.recognition.similarity import Similarity
from graphmotion.training.module import RecipeModule
from graphmotion.training.predict import check_embeddings
from graphmotion.training.recipes import Recipe, RecognitionRecipe

try:
    from pytorch_metric_learning.distances import LpDistance
    from pytorch_metric_learning.losses import TripletMarginLoss
    from pytorch_metric_learning.miners import MultiSimilarityMiner
    from pytorch_metric_learning.reducers import AvgNonZeroReducer
    from torchmetrics import MeanMetric, Metric
except ImportError as error:
    raise ImportError(
        'training for recognition needs pytorch-metric-learning: pip install "graphmotion[train]"'
    ) from error

# Rows of similarities that are computed at once.
_PROBES_AT_ONCE = 1024


class SubjectModule(RecipeModule):
    r"""What modules share that train a model to tell subjects apart: whose samples they are, those
    of all processes, and rank-1 among the samples of a validation or a test.

    A subclass gives :meth:`embed`.

    Args:
        model (torch.nn.Module): What is trained.
        recipe (Recipe): Optimiser, schedule and loss.
        label (str): The field that tells who a sample is of.
        gather (bool): Whether the samples of all processes are compared.
    """

    monitor = 'val_rank1'

    def __init__(self, model: torch.nn.Module, recipe: Recipe, label: str, gather: bool) -> None:
        super().__init__(model, recipe)
        self.label = label
        self.gather = gather
        self.rank1 = torch.nn.ModuleDict({part: LeaveOneOutRank1() for part in ('val_', 'test_')})

    def embed(self, batch: Batch) -> Tensor:
        r"""The embeddings of a batch that samples are found by."""
        raise NotImplementedError

    def find_labels(self, batch: Batch) -> Tensor:
        r"""The subjects of a batch.

        Raises:
            ValueError: If the batch lacks the field.
        """
        if self.label not in batch:
            raise ValueError(
                f'the batch lacks the field {self.label!r}, which tells who a sample is of'
            )
        return batch[self.label]

    def gather_samples(self, value: Tensor) -> Tensor:
        r"""A value of each sample, of those of all processes if they are to be compared.

        Every process then has the loss of the whole batch, and the gradients that come back to a
        process are summed over all of them: their mean, which Lightning takes, is the gradient of
        that loss.
        """
        distributed = torch.distributed
        if not (self.gather and distributed.is_available() and distributed.is_initialized()):
            return value
        return self.all_gather(value, sync_grads=value.is_floating_point()).flatten(0, 1)  # type: ignore[union-attr]

    def _compare(self, batch: Batch, part: str) -> None:
        metric = self.rank1[part]
        labels = self.find_labels(batch)
        metric.update(self.embed(batch), labels)  # type: ignore[operator]
        self.log_metric(f'{part}rank1', metric, batch)  # type: ignore[arg-type]

    def validation_step(self, batch: Batch, number: int) -> None:
        """Embeddings of a validation batch."""
        self._compare(batch, 'val_')

    def test_step(self, batch: Batch, number: int) -> None:
        """Embeddings of a test batch."""
        self._compare(batch, 'test_')


class RecognitionModule(SubjectModule):
    r"""Trains a model that embeds samples, so that those of a subject come to lie close to each
    other and far from those of others.

    Pairs of samples are compared by the cosine similarity :math:`s` of their embeddings. Kept are
    those of the multi-similarity miner of the `"Multi-Similarity Loss with General Pair Weighting
    for Deep Metric Learning" <https://arxiv.org/abs/1904.06627>`_ paper: for an anchor
    :math:`a`, the positives :math:`p` and negatives :math:`n` with

    .. math::
        s_{ap} - \epsilon < \max_{n} s_{an}, \qquad s_{an} + \epsilon > \min_{p} s_{ap}

    The loss is that of the `"FaceNet: A Unified Embedding for Face Recognition and Clustering"
    <https://arxiv.org/abs/1503.03832>`_ paper, without the squares, of all triplets of kept pairs
    with one anchor: the mean of

    .. math::
        \max(0, d_{ap} - d_{an} + m)

    over those triplets for which it is not zero, where :math:`d` is the Euclidean distance of
    embeddings of length one. Where there are none, it is zero.

    Logs :obj:`train_loss`; :obj:`train_triplets`, the number of triplets in a step whose loss
    is not zero; :obj:`train_positive_distance` and :obj:`train_negative_distance`, the mean
    distances of samples of one subject and of two; :obj:`train_spread`, the
    :func:`~graphmotion.metrics.relative_spread` of the embeddings of a batch, which vanishes where
    the training collapses;
    and :obj:`val_rank1`, the fraction of validation samples whose nearest other one is of the same
    subject. Subjects with a single validation sample are not looked for, but can be found.

    Batches should hold several samples of each subject; see :class:`BalancedBatchSampler`.

    .. code-block:: python

        recipe = GaitMixerRecipe()
        data = GraphDataModule(
            train,
            batch_size=recipe.batch_size,
            balance='subject',
            samples_per_class=recipe.samples_per_subject,
            train_transform=transform,
        )
        fit(RecognitionModule(gaitmixer('coco17'), recipe), data, 'results')

    Args:
        model (torch.nn.Module): Gives embeddings :math:`(B, D)`. Its attribute :obj:`inputs` names
            the fields of a batch that it is called with.
        recipe (RecognitionRecipe): Optimiser, schedule and loss.
        label (str, optional): The field that tells who a sample is of.
            (default: :obj:`"subject"`)
        gather (bool, optional): If several processes train, compare the samples of all of them,
            so that the loss is that of a single process; their shares of a batch have to be
            equal. If set to :obj:`False`, each compares its own. (default: :obj:`True`)

    Raises:
        ValueError: If the batch lacks the field, or the model gives anything but an embedding for
            each sample.
    """

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
        self.train_metrics = torch.nn.ModuleDict({name: MeanMetric() for name in names})

    def embed(self, batch: Batch) -> Tensor:
        """Embeddings of a batch, at least in single precision."""
        embeddings = check_embeddings(self.model, self(batch), batch.num_graphs)
        # The differences of similarities that the miner looks at are lost in half precision.
        return embeddings if embeddings.dtype == torch.float64 else embeddings.float()

    def training_step(self, batch: Batch, number: int) -> Tensor:
        """Loss of a training batch."""
        labels = self.find_labels(batch)
        embeddings = self.gather_samples(self.embed(batch))
        labels = self.gather_samples(labels)
        with torch.autocast(embeddings.device.type, enabled=False):
            pairs = self.miner(embeddings, labels)
            triplets = triplets_of_pairs(pairs, len(labels))
            loss = self.triplet_loss(embeddings, labels, triplets)
            figures = mean_distances(embeddings.detach(), labels)
        figures |= {
            'loss': loss.detach(),
            'triplets': self.triplet_loss.reducer.num_past_filter,
            'spread': relative_spread(embeddings),
        }
        for name, metric in self.train_metrics.items():
            metric.update(figures[name], weight=batch.num_graphs)  # type: ignore[operator]
            self.log_metric(f'train_{name}', metric, batch, shown=name == 'loss')  # type: ignore[arg-type]
        return loss


class EuclideanDistance(LpDistance):
    r"""Euclidean distances of embeddings of length one, computed from their differences.

    :obj:`LpDistance` expands the square of more than 25 embeddings. In single precision this
    loses distances below about :math:`10^{-3}`, those of embeddings that are about to collapse,
    and their gradients.
    """

    def compute_mat(self, query_emb: Tensor, ref_emb: Tensor) -> Tensor:
        """Distances of all pairs."""
        return torch.cdist(query_emb, ref_emb, compute_mode='donot_use_mm_for_euclid_dist')


class LeaveOneOutRank1(Metric):
    r"""The fraction of samples whose nearest other one, by cosine similarity, has the same label,
    of those whose label another sample has. Where one of another label is as near, it is the
    nearest.
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
        """Add samples."""
        self.embeddings.append(embeddings.detach())
        self.labels.append(labels)

    def compute(self) -> Tensor:
        """The fraction."""
        # After a reduction over processes they are one tensor each.
        embeddings, labels = (
            torch.cat(v) if isinstance(v, list) else v for v in (self.embeddings, self.labels)
        )
        _, subject, counts = labels.unique(return_inverse=True, return_counts=True)
        probes = (counts[subject] > 1).nonzero().view(-1)
        if not len(probes):
            raise ValueError(
                f'rank-1 needs a label that two samples have; the {len(labels)} samples have '
                f'{len(counts)}'
            )
        similarity = Similarity(embeddings, torch.arange(len(labels)))
        hits = [self._hits(similarity, labels, part) for part in probes.split(_PROBES_AT_ONCE)]
        return torch.cat(hits).float().mean()

    @staticmethod
    def _hits(similarity: Similarity, labels: Tensor, probes: Tensor) -> Tensor:
        """Whether the best of the own label is nearer than all others: neither where they are
        equally near, as in a collapsed embedding, nor where one is not a number.
        """
        similar = similarity(probes)
        own = labels[probes].unsqueeze(1) == labels
        other = similar.masked_fill(own, -torch.inf).amax(dim=1)
        own.scatter_(1, probes.unsqueeze(1), False)
        return similar.masked_fill(~own, -torch.inf).amax(dim=1) > other


def triplets_of_pairs(
    pairs: tuple[Tensor, Tensor, Tensor, Tensor], num_samples: int
) -> tuple[Tensor, Tensor, Tensor]:
    r"""All triplets of a positive and a negative pair that share their anchor.

    They are those that :obj:`TripletMarginLoss` would make of the same pairs, without comparing
    every positive pair with every negative one.

    Args:
        pairs (tuple of Tensor): Anchors and others of the positive pairs, anchors (ascending) and
            others of the negative pairs, as a miner gives them.
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
    """Mean Euclidean distances of normalised embeddings with one label and with two."""
    distances = EuclideanDistance()(embeddings)
    same = labels.unsqueeze(0) == labels.unsqueeze(1)
    other = ~same
    same = same.fill_diagonal_(False)
    return {
        name: (distances * mask).sum() / mask.sum().clamp(min=1)
        for name, mask in (('positive_distance', same), ('negative_distance', other))
    }
