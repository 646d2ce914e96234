"""Batches for training, assembled at once and reproducible."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, DistributedSampler
from torch_geometric.data import Batch

from graphmotion.datasets import MotionDataset

try:
    from lightning.pytorch import LightningDataModule
except ImportError as error:
    raise ImportError('training needs lightning: pip install "graphmotion[train]"') from error


class BatchSampler(DistributedSampler):
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
    """

    # A subclass of DistributedSampler, so that Lightning takes it as one and leaves it in place.

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
        super().__init__(range(num_samples), num_processes, process, shuffle, seed)  # type: ignore[arg-type]
        self.batch_size = batch_size
        self.samples = num_samples

    def _shares(self) -> Iterator[Tensor]:
        generator = torch.Generator().manual_seed(mix_seeds(self.seed, self.epoch))
        order = torch.arange(self.samples)
        if self.shuffle:
            order = torch.randperm(self.samples, generator=generator)
        for batch in order.split(self.batch_size):
            if self.shuffle:
                batch = batch[: len(batch) - len(batch) % self.num_replicas]
            share = batch[self.rank :: self.num_replicas]
            if len(share):
                yield share

    def __iter__(self) -> Iterator[tuple[int, Tensor]]:
        epoch, shares = self.epoch, list(self._shares())
        self.epoch += 1  # so that a plain loop gets new draws; Lightning sets the epoch itself
        for step, share in enumerate(shares):
            yield mix_seeds(self.seed, epoch, step, self.rank), share

    def __len__(self) -> int:
        return sum(1 for _ in self._shares())


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Draws on the CPU and on the device follow the seed, and leave the generators as they were.

    :func:`torch.random.fork_rng` and :func:`torch.manual_seed`, which go to every kind of device,
    take as long as the assembly of a batch.
    """
    generators = [torch.default_generator]
    if device.type == 'cuda':
        torch.cuda.init()
        index = torch.cuda.current_device() if device.index is None else device.index
        generators.append(torch.cuda.default_generators[index])
    states = [generator.get_state() for generator in generators]
    try:
        for generator in generators:
            generator.manual_seed(seed)
        yield
    finally:
        for generator, state in zip(generators, states):
            generator.set_state(state)


class _Assembled(Dataset):
    """Batches by seed and sample numbers."""

    def __init__(self, dataset: MotionDataset, transform: Callable | None) -> None:
        self.dataset = dataset
        self.transform = transform

    def __getitem__(self, key: tuple[int, Tensor]) -> Batch:
        seed, samples = key
        batch = self.dataset.get_batch(samples)
        if self.transform is None:
            return batch
        with _seeded(seed, batch.pos.device):
            return self.transform(batch)


def graph_loader(
    dataset: MotionDataset,
    batch_size: int = 16,
    transform: Callable | None = None,
    shuffle: bool = False,
    seed: int = 0,
    num_workers: int = 0,
    num_processes: int = 1,
    process: int = 0,
) -> DataLoader:
    r"""A loader whose batches are cut from the stored tensors at once and transformed as batches.

    It does what PyG's :class:`~torch_geometric.loader.DataLoader` does, an order of magnitude
    faster, and pads samples of different length. The order of the samples and the random draws of
    the transform depend on the seed and the epoch only, not on what was drawn before nor on the
    number of workers.

    Args:
        dataset (MotionDataset): The samples; its own :obj:`transform` is not applied.
        batch_size (int, optional): Samples of a batch. (default: :obj:`16`)
        transform (callable, optional): Applied to each batch. (default: :obj:`None`)
        shuffle (bool, optional): If set to :obj:`True`, draws a new order in each epoch, that is,
            each pass over the loader. (default: :obj:`False`)
        seed (int, optional): Of the order and the transform. (default: :obj:`0`)
        num_workers (int, optional): Number of worker processes. (default: :obj:`0`)
        num_processes (int, optional): Number of training processes that share each batch.
            (default: :obj:`1`)
        process (int, optional): The number of this one. (default: :obj:`0`)
    """
    sampler = BatchSampler(len(dataset), batch_size, shuffle, seed, num_processes, process)
    return DataLoader(
        _Assembled(dataset, transform),
        sampler=sampler,
        batch_size=None,
        num_workers=num_workers,
        # The loader draws a seed for its workers; not from the caller's generator.
        generator=torch.Generator().manual_seed(seed),
    )


class GraphDataModule(LightningDataModule):
    r"""Training, validation and test parts of a dataset for Lightning.

    Args:
        train (MotionDataset): Training samples.
        val (MotionDataset, optional): Validation samples. (default: :obj:`None`)
        test (MotionDataset, optional): Test samples. (default: :obj:`None`)
        batch_size (int, optional): Samples of a batch, those of all processes together.
            (default: :obj:`16`)
        transform (callable, optional): Applied to batches of validation and test samples.
            (default: :obj:`None`)
        train_transform (callable, optional): Applied to training batches; :obj:`transform` if not
            given. (default: :obj:`None`)
        seed (int, optional): Of the order and the transforms. (default: :obj:`0`)
        num_workers (int, optional): Number of worker processes of each loader.
            (default: :obj:`0`)
    """

    def __init__(
        self,
        train: MotionDataset,
        val: MotionDataset | None = None,
        test: MotionDataset | None = None,
        batch_size: int = 16,
        transform: Callable | None = None,
        train_transform: Callable | None = None,
        seed: int = 0,
        num_workers: int = 0,
    ) -> None:
        super().__init__()
        self.train = train
        self.val = val
        self.test = test
        self.batch_size = batch_size
        self.transform = transform
        self.train_transform = train_transform or transform
        self.seed = seed
        self.num_workers = num_workers

    def _loader(self, dataset: MotionDataset | None, shuffle: bool = False) -> DataLoader | list:
        if dataset is None:
            return []
        return graph_loader(
            dataset,
            self.batch_size,
            self.train_transform if shuffle else self.transform,
            shuffle,
            self.seed,
            self.num_workers,
            num_processes=self.trainer.world_size if self.trainer else 1,
            process=self.trainer.global_rank if self.trainer else 0,
        )

    def train_dataloader(self) -> DataLoader | list:
        r"""Shuffled batches of the training samples."""
        return self._loader(self.train, shuffle=True)

    def val_dataloader(self) -> DataLoader | list:
        r"""Batches of the validation samples, in order; none if there are none."""
        return self._loader(self.val)

    def test_dataloader(self) -> DataLoader | list:
        r"""Batches of the test samples, in order; none if there are none."""
        return self._loader(self.test)


def mix_seeds(*numbers: int) -> int:
    r"""One seed of several numbers: neighbouring numbers give unrelated seeds."""
    seed = 0
    for number in numbers:
        seed = (seed * 6364136223846793005 + number + 1442695040888963407) % 2**63
        seed ^= seed >> 29
    return seed
