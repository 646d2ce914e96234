"""Makes the scripts importable, as they import each other."""

import sys
from pathlib import Path

import pytest
from PIL import Image

EXAMPLES = Path(__file__).parents[2] / 'examples'
sys.path[:0] = [str(EXAMPLES), str(EXAMPLES / 'papers')]


@pytest.fixture
def refused(capsys):
    """Returns the error that a command line is refused with."""

    def parse(example, options):
        with pytest.raises(SystemExit):
            example.parse(options)
        return capsys.readouterr().err

    return parse


@pytest.fixture
def check_open_set(tmp_path, capsys):
    """Runs the open-set evaluation of an example, and checks its table and figures."""

    def check(example, options, title):
        options = [*options, '--subjects', '7', '--open-set', '0.1', '--out', str(tmp_path)]
        stored = example.main(options)['open_set']
        printed = capsys.readouterr().out
        assert '1 of 2 subjects enrolled, false accept rate of 10% calibrated on 1 more' in printed
        assert list(stored) == [f'{title}, mean', f'{title}, all']
        for name, row in stored.items():
            assert name in printed
            assert list(row) == [
                'EER',
                'TAR@FAR=1%',
                'rank-1',
                'DIR@FAR=1%',
                'DIR@FAR=10%',
                'calibrated FAR',
                'calibrated DIR',
            ]
        for name in ('det', 'open_set', 'scores'):
            with Image.open(tmp_path / f'{name}.png') as image:
                assert min(image.size) > 100

    return check
