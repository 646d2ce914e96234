"""Samplers whose batches do not depend on the number of processes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import torch
from torch import Tensor
from torch.utils.data import DistributedSampler

from graphmotion.checks import check_int


class DistributedBatchSampler(DistributedSampler):
    r"""Base class of samplers that draw batches of sample numbers and divide each batch between
    processes.

    A subclass implements :meth:`local_batches`. Each item is a seed, for random operations in the
    assembly of the batch, and the sample numbers. Each pass is a new epoch; :meth:`set_epoch`
    selects another one.

    Args:
        num_samples (int): Number of samples.
        shuffle (bool): If :obj:`True`, the order is random.
        seed (int): Seed of the order and of the seeds of the batches.
        num_replicas (int): Number of processes.
        rank (int): Rank of this process.
    """

    # Lightning keeps a DistributedSampler in place and replaces other samplers.

    def __init__(
        self, num_samples: int, shuffle: bool, seed: int, num_replicas: int, rank: int
    ) -> None:
        super().__init__(range(num_samples), num_replicas, rank, shuffle, seed)  # type: ignore[arg-type]

    def local_batches(self, generator: torch.Generator) -> Iterator[Tensor]:
        r"""Yields this process's share of each batch of an epoch, drawn with the generator."""
        raise NotImplementedError

    def _epoch_batches(self, epoch: int) -> Iterator[Tensor]:
        return self.local_batches(torch.Generator().manual_seed(mix_seeds(self.seed, epoch)))

    def batch(self, epoch: int, step: int) -> Tensor:
        r"""Returns the sample numbers of a batch of this process."""
        return next(islice(self._epoch_batches(epoch), step, None))

    def __iter__(self) -> Iterator[tuple[int, Tensor]]:
        epoch = self.epoch
        self.epoch += 1  # so that a plain loop gets new draws; Lightning sets the epoch itself
        for step, batch in enumerate(self._epoch_batches(epoch)):
            yield mix_seeds(self.seed, epoch, step, self.rank), batch

    def __len__(self) -> int:
        return sum(1 for _ in self._epoch_batches(self.epoch))


class BatchSampler(DistributedBatchSampler):
    r"""Draws batches of sample numbers that do not depend on the number of processes.

    All processes draw the same batches of :obj:`batch_size` samples, and each receives an equal
    share of every batch. When shuffling, samples of the last batch that cannot be divided evenly
    are dropped; otherwise every sample is in exactly one share.

    Each item is a seed, for random operations in the assembly of the batch, and the sample numbers.
    Each pass is a new epoch; :meth:`set_epoch` selects another one.

    .. code-block:: python

        sampler = BatchSampler(num_samples=10, batch_size=4, shuffle=True)
        print([len(batch) for batch in sampler])  # [4, 4, 2]

    Args:
        num_samples (int): Number of samples.
        batch_size (int): Number of samples in a batch over all processes.
        shuffle (bool, optional): If :obj:`True`, draws a new order in each epoch.
            (default: :obj:`False`)
        seed (int, optional): Seed of the order and of the seeds of the batches.
            (default: :obj:`0`)
        num_replicas (int, optional): Number of processes. (default: :obj:`1`)
        rank (int, optional): Rank of this process. (default: :obj:`0`)

    Raises:
        ValueError: If there are no samples or fewer samples in a batch than processes.
    """

    def __init__(
        self,
        num_samples: int,
        batch_size: int,
        shuffle: bool = False,
        seed: int = 0,
        num_replicas: int = 1,
        rank: int = 0,
    ) -> None:
        check_int('num_samples', num_samples, 1)
        if batch_size < num_replicas:
            raise ValueError(
                f'batch_size must be at least num_replicas={num_replicas}, got {batch_size}'
            )
        super().__init__(num_samples, shuffle, seed, num_replicas, rank)
        self.batch_size = batch_size
        self.samples = num_samples

    def local_batches(self, generator: torch.Generator) -> Iterator[Tensor]:
        r"""Yields this process's share of each batch of an epoch."""
        order = torch.arange(self.samples)
        if self.shuffle:
            order = torch.randperm(self.samples, generator=generator)
        for batch in order.split(self.batch_size):
            if self.shuffle:
                batch = batch[: len(batch) - len(batch) % self.num_replicas]
            share = batch[self.rank :: self.num_replicas]
            if len(share):
                yield share


