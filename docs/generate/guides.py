"""The code of the guides."""

from __future__ import annotations

import re
from pathlib import Path

GUIDES = Path(__file__).parents[1] / 'guides'
_CELL = re.compile(r'^```\{code-cell\} ipython3\n(.*?)^```$', re.MULTILINE | re.DOTALL)


def guides() -> list[Path]:
    """Returns the guides that are executed."""
    return sorted(path for path in GUIDES.glob('*.md') if _CELL.search(path.read_text()))


def code(guide: Path) -> str:
    """Returns the cells of a guide as a script whose lines have the numbers of the guide."""
    text, lines = guide.read_text(), []
    for cell in _CELL.finditer(text):
        begin = text[: cell.start(1)].count('\n')
        lines += [''] * (begin - len(lines)) + cell.group(1).split('\n')
    return '\n'.join(lines)
