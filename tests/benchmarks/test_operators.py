"""Tests of the benchmark of the operators."""

import io
import json
import math
from contextlib import redirect_stdout

import pytest
import torch

import graphmotion.nn
from benchmarks.common import relative_error
from benchmarks.operators import __main__ as script
from benchmarks.operators import harness
from benchmarks.operators.cases.conv import BLOCK_DIAGONAL, STATIC_GRAPH, spatial_shared
from benchmarks.operators.cases.norm import norm
from benchmarks.operators.harness import (
    BACKWARD,
    INPUT_GRADIENT,
    OURS,
    PARAMETER_GRADIENT,
    PEAK,
    TOLERANCE,
    Call,
    Case,
    Setup,
)
from benchmarks.operators.targets import TARGETS, evaluate_targets


@pytest.fixture(scope='module')
def report(tmp_path_factory):
    """Returns the output of a tiny run of all operators."""
    path = tmp_path_factory.mktemp('benchmark') / 'operators.json'
    with redirect_stdout(io.StringIO()) as out:
        script.main(['--tiny', '--threads', '1', '--json', str(path)])
    return out.getvalue(), json.loads(path.read_text())


@pytest.mark.slow
def test_every_exported_operator_has_a_case(report):
    text, written = report
    exported = {name: getattr(graphmotion.nn, name) for name in graphmotion.nn.__all__}
    operators = {name for name, item in exported.items() if issubclass(item, torch.nn.Module)}
    assert operators - {result['operator'] for result in written['results']} == set()
    for name in operators:
        assert f'\n| {name}' in text


@pytest.mark.slow
def test_every_case_is_measured_at_both_sizes_in_both_passes(report):
    text, written = report
    found = {}
    for result in written['results']:
        if result['operator'] != PEAK:
            key = (result['operator'], result['variant'])
            found.setdefault(key, set()).add(
                (result['batch'], result['pass'], result['implementation'])
            )
    assert set(found) == {(case.operator, case.variant) for case in harness.CASES}
    for (operator, _), measured in found.items():
        passes = {'call'} if operator == 'MotionDataset' else {'forward', 'forward+backward'}
        implementations = {implementation for *_, implementation in measured}
        assert OURS in implementations
        assert len(implementations) > 1
        assert measured == {
            (b, p, implementation)
            for b in (2, 4)
            for p in passes
            for implementation in implementations
        }
    lines = [line for line in text.split('\nSlower')[0].splitlines() if line.startswith('| ')]
    assert len(lines) == 2 + len(written['results'])
    assert len({line.count('|') for line in lines}) == 1


@pytest.mark.slow
def test_the_matrix_product_has_one_row(report):
    text, written = report
    (peak,) = (r for r in written['results'] if r['implementation'] == PEAK)
    seconds = peak['seconds']['median']
    assert peak['gflops'] == pytest.approx(2 * 64**3 / seconds / 1e9)
    shares = [result for result in written['results'] if result['peak_share']]
    assert len(peak['rounds']) == 2 * len(shares)  # two rounds for each
    assert f'| {PEAK}' in text


@pytest.mark.slow
def test_numbers_are_plausible(report):
    _, written = report
    assert written['environment']['threads'] == 1
    for result in written['results']:
        seconds, share, faster = result['seconds'], result['peak_share'], result['ratio']
        assert 0 < seconds['low'] <= seconds['median'] <= seconds['high'] < 1
        if result['implementation'] == PEAK:
            continue
        assert result['memory'] > 0
        assert (result['flops'] is None) == (share is None)
        assert (faster is None) == (result['implementation'] == OURS)
        if faster is not None:
            assert 0 < faster['low'] <= faster['median'] <= faster['high'] < math.inf
            assert result['memory_ratio'] > 0
            assert 0 <= result['difference'] <= TOLERANCE


def test_batch_sizes_and_frames_are_paired(capsys):
    one = ['--threads', '1', '--operator', 'ChannelGate', '--rounds', '1', '--seconds', '0.001']
    sizes = ['--joints', '16', '--channels', '8', '--batch', '2', '--frames', '3', '4']
    results = script.main([*one, *sizes, '--no-backward'])
    assert {(r['batch'], r['frames']) for r in results} == {(2, 3), (2, 4)}
    assert {r['pass'] for r in results} == {'forward'}
    assert 'forward+backward' not in capsys.readouterr().out
    with pytest.raises(SystemExit):
        script.main([*one, '--batch', '2', '3', '4', '--frames', '3', '4'])
    assert 'the same number of values' in capsys.readouterr().err


def test_slower_cases_are_listed(capsys):
    class Slow(torch.nn.Module):
        def forward(self, x):
            for _ in range(50):
                x = -x
            return x

    def make(s):
        return Call(Slow(), s.x), {'the tensor itself': Call(lambda x: x + 0, s.x)}

    run(make)
    assert 'Slower: Fake (2x16x4x8, forward)' in capsys.readouterr().out


def result(**changes):
    """Returns a result of the library."""
    same = {'operator': 'SpatialConv', 'variant': 'dense, shared', 'pass': 'forward'}
    sizes = {'batch': 16, 'joints': 25, 'frames': 64, 'channels': 64}
    numbers = {'implementation': OURS, 'ratio': None, 'memory_ratio': None, 'peak_share': None}
    return {**same, **sizes, **numbers, **changes}


