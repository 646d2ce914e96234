"""Which samples make a batch, the same ones whatever the number of processes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.utils.data import DistributedSampler


class SharedBatches(DistributedSampler):
    r"""The base of samplers that draw batches of sample numbers, of which each process takes its
    share. A subclass says in :meth:`shares` which batches there are.

    Each item is a seed, for what is random in the assembly of the batch, and sample numbers. Each
    pass is one epoch further; :meth:`set_epoch` goes to another.

    Args:
        num_samples (int): Number of samples.
        shuffle (bool): Whether the order is drawn.
        seed (int): Of the order and of the seeds.
        num_processes (int): Number of processes.
        process (int): The number of this process.
    """

    # A subclass of DistributedSampler, so that Lightning takes it as one and leaves it in place.

    def __init__(
        self, num_samples: int, shuffle: bool, seed: int, num_processes: int, process: int
    ) -> None:
        super().__init__(range(num_samples), num_processes, process, shuffle, seed)  # type: ignore[arg-type]

    def shares(self, generator: torch.Generator) -> Iterator[Tensor]:
        r"""This process's share of every batch of an epoch, drawn from the generator."""
        raise NotImplementedError

    def _epoch_shares(self, epoch: int) -> Iterator[Tensor]:
        return self.shares(torch.Generator().manual_seed(mix_seeds(self.seed, epoch)))

    def __iter__(self) -> Iterator[tuple[int, Tensor]]:
        epoch = self.epoch
        self.epoch += 1  # so that a plain loop gets new draws; Lightning sets the epoch itself
        for step, share in enumerate(self._epoch_shares(epoch)):
            yield mix_seeds(self.seed, epoch, step, self.rank), share

    def __len__(self) -> int:
        return sum(1 for _ in self._epoch_shares(self.epoch))


class BatchSampler(SharedBatches):
    r"""Draws batches of sample numbers, the same ones whatever the number of processes.

    All processes draw the same batches of :obj:`batch_size` samples and each takes its share of
    every one. When shuffling, samples that cannot be shared out evenly are left out of the last
    batch of the epoch; otherwise every sample is in one share of one batch. Each pass is one epoch
    further; :meth:`set_epoch` goes to another.

    Each item is a seed, for what is random in the assembly of the batch, and sample numbers.

    Args:
        num_samples (int): Number of samples.
        batch_size (int): Samples of a batch, all shares together.
        shuffle (bool, optional): If set to :obj:`True`, draws a new order in each epoch.
            (default: :obj:`False`)
        seed (int, optional): Of the order and of the seeds. (default: :obj:`0`)
        num_processes (int, optional): Number of processes. (default: :obj:`1`)
        process (int, optional): The number of this process. (default: :obj:`0`)

    Raises:
        ValueError: If there are no samples, or fewer in a batch than processes.
    """

    def __init__(
        self,
        num_samples: int,
        batch_size: int,
        shuffle: bool = False,
        seed: int = 0,
        num_processes: int = 1,
        process: int = 0,
    ) -> None:
        if num_samples < 1 or batch_size < num_processes:
            raise ValueError(
                f'{num_samples} samples in batches of {batch_size} for {num_processes} processes'
            )
        super().__init__(num_samples, shuffle, seed, num_processes, process)
        self.batch_size = batch_size
        self.samples = num_samples

    def shares(self, generator: torch.Generator) -> Iterator[Tensor]:
        r"""This process's share of every batch of an epoch."""
        order = torch.arange(self.samples)
        if self.shuffle:
            order = torch.randperm(self.samples, generator=generator)
        for batch in order.split(self.batch_size):
            if self.shuffle:
                batch = batch[: len(batch) - len(batch) % self.num_replicas]
            share = batch[self.rank :: self.num_replicas]
            if len(share):
                yield share


