"""Selection of the parameters of a model that stay fixed in training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from torch.nn import Module, Parameter


class FrozenParts(NamedTuple):
    r"""Parts of a model that stay fixed in training.

    Args:
        parameters (list of Parameter): Parameters that are not trained.
        modules (list of Module): Modules without other parameters, which run in evaluation mode
            while the model is trained.
    """

    parameters: list[Parameter]
    modules: list[Module]


def head_parameters(model: Module) -> list[Parameter]:
    r"""Returns the parameters of the attribute :obj:`head` of a model, if it exists."""
    head = getattr(model, 'head', None)
    return list(head.parameters()) if isinstance(head, Module) else []


def frozen_parts(model: Module, patterns: str | Sequence[str]) -> FrozenParts:
    r"""Returns the parts of a model that match one of the patterns and do not belong to its head.

    Args:
        model (torch.nn.Module): The model.
        patterns (str or sequence of str): Names of submodules or parameters; see :class:`Recipe`.

    Raises:
        ValueError: If a pattern matches no parameter outside the head, or no other parameters are
            left.
    """
    patterns = [patterns] if isinstance(patterns, str) else patterns
    head = set(map(id, head_parameters(model)))
    parameters = {name: p for name, p in model.named_parameters() if id(p) not in head}
    frozen: dict[int, Parameter] = {}
    for pattern in patterns:
        found = [p for name, p in parameters.items() if _matches(name, pattern)]
        if not found:
            parts = list(dict.fromkeys(name.split('.')[0] for name in parameters))
            raise ValueError(
                f'freeze must name parts of {type(model).__name__} outside its head, such as '
                f'{parts}, got {pattern!r}'
            )
        frozen |= {id(p): p for p in found}
    if frozen.keys() >= {id(p) for p in model.parameters()}:
        raise ValueError(
            f'freeze must leave parameters of {type(model).__name__} to train, got '
            f"{list(patterns)}; layers named by a model's attribute 'head' are always trained"
        )
    modules = [
        module
        for name, module in model.named_modules()
        if _is_frozen(module, frozen, any(_matches(name, pattern) for pattern in patterns))
    ]
    return FrozenParts(list(frozen.values()), modules)


def _matches(name: str, pattern: str) -> bool:
    """Returns whether a parameter or a module that contains it has a name like the pattern."""
    return any(fnmatchcase(prefix, pattern) for prefix in _prefixes(name))


def _prefixes(name: str) -> Iterator[str]:
    parts = name.split('.')
    return ('.'.join(parts[: i + 1]) for i in range(len(parts)))


def _is_frozen(module: Module, frozen: dict[int, Parameter], matches: bool) -> bool:
    ids = {id(p) for p in module.parameters()}
    if not ids:  # statistics without parameters
        return matches and any(True for _ in module.buffers())
    return ids <= frozen.keys()
