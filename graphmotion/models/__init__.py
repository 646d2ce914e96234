from collections.abc import Callable
from typing import Any

import torch

from graphmotion.models.fg_stformer import FGSTFormer, fg_stformer
from graphmotion.models.gaitformer import GaitFormer, gaitformer
from graphmotion.models.gaitmixer import GaitMixer, gaitmixer
from graphmotion.models.lmgcs import LMGCS, LocalGlobalTemporal, lmgcs, lmgcs_ou_mvlp
from graphmotion.models.msa_gcn import MSAGCN, msa_gcn
from graphmotion.models.ssgnn import SPAGNN, SPEGNN, SSGNN, spagnn, spegnn, ssgnn
from graphmotion.models.st_gcn import STGCN, st_gcn

_BUILDERS: dict[str, Callable[..., torch.nn.Module]] = {
    'fg_stformer': fg_stformer,
    'gaitformer': gaitformer,
    'gaitmixer': gaitmixer,
    'lmgcs': lmgcs,
    'lmgcs_ou_mvlp': lmgcs_ou_mvlp,
    'msa_gcn': msa_gcn,
    'spagnn': spagnn,
    'spegnn': spegnn,
    'ssgnn': ssgnn,
    'st_gcn': st_gcn,
}


def list_models() -> list[str]:
    r"""The names of the models, sorted."""
    return sorted(_BUILDERS)


def create_model(name: str, **options: Any) -> torch.nn.Module:
    r"""Make a model by name.

    .. code-block:: python

        model = create_model('msa_gcn', skeleton='ntu25', num_classes=60)

    Args:
        name (str): One of :func:`list_models`.
        **options: The arguments of its builder.

    Raises:
        ValueError: If there is no such model; the message lists those there are.
    """
    if name not in _BUILDERS:
        raise ValueError(f'unknown model {name!r}; there are {list_models()}')
    return _BUILDERS[name](**options)


__all__ = [
    'LMGCS',
    'MSAGCN',
    'SPAGNN',
    'SPEGNN',
    'SSGNN',
    'STGCN',
    'FGSTFormer',
    'GaitFormer',
    'GaitMixer',
    'LocalGlobalTemporal',
    'create_model',
    'fg_stformer',
    'gaitformer',
    'gaitmixer',
    'list_models',
    'lmgcs',
    'lmgcs_ou_mvlp',
    'msa_gcn',
    'spagnn',
    'spegnn',
    'ssgnn',
    'st_gcn',
]
