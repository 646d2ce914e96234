"""Cross-validation of a model."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from graphmotion.data import as_dataset
from graphmotion.data.list_dataset import Samples
from graphmotion.metrics import ClassificationScores, classification_scores
from graphmotion.training.classification import ClassificationModule
from graphmotion.training.data_module import GraphDataModule
from graphmotion.training.fitting import fit
from graphmotion.training.predict import predict
from graphmotion.training.recipes import Recipe, class_weights


@dataclass(frozen=True)
class Evaluation:
    r"""A model trained on one part of a dataset and tested on another.

    Args:
        model (torch.nn.Module): The trained model.
        history (list of dict): The figures of each epoch.
        target (Tensor): Classes of the test samples :math:`(N)`.
        probabilities (Tensor): Predicted for them :math:`(N, \text{num\_classes})`.
        scores (ClassificationScores): The figures of the test.
    """

    model: torch.nn.Module
    history: list[dict[str, float]]
    target: Tensor
    probabilities: Tensor
    scores: ClassificationScores


def train_and_test(
    make_model: Callable[[], torch.nn.Module],
    train: Samples,
    test: Samples,
    recipe: Recipe,
    directory: str,
    val: Samples | None = None,
    transform: Callable | None = None,
    train_transform: Callable | None = None,
    views: int = 1,
    seed: int = 0,
    **options: Any,
) -> Evaluation:
    r"""Train a classifier and test it on samples that had no part in its training.

    With validation samples the weights are those of the best epoch on them; without, those of the
    last epoch. Test samples select nothing.

    Args:
        make_model (callable): Makes the model; its weights are drawn from the seed.
        train (GraphDataset, ...): Training samples, of any kind that :class:`GraphDataModule`
            takes.
        test (GraphDataset, ...): Test samples.
        recipe (Recipe): How it is trained; :obj:`class_balance` weighs the classes by their
            frequency among the training samples.
        directory (str): Where checkpoints and history go; see :func:`fit`.
        val (GraphDataset, ..., optional): Validation samples. (default: :obj:`None`)
        transform (callable, optional): Applied to batches in validation and test.
            (default: :obj:`None`)
        train_transform (callable, optional): Applied to training batches.
            (default: :obj:`None`)
        views (int, optional): Views over which the test averages; see :func:`predict`.
            (default: :obj:`1`)
        seed (int, optional): Of weights, order and transforms. (default: :obj:`0`)
        **options: Of :func:`fit`.

    Returns:
        Evaluation: The model, its history and its test.
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
    probabilities = predict(module.model, test, transform, views=views, seed=seed)
    target = test.labels()
    scores = classification_scores(
        target, probabilities.argmax(dim=1), num_classes, test.class_names
    )
    return Evaluation(module.model.cpu().eval(), result.history, target, probabilities, scores)


def cross_validate(
    make_model: Callable[[], torch.nn.Module],
    folds: Sequence[tuple[Samples, Samples]],
    recipe: Recipe,
    directory: str,
    seed: int = 0,
    **options: Any,
) -> list[Evaluation]:
    r"""Train and test a classifier on every fold; see :func:`train_and_test`.

    There is no validation part: every fold trains for all epochs of the recipe.

    Args:
        make_model (callable): Makes the model.
        folds (sequence of tuple): Training and test samples of each fold, as
            :meth:`~graphmotion.data.GraphDataset.folds` gives them.
        recipe (Recipe): How it is trained.
        directory (str): Each fold gets a folder in it.
        seed (int, optional): The seed of the first fold; each fold has its own.
            (default: :obj:`0`)
        **options: Of :func:`train_and_test`.

    Returns:
        list of Evaluation: One for each fold.
    """
    return [
        train_and_test(
            make_model,
            train,
            test,
            recipe,
            os.path.join(directory, f'fold{number}'),
            seed=seed + number,
            **options,
        )
        for number, (train, test) in enumerate(folds)
    ]
