import math

import networkx
import pytest
import torch

from graphmotion.nn import LocallyConnectedConv
from graphmotion.nn.conv import locally_connected_conv as module

N = 12


@pytest.fixture(autouse=True, params=[0, math.inf], ids=['edges', 'nodes'])
def products(request, monkeypatch):
    """Multiplies by one product per edge, or per node."""
    monkeypatch.setattr(module, 'MAX_FILL', request.param)


POS = torch.randn(N, 2, generator=torch.Generator().manual_seed(0))


def edges(graph=None) -> torch.Tensor:
    """Both directions of the edges of a graph whose nodes differ in degree."""
    graph = networkx.barabasi_albert_graph(N, 2, seed=0) if graph is None else graph
    return torch.tensor(list(graph.to_directed().edges)).t()


def dense(conv: LocallyConnectedConv) -> torch.Tensor:
    """The matrix [N * F, N * C] of the convolution."""
    size, out = conv.in_channels, conv.out_channels
    matrix = torch.zeros(conv.num_nodes * out, conv.num_nodes * size, dtype=torch.float64)
    for e, (u, v) in enumerate(conv.edge_index.t().tolist()):
        weight = conv.weight[e].detach()
        matrix[v * out : (v + 1) * out, u * size : (u + 1) * size] += weight.t()
    return matrix


