"""The benchmark of the operators runs, covers them all, and refuses what does not agree."""

import importlib.util
import io
import json
import math
import sys
from contextlib import redirect_stdout
from pathlib import Path

import pytest
import torch

import graphmotion.nn

PATH = Path(__file__).parents[2] / 'benchmarks' / 'operators.py'


@pytest.fixture(scope='module')
def bench():
    """The script as a module: it belongs to no package."""
    spec = importlib.util.spec_from_file_location('benchmark_of_operators', PATH)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture(scope='module')
def report(bench, tmp_path_factory):
    """What a tiny run of everything prints and writes."""
    path = tmp_path_factory.mktemp('benchmark') / 'operators.json'
    with redirect_stdout(io.StringIO()) as out:
        bench.main(['--tiny', '--threads', '1', '--json', str(path)])
    return out.getvalue(), json.loads(path.read_text())


def test_every_exported_operator_has_a_row(report):
    text, written = report
    measured = {result['operator'] for result in written['results']}
    assert set(graphmotion.nn.__all__) - measured == set()
    for name in graphmotion.nn.__all__:
        assert f'\n| {name}' in text


def test_both_passes_of_every_row_are_in_the_table(bench, report):
    text, written = report
    passes = {}
    for result in written['results']:
        passes.setdefault((result['operator'], result['variant']), set()).add(result['pass'])
    assert set(passes) == {(row.operator, row.variant) for row in bench.ROWS}
    for (operator, _), names in passes.items():
        expected = {'call'} if operator == 'MotionDataset' else {'forward', 'forward+backward'}
        assert names == expected
    lines = [line for line in text.splitlines() if line.startswith('| ')]
    assert len(lines) == 2 + len(written['results'])
    assert len({line.count('|') for line in lines}) == 1


def test_numbers_are_plausible(report):
    _, written = report
    assert written['environment']['threads'] == 1
    assert written['sizes'] == {'batch': 4, 'joints': 16, 'frames': 6, 'channels': 8}
    for result in written['results']:
        ratio = result['ratio']
        assert 0 < ratio['low'] <= ratio['median'] <= ratio['high'] < math.inf
        assert 0 < result['seconds'] < 1
        assert 0 < result['alternative_seconds'] < 1
        assert 0 <= result['difference'] <= 1e-4
        assert (result['flops'] is None) == (result['of_matmul'] is None)


def test_one_operator_forward_only(bench, capsys):
    results = bench.main(
        ['--tiny', '--threads', '1', '--forward-only', '--operator', 'ChannelGate']
    )
    assert [(r['operator'], r['pass']) for r in results] == [('ChannelGate', 'forward')]
    assert 'forward+backward' not in capsys.readouterr().out


def test_slower_rows_are_named(bench, capsys):
    class Slow(torch.nn.Module):
        def forward(self, x):
            for _ in range(50):
                x = -x
            return x

    def make(s):
        return bench.Call(Slow(), s.x), {'the tensor itself': bench.Call(lambda x: x + 0, s.x)}

    run(bench, make)
    assert 'Slower: Fake (forward)' in capsys.readouterr().out


@pytest.mark.parametrize(
    'wrong',
    [
        lambda x: x + 1e-3,
        lambda x: x.detach() + 2 * (x - x.detach()),  # the same output, another gradient
        lambda x: x[:1],
        lambda x: x / 0,
    ],
    ids=['output', 'gradient', 'shape', 'infinite'],
)
def test_sides_that_differ_are_not_timed(bench, wrong):
    def make(s):
        return bench.Call(lambda x: 1 * x, s.x), {'something else': bench.Call(wrong, s.x)}

    with pytest.raises(AssertionError, match='differ'):
        run(bench, make)


def test_operations_are_those_of_the_formula(bench):
    batch, joints, frames, size = 2, 16, 5, 24
    s = bench.Setup(batch, joints, frames, size)
    ours, _ = bench.spatial_shared(s)
    linear = 2 * batch * joints * frames * size**2
    aggregate = 2 * batch * joints**2 * frames * size
    assert bench.count_operations(ours, backward=False) == linear + aggregate
    # Backward: the linear map to its input and its weight, the aggregation to its input.
    assert bench.count_operations(ours, backward=True) == 3 * linear + 2 * aggregate
    assert all(leaf.grad is None for leaf in ours.leaves)
    assert bench.count_operations(bench.norm(s)[0], backward=True) is None


def run(bench, make):
    """A tiny run of one made-up row."""
    rows = bench.ROWS
    bench.ROWS = [bench.Row('Fake', '', make)]
    try:
        bench.main(['--tiny', '--threads', '1'])
    finally:
        bench.ROWS = rows