class BalancedBatchSampler(DistributedBatchSampler):
    r"""Draws batches with the same number of samples of each of :math:`P` classes, as proposed in
    the `"In Defense of the Triplet Loss for Person Re-Identification"
    <https://arxiv.org/abs/1703.07737>`_ paper.

    Classes are drawn without replacement until all have been drawn, then all become available
    again; the classes of a batch are distinct. The samples of each class are drawn in the same way.
    The samples of a class in a batch are distinct, unless the class has fewer than :math:`K`: then
    the numbers of times that its samples occur differ by at most one.

    Each process receives the same number of classes of every batch with all their samples, so that
    a loss that compares samples finds the same positive pairs with any number of processes.
    Negative pairs across processes require a loss that gathers the embeddings of all processes, as
    in :class:`RecognitionModule`.

    Each item is a seed, for random operations in the assembly of the batch, and the sample numbers
    grouped by class. Each pass is a new epoch and starts with all classes and samples available;
    :meth:`set_epoch` selects another epoch.

    .. code-block:: python

        sampler = BalancedBatchSampler([0, 0, 1, 1, 2, 2], classes_per_batch=2, samples_per_class=2)
        for batch in sampler:
            print(batch)  # four sample numbers, two of each of two classes

    Args:
        labels (Tensor): Integer class of each sample :math:`(N)`.
        classes_per_batch (int): Number of classes in a batch :math:`P`, over all processes.
        samples_per_class (int): Number of samples of each class in a batch :math:`K`.
        batches_per_epoch (int, optional): Number of batches in an epoch; by default
            :math:`\lfloor N / PK \rfloor`, at least one. (default: :obj:`None`)
        seed (int, optional): Seed of the draws and of the seeds of the batches.
            (default: :obj:`0`)
        num_replicas (int, optional): Number of processes, a divisor of :math:`P`.
            (default: :obj:`1`)
        rank (int, optional): Rank of this process. (default: :obj:`0`)

    Raises:
        ValueError: If there are fewer than :math:`P` classes, :math:`P` is not a multiple of the
            number of processes, or the labels are not integers of shape :math:`(N)`.
    """

    def __init__(
        self,
        labels: Tensor | Sequence[int],
        classes_per_batch: int,
        samples_per_class: int,
        batches_per_epoch: int | None = None,
        seed: int = 0,
        num_replicas: int = 1,
        rank: int = 0,
    ) -> None:
        labels = torch.as_tensor(labels).cpu()
        if labels.dim() != 1 or labels.is_floating_point() or labels.is_complex():
            raise ValueError(
                f'labels must be integers of shape [num_samples], got {labels.dtype} of shape '
                f'{list(labels.shape)}'
            )
        self.classes_per_batch = check_int('classes_per_batch', classes_per_batch, 1)
        self.samples_per_class = check_int('samples_per_class', samples_per_class, 1)
        if batches_per_epoch is None:
            batches_per_epoch = max(1, len(labels) // (classes_per_batch * samples_per_class))
        self.batches_per_epoch = check_int('batches_per_epoch', batches_per_epoch, 1)
        order = labels.argsort(stable=True)
        counts = labels[order].unique_consecutive(return_counts=True)[1].tolist()
        if len(counts) < classes_per_batch:
            raise ValueError(
                f'classes_per_batch must be at most {len(counts)}, the number of classes, got '
                f'{classes_per_batch}'
            )
        if classes_per_batch % num_replicas:
            raise ValueError(
                f'classes_per_batch must be a multiple of num_replicas={num_replicas}, got '
                f'{classes_per_batch}'
            )
        super().__init__(len(labels), True, seed, num_replicas, rank)
        self._members = [members.tolist() for members in order.split(counts)]

    def local_batches(self, generator: torch.Generator) -> Iterator[Tensor]:
        r"""Yields this process's share of each batch of an epoch."""
        classes = _ShuffledCycle(list(range(len(self._members))), generator)
        members = [_ShuffledCycle(samples, generator) for samples in self._members]
        for _ in range(self.batches_per_epoch):
            batch = [
                members[number].draw(self.samples_per_class)
                for number in classes.draw(self.classes_per_batch)
            ]
            yield torch.tensor(batch[self.rank :: self.num_replicas]).flatten()

    def __len__(self) -> int:
        return self.batches_per_epoch


class _ShuffledCycle:
    """Draws items without replacement and starts over in a new order when all are drawn."""

    def __init__(self, items: list[int], generator: torch.Generator) -> None:
        self.items = items
        self.generator = generator
        self._left: list[int] = []

    def draw(self, count: int) -> list[int]:
        """Returns distinct items, or each item as evenly as possible if there are too few."""
        times, count = divmod(count, len(self.items))
        out, self._left = self._left[:count], self._left[count:]
        if len(out) < count:
            order = torch.randperm(len(self.items), generator=self.generator).tolist()
            fresh = [self.items[i] for i in order]
            # Items already in this draw remain for the next one.
            last = set(out)
            new = [item for item in fresh if item not in last][: count - len(out)]
            out += new
            drawn = set(new)
            self._left = [item for item in fresh if item not in drawn]
        return self.items * times + out


def mix_seeds(*numbers: int) -> int:
    r"""Combines several numbers to one seed; neighbouring numbers give unrelated seeds."""
    seed = 0
    for number in numbers:
        seed = (seed * 6364136223846793005 + number + 1442695040888963407) % 2**63
        seed ^= seed >> 29
    return seed
