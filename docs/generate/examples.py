"""Examples in docstrings: finds them and provides the names that they use without an import."""

from __future__ import annotations

import ast
import builtins
import importlib
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import graphmotion

ROOT = Path(graphmotion.__file__).parent
_BLOCK = re.compile(r'^( *)\.\. code-block:: python\n\n((?:\1 +.*\n?|\n(?=\n|\1 ))+)', re.MULTILINE)
_OTHER = {
    'graphmotion.config': ('Configurable', 'from_config', 'to_config'),
    'torch.nn.functional': ('cross_entropy',),
    'torch_geometric.data': ('Batch', 'Data'),
    'torch_geometric.nn': ('GATv2Conv', 'GraphConv'),
    'torch_geometric.transforms': ('Compose',),
    'dataclasses': ('replace',),
    'functools': ('partial',),
}


@dataclass(frozen=True)
class Example:
    """A block of Python code in the docstring of an object."""

    path: str  # of the file, relative to the package
    name: str  # of the function or class
    line: int
    code: str

    def __str__(self) -> str:
        return f'{self.path}:{self.name}:{self.line}'

    @property
    def room(self) -> str:
        """The package of the library."""
        return self.path.split('/')[0]

    @property
    def is_session(self) -> bool:
        """Whether the block is an interpreter session with its output."""
        return self.code.startswith('>>>')


def find_examples() -> Iterator[Example]:
    """Yields the examples in all docstrings of the library."""
    for path in sorted(ROOT.rglob('*.py')):
        text = path.read_text()
        if '.. code-block:: python' not in text:
            continue
        for node in _definitions(ast.parse(text)):
            doc = ast.get_docstring(node, clean=True) or ''
            begin = node.body[0].lineno if doc else 0
            for block in _BLOCK.finditer(doc):
                yield Example(
                    str(path.relative_to(ROOT)),
                    getattr(node, 'name', 'module'),
                    begin + doc[: block.start()].count('\n'),
                    textwrap.dedent(block.group(2)).strip(),
                )


def _definitions(
    node: ast.Module | ast.ClassDef | ast.FunctionDef,
) -> Iterator[ast.Module | ast.ClassDef | ast.FunctionDef]:
    """Yields a module, class or function and those that are defined directly in it."""
    yield node
    for child in node.body:
        if isinstance(child, (ast.ClassDef, ast.FunctionDef)):
            yield from _definitions(child)


def namespace(example: Example) -> dict[str, Any]:
    """Returns what an example uses without an import.

    These are the names in its module, the public names of the library and a few others.
    """
    module_name = example.path.removesuffix('.py').removesuffix('/__init__').replace('/', '.')
    names = dict(vars(importlib.import_module(f'graphmotion.{module_name}')))
    for room in graphmotion._SUBPACKAGES:
        module = importlib.import_module(f'graphmotion.{room}')
        names |= {name: getattr(module, name) for name in module.__all__}
    for module_name, others in _OTHER.items():
        module = importlib.import_module(module_name)
        names |= {name: getattr(module, name) for name in others}
    for name in ('json', 'pathlib', 're', 'torch'):
        names[name] = importlib.import_module(name)
    names['np'] = importlib.import_module('numpy')
    names['plt'] = importlib.import_module('matplotlib.pyplot')
    return names


def unknown_names(code: str, known: dict[str, Any]) -> set[str]:
    """Returns the names that code reads and neither assigns nor knows."""
    loaded, stored = set(), set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Name):
            (stored if isinstance(node.ctx, ast.Store) else loaded).add(node.id)
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            stored.add(node.name)
        elif isinstance(node, ast.arg):
            stored.add(node.arg)
        elif isinstance(node, ast.alias):
            stored.add((node.asname or node.name).split('.')[0])
    return loaded - stored - known.keys() - set(dir(builtins))
