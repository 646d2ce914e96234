"""Operators compile into one graph without breaks."""

import copy

import pytest
import torch

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
