"""Training of a module by its recipe."""

from __future__ import annotations

import os
import re
import warnings
from dataclasses import dataclass
from typing import Any

import torch

from graphmotion.data.layouts import check_layout
from graphmotion.data.list_dataset import Samples
from graphmotion.extras import requires_extra
from graphmotion.inference.checkpoint import load_weights
from graphmotion.inference.predict import evaluation_mode
from graphmotion.models.weights import initial_weights
from graphmotion.nn.freed_memory import kept_freed_memory
from graphmotion.training.checkpoints import (
    LAST,
    AtomicCheckpointIO,
    MovableCheckpoint,
    find_checkpoint,
    remove_checkpoints,
)
from graphmotion.training.data_module import GraphDataModule
from graphmotion.training.finite import FiniteSteps
from graphmotion.training.history import History, RunRecord, SeedEachStep
from graphmotion.training.module import RecipeModule
from graphmotion.training.optimization import Optimization, moving_average
from graphmotion.training.recognizer import make_recognizer, save_recognizer

with requires_extra('train'):
    from lightning.pytorch import Trainer, seed_everything
    from lightning.pytorch.callbacks import WeightAveraging
    from lightning.pytorch.plugins.io import TorchCheckpointIO


# Options of Lightning's trainer that change the result and are attributes of it.
_TRAINER_OPTIONS = (
    *('accumulate_grad_batches', 'gradient_clip_algorithm', 'gradient_clip_val'),
    *('limit_train_batches', 'precision'),
)


@dataclass(frozen=True)
class FitResult:
    r"""The result of a training run.

    .. code-block:: python

        recipe = ClassificationRecipe(OneCycle(max_epochs=1))
        data = GraphDataModule(train, val=test, transform=transform)
        result = fit(ClassificationModule(model, 4, recipe), data, 'results')
        print(result.history[-1]['val_accuracy'], result.best)

    Args:
        history (list of dict): The logged metrics of each epoch.
        last (str): Path of the checkpoint after the last epoch.
        best (str, optional): Path of the checkpoint with the best validation metric; :obj:`None`
            without validation samples.
        recognizer (str, optional): Path of the :class:`~graphmotion.inference.Recognizer`;
            :obj:`None` if none was written.
        seconds (float): Training time of all epochs with their validation, also of those before the
            run was interrupted; see :func:`training_seconds`.
    """

    history: list[dict[str, float]]
    last: str
    best: str | None
    recognizer: str | None
    seconds: float


