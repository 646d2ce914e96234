"""A small dataset with distinguishable classes, for tests of training."""

import math

import torch

from graphmotion.data import from_array
from graphmotion.datasets import MotionDataset
from graphmotion.skeletons import get_skeleton


class Waves(MotionDataset):
    """Joints swing faster with higher classes; lengths may differ."""

    class_names = ('slow', 'middle', 'fast')

    def __init__(self, num_samples=48, frames=(12, 12)):
        self.skeleton = get_skeleton('emotion_gait16')
        self.num_samples, self.frames = num_samples, frames
        super().__init__()

    def read(self):
        generator = torch.Generator().manual_seed(0)
        for i in range(self.num_samples):
            frames = int(torch.randint(*self.frames, (1,), generator=generator)) if (
                self.frames[0] < self.frames[1]
            ) else self.frames[0]  # fmt: skip
            phase = 2 * math.pi * torch.rand(16, 3, generator=generator)
            time = torch.arange(frames).view(-1, 1, 1)
            pos = torch.sin(time * (0.3 + 0.5 * (i % 3)) + phase)
            yield from_array(pos, self.skeleton, y=i % 3)


def joints(batch):
    """The simplest transform: positions are features."""
    batch.x = batch.pos
    return batch


def noisy_joints(batch):
    """A random transform."""
    batch.x = batch.pos + 0.1 * torch.randn_like(batch.pos)
    return batch
