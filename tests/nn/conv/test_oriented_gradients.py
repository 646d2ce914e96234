import math

import pytest
import torch

from graphmotion.graphs import knn_graph, sample_pixels
from graphmotion.nn import OrientedGradients

POS = sample_pixels(12, 12, ratio=0.5)
EDGES = knn_graph(POS, 8)


def test_a_plane_has_its_slope_at_every_node():
    layer = OrientedGradients(POS, EDGES, num_directions=4, num_hops=0)
    length = (POS[EDGES[0]] - POS[EDGES[1]]).norm(dim=1).mean()
    slope = torch.tensor([0.3, -0.1]) * length
    x = (POS @ torch.tensor([0.3, -0.1]) + 5).unsqueeze(1)
    out = layer(x)
    assert torch.equal(out[:, :1], x)
    # Right, down, left, up.
    expected = torch.stack([slope[0], slope[1], -slope[0], -slope[1]]).clamp(min=0)
    expected = expected / (slope.square().sum() + 0.02).sqrt()
    torch.testing.assert_close(out[:, 1:], expected.expand(len(POS), 4), atol=1e-5, rtol=1e-4)


def test_against_loops():
    layer = OrientedGradients(POS, EDGES, num_directions=3, num_hops=2)
    x = torch.randn(2 * len(POS), 2)
    size, pos = len(POS), POS.double()
    length = (pos[EDGES[0]] - pos[EDGES[1]]).norm(dim=1).mean()
    neighbors = [EDGES[0][EDGES[1] == v].tolist() for v in range(size)]
    expected = []
    for sample in x.double().split(size):
        columns = []
        for channel in sample.t():
            gradient = torch.zeros(size, 2).double()
            for v in range(size):
                offset = (pos[neighbors[v]] - pos[v]) / length
                root = torch.exp(-offset.square().sum(dim=1) / 4).unsqueeze(1)
                differences = (channel[neighbors[v]] - channel[v]).unsqueeze(1)
                gradient[v] = torch.linalg.lstsq(root * offset, root * differences)[0].squeeze()
            energy = gradient.square().sum(dim=1)
            for _ in range(2):
                energy = torch.stack([energy[[v, *neighbors[v]]].mean() for v in range(size)])
            for q in range(3):
                angle = 2 * math.pi * q / 3
                along = math.cos(angle) * gradient[:, 0] + math.sin(angle) * gradient[:, 1]
                columns.append(along.clamp(min=0) / (energy + 0.02).sqrt())
        expected.append(torch.cat([sample, torch.stack(columns, dim=1)], dim=1))
    torch.testing.assert_close(layer(x).double(), torch.cat(expected), atol=1e-5, rtol=1e-4)


def test_a_flat_picture_has_no_gradient():
    out = OrientedGradients(POS, EDGES)(torch.full((len(POS), 1), 0.7))
    assert out[:, 1:].abs().max() < 1e-4


def test_collinear_nodes_have_a_gradient_along_their_line():
    pos = torch.tensor([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0]])
    edges = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
    layer = OrientedGradients(pos, edges, num_directions=2, num_hops=0)
    out = layer(torch.tensor([[0.0], [1.0], [2.0]]))
    torch.testing.assert_close(out[:, 1], torch.full((3,), 1 / math.sqrt(1.02)))
    assert out[:, 2].abs().max() < 1e-6


def test_isolated_nodes_have_no_neighbours():
    pos = torch.tensor([[0.0, 0.0], [1.0, 0.0], [9.0, 9.0]])
    out = OrientedGradients(pos, torch.tensor([[0, 1], [1, 0]]))(torch.randn(3, 1))
    assert out.isfinite().all()
    assert out[2, 1:].abs().max() == 0


def test_bad_input_raises():
    with pytest.raises(ValueError, match=r'pos must have shape \[N, 2\], got \[3, 3\]'):
        OrientedGradients(torch.rand(3, 3), torch.tensor([[0, 1], [1, 0]]))
    with pytest.raises(ValueError, match='num_directions must be >= 1'):
        OrientedGradients(POS, EDGES, num_directions=0)
    with pytest.raises(ValueError, match='a multiple of 72 nodes'):
        OrientedGradients(POS, EDGES)(torch.randn(71, 1))
