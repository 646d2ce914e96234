"""Reading of checkpoints."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from graphmotion.io.files import open_zip
from graphmotion.io.torch_files import load_torch

# Prefix of the model's weights in the checkpoint of a training module.
_MODEL = 'model.'
_DAMAGED = (
    KeyError,
    TypeError,
    RuntimeError,
    OSError,
    EOFError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)


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

    .. code-block:: python

        torch.save({'state_dict': {'linear.weight': torch.zeros(2, 2)}}, 'weights.ckpt')
        print(list(read_weights('weights.ckpt')))  # ['linear.weight']

    Args:
        path (str): Path of a checkpoint of :func:`~graphmotion.training.fit`, of a file of weights
            written by :func:`torch.save`, or, with the suffix :obj:`.safetensors`, of a recognizer
            of one network or a file of weights.

    Raises:
        ValueError: If the file holds no weights or several networks, is damaged or holds other
            objects.
    """
    try:
        if path.endswith('.safetensors'):
            return _recognizer_weights(path)
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


def _recognizer_weights(path: str) -> dict[str, Tensor]:
    """Reads tensors, of which the weights in a recognizer are named models.0.NAME."""
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise ValueError(f'{path}: not a file of safetensors, or damaged: {error}') from error
    networks = {name.split('.')[1] for name in tensors if name.startswith('models.')}
    if len(networks) > 1:
        raise ValueError(
            f'weights must be of one network, got a recognizer of {len(networks)}; pass one of its '
            f'models'
        )
    prefix = 'models.0.'
    found = {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
    return model_weights(found or tensors)


def _load(path: str) -> Any:
    try:
        if zipfile.is_zipfile(path):  # not in the format of torch before 1.6
            with open_zip(path) as archive:
                # torch.load ignores the checksums.
                if damaged := archive.testzip():
                    raise ValueError(f'the checksum of {damaged} is wrong')
        return load_torch(path)
    except _DAMAGED as error:
        raise ValueError(f'{path}: not a checkpoint, or damaged: {error}') from error
    except Exception as error:  # raised by the unpickler for objects it does not allow
        raise ValueError(
            f'{path}: the checkpoint must hold tensors and plain containers only: {error}'
        ) from error
