"""One call that trains a module."""

from __future__ import annotations

import os
import re
import warnings
from dataclasses import dataclass, replace
from typing import Any

import torch

from graphmotion.data.list_dataset import Samples
from graphmotion.extras import requires_extra
from graphmotion.training.checkpoint import load_weights, read_checkpoint
from graphmotion.training.data_module import GraphDataModule
from graphmotion.training.history import History, RunRecord, SeedEachStep
from graphmotion.training.module import RecipeModule

with requires_extra('train'):
    from lightning.pytorch import Trainer, seed_everything
    from lightning.pytorch.callbacks import EMAWeightAveraging, ModelCheckpoint


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
    module: RecipeModule,
    data: GraphDataModule | Samples,
    directory: str,
    seed: int = 0,
    monitor: str | None = None,
    resume: bool = True,
    **trainer_options: Any,
) -> FitResult:
    r"""Train a module by its recipe, and leave it with its final weights: those that were best on
    the validation samples, or without any those of the last epoch. With
    :obj:`ema_decay` in the recipe they are the moving average of the weights.

    The directory holds :obj:`last.ckpt`, written after every epoch, :obj:`best.ckpt` and
    :obj:`history.json`. If a run in it was cut off, the same call continues it from the last whole
    epoch, to the same result: the order of samples, augmentation and dropout depend on seed and
    epoch only. What is left of a run with another seed, recipe, model, transform or other samples
    is refused.

    Batch normalisation takes its statistics from the share of each process; on several GPUs
    :obj:`sync_batchnorm=True` makes them those of the whole batch.

    Args:
        module (RecipeModule): What is trained, such as a :class:`ClassificationModule` or a
            :class:`RecognitionModule`.
        data (GraphDataModule, or samples): On what. Samples of any kind that
            :class:`GraphDataModule` takes are training samples, in batches as the recipe has them,
            without a transform but the dataset's own.
        directory (str): Where checkpoints and history go.
        seed (int, optional): Seed of the run. Weights are drawn by the caller before.
            (default: :obj:`0`)
        monitor (str, optional): The figure by which the best epoch is chosen; the highest, or the
            lowest if it is a loss. By default that of the module, such as
            :obj:`"val_accuracy"` or :obj:`"val_rank1"`. (default: :obj:`None`)
        resume (bool, optional): If set to :obj:`False`, starts anew. (default: :obj:`True`)
        **trainer_options: Further options of Lightning's
            :class:`~lightning.pytorch.Trainer`: :obj:`precision`, :obj:`devices`,
            :obj:`num_nodes`, :obj:`strategy`, :obj:`logger`, :obj:`enable_progress_bar`, ...

    Returns:
        FitResult: The history, and where the checkpoints are.

    Raises:
        ValueError: If the directory holds a damaged checkpoint or one of another run.
    """
    if not isinstance(data, GraphDataModule):
        data = GraphDataModule(data, seed=seed, **module.batch_options())
    seed_everything(seed, workers=True, verbose=False)
    os.makedirs(directory, exist_ok=True)
    history = History(os.path.join(directory, 'history.json'))
    last = os.path.join(directory, 'last.ckpt')
    record = RunRecord()
    callbacks = [
        SeedEachStep(seed),
        record,
        history,
        _checkpoint(directory, 'last'),
        *trainer_options.pop('callbacks', []),
    ]
    if module.recipe.ema_decay:
        callbacks.insert(0, EMAWeightAveraging(decay=module.recipe.ema_decay))
    best = None
    if data.val is not None:
        monitor = module.monitor if monitor is None else monitor
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
    record.parts = _describe_run(module, data, seed)
    continued = last if resume and os.path.exists(last) else None
    if continued:
        _check_same_run(continued, record)
    with warnings.catch_warnings():
        # Batches are cut from memory: worker processes would slow this down.
        warnings.filterwarnings('ignore', message='.*does not have many workers.*')
        warnings.filterwarnings('ignore', message='.*(no `val_dataloader`|ranks is zero).*')
        warnings.filterwarnings('ignore', message='Checkpoint directory .* is not empty')
        # Lightning's use of torch.
        warnings.filterwarnings('ignore', category=FutureWarning, message='.*LeafSpec.*')
        trainer.fit(module, datamodule=data, ckpt_path=continued, weights_only=True)
    module.to(trainer.strategy.root_device)  # Lightning leaves it on the CPU
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


def _describe_run(module: RecipeModule, data: GraphDataModule, seed: int) -> dict[str, str]:
    """What decides the result of a run; figures that only decide its speed are left out."""
    parts = {
        'seed': seed,
        'recipe': module.recipe,
        'model': (
            module.model,
            {name: _options(part) for name, part in module.model.named_modules()},
        ),
        'training options': {**_options(module), 'seed': data.seed},
        'training samples': data.train.fingerprint(),
        'validation samples': None if data.val is None else data.val.fingerprint(),
        'batches': {
            name: getattr(data, name)
            for name in ('batch_size', 'balance', 'samples_per_class', 'batches_per_epoch')
        },
        'transform': data.transform,
        'train_transform': data.train_transform,
        'transform of a dataset': [
            None if part is None else part.transform for part in (data.train, data.val)
        ],
    }
    return {name: re.sub(r' at 0x[0-9a-f]+', '', str(part)) for name, part in parts.items()}


def _options(module: torch.nn.Module) -> dict[str, Any]:
    """The plain attributes of a module; not all are told by how it is printed."""
    plain = (bool, int, float, str, tuple, type(None))
    attributes = sorted(vars(module).items())
    return {
        name: value
        for name, value in attributes
        if not name.startswith('_') and name != 'training' and isinstance(value, plain)
    }


def _check_same_run(path: str, now: RunRecord) -> None:
    before = read_checkpoint(path, 'callbacks').get(now.state_key, {})
    other = [name for name, part in now.parts.items() if before.get(name) != part]
    if other:
        raise ValueError(
            f'{path}: of a run with another {", ".join(other)}; pass resume=False to start anew, '
            f'or another directory'
        )
