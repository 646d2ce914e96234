import math

import pytest
import torch

from graphmotion.graphs import knn_graph, sample_pixels
from graphmotion.nn import Divergence

POS = sample_pixels(10, 10, ratio=0.5)
EDGES = knn_graph(POS, 8)
SIZE = len(POS)


def test_linear_fields():
    """The divergence of (a x + b y, c x + d y) is a + d, per mean length of an edge."""
    length = (POS[EDGES[0]] - POS[EDGES[1]]).norm(dim=1).mean()
    x, y = POS.t()
    fields = torch.stack([0.3 * x + 2 * y, x, -x + 0.4 * y + 7, 5 * x], dim=1)
    out = Divergence(POS, EDGES)(fields)
    expected = torch.tensor([0.7, 1.0]) * length
    torch.testing.assert_close(out, expected.expand(SIZE, 2), atol=1e-3, rtol=1e-3)


def test_against_a_loop():
    layer = Divergence(POS, EDGES)
    x = torch.randn(2 * SIZE, 6)
    pos = POS.double()
    length = (pos[EDGES[0]] - pos[EDGES[1]]).norm(dim=1).mean()
    expected = torch.zeros(2 * SIZE, 3).double()
    for b in range(2):
        sample = x[b * SIZE : (b + 1) * SIZE].double()
        for v in range(SIZE):
            near = EDGES[0][EDGES[1] == v]
            offset = (pos[near] - pos[v]) / length
            root = torch.exp(-offset.square().sum(dim=1) / 4).unsqueeze(1)
            slope = torch.linalg.lstsq(root * offset, root * (sample[near] - sample[v]))[0]
            expected[b * SIZE + v] = slope[0, :3] + slope[1, 3:]
    torch.testing.assert_close(layer(x).double(), expected, atol=1e-4, rtol=1e-4)


def test_derivative_in_a_direction():
    layer = Divergence(POS, EDGES).double()
    f, angle = torch.randn(SIZE, 1).double(), 0.7
    zero = torch.zeros_like(f)
    along = layer(torch.cat([math.cos(angle) * f, math.sin(angle) * f], dim=1))
    parts = [layer(torch.cat(pair, dim=1)) for pair in ((f, zero), (zero, f))]
    torch.testing.assert_close(along, math.cos(angle) * parts[0] + math.sin(angle) * parts[1])


def test_constant_fields_have_no_divergence():
    assert Divergence(POS, EDGES)(torch.full((SIZE, 4), 3.0)).abs().max() < 1e-4


def test_gradients():
    layer = Divergence(POS[:12], knn_graph(POS[:12], 4)).double()
    x = torch.randn(24, 4).double().requires_grad_()
    assert torch.autograd.gradcheck(layer, (x,), fast_mode=True)


def test_bad_input_raises():
    with pytest.raises(ValueError, match=r'pos must have shape \[N, 2\], got \[3, 3\]'):
        Divergence(torch.rand(3, 3), torch.tensor([[0, 1], [1, 0]]))
    with pytest.raises(ValueError, match=r'x must have shape \[num_nodes, 2 C\], got \[50, 3\]'):
        Divergence(POS, EDGES)(torch.randn(SIZE, 3))
    with pytest.raises(ValueError, match='a multiple of 50 nodes, got 51'):
        Divergence(POS, EDGES)(torch.randn(SIZE + 1, 2))
