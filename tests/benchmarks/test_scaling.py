"""Tests of the benchmark of scaling."""

import io
import json
import math
import sys
from contextlib import redirect_stdout

import pytest
import torch

import graphmotion.nn
from benchmarks.operators.harness import CASES, Setup
from benchmarks.scaling import __main__ as script
from benchmarks.scaling import harness, workloads
from benchmarks.scaling.plot import plot_scaling

# Of the operators, two that are measured in all sweeps; .ci/run measures all operators.
MEASURED = ['SpatialConv', 'TemporalConv'] + [
    workload.operator
    for sweep in ('classes', 'pixels')
    for workload in workloads.get_workloads(sweep)
]


@pytest.fixture(scope='module')
def report(tmp_path_factory):
    """Returns the output and the figure of a tiny run of all sweeps of some operators."""
    folder = tmp_path_factory.mktemp('benchmark')
    files = ['--json', str(folder / 'scaling.json'), '--plot', str(folder / 'new' / 'scaling.png')]
    with redirect_stdout(io.StringIO()) as out:
        script.main(['--tiny', '--operator', *MEASURED, *files])
    written = json.loads((folder / 'scaling.json').read_text())
    return out.getvalue(), written, folder / 'new' / 'scaling.png'


@pytest.mark.slow
def test_every_workload_is_measured_at_every_size(report):
    text, written, _ = report
    found = {(r['sweep'], r['operator'], r['size']) for r in written['results']}
    assert found == {
        (sweep, workload.name, size)
        for sweep, sizes in workloads.TINY_SWEEPS.items()
        for workload in workloads.get_workloads(sweep)
        if workload.operator in MEASURED
        for size in sizes
    }
    lines = [line for line in text.splitlines() if line.startswith('| ')]
    assert len(lines) == 4 + len({r['operator'] for r in written['results']})  # two tables


@pytest.mark.slow
def test_numbers_are_plausible(report):
    _, written, _ = report
    assert written['environment']['threads'] == 1
    for r in written['results']:
        seconds = r['seconds']
        assert 0 < seconds['low'] <= seconds['median'] <= seconds['high'] < math.inf
        assert r['pass'] in ('forward+backward', 'training step', 'call')
        assert r['memory'] >= 0
    for fitted in written['exponents']:
        assert math.isfinite(fitted['time'])
        assert math.isfinite(fitted['memory'])
        assert fitted['time_error'] is None  # two sizes


@pytest.mark.slow
def test_the_figure_is_saved(report):
    *_, path = report
    image = path.read_bytes()
    assert image.startswith(b'\x89PNG')
    assert len(image) > 50_000


def test_every_exported_operator_is_measured_or_excluded():
    names = {workloads.case_name(case) for case in CASES}
    measured = {
        w.name for sweep in workloads.OPERATOR_SWEEPS for w in workloads.get_workloads(sweep)
    }
    assert names - measured == set(workloads.EXCLUDED)
    exported = {name: getattr(graphmotion.nn, name) for name in graphmotion.nn.__all__}
    operators = {name for name, item in exported.items() if issubclass(item, torch.nn.Module)}
    assert operators <= {name.split(',')[0] for name in measured}
    for sweep in workloads.OPERATOR_SWEEPS:
        constant = workloads.CONSTANT[sweep]
        found = {w.name for w in workloads.get_workloads(sweep)}
        assert found == names - set(workloads.EXCLUDED) - set(constant)
        assert set(constant) <= names
    for reason in [*workloads.EXCLUDED.values(), *workloads.CONSTANT['frames'].values()]:
        assert reason


