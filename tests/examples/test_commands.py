"""Checks that scripts accept all documented commands."""

import importlib
import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / 'examples'
SCRIPTS = sorted([*EXAMPLES.glob('*.py'), *(EXAMPLES / 'papers').glob('*.py')])
PAGES = [ROOT / 'README.md', EXAMPLES / 'README.md', *sorted((ROOT / 'docs').rglob('*.md'))]


def commands(path):
    text = path.read_text().replace('\\\n', ' ')
    return re.findall(r'python (examples/\S+)\.py([^\n&`]*)', text)


COMMANDS = sorted({command for path in [*SCRIPTS, *PAGES] for command in commands(path)})


def test_commands_are_found():
    assert len(COMMANDS) > 50
    assert {EXAMPLES.parent / f'{script}.py' for script, _ in COMMANDS} == set(SCRIPTS)


@pytest.mark.parametrize(('script', 'options'), COMMANDS)
def test_documented_command_is_accepted(script, options):
    module = importlib.import_module(Path(script).name)
    module.parse(shlex.split(options, comments=True))


@pytest.mark.parametrize('script', SCRIPTS, ids=lambda path: path.stem)
def test_help(script, capsys):
    module = importlib.import_module(script.stem)
    with pytest.raises(SystemExit, match='0'):
        module.main(['--help'])
    assert module.__doc__.splitlines()[0] in capsys.readouterr().out
