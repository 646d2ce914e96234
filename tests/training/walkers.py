"""Subjects that are distinguished by some of their joints only."""

import torch

from graphmotion.data import from_array
from graphmotion.datasets import MotionDataset
from graphmotion.skeletons import get_skeleton


class Walkers(MotionDataset):
    """The first four joints have a pose specific to the subject; the others are noise of larger
    variance.
    """

    def __init__(self, num_subjects=8, num_takes=6, frames=(8, 8), seed=0):
        self.skeleton = get_skeleton('emotion_gait16')
        self.class_names = tuple(f's{i}' for i in range(num_subjects))
        self.num_takes, self.frames, self.seed = num_takes, frames, seed
        super().__init__()

    def read(self):
        generator = torch.Generator().manual_seed(self.seed)
        for subject in range(len(self.class_names)):
            own = torch.randn(4, 3, generator=generator)
            for take in range(self.num_takes):
                least, most = self.frames
                frames = int(torch.randint(least, most + 1, (1,), generator=generator))
                pos = 2 * torch.randn(16, 3, generator=generator)
                pos[:4] = own
                pos = pos + 0.1 * torch.randn(frames, 16, 3, generator=generator)
                yield from_array(
                    pos, self.skeleton, y=subject, subject=subject, condition=int(take > 3)
                )


class Projection(torch.nn.Module):
    """A normalised linear map of the mean pose."""

    inputs = ('x',)

    def __init__(self, dropout=0.0):
        super().__init__()
        self.dropout = torch.nn.Dropout(dropout)
        self.lin = torch.nn.Linear(48, 8)

    def forward(self, x):
        poses = self.dropout(x.mean(dim=1).view(-1, 48))
        return torch.nn.functional.normalize(self.lin(poses), dim=1)
