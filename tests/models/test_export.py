"""Models are exported once and give the same at other numbers of graphs and frames."""

import pytest
import torch
from torch.export import Dim

from graphmotion.graphs import PointGraph, sample_pixels
from graphmotion.models import create_model, list_models

pytestmark = pytest.mark.slow

GRAPH = PointGraph.from_points(sample_pixels(8, 8), k=8, num_modes=20, levels=2, ratio=0.25)
V, N = 16, GRAPH.num_nodes
CLASSIFIER = {'skeleton': 'emotion_gait16', 'num_classes': 4, 'channels': (4, 6)}
MIXER = {
    'skeleton': 'emotion_gait16', 'embedding_dim': 4, 'in_channels': 3, 'channels': 8, 'depth': 1,
    'heads': 2,
}  # fmt: skip
STRIPS = {
    'channels': (3, 4, 4), 'feature_dim': 5, 'width': 8, 'bins': (4,), 'heads': 2,
    'feedforward_channels': 12, 'num_blocks': (1, 1),
}  # fmt: skip
FACES = {'graph': GRAPH, 'num_classes': 3}
OWN_BASES = FACES | {'basis_per_graph': True, 'num_knots': 5}

# A model, its options, and what it is called with.
CASES = {
    'msa_gcn': ('msa_gcn', CLASSIFIER | {'scales': (16, 5)}, 'motion'),
    'st_gcn': ('st_gcn', CLASSIFIER, 'motion'),
    'st_gcn, two people': ('st_gcn', CLASSIFIER | {'num_people': 2}, 'motion of two'),
    'fg_stformer': ('fg_stformer', CLASSIFIER, 'motion'),
    'gaitmixer': ('gaitmixer', MIXER | {'temporal_channels': (8, 12), 'kernel_size': 5}, 'motion'),
    'gaitformer': ('gaitformer', MIXER, 'motion'),
    'lmgcs': ('lmgcs', STRIPS, 'silhouettes'),
    'lmgcs, padded': ('lmgcs', STRIPS | {'position': True}, 'padded silhouettes'),
    'lmgcs_ou_mvlp': ('lmgcs_ou_mvlp', STRIPS | {'fusion': 'attention'}, 'silhouettes'),
    'spagnn': ('spagnn', FACES | {'standardize': True, 'num_directions': 4}, 'face'),
    'spegnn': ('spegnn', FACES | {'num_pools': 1, 'reduce': 'max'}, 'face'),
    'spagnn, shared': ('spagnn', FACES | {'shared': True, 'num_layers': 2}, 'face'),
    'spegnn, directional': (
        'spegnn',
        FACES | {'channels': (3, 4), 'num_pools': 2, 'directional': True, 'multiscale': True},
        'face',
    ),
    'spegnn, own bases': ('spegnn', OWN_BASES, 'face with basis'),
    'ssgnn': ('ssgnn', FACES, 'face'),
}

BATCH, FRAMES = Dim('batch'), Dim('frames', min=6, max=60)
SHAPES = {
    'motion': {'x': {0: V * BATCH, 1: FRAMES}},
    'motion of two': {'x': {0: 2 * V * BATCH, 1: FRAMES}},
    'silhouettes': {'silhouettes': {0: BATCH, 1: FRAMES}},
    'padded silhouettes': {'silhouettes': {0: BATCH, 1: FRAMES}, 'num_frames': {0: BATCH}},
    'face': {'x': {0: N * BATCH}},
    'face with basis': {'x': {0: N * BATCH}, 'eigenvectors': {0: N * BATCH}},
}


def inputs(kind, num_graphs, num_frames):
    if kind.startswith('motion'):
        people = 2 if kind == 'motion of two' else 1
        return (torch.randn(people * num_graphs * V, num_frames, 3),)
    if kind.startswith('face'):
        x = torch.rand(num_graphs * N, 1)
        return (x, torch.randn(num_graphs * N, 20)) if kind == 'face with basis' else (x,)
    clips = (torch.rand(num_graphs, num_frames, 16, 10) > 0.5).float()
    lengths = torch.arange(num_graphs) % num_frames + 1
    return (clips, lengths) if kind == 'padded silhouettes' else (clips,)


@pytest.fixture(params=CASES)
def case(request):
    name, options, kind = CASES[request.param]
    return create_model(name, **options).eval(), kind


def test_all_models_are_exported_here():
    assert {name for name, _, _ in CASES.values()} == set(list_models())


@pytest.mark.parametrize('grad', [True, False])  # operators may choose another way without
def test_exports_with_dynamic_sizes(case, grad):
    model, kind = case
    with torch.set_grad_enabled(grad):
        args = inputs(kind, 3, 12)
        program = torch.export.export(model, args, dynamic_shapes=SHAPES[kind]).module()
    for sizes in ((3, 12), (2, 12), (5, 17), (4, 60), (2, 6)):
        args = inputs(kind, *sizes)
        torch.testing.assert_close(program(*args), model(*args))


@pytest.mark.filterwarnings('ignore')  # those of the exporter and of what it imports
def test_onnx_with_dynamic_sizes(case, tmp_path):
    for package in ('onnx', 'onnxscript'):
        pytest.importorskip(package)
    runtime = pytest.importorskip('onnxruntime')
    runtime.set_default_logger_severity(3)
    model, kind = case
    program = torch.onnx.export(
        model,
        inputs(kind, 3, 12),
        dynamic_shapes=SHAPES[kind],
        dynamo=True,
        optimize=False,
        verbose=False,
    )
    for optimized in (False, True):
        if optimized:
            program.optimize()
        program.save(tmp_path / 'model.onnx')
        session = runtime.InferenceSession(tmp_path / 'model.onnx')
        for sizes in ((3, 12), (1, 12), (5, 17), (4, 60), (2, 6)):
            args = inputs(kind, *sizes)
            feed = {node.name: arg.numpy() for node, arg in zip(session.get_inputs(), args)}
            out = torch.from_numpy(session.run(None, feed)[0])
            torch.testing.assert_close(out, model(*args), atol=1e-4, rtol=1e-4)
