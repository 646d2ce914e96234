"""Tests of the profiles of models."""

import json

import pytest
import torch

from benchmarks import profile as bench
from benchmarks.models.workloads import WORKLOADS, Workload


def test_all_passes_are_profiled(tmp_path, monkeypatch, capsys):
    small = Workload('coco17', options={'num_classes': 3, 'channels': (4, 8)})
    monkeypatch.setitem(WORKLOADS, 'st_gcn', small)
    path = tmp_path / 'profile.json'
    bench.main(['--tiny', '--json', str(path)])
    results = json.loads(path.read_text())['results']
    assert [r['pass'] for r in results] == ['inference', 'fused inference', 'training']
    for result in results:
        assert sum(result['shares'].values()) == pytest.approx(1)
        assert result['seconds'] > 0
        assert result['shares']['products'] > 0
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith('|')]
    assert len(rows) == 2 + 3
    assert len({row.count('|') for row in rows}) == 1


@pytest.mark.parametrize(
    ('name', 'kind'),
    [
        ('aten::addmm', 'products'),
        ('aten::mkldnn_convolution', 'products'),
        ('aten::native_batch_norm', 'norms'),
        ('aten::copy_', 'copies'),
        ('aten::t', 'views'),
        ('aten::tanh', 'element-wise'),
        ('_AttentionBackward', 'products'),
        ('_GELU', 'element-wise'),
        ('ViewBackward0', 'other'),
    ],
)
def test_operators_have_a_kind(name, kind):
    assert bench.kind_of(name) == kind


def test_shares_count_the_operators():
    x = torch.randn(200, 200)
    _, shares = bench.shares(lambda: x @ x, 2)
    assert shares['products'] > 0
    assert shares['element-wise'] == shares['norms'] == shares['softmax'] == 0
