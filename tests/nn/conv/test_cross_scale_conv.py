import pytest
import torch

from graphmotion.nn import CrossScaleConv

B, T, C = 3, 5, 8


def sample(num_nodes: int) -> torch.Tensor:
    return torch.randn(B * num_nodes, T, C)


def test_rows_of_the_adjacency_sum_to_one():
    conv = CrossScaleConv(C, 4)
    out, adj = conv((sample(10), sample(16)), (10, 16), return_adjacency=True)
    assert out.shape == (B * 16, T, 4)
    assert adj.shape == (B, 16, 10)
    assert (adj >= 0).all()
    torch.testing.assert_close(adj.sum(dim=-1), torch.ones(B, 16))


def test_message_against_a_loop():
    conv = CrossScaleConv(C, 4).double()
    source, target = sample(5).double(), sample(10).double()
    out, adj = conv((source, target), (5, 10), return_adjacency=True)
    expected = torch.zeros(B * 10, T, 4, dtype=torch.float64)
    for b in range(B):
        for i in range(10):
            for j in range(5):
                message = source[b * 5 + j] @ conv.lin.weight.t() + conv.lin.bias
                expected[b * 10 + i] += adj[b, i, j] * message
    torch.testing.assert_close(out, expected)


def test_adjacency_against_its_formula():
    conv = CrossScaleConv(C, 4, embedding_channels=6).double()
    source, target = sample(5).double(), sample(10).double()

    def embed(x, layers):
        gate, first, _, second = layers
        mean = x.mean(dim=1)
        mean = mean * torch.sigmoid(mean @ gate.lin.weight.t() + gate.lin.bias)
        hidden = (mean @ first.weight.t() + first.bias).clamp(min=0)
        return hidden @ second.weight.t() + second.bias

    s, t = embed(source, conv.source_embedding), embed(target, conv.target_embedding)
    adj = conv.adjacency((source, target), (5, 10))
    for b in range(B):
        logits = t[b * 10 : b * 10 + 10] @ s[b * 5 : b * 5 + 5].t()
        expected = logits.exp() / logits.exp().sum(dim=1, keepdim=True)
        torch.testing.assert_close(adj[b], expected)


def test_equal_sources_have_equal_weights():
    conv = CrossScaleConv(C, 4)
    source = torch.randn(B, 1, T, C).expand(B, 10, T, C).reshape(-1, T, C)
    adj = conv.adjacency((source, sample(16)), (10, 16))
    torch.testing.assert_close(adj, torch.full_like(adj, 0.1))


def test_permuting_source_or_target_nodes():
    conv = CrossScaleConv(C, 4)
    source, target = torch.randn(10, T, C), torch.randn(16, T, C)
    out = conv((source, target), (10, 16))
    order = torch.randperm(10)
    torch.testing.assert_close(conv((source[order], target), (10, 16)), out, atol=1e-5, rtol=1e-5)
    order = torch.randperm(16)
    torch.testing.assert_close(
        conv((source, target[order]), (10, 16)), out[order], atol=1e-5, rtol=1e-5
    )


def test_gradient_reaches_both_embeddings():
    conv = CrossScaleConv(C, 4)
    out = conv((sample(10), sample(16)), (10, 16))
    (out * torch.randn_like(out)).sum().backward()
    for name, parameter in conv.named_parameters():
        if not name.endswith('target_embedding.3.bias'):
            assert parameter.grad.abs().max() > 0, name


def test_a_batch_equals_separate_samples():
    conv = CrossScaleConv(C, 4)
    source, target = sample(10), sample(16)
    alone = [conv(pair, (10, 16)) for pair in zip(source.split(10), target.split(16))]
    torch.testing.assert_close(
        conv((source, target), (10, 16)), torch.cat(alone), atol=1e-5, rtol=1e-5
    )


def test_the_adjacency_is_exact_under_autocast():
    """Scores are exponents, so that errors would be amplified."""
    conv = CrossScaleConv(C, 4)
    with torch.no_grad():
        for parameter in conv.parameters():
            parameter.mul_(4)
    source, target = 3 * sample(10), 3 * sample(16)
    expected = conv.adjacency((source, target), (10, 16))
    assert expected.max() > 0.5
    with torch.autocast('cpu', dtype=torch.bfloat16):
        out, adj = conv((source, target), (10, 16), return_adjacency=True)
    assert out.dtype == torch.bfloat16
    torch.testing.assert_close(adj, expected)


@pytest.mark.slow
def test_compiles_and_exports():
    conv = CrossScaleConv(C, 4).eval()
    args = ((sample(10), sample(16)), (10, 16))
    compiled = torch.compile(conv, backend='eager', fullgraph=True)
    torch.testing.assert_close(compiled(*args), conv(*args))
    torch._dynamo.reset()
    torch.testing.assert_close(torch.export.export(conv, args).module()(*args), conv(*args))


