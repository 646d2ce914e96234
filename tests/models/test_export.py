"""Models export with dynamic sizes and give the same results at other sizes."""

import io
import warnings

import pytest
import torch
from torch.export import Dim, export

from graphmotion.graphs import PointGraph, sample_pixels
from graphmotion.models import create_model, list_models

pytestmark = pytest.mark.slow

V = 16  # joints
GRAPH = PointGraph.from_points(sample_pixels(10, 10, num=40), 4, num_modes=20, levels=2, ratio=0.25)

MIXER = {'embedding_dim': 4, 'in_channels': 3, 'channels': 8, 'depth': 1, 'heads': 2}
CLASSIFIER = {'num_classes': 4, 'channels': (8, 12)}
SILHOUETTES = {
    'channels': (2, 4, 4, 4), 'feature_dim': 4, 'width': 8, 'num_blocks': (1, 1), 'heads': 2,
    'feedforward_channels': 8, 'bins': (4,),
}  # fmt: skip
OPTIONS = {
    'fg_stformer': CLASSIFIER,
    'gaitformer': MIXER | {'num_frames': 90},
    'gaitmixer': MIXER | {'temporal_channels': (8, 12), 'kernel_size': 3},
    'lmgcs': SILHOUETTES,
    'lmgcs_ou_mvlp': SILHOUETTES,
    'msa_gcn': CLASSIFIER,
    'spagnn': {'graph': GRAPH, 'num_classes': 4},
    'spegnn': {'graph': GRAPH, 'num_classes': 4},
    'ssgnn': {'graph': GRAPH, 'num_classes': 4},
    'st_gcn': CLASSIFIER,
}


@pytest.fixture(params=list_models())
def case(request):
    """A small model, its input for a number of samples and frames, and what is dynamic in it."""
    name = request.param
    options = OPTIONS[name]
    graphs, frames = Dim('graphs'), Dim('frames', min=8, max=80)
    if name.startswith('lmgcs'):
        model = create_model(name, **options)
        return model.eval(), lambda b, t: torch.rand(b, t, 16, 12).round(), {0: graphs, 1: frames}
    if 'graph' in options:
        model = create_model(name, **options)
        return model.eval(), lambda b, _: torch.rand(b * 40, 1), {0: 40 * graphs}
    if name == 'st_gcn':  # torch.export does not resolve the rounding of its stride of two
        frames = 2 * Dim('half', min=4, max=40)
    model = create_model(name, skeleton='emotion_gait16', **options)
    return model.eval(), lambda b, t: torch.randn(b * V, t, 3), {0: V * graphs, 1: frames}


SIZES = ((5, 40), (3, 60))


@torch.no_grad()
def test_torch_export(case):
    model, inputs, dynamic = case
    x = inputs(2, 40)
    program = export(model, (x,), dynamic_shapes=(dynamic,)).module()
    for size in SIZES:
        x = inputs(*size)
        torch.testing.assert_close(program(x), model(x), atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_onnx(case):
    onnxruntime = pytest.importorskip('onnxruntime')
    pytest.importorskip('onnxscript')
    model, inputs, dynamic = case
    for optimize in (False,):
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # of the exporter
            program = torch.onnx.export(
                model,
                (inputs(2, 40),),
                dynamic_shapes=(dynamic,),
                dynamo=True,
                optimize=optimize,
                verbose=False,
            )
        file = io.BytesIO()
        program.save(file)
        session = onnxruntime.InferenceSession(file.getvalue(), providers=['CPUExecutionProvider'])
        (name,) = (value.name for value in session.get_inputs())
        for size in ((1, 40), *SIZES):
            x = inputs(*size)
            (out,) = session.run(None, {name: x.numpy()})
            torch.testing.assert_close(torch.from_numpy(out), model(x), atol=1e-4, rtol=1e-3)
