"""Tests of the benchmark of scaling."""

import io
import json
import math
import sys
from contextlib import redirect_stdout

import pytest
import torch

from benchmarks.scaling import __main__ as script
from benchmarks.scaling import harness, workloads
from benchmarks.scaling.plot import X_LABELS, plot_scaling


@pytest.fixture(scope='module')
def report(tmp_path_factory):
    """Returns the output and the figure of a tiny run of all sweeps."""
    folder = tmp_path_factory.mktemp('benchmark')
    files = ['--json', str(folder / 'scaling.json'), '--plot', str(folder / 'new' / 'scaling.png')]
    with redirect_stdout(io.StringIO()) as out:
        script.main(['--tiny', '--threads', '1', *files])
    written = json.loads((folder / 'scaling.json').read_text())
    return out.getvalue(), written, folder / 'new' / 'scaling.png'


@pytest.mark.slow
def test_every_operator_is_measured_at_every_size(report):
    text, written, _ = report
    found = {(r['sweep'], r['operator'], r['size']) for r in written['results']}
    assert found == {
        (sweep, name, size)
        for sweep, sizes in workloads.TINY_SWEEPS.items()
        for name in {'nodes': workloads.GRAPH_OPERATORS, 'pixels': workloads.FACE_MODELS}.get(
            sweep, workloads.OPERATORS
        )
        for size in sizes
    }
    assert set(workloads.TINY_SWEEPS) == set(workloads.SWEEPS) == set(X_LABELS)
    lines = [line for line in text.splitlines() if line.startswith('| ')]
    assert len(lines) == 2 + len(written['results'])
    assert len({line.count('|') for line in lines}) == 1


@pytest.mark.slow
def test_numbers_are_plausible(report):
    _, written, _ = report
    assert written['environment']['threads'] == 1
    for r in written['results']:
        seconds = r['seconds']
        assert 0 < seconds['low'] <= seconds['median'] <= seconds['high'] < math.inf
        step = 'training step' if r['sweep'] == 'pixels' else 'forward+backward'
        assert r['pass'] == step
        assert r['sizes'][r['sweep']] == r['size']
        assert r['memory'] > 0
    for fitted in written['exponents']:
        assert math.isfinite(fitted['time'])
        assert math.isfinite(fitted['memory'])


@pytest.mark.slow
def test_the_figure_is_saved(report):
    *_, path = report
    image = path.read_bytes()
    assert image.startswith(b'\x89PNG')
    assert len(image) > 50_000


def test_the_figure_names_axes_units_operators_and_exponents(monkeypatch):
    from graphmotion.visualization import _figure

    kept = []
    monkeypatch.setattr(
        _figure, 'finish_figure', lambda figure, path, title: kept.append((figure, title))
    )
    results = [
        {
            'sweep': sweep,
            'operator': name,
            'size': n,
            'sizes': {'batch': 16, sweep: n},
            'pass': 'forward',
            'seconds': {'low': n**2 / 1e4, 'median': n**2 / 1e4, 'high': n**2 / 1e4},
            'memory': 1000 * n,
        }
        for sweep, name in (('frames', 'A'), ('frames', 'B'), ('nodes', 'B'))
        for n in (10, 20, 40)
    ]
    plot_scaling(results, {'device': 'a machine', 'threads': 3}, 'nowhere')
    ((figure, title),) = kept
    assert title.startswith('forward on a machine, threads 3')
    axes = figure.axes
    assert len(axes) == 4
    assert (axes[0].get_ylabel(), axes[2].get_ylabel()) == (
        'time of a call, ms',
        'peak memory of a call, MB',
    )
    assert [a.get_xlabel() for a in axes[2:]] == ['frames of a sequence, n', 'nodes of a graph, n']
    labels = [[text.get_text() for text in a.get_legend().get_texts()] for a in axes]
    assert labels[0] == ['A: $n^{2.00}$', 'B: $n^{2.00}$']
    assert labels[3] == ['B: $n^{1.00}$']
    assert {(a.get_xscale(), a.get_yscale()) for a in axes} == {('log', 'log')}
    (line,) = axes[1].get_lines()
    assert line.get_ydata().tolist() == pytest.approx([10, 40, 160])  # milliseconds
    assert line.get_color() == axes[0].get_lines()[1].get_color()  # same colour


def test_exponents_of_powers_are_exact_and_small_sizes_are_ignored():
    sizes = [1, 2, 4, 8, 16]
    for power in (0, 1, 1.5, 2):
        assert harness.fit_exponent(sizes, [3 * n**power for n in sizes]) == pytest.approx(power)
    assert harness.fit_exponent(sizes, [7, 7, 16, 64, 256]) == pytest.approx(2)
    assert harness.fit_exponent([2, 1], [10, 5]) == pytest.approx(1)


def test_dense_and_sparse_workloads_are_equal():
    s = workloads.Sizes(batch=3, joints=7, frames=4, channels=5)
    torch.manual_seed(0)
    dense, x, (adj,) = workloads.spatial_dense(s)
    sparse, _, (edges,) = workloads.spatial_sparse(s)
    sparse.load_state_dict(dense.state_dict())
    torch.testing.assert_close(adj.sum(dim=1), torch.ones(7))
    assert int((adj > 0).sum()) == 7 + 2 * 6
    torch.testing.assert_close(sparse(x, edges), dense(x, adj))


def test_a_training_step_updates_the_weights():
    make = workloads.FACE_MODELS['SPAGNN']
    made = make(workloads.Sizes(batch=3, joints=0, frames=0, channels=1, pixels=60))
    model, x, _ = made
    assert len(x) == 3 * model.num_nodes == 180
    step = harness.training_step(made, torch.device('cpu'))
    before = model(x).softmax(dim=1)[:, 0].mean()
    for _ in range(5):
        step()
    assert model(x).softmax(dim=1)[:, 0].mean() > before


def test_forward_pass_of_selected_operators(capsys):
    options = '--tiny --threads 1 --no-backward --sweep nodes --operator SpectralConv'
    results = script.main(options.split())
    assert [(r['operator'], r['size']) for r in results] == [
        ('SpectralConv', n) for n in workloads.TINY_SWEEPS['nodes']
    ]
    assert {r['pass'] for r in results} == {'forward'}
    with pytest.raises(SystemExit):
        script.main(['--sweep', 'frames', '--operator', 'SpectralConv'])
    assert "the sweeps ['frames'] have no operator ['SpectralConv']" in capsys.readouterr().err


def test_a_plot_without_matplotlib_raises_before_measuring(monkeypatch):
    monkeypatch.setitem(sys.modules, 'matplotlib', None)
    monkeypatch.setattr(script, 'measure', lambda *_: pytest.fail('measured'))
    with pytest.raises(ImportError, match=r"matplotlib.*pip install -e '\.\[vis\]'"):
        script.main(['--tiny', '--threads', '1', '--plot', 'nowhere.png'])
