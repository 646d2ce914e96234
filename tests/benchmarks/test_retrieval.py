"""Tests of the benchmark of gallery-probe evaluation."""

import io
import json
import math
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from benchmarks import retrieval as bench

HAS_PROC = Path('/proc/self/status').exists()


@pytest.fixture(scope='module')
def report(tmp_path_factory):
    """Returns the output of a tiny run."""
    path = tmp_path_factory.mktemp('benchmark') / 'retrieval.json'
    with redirect_stdout(io.StringIO()) as out:
        bench.main(['--tiny', '--no-memory', '--json', str(path)])
    return out.getvalue(), json.loads(path.read_text())


def test_every_implementation_is_measured_or_named(report):
    text, written = report
    found = [(r['subjects'], r['implementation']) for r in written['results']]
    assert found == [(12, bench.OURS), (12, bench.PLAIN), (40, bench.OURS)]
    assert f'Not measured: {bench.PLAIN} with 40 subjects' in text
    lines = [line for line in text.split('gallery samples')[0].splitlines() if line[:2] == '| ']
    assert len(lines) == 2 + len(found)
    assert len({line.count('|') for line in lines}) == 1


def test_numbers_are_plausible(report):
    _, written = report
    assert written['environment']['threads'] == 1
    for r in written['results']:
        assert r['probes'] + r['gallery'] == pytest.approx(r['subjects'] * 28, rel=0.03)
        assert len(r['rounds']) == 2
        assert 0 < r['seconds']['median'] < 60
        assert (r['ratio'] is None) == (r['implementation'] == bench.OURS)
        assert r['ratio'] is None or 0 < r['ratio']['low'] <= r['ratio']['high'] < math.inf
        assert r['memory'] is None
        assert 0.1 < r['figures']['rank-1'] < 1
    assert written['targets'] == []  # for another size


def test_both_implementations_return_every_figure():
    embedding, labels = bench.random_walks(15, 8, 'cpu')
    ours, plain = bench.ours(embedding, labels), bench.plain(embedding, labels)
    assert plain.keys() == {'rank-1', 'rank-5', 'rank-10', 'rank-20', 'mAP', 'mINP'}
    for name, value in plain.items():
        assert value == pytest.approx(ours[name], abs=1e-6)
        assert 0.05 < value <= 1


def test_implementations_that_differ_are_not_timed(monkeypatch):
    def wrong(*args):
        figures = bench.plain(*args)
        return {**figures, 'mAP': figures['mAP'] + 0.01}

    monkeypatch.setitem(bench.IMPLEMENTATIONS, bench.PLAIN, wrong)
    with pytest.raises(AssertionError, match='full matrix, argsort: mAP is'):
        bench.main(['--tiny', '--no-memory'])
    with pytest.raises(AssertionError, match='mAP is nan'):
        bench.check({bench.OURS: {'mAP': 0.5}, 'other': {'mAP': math.nan}})


@pytest.mark.slow
@pytest.mark.skipif(not HAS_PROC, reason='/proc is not available')
def test_memory_is_measured_in_a_separate_process():
    held = bench.torch.ones(2**27)  # 0.5 GB, which is not counted
    found = bench.process_memory(bench.OURS, 5, 4, 1)
    assert 2**26 < found < 2**30
    del held


def test_the_target_is_evaluated_at_its_size():
    result = {
        'subjects': 5154,
        'implementation': bench.OURS,
        'seconds': {'median': 59.0},
        'memory': 19e8,
    }
    (target,) = bench.evaluate_target([result, {**result, 'subjects': 50}], threads=2)
    assert target == {'seconds': 59.0, 'memory': 19e8, 'met': True}
    assert bench.evaluate_target([result], threads=4) == []
    assert bench.evaluate_target([{**result, 'implementation': bench.PLAIN}], threads=2) == []
    for change in ({'seconds': {'median': 61.0}}, {'memory': 21e8}):
        assert not bench.evaluate_target([{**result, **change}], threads=1)[0]['met']


def test_search_is_skipped_without_faiss(report, monkeypatch):
    text, written = report
    if not written['searches']:
        assert 'Not measured: faiss' in text
    monkeypatch.setattr(bench, 'find_spec', lambda name: None)
    assert bench.measure_search(None) == []


def test_search_finds_most_of_the_nearest(report):
    pytest.importorskip('faiss')
    names = [row['search'] for row in report[1]['searches']]
    assert names[:3] == ['graphmotion, rank-1', 'faiss flat, rank-1', 'graphmotion, 10 nearest']
    assert names[3:] == ['retrieve, HNSW32', 'retrieve, IVF14,Flat']
    assert report[1]['searches'][3]['recall'] > 0.9
    assert [row['ratio'] is not None for row in report[1]['searches']] == [
        name == bench.FLAT for name in names
    ]
    assert all(f'| {name}' in report[0] for name in names)