def grid(height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Positions of the pixels of an image, and edges to the eight around each."""
    pos = torch.tensor([[x, y] for y in range(height) for x in range(width)]).float()
    near = (pos[:, None] - pos).abs().amax(dim=2) == 1
    return pos, near.nonzero().t()


@pytest.mark.parametrize('loops', [False, True])
def test_is_a_masked_dense_matrix(loops):
    conv = LocallyConnectedConv(3, 5, edges(), N, loops).double()
    x = torch.randn(2 * N, 4, 3).double()
    matrix = dense(conv)
    mask = torch.eye(N) * loops
    mask[edges()[1], edges()[0]] = 1
    blocks = matrix.view(N, 5, N, 3).abs().amax(dim=(1, 3)) > 0
    assert torch.equal(blocks, mask.bool())
    for b in range(2):
        for t in range(4):
            graph = slice(b * N, (b + 1) * N)
            expected = (matrix @ x[graph, t].flatten()).view(N, 5) + conv.bias
            torch.testing.assert_close(conv(x)[graph, t], expected)
            torch.testing.assert_close(conv(x[:, t])[graph], expected)


def test_graph_whose_nodes_have_equal_degrees():
    """Every slot holds a neighbour, and nothing is padded."""
    conv = LocallyConnectedConv(3, 5, edges(networkx.cycle_graph(N)), N).double()
    assert not conv.has_free_slots
    x = torch.randn(N, 3).double()
    expected = (dense(conv) @ x.flatten()).view(N, 5) + conv.bias
    torch.testing.assert_close(conv(x), expected)


def test_gradient_of_weights_matches_the_masked_dense_matrix():
    conv = LocallyConnectedConv(3, 5, edges(), N, bias=False).double()
    x, grad = torch.randn(N, 3).double(), torch.randn(N, 5).double()
    (conv(x) * grad).sum().backward()
    for e, (u, v) in enumerate(conv.edge_index.t().tolist()):
        torch.testing.assert_close(conv.weight.grad[e], torch.outer(x[u], grad[v]))


def test_weights_of_one_over_degree_are_the_mean_of_the_neighbourhood():
    conv = LocallyConnectedConv(1, 1, edges(), N, bias=False).double()
    target = conv.edge_index[1]
    degree = torch.bincount(target)
    conv.weight.data = (1 / degree[target].double()).view(-1, 1, 1)
    x = torch.randn(N, 1).double()
    graph = networkx.barabasi_albert_graph(N, 2, seed=0)
    expected = torch.stack([x[[v, *graph.neighbors(v)]].mean(dim=0) for v in range(N)])
    torch.testing.assert_close(conv(x), expected)


def test_complete_graph_with_self_loops_is_a_full_layer():
    conv = LocallyConnectedConv(3, 5, edges(networkx.complete_graph(N)), N, bias=False).double()
    full = torch.nn.Linear(N * 3, N * 5, bias=False).double()
    source, target = conv.edge_index
    conv.weight.data = full.weight.data.view(N, 5, N, 3)[target, :, source].transpose(1, 2)
    x = torch.randn(4 * N, 3).double()
    torch.testing.assert_close(conv(x).view(4, -1), full(x.view(4, -1)))


def test_number_of_parameters():
    nnz = edges().size(1)
    for loops, num in ((True, nnz + N), (False, nnz)):
        conv = LocallyConnectedConv(3, 5, edges(), N, loops, bias=False)
        assert [p.numel() for p in conv.parameters()] == [num * 3 * 5]
    for size, dim in ((3, 2), (5, 2), (3, 3), (1, 2)):
        conv = LocallyConnectedConv(
            3, 5, edges(), N, shared=True, pos=torch.randn(N, dim), kernel_size=size, bias=False
        )
        assert [p.numel() for p in conv.parameters()] == [size**dim * 3 * 5]
    conv = LocallyConnectedConv(3, 5, edges(), N)
    assert sum(p.numel() for p in conv.parameters()) == (nnz + N) * 15 + 5


def test_self_loops_are_not_duplicated():
    loops = torch.arange(N).expand(2, -1)
    conv = LocallyConnectedConv(3, 5, torch.cat([edges(), loops], dim=1), N)
    assert conv.edge_index.size(1) == edges().size(1) + N


@pytest.mark.parametrize('loops', [False, True])
@pytest.mark.parametrize('size', [1, 3, 5])
def test_shared_weights_against_a_loop(loops, size):
    conv = LocallyConnectedConv(3, 5, edges(), N, loops, True, POS, size, bias=False).double()
    pairs = [(u, v) for u, v in edges().t().tolist()] + [(v, v) for v in range(N)] * loops
    pos = POS.double()
    lengths = sorted(float((pos[u] - pos[v]).abs().max()) for u, v in pairs if u != v)
    spacing = lengths[(len(lengths) - 1) // 2]
    reach = size // 2
    x = torch.randn(2 * N, 4, 3).double()
    expected = torch.zeros(2 * N, 4, 5).double()
    for v in range(N):
        for i in range(size):
            for j in range(size):
                total, mean = 0.0, torch.zeros(2, 4, 3).double()
                for u in (u for u, target in pairs if target == v):
                    dx, dy = (min(max(float(d) / spacing, -reach), reach) for d in pos[u] - pos[v])
                    share = max(0, 1 - abs(dx + reach - i)) * max(0, 1 - abs(dy + reach - j))
                    total += share
                    mean += share * x.view(2, N, 4, 3)[:, u]
                if total:
                    out = mean / total @ conv.weight[i * size + j].detach()
                    expected.view(2, N, 4, 5)[:, v] += out
    torch.testing.assert_close(conv(x), expected, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(conv(x[:, 0]), expected[:, 0], atol=1e-6, rtol=1e-6)


def test_shared_weights_on_a_grid_are_an_image_convolution():
    pos, edge_index = grid(6, 7)
    conv = LocallyConnectedConv(2, 3, edge_index, 42, shared=True, pos=pos)
    image = torch.randn(4, 2, 6, 7)
    kernel = conv.weight.view(3, 3, 2, 3).permute(3, 2, 1, 0)  # x before y in the weights
    expected = torch.nn.functional.conv2d(image, kernel, conv.bias, padding=1)
    out = conv(image.permute(0, 2, 3, 1).reshape(-1, 2)).view(4, 6, 7, 3).permute(0, 3, 1, 2)
    torch.testing.assert_close(out, expected, atol=1e-5, rtol=1e-5)


def test_shared_weights_can_be_a_horizontal_edge_filter():
    """Right minus left, on an image that is brighter on the right and one brighter below."""
    pos, edge_index = grid(5, 5)
    conv = LocallyConnectedConv(1, 1, edge_index, 25, shared=True, pos=pos, bias=False)
    conv.weight.data = torch.tensor([-1.0, -2, -1, 0, 0, 0, 1, 2, 1]).view(9, 1, 1)
    inner = ((pos > 0) & (pos < 4)).all(dim=1)
    assert conv(pos[:, :1])[inner].unique().tolist() == [8.0]
    assert conv(pos[:, 1:])[inner].unique().tolist() == [0.0]


def test_shared_weights_are_equivariant_to_translation():
    pos, edge_index = grid(8, 8)
    conv = LocallyConnectedConv(2, 3, edge_index, 64, shared=True, pos=pos)
    image = torch.zeros(8, 8, 2)
    image[2:5, 2:5] = torch.randn(3, 3, 2)
    out = conv(image.view(-1, 2)).view(8, 8, 3)
    moved = conv(image.roll((1, 2), (0, 1)).view(-1, 2)).view(8, 8, 3)
    torch.testing.assert_close(moved, out.roll((1, 2), (0, 1)))


def test_shared_weights_do_not_depend_on_the_order_of_edges_or_the_scale():
    conv = LocallyConnectedConv(3, 5, edges(), N, shared=True, pos=POS)
    other = LocallyConnectedConv(3, 5, edges().flip(1), N, shared=True, pos=10 * POS + 3)
    other.load_state_dict(conv.state_dict())
    x = torch.randn(N, 3)
    torch.testing.assert_close(other(x), conv(x), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize('shared', [False, True])
def test_weights_of_edges(shared):
    conv = LocallyConnectedConv(3, 5, edges(), N, shared=shared, pos=POS, bias=False).double()
    x = torch.randn(N, 3).double()
    source, target = conv.edge_index
    messages = torch.einsum('ec,ecf->ef', x[source], conv.edge_weight)
    expected = torch.zeros(N, 5).double().index_add(0, target, messages)
    torch.testing.assert_close(conv(x), expected)


def test_permuting_nodes_with_graph_and_weights():
    conv = LocallyConnectedConv(3, 5, edges(), N)
    order = torch.randperm(N)  # node i of the new graph was order[i]
    other = LocallyConnectedConv(3, 5, order.argsort()[edges()], N)
    place = {edge: e for e, edge in enumerate(map(tuple, conv.edge_index.t().tolist()))}
    where = [place[tuple(edge)] for edge in order[other.edge_index].t().tolist()]
    other.load_state_dict({'weight': conv.weight[where], 'bias': conv.bias})
    x = torch.randn(N, 4, 3)
    torch.testing.assert_close(other(x[order]), conv(x)[order], atol=1e-5, rtol=1e-5)
    assert (conv(x[order]) - conv(x)[order]).abs().max() > 1e-2


def test_nodes_without_neighbours_receive_the_bias_alone():
    for shared in (False, True):
        conv = LocallyConnectedConv(
            3, 5, torch.tensor([[0], [1]]), 3, False, shared, torch.randn(3, 2)
        )
        out = conv(torch.randn(3, 3))
        torch.testing.assert_close(out[[0, 2]], conv.bias.expand(2, -1))
        none = LocallyConnectedConv(
            3, 5, torch.empty(2, 0).long(), 3, False, shared, torch.randn(3, 2)
        )
        torch.testing.assert_close(none(torch.randn(3, 3)), none.bias.expand(3, -1))


def test_weights_are_drawn_by_the_number_of_inputs():
    conv = LocallyConnectedConv(25, 5, edges(networkx.circulant_graph(N, [1, 2])), N, False)
    assert 0.09 < conv.weight.abs().max() <= 0.1
    pos, edge_index = grid(30, 30)
    conv = LocallyConnectedConv(4, 100, edge_index, 900, shared=True, pos=pos)
    assert 1 / 6 * 0.99 < conv.weight.abs().max() <= 1 / 6 * 1.03  # fewer bins at the border


def test_no_tensor_of_messages_is_kept(monkeypatch):
    """Neither [B, E, C, F] nor [B, E, F] exists: what is kept are gathered features and weights."""
    monkeypatch.setattr(module, 'MAX_FILL', math.inf)
    conv, kept = LocallyConnectedConv(2, 16, edges(), N), []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda t: kept.append(t.numel()) or t, lambda t: t
    ):
        conv(torch.randn(50 * N, 2, requires_grad=True))
    assert max(kept) <= 50 * N * conv.max_degree * 2


def test_wrong_input_raises():
    conv = LocallyConnectedConv(3, 5, edges(), N)
    with pytest.raises(ValueError, match='multiple of 12 nodes, got 13'):
        conv(torch.randn(N + 1, 3))
    with pytest.raises(ValueError, match='x must have 3 channels, got 4'):
        conv(torch.randn(N, 4))
    with pytest.raises(ValueError, match=r'edge_index must be in \[0, 9\], got 0 to 11'):
        LocallyConnectedConv(3, 5, edges(), 10)
    with pytest.raises(ValueError, match=r'must have shape \[2, num_edges\], got \[44\]'):
        LocallyConnectedConv(3, 5, torch.zeros(44).long(), N)
    with pytest.raises(ValueError, match=r'pos must have shape \[12, D\] if shared, got None'):
        LocallyConnectedConv(3, 5, edges(), N, shared=True)
    with pytest.raises(ValueError, match=r'pos must have shape \[12, D\] if shared, got \[11, 2\]'):
        LocallyConnectedConv(3, 5, edges(), N, shared=True, pos=POS[1:])
    with pytest.raises(ValueError, match='kernel_size must be odd, got 2'):
        LocallyConnectedConv(3, 5, edges(), N, shared=True, pos=POS, kernel_size=2)


@pytest.mark.parametrize('shared', [False, True])
def test_gradients_for_features_and_weights(shared):
    conv = LocallyConnectedConv(2, 3, edges(), N, shared=shared, pos=POS).double()
    x = torch.randn(2 * N, 2, 2).double().requires_grad_()
    inputs = (x, *conv.parameters())
    assert torch.autograd.gradcheck(lambda x, *_: conv(x), inputs, fast_mode=True)
