"""Tests of the benchmark of the eigenbasis."""

import io
import json
import math
from contextlib import redirect_stdout

import pytest
import torch

from benchmarks import eigenbasis as bench


@pytest.fixture(scope='module')
def report(tmp_path_factory):
    """Returns the output of a tiny run."""
    path = tmp_path_factory.mktemp('benchmark') / 'eigenbasis.json'
    with redirect_stdout(io.StringIO()) as out:
        bench.main(['--tiny', '--threads', '1', '--json', str(path)])
    return out.getvalue(), json.loads(path.read_text())


def test_every_implementation_is_measured_or_named(report):
    text, written = report
    found = [(r['nodes'], r['implementation']) for r in written['results']]
    small = [(64, name) for name in bench.IMPLEMENTATIONS]
    assert found == small + [(1200, name) for name in bench.IMPLEMENTATIONS if name != bench.PYG]
    assert 'Not measured: PyG transform with 1200 nodes' in text
    assert 'Not measured: torch' not in text
    lines = [line for line in text.splitlines() if line.startswith('| ')]
    assert len(lines) == 2 + len(found)
    assert len({line.count('|') for line in lines}) == 1


def test_numbers_are_plausible(report):
    _, written = report
    assert written['environment']['threads'] == 1
    for r in written['results']:
        assert r['modes'] == 16
        assert len(r['rounds']) == 2
        assert 0 < r['seconds']['median'] < 5
        assert (r['ratio'] is None) == (r['implementation'] == bench.OURS)
        assert r['ratio'] is None or 0 < r['ratio']['low'] <= r['ratio']['high'] < math.inf
        assert r['residual'] < (1e-4 if r['implementation'] == bench.DENSE else 1e-5)
        assert r['orthogonality'] < 1e-5 or r['implementation'] == bench.PYG


def test_errors_match_the_equation():
    matrix = bench.csr_array([[1.0, 0.0], [0.0, 2.0]])
    good = torch.tensor([1.0, 2.0]), torch.eye(2)
    assert bench.errors(matrix, good) == {'residual': 0.0, 'orthogonality': 0.0}
    assert bench.errors(matrix, (None, torch.eye(2))) == {'residual': 0.0, 'orthogonality': 0.0}
    turned = torch.tensor([[0.6, -0.8], [0.8, 0.6]])
    wrong = bench.errors(matrix, (good[0], turned))
    assert wrong['residual'] == pytest.approx(0.8)  # the error of [0.6, 0.8] is [0, 0.8]
    stretched = bench.errors(matrix, (good[0], 2 * torch.eye(2)))
    assert stretched['orthogonality'] == pytest.approx(3.0)


def test_implementations_that_differ_are_not_timed(monkeypatch):
    def wrong(*args):
        values, vectors = bench.dense(*args)
        return values + 0.01, vectors

    monkeypatch.setitem(bench.IMPLEMENTATIONS, bench.DENSE, wrong)
    with pytest.raises(AssertionError, match='eigenvalues differ'):
        bench.main(['--tiny', '--threads', '1', '--nodes', '64'])


def test_edges_connect_the_pixels_of_an_image():
    edge_index = bench.pixel_graph_edges(26214, 'cpu')
    assert edge_index.max() == 26213
    assert edge_index[1].bincount().min() >= 8
