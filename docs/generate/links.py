"""Finds links of the built site to files that do not exist.

.. code-block:: sh

    python -m docs.generate.links docs/_build/html
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit


def broken_links(folder: Path) -> list[tuple[str, str]]:
    """Returns the name of the page and the link, for each broken link."""
    broken = []
    for page in folder.rglob('*.html'):
        for link in re.findall(r'(?:href|src)="([^"]+)"', page.read_text()):
            path = link.split('#')[0].split('?')[0]
            if not urlsplit(link).scheme and not (page.parent / unquote(path)).exists():
                broken.append((page.name, link))
    return broken


if __name__ == '__main__':
    found = broken_links(Path(sys.argv[1]))
    sys.exit('\n'.join(f'{page}: {link}' for page, link in found) or 0)
