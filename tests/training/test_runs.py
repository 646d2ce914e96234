"""Runs in separate processes: distributed training, and runs that are killed or interrupted.

With GRAPHMOTION_FULL=1, also runs four processes and kills a run 20 times.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from tests.training.processes import run_group, run_one, start
from tests.training.run import main

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
FULL = os.environ.get('GRAPHMOTION_FULL') == '1'


def history(directory):
    return json.loads((Path(directory) / 'history.json').read_text())


def torchrun(directory):
    """Runs two processes."""
    launcher = ('torch.distributed.run', '--standalone', '--nproc-per-node=2')
    script = ('-m', 'tests.training.run', str(directory), '--devices', '2')
    process = subprocess.run(
        [sys.executable, '-m', *launcher, *script],
        cwd=ROOT,
        env=os.environ | {'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': ''},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert process.returncode == 0, process.stderr[-4000:]


# Several processes ############################################################


@pytest.mark.parametrize('number', [2, 4] if FULL else [2])
@pytest.mark.parametrize('model', ['plain', 'projection', 'lmgcs'])
def test_several_processes_equal_one(tmp_path, model, number):
    """The losses and metrics of training and validation, whose last batches are uneven."""
    # Otherwise, Adam turns the rounding errors of gradients that should be zero into steps.
    options = ('--model', model, '--precision', '64-true')
    main([str(tmp_path / 'one'), *options])
    run_group(tmp_path / 'group', number, *options)
    for stage in ('local', 'global') if model == 'lmgcs' else ('.',):
        one, group = (history(tmp_path / name / stage) for name in ('one', 'group'))
        assert len(one) == len(group) > 1
        for a, b in zip(one, group):
            assert a == pytest.approx(b, rel=1e-6)
        losses = [row['train_loss'] for row in one]
        assert abs(losses[-1] - losses[0]) > 0.003
    if model == 'projection':
        assert all(row['train_triplets'] > 0 for row in one)
        gradients = [
            torch.load(tmp_path / name / 'gradients.pt', weights_only=True)
            for name in ('one', 'group')
        ]
        assert len(gradients[0]) == len(gradients[1]) == 6
        for a, b in zip(*gradients):
            assert a[0].norm() > 1e-3
            torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)


def test_torchrun(tmp_path):
    """Two processes started by torchrun give the result of two processes."""
    torchrun(tmp_path / 'torchrun')
    run_group(tmp_path / 'group', 2)
    assert history(tmp_path / 'torchrun') == history(tmp_path / 'group')


def test_a_finished_run_is_loaded_by_another_number_of_processes(tmp_path):
    run_one(tmp_path / 'a')
    expected = history(tmp_path / 'a')
    run_group(tmp_path / 'a', 2)
    assert history(tmp_path / 'a') == expected


# Interrupted runs #############################################################

OPTIONS = ('--model', 'msa_gcn', '--ema-decay', '0.9')


@pytest.fixture(scope='module')
def undisturbed(tmp_path_factory):
    """Returns the folder of an undisturbed run and its duration in seconds."""
    directory = tmp_path_factory.mktemp('runs') / 'undisturbed'
    run_one(directory, '--help')  # starts the process that imports everything
    begin = time.monotonic()
    run_one(directory, *OPTIONS)
    return directory, time.monotonic() - begin


def check_equal(directory, expected):
    assert history(directory) == history(expected)
    for name in ('last.ckpt', 'best.ckpt'):
        state, other = (
            torch.load(folder / name, weights_only=True)['state_dict']
            for folder in (directory, expected)
        )
        assert state.keys() == other.keys()
        for key, value in other.items():
            assert torch.equal(state[key], value), key


@pytest.mark.parametrize(
    ('name', 'exit_code'),
    [('SIGKILL', -signal.SIGKILL), ('SIGINT', 1), ('SIGTERM', 0)],  # the last two by Lightning
)
def test_an_interrupted_run_continues_with_the_same_result(tmp_path, undisturbed, name, exit_code):
    run_one(tmp_path / 'a', *OPTIONS, '--signal', name, '--in-epoch', '2', expected=exit_code)
    assert len(history(tmp_path / 'a')) == 2
    run_one(tmp_path / 'a', *OPTIONS)
    check_equal(tmp_path / 'a', undisturbed[0])


@pytest.mark.parametrize('seed', range(20 if FULL else 1))
def test_a_run_killed_at_a_random_moment_continues_with_the_same_result(
    tmp_path, undisturbed, seed
):
    directory, seconds = undisturbed
    with start(tmp_path / 'a', *OPTIONS) as process:
        process.join(random.Random(seed).uniform(0, seconds))
    assert process.exitcode in (-signal.SIGKILL, 0)
    run_one(tmp_path / 'a', *OPTIONS)
    check_equal(tmp_path / 'a', directory)
