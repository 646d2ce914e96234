"""Tests of the benchmark of the transforms."""

import io
import json
from contextlib import redirect_stdout

import numpy as np
import pytest

from benchmarks import transforms as bench


def test_both_implementations_are_measured(tmp_path):
    path = tmp_path / 'transforms.json'
    with redirect_stdout(io.StringIO()) as out:
        bench.main(['--tiny', '--threads', '1', '--json', str(path)])
    results = json.loads(path.read_text())['results']
    assert [(r['transform'], r['stream'], r['implementation']) for r in results] == [
        (transform, stream, name)
        for transform in ('test', 'train')
        for stream in ('joint', 'bone')
        for name in (bench.OURS, bench.PLAIN)
    ]
    assert all(r['sequences_per_second']['median'] > 0 for r in results)
    assert [r['ratio'] is None for r in results] == [True, False] * 4
    rows = [line for line in out.getvalue().splitlines() if line.startswith('| ')]
    assert len(rows) == 2 + 8


def test_implementations_that_differ_are_not_timed(monkeypatch):
    monkeypatch.setattr(bench, 'bones', lambda pos: 1.01 * pos)
    with pytest.raises(AssertionError, match='differ by'):
        bench.main(['--tiny', '--threads', '1'])


def test_plain_rotations_keep_distances_and_crops_have_a_window():
    rng = np.random.default_rng(1)
    (pos,) = bench.random_sequences(1, 80)
    turned = bench.rotate(pos, rng)
    np.testing.assert_allclose(np.linalg.norm(turned, axis=0), np.linalg.norm(pos, axis=0), 1e-4)
    assert not np.allclose(turned, pos, atol=1e-2)
    ramp = np.broadcast_to(
        np.arange(80, dtype=np.float32).reshape(1, -1, 1, 1), (3, 80, 25, 2)
    ).copy()
    out = bench.crop_and_resize(ramp, True, rng)
    assert out.shape == (3, 64, 25, 2)
    steps = np.diff(out[0, 1:-1, 0, 0])
    assert 1 - 1e-4 <= steps.min() <= steps.max() <= 80 / 64 + 1e-4
