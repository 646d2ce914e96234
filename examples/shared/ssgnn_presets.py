"""Networks and training of SSGNN for each dataset and preset."""

from __future__ import annotations

import math
from argparse import Namespace
from dataclasses import dataclass
from typing import Any

from torch_geometric.transforms import BaseTransform

import graphmotion.transforms as T
from graphmotion.training import ClassificationRecipe, OneCycle, StepDecay


@dataclass(frozen=True)
class Preset:
    """Networks and training."""

    recipes: dict[str, ClassificationRecipe]  # by domain
    options: dict[str, dict[str, Any]]  # of the networks, by domain
    pixel_options: dict[str, Any]  # of both networks on pixels
    augment: tuple[BaseTransform, ...]
    mirror: bool  # average the test over faces and their mirror images
    num_modes: int  # eigenvectors of the graph, at most
    fusion: str = 'mean'  # of the probabilities of both networks
    nodes: float = 0.4  # fraction or number of pixels
    num_levels: int = 2  # coarser graphs
    cell_size: float | None = None  # of the grid that pools pixels
    patch_size: int = 1  # side of the square of pixels that are the features of a node
    min_steps: int = 0  # training steps, at least; small datasets get more epochs

    def recipe(self, domain: str, num_samples: int) -> ClassificationRecipe:
        """Returns the recipe of a network for a number of training faces."""
        recipe = self.recipes[domain]
        steps = math.ceil(num_samples / recipe.batch_size)  # of an epoch
        epochs = max(recipe.optimization.max_epochs, math.ceil(self.min_steps / steps))
        return recipe.with_optimization(max_epochs=epochs)


PAPER_RECIPE = ClassificationRecipe(StepDecay(lr=1e-3, max_epochs=100), batch_size=32)
PAPER = Preset(
    recipes={'spatial': PAPER_RECIPE, 'spectral': PAPER_RECIPE},
    options={'spatial': {}, 'spectral': {}},
    pixel_options={},
    augment=(T.RandomImageAffine(), T.RandomImageBrightness(), T.ImageNoise()),
    mirror=False,
    num_modes=10**9,
    fusion='maximum',
)
SPATIAL = OneCycle(lr=4e-3, weight_decay=0.05, max_epochs=24)
SPECTRAL = OneCycle(lr=5e-3, weight_decay=0.01, max_epochs=20)
CPU = Preset(
    recipes={
        'spatial': ClassificationRecipe(SPATIAL, batch_size=32, label_smoothing=0.05),
        'spectral': ClassificationRecipe(SPECTRAL, batch_size=32, label_smoothing=0.05),
    },
    options={
        'spatial': {'batch_norm': True, 'channels': (24, 48), 'shared': True, 'dropout': 0.3},
        'spectral': {
            'batch_norm': True, 'channels': 24, 'num_knots': 16, 'num_pools': 1, 'dropout': 0.2
        },
    },
    pixel_options={'standardize': True, 'num_directions': 8},
    augment=(T.RandomImageAffine(8, (0.92, 1.08), 0.04), T.RandomImageFlip()),
    mirror=True,
    num_modes=256,
    min_steps=1000,
)  # fmt: skip
FER2013 = Preset(
    recipes={
        'spatial': ClassificationRecipe(
            OneCycle(lr=4e-3, weight_decay=0.05, max_epochs=30, ema_decay=0.995),
            batch_size=32,
            label_smoothing=0.1,
        ),
        'spectral': ClassificationRecipe(
            OneCycle(lr=4e-3, weight_decay=0.05, max_epochs=30, ema_decay=0.995),
            batch_size=32,
            label_smoothing=0.1,
        ),
    },
    options={
        'spatial': {
            'channels': (32, 64, 128), 'num_layers': (1, 2, 2), 'residual': True, 'shared': True,
            'pool_last': False,
        },
        'spectral': {
            'channels': (32, 64, 128), 'num_layers': (1, 2, 2), 'residual': True, 'num_knots': 5,
            'num_pools': 2, 'directional': True, 'multiscale': True,
        },
    },
    pixel_options={
        'standardize': True, 'batch_norm': True, 'reduce': 'max', 'dropout': 0.3,
    },
    augment=(T.RandomImageAffine(10, (0.9, 1.1), 0.06), T.RandomImageFlip()),
    mirror=True,
    num_modes=10**9,
    nodes=1.0,
    cell_size=2,
    patch_size=5,
)  # fmt: skip
PRESETS = {'cpu': CPU, 'paper': PAPER}
DATASET_PRESETS = {('fer2013', 'cpu'): FER2013}


def get_preset(args: Namespace) -> Preset:
    return DATASET_PRESETS.get((args.dataset, args.preset), PRESETS[args.preset])
