import networkx
import pytest
import torch

from graphmotion.nn import LocallyConnectedConv

N = 12


def edges(graph=None) -> torch.Tensor:
    """Both directions of the edges of a graph whose nodes differ in degree."""
    graph = networkx.barabasi_albert_graph(N, 2, seed=0) if graph is None else graph
    return torch.tensor(list(graph.to_directed().edges)).t()


def dense(conv: LocallyConnectedConv) -> torch.Tensor:
    """The matrix [N * F, N * C] that the convolution is."""
    size, out = conv.in_channels, conv.out_channels
    matrix = torch.zeros(conv.num_nodes * out, conv.num_nodes * size, dtype=torch.float64)
    seen = [0] * conv.num_nodes
    for e, (u, v) in enumerate(conv.edge_index.t().tolist()):
        weight = conv.weight[seen[v] if conv.shared else e].detach()
        matrix[v * out : (v + 1) * out, u * size : (u + 1) * size] += weight.t()
        seen[v] += 1
    return matrix


@pytest.mark.parametrize('shared', [False, True])
@pytest.mark.parametrize('loops', [False, True])
def test_is_a_masked_dense_matrix(shared, loops):
    conv = LocallyConnectedConv(3, 5, edges(), N, loops, shared).double()
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


@pytest.mark.parametrize('shared', [False, True])
def test_graph_whose_nodes_have_equal_degrees(shared):
    """There every slot holds a neighbour, and nothing is padded."""
    conv = LocallyConnectedConv(3, 5, edges(networkx.cycle_graph(N)), N, shared=shared).double()
    assert not conv.has_free_slots
    x = torch.randn(N, 3).double()
    expected = (dense(conv) @ x.flatten()).view(N, 5) + conv.bias
    torch.testing.assert_close(conv(x), expected)


def test_gradient_of_weights_is_that_of_the_dense_matrix_on_its_mask():
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
    cases = {(True, False): nnz + N, (False, False): nnz}
    degree = int(torch.bincount(edges()[1]).max())
    cases |= {(True, True): degree + 1, (False, True): degree}
    for (loops, shared), num in cases.items():
        conv = LocallyConnectedConv(3, 5, edges(), N, loops, shared, bias=False)
        assert [p.numel() for p in conv.parameters()] == [num * 3 * 5]
    conv = LocallyConnectedConv(3, 5, edges(), N)
    assert sum(p.numel() for p in conv.parameters()) == (nnz + N) * 15 + 5


def test_self_loops_are_there_once():
    loops = torch.arange(N).expand(2, -1)
    conv = LocallyConnectedConv(3, 5, torch.cat([edges(), loops], dim=1), N)
    assert conv.edge_index.size(1) == edges().size(1) + N


def test_shared_weights_follow_the_order_of_the_edges():
    """Node 0 hears from 2, then from 1; its own features come first."""
    edge_index = torch.tensor([[2, 1, 0], [0, 0, 1]])
    conv = LocallyConnectedConv(1, 1, edge_index, 3, shared=True, bias=False)
    conv.weight.data = torch.tensor([1.0, 10.0, 100.0]).view(3, 1, 1)
    out = conv(torch.tensor([[1.0], [2.0], [3.0]]))
    assert out.flatten().tolist() == [1 + 10 * 3 + 100 * 2, 2 + 10 * 1, 3]


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
        conv = LocallyConnectedConv(3, 5, torch.tensor([[0], [1]]), 3, False, shared)
        out = conv(torch.randn(3, 3))
        torch.testing.assert_close(out[[0, 2]], conv.bias.expand(2, -1))
        none = LocallyConnectedConv(3, 5, torch.empty(2, 0).long(), 3, False, shared)
        torch.testing.assert_close(none(torch.randn(3, 3)), none.bias.expand(3, -1))


def test_weights_are_drawn_by_the_number_of_inputs():
    conv = LocallyConnectedConv(25, 5, edges(networkx.circulant_graph(N, [1, 2])), N, False)
    assert 0.09 < conv.weight.abs().max() <= 0.1


def test_no_tensor_of_messages_is_kept():
    """Neither [B, E, C, F] nor [B, E, F] exists: what is kept are gathered features and weights."""
    conv, kept = LocallyConnectedConv(2, 16, edges(), N), []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda t: kept.append(t.numel()) or t, lambda t: t
    ):
        conv(torch.randn(50 * N, 2, requires_grad=True))
    assert max(kept) <= 50 * N * conv.max_degree * 2


def test_wrong_input_is_refused():
    conv = LocallyConnectedConv(3, 5, edges(), N)
    with pytest.raises(ValueError, match='multiple of 12 nodes, got 13'):
        conv(torch.randn(N + 1, 3))
    with pytest.raises(ValueError, match='x has 4 channels, expected 3'):
        conv(torch.randn(N, 4))
    with pytest.raises(ValueError, match='names the nodes 0 to 11, expected 0 to 9'):
        LocallyConnectedConv(3, 5, edges(), 10)
    with pytest.raises(ValueError, match=r'shape \[44\], expected \[2, num_edges\]'):
        LocallyConnectedConv(3, 5, torch.zeros(44).long(), N)


@pytest.mark.parametrize('shared', [False, True])
def test_gradients_for_features_and_weights(shared):
    conv = LocallyConnectedConv(2, 3, edges(), N, shared=shared).double()
    x = torch.randn(2 * N, 2, 2).double().requires_grad_()
    inputs = (x, *conv.parameters())
    assert torch.autograd.gradcheck(lambda x, *_: conv(x), inputs, fast_mode=True)
