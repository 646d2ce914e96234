"""Reading of checkpoints without Lightning."""

from __future__ import annotations

from typing import Any

import torch

# Prefix of the model's weights in the checkpoint of a module.
_MODEL = 'model.'


def read_checkpoint(path: str, key: str) -> Any:
    r"""Reads an entry of a checkpoint. Only tensors and plain containers are unpickled.

    Raises:
        ValueError: If the file is not a checkpoint, is damaged or holds other objects.
    """
    try:
        return torch.load(path, map_location='cpu', weights_only=True)[key]
    except (KeyError, TypeError, RuntimeError, OSError, EOFError, ValueError) as error:
        raise ValueError(f'{path}: not a checkpoint, or damaged: {error}') from error
    except Exception as error:  # raised by the unpickler for objects it does not allow
        raise ValueError(
            f'{path}: the checkpoint must hold tensors and plain containers only: {error}'
        ) from error


def load_weights(module: torch.nn.Module, path: str) -> None:
    r"""Loads the weights of a checkpoint written by :func:`~graphmotion.training.fit`.

    .. code-block:: python

        model = st_gcn('coco17', num_classes=4)
        load_weights(model, 'results/best.ckpt')

    Args:
        module (torch.nn.Module): The trained module, such as a
            :class:`~graphmotion.training.ClassificationModule`, or its model.
        path (str): Path of the checkpoint. Only tensors and plain containers are unpickled.

    Raises:
        ValueError: If the file is not a checkpoint or holds the weights of a different model.
    """
    state = read_checkpoint(path, 'state_dict')
    if not any(name.startswith(_MODEL) for name in module.state_dict()):
        # The module is a model: skip the other weights and the metrics of the trained module.
        model_state = {
            name.removeprefix(_MODEL): value
            for name, value in state.items()
            if name.startswith(_MODEL)
        }
        state = model_state or state
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(f'{path}: the weights do not fit the model: {error}') from error
