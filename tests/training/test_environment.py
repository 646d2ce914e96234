import json
import platform
import subprocess

import numpy
import torch

import graphmotion
from graphmotion.training import describe_environment
from graphmotion.training.environment import _commit


def test_the_environment_is_plain_and_current():
    found = describe_environment()
    assert json.loads(json.dumps(found)) == found
    assert found['graphmotion'] == graphmotion.__version__
    assert found['python'] == platform.python_version()
    assert found['packages']['numpy'] == numpy.__version__
    assert found['threads'] == torch.get_num_threads()
    assert found['machine'].endswith('cores')


def git(folder, *options):
    identity = ['-c', 'user.name=x', '-c', 'user.email=x@example.org']
    command = ['git', '-C', str(folder), *identity, *options]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_the_commit_is_that_of_the_checkout(tmp_path):
    package = tmp_path / 'graphmotion'
    package.mkdir()
    assert _commit(package) is None
    (package / 'file.py').write_text('1')
    git(tmp_path, 'init', '-q')
    git(tmp_path, 'add', '.')
    git(tmp_path, 'commit', '-qm', 'First')
    commit = git(tmp_path, 'rev-parse', 'HEAD')
    assert _commit(package) == commit
    (package / 'file.py').write_text('2')
    assert _commit(package) == commit + '+'


def test_a_package_installed_into_another_repository_has_no_commit(tmp_path):
    package = tmp_path / 'venv' / 'graphmotion'
    package.mkdir(parents=True)
    git(tmp_path, 'init', '-q')
    assert _commit(package) is None
