import pytest
import torch

from graphmotion.data import collate, from_array
from graphmotion.nn import SpatialConv
from graphmotion.skeletons import get_skeleton
from tests.nn import reference


@pytest.mark.parametrize('sizes', [(3, 7), (7, 3), (4, 4)])
@pytest.mark.parametrize('num_partitions', [1, 3])
@pytest.mark.parametrize('bias', [True, False])
def test_dense_sparse_and_loop_agree(sizes, num_partitions, bias):
    conv = SpatialConv(*sizes, num_partitions, bias=bias)
    adj = reference.random_adjacency(num_partitions, 6, 6)
    x = torch.randn(2 * 6, 4, sizes[0])
    expected = torch.cat(
        [reference.spatial_conv(part, adj, conv.weight, conv.bias) for part in x.split(6)]
    )
    shared = adj[0] if num_partitions == 1 else adj
    each = shared.expand(2, *shared.shape)
    edge_index, weight = reference.to_sparse(adj, num_graphs=2)
    weight = weight[:, 0] if num_partitions == 1 else weight
    for form in (shared, each, (edge_index, weight)):
        torch.testing.assert_close(conv(x, form).double(), expected, atol=1e-5, rtol=1e-5)


def test_learned_adjacency_agrees_in_both_forms():
    conv = SpatialConv(3, 5, 2, num_nodes=6, edge_importance=True, residual_adjacency=True)
    torch.nn.init.uniform_(conv.edge_importance)
    torch.nn.init.normal_(conv.residual_adjacency)
    adj = reference.random_adjacency(2, 6, 6)
    x = torch.randn(2 * 6, 4, 3)
    whole = adj * conv.edge_importance + conv.residual_adjacency
    expected = torch.cat(
        [reference.spatial_conv(part, whole, conv.weight, conv.bias) for part in x.split(6)]
    )
    for form in (adj, reference.to_sparse(adj, num_graphs=2)):
        torch.testing.assert_close(conv(x, form).double(), expected, atol=1e-5, rtol=1e-5)


def test_learned_adjacency_has_no_initial_effect():
    plain = SpatialConv(3, 5, 2)
    learned = SpatialConv(3, 5, 2, num_nodes=6, edge_importance=True, residual_adjacency=True)
    learned.load_state_dict(plain.state_dict(), strict=False)
    adj, x = reference.random_adjacency(2, 6, 6), torch.randn(6, 4, 3)
    torch.testing.assert_close(learned(x, adj), plain(x, adj))


