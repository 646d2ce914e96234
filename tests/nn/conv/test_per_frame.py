import pytest
import torch
from torch_geometric.nn import (
    ChebConv,
    GATConv,
    GCNConv,
    GINConv,
    GraphConv,
    HypergraphConv,
    RGCNConv,
    SAGEConv,
    TransformerConv,
)
from torch_geometric.utils import add_self_loops

from graphmotion.nn import PerFrame, TemporalConv
from graphmotion.skeletons import get_skeleton

V, T, C, F = 16, 18, 8, 6
EDGES = get_skeleton('emotion_gait16').edge_index
E = EDGES.size(1)
WEIGHT, ATTR = torch.rand(E), torch.randn(E, 5)
CONVS = {
    'gcn': (GCNConv(C, F), (WEIGHT,), {}),
    'gcn_by_name': (GCNConv(C, F), (), {'edge_weight': WEIGHT}),
    'gat': (GATConv(C, F, heads=2), (), {}),
    'gat_attr': (GATConv(C, F, heads=2, edge_dim=5), (ATTR,), {}),
    'sage': (SAGEConv(C, F), (), {}),
    'graph': (GraphConv(C, F), (WEIGHT,), {}),
    'transformer': (TransformerConv(C, F, heads=2, edge_dim=5), (), {'edge_attr': ATTR}),
    'cheb': (ChebConv(C, F, K=3), (WEIGHT,), {'lambda_max': 2.0}),
    'gin': (GINConv(torch.nn.Linear(C, F)), (), {}),
    'rgcn': (RGCNConv(C, F, 3), (), {'edge_type': torch.randint(3, (E,))}),
}


@pytest.mark.parametrize('name', CONVS)
def test_is_the_convolution_frame_by_frame(name):
    conv, args, kwargs = CONVS[name]
    x = torch.randn(V, T, C)
    out = PerFrame(conv)(x, EDGES, *args, **kwargs)
    expected = torch.stack([conv(x[:, t], EDGES, *args, **kwargs) for t in range(T)], dim=1)
    assert out.is_contiguous()
    torch.testing.assert_close(out, expected, atol=1e-5, rtol=1e-5)


def test_direct_calls_treat_frames_as_nodes():
    """T is larger than V, so that nothing fails and the output has the right shape."""
    conv, x = GCNConv(C, F), torch.randn(V, T, C)
    expected = torch.stack([conv(x[:, t], EDGES) for t in range(T)], dim=1)
    naive = conv(x, EDGES)
    assert naive.shape == expected.shape
    assert (naive - expected).abs().max() > 0.1
    torch.testing.assert_close(PerFrame(conv)(x, EDGES), expected, atol=1e-5, rtol=1e-5)


def test_a_batch_with_mixed_skeletons_equals_separate_samples():
    conv = PerFrame(GCNConv(C, F))
    other = get_skeleton('coco17')
    xs = torch.randn(V, T, C), torch.randn(17, T, C)
    out = conv(torch.cat(xs), torch.cat([EDGES, other.edge_index + V], dim=1))
    alone = torch.cat([conv(xs[0], EDGES), conv(xs[1], other.edge_index)])
    torch.testing.assert_close(out, alone, atol=1e-5, rtol=1e-5)


def test_names_of_edge_arguments_can_be_given():
    class Pseudo(torch.nn.Module):
        def forward(self, x, edge_index, pseudo):
            return x.index_add(0, edge_index[1], x[edge_index[0]] * pseudo)

    x, pseudo = torch.randn(V, T, C), torch.rand(E, 1)
    out = PerFrame(Pseudo(), edge_args=('pseudo',))(x, EDGES, pseudo=pseudo)
    expected = [Pseudo()(x[:, t], EDGES, pseudo) for t in range(T)]
    torch.testing.assert_close(out, torch.stack(expected, dim=1))


