"""Training sets with as many samples of every kind."""

from __future__ import annotations

from typing import TypeVar

import torch

from graphmotion.data import GraphDataset

_Dataset = TypeVar('_Dataset', bound=GraphDataset)


def oversample(dataset: _Dataset, field: str = 'condition') -> _Dataset:
    r"""Enter the samples with rarer values of a field several times, so that all values are about
    as frequent.

    Samples with a value are entered as often as its frequency goes into that of the most frequent
    value, rounded. With the 6 normal walks, 2 with a bag and 2 in a coat of each subject of CASIA-B
    this gives 6 of each, as in the published training of the `"GaitMixer: Skeleton-based Gait
    Representation Learning via Wide-spectrum Multi-axial Mixer"
    <https://arxiv.org/abs/2210.15491>`_ paper. Nothing is copied. For training only: a sample
    that is there twice is its own nearest neighbour.

    Args:
        dataset (GraphDataset): The samples.
        field (str, optional): A field with one integer a sample. (default: :obj:`"condition"`)

    Returns:
        GraphDataset: The samples of the dataset in their order, then the further entries.

    Raises:
        ValueError: If the dataset has no such field.
    """
    labels = dataset.labels(field).cpu()
    _, value, counts = labels.unique(return_inverse=True, return_counts=True)
    times = (counts.max() / counts).round().long()[value]
    positions = torch.arange(len(labels))
    further = torch.repeat_interleave(positions, times - 1)
    return dataset.index_select(torch.cat([positions, further]))
