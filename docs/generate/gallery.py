"""Gallery: the picture that the example of each function of visualization draws."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure

from generate.examples import Example, find_examples, namespace
from generate.pages import heading, write_page
from graphmotion import visualization

TEXT = (
    'Every function of :mod:`graphmotion.visualization`, with the picture of its example. The '
    'pictures are drawn when this page is built. Functions return a Matplotlib ``Figure`` and save '
    'it if they are given a ``path``.'
)


def gallery_examples() -> dict[str, Example]:
    """Returns the first example of each function by its name."""
    examples: dict[str, Example] = {}
    for example in find_examples():
        if example.room == 'visualization' and example.name in visualization.__all__:
            examples.setdefault(example.name, example)
    return examples


def draw(example: Example, folder: Path) -> Path:
    """Runs an example and returns its picture.

    The picture is the figure or the path of a file that the last line returns, or otherwise
    the current figure of pyplot.
    """
    statements, result = ast.parse(example.code).body, ast.Constant(None)
    if isinstance(statements[-1], ast.Expr):
        result = statements.pop().value
    torch.manual_seed(0)
    names = namespace(example)
    folder.mkdir(parents=True, exist_ok=True)
    before = Path.cwd()
    os.chdir(folder)  # for files that are saved
    try:
        exec(compile(ast.Module(statements, []), str(example), 'exec'), names)
        picture = eval(
            compile(ast.Expression(ast.fix_missing_locations(result)), str(example), 'eval'), names
        )
    finally:
        os.chdir(before)
    if isinstance(picture, Path):
        return folder / picture
    if not isinstance(picture, Figure):
        picture = plt.gcf()
    picture.savefig(folder / f'{example.name}.png', dpi=110, bbox_inches='tight')
    plt.close('all')
    return folder / f'{example.name}.png'


def write(folder: Path, pictures: bool) -> None:
    """Writes the page and, unless told otherwise, draws its pictures."""
    lines = [*heading('Gallery', '='), TEXT, '']
    for name, example in sorted(gallery_examples().items()):
        lines += heading(name, '-')
        lines += [f':func:`graphmotion.visualization.{name}`', '']
        if pictures:
            picture = draw(example, folder / 'pictures')
            lines += [f'.. image:: pictures/{picture.name}', f'   :alt: {name}', '']
        lines += ['.. code-block:: python', '']
        lines += [*(f'   {line}'.rstrip() for line in example.code.split('\n')), '']
    write_page(folder / 'gallery.rst', lines)