def test_node_arguments_are_repeated_and_frames_are_separate_graphs():
    """ChebConv looks up the largest eigenvalue of each node's graph by ``batch``."""

    class Centred(torch.nn.Module):
        def forward(self, x, edge_index, batch, scale):
            size = batch.bincount().unsqueeze(1)
            mean = torch.zeros(len(size), x.size(1)).index_add(0, batch, x) / size
            return (x - mean[batch]) * scale

    x = torch.randn(2 * V, T, C)
    edges = torch.cat([EDGES, EDGES + V], dim=1)
    batch, scale = torch.arange(2).repeat_interleave(V), torch.rand(2 * V, 1)
    conv = PerFrame(Centred(), node_args=('batch', 'scale'))
    before = batch.clone()
    out = conv(x, edges, batch=batch, scale=scale)
    expected = [Centred()(x[:, t], edges, batch, scale) for t in range(T)]
    torch.testing.assert_close(out, torch.stack(expected, dim=1))
    assert torch.equal(batch, before)

    cheb = ChebConv(C, F, K=3)
    largest = torch.tensor([1.5, 2.0])
    out = PerFrame(cheb)(x, edges, batch=batch, lambda_max=largest.repeat(T))
    expected = [cheb(x[:, t], edges, batch=batch, lambda_max=largest) for t in range(T)]
    torch.testing.assert_close(out, torch.stack(expected, dim=1), atol=1e-5, rtol=1e-5)
    with pytest.raises(ValueError, match=r'one row for each of 32 nodes, got shape \[3\]'):
        PerFrame(cheb)(x, edges, batch=batch[:3])


def test_hypergraph_convolutions_raise():
    with pytest.raises(TypeError, match=r'edges between nodes, got HypergraphConv\(8, 6\)'):
        PerFrame(HypergraphConv(C, F))


def test_output_can_be_viewed_as_graphs():
    x = torch.randn(2 * V, T, C)
    model = TemporalConv(F, F, 3)
    assert model(PerFrame(GCNConv(C, F))(x, EDGES)).shape == (2 * V, T, F)


def test_gradients_for_features_and_weights():
    conv = PerFrame(GCNConv(3, 2)).double()
    x = torch.randn(V, 2, 3, dtype=torch.float64, requires_grad=True)
    weight = torch.rand(E, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, w: conv(x, EDGES, w), (x, weight), fast_mode=True)


def test_wrong_input_raises():
    conv, x = PerFrame(GCNConv(C, F)), torch.randn(V, T, C)
    with pytest.raises(ValueError, match=r'shape \[num_nodes, .*\], got \[16, 8\]'):
        conv(x[:, 0], EDGES)
    with pytest.raises(ValueError, match=r'edge_index must be .*, got \[16, 16\]'):
        conv(x, torch.ones(V, V))
    with pytest.raises(ValueError, match=r'edge_index must be .*, got .*tuple'):
        conv(x, (EDGES, WEIGHT))
    with pytest.raises(ValueError, match=rf'edge_weight must have .* {E} edges, got shape \[3\]'):
        conv(x, EDGES, edge_weight=torch.rand(3))
    with pytest.raises(ValueError, match='must not cache its edges'):
        PerFrame(GCNConv(C, F, cached=True))
    with pytest.raises(TypeError, match='must return a tensor, got tuple'):
        PerFrame(GATConv(C, F))(x, EDGES, return_attention_weights=True)


def test_reset_parameters_and_repr():
    conv = PerFrame(GCNConv(C, F))
    torch.manual_seed(0)
    conv.reset_parameters()
    first = conv.conv.lin.weight.clone()
    conv.conv.lin.weight.data.add_(1)
    torch.manual_seed(0)
    conv.reset_parameters()
    assert torch.equal(conv.conv.lin.weight, first)
    assert repr(conv) == 'PerFrame(GCNConv(8, 6))'
    assert '\n' not in repr(PerFrame(GINConv(torch.nn.Sequential(torch.nn.Linear(C, F)))))


@pytest.mark.slow
def test_autocast_compiles_and_exports():
    conv = PerFrame(GraphConv(C, F)).eval()
    x = torch.randn(V, T, C)
    out = conv(x, EDGES, WEIGHT)
    torch._dynamo.reset()
    compiled = torch.compile(conv, backend='eager', fullgraph=True)
    torch.testing.assert_close(compiled(x, EDGES, WEIGHT), out)
    program = torch.export.export(conv, (x, EDGES, WEIGHT))
    torch.testing.assert_close(program.module()(x, EDGES, WEIGHT), out)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert conv(x, add_self_loops(EDGES)[0]).dtype == torch.bfloat16


@pytest.mark.cuda
def test_cuda_gives_the_same():
    if not torch.cuda.is_available():
        pytest.skip('no CUDA device')
    conv, x = PerFrame(GCNConv(C, F)), torch.randn(V, T, C)
    expected = conv(x, EDGES, WEIGHT)
    out = conv.cuda()(x.cuda(), EDGES.cuda(), WEIGHT.cuda()).cpu()
    torch.testing.assert_close(out, expected, atol=1e-3, rtol=1e-3)


def test_empty_graphs():
    out = PerFrame(GraphConv(C, F))(torch.randn(0, T, C), torch.empty(2, 0, dtype=torch.long))
    assert out.shape == (0, T, F)
