"""Tests of the benchmark of imports."""

import subprocess
import sys

import pytest

from benchmarks import imports as bench


def test_every_package_is_measured_in_turns(monkeypatch, capsys):
    calls = []
    costs = {bench.PYG: 2.0, 'graphmotion': 0.5}

    def import_time(package):
        calls.append(package)
        return costs[package]

    monkeypatch.setattr(bench, 'import_time', import_time)
    results = bench.main(['--tiny', '--threads', '1'])
    assert calls == [bench.PYG, 'graphmotion', 'graphmotion', bench.PYG]
    assert [r['ratio'] for r in results] == [None, {'median': 4.0, 'low': 4.0, 'high': 4.0}]
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith('| ')]
    assert len(rows) == 2 + 2


def test_selected_packages_are_compared_with_pyg(monkeypatch):
    monkeypatch.setattr(bench, 'import_time', lambda package: float(len(package)))
    results = bench.main(['--package', 'torch', bench.PYG, '--rounds', '1'])
    assert [(r['package'], r['ratio'] and r['ratio']['median']) for r in results] == [
        (bench.PYG, None),
        ('torch', 3.0),
    ]


def test_the_time_is_that_of_a_new_process():
    assert 0 < bench.import_time('json') < 5
    with pytest.raises(subprocess.CalledProcessError):
        bench.import_time('no_such_package')


@pytest.mark.slow
def test_slow_packages_are_imported_on_first_use():
    packages = ', '.join(
        f'graphmotion.{name}' for name in ('datasets', 'inference', 'metrics', 'nn')
    )
    slow = {'networkx', 'scipy.interpolate', 'scipy.optimize', 'scipy.stats'}
    code = f'import sys, {packages}; sys.exit(", ".join({slow} & set(sys.modules)) or 0)'
    subprocess.run([sys.executable, '-c', code], check=True)