@pytest.mark.parametrize(('share', 'met'), [(0.59, False), (0.61, True)])
def test_target_of_the_rate(share, met):
    (evaluated,) = evaluate_targets([result(peak_share={'median': share})], 'cpu')
    assert (evaluated['measured'], evaluated['at_least'], evaluated['met']) == (share, 0.6, met)


def test_target_of_the_rate_is_for_one_batch_size_on_cpu():
    assert evaluate_targets([result(peak_share={'median': 0.9}, batch=64)], 'cpu') == []
    assert evaluate_targets([result(peak_share={'median': 0.9})], 'cuda') == []


def test_targets_of_time_and_memory():
    both = {'pass': 'forward+backward', 'ratio': {'median': 2.5}, 'memory_ratio': 1.5}
    evaluated = evaluate_targets(
        [
            result(implementation=implementation, **both)
            for implementation in (STATIC_GRAPH, BLOCK_DIAGONAL)
        ],
        'cpu',
    )
    found = {t['against']: (t['at_least'], t['measured'], t['met']) for t in evaluated}
    assert found == {
        f'time of {STATIC_GRAPH}': (3.2, 2.5, False),
        f'time of {BLOCK_DIAGONAL}': (2, 2.5, True),
        f'peak memory of {BLOCK_DIAGONAL}': (2, 1.5, False),
    }


@pytest.mark.slow
def test_every_target_has_a_case(report):
    _, written = report
    names = ('operator', 'variant', 'pass', 'implementation')
    measured = {tuple(result[name] for name in names) for result in written['results']}
    for target in TARGETS:
        assert (target.operator, target.variant, target.label, target.implementation) in measured


@pytest.mark.parametrize(
    'wrong',
    [
        lambda x: x + 1e-2,
        lambda x: x.detach() + 2 * (x - x.detach()),  # the same output with another gradient
        lambda x: x[:1],
        lambda x: x / 0,
    ],
    ids=['output', 'gradient', 'shape', 'infinite'],
)
def test_implementations_that_differ_are_not_timed(wrong):
    def make(s):
        return Call(lambda x: 1 * x, s.x), {'something else': Call(wrong, s.x)}

    with pytest.raises(AssertionError, match='differ'):
        run(make)


def test_a_single_gradient_at_a_relu_may_differ():
    x = torch.full((4_000_000,), 0.5)
    x[0] = 1e-7  # just below zero in the alternative
    ours = Call(lambda x: x.relu(), x.requires_grad_())
    other = Call(lambda x: (x - 2e-7).relu(), x)
    assert 0 < relative_error(ours.results(), other.results()) < TOLERANCE


def test_all_outputs_are_compared():
    def make(s, last):
        ours = Call(lambda x: {'out': [x.sin(), x.cos()]}, s.x, pick=lambda out: out['out'])
        return ours, {'others': Call(lambda x: [x.sin(), x.cos() + last], s.x)}

    run(lambda s: make(s, 0))
    with pytest.raises(AssertionError, match='differ'):
        run(lambda s: make(s, 1e-2))


def test_operations_match_the_formula():
    batch, joints, frames, size = 2, 16, 5, 24
    s = Setup(batch, joints, frames, size)
    ours, _ = spatial_shared(s)
    linear = 2 * batch * joints * frames * size**2
    aggregate = 2 * batch * joints**2 * frames * size
    assert harness.count_matmul_flops(ours, 'forward') == linear + aggregate
    # Backward: the linear map to its input and its weight, after the aggregation to its input.
    assert harness.count_matmul_flops(ours, BACKWARD) == 3 * linear + 2 * aggregate
    assert harness.count_matmul_flops(ours, INPUT_GRADIENT) == linear + aggregate
    # Compiled operators multiply the bias by the degrees of the nodes.
    found = harness.count_matmul_flops(ours, PARAMETER_GRADIENT) - linear - aggregate
    assert found in (0, 2 * joints * size)
    assert all(leaf.grad is None for leaf in ours.leaves)
    assert harness.count_matmul_flops(norm(s)[0], BACKWARD) is None


def test_gradients_are_also_timed_alone(capsys):
    results = script.main(['--tiny', '--operator', 'TemporalConv', 'MotionDataset', '--gradients'])
    passes = {(r['operator'], r['pass']) for r in results if r['implementation'] == OURS}
    both = {'forward', BACKWARD, INPUT_GRADIENT, PARAMETER_GRADIENT}
    assert passes == {('MotionDataset', 'call'), *(('TemporalConv', label) for label in both)}


def test_gradients_of_some_leaves():
    x, conv = torch.randn(4, 3, requires_grad=True), torch.nn.Linear(3, 2, bias=False)
    call = Call(conv, x)
    (gradient,) = call.gradient([x])()
    assert gradient.shape == x.shape
    assert conv.weight.requires_grad
    (gradient,) = call.gradient(call.parameters)()
    assert gradient.shape == conv.weight.shape
    assert x.requires_grad


def run(make):
    """Runs a single fake case with tiny sizes."""
    rows = harness.CASES[:]
    harness.CASES[:] = [Case('Fake', '', make)]
    try:
        script.main(['--tiny', '--threads', '1'])
    finally:
        harness.CASES[:] = rows
