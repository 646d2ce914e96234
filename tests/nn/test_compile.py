"""Operators compile into one graph without breaks."""

import copy

import pytest
import torch

from tests.nn.test_operators import OPERATORS, B, C, T, V


@pytest.mark.parametrize('name', OPERATORS)
def test_compiles_into_one_graph(name):
    module, args = OPERATORS[name]
    module = copy.deepcopy(module).eval()
    x = torch.randn(B * V, T, C)
    torch._dynamo.reset()
    compiled = torch.compile(module, backend='eager', fullgraph=True)
    torch.testing.assert_close(compiled(x, *args), module(x, *args))
