"""Recognizers of trained models."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import torch
import torch_geometric

import graphmotion
from graphmotion.extras import requires_extra
from graphmotion.inference import Recognizer
from graphmotion.training.data_module import GraphDataModule
from graphmotion.training.module import RecipeModule

with requires_extra('train'):
    from lightning.pytorch.utilities import rank_zero_info


def make_recognizer(
    module: RecipeModule, data: GraphDataModule, seed: int = 0, **options: Any
) -> Recognizer:
    r"""Makes a recognizer of a trained module.

    Its transform is that of validation and test, and its information consists of the recipe, the
    dataset, the seed and the versions of the libraries.

    Args:
        module (RecipeModule): The trained module.
        data (GraphDataModule): The samples it was trained on.
        seed (int, optional): Seed of the run. (default: :obj:`0`)
        **options: Further options of the recognizer.
    """
    train = data.train
    size = getattr(train, 'size', None)
    versions = {part.__name__: str(part.__version__) for part in (graphmotion, torch_geometric)}
    return Recognizer(
        module.model,
        data.transform,
        skeleton=getattr(train, 'skeleton', None),
        class_names=module.class_names(train),
        seed=seed,
        dataset_transform=(train if data.val is None else data.val).transform,
        image_size=size if isinstance(size, tuple) else None,
        info={
            'recipe': {'name': type(module.recipe).__name__, **asdict(module.recipe)},
            'dataset': str(train),
            'seed': seed,
            'versions': versions | {'torch': str(torch.__version__)},
        },
        **options,
    )


def save_recognizer(
    recognizer: Recognizer | None, directory: str, reason: str | None = None
) -> str | None:
    r"""Writes :obj:`recognizer.safetensors` to a directory if the recognizer can be described.

    Otherwise, it logs the reason and removes the file of an earlier run.

    Returns:
        str or None: The path of the file, if it was written.
    """
    path = os.path.join(directory, 'recognizer.safetensors')
    try:
        if recognizer is not None:
            recognizer.save(path)
            return path
    except (TypeError, ValueError) as error:
        reason = str(error)
    with suppress(FileNotFoundError):
        os.unlink(path)
    rank_zero_info(f'{path} is not written: {reason}')
    return None
