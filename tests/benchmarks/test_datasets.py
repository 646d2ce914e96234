"""Tests of the benchmark of processing raw files."""

import io
import json
from contextlib import redirect_stdout

import pytest

from benchmarks import datasets as bench


@pytest.fixture(scope='module')
def report(tmp_path_factory):
    """Returns the output of a tiny run."""
    path = tmp_path_factory.mktemp('benchmark') / 'datasets.json'
    with redirect_stdout(io.StringIO()) as out:
        bench.main(['--tiny', '--json', str(path)])
    return out.getvalue(), json.loads(path.read_text())


@pytest.mark.slow
def test_every_set_is_processed_by_each_number_of_workers(report):
    text, written = report
    found = [(r['set'], r['files'], r['workers']) for r in written['results']]
    assert found == [(name, 24, n) for name in ('ntu120', 'ou_mvlp') for n in (0, 2)]
    lines = [line for line in text.splitlines() if line.startswith('| ')]
    assert len(lines) == 2 + len(found)
    assert len({line.count('|') for line in lines}) == 1
    for result in written['results']:
        full = result['full']
        assert full['files'] == {'ntu120': 114480, 'ou_mvlp': 288596}[result['set']]
        assert full['seconds'] == pytest.approx(result['seconds'] * full['files'] / 24)
        assert 0 < result['first_batch'] < 60
        assert 0 < result['processor'] < 60
        assert 2**26 < result['memory'] < 2**32
        assert 2**14 < result['processed'] < result['raw']


@pytest.mark.slow
def test_paths_are_those_of_the_full_sets():
    for name, generated in bench.SETS.items():
        paths = list(generated.paths())
        assert len(set(paths)) == len(paths)
        assert len(paths) >= generated.num_files, name


def test_processed_files_that_differ_are_not_reported(monkeypatch):
    class Pool:
        hashes = iter('ab')

        def __init__(self, *_, **__):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def submit(self, *_):
            return self

        def result(self):
            return {'seconds': 1.0, 'processed': 1, 'hash': next(self.hashes)}

    monkeypatch.setattr(bench, 'ProcessPoolExecutor', Pool)
    with pytest.raises(AssertionError, match='ou_mvlp: the processed files differ'):
        bench.main(['--tiny', '--set', 'ou_mvlp'])
