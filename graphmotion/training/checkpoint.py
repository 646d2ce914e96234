"""Checkpoints of a training, read without Lightning."""

from __future__ import annotations

from typing import Any

import torch

# Where a module that trains a model keeps it.
_MODEL = 'model.'


def read_checkpoint(path: str, key: str) -> Any:
    r"""Read an entry of a checkpoint, without unpickling anything but tensors and containers.

    Raises:
        ValueError: If the file is not a checkpoint, is damaged or holds other objects.
    """
    try:
        return torch.load(path, map_location='cpu', weights_only=True)[key]
    except (KeyError, TypeError, RuntimeError, OSError, EOFError, ValueError) as error:
        raise ValueError(f'{path}: not a checkpoint, or damaged: {error}') from error
    except Exception as error:  # the unpickler's own error for what it does not admit
        raise ValueError(f'{path}: holds more than weights: {error}') from error


def load_weights(module: torch.nn.Module, path: str) -> None:
    r"""Load the weights of a checkpoint that :func:`fit` wrote.

    .. code-block:: python

        model = st_gcn('coco17', num_classes=4)
        load_weights(model, 'results/best.ckpt')

    Args:
        module (torch.nn.Module): The module that was trained, such as a
            :class:`ClassificationModule`, or its model alone.
        path (str): The checkpoint. Nothing but tensors and plain containers is unpickled.

    Raises:
        ValueError: If the file is not a checkpoint or holds the weights of another model.
    """
    state = read_checkpoint(path, 'state_dict')
    if not any(name.startswith(_MODEL) for name in module.state_dict()):
        # A bare model: what else was trained or measured with it is left out.
        of_model = {
            name.removeprefix(_MODEL): value
            for name, value in state.items()
            if name.startswith(_MODEL)
        }
        state = of_model or state
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(f'{path}: the weights are of another model: {error}') from error
