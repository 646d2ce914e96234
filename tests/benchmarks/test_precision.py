"""Tests of the benchmark of reduced precision."""

import json

import torch

from benchmarks import precision as bench
from benchmarks.models.workloads import WORKLOADS, Workload


def test_all_ways_are_measured(tmp_path, monkeypatch, capsys):
    small = Workload('coco17', options={'num_classes': 3, 'channels': (4, 8)})
    monkeypatch.setitem(WORKLOADS, 'st_gcn', small)
    path = tmp_path / 'precision.json'
    bench.main(['--tiny', '--json', str(path)])
    results = json.loads(path.read_text())['results']
    assert [r['run'] for r in results] == [bench.EAGER, bench.FUSED, bench.INT8, bench.BFLOAT16]
    eager, fused, int8, bfloat16 = results
    assert (eager['speed_up'], eager['difference'], eager['same_answers']) == (None, 0, 1)
    assert fused['difference'] < 1e-5
    assert fused['same_answers'] == 1
    for result in (int8, bfloat16):
        assert 1e-5 < result['difference'] < 0.3
        assert result['speed_up']['median'] > 0
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith('|')]
    assert len(rows) == 2 + 4
    assert len({row.count('|') for row in rows}) == 1


def test_answers():
    out = torch.tensor([[0.0, 1.0], [0.2, 0.9], [5.0, 1.0]])
    assert bench.answers(out, embeddings=False).tolist() == [1, 1, 0]
    assert bench.answers(out, embeddings=True).tolist() == [1, 0, 1]


def test_errors_are_reported(monkeypatch):
    def broken(model):
        def run(*args):
            raise RuntimeError('no compiler found\nand much more')

        return run

    monkeypatch.setattr(torch, 'compile', broken)
    small = Workload('coco17', options={'num_classes': 3, 'channels': (4,)})
    monkeypatch.setitem(WORKLOADS, 'st_gcn', small)
    args = bench.parse_args(bench.make_parser(), ['--tiny'], bench.TINY)
    args.compile = True
    failed, *others = bench.measure('st_gcn', args)
    assert failed['error'] == 'RuntimeError: no compiler found'
    assert len(others) == 4
    assert len(bench.table_row(failed)) == len(bench.table_row(others[0])) == len(bench.COLUMNS)


def test_quantization_keeps_the_model():
    model = torch.nn.Sequential(torch.nn.Linear(8, 4))
    quantized = bench.quantize(model)
    assert type(model[0]) is torch.nn.Linear
    x = torch.randn(5, 8)
    torch.testing.assert_close(quantized(x), model(x), atol=0.05, rtol=0.05)
    assert not torch.equal(quantized(x), model(x))
