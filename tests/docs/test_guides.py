"""Runs the code of the guides."""

import matplotlib
import matplotlib.pyplot as plt
import pytest
from generate.guides import GUIDES, code, guides


def test_all_guides_are_listed_and_executed():
    listed = (GUIDES / 'index.md').read_text().split('\n')
    assert {path.stem for path in guides()} == {p.stem for p in GUIDES.glob('*.md')} - {'index'}
    assert {path.stem for path in guides()} <= set(listed)


def test_lines_of_code_have_the_numbers_of_the_guide():
    guide = GUIDES / 'faces.md'
    lines, script = guide.read_text().split('\n'), code(guide).split('\n')
    assert len(script) > 50
    assert all(line in ('', lines[number]) for number, line in enumerate(script))


@pytest.mark.slow
@pytest.mark.filterwarnings('default')  # of Lightning, which the guides show as well
@pytest.mark.parametrize('guide', guides(), ids=lambda path: path.stem)
def test_guide_runs(guide, tmp_path, monkeypatch):
    matplotlib.use('Agg')
    monkeypatch.chdir(tmp_path)
    exec(compile(code(guide), str(guide), 'exec'), {'__name__': 'guide'})
    assert plt.get_fignums() or 'visualization import' in code(guide)  # something is seen
    plt.close('all')
