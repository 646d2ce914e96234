"""Operators compile into one graph without breaks."""

import copy

import pytest
import torch
from torch.export import Dim

from graphmotion.nn import ChannelGate, SelectiveTemporalConv
from tests.nn.test_operators import OPERATORS, B, C, T, V

pytestmark = pytest.mark.slow


@pytest.mark.parametrize('name', OPERATORS)
def test_compiles_into_one_graph(name):
    module, args = OPERATORS[name]
    module = copy.deepcopy(module).eval()
    x = torch.randn(B * V, T, C)
    torch._dynamo.reset()
    compiled = torch.compile(module, backend='eager', fullgraph=True)
    torch.testing.assert_close(compiled(x, *args), module(x, *args))


@pytest.mark.parametrize('name', OPERATORS)
def test_exports_with_dynamic_sizes(name):
    module, args = OPERATORS[name]
    module = copy.deepcopy(module).eval()
    shapes = ({0: V * Dim('batch'), 1: Dim('frames', min=6)}, *[None] * len(args))
    x = torch.randn(B * V, T, C)
    program = torch.export.export(module, (x, *args), dynamic_shapes=shapes).module()
    for num_graphs, num_frames in ((B, T), (2, T), (5, 9), (4, 150)):
        x = torch.randn(num_graphs * V, num_frames, C)
        torch.testing.assert_close(program(x, *args), module(x, *args), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize('make', [ChannelGate, lambda c: SelectiveTemporalConv(c, c)])
def test_compiles_and_exports_with_a_batch_vector(make):
    module = make(C).eval()
    x, batch = torch.randn(B * V, T, C), torch.arange(B).repeat_interleave(V)
    kwargs = {'batch': batch, 'batch_size': B}
    torch._dynamo.reset()
    compiled = torch.compile(module, backend='eager', fullgraph=True)
    torch.testing.assert_close(compiled(x, **kwargs), module(x, V))
    program = torch.export.export(module, (x,), kwargs)
    torch.testing.assert_close(program.module()(x, **kwargs), module(x, V))
