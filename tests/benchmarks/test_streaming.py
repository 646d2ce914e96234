"""Tests of the benchmark of streams."""

import io
import json
from contextlib import redirect_stdout

import pytest

from benchmarks import streaming as bench
from graphmotion.models import list_models


@pytest.fixture(scope='module')
def report(tmp_path_factory):
    """Returns the output of a tiny run."""
    path = tmp_path_factory.mktemp('benchmark') / 'streaming.json'
    with redirect_stdout(io.StringIO()) as out:
        bench.main(['--tiny', '--json', str(path)])
    return out.getvalue(), json.loads(path.read_text())


@pytest.mark.slow
def test_every_skeleton_model_is_measured(report):
    text, written = report
    faces_and_silhouettes = {'ssgnn', 'spagnn', 'spegnn', 'lmgcs', 'lmgcs_ou_mvlp'}
    measured = {result['model'] for result in written['results']}
    assert measured == set(list_models()) - faces_and_silhouettes
    lines = [line for line in text.splitlines() if line.startswith('| ')]
    assert len(lines) == 2 + len(written['results'])
    assert 'Target: 30 answers per second' in text


@pytest.mark.slow
def test_numbers_are_plausible(report):
    for result in report[1]['results']:
        assert 0 <= result['error'] <= 1e-5
        assert 0 < result['median'][bench.SLIDING] <= result['p95'][bench.SLIDING]
        assert 0 < result['flops'][bench.SLIDING] <= result['flops'][bench.PLAIN]
    gaitformer = next(r for r in report[1]['results'] if r['model'] == 'gaitformer')
    assert gaitformer['flops'][bench.SLIDING] < 0.8 * gaitformer['flops'][bench.PLAIN]


def test_a_wrong_answer_is_an_error(monkeypatch):
    monkeypatch.setattr(bench, 'TOLERANCE', -1)
    with pytest.raises(AssertionError, match='st_gcn: outputs differ by'):
        bench.main(['--tiny', '--model', 'st_gcn'])
