""":func:`torch.export.export` takes models as they are, without graphmotion.inference.export.

Networks are as small as possible, since the time of an export grows with the number of operations.
"""

import pytest
import torch
from torch.export import Dim

from graphmotion.graphs import PointGraph, sample_pixels
from graphmotion.models import create_model

pytestmark = pytest.mark.slow

GRAPH = PointGraph.from_points(sample_pixels(6, 6), k=4, num_modes=12, levels=2, ratio=0.25)
V, N, K = 16, GRAPH.num_nodes, 12
CLASSIFIER = {'skeleton': 'emotion_gait16', 'num_classes': 4, 'channels': (4, 8)}
ONE_LAYER = CLASSIFIER | {'channels': (4,)}
MIXER = {
    'skeleton': 'emotion_gait16', 'embedding_dim': 4, 'in_channels': 3, 'channels': 8, 'depth': 1,
    'heads': 2,
}  # fmt: skip
STRIPS = {
    'channels': (3, 4), 'feature_dim': 5, 'width': 8, 'bins': (4,), 'window_sizes': (1, 3),
    'heads': 2, 'feedforward_channels': 12, 'num_blocks': (1, 1),
}  # fmt: skip
FACES = {'graph': GRAPH, 'num_classes': 3, 'channels': (2, 3)}

# Name of a model, its options, and the kind of its inputs.
CASES = {
    'msa_gcn': ('msa_gcn', ONE_LAYER | {'scales': (16, 5), 'cross_scale_layers': 1}, 'motion'),
    'st_gcn': ('st_gcn', CLASSIFIER, 'motion'),
    'st_gcn, two people': ('st_gcn', ONE_LAYER | {'num_people': 2}, 'motion of two'),
    'agcn': ('agcn', ONE_LAYER, 'motion'),
    'ctr_gcn': ('ctr_gcn', ONE_LAYER | {'num_people': 2}, 'motion of two'),
    'fg_stformer': ('fg_stformer', ONE_LAYER | {'dilations': (1,)}, 'motion'),
    'gaitmixer': ('gaitmixer', MIXER | {'temporal_channels': (12,), 'kernel_size': 5}, 'motion'),
    'gaitmixer, joints side by side': (
        'gaitmixer',
        MIXER | {'temporal_channels': (12,), 'kernel_size': 5, 'joint_pooling': 'concat'},
        'motion',
    ),
    'gaitformer': ('gaitformer', MIXER, 'motion'),
    'lmgcs': ('lmgcs', STRIPS, 'silhouettes'),
    'lmgcs_ou_mvlp': (
        'lmgcs_ou_mvlp',
        STRIPS | {'fusion': 'attention', 'position': True},
        'padded silhouettes',
    ),
    'spagnn': ('spagnn', FACES | {'standardize': True, 'num_directions': 4}, 'face'),
    'spegnn': ('spegnn', FACES | {'num_pools': 1, 'reduce': 'max'}, 'face'),
    'spegnn, own bases': (
        'spegnn',
        FACES | {'basis_per_graph': True, 'num_knots': 5},
        'face with basis',
    ),
    'ssgnn': ('ssgnn', {'graph': GRAPH, 'num_classes': 3}, 'face'),
    'spagnn, shared': ('spagnn', FACES | {'shared': True, 'num_layers': 2}, 'face'),
    'spegnn, directional': (
        'spegnn',
        FACES | {'channels': (3, 4), 'num_pools': 2, 'directional': True, 'multiscale': True},
        'face',
    ),
}

# Large temporal kernels and cluster pooling compute otherwise with gradients. Without them, each
# model is exported in tests/inference/test_export.py.
WITH_GRADIENTS = ('gaitmixer', 'spagnn', 'spegnn')
VARIANTS = [case for case, (name, _, _) in CASES.items() if case != name]

BATCH, FRAMES = Dim('batch'), Dim('frames', min=6, max=60)
SHAPES = {
    'motion': {'x': {0: V * BATCH, 1: FRAMES}},
    'motion of two': {'x': {0: 2 * V * BATCH, 1: FRAMES}},
    'face': {'x': {0: N * BATCH}},
    'face with basis': {'x': {0: N * BATCH}, 'eigenvectors': {0: N * BATCH}},
}
SIZES = ((3, 12), (2, 12), (5, 17), (4, 60), (2, 6))  # numbers of graphs and frames


def inputs(kind, num_graphs, num_frames):
    if kind.startswith('motion'):
        people = 2 if kind == 'motion of two' else 1
        return (torch.randn(people * num_graphs * V, num_frames, 3),)
    if kind.startswith('face'):
        x = torch.rand(num_graphs * N, 1)
        return (x, torch.randn(num_graphs * N, K)) if kind == 'face with basis' else (x,)
    clips = (torch.rand(num_graphs, num_frames, 16, 10) > 0.5).float()
    lengths = torch.arange(num_graphs) % num_frames + 1
    return (clips, lengths) if kind == 'padded silhouettes' else (clips,)


@pytest.mark.parametrize('case', [*WITH_GRADIENTS, *VARIANTS])
def test_exports_with_dynamic_sizes(case):
    name, options, kind = CASES[case]
    torch.manual_seed(0)
    model = create_model(name, **options).eval()
    program = torch.export.export(model, inputs(kind, 3, 12), dynamic_shapes=SHAPES[kind]).module()
    for sizes in SIZES:
        args = inputs(kind, *sizes)
        torch.testing.assert_close(program(*args), model(*args))