class BalancedBatchSampler(SharedBatches):
    r"""Draws batches of as many samples of each of some classes, such as the "P subjects and K
    samples of each" of the `"In Defense of the Triplet Loss for Person Re-Identification"
    <https://arxiv.org/abs/1703.07737>`_ paper; the same batches whatever the number of processes.

    The classes of a batch are different ones, drawn without replacement until all have been drawn;
    then all are there to be drawn again. So are the samples of each class; those of a batch are
    different, unless the class has fewer, all of which are then in the batch as often as each
    other, give or take one. Each epoch, that is each pass, begins anew; :meth:`set_epoch` goes to
    another.

    Each process takes whole classes of every batch, as many as the others, so that a loss that
    compares samples finds the same positive pairs in one process as in several. Negative pairs
    across processes are there only for a loss that gathers their embeddings, as that of
    :class:`RecognitionModule` does.

    Each item is a seed, for what is random in the assembly of the batch, and sample numbers, class
    after class.

    Args:
        labels (Tensor): The class of each sample :math:`(N)`, any integers.
        classes_per_batch (int): Number of classes in a batch :math:`P`, all shares together.
        samples_per_class (int): Number of samples of each :math:`K`.
        batches_per_epoch (int, optional): Number of batches in an epoch; by default as many as
            hold all samples once, :math:`\lfloor N / PK \rfloor`, at least one.
            (default: :obj:`None`)
        seed (int, optional): Of the draws and of the seeds. (default: :obj:`0`)
        num_processes (int, optional): Number of processes, by which :math:`P` can be divided.
            (default: :obj:`1`)
        process (int, optional): The number of this process. (default: :obj:`0`)

    Raises:
        ValueError: If there are fewer classes than a batch has, labels are not integers, one for
            each sample, or the classes of a batch cannot be shared out evenly.
    """

    def __init__(
        self,
        labels: Tensor | Sequence[int],
        classes_per_batch: int,
        samples_per_class: int,
        batches_per_epoch: int | None = None,
        seed: int = 0,
        num_processes: int = 1,
        process: int = 0,
    ) -> None:
        labels = torch.as_tensor(labels).cpu()
        if labels.dim() != 1 or labels.is_floating_point() or labels.is_complex():
            raise ValueError(
                f'labels are integers, one for each sample, got {labels.dtype} of shape '
                f'{list(labels.shape)}'
            )
        for name, value in (
            ('classes_per_batch', classes_per_batch),
            ('samples_per_class', samples_per_class),
            ('batches_per_epoch', 1 if batches_per_epoch is None else batches_per_epoch),
        ):
            if value < 1:
                raise ValueError(f'{name} is at least 1, got {value}')
        order = labels.argsort(stable=True)
        counts = labels[order].unique_consecutive(return_counts=True)[1].tolist()
        if len(counts) < classes_per_batch:
            raise ValueError(
                f'a batch of {classes_per_batch} classes from samples of {len(counts)} classes'
            )
        if classes_per_batch % num_processes:
            raise ValueError(
                f'{classes_per_batch} classes of a batch cannot be shared out evenly to '
                f'{num_processes} processes'
            )
        super().__init__(len(labels), True, seed, num_processes, process)
        self.classes_per_batch = classes_per_batch
        self.samples_per_class = samples_per_class
        self.batches_per_epoch = batches_per_epoch or max(
            1, len(labels) // (classes_per_batch * samples_per_class)
        )
        self._members = [members.tolist() for members in order.split(counts)]

    def shares(self, generator: torch.Generator) -> Iterator[Tensor]:
        r"""This process's share of every batch of an epoch."""
        classes = _Urn(list(range(len(self._members))), generator)
        members = [_Urn(samples, generator) for samples in self._members]
        for _ in range(self.batches_per_epoch):
            batch = [
                members[number].draw(self.samples_per_class)
                for number in classes.draw(self.classes_per_batch)
            ]
            yield torch.tensor(batch[self.rank :: self.num_replicas]).flatten()

    def __len__(self) -> int:
        return self.batches_per_epoch


class _Urn:
    """Draws without replacement, and fills itself again when it is empty."""

    def __init__(self, items: list[int], generator: torch.Generator) -> None:
        self.items = items
        self.generator = generator
        self._left: list[int] = []

    def draw(self, count: int) -> list[int]:
        """So many items, different ones if there are as many."""
        times, count = divmod(count, len(self.items))
        out, self._left = self._left[:count], self._left[count:]
        if len(out) < count:
            order = torch.randperm(len(self.items), generator=self.generator).tolist()
            fresh = [self.items[i] for i in order]
            # What was left of the last filling is in this draw already, so it waits.
            last = set(out)
            new = [item for item in fresh if item not in last][: count - len(out)]
            out += new
            drawn = set(new)
            self._left = [item for item in fresh if item not in drawn]
        return self.items * times + out


def mix_seeds(*numbers: int) -> int:
    r"""One seed of several numbers: neighbouring numbers give unrelated seeds."""
    seed = 0
    for number in numbers:
        seed = (seed * 6364136223846793005 + number + 1442695040888963407) % 2**63
        seed ^= seed >> 29
    return seed
