"""Datasets of random motion sequences."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch_geometric.data import Data, InMemoryDataset

from graphmotion.data import from_array
from graphmotion.datasets import MotionDataset
from graphmotion.skeletons import Skeleton, get_skeleton


class RandomMotion(MotionDataset):
    """Random positions with confidences and labels."""

    class_names = ('a', 'b', 'c', 'd')

    def __init__(self, skeleton: str | Skeleton, num_samples: int, num_frames: int) -> None:
        self.skeleton = get_skeleton(skeleton)
        self.shape = (num_samples, num_frames, self.skeleton.num_joints, 3)
        super().__init__()

    def read(self) -> Iterator[Data]:
        """Yields the sequences."""
        scores = 0.1 + 0.9 * torch.rand(self.shape[:3])
        for i, (pos, score) in enumerate(zip(torch.randn(self.shape), scores)):
            yield from_array(pos, self.skeleton, score, 'TVC', y=i % 4, subject=i // 4, take=i % 3)


class StoredSamples(InMemoryDataset):
    """Samples in PyG's own dataset, which caches each sample once it has been accessed."""

    def __init__(self, samples: list[Data], transform: Callable | None = None) -> None:
        super().__init__(transform=transform)
        self.data, self.slices = self.collate(samples)
