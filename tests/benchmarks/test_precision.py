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
    ways = [bench.EAGER, bench.WHOLE, bench.FUSED, bench.INT8, bench.BFLOAT16]
    assert [r['run'] for r in results] == ways
    eager, whole, fused, int8, bfloat16 = results
    assert whole['difference'] < 1e-5
    assert (eager['speed_up'], eager['difference'], eager['same_answers']) == (None, 0, 1)
    assert fused['difference'] < 1e-5
    assert fused['same_answers'] == 1
    for result in (int8, bfloat16):
        assert 1e-5 < result['difference'] < 0.3
        assert result['speed_up']['median'] > 0
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith('|')]
    assert len(rows) == 2 + 5
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
    assert len(others) == 5
    assert len(bench.table_row(failed)) == len(bench.table_row(others[0])) == len(bench.COLUMNS)


def test_quantization_keeps_the_model():
    model = torch.nn.Sequential(torch.nn.Linear(8, 4))
    x = torch.randn(5, 8)
    quantized = bench.quantize(model, [x])
    assert type(model[0]) is torch.nn.Linear
    torch.testing.assert_close(quantized(x), model(x), atol=0.05, rtol=0.05)
    assert not torch.equal(quantized(x), model(x))


def test_layers_whose_weights_are_read_are_not_quantized():
    class Merged(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second, self.unused = (torch.nn.Linear(4, 4) for _ in range(3))
            self.last = torch.nn.Linear(4, 4)

        def forward(self, x):
            x = x @ (self.second.weight @ self.first.weight).t()
            return self.last(x.to(self.second.weight.dtype))

    model, x = Merged(), torch.randn(5, 4)
    assert bench.find_called_layers(model, [x]) == ['last']
    torch.testing.assert_close(bench.quantize(model, [x])(x), model(x), atol=0.05, rtol=0.05)
