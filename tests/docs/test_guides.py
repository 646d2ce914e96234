"""Checks that no guide is left out of the site."""

import re
from pathlib import Path

GUIDES = Path(__file__).parents[2] / 'docs' / 'guides'


def test_all_guides_are_listed_and_executed():
    listed = (GUIDES / 'index.md').read_text().split('\n')
    names = {path.stem for path in GUIDES.glob('*.md')} - {'index'}
    assert names <= set(listed)
    for name in names:
        cells = re.findall(
            r'^```\{code-cell\} ipython3$', (GUIDES / f'{name}.md').read_text(), re.M
        )
        assert cells, name
