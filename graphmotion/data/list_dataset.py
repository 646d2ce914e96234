"""Datasets from samples in any container."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import torch
import torch_geometric
from torch import Tensor
from torch.utils.data import Dataset, Subset
from torch_geometric.data import Batch, Data, InMemoryDataset
from torch_geometric.data.data import BaseData

from graphmotion.data.batching import to_data_list
from graphmotion.data.collate import collate
from graphmotion.data.graph_dataset import GraphDataset

#: The containers of samples that :func:`as_dataset` accepts.
Samples: TypeAlias = Dataset | Sequence[Data] | Data | Batch


def as_dataset(samples: Samples) -> GraphDataset:
    r"""Converts samples in any container to a dataset.

    .. code-block:: python

        arrays, labels = torch.rand(10, 60, 17, 3), [0, 1] * 5
        samples = [from_array(array, 'coco17', axes='TVC', y=y) for array, y in zip(arrays, labels)]
        train, test = as_dataset(samples).split((8, 2))

    Args:
        samples (GraphDataset, Dataset, Subset, sequence of Data, Data or Batch): The samples. A
            :class:`GraphDataset` is returned unchanged, and a subset of one as a
            :class:`GraphDataset`. Other datasets of PyG or torch are read sample by sample, with
            their :obj:`transform`.

    Returns:
        GraphDataset: The samples in the same order.

    Raises:
        TypeError: If the container is not supported or its samples are not of type :class:`Data`.
        ValueError: If there are no samples.
    """
    if isinstance(samples, Subset):
        out = as_dataset(samples.dataset).index_select([int(i) for i in samples.indices])
    elif isinstance(samples, GraphDataset):
        out = samples
    elif isinstance(samples, torch_geometric.data.Dataset):
        plain = copy.copy(samples)
        plain.transform = None
        out = ListDataset(plain, samples.transform)
    elif isinstance(samples, Batch):
        out = ListDataset(to_data_list(samples))
    elif isinstance(samples, BaseData):
        out = ListDataset([samples])
    elif isinstance(samples, (Sequence, Dataset)) and not isinstance(samples, str):
        out = ListDataset(samples)
    else:
        raise TypeError(
            f'samples must be a dataset, a list of Data, a Data or a Batch, got '
            f'{type(samples).__name__}'
        )
    if not len(out):
        raise ValueError('samples must hold at least one sample, got none')
    return out


class ListDataset(GraphDataset):
    r"""A dataset of separate samples, returned by :func:`as_dataset`.

    Batches are collated by :func:`collate`, which is slower than the flat storage of other
    datasets.

    Args:
        samples (sequence or Dataset): The samples.
        transform (callable, optional): Applied to each sample on access. (default: :obj:`None`)
    """

    def __init__(self, samples: Any, transform: Callable | None = None) -> None:
        self._in_memory = True
        InMemoryDataset.__init__(self, None, transform)
        self.samples = samples
        # Datasets may read each sample from disk, so only their first one is checked.
        for i in range(len(samples) if isinstance(samples, Sequence) else min(len(samples), 1)):
            if not isinstance(samples[i], BaseData) or isinstance(samples[i], Batch):
                raise TypeError(f'samples must be of type Data, got {type(samples[i]).__name__}')

    def get(self, idx: int) -> Data:
        r"""Returns a sample by its number, before :obj:`transform`."""
        return copy.copy(self.samples[idx])

    def len(self) -> int:
        r"""Returns the number of samples before any selection."""
        return len(self.samples)

    def get_batch(self, samples: Sequence[int] | Tensor) -> Batch:
        r"""Collates samples to a batch, before :obj:`transform`; see :func:`collate`."""
        return collate([self.samples[i] for i in self._stored_positions(samples).tolist()])

    def labels(self, field: str = 'y') -> Tensor:
        r"""Returns a scalar field, such as :obj:`y` or :obj:`subject`, of all samples.

        Raises:
            ValueError: If the field of a sample is missing or not a scalar.
        """
        return self._labels(field, self.indices())

    def _labels(self, field: str, positions: Sequence[int]) -> Tensor:
        values = []
        for i in positions:
            value = self.samples[i].get(field)
            if value is None or torch.as_tensor(value).numel() != 1:
                raise ValueError(f'field {field!r} of sample {i} must be a scalar, got {value!r}')
            values.append(torch.as_tensor(value).view(()))
        return torch.stack(values)

    @property
    def num_classes(self) -> int:
        r"""Number of classes."""
        return self._infer_num_classes(self._labels('y', range(self.len())))

    @property
    def device(self) -> torch.device:
        r"""The device of the samples."""
        values = (value for store in self.samples[0].stores for value in store.values())
        devices = (value.device for value in values if isinstance(value, Tensor))
        return next(devices, torch.device('cpu'))

    def fingerprint(self) -> str:
        r"""Returns a hash of the content, which identifies datasets and their parts."""
        total = hashlib.sha256()
        for i in self.indices():
            stores = self.samples[i].stores
            for name, value in (field for store in stores for field in sorted(store.items())):
                if isinstance(value, Tensor):
                    total.update(repr((name, value.dtype, tuple(value.shape))).encode())
                    total.update(value.detach().cpu().contiguous().numpy().tobytes())
                else:
                    total.update(repr((name, value)).encode())
        return total.hexdigest()

    def copy(self, idx: Any = None) -> ListDataset:
        r"""Returns a new dataset with copies of the selected samples."""
        selected = self if idx is None else self.index_select(idx)
        return ListDataset([self.samples[i].clone() for i in selected.indices()], self.transform)
