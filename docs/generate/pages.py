"""Parts of the generated pages, in reStructuredText."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Sequence
from pathlib import Path


def heading(title: str, underline: str) -> list[str]:
    """Returns the lines of a heading."""
    return [title, underline * len(title), '']


def list_table(header: Sequence[str], rows: Iterable[Sequence[str]], widths: str) -> list[str]:
    """Returns the lines of a table with one-line cells."""
    lines = ['.. list-table::', '   :header-rows: 1', f'   :widths: {widths}', '']
    for row in [header, *rows]:
        for position, cell in enumerate(row):
            lines.append(f'   {"* -" if position == 0 else "  -"} {cell}')
    return [*lines, '']


def write_page(path: Path, lines: Iterable[str]) -> None:
    """Writes a page, unless it is unchanged, so that Sphinx does not read it again."""
    text = '\n'.join(lines) + '\n'
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def papers(obj: object) -> str:
    """Returns the papers that a docstring cites as links."""
    doc = inspect.getdoc(obj) or ''
    cited = re.findall(r'"([A-Z][^"]{20,})"(?:\s*<(https?://[^>]+)>`_)?', doc)
    titles = [
        f'`{" ".join(title.split())} <{url}>`__' if url else ' '.join(title.split())
        for title, url in cited
    ]
    return '; '.join(titles) or '–'


def equation(obj: object) -> str | None:
    """Returns the first equation of a docstring."""
    doc = inspect.getdoc(obj) or ''
    found = re.search(r'\.\. math::\n\n?((?:[ ]+.*\n?|\n(?=[ ]))+)', doc)
    return inspect.cleandoc(found.group(1)) if found else None


def section(obj: object, name: str) -> list[str]:
    """Returns the lines of a section of a docstring, such as its shapes."""
    doc = inspect.getdoc(obj) or ''
    found = re.search(rf'^{name}:\n((?:[ ]+.*(?:\n|$)|\n)+)', doc, re.MULTILINE)
    return inspect.cleandoc(found.group(1)).split('\n') if found else []