@pytest.mark.parametrize('sweep', ['nodes', 'frames'])
def test_inputs_grow_with_the_size_of_a_sweep(sweep):
    torch.manual_seed(0)
    base = {'batch': 2, 'joints': 16, 'frames': 32, 'channels': 4}
    double = base | {'nodes': {'joints': 32}, 'frames': {'frames': 64}}[sweep]
    constant = workloads.CONSTANT[sweep]
    for case in CASES:
        name = workloads.case_name(case)
        if name in workloads.EXCLUDED:
            continue
        if constant.get(name) in (workloads.FACE, workloads.ROWS):
            call, _ = case.make(Setup(**base, skeleton=workloads.tree_skeleton(16)))
            assert call.inputs[0].dim() == 2  # no dimension for frames
            continue
        one, other = (
            case.make(Setup(**sizes, skeleton=workloads.tree_skeleton(sizes['joints'])))[0]
            for sizes in (base, double)
        )
        numbers = [sum(x.numel() for x in call.inputs) for call in (one, other)]
        assert numbers[1] == numbers[0] * (1 if name in constant else 2), name


def test_trees_of_any_size_are_skeletons_with_parts_of_four_joints():
    skeleton = workloads.tree_skeleton(11)
    assert (skeleton.num_joints, skeleton.num_bones, skeleton.is_tree) == (11, 10, True)
    assert skeleton.assignment(1).sum(dim=1).tolist() == [4, 4, 3]
    assert skeleton.parents == (0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4)


def test_theory_of_dense_and_sparse_propagation():
    theory = {w.name: w.theory for w in workloads.get_workloads('nodes')}
    assert (
        theory['SpatialConv, dense, shared'] == theory['JointAttention, heads of 16 channels'] == 2
    )
    assert theory['SpatialConv, sparse'] == theory['TemporalConv, kernel of 9'] == 1
    theory = {w.name: w.theory for w in workloads.get_workloads('frames')}
    assert theory['ConvValueTemporalAttention, two heads'] == 2
    assert theory['SpatialConv, dense, shared'] == 1
    operators = {case.operator for case in CASES}
    assert all(names <= operators for names in workloads.QUADRATIC.values())


def test_exponents_of_powers_are_exact_and_small_sizes_are_ignored():
    sizes = [1, 2, 4, 8, 16]
    for power in (0, 1, 1.5, 2):
        fit = harness.fit_exponent(sizes, [3 * n**power for n in sizes])
        assert fit == pytest.approx((power, 0), abs=1e-9)
    assert harness.fit_exponent(sizes, [7, 7, 16, 64, 256]).exponent == pytest.approx(2)
    assert harness.fit_exponent([2, 1], [10, 5]) == (pytest.approx(1), None)


def test_exponents_and_standard_errors_of_noisy_powers_are_those_of_a_linear_regression():
    from scipy.stats import linregress

    torch.manual_seed(0)
    sizes = [2.0**i for i in range(10)]
    costs = [5 * n**1.3 * math.exp(0.1 * float(torch.randn(()))) for n in sizes]
    expected = linregress([math.log(n) for n in sizes[5:]], [math.log(c) for c in costs[5:]])
    fit = harness.fit_exponent(sizes[::-1], costs[::-1])
    assert fit.exponent == pytest.approx(expected.slope)
    assert fit.error == pytest.approx(expected.stderr)


def test_fits_name_the_operators_above_theory():
    def result(operator, size, seconds):
        return {
            'sweep': 'nodes',
            'operator': operator,
            'theory': 1,
            'size': size,
            'seconds': {'median': seconds},
            'memory': 8 * size,
        }

    results = [
        result(name, n, 2 * n**power)
        for name, power in (('A', 1.1), ('B', 1.5))
        for n in (4, 8, 16)
    ]
    exponents = harness.fit_exponents(results)
    assert [(e['operator'], e['time']) for e in exponents] == [
        ('A', pytest.approx(1.1)),
        ('B', pytest.approx(1.5)),
    ]
    assert [e['memory'] for e in exponents] == pytest.approx([1, 1])
    assert list(map(harness.is_above_theory, exponents)) == [False, True]
    table = script.exponent_table(exponents).splitlines()
    assert [cell.strip() for cell in table[0].split('|')[1:-1]] == [
        'operator', 'nodes: time', 'theory', 'nodes: memory'
    ]  # fmt: skip
    assert [cell.strip() for cell in table[3].split('|')[1:-1]] == ['B', '1.50 ± 0.00', '1', '1.00']


