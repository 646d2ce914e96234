"""Embeddings that are nearly equal but still distinguish all subjects."""

import torch

from graphmotion.metrics import GalleryProbeProtocol

TAKES = GalleryProbeProtocol('takes', {'take': 1}, {'later': {'take': 2}}, view=None)
LABELS = {
    'subject': torch.arange(200).repeat_interleave(2),
    'take': torch.tensor([1, 2]).repeat(200),
}


def nearly_equal(num_parts=1, channels=64, spread=3e-4):
    """Returns two samples of 200 subjects around a common vector of length 8."""
    generator = torch.Generator().manual_seed(0)
    shape = num_parts, channels

    def draw(*size):
        return torch.randn(*size, *shape, generator=generator, dtype=torch.float64)

    mean = draw()
    mean = 8 * mean / mean.norm(dim=-1, keepdim=True)
    embedding = mean + spread * (draw(200, 1) + 0.3 * draw(200, 2)).flatten(0, 1)
    return embedding.squeeze(1)
