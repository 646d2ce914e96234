"""Tests of the benchmark of dense and sparse adjacencies."""

import json
import math

import pytest
import torch

from benchmarks import crossing as script
from graphmotion.nn import SpatialConv


def test_degrees_are_powers_of_two_up_to_half_of_the_nodes():
    assert script.degrees(16) == [2, 4, 8]
    assert script.degrees(1024) == [2, 4, 8, 16, 32, 64, 128, 256, 512]
    assert script.degrees(20) == [2, 4, 8]
    assert script.degrees(4) == [2]


@pytest.mark.parametrize('num_partitions', [1, 3])
def test_every_node_has_the_requested_number_of_neighbours(num_partitions):
    adj = script.random_adjacency(12, 5, num_partitions)
    assert adj.shape == (num_partitions, 12, 12)
    assert (adj > 0).sum(dim=(0, 2)).tolist() == [5] * 12
    torch.testing.assert_close(adj.sum(dim=(0, 2)), torch.ones(12))


@pytest.mark.parametrize('num_partitions', [1, 3])
def test_edges_of_a_batch_give_the_result_of_the_matrix(num_partitions):
    adj = script.random_adjacency(7, 3, num_partitions)
    (source, target), weight = script.to_edges(adj, num_graphs=2)
    assert weight.shape == ((42,) if num_partitions == 1 else (42, 3))
    conv, x = SpatialConv(2, 4, num_partitions), torch.randn(14, 3, 2)
    expected = torch.zeros(14, 3, 4)
    for i, j, w in zip(target.tolist(), source.tolist(), weight.view(42, -1)):
        for k in range(num_partitions):
            expected[i] += w[k] * (x[j] @ conv.weight[k] + conv.bias[k])
    out = conv(x, adj.squeeze(0) if num_partitions == 1 else adj)
    torch.testing.assert_close(out, expected)
    torch.testing.assert_close(conv(x, (torch.stack([source, target]), weight)), expected)


def test_the_crossing_of_power_laws_is_exact():
    degrees = [2, 4, 8, 16, 32]
    for degree in (2, 5, 11.3, 31):
        ratios = [(degree / d) ** 0.7 for d in degrees]
        assert script.find_crossing(degrees, ratios) == pytest.approx(degree)
    assert script.find_crossing(degrees, [0.9, 0.8, 0.7, 0.6, 0.5]) is None
    assert script.find_crossing(degrees, [9, 8, 7, 6, 5]) == math.inf
    assert script.find_crossing([8, 2, 4], [0.25, 4, 1]) == pytest.approx(4)


def test_crossings_name_the_degree_and_the_density():
    results = [
        {'nodes': n, 'degree': d, 'ratio': {'median': c / d}}
        for n, c in ((16, 1), (32, 4), (64, 100))
        for d in script.degrees(n)
    ]
    assert script.crossings(results) == [
        {'nodes': 16, 'degree': None, 'density': None},
        {'nodes': 32, 'degree': pytest.approx(4), 'density': pytest.approx(1 / 8)},
        {'nodes': 64, 'degree': math.inf, 'density': 1},
    ]
    rows = script.table_rows(results, [2, 4, 8, 16, 32])
    assert rows == [
        ['16', '0.50', '0.25', '0.12', '', '', 'never', ''],
        ['32', '2.00', '1.00', '0.50', '0.25', '', '4', '12%'],
        ['64', '50.00', '25.00', '12.50', '6.25', '3.12', 'always', ''],
    ]


def test_all_sizes_are_measured(tmp_path, capsys):
    path = tmp_path / 'crossing.json'
    results = script.main(['--tiny', '--partitions', '2', '--json', str(path)])
    assert [(r['nodes'], r['degree']) for r in results] == [
        (8, 2), (8, 4), (16, 2), (16, 4), (16, 8)
    ]  # fmt: skip
    assert {r['pass'] for r in results} == {'forward+backward'}
    written = json.loads(path.read_text())
    assert written['results'] == results
    assert [c['nodes'] for c in written['crossings']] == [8, 16]
    assert '| 16    |' in capsys.readouterr().out


def test_unequal_results_raise_before_they_are_timed(monkeypatch):
    monkeypatch.setattr(script, 'relative_error', lambda *_: 0.5)
    monkeypatch.setattr(script, 'time_in_turns', lambda *_: pytest.fail('timed'))
    with pytest.raises(AssertionError, match=r'dense and sparse results differ by 5\.0e-01'):
        script.main(['--tiny'])


def test_graphs_must_have_neighbours(capsys):
    with pytest.raises(SystemExit):
        script.main(['--nodes', '3', '64'])
    assert '--nodes must be at least 4, got 3' in capsys.readouterr().err
