"""Silhouettes of subjects that are distinguished by their upper half, and a small LMGCS."""

import torch
from torch_geometric.data import Data

from graphmotion.data import GraphDataset

# Options of LMGCS.
SMALL = {
    'channels': (4, 8), 'pools': (1,), 'bins': (4,), 'feature_dim': 8, 'width': 16,
    'num_blocks': (1, 1), 'heads': 2, 'feedforward_channels': 16,
}  # fmt: skip


class Silhouettes(GraphDataset):
    """Bars: subjects differ in the swing of the upper half; the lower half is noise."""

    frame_fields = ('silhouettes',)

    def __init__(self, num_subjects=4, num_takes=12, seed=0):
        self.num_subjects, self.num_takes, self.seed = num_subjects, num_takes, seed
        self.class_names = tuple(f's{i}' for i in range(num_subjects))
        super().__init__()

    def read(self):
        generator = torch.Generator().manual_seed(self.seed)
        column = torch.arange(12)
        for subject in range(self.num_subjects):
            for take in range(self.num_takes):
                frames = int(torch.randint(8, 11, (1,), generator=generator))
                phase = 6.28 * torch.rand(1, generator=generator)
                swing = 1.5 * subject * torch.sin(0.8 * torch.arange(frames) + phase)
                images = torch.zeros(1, frames, 8, 12, dtype=torch.bool)
                images[0, :, :4] = ((column - 5.5 - swing.unsqueeze(1)).abs() < 2).unsqueeze(1)
                images[0, :, 4:] = torch.rand(frames, 4, 12, generator=generator) > 0.5
                yield Data(
                    silhouettes=images,
                    num_frames=torch.tensor([frames]),
                    y=torch.tensor([subject]),
                    subject=torch.tensor([10 * (9 - subject)]),
                    take=torch.tensor([take]),
                )
