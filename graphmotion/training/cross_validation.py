"""Cross-validation of a model."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from graphmotion.checks import check_int
from graphmotion.data import as_dataset
from graphmotion.data.list_dataset import Samples
from graphmotion.extras import requires_extra
from graphmotion.inference import Recognizer
from graphmotion.metrics import ClassificationScores, classification_scores
from graphmotion.training.class_weights import class_weights
from graphmotion.training.classification import ClassificationModule
from graphmotion.training.data_module import GraphDataModule
from graphmotion.training.fitting import fit
from graphmotion.training.recipes import ClassificationRecipe
from graphmotion.training.recognizer import make_recognizer, save_recognizer

with requires_extra('train'):
    from joblib import Parallel, delayed

_LOGGER = logging.getLogger('lightning.pytorch')


@dataclass(frozen=True)
class Evaluation:
    r"""A trained model and its predictions for test samples.

    .. code-block:: python

        recipe = ClassificationRecipe(OneCycle(max_epochs=1))
        result = train_and_test(lambda: model, train, test, recipe, 'results', transform=transform)
        print(result.scores.accuracy, result.probabilities.shape)
        result.recognizer.save('recognizer.safetensors')

    Args:
        model (torch.nn.Module): The trained model.
        history (list of dict): The logged metrics of each epoch.
        target (Tensor): Classes of the test samples :math:`(N)`.
        probabilities (Tensor): Predicted probabilities of the test samples
            :math:`(N, \text{num\_classes})`.
        scores (ClassificationScores): Scores on the test samples.
        recognizer (Recognizer): The model with its transform, which returns the same predictions.
        seconds (float): Training time; see :func:`training_seconds`.
    """

    model: torch.nn.Module
    history: list[dict[str, float]]
    target: Tensor
    probabilities: Tensor
    scores: ClassificationScores
    recognizer: Recognizer
    seconds: float


def train_and_test(
    make_model: Callable[[], torch.nn.Module],
    train: Samples,
    test: Samples,
    recipe: ClassificationRecipe,
    directory: str,
    val: Samples | None = None,
    transform: Callable | None = None,
    train_transform: Callable | None = None,
    num_augmentations: int = 1,
    seed: int = 0,
    **options: Any,
) -> Evaluation:
    r"""Trains a classifier and tests it on held-out samples.

    The weights are those of the best epoch on the validation samples, or of the last epoch without
    validation samples. The test samples are not used for model selection.

    The directory also holds the :class:`~graphmotion.inference.Recognizer` of the model, with its
    scores:

    .. code-block:: python

        recognizer = Recognizer.load('results/recognizer.safetensors')
        recognizer.probabilities(test)  # equals evaluation.probabilities

    Args:
        make_model (callable): Returns a new model, whose weights are initialised from the seed.
        train (GraphDataset, ...): Training samples of any type that :class:`GraphDataModule`
            accepts.
        test (GraphDataset, ...): Test samples.
        recipe (ClassificationRecipe): Optimisation and loss. :obj:`class_balance` refers to the
            class frequencies of the training samples.
        directory (str): Directory of the checkpoints and the history; see :func:`fit`.
        val (GraphDataset, ..., optional): Validation samples. (default: :obj:`None`)
        transform (callable, optional): Transform of batches in validation and test.
            (default: :obj:`None`)
        train_transform (callable, optional): Transform of training batches; :obj:`transform` if not
            given. (default: :obj:`None`)
        num_augmentations (int, optional): Number of random transforms of each test sample over
            which predictions are averaged; see
            :func:`~graphmotion.inference.predict`. (default: :obj:`1`)
        seed (int, optional): Seed of the weights, the order of samples and the transforms.
            (default: :obj:`0`)
        **options: Further options of :func:`fit`.

    Returns:
        Evaluation: The model, its history and its scores.
    """
    train, test = as_dataset(train), as_dataset(test)
    num_classes = train.num_classes
    torch.manual_seed(seed)
    module = ClassificationModule(
        make_model(),
        num_classes,
        recipe,
        class_weights(train.labels(), num_classes, recipe.class_balance),
    )
    data = GraphDataModule(
        train,
        val,
        batch_size=recipe.batch_size,
        transform=transform,
        train_transform=train_transform,
        seed=seed,
    )
    result = fit(module, data, directory, seed=seed, **options)
    recognizer = make_recognizer(module, data, seed, num_augmentations=num_augmentations)
    probabilities = recognizer.probabilities(test)
    target = test.labels()
    scores = classification_scores(
        target, probabilities.argmax(dim=1), num_classes, test.class_names
    )
    recognizer.info['scores'] = scores.as_dict()
    if result.recognizer is not None:
        save_recognizer(recognizer.to('cpu'), directory)
    model = module.model.cpu().eval()
    return Evaluation(
        model, result.history, target, probabilities, scores, recognizer, result.seconds
    )


def cross_validate(
    make_model: Callable[[], torch.nn.Module],
    folds: Sequence[tuple[Samples, Samples]],
    recipe: ClassificationRecipe,
    directory: str,
    seed: int = 0,
    num_jobs: int = 1,
    **options: Any,
) -> list[Evaluation]:
    r"""Trains and tests a classifier on every fold; see :func:`train_and_test`.

    Without validation samples, training runs for all epochs of the recipe.

    .. code-block:: python

        recipe = ClassificationRecipe(OneCycle(max_epochs=1))
        folds = dataset.folds(2, seed=0, by='subject')
        make_model = partial(st_gcn, 'coco17', 4, in_channels=2, channels=(4, 8))
        runs = cross_validate(make_model, folds, recipe, 'results', transform=transform)
        print(fold_summary([run.scores for run in runs]).format('accuracy', percent=True))

    Args:
        make_model (callable): Returns a new model.
        folds (sequence of tuple): Training and test samples of each fold, as returned by
            :meth:`~graphmotion.data.GraphDataset.folds`.
        recipe (ClassificationRecipe): Optimisation and loss.
        directory (str): Directory with a subdirectory for each fold.
        seed (int, optional): Seed of the first fold; the seed of fold :math:`i` is
            :obj:`seed + i`. (default: :obj:`0`)
        num_jobs (int, optional): Number of folds that are trained at the same time, by processes of
            :class:`joblib.Parallel`. Each has the number of threads and Lightning's log level of
            this process, and the evaluations equal those of a single process. (default: :obj:`1`)
        **options: Further options of :func:`train_and_test`.

    Returns:
        list of Evaluation: The evaluation of each fold.
    """
    check_int('num_jobs', num_jobs, 1)
    threads, log_level = torch.get_num_threads(), _LOGGER.level
    return Parallel(n_jobs=num_jobs)(
        delayed(_run_fold)(
            threads,
            log_level,
            make_model,
            train,
            test,
            recipe,
            os.path.join(directory, f'fold{number}'),
            seed=seed + number,
            **options,
        )
        for number, (train, test) in enumerate(folds)
    )


def _run_fold(threads: int, log_level: int, *args: Any, **options: Any) -> Evaluation:
    """Trains and tests on a fold with the number of threads, on which rounding may depend, and the
    log level of the main process.
    """
    torch.set_num_threads(threads)
    _LOGGER.setLevel(log_level)
    return train_and_test(*args, **options)
