"""Cases of batch assembly."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.loader import DataLoader

from benchmarks.operators.harness import Call, Setup, case
from benchmarks.random_motion import RandomMotion, StoredSamples
from graphmotion.datasets import MotionDataset


@case(MotionDataset, 'get_batch, 4 batches')
def get_batch(s: Setup) -> tuple[Call, dict[str, Call]]:
    dataset = RandomMotion(s.skeleton, 4 * s.batch, s.frames)
    stored = StoredSamples(list(dataset))
    order = torch.arange(len(dataset)).split(s.batch)
    return (
        Call(lambda: [dataset.get_batch(samples) for samples in order], view=flatten_fields),
        {
            'DataLoader, same dataset': Call(
                lambda: list(DataLoader(dataset, s.batch)), view=flatten_fields
            ),
            "DataLoader, PyG's InMemoryDataset": Call(
                lambda: list(DataLoader(stored, s.batch)), view=flatten_fields
            ),
        },
    )


def flatten_fields(batches: list) -> Tensor:
    """Concatenates the fields of batches to one vector."""
    names = ('pos', 'score', 'edge_index', 'batch', 'ptr', 'y', 'subject', 'num_frames')
    return torch.cat([batch[name].flatten().float() for batch in batches for name in names])
