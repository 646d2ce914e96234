"""Reading of checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

# Prefix of the model's weights in the checkpoint of a training module.
_MODEL = 'model.'


def read_checkpoint(path: str, key: str) -> Any:
    r"""Reads an entry of a checkpoint. Only tensors and plain containers are unpickled.

    Raises:
        ValueError: If the file is not a checkpoint, is damaged or holds other objects.
    """
    try:
        return _load(path)[key]
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError(f'{path}: not a checkpoint, or damaged: {error}') from error


def read_weights(path: str) -> dict[str, Tensor]:
    r"""Reads the weights of a model, by name, from a checkpoint or a file of weights.

    Only tensors and plain containers are unpickled.

    Args:
        path (str): Path of a checkpoint of :func:`~graphmotion.training.fit`, or of a file of
            weights written by :func:`torch.save`.

    Raises:
        ValueError: If the file holds no weights, is damaged or holds other objects.
    """
    try:
        return model_weights(_load(path))
    except ValueError as error:
        raise ValueError(f'{path}: {str(error).removeprefix(f"{path}: ")}') from error


def model_weights(content: Mapping[str, Any]) -> dict[str, Tensor]:
    r"""Returns the weights of the model in a checkpoint, without those of its training module, such
    as a loss.

    Args:
        content (mapping): The content of a checkpoint, its entry :obj:`"state_dict"`, or the
            weights of a model.

    Raises:
        ValueError: If there are no weights.
    """
    state = content.get('state_dict', content) if isinstance(content, Mapping) else {}
    state = state if isinstance(state, Mapping) else {}
    weights = {str(name): value for name, value in state.items() if isinstance(value, Tensor)}
    if not weights:
        raise ValueError('weights must map names to tensors, got no tensors')
    model = {
        name.removeprefix(_MODEL): weights[name] for name in weights if name.startswith(_MODEL)
    }
    return model or weights


def _load(path: str) -> Any:
    try:
        return torch.load(path, map_location='cpu', weights_only=True)
    except (KeyError, TypeError, RuntimeError, OSError, EOFError, ValueError) as error:
        raise ValueError(f'{path}: not a checkpoint, or damaged: {error}') from error
    except Exception as error:  # raised by the unpickler for objects it does not allow
        raise ValueError(
            f'{path}: the checkpoint must hold tensors and plain containers only: {error}'
        ) from error