def test_the_figure_has_a_panel_for_each_operator(monkeypatch):
    from graphmotion.visualization import _figure

    kept = []
    monkeypatch.setattr(
        _figure, 'finish_figure', lambda figure, path, title: kept.append((figure, title))
    )
    results = [
        {
            'sweep': sweep,
            'operator': name,
            'theory': 2,
            'size': n,
            'pass': 'forward',
            'seconds': {'low': n**2 / 1e4, 'median': n**2 / 1e4, 'high': n**2 / 1e4},
            'memory': 1000 * n,
        }
        for sweep, name in (('frames', 'A, short'), ('frames', 'B'), ('nodes', 'B'))
        for n in (10, 20, 40)
    ]
    plot_scaling(results, {'device': 'a machine', 'threads': 3}, 'nowhere')
    ((figure, title),) = kept
    assert title == 'forward on a machine, threads 3, float32'
    one, other = figure.axes
    assert (one.get_title(), other.get_title()) == ('A\nshort', 'B\n')
    assert figure.get_supxlabel() == 'size / smallest size'
    assert figure.get_supylabel() == 'time / time at the smallest size'
    labels = [[text.get_text() for text in a.get_legend().get_texts()] for a in (one, other)]
    assert labels == [
        ['frames: $n^{2.00}$'],
        ['frames: $n^{2.00}$', 'nodes: $n^{2.00}$'],
    ]
    assert {(a.get_xscale(), a.get_yscale()) for a in (one, other)} == {('log', 'log')}
    line, linear, quadratic = one.get_lines()
    assert line.get_xdata() == pytest.approx([1, 2, 4])
    assert line.get_ydata() == pytest.approx([1, 4, 16])
    assert [guide.get_ydata()[-1] for guide in (linear, quadratic)] == [4, 16]
    assert line.get_color() == other.get_lines()[0].get_color()  # of the same sweep


def test_a_training_step_updates_the_weights():
    made = []

    def build(graph, num_classes):
        made.append(workloads.spagnn(graph, num_classes))
        return made[-1]

    run = workloads.face_model(build)(workloads.Sizes(), 60, True)
    before = [p.detach().clone() for p in made[0].parameters()]
    run()
    assert all(not torch.equal(a, b) for a, b in zip(before, made[0].parameters()))


@pytest.mark.parametrize('workload', workloads.CLASS_WORKLOADS, ids=lambda w: w.name)
def test_costs_of_classes_run_with_the_requested_number_of_classes(workload):
    base = workloads.Sizes(frames=4, nodes=5)
    for backward in (False, True):
        assert workload.make(base, 8, backward)() is not None or workload.timed == workloads.STEP
    if workload.timed == workloads.STEP:
        assert workload.make(base, 8, False)().size(-1) == 8


def test_forward_pass_of_selected_operators(capsys):
    options = '--tiny --no-backward --sweep nodes --operator SpectralConv'
    results = script.main(options.split())
    names = sorted({r['operator'] for r in results})
    assert names == [
        'SpectralConv, basis per graph, 64 modes, faces',
        'SpectralConv, shared basis, 256 modes, faces',
    ]
    assert [r['size'] for r in results] == 2 * list(workloads.TINY_SWEEPS['nodes'])
    assert {r['pass'] for r in results} == {'forward'}
    with pytest.raises(SystemExit):
        script.main(['--sweep', 'frames', '--operator', 'SpectralConv'])
    assert "the sweeps ['frames'] have no operator ['SpectralConv']" in capsys.readouterr().err


def test_a_quick_run_has_three_sizes_and_standard_errors(capsys):
    options = '--quick --threads 1 --rounds 1 --seconds 0.001 --sweep batch --operator ChannelGate'
    results = script.main(options.split())
    assert [r['size'] for r in results] == [4, 8, 16]
    assert '±' in capsys.readouterr().out


def test_a_plot_without_matplotlib_raises_before_measuring(monkeypatch):
    monkeypatch.setitem(sys.modules, 'matplotlib', None)
    monkeypatch.setattr(script, 'measure', lambda *_: pytest.fail('measured'))
    with pytest.raises(ImportError, match=r"matplotlib.*pip install -e '\.\[vis\]'"):
        script.main(['--tiny', '--plot', 'nowhere.png'])
