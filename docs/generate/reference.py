"""Pages of the reference: one for each package, with all of its public names."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable
from pathlib import Path

from generate.pages import heading, list_table, write_page

ROOMS = {
    'skeletons': 'Layouts of joints, their graphs and part hierarchies, and conversion of layouts.',
    'graphs': 'Graphs over points and images: neighbours, Laplacian, eigenbasis, coarsening.',
    'io': 'Readers of poses, silhouettes, images and landmarks. :doc:`/formats` lists the formats.',
    'data': 'Samples in memory: arrays and ``Data``, batches, datasets, loaders and splits.',
    'synthetic': 'Generated walkers, actors, cameras, silhouettes and faces, as arrays.',
    'transforms': 'Transforms of PyG that act on a sample or on a batch.',
    'datasets': 'Published datasets, generated datasets, and folders of your own files.',
    'nn': 'Operators on ``[num_nodes, num_frames, channels]``. :doc:`/generated/operators` lists '
    'their equations and costs.',
    'models': 'Published systems. :doc:`/generated/models` compares their sizes.',
    'metrics': 'Scores of classification and of recognition, and tables.',
    'training': 'Lightning modules, recipes, data modules, training and cross-validation.',
    'inference': 'Trained networks at work: from files, arrays or a stream of frames to answers.',
    'visualization': 'Figures. :doc:`/generated/gallery` shows all of them.',
}
# Groups of a long package: titles of the modules or subpackages whose path starts with the key.
GROUPS = {
    'nn': {
        'conv': 'Convolutions over the graph',
        'temporal': 'Convolutions and attention over time',
        'attention': 'Attention',
        'pool': 'Pooling',
        'fusion': 'Fusion',
    },
    'transforms': {
        'random_image': 'Augmentation of images',
        'image': 'Augmentation of images',
        'random_silhouette': 'Augmentation of silhouettes',
        'silhouette': 'Augmentation of silhouettes',
        'random': 'Augmentation of motion',
        'joint': 'Augmentation of motion',
        'frame_dropout': 'Augmentation of motion',
    },
    'datasets': {'synthetic': 'Generated datasets'},
    'io': {'files': 'Files', 'pickles': 'Files', 'matlab': 'Files', 'skipped': 'Files'},
}


def public_names(room: str) -> list[str]:
    """Returns the public names of a package."""
    return sorted(importlib.import_module(f'graphmotion.{room}').__all__, key=str.lower)


def existing_rooms() -> dict[str, str]:
    """Returns the packages of the library with their descriptions."""
    root = Path(importlib.import_module('graphmotion').__file__).parent
    packages = {path.parent.name for path in root.glob('*/__init__.py')}
    if packages - ROOMS.keys():
        raise ValueError(f'describe {sorted(packages - ROOMS.keys())} in ROOMS')
    return {room: text for room, text in ROOMS.items() if room in packages}


def group_names(room: str) -> dict[str, list[str]]:
    """Returns the public names of a package by the title of their group."""
    module = importlib.import_module(f'graphmotion.{room}')
    rules = GROUPS.get(room, {})
    groups: dict[str, list[str]] = {title: [] for title in rules.values()}
    for name in public_names(room):
        obj = getattr(module, name)
        groups.setdefault(_title(obj, room, rules), []).append(name)
    return {title: names for title, names in groups.items() if names}


def _title(obj: object, room: str, rules: dict[str, str]) -> str:
    path = getattr(obj, '__module__', '').removeprefix(f'graphmotion.{room}.')
    for prefix, title in rules.items():
        if path.startswith(prefix):
            return title
    kinds: list[tuple[Callable, str]] = [
        (inspect.isclass, 'Classes'),
        (inspect.isroutine, 'Functions'),
    ]
    return next((title for is_kind, title in kinds if is_kind(obj)), 'Constants')


def write(folder: Path) -> None:
    """Writes the page of each package and of each of its names."""
    folder = folder / 'reference'
    for room, text in existing_rooms().items():
        lines = [*heading(f'graphmotion.{room}', '='), text, '']
        lines += [f'.. currentmodule:: graphmotion.{room}', '']
        for title, names in group_names(room).items():
            lines += heading(title, '-')
            if title == 'Constants':  # a table would show the docstrings of their types
                lines += [*(f'- :data:`{name}`' for name in names), '']
            else:
                lines += ['.. autosummary::', '', *(f'   {name}' for name in names), '']
            for name in names:
                write_page(folder / 'api' / f'{room}.{name}.rst', object_page(room, name))
        write_page(folder / f'{room}.rst', lines)
    lines = [
        *heading('Reference', '='),
        'One page for each package. Examples use the public names of the library, of ``torch`` and '
        'of ``torch_geometric`` without importing them.',
        '',
        *list_table(
            ['package', 'content'],
            (
                [f':doc:`graphmotion.{room} <{room}>`', text]
                for room, text in existing_rooms().items()
            ),
            '25 75',
        ),
        *['.. toctree::', '   :hidden:', ''],
        *(f'   {room}' for room in existing_rooms()),
    ]
    write_page(folder / 'index.rst', lines)


def object_page(room: str, name: str) -> list[str]:
    """Returns the page of a class, function or constant.

    The page is not in the navigation, which has a page for each package.
    """
    obj = getattr(importlib.import_module(f'graphmotion.{room}'), name)
    if not (inspect.isclass(obj) or inspect.isroutine(obj)):
        return constant_page(room, name)
    kind = 'class' if inspect.isclass(obj) else 'function'
    if inspect.isclass(obj) and issubclass(obj, Exception):
        kind = 'exception'
    options = ['   :members:', '   :show-inheritance:'] if kind == 'class' else []
    return [
        *[':orphan:', ''],
        *heading(name, '='),
        *[f':doc:`graphmotion.{room} <../{room}>`', ''],
        f'.. auto{kind}:: graphmotion.{room}.{name}',
        *options,
    ]


def constant_page(room: str, name: str) -> list[str]:
    """Returns the page of a constant, with the comment above it."""
    package = Path(importlib.import_module(f'graphmotion.{room}').__file__).parent
    pattern = re.compile(rf'((?:^#: .*\n)+){name}(?::[^=\n]*)? = ', re.MULTILINE)
    found = [pattern.search(path.read_text()) for path in sorted(package.rglob('*.py'))]
    (comment,) = [match.group(1).replace('#: ', '   ') for match in found if match]
    return [
        *[':orphan:', ''],
        *heading(name, '='),
        *[f':doc:`graphmotion.{room} <../{room}>`', ''],
        *[f'.. data:: graphmotion.{room}.{name}', '', comment],
    ]
