"""Samples with equal content."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import torch
from torch import Tensor

from graphmotion.data.list_dataset import Samples, as_dataset


def find_duplicates(samples: Samples, field: str = 'pos') -> list[list[int]]:
    r"""Returns the groups of samples that have the same content in a field, before
    :obj:`transform`.

    Archives of recordings may have a file twice, under other names. If the copies are in the
    training and the test part, or have other labels, scores are wrong; see
    :func:`find_copies`.

    .. code-block:: python

        walk = from_array(torch.rand(40, 17, 3), 'coco17', axes='TVC')
        other = from_array(torch.rand(40, 17, 3), 'coco17', axes='TVC')
        print(find_duplicates([walk, other, walk]))  # [[0, 2]]

    Args:
        samples (GraphDataset, Dataset, Subset, sequence of Data, Data or Batch): The samples; see
            :func:`as_dataset`.
        field (str, optional): The field to compare, a tensor. (default: :obj:`"pos"`)

    Returns:
        list: The positions of the samples of each group in ascending order, for all groups of two
        or more samples.

    Raises:
        ValueError: If a sample does not have the field.
    """
    groups: dict[bytes, list[int]] = {}
    for position, content in enumerate(_contents(samples, field)):
        groups.setdefault(content, []).append(position)
    return [group for group in groups.values() if len(group) > 1]


def find_copies(samples: Samples, reference: Samples, field: str = 'pos') -> Tensor:
    r"""Returns which samples have the same content in a field as any sample of a reference, before
    :obj:`transform`: a boolean mask with an entry for each sample.

    .. code-block:: python

        walks = [from_array(torch.rand(40, 17, 3), 'coco17', axes='TVC') for _ in range(3)]
        print(find_copies(walks[1:], walks[:2]).tolist())  # [True, False]

    Args:
        samples (GraphDataset, Dataset, Subset, sequence of Data, Data or Batch): The samples, such
            as the test part; see :func:`as_dataset`.
        reference (GraphDataset, Dataset, Subset, sequence of Data, Data or Batch): The samples to
            compare with, such as the training part.
        field (str, optional): The field to compare, a tensor. (default: :obj:`"pos"`)

    Raises:
        ValueError: If a sample does not have the field.
    """
    known = set(_contents(reference, field))
    return torch.tensor([content in known for content in _contents(samples, field)])


def _contents(samples: Samples, field: str) -> Iterator[bytes]:
    """Yields a hash of the field of each stored sample."""
    dataset = as_dataset(samples)
    for position, stored in enumerate(dataset.indices()):
        data = dataset.get(stored)
        if not isinstance(data.get(field), Tensor):
            names = ', '.join(data.to_dict())
            raise ValueError(f'sample {position} must have a tensor {field!r}, got {names}')
        value = data[field].detach().cpu().contiguous()
        head = f'{value.dtype} {list(value.shape)} '.encode()
        yield hashlib.sha256(head + value.flatten().view(torch.uint8).numpy().tobytes()).digest()
