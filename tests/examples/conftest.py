"""Makes the scripts importable, as they import each other."""

import sys
from pathlib import Path

import pytest

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
