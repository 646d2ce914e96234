"""Registry of the models by name and task."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any, NamedTuple, TypeVar

from torch.nn import Module

from graphmotion.checks import check_choice
from graphmotion.models.weights import Weights, recorded_options, transfer_weights

Builder = TypeVar('Builder', bound=Callable[..., Module])

#: Tasks that models can be registered for.
TASKS = ('action', 'emotion', 'expression', 'recognition')


class _Entry(NamedTuple):
    build: Callable[..., Module]
    task: str


_MODELS: dict[str, _Entry] = {}


def register_model(name: str, task: str) -> Callable[[Builder], Builder]:
    r"""Registers a model class, or a function that builds a model, under a name.

    .. code-block:: python

        from graphmotion.config import Configurable

        @register_model('my_gcn', task='action')
        class MyGCN(Configurable, torch.nn.Module):
            def __init__(self, skeleton, num_classes):
                super().__init__()
                self.linear = torch.nn.Linear(3, num_classes)

        model = create_model('my_gcn', skeleton='ntu25', num_classes=60)

    A class that derives from :class:`~graphmotion.config.Configurable` can be saved as part of a
    :class:`~graphmotion.inference.Recognizer`.

    Args:
        name (str): Name of the model, in lower case with underscores.
        task (str): Task of the model: :obj:`"action"`, :obj:`"emotion"`,
            :obj:`"expression"` (facial expressions) or :obj:`"recognition"` (people by their
            gait).

    Raises:
        ValueError: If the name is taken or the task is unknown.
    """
    check_choice('task', task, TASKS)

    def register(build: Builder) -> Builder:
        if name in _MODELS:
            raise ValueError(f'the model {name!r} is already registered')
        _MODELS[name] = _Entry(build, task)
        return build

    return register


def list_models(filter: str = '*', task: str | None = None) -> list[str]:
    r"""Returns the names of the registered models, sorted.

    .. code-block:: python

        >>> list_models('gait*')
        ['gaitformer', 'gaitmixer']

    Args:
        filter (str, optional): Pattern of the names, with the wildcards :obj:`*` and :obj:`?`.
            (default: :obj:`"*"`)
        task (str, optional): If given, only models for this task of :func:`register_model`.
            (default: :obj:`None`)

    Raises:
        ValueError: If the task is unknown.
    """
    if task is not None:
        check_choice('task', task, TASKS)
    return sorted(
        name
        for name, entry in _MODELS.items()
        if fnmatchcase(name, filter) and task in (None, entry.task)
    )


def registered_models() -> dict[str, Callable[..., Module]]:
    r"""Returns the class, or the function, of each registered model by name."""
    return {name: entry.build for name, entry in _MODELS.items()}


def create_model(
    name: str, weights: Weights | None = None, strict: bool = False, **options: Any
) -> Module:
    r"""Builds a model by name, optionally with the weights of another one.

    .. code-block:: python

        model = create_model('msa_gcn', skeleton='ntu25', num_classes=60)

    To fine-tune a trained model, give its weights. All weights of the same name and size are
    loaded. Others, such as the head for another number of classes, the first layer for other input
    channels or weights of each joint for another skeleton, keep their initial random values, and a
    warning names them:

    .. code-block:: python

        model = create_model('st_gcn', skeleton='ntu25', num_classes=60)
        torch.save(model.state_dict(), 'weights.pt')
        model = create_model('st_gcn', weights='weights.pt', skeleton='ntu25', num_classes=60)

    The arguments of a network of the same class, given as a model, a recognizer or its file, are
    the defaults of the arguments here. A checkpoint does not hold them.

    A head of the same size is loaded, too; if its classes have changed, reset it, for a linear head
    by :obj:`model.head.reset_parameters()`. Weights of each joint are loaded if the number of
    joints is equal, so the joints must be in the same order as in the samples of the first
    training; see :class:`~graphmotion.transforms.ConvertSkeleton`.

    Args:
        name (str): Name of a registered model; see :func:`list_models`.
        weights (str, Path, torch.nn.Module, mapping or Recognizer, optional): The weights: a file
            that :func:`~graphmotion.io.read_weights` reads, such as a checkpoint of
            :func:`~graphmotion.training.fit` or a recognizer, a trained model, the state of one, or
            a recognizer of one network. Names may be those of
            :obj:`model.load_reference_state_dict` for published weights. (default: :obj:`None`)
        strict (bool, optional): If set to :obj:`True`, all weights must have the same names and
            sizes. (default: :obj:`False`)
        **options: Arguments of the model.

    Raises:
        ValueError: If no model has this name, the file holds no weights or is damaged, no weight
            fits or, with :obj:`strict`, any weight does not fit.
    """
    if name not in _MODELS:
        raise ValueError(f'unknown model {name!r}; there are {list_models()}')
    build = _MODELS[name].build
    model = build(**recorded_options(build, weights) | options)
    if weights is not None:
        transfer_weights(model, weights, strict)
    return model