def fit(
    module: RecipeModule,
    data: GraphDataModule | Samples,
    directory: str,
    seed: int = 0,
    monitor: str | None = None,
    resume: bool = True,
    nan_policy: str = 'raise',
    **trainer_options: Any,
) -> FitResult:
    r"""Trains a module by its recipe and loads its final weights.

    The final weights are those of the best epoch on the validation samples, or of the last epoch
    without validation samples. With :obj:`ema_decay`, they are the moving average of the weights.

    The directory holds :obj:`last.ckpt`, written after every epoch, :obj:`previous.ckpt` of the
    epoch before, :obj:`best.ckpt`, :obj:`history.json` and, in the end,
    :obj:`recognizer.safetensors`, the trained model with the transform of validation as a
    :class:`~graphmotion.inference.Recognizer`. It is not written if there is only a transform of
    training, or the model or the transform is not one that :func:`~graphmotion.config.to_config`
    describes.

    If a run was interrupted, the same call resumes it from the last complete epoch with an
    identical result: the order of samples, augmentation and dropout depend on the seed, the epoch
    and the number of processes only. If :obj:`last.ckpt` is damaged, it warns and resumes from
    :obj:`previous.ckpt`. A run with a different seed, recipe, model, transform, number of processes
    or different samples is not resumed but raises an error.

    A run with more epochs continues a finished one, and its result equals that of a single run, if
    the learning rates of the first epochs do not depend on the number of epochs
    (:attr:`Optimization.extensible`), as with :class:`StepDecay`. Otherwise, as with
    :class:`OneCycle`, it raises an error; instead, start another run in a different directory from
    the weights of the first one:

    .. code-block:: python

        data = GraphDataModule(train, transform=transform)
        first = fit(ClassificationModule(model, 4, recipe), data, 'a')
        load_weights(model, first.last)
        fit(ClassificationModule(model, 4, recipe), data, 'b')

    Batch normalisation computes statistics within each process; on several GPUs,
    :obj:`sync_batchnorm=True` computes them over the full batch. On the CPU, it raises an error.

    Args:
        module (RecipeModule): The module to train, such as a :class:`ClassificationModule` or a
            :class:`RecognitionModule`, with initialised weights.
        data (GraphDataModule or samples): The samples. Instead of a data module, it can be training
            samples of any type that :class:`GraphDataModule` accepts; the batches then follow the
            recipe, and the only transform is the transform of the dataset.
        directory (str): Directory of the checkpoints and the history.
        seed (int, optional): Seed of the run. (default: :obj:`0`)
        monitor (str, optional): The metric by which the best epoch is selected: the highest value,
            or the lowest if the name ends with :obj:`"loss"`. By default, the metric of the module,
            such as :obj:`"val_accuracy"` or :obj:`"val_rank1"`. (default: :obj:`None`)
        resume (bool, optional): If set to :obj:`False`, starts from the first epoch and overwrites
            an earlier run. (default: :obj:`True`)
        nan_policy (str, optional): What to do if the loss or the gradient of a step is not finite:
            :obj:`"raise"` ends training with an error that names step, parameters and samples,
            :obj:`"skip"` skips the step with a warning; see :class:`FiniteSteps`.
            (default: :obj:`"raise"`)
        **trainer_options: Further options of Lightning's
            :class:`~lightning.pytorch.Trainer`: :obj:`precision`, :obj:`devices`,
            :obj:`num_nodes`, :obj:`strategy`, :obj:`logger`, :obj:`enable_progress_bar`, ...

    Returns:
        FitResult: The history and the paths of the checkpoints.

    Raises:
        ValueError: If the directory holds only damaged checkpoints or a checkpoint of a different
            run, the model or a transform is for a skeleton with the joints of the samples in
            another order, or :obj:`sync_batchnorm` is set for several processes on the CPU.
        FloatingPointError: If the loss or the gradient of a step is not finite.
    """
    if not isinstance(data, GraphDataModule):
        data = GraphDataModule(data, seed=seed, **module.batch_options())
    check_layout(data.train, data.train_transform, module.model)
    if data.val is not None:
        check_layout(data.val, data.transform, module.model)
    seed_everything(seed, workers=True, verbose=False)
    os.makedirs(directory, exist_ok=True)
    history = History(os.path.join(directory, 'history.json'))
    record = RunRecord()
    callbacks = [
        SeedEachStep(seed),
        FiniteSteps(nan_policy),
        record,
        history,
        _checkpoint(directory, 'last'),
        *trainer_options.pop('callbacks', []),
    ]
    optimization = module.recipe.optimization
    if optimization.ema_decay:
        callbacks.insert(0, WeightAveraging(multi_avg_fn=moving_average(optimization.ema_decay)))
    best = None
    if data.val is not None:
        monitor = module.monitor if monitor is None else monitor
        mode = 'min' if monitor.endswith('loss') else 'max'
        best = _checkpoint(directory, 'best', monitor=monitor, mode=mode)
        callbacks.insert(0, best)
    options: dict[str, Any] = {
        'accelerator': 'auto',
        'logger': False,
        'max_epochs': optimization.max_epochs,
        'gradient_clip_val': optimization.gradient_clip,
        'log_every_n_steps': 1,
        'num_sanity_val_steps': 0,
        'enable_model_summary': False,
    }
    options |= trainer_options
    trainer = Trainer(**options, callbacks=callbacks)
    on_cpu = trainer.strategy.root_device.type == 'cpu'
    if options.get('sync_batchnorm') and trainer.world_size > 1 and on_cpu:
        raise ValueError(
            'sync_batchnorm must be False on the CPU, where torch.nn.SyncBatchNorm does not work'
        )
    module.recipe = module.recipe.with_optimization(max_epochs=trainer.max_epochs or 1)
    if type(trainer.strategy.checkpoint_io) is TorchCheckpointIO:  # the default
        trainer.strategy.checkpoint_io = AtomicCheckpointIO()
    record.parts = _describe_run(module, data, seed, monitor, trainer)
    resumed, is_finished = None, False
    if not resume:
        remove_checkpoints(directory)
    elif found := find_checkpoint(directory):
        resumed, saved = found
        before = saved.get(record.state_key, {})
        epochs = saved.get(history.state_key, {'rows': []})['rows']
        is_finished = len(epochs) >= module.recipe.optimization.max_epochs
        if is_finished:
            # A finished run does not depend on the processes that load it.
            before['number of processes'] = record.parts['number of processes']
        _check_same_run(resumed, before, record.parts, module.recipe.optimization)
    # A step of GaitMixer with 32 samples takes a sixth less time on a CPU.
    with warnings.catch_warnings(), kept_freed_memory():
        # Batches are sliced from memory, which worker processes would slow down.
        warnings.filterwarnings('ignore', message='.*does not have many workers.*')
        warnings.filterwarnings('ignore', message='.*(no `val_dataloader`|ranks is zero).*')
        warnings.filterwarnings('ignore', message='Checkpoint directory .* is not empty')
        # Raised by Lightning's use of torch.
        warnings.filterwarnings('ignore', category=FutureWarning, message='.*LeafSpec.*')
        try:
            trainer.fit(module, datamodule=data, ckpt_path=resumed, weights_only=True)
        finally:
            module.teardown('fit')  # Lightning omits it after an error
    module.to(trainer.strategy.root_device)  # Lightning moves it to the CPU
    best_path = best.best_model_path if best is not None else None
    if best_path:
        load_weights(module, best_path)
    elif resumed is not None and is_finished:
        # Lightning ends such a run before the averaged weights take the place of the last ones.
        load_weights(module, resumed)
    recognizer = None
    if trainer.is_global_zero:
        recognizer = _write_recognizer(module, data, seed, directory)
    last = os.path.join(directory, LAST)
    return FitResult(history.rows, last, best_path, recognizer, history.seconds)


