"""Batches of a dataset, assembled at once and reproducible."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torch_geometric.data import Batch
from torch_geometric.transforms import Compose

from graphmotion.data.collate import collate
from graphmotion.data.graph_dataset import GraphDataset
from graphmotion.data.list_dataset import Samples, as_dataset
from graphmotion.data.samplers import BalancedBatchSampler, BatchSampler, SharedBatches


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


@contextmanager
def _python_seeded(seed: int) -> Iterator[None]:
    """The same for the generators of Python and NumPy, which transforms of others draw from."""
    states = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        random.seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002


class _Assembled(Dataset):
    """Batches by seed and sample numbers."""

    def __init__(self, dataset: GraphDataset, transform: Callable | None) -> None:
        self.dataset = dataset
        self.transform = transform

    def __getitem__(self, key: tuple[int, Tensor]) -> Batch:
        seed, samples = key
        transforms = [t for t in (self.dataset.transform, self.transform) if t is not None]
        own = all(_is_own(t) for t in transforms)
        with _seeded(seed, self.dataset.device), nullcontext() if own else _python_seeded(seed):
            batch = self._assemble(samples)
            return batch if self.transform is None else self.transform(batch)

    def _assemble(self, samples: Tensor) -> Batch:
        transform = self.dataset.transform
        if transform is None:
            return self.dataset.get_batch(samples)
        if _is_own(transform):
            return transform(self.dataset.get_batch(samples))
        return collate([self.dataset[int(i)] for i in samples])


def _is_own(transform: Callable) -> bool:
    """Whether a transform is made of graphmotion's, which act on a batch as on its samples."""
    if isinstance(transform, Compose):
        return all(_is_own(part) for part in transform.transforms)
    return type(transform).__module__.startswith('graphmotion.transforms.')


def graph_loader(
    dataset: Samples,
    batch_size: int = 16,
    transform: Callable | None = None,
    shuffle: bool = False,
    seed: int = 0,
    num_workers: int = 0,
    num_processes: int = 1,
    process: int = 0,
    balance: str | None = None,
    samples_per_class: int = 4,
    batches_per_epoch: int | None = None,
) -> DataLoader:
    r"""A loader whose batches are cut from the stored tensors at once and transformed as batches.

    It does what PyG's :class:`~torch_geometric.loader.DataLoader` does, an order of magnitude
    faster for a :class:`GraphDataset`, and pads samples of different length. The order of the
    samples and the random draws of transforms, be they torch's, NumPy's or Python's, depend on the
    seed and the epoch only, not on what was drawn before nor on the number of workers.

    The dataset's own :obj:`transform` comes first: if it is made of this library's transforms, it
    is applied to whole batches, to the same effect; any other to each sample.

    Args:
        dataset (GraphDataset, Dataset, Subset, sequence of Data, Data or Batch): The samples; see
            :func:`as_dataset`.
        batch_size (int, optional): Samples of a batch. (default: :obj:`16`)
        transform (callable, optional): Applied to each batch, as a whole. (default: :obj:`None`)
        shuffle (bool, optional): If set to :obj:`True`, draws a new order in each epoch, that is,
            each pass over the loader. (default: :obj:`False`)
        seed (int, optional): Of the order and the transform. (default: :obj:`0`)
        num_workers (int, optional): Number of worker processes. (default: :obj:`0`)
        num_processes (int, optional): Number of training processes that share each batch.
            (default: :obj:`1`)
        process (int, optional): The number of this one. (default: :obj:`0`)
        balance (str, optional): A field, such as :obj:`"subject"`: each batch is drawn with
            :obj:`samples_per_class` samples of each of
            :obj:`batch_size / samples_per_class` of its values; see
            :class:`BalancedBatchSampler`. (default: :obj:`None`)
        samples_per_class (int, optional): Samples of each value of that field in a batch.
            (default: :obj:`4`)
        batches_per_epoch (int, optional): Number of balanced batches in an epoch; by default as
            many as hold all samples once. (default: :obj:`None`)

    Raises:
        ValueError: If there is no sample, :obj:`batch_size` is not a multiple of
            :obj:`samples_per_class`, or there are fewer values of the field than a batch has.
    """
    dataset = as_dataset(dataset)
    sampler: SharedBatches
    if balance is None:
        sampler = BatchSampler(len(dataset), batch_size, shuffle, seed, num_processes, process)
    else:
        if samples_per_class < 1 or batch_size % samples_per_class:
            raise ValueError(
                f'batches of {batch_size} samples cannot hold {samples_per_class} of each value '
                f'of {balance!r}'
            )
        sampler = BalancedBatchSampler(
            dataset.labels(balance),
            batch_size // samples_per_class,
            samples_per_class,
            batches_per_epoch,
            seed,
            num_processes,
            process,
        )
    return DataLoader(
        _Assembled(dataset, transform),
        sampler=sampler,
        batch_size=None,
        num_workers=num_workers,
        # The loader draws a seed for its workers; not from the caller's generator.
        generator=torch.Generator().manual_seed(seed),
    )
