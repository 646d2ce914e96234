"""Initialisation of models from the weights of others."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import torch
from torch import Tensor
from torch.nn import Module

from graphmotion.config import Configurable, get_arguments
from graphmotion.io.checkpoint import model_weights, read_weights


class Networks(Protocol):
    """An object that holds networks, such as a recognizer."""

    models: Sequence[Module]


#: Weights of a model: a file, a model, a mapping of names to tensors, or a recognizer.
Weights: TypeAlias = str | os.PathLike[str] | Module | Mapping[str, Tensor] | Networks
# Private, as it is no option of the model.
_DIGEST = '_initial_weights'


def transfer_weights(model: Module, weights: Weights, strict: bool = False) -> None:
    r"""Loads the weights that have the name and the size of a weight of a model.

    Others keep their initial values; a warning names them with their sizes.

    Args:
        model (torch.nn.Module): The model.
        weights (str, Path, torch.nn.Module, mapping or Recognizer): See :func:`create_model`.
        strict (bool, optional): If set to :obj:`True`, all names and sizes must be equal.
            (default: :obj:`False`)

    Raises:
        ValueError: If no parameter of the model has the name and the size of a weight, the weights
            belong to another facial graph, or, with :obj:`strict`, a name or size differs. The
            model is then unchanged.
    """
    theirs, own = _as_state(weights), model.state_dict()
    name = type(model).__name__
    convert: Any = getattr(model, 'convert_reference_state_dict', None)
    if convert is not None and not own.keys() & theirs.keys():
        theirs = convert(theirs, strict)
    same = {k: value for k, value in theirs.items() if k in own and own[k].shape == value.shape}
    sizes = [
        f'{key} ({list(value.shape)} in the weights, {list(own[key].shape)} in the model)'
        for key, value in theirs.items()
        if key in own and key not in same
    ]
    differences = {
        'of another size': sizes,
        'not in the weights': _first([key for key in own if key not in theirs]),
        'not in the model': _first([key for key in theirs if key not in own]),
    }
    found = '; '.join(f'{what}: {", ".join(keys)}' for what, keys in differences.items() if keys)
    if not same.keys() & {key for key, _ in model.named_parameters()}:
        raise ValueError(f'weights must fit {name}, but no parameter does; {found}')
    if found and strict:
        raise ValueError(f'weights must fit {name} with strict=True, got weights {found}')
    try:
        model.load_state_dict(same, strict=False)
    except RuntimeError as error:
        raise ValueError(f'weights must fit {name}: {error}') from error
    setattr(model, _DIGEST, state_digest(same))
    if found:
        warnings.warn(
            f'{name}: loaded {len(same)} of {len(own)} weights; the others keep their initial '
            f'values. Weights {found}',
            stacklevel=3,
        )


def recorded_options(build: Any, weights: Weights | None) -> dict[str, Any]:
    r"""Returns the arguments of the network that weights belong to, if a class built it.

    They are known for a network and for a recognizer or its file.
    """
    from graphmotion.inference import Recognizer

    source: Any = weights
    if isinstance(weights, (str, os.PathLike)) and os.fspath(weights).endswith('.safetensors'):
        try:
            source = Recognizer.load(weights)
        except (ValueError, OSError):  # no recognizer, or damaged: read_weights reports it
            return {}
    networks = [source] if isinstance(source, Module) else getattr(source, 'models', [])
    if len(networks) != 1 or type(networks[0]) is not build:
        return {}
    network = networks[0]
    return get_arguments(network) if isinstance(network, Configurable) else {}


def initial_weights(model: Module) -> str | None:
    r"""Returns a fingerprint of the weights that a model started from, if it did."""
    return getattr(model, _DIGEST, None)


def state_digest(state: Mapping[str, Tensor]) -> str:
    r"""Returns a fingerprint of the names and values of a state."""
    digest = hashlib.sha256()
    for name in sorted(state):
        value = state[name].detach().cpu().contiguous()
        digest.update(f'{name} {value.dtype} {list(value.shape)} '.encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


def _as_state(weights: Weights) -> Mapping[str, Tensor]:
    if isinstance(weights, Module):
        return weights.state_dict()
    if isinstance(weights, Mapping):
        return model_weights(weights)
    if isinstance(weights, str | os.PathLike):
        return read_weights(os.fspath(weights))
    models: Sequence[Module] = getattr(weights, 'models', [])
    if len(models) != 1:
        raise ValueError(
            f'weights must be a file, a model, its state or a recognizer of one network, got '
            f'{type(weights).__name__} with {len(models)} networks'
        )
    return models[0].state_dict()


def _first(names: list[str], count: int = 8) -> list[str]:
    rest = len(names) - count
    return [*names[:count], f'and {rest} more'] if rest > 0 else names
