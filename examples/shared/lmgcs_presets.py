"""Clips, network and training of LMGCS for each dataset and preset."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from torch_geometric.transforms import BaseTransform

import graphmotion.transforms as T
from graphmotion.training import (
    LMGCSRecipe,
    OneCycle,
    StepDecay,
    lmgcs_ou_mvlp_recipe,
    lmgcs_recipe,
)


@dataclass(frozen=True)
class Preset:
    """Clips, network and training for a dataset."""

    frames: int  # frames of a training clip
    options: dict[str, Any]  # options of the network
    recipe: LMGCSRecipe
    skip: int = 1  # distance of the frames of a clip
    shrink: int = 1  # factor by which silhouettes are downsampled,
    soft: bool = False  # to grey values
    augment: tuple[BaseTransform, ...] = ()
    joint: bool = False  # train both stages jointly
    distance: str = 'cosine'


SMALL: dict[str, Any] = {'num_blocks': (1, 1), 'width': 64, 'heads': 4, 'feedforward_channels': 128}
NARROW = SMALL | {'channels': (8, 16, 32, 32), 'frame_kernel': 1, 'feature_dim': 32}
GENERATED = Preset(
    frames=10,
    shrink=2,
    augment=(
        T.RandomSilhouetteAffine(3, (0.95, 1.05), 0.03), T.RandomSilhouetteMorphology(p=0.2)
    ),
    options={'name': 'lmgcs'} | NARROW,
    recipe=LMGCSRecipe(
        StepDecay(lr=4e-3, max_epochs=20, gradient_clip=5.0, milestones=(16,)),
        subjects_per_batch=8,
        samples_per_subject=4,
        batches_per_epoch=10,
        global_epochs=15,
    ),
)  # fmt: skip
CASIA_B = Preset(
    frames=8,
    skip=3,
    shrink=2,
    soft=True,
    options={'name': 'lmgcs'}
    | SMALL
    | {
        'channels': (16, 32, 64),
        'frame_kernel': [3, 1, 1],
        'feature_dim': 48,
        'hpp': 'sum',
        'strided': (1,),
        'pools': (2,),
    },
    recipe=LMGCSRecipe(
        OneCycle(lr=2e-3, weight_decay=0.01, max_epochs=40, warmup=0.1, gradient_clip=5.0),
        batches_per_epoch=100,
        label_smoothing=0.1,
    ),
    joint=True,
    distance='euclidean',
)
PAPER = Preset(frames=30, options={'name': 'lmgcs'}, recipe=lmgcs_recipe())
PRESETS = {
    ('synthetic', 'cpu'): GENERATED,
    ('casia_b', 'cpu'): CASIA_B,
    ('ou_mvlp', 'cpu'): replace(
        GENERATED, options={'name': 'lmgcs_ou_mvlp'} | NARROW | {'channels': (16, 32, 64, 64)}
    ),
    ('synthetic', 'paper'): PAPER,
    ('casia_b', 'paper'): PAPER,
    ('ou_mvlp', 'paper'): replace(
        PAPER, options={'name': 'lmgcs_ou_mvlp'}, recipe=lmgcs_ou_mvlp_recipe()
    ),
}
