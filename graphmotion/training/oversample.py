"""Oversampling of rare samples."""

from __future__ import annotations

from typing import TypeVar

import torch

from graphmotion.data import GraphDataset

_Dataset = TypeVar('_Dataset', bound=GraphDataset)


def oversample(dataset: _Dataset, field: str = 'condition') -> _Dataset:
    r"""Repeats samples with rare values of a field, such that all values are about equally
    frequent.

    Samples are repeated by the frequency of the most frequent value divided by the frequency of
    their own value, rounded. The 6 normal walks, 2 walks with a bag and 2 in a coat of each subject
    of CASIA-B become 6 of each, as in the published code of the `"GaitMixer: Skeleton-based Gait
    Representation Learning via Wide-spectrum Multi-axial Mixer"
    <https://arxiv.org/abs/2210.15491>`_ paper. No data is copied. Use it for training only, as a
    repeated sample is its own nearest neighbour.

    .. code-block:: python

        walks = SyntheticGait.casia_b(num_subjects=2, num_frames=8, views=[0])
        balanced = oversample(walks)  # 6 normal walks, 2 with a bag, 2 with a coat
        print(len(walks), len(balanced))  # 20 36

    Args:
        dataset (GraphDataset): The samples.
        field (str, optional): A field with one integer per sample. (default: :obj:`"condition"`)

    Returns:
        GraphDataset: The samples of the dataset in their order, then the repetitions.

    Raises:
        ValueError: If the dataset has no such field.
    """
    labels = dataset.labels(field).cpu()
    _, value, counts = labels.unique(return_inverse=True, return_counts=True)
    times = (counts.max() / counts).round().long()[value]
    positions = torch.arange(len(labels))
    repeated = torch.repeat_interleave(positions, times - 1)
    return dataset.index_select(torch.cat([positions, repeated]))
