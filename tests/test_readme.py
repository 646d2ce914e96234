"""Checks the sample, the commands and the table of the README."""

import re
from pathlib import Path

import pytest

import graphmotion

ROOT = Path(__file__).parents[1]
README = (ROOT / 'README.md').read_text()


def test_the_sample_can_be_pasted(capsys):
    (sample,) = re.findall(r'```python\n(.*?)```', README, re.DOTALL)
    exec(compile(sample, 'README.md', 'exec'), {})
    assert 'Skeleton(custom, joints=3' in capsys.readouterr().out


@pytest.mark.parametrize('package', ['nn', 'transforms', 'datasets', 'models'])
def test_what_the_table_names_exists(package):
    (row,) = re.findall(rf'\| `graphmotion\.{package}` \|(.*)\|', README)
    module = __import__(f'graphmotion.{package}', fromlist=['__all__'])
    names = [n for n in re.findall(r'`(\w+)`', row) if n not in ('HeteroData',)]
    assert [n for n in names if n not in module.__all__] == []


def test_commands_pin_torch_and_set_up_everything():
    for marker in ('main', 'test', 'docs'):
        (command,) = re.findall(rf'<!-- {marker} -->\n```sh\n(.*?)```', README, re.DOTALL)
        assert 'python3 -m venv' in command
        assert 'torch==' in command


def test_version_is_in_the_changelog():
    assert f'## {graphmotion.__version__}' in (ROOT / 'CHANGELOG.md').read_text()