SIZES = ((5, 10, 7), (16, 9, 21))  # of three graphs, source and target


def mixed() -> tuple[tuple, tuple]:
    x = tuple(torch.randn(sum(sizes), T, C) for sizes in SIZES)
    batch = tuple(torch.arange(3).repeat_interleave(torch.tensor(sizes)) for sizes in SIZES)
    return x, batch


def test_a_batch_with_mixed_sizes_equals_separate_graphs():
    conv = CrossScaleConv(C, 4)
    x, batch = mixed()
    pairs = zip(x[0].split(SIZES[0]), x[1].split(SIZES[1]))
    alone = torch.cat([conv(pair) for pair in pairs])
    for batch_size in (None, 3):
        together = conv(x, batch=batch, batch_size=batch_size)
        torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


def test_rows_sum_to_one_over_real_nodes():
    conv = CrossScaleConv(C, 4)
    x, batch = mixed()
    out, adj = conv(x, return_adjacency=True, batch=batch)
    assert out.shape == (sum(SIZES[1]), T, 4)
    assert adj.shape == (3, 21, 10)
    for matrix, source, target in zip(adj, *SIZES):
        assert matrix[:, source:].abs().sum() == 0
        torch.testing.assert_close(matrix[:target, :source].sum(dim=1), torch.ones(target))


def test_a_batch_vector_of_equal_sizes_equals_num_nodes():
    conv = CrossScaleConv(C, 4)
    x = sample(10), sample(16)
    batch = tuple(torch.arange(B).repeat_interleave(num) for num in (10, 16))
    torch.testing.assert_close(conv(x, batch=batch), conv(x, (10, 16)))


def test_a_graph_without_source_nodes_receives_nothing():
    conv = CrossScaleConv(C, 4)
    x = torch.randn(5, T, C), torch.randn(7, T, C, requires_grad=True)
    batch = torch.zeros(5, dtype=torch.long), torch.tensor([0, 0, 0, 0, 1, 1, 1])
    out = conv(x, batch=batch)
    assert out[4:].abs().max() == 0
    assert out[:4].abs().max() > 0
    out.sum().backward()
    assert x[1].grad.isfinite().all()


def test_a_batch_vector_of_the_wrong_length_raises():
    conv = CrossScaleConv(C, 4)
    x, batch = mixed()
    with pytest.raises(ValueError, match=r'must have shape \[22\], got \[46\]'):
        conv(x, batch=(batch[1], batch[1]))


@pytest.mark.slow
def test_compiles_and_exports_with_batch_vectors():
    conv = CrossScaleConv(C, 4).eval()
    x, batch = mixed()
    args, kwargs = (x, (10, 21)), {'batch': batch, 'batch_size': 3}
    out = conv(*args, **kwargs)
    torch.testing.assert_close(out, conv(x, batch=batch))
    torch._dynamo.reset()
    compiled = torch.compile(conv, backend='eager', fullgraph=True)
    torch.testing.assert_close(compiled(*args, **kwargs), out)
    program = torch.export.export(conv, args, kwargs)
    torch.testing.assert_close(program.module()(*args, **kwargs), out)


@pytest.mark.parametrize(
    ('source', 'target', 'sizes'),
    [((4, 2, 8), (3, 5, 8), None), ((8, 2, 8), (3, 2, 8), (4, 3)), ((4, 2, 8), (9, 2, 8), (4, 3))],
)
def test_mismatched_scales_raise(source, target, sizes):
    with pytest.raises(ValueError, match='same numbers of graphs and frames'):
        CrossScaleConv(8, 8)((torch.randn(source), torch.randn(target)), sizes)


def test_padded_frames_do_not_change_the_adjacency():
    conv = CrossScaleConv(8, 8).eval()
    xs, sizes = (torch.randn(2 * 5, 7, 8), torch.randn(2 * 16, 7, 8)), (5, 16)
    frames = torch.arange(7) < torch.tensor([[4], [7]])
    masks = tuple(frames.repeat_interleave(size, dim=0) for size in sizes)
    out, adj = conv(xs, sizes, mask=masks, return_adjacency=True)
    for i, n in enumerate((4, 7)):
        parts = tuple(x.chunk(2)[i][:, :n] for x in xs)
        expected, expected_adj = conv(parts, sizes, return_adjacency=True)
        torch.testing.assert_close(out.chunk(2)[i][:, :n], expected)
        torch.testing.assert_close(adj[i : i + 1], expected_adj)