def test_a_batch_may_mix_skeletons():
    conv = SpatialConv(3, 5)
    xs, parts, edges, weights, offset = [], [], [], [], 0
    for name in ('emotion_gait16', 'ntu25'):
        adj = get_skeleton(name).adjacency()
        xs.append(torch.randn(adj.size(-1), 4, 3))
        parts.append(conv(xs[-1], adj[0]))
        edge_index, weight = reference.to_sparse(adj)
        edges.append(edge_index + offset)
        weights.append(weight)
        offset += adj.size(-1)
    mixed = conv(torch.cat(xs), (torch.cat(edges, dim=1), torch.cat(weights)[:, 0]))
    torch.testing.assert_close(mixed, torch.cat(parts), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize('strategy', ['uniform', 'spatial'])
def test_a_batch_of_mixed_skeletons_in_one_call(strategy):
    """Compares with the dense adjacency of each sample, with two people and several lengths."""
    conv = SpatialConv(3, 5, 1 if strategy == 'uniform' else 3)
    samples, expected = [], []
    for name, people, frames in (('ntu25', 2, 6), ('coco17', 1, 4), ('emotion_gait16', 1, 5)):
        body = get_skeleton(name)
        array = torch.randn(people, frames, body.num_joints, 3)
        samples.append(from_array(array, body, edges=body.edges(strategy)))
        adj = body.adjacency(strategy)
        of_people = [conv(p.transpose(0, 1), adj if len(adj) > 1 else adj[0]) for p in array]
        expected.append(torch.cat(of_people))
    batch = collate(samples)
    out = conv(batch.pos, (batch.edge_index, batch.edge_weight))
    for i, part in enumerate(expected):
        of_graph = out[batch.ptr[i] : batch.ptr[i + 1], : batch.num_frames[i]]
        torch.testing.assert_close(of_graph, part, atol=1e-5, rtol=0)


def test_partitions_need_weights():
    edge_index = get_skeleton('coco17').edge_index
    with pytest.raises(ValueError, match=r'edge_weight must have shape \[num_edges, 3\], got None'):
        SpatialConv(3, 5, 3)(torch.randn(17, 2, 3), (edge_index, None))


def test_default_edge_weights_are_one():
    conv = SpatialConv(3, 5)
    edge_index = get_skeleton('coco17').edge_index
    adj = torch.zeros(17, 17)
    adj[edge_index[1], edge_index[0]] = 1
    x = torch.randn(17, 2, 3)
    torch.testing.assert_close(conv(x, (edge_index, None)), conv(x, adj), atol=1e-5, rtol=1e-5)


def test_permuting_joints_permutes_the_output():
    conv = SpatialConv(3, 5, 3)
    adj = get_skeleton('ntu25').adjacency('spatial')
    x, order = torch.randn(25, 4, 3), torch.randperm(25)
    out = conv(x[order], adj[:, order][:, :, order])
    torch.testing.assert_close(out, conv(x, adj)[order], atol=1e-5, rtol=1e-5)


def test_receives_from_the_sender_and_not_the_other_way():
    conv = SpatialConv(1, 1, bias=False)
    torch.nn.init.ones_(conv.weight)
    adj = torch.tensor([[0.0, 2.0], [0.0, 0.0]])
    x = torch.tensor([[[1.0]], [[10.0]]])
    assert conv(x, adj).flatten().tolist() == [20.0, 0.0]
    sparse = (torch.tensor([[1], [0]]), torch.tensor([2.0]))
    assert conv(x, sparse).flatten().tolist() == [20.0, 0.0]


@pytest.mark.parametrize(
    ('adj', 'reason'),
    [
        (torch.ones(3, 3), r'adj must have shape \[2, V, V\] .*, got \[3, 3\]'),
        (torch.ones(3, 3, 3), r'must have shape \[2, V, V\]'),
        (torch.ones(2, 3, 4), 'must be square'),
        (torch.ones(5, 2, 3, 3), 'one matrix for each of the 2 graphs'),
        ((torch.zeros(2, 4, dtype=torch.long), torch.ones(4, 3)), r'must have shape \[4, 2\]'),
    ],
)
def test_wrong_adjacency_raises(adj, reason):
    with pytest.raises(ValueError, match=reason):
        SpatialConv(3, 5, 2)(torch.randn(6, 4, 3), adj)


def test_learned_adjacency_needs_the_number_of_nodes():
    with pytest.raises(ValueError, match='require num_nodes'):
        SpatialConv(3, 5, edge_importance=True)


def test_number_of_parameters():
    # 3 partitions of a weight and a bias each
    conv = SpatialConv(32, 32, 3)
    assert sum(p.numel() for p in conv.parameters()) == 3168


@pytest.mark.scatter
def test_sparse_form_with_torch_scatter():
    """PyG may use the kernels of torch-scatter; the numbers must not change."""
    pytest.importorskip('torch_scatter')
    conv = SpatialConv(3, 5, 3)
    adj = get_skeleton('ntu25').adjacency('spatial')
    x = torch.randn(2 * 25, 4, 3)
    out = conv(x, reference.to_sparse(adj, num_graphs=2))
    torch.testing.assert_close(out, conv(x, adj), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize('sizes', [(4, 8), (8, 4)])
def test_autocast_keeps_its_type(sizes):
    conv = SpatialConv(*sizes, 3)
    adj = get_skeleton('ntu25').adjacency('spatial')
    x = torch.randn(25, 4, sizes[0])
    for form in (adj, reference.to_sparse(adj)):
        with torch.autocast('cpu', dtype=torch.bfloat16):
            out = conv(x, form)
        assert out.dtype == torch.bfloat16
        torch.testing.assert_close(out.float(), conv(x, adj), atol=0.05, rtol=0.05)
        exact = torch.autograd.grad(conv(x, adj).sum(), conv.weight)[0]
        grad = torch.autograd.grad(out.float().sum(), conv.weight)[0]
        torch.testing.assert_close(grad, exact, atol=0.1, rtol=0.1)


@pytest.mark.parametrize('learned', [False, True])
def test_double_precision_of_the_sparse_form(learned):
    conv = SpatialConv(3, 5, 2, 6, learned, learned).double()
    adj, x = reference.random_adjacency(2, 6, 6), torch.randn(2 * 6, 4, 3).double()
    out = conv(x, reference.to_sparse(adj, num_graphs=2))
    assert out.dtype == torch.float64
    torch.testing.assert_close(out, conv(x, adj.double()))


def test_initial_weights_depend_on_the_number_of_inputs():
    weight = SpatialConv(100, 50).weight.abs().max()
    assert 0.09 < weight <= 0.1


@pytest.mark.parametrize(('sizes', 'widest'), [((3, 7), 3), ((7, 3), 3), ((4, 4), 4)])
def test_neighbours_are_summed_with_the_fewer_channels(sizes, widest, monkeypatch, no_kernels):
    from graphmotion.nn.conv import spatial_conv

    seen, accumulate = [], spatial_conv.accumulate
    monkeypatch.setattr(
        spatial_conv,
        'accumulate',
        lambda x, *args: (seen.append(x.size(-1)), accumulate(x, *args))[1],
    )
    SpatialConv(*sizes)(torch.randn(6, 4, sizes[0]), torch.ones(6, 6))
    assert max(seen) == widest


@pytest.mark.parametrize('sizes', [(3, 7), (7, 3)])
@pytest.mark.parametrize('learned', [False, True])
def test_gradients_for_features_adjacency_and_parameters(sizes, learned):
    conv = SpatialConv(*sizes, 2, 4, learned, learned).double()
    adj = reference.random_adjacency(2, 4, 4).double()
    x = torch.randn(2 * 4, 3, sizes[0], dtype=torch.float64, requires_grad=True)
    edge_index, weight = reference.to_sparse(adj, num_graphs=2)
    parameters = list(conv.parameters())

    def dense(x, adj, *_):
        return conv(x, adj)

    def sparse(x, weight, *_):
        return conv(x, (edge_index, weight))

    for function, values in ((dense, adj), (sparse, weight)):
        inputs = (x, values.clone().requires_grad_(), *parameters)
        assert torch.autograd.gradcheck(function, inputs, fast_mode=True)


def test_order_of_the_edges_does_not_matter():
    conv = SpatialConv(3, 5)
    edge_index, weight = reference.to_sparse(reference.random_adjacency(1, 6, 6))
    x, order = torch.randn(6, 4, 3), torch.randperm(len(weight))
    torch.testing.assert_close(
        conv(x, (edge_index[:, order], weight[order])), conv(x, (edge_index, weight))
    )


def test_nodes_without_edges_receive_nothing():
    conv = SpatialConv(3, 3)
    x = torch.randn(4, 2, 3, requires_grad=True)
    out = conv(x, (torch.tensor([[0], [2]]), torch.ones(1)))
    assert out[[0, 1, 3]].abs().max() == 0
    assert out[2].abs().min() > 0
    none = conv(x, (torch.empty(2, 0, dtype=torch.long), torch.empty(0)))
    none.sum().backward()
    assert none.abs().max() == 0
    assert x.grad.abs().max() == 0


@pytest.mark.parametrize('sizes', [(3, 7), (7, 3)])
def test_static_graphs_are_one_frame(sizes):
    conv = SpatialConv(*sizes, 2)
    adj, x = reference.random_adjacency(2, 6, 6), torch.randn(2 * 6, 1, sizes[0])
    for form in (adj, reference.to_sparse(adj, num_graphs=2)):
        torch.testing.assert_close(conv(x[:, 0], form), conv(x, form)[:, 0])


@pytest.mark.slow
@pytest.mark.parametrize('sizes', [(3, 7), (7, 3)])
def test_sparse_form_compiles_and_exports(sizes):
    conv = SpatialConv(*sizes, 2).eval()
    args = (torch.randn(2 * 6, 4, sizes[0]), reference.to_sparse(torch.ones(2, 6, 6), 2))
    torch._dynamo.reset()
    compiled = torch.compile(conv, backend='aot_eager', fullgraph=True)
    out = conv(*args)
    torch.testing.assert_close(compiled(*args), out)
    torch.testing.assert_close(
        torch.autograd.grad(compiled(*args).square().sum(), conv.weight),
        torch.autograd.grad(out.square().sum(), conv.weight),
    )
    torch.testing.assert_close(torch.export.export(conv, args).module()(*args), out)


@pytest.mark.parametrize('learned', [False, True])
def test_no_copy_of_the_features_is_saved_for_the_backward_pass(learned):
    """Only x is saved, even with a learned adjacency."""
    conv = SpatialConv(8, 8, 3, 16, learned)
    x = torch.randn(4 * 16, 5, 8, requires_grad=True)
    adj, kept = torch.rand(3, 16, 16), {}
    with torch.autograd.graph.saved_tensors_hooks(
        lambda t: kept.update({t.untyped_storage().data_ptr(): t}) or t, lambda t: t
    ):
        out = conv(x, adj)
    large = [t for t in kept.values() if t.numel() >= x.numel()]
    assert len(large) == 1, out.shape


@pytest.mark.cuda
@pytest.mark.parametrize('sizes', [(3, 7), (7, 3)])
def test_cuda_gives_the_same_for_a_sparse_adjacency(sizes):
    if not torch.cuda.is_available():
        pytest.skip('no CUDA device')
    conv = SpatialConv(*sizes, 3)
    edge_index, weight = reference.to_sparse(reference.random_adjacency(3, 6, 6), num_graphs=2)
    x = torch.randn(2 * 6, 4, sizes[0])
    results = []
    for device in ('cpu', 'cuda'):
        conv = conv.to(device)
        leaves = [t.detach().to(device).requires_grad_() for t in (x, weight)]
        out = conv(leaves[0], (edge_index.to(device), leaves[1]))
        results.append([out, *torch.autograd.grad(out.square().sum(), leaves)])
    for expected, found in zip(*results):
        torch.testing.assert_close(found.cpu(), expected, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize(
    ('edges', 'weight', 'reason'),
    [
        ([[0, 1], [1, 9]], None, r'in 0\.\.4, .* got values from 0 to 9'),
        ([[0, -1], [1, 2]], None, 'from -1 to 2'),
        ([[0, 1], [1, 2]], torch.ones(7), r'must have shape \[2, 1\], got \[7\]'),
    ],
)
def test_invalid_edges_raise(edges, weight, reason):
    with pytest.raises(ValueError, match=reason):
        SpatialConv(6, 8)(torch.randn(5, 4, 6), (torch.tensor(edges), weight))


def test_wrong_channels_and_nodes_raise():
    learned = SpatialConv(4, 8, num_nodes=16, edge_importance=True)
    edges = torch.tensor([[0], [1]])
    for conv, x, adj, reason in (
        (
            SpatialConv(4, 8),
            torch.randn(5, 2, 6),
            torch.eye(5),
            r'shape \[num_nodes, T, 4\]',
        ),
        (learned, torch.randn(25, 2, 4), torch.eye(25), 'multiple of 16 nodes'),
        (learned, torch.randn(32, 2, 4), torch.eye(8), 'must have 16 nodes, got 8'),
        (learned, torch.randn(25, 2, 4), (edges, None), 'multiple of 16 nodes'),
    ):
        with pytest.raises(ValueError, match=reason):
            conv(x, adj)


def test_skeletons_and_bare_edges_are_not_adjacencies():
    skeleton = get_skeleton('coco17')
    x = torch.rand(17, 4, 3)
    with pytest.raises(TypeError, match=r'adj must be a tensor, .* or a tuple .*, got Skeleton'):
        SpatialConv(3, 8)(x, skeleton)
    with pytest.raises(ValueError, match=r'edges are \(edge_index, edge_weight\)'):
        SpatialConv(3, 8, num_partitions=3)(x, skeleton.edge_index)
