"""One call that trains a module."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass, replace
from typing import Any

import torch

from graphmotion.training.classification import ClassificationModule
from graphmotion.training.data import MotionDataModule
from graphmotion.training.history import History, SeedEachStep

try:
    from lightning.pytorch import Trainer, seed_everything
    from lightning.pytorch.callbacks import ModelCheckpoint
except ImportError as error:
    raise ImportError('training needs lightning: pip install "graphmotion[train]"') from error


@dataclass(frozen=True)
class FitResult:
    r"""What a run leaves.

    Args:
        history (list of dict): The figures of each epoch.
        last (str): The checkpoint after the last epoch.
        best (str, optional): The checkpoint that was best on the validation samples; :obj:`None`
            if there were none.
    """

    history: list[dict[str, float]]
    last: str
    best: str | None


def fit(
    module: ClassificationModule,
    data: MotionDataModule,
    directory: str,
    seed: int = 0,
    monitor: str = 'val_accuracy',
    resume: bool = True,
    **trainer_options: Any,
) -> FitResult:
    r"""Train a module by its recipe, and leave it with its final weights: those that were best on
    the validation samples, or without any those of the last epoch.

    The directory holds :obj:`last.ckpt`, written after every epoch, :obj:`best.ckpt` and
    :obj:`history.json`. If a run in it was cut off, the same call continues it from the last whole
    epoch, to the same result: the order of samples, augmentation and dropout depend on seed and
    epoch only.

    Args:
        module (ClassificationModule): What is trained.
        data (MotionDataModule): On what.
        directory (str): Where checkpoints and history go.
        seed (int, optional): Seed of the run. Weights are drawn by the caller before.
            (default: :obj:`0`)
        monitor (str, optional): The figure by which the best epoch is chosen; the highest, or the
            lowest if it is a loss. (default: :obj:`"val_accuracy"`)
        resume (bool, optional): If set to :obj:`False`, starts anew. (default: :obj:`True`)
        **trainer_options: Further options of Lightning's
            :class:`~lightning.pytorch.Trainer`: :obj:`precision`, :obj:`devices`,
            :obj:`num_nodes`, :obj:`strategy`, :obj:`logger`, :obj:`enable_progress_bar`, ...

    Returns:
        FitResult: The history, and where the checkpoints are.
    """
    seed_everything(seed, workers=True, verbose=False)
    os.makedirs(directory, exist_ok=True)
    history = History(os.path.join(directory, 'history.json'))
    last = os.path.join(directory, 'last.ckpt')
    callbacks = [
        SeedEachStep(seed),
        history,
        _checkpoint(directory, 'last'),
        *trainer_options.pop('callbacks', []),
    ]
    best = None
    if data.val is not None:
        mode = 'min' if monitor.endswith('loss') else 'max'
        best = _checkpoint(directory, 'best', monitor=monitor, mode=mode)
        callbacks.insert(0, best)
    options: dict[str, Any] = {
        'accelerator': 'auto',
        'logger': False,
        'max_epochs': module.recipe.max_epochs,
        'gradient_clip_val': module.recipe.gradient_clip,
        'log_every_n_steps': 1,
        'num_sanity_val_steps': 0,
        'enable_model_summary': False,
    }
    trainer = Trainer(**(options | trainer_options), callbacks=callbacks)
    module.recipe = replace(module.recipe, max_epochs=trainer.max_epochs or 1)
    continued = last if resume and os.path.exists(last) else None
    with warnings.catch_warnings():
        # Batches are cut from memory: worker processes would slow this down.
        warnings.filterwarnings('ignore', message='.*does not have many workers.*')
        warnings.filterwarnings('ignore', message='.*(no `val_dataloader`|ranks is zero).*')
        warnings.filterwarnings('ignore', message='Checkpoint directory .* is not empty')
        # Lightning's use of torch.
        warnings.filterwarnings('ignore', category=FutureWarning, message='.*LeafSpec.*')
        trainer.fit(module, datamodule=data, ckpt_path=continued, weights_only=True)
    best_path = best.best_model_path if best is not None else None
    if best_path:
        load_weights(module, best_path)
    return FitResult(history.rows, last, best_path)


def _checkpoint(directory: str, name: str, **options: Any) -> ModelCheckpoint:
    return ModelCheckpoint(
        directory,
        filename=name,
        save_top_k=1,
        enable_version_counter=False,
        save_on_train_epoch_end=True,
        **options,
    )


def load_weights(module: torch.nn.Module, path: str) -> None:
    r"""Load the weights of a checkpoint into a module, without unpickling anything else.

    Raises:
        ValueError: If the file is no checkpoint, or of another model.
    """
    try:
        state = torch.load(path, map_location='cpu', weights_only=True)['state_dict']
    except (KeyError, TypeError, RuntimeError, OSError, EOFError, ValueError) as error:
        raise ValueError(f'{path}: not a checkpoint, or damaged: {error}') from error
    except Exception as error:  # the unpickler's own error for what it does not admit
        raise ValueError(f'{path}: holds more than weights: {error}') from error
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(f'{path}: the weights are of another model: {error}') from error
