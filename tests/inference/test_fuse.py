"""Tests of networks that are fused for inference."""

from copy import deepcopy

import pytest
import torch
from torch.nn import BatchNorm1d, Module

from graphmotion.graphs import PointGraph, sample_pixels
from graphmotion.inference import SlidingModel, fuse_for_inference
from graphmotion.models import create_model
from graphmotion.nn import MotionBatchNorm

SMALL = {'channels': (8, 8, 16)}
MODELS = {
    'st_gcn': SMALL,
    'st_gcn, several people': SMALL | {'num_people': 2, 'edge_importance': False},
    'msa_gcn': SMALL | {'strides': (1, 2, 1), 'kernel_sizes': (3, 5, 7)},
    'msa_gcn, one kernel': SMALL | {'kernel_sizes': (3,), 'final_relu': True},
    'msa_gcn, no kernel': SMALL | {'kernel_sizes': (), 'strides': (1, 2, 1)},
    'msa_gcn, wide': {'channels': (8, 128), 'kernel_sizes': (3, 7, 5)},
    'lmgcs': {'channels': (4, 8), 'width': 8, 'heads': 2, 'feedforward_channels': 16},
    'agcn': SMALL,
    'agcn, without similarity': SMALL | {'similarity': False},
    'ctr_gcn': SMALL,
    'ctr_gcn, without refinement': SMALL | {'refine': False},
    'fg_stformer': SMALL,
    'gaitmixer': {'channels': 8, 'heads': 2, 'depth': 1, 'temporal_channels': (8, 16)},
    'gaitformer': {'channels': 8, 'heads': 2, 'depth': 1},
    'spagnn': {'batch_norm': True},
    'spegnn': {'batch_norm': True, 'channels': (4, 4), 'bias': True},
    'spegnn, directional': {'batch_norm': True, 'directional': True},
    'ssgnn': {'spatial': {'batch_norm': True}, 'spectral': {'batch_norm': True}},
}
# Normalisations that no linear map precedes.
KEPT = {'st_gcn': 1, 'msa_gcn': 3, 'agcn': 1, 'ctr_gcn': 1, 'spegnn, directional': 1}


def make(key, dtype=torch.double):
    """Returns a network with random weights and statistics, and its input."""
    name, options = key.partition(',')[0], MODELS[key]
    torch.manual_seed(0)
    if name in ('spagnn', 'spegnn', 'ssgnn'):
        pos = sample_pixels(8, 8)
        graph = PointGraph.from_points(pos, num_modes=8, levels=2, ratio=0.25)
        model = create_model(name, graph=graph, num_classes=3, **options)
        x = torch.randn(2 * graph.num_nodes, 1)
    elif name == 'lmgcs':
        model, x = create_model(name, **options), torch.rand(2, 4, 64, 44).round()
    else:
        sizes = {} if name.startswith('gait') else {'num_classes': 3}
        options = options | {'in_channels': 3}
        model = create_model(name, skeleton='emotion_gait16', **sizes, **options)
        x = torch.randn(4 * model.skeleton.num_joints, 40, 3)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    for module in model.modules():
        if isinstance(module, BatchNorm1d):
            torch.nn.init.normal_(module.running_mean)
            torch.nn.init.uniform_(module.running_var, 0.2, 2)
            # Also negative scales.
            torch.nn.init.normal_(module.weight)
    return model.to(dtype).eval(), x.to(dtype)


def count_norms(model: Module) -> int:
    """Returns the number of batch normalisations."""
    return sum(isinstance(module, BatchNorm1d) for module in model.modules())


@pytest.mark.parametrize('key', MODELS)
def test_fused_networks_return_the_same(key):
    model, x = make(key)
    state, before = deepcopy(model.state_dict()), x.clone()
    expected = model(x)
    fused = fuse_for_inference(model.train())
    assert not fused.training
    assert model.training
    assert not any(parameter.requires_grad for parameter in fused.parameters())
    torch.testing.assert_close(fused(x), expected, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(x, before, rtol=0, atol=0)
    torch.testing.assert_close(model.state_dict(), state, rtol=0, atol=0)
    assert count_norms(fused) == KEPT.get(key, KEPT.get(key.partition(',')[0], 0))
    torch.testing.assert_close(fuse_for_inference(fused)(x), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize('key', [key for key in MODELS if key[:2] not in ('sp', 'ss', 'lm')])
def test_fused_networks_ignore_padding(key):
    model, x = make(key)
    people = getattr(model, 'num_people', 1)
    num_frames = torch.tensor([40, 33, 36, 39][: 4 // people])
    expected = model(x, num_frames=num_frames)
    out = fuse_for_inference(model)(x, num_frames=num_frames)
    torch.testing.assert_close(out, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    'key', ['st_gcn', 'agcn, without similarity', 'ctr_gcn, without refinement', 'fg_stformer']
)
def test_fused_networks_slide(key):
    model, x = make(key)
    sliding = SlidingModel(fuse_for_inference(model), min_flops=0)
    for first in range(0, 10, 2):
        window = x[:, first : first + 30].contiguous()
        torch.testing.assert_close(sliding(window, first), model(window), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize('key', MODELS)
def test_gradients_of_the_input_are_the_same(key):
    model, x = make(key)
    gradients = []
    for network in (model, fuse_for_inference(model)):
        leaf = x.clone().requires_grad_()
        out = network(leaf)
        weight = torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view(out.shape)
        gradients.append(torch.autograd.grad(out, leaf, weight)[0])
    torch.testing.assert_close(*gradients, rtol=1e-8, atol=1e-8)


def test_other_modules_are_copied():
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), MotionBatchNorm(4))
    fused = fuse_for_inference(model)
    x = torch.randn(5, 6, 3)
    torch.testing.assert_close(fused(x), model.eval()(x), rtol=0, atol=0)
    with torch.no_grad():
        model[0].weight.zero_()
    assert fused[0].weight.any()
