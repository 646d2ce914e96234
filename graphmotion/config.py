"""Descriptions of transforms and models by their class and their arguments, as JSON."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphmotion.skeletons import Skeleton, get_skeleton, list_skeletons

#: A description in JSON, and the tensors that it refers to by name.
Config = tuple[Any, dict[str, Tensor]]


class Configurable:
    r"""Base class of objects that are described by their class and their arguments.

    The constructor's arguments are recorded when an object is created, for :func:`to_config`.

    .. code-block:: python

        @register_model('my_gcn', task='action')
        class MyGCN(Configurable, torch.nn.Module):
            def __init__(self, skeleton, num_classes):
                super().__init__()
                self.linear = torch.nn.Linear(3, num_classes)

        config, tensors = to_config(MyGCN('coco17', 4))
        model = from_config(config, tensors)
    """

    _arguments: tuple[tuple[Any, ...], dict[str, Any]]

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """Records the arguments."""
        if (args or kwargs) and cls.__init__ is object.__init__:
            raise TypeError(f'{cls.__name__}() takes no arguments')  # as without this method
        self = super().__new__(cls)
        # In __dict__, as modules accept attributes only after their constructor has run.
        self.__dict__['_arguments'] = _snapshot(args), _snapshot(kwargs)
        return self

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # Otherwise, help and autocompletion show the signature of __new__.
        parameters: list[inspect.Parameter] = []
        if cls.__init__ is not object.__init__:
            parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
        cls.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]


def to_config(value: Any) -> Config:
    r"""Describes a transform, a model or a plain value.

    Plain values are numbers, strings, lists, tuples, dictionaries, tensors, NumPy arrays,
    :class:`~graphmotion.skeletons.Skeleton` and :class:`~graphmotion.graphs.PointGraph`.
    Transforms and models are those of this library, PyG's :class:`Compose` and models registered by
    :func:`~graphmotion.models.register_model`. Weights are not part of a description.

    .. code-block:: python

        >>> to_config(CropFrames(60, 'center'))
        ({'class': 'transforms.CropFrames', 'arguments': {'num_frames': 60, 'mode': 'center'}}, {})

    Returns:
        tuple: The description, which :func:`json.dumps` accepts, and the tensors that it refers to
        by name.

    Raises:
        TypeError: If the value, or an argument of it, cannot be described.
    """
    encoder = _Encoder()
    return encoder.encode(value, type(value).__name__), encoder.tensors


def from_config(
    config: Any, tensors: Mapping[str, Tensor] | None = None, where: str = 'config'
) -> Any:
    r"""Creates what :func:`to_config` described.

    Only the classes that :func:`to_config` accepts are instantiated; models are new, with random
    weights.

    .. code-block:: python

        transform = from_config(*to_config(CropFrames(60, 'center')))

    Args:
        config (Any): The description.
        tensors (mapping, optional): The tensors of the description. (default: :obj:`None`)
        where (str, optional): Name of the description in error messages.
            (default: :obj:`"config"`)

    Raises:
        ValueError: If the description is invalid or names an unknown class.
    """
    return _Decoder(tensors or {}).decode(config, where)


def tensor_names(config: Any) -> set[str]:
    r"""Returns the names of the tensors that a description refers to."""
    if isinstance(config, list):
        return set().union(*map(tensor_names, config))
    if not isinstance(config, dict):
        return set()
    names = {config[key] for key in ('tensor', 'array') if isinstance(config.get(key), str)}
    return names.union(*map(tensor_names, config.values()))


def class_name(cls: type) -> str | None:
    r"""Returns the name of a class in descriptions, or :obj:`None` if it has none."""
    return next((name for name, known in _classes().items() if known is cls), None)


# A description is a number, a string, None, a list, or one of these objects:
#
#     {"tuple": [...]}, {"dict": {name: value, ...}}, {"items": [[key, value], ...]},
#     {"float": "inf"},
#     {"tensor": name}, {"array": name}, {"skeleton": name or fields},
#     {"class": name, "arguments": {...}}


def _classes() -> dict[str, type]:
    """Returns the classes that descriptions may name."""
    # Imported here, since they derive from Configurable.
    from torch_geometric.transforms import Compose

    from graphmotion import graphs, models, transforms
    from graphmotion.models.registry import registered_models

    out: dict[str, Any] = {
        'Compose': Compose,
        'graphs.PointGraph': graphs.PointGraph,
        'graphs.Coarsening': graphs.Coarsening,
    }
    for prefix, package in (('transforms', transforms), ('models', models)):
        for name in package.__all__:
            if _is_configurable(getattr(package, name)):
                out[f'{prefix}.{name}'] = getattr(package, name)
    known = set(out.values())
    for name, build in registered_models().items():
        if _is_configurable(build) and build not in known:
            out[f'models:{name}'] = build
    return out


def _is_configurable(value: Any) -> bool:
    # Names such as st_gcn are the class STGCN itself.
    return isinstance(value, type) and issubclass(value, Configurable)


def _snapshot(value: Any) -> Any:
    """Copies containers, which the caller may modify later."""
    if type(value) in (list, tuple):
        return type(value)(map(_snapshot, value))
    if type(value) is dict:
        return {key: _snapshot(item) for key, item in value.items()}
    return value


class _Encoder:
    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] = {}
        self._names: dict[int, str] = {}  # of objects that are described, by id
        self._kept: list[Any] = []  # such that ids stay unique
        self._classes = {cls: name for name, cls in reversed(_classes().items())}

    def encode(self, value: Any, where: str) -> Any:
        if value is None or type(value) in (bool, int, str):
            return value
        if isinstance(value, np.generic):
            return self.encode(value.item(), where)
        if type(value) is float:
            return value if math.isfinite(value) else {'float': str(value)}
        if type(value) is list:
            return self._items(value, where)
        if isinstance(value, range):
            return self._items(list(value), where)
        if type(value) in (tuple, torch.Size):
            return {'tuple': self._items(value, where)}
        if isinstance(value, Mapping):
            items = [self.encode(item, f'{where}[{key!r}]') for key, item in value.items()]
            if all(type(key) is str for key in value):
                return {'dict': dict(zip(value, items))}
            keys = [self.encode(key, f'{where}, key') for key in value]
            return {'items': [list(pair) for pair in zip(keys, items)]}
        if isinstance(value, Tensor):
            return {'tensor': self._tensor(value, value.detach())}
        if isinstance(value, np.ndarray) and value.dtype.kind in 'iufb':
            return {'array': self._tensor(value, torch.from_numpy(value.copy()))}
        if isinstance(value, Skeleton):
            return {'skeleton': _encode_skeleton(value)}
        return self._object(value, where)

    def _items(self, values: Any, where: str) -> list[Any]:
        return [self.encode(value, f'{where}[{i}]') for i, value in enumerate(values)]

    def _tensor(self, key: Any, value: Tensor) -> str:
        if id(key) not in self._names:
            name = str(len(self.tensors))
            self._names[id(key)] = name
            self._kept.append(key)
            self.tensors[name] = value
        return self._names[id(key)]

    def _object(self, value: Any, where: str) -> dict[str, Any]:
        name = self._classes.get(type(value))
        if name is None:
            remedy = (
                '; register it by register_model'
                if isinstance(value, Configurable)
                else '; only transforms and models of this library, and registered models that '
                'derive from graphmotion.config.Configurable, can'
            )
            raise TypeError(f'{where} of type {type(value).__name__} cannot be described{remedy}')
        arguments = {
            key: self.encode(item, f'{type(value).__name__}.{key}')
            for key, item in get_arguments(value).items()
        }
        return {'class': name, 'arguments': arguments}


def get_arguments(value: Any) -> dict[str, Any]:
    r"""Returns the arguments of the constructor of a transform, a model or a graph by name."""
    if not isinstance(value, Configurable):  # Compose and the dataclasses of graphs
        names = ['transforms']
        if type(value).__name__ != 'Compose':
            names = [field.name for field in fields(value)]
        return {name: getattr(value, name) for name in names}
    args, kwargs = value._arguments
    signature = inspect.signature(type(value))
    bound = signature.bind(*args, **kwargs).arguments
    out: dict[str, Any] = {}
    for name, item in bound.items():
        kind = signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_KEYWORD:
            out |= item
        elif kind is inspect.Parameter.VAR_POSITIONAL:
            raise TypeError(f'{type(value).__name__} must not have arguments *{name}')
        else:
            out[name] = item
    return out


def _encode_skeleton(skeleton: Skeleton) -> Any:
    names = {*list_skeletons(), *list_skeletons(tree=False)}
    if skeleton.name in names and get_skeleton(skeleton.name) == skeleton:
        return skeleton.name
    return {
        'name': skeleton.name,
        'joints': list(skeleton.joints),
        'bones': [list(bone) for bone in skeleton.bones],
        'center': skeleton.center,
        'pairs': [list(pair) for pair in skeleton.pairs],
        'hierarchies': {
            hierarchy.name: [
                {part: list(nodes) for part, nodes in level} for level in hierarchy.levels
            ]
            for hierarchy in skeleton.hierarchies
        },
        'tree': skeleton.is_tree,
    }


class _Decoder:
    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self.tensors = tensors
        self.classes = _classes()
        self._decoders: dict[str, Callable[[Any, str], Any]] = {
            'tuple': self._tuple,
            'dict': self._dict,
            'items': self._pairs,
            'float': self._float,
            'tensor': self._tensor,
            'array': lambda name, where: self._tensor(name, where).numpy(),
            'skeleton': _decode_skeleton,
        }

    def decode(self, config: Any, where: str) -> Any:
        if config is None or isinstance(config, (bool, int, float, str)):
            return config
        if isinstance(config, list):
            return [self.decode(item, f'{where}[{i}]') for i, item in enumerate(config)]
        if isinstance(config, dict) and config.keys() == {'class', 'arguments'}:
            return self._object(config['class'], config['arguments'], where)
        if isinstance(config, dict) and len(config) == 1:
            ((key, value),) = config.items()
            if key in self._decoders:
                return self._decoders[key](value, where)
        raise ValueError(f'{where} must be a value or an object of a class, got {_short(config)}')

    def _tuple(self, items: Any, where: str) -> tuple[Any, ...]:
        _check(isinstance(items, list), where, 'a list of items', items)
        return tuple(self.decode(items, where))

    def _dict(self, items: Any, where: str) -> dict[str, Any]:
        _check(isinstance(items, dict), where, 'values by name', items)
        return {key: self.decode(item, f'{where}[{key!r}]') for key, item in items.items()}

    def _pairs(self, pairs: Any, where: str) -> dict[Any, Any]:
        valid = isinstance(pairs, list) and all(
            isinstance(pair, list) and len(pair) == 2 for pair in pairs
        )
        _check(valid, where, 'a list of keys and values', pairs)
        out = {}
        for key, value in pairs:
            name = self.decode(key, f'{where}, key')
            _check(isinstance(name, (bool, int, float, str, tuple)), where, 'plain keys', name)
            out[name] = self.decode(value, f'{where}[{name!r}]')
        return out

    @staticmethod
    def _float(text: Any, where: str) -> float:
        _check(text in ('inf', '-inf', 'nan'), where, 'inf, -inf or nan', text)
        return float(text)

    def _tensor(self, name: Any, where: str) -> Tensor:
        _check(isinstance(name, str) and name in self.tensors, where, 'the name of a tensor', name)
        return self.tensors[name]

    def _object(self, name: Any, arguments: Any, where: str) -> Any:
        if not isinstance(name, str) or name not in self.classes:
            hint = ''
            if isinstance(name, str) and name.startswith('models:'):
                hint = '; import the module that registers this model first'
            raise ValueError(f'{where}: unknown class {_short(name)}{hint}')
        _check(isinstance(arguments, dict), where, 'arguments by name', arguments)
        where = f'{where}: {name}'
        values = {key: self.decode(item, f'{where}.{key}') for key, item in arguments.items()}
        try:
            return self.classes[name](**values)
        except Exception as error:  # of a constructor with unexpected values
            raise ValueError(f'{where} does not accept its arguments: {error}') from error


def _decode_skeleton(value: Any, where: str) -> Skeleton:
    try:
        return get_skeleton(value) if isinstance(value, str) else Skeleton(**value)
    except Exception as error:  # of values of any type
        raise ValueError(f'{where} must be a skeleton: {error}') from error


def _check(valid: bool, where: str, expected: str, value: Any) -> None:
    if not valid:
        raise ValueError(f'{where} must be {expected}, got {_short(value)}')


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f'{text[:77]}...'