def _write_recognizer(
    module: RecipeModule, data: GraphDataModule, seed: int, directory: str
) -> str | None:
    if data.transform is None and data.train_transform is not None:
        reason = 'the transform of test samples is not known'
        return save_recognizer(None, directory, reason)
    with evaluation_mode(module.model):
        return save_recognizer(make_recognizer(module, data, seed), directory)


def _checkpoint(directory: str, name: str, **options: Any) -> MovableCheckpoint:
    return MovableCheckpoint(
        directory,
        filename=name,
        save_top_k=1,
        enable_version_counter=False,
        save_on_train_epoch_end=True,
        **options,
    )


def _describe_run(
    module: RecipeModule, data: GraphDataModule, seed: int, monitor: str | None, trainer: Trainer
) -> dict[str, str]:
    """Returns a description of everything that determines the result of a run, by name."""
    weights = getattr(module, 'class_weight', None)
    parts = {
        'seed': seed,
        # The number of epochs is compared separately, as it may grow.
        'recipe': module.recipe.with_optimization(max_epochs=0),
        'max_epochs': module.recipe.optimization.max_epochs,
        'model': (
            module.model,
            {name: _options(part) for name, part in module.model.named_modules()},
        ),
        'initial weights': initial_weights(module.model),
        # Processes differ in the random draws and in the statistics of batch normalisation.
        'number of processes': trainer.world_size,
        'training options': {**_options(module), 'seed': data.seed},
        'class weights': None if weights is None else weights.tolist(),
        'trainer options': {name: getattr(trainer, name) for name in _TRAINER_OPTIONS},
        'training samples': data.train.fingerprint(),
        'validation samples': None if data.val is None else data.val.fingerprint(),
        'monitor': None if data.val is None else monitor,
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
    """Returns the plain attributes of a module, as its ``repr`` may omit some."""
    plain = (bool, int, float, str, tuple, type(None))
    attributes = sorted(vars(module).items())
    return {
        name: value
        for name, value in attributes
        if not name.startswith('_') and name != 'training' and isinstance(value, plain)
    }


def _check_same_run(
    path: str, before: dict[str, str], now: dict[str, str], optimization: Optimization
) -> None:
    other = [name for name, part in now.items() if before.get(name) != part]
    if other == ['max_epochs']:
        _check_more_epochs(path, int(before['max_epochs']), optimization)
    elif other:
        raise ValueError(
            f'{path}: the checkpoint belongs to a run with different {", ".join(other)}; pass '
            f'resume=False to overwrite it or a different directory'
        )


def _check_more_epochs(path: str, before: int, optimization: Optimization) -> None:
    """Raises an error unless a run can be continued for more epochs."""
    now = optimization.max_epochs
    if optimization.extensible and now > before:
        return
    reason = ''
    if now > before:
        name = type(optimization).__name__
        reason = f', since the learning rates of {name} depend on the number of epochs'
    raise ValueError(
        f'{path}: the checkpoint belongs to a run of {before} epochs, which cannot be continued to '
        f'{now} epochs{reason}; pass resume=False to overwrite it, or start another run in a '
        f'different directory, from these weights by create_model(..., weights={path!r})'
    )
