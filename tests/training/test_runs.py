"""Runs in separate processes: distributed training, and a killed run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.training.run import main

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def run(directory, *options, expected=0):
    environment = os.environ | {'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': ''}
    process = subprocess.run(
        [sys.executable, '-m', 'tests.training.run', str(directory), *options],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert process.returncode == expected, process.stderr[-4000:]


def history(directory):
    return json.loads((Path(directory) / 'history.json').read_text())


def test_two_processes_equal_one(tmp_path):
    main([str(tmp_path / 'one')])
    run(tmp_path / 'two', '--devices', '2')
    one, two = history(tmp_path / 'one'), history(tmp_path / 'two')
    assert len(one) == len(two) == 4
    for a, b in zip(one, two):
        assert a.keys() == b.keys()
        for name in a:
            assert a[name] == pytest.approx(b[name], rel=1e-4, abs=1e-6), name
    assert one[-1]['train_loss'] < one[0]['train_loss'] - 0.005


def test_two_processes_compare_the_samples_of_both(tmp_path):
    """The loss and the mean gradient equal those of one process."""
    main([str(tmp_path / 'one'), '--model', 'projection'])
    run(tmp_path / 'two', '--model', 'projection', '--devices', '2')
    for a, b in zip(history(tmp_path / 'one'), history(tmp_path / 'two')):
        assert a['train_triplets'] == b['train_triplets'] > 0
        assert a == pytest.approx(b, rel=1e-4, abs=1e-6)
    one, two = [
        torch.load(tmp_path / name / 'gradients.pt', weights_only=True) for name in ('one', 'two')
    ]
    assert len(one) == len(two) == 8
    for a, b in zip(one, two):
        assert a[0].norm() > 1e-3
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-6)


def test_a_killed_run_resumes_to_the_same_weights(tmp_path):
    options = ('--model', 'msa_gcn', '--ema-decay', '0.9')
    run(tmp_path / 'whole', *options)
    run(tmp_path / 'killed', *options, '--kill-in-epoch', '2', expected=-9)
    assert len(history(tmp_path / 'killed')) == 2
    run(tmp_path / 'killed', *options)
    assert history(tmp_path / 'killed') == history(tmp_path / 'whole')
    states = [
        torch.load(tmp_path / name / 'last.ckpt', weights_only=True)['state_dict']
        for name in ('whole', 'killed')
    ]
    for key, value in states[0].items():
        assert torch.equal(value, states[1][key]), key
