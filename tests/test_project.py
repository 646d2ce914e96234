"""Consistency of the project files with the code and with each other."""

import configparser
from pathlib import Path

import pytest

import graphmotion
import graphmotion.datasets
import graphmotion.io
from graphmotion.data import GraphDataset

ROOT = Path(__file__).parents[1]
yaml = pytest.importorskip('yaml')


def load(name):
    return yaml.safe_load((ROOT / name).read_text())


@pytest.fixture
def metadata():
    config = configparser.ConfigParser(interpolation=None)
    config.read(ROOT / 'setup.cfg')
    return config


def test_hosted_ci_runs_everything_on_each_supported_python(metadata):
    job = load('.github/workflows/ci.yml')['jobs']['ci']
    versions = job['strategy']['matrix']['python']
    assert [step['run'] for step in job['steps'] if 'run' in step] == ['bash .ci/run']
    assert metadata['options']['python_requires'] == f'>={versions[0]}'
    classifiers = metadata['metadata']['classifiers'].split('\n')
    supported = [c.split(' :: ')[-1] for c in classifiers if ':: Python :: 3.' in c]
    assert versions == supported


def test_the_tools_of_a_commit_are_installed_for_development(metadata):
    extras = metadata['options.extras_require']
    installed = extras['dev'] + extras['test']
    hooks = load('.pre-commit-config.yaml')['repos'][0]['hooks']
    assert {hook['entry'].split()[0] for hook in hooks} == {'ruff', 'mypy'}
    for tool in ('pre-commit', 'ruff', 'mypy'):
        assert f'\n{tool}>=' in installed


def test_the_citation_is_of_this_version(metadata):
    citation = load('CITATION.cff')
    assert citation['version'] == graphmotion.__version__
    assert citation['license'] == metadata['metadata']['license']
    assert citation['abstract'] == metadata['metadata']['description']
    assert len(citation['references']) == 5


def test_the_table_of_formats_names_every_reader_and_dataset():
    text = (ROOT / 'docs' / 'formats.md').read_text()
    names = [name for name in graphmotion.io.__all__ if name.startswith('read_')]
    for name in graphmotion.datasets.__all__:
        value = getattr(graphmotion.datasets, name)
        if name.startswith('read_') or (
            isinstance(value, type) and issubclass(value, GraphDataset)
        ):
            names.append(name)
    assert [name for name in names if f'`{name}' not in text] == []
