"""Tests of the benchmark of exported models."""

import io
import json
from contextlib import redirect_stdout

import pytest
import torch

from benchmarks import export as bench
from benchmarks.models.workloads import WORKLOADS, Workload, make_inputs, make_model
from graphmotion import models


@pytest.mark.slow
def test_eager_and_exported_models_are_measured(tmp_path, monkeypatch):
    pytest.importorskip('onnxruntime')
    small = Workload('coco17', options={'num_classes': 3, 'channels': (4,)})
    monkeypatch.setitem(WORKLOADS, 'st_gcn', small)
    path = tmp_path / 'export.json'
    with redirect_stdout(io.StringIO()) as out:
        bench.main(['--tiny', '--threads', '1', '--json', str(path)])
    results = json.loads(path.read_text())['results']
    assert [r['run_by'] for r in results] == [bench.EAGER, bench.ONNX]
    eager, onnx = results
    assert (eager['speed_up'], eager['file_size']) == (None, None)
    assert onnx['file_size'] > 4 * 3 * 3 * 4  # at least the weights of the first layer
    assert onnx['speed_up']['median'] > 0
    assert onnx['prepared'] > 0
    assert all((r['batch'], r['joints'], r['frames']) == (2, 17, 8) for r in results)
    rows = [line for line in out.getvalue().splitlines() if line.startswith('|')]
    assert len(rows) == 2 + 2
    assert len({row.count('|') for row in rows}) == 1


@pytest.mark.parametrize(('name', 'dims'), [('st_gcn', 4), ('lmgcs', 4), ('spagnn', 3)])
def test_inputs_have_the_layout_of_the_file(name, dims):
    workload = WORKLOADS[name]
    if name == 'st_gcn':
        workload = Workload('coco17', 8, options={'num_classes': 3, 'channels': (4,)})
    model = make_model(name, getattr(models, name), workload)
    inputs = make_inputs(name, model, workload, 2)
    num_nodes = 1 if name == 'lmgcs' else bench.count_nodes(model, workload)
    field = 'silhouettes' if name == 'lmgcs' else 'x'
    (array,) = bench.onnx_inputs(field, inputs, 2, num_nodes)
    assert array.ndim == dims
    assert len(array) == 2
    if name == 'st_gcn':
        expected = inputs[0].view(2, 17, 8, 3)[:, 5, 6]
        torch.testing.assert_close(torch.from_numpy(array[:, 6, 5]), expected)
