import math

import pytest
import torch

from graphmotion.nn import AdaptiveSpatialConv
from tests.nn import reference

V, T, C, F, K = 5, 3, 4, 8, 2


def make(**options):
    """Returns an operator whose parameters all affect the output."""
    conv = AdaptiveSpatialConv(C, F, reference.random_adjacency(K, V, V), **options)
    for parameter in conv.parameters():
        torch.nn.init.normal_(parameter)
    return conv


def expected(conv, x):
    """Loops over samples and joints in double precision."""
    p = {name: value.detach().double() for name, value in conv.named_parameters()}
    x = x.double().view(-1, V, T, C)
    out = torch.zeros(len(x), V, T, F, dtype=torch.float64)
    for b in range(len(x)):
        for k in range(K):
            adj = conv.adj[k].double()
            if 'conv.residual_adjacency' in p:
                adj = adj + p['conv.residual_adjacency'][k]
            if conv.similarity:
                size = conv.embedding_channels
                rows = slice(k * size, (k + 1) * size)
                scores = torch.zeros(V, V, dtype=torch.float64)
                for i in range(V):
                    for j in range(V):
                        for t in range(T):
                            query = p['query.weight'][rows] @ x[b, i, t] + p['query.bias'][rows]
                            key = p['key.weight'][rows] @ x[b, j, t] + p['key.bias'][rows]
                            scores[i, j] += (query * key).sum() / (T * size)
                adj = adj + scores.exp() / scores.exp().sum(dim=1, keepdim=True)
            for i in range(V):
                for t in range(T):
                    for j in range(V):
                        out[b, i, t] += adj[i, j] * (x[b, j, t] @ p['conv.weight'][k])
                    out[b, i, t] += p['bias'][k]
    return out.view(-1, T, F)


@pytest.mark.parametrize(
    'options',
    [{}, {'fixed': False}, {'learned': False}, {'similarity': False}, {'embedding_channels': 3}],
)
def test_against_a_loop(options):
    conv, x = make(**options), torch.randn(2 * V, T, C)
    torch.testing.assert_close(conv(x).double(), expected(conv, x), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(conv.double()(x.double()), expected(conv, x))


def test_options_omit_parts():
    adj = reference.random_adjacency(K, V, V)
    names = {name for name, _ in AdaptiveSpatialConv(C, F, adj).named_parameters()}
    without = {name for name, _ in AdaptiveSpatialConv(C, F, adj, learned=False).named_parameters()}
    assert names - without == {'conv.residual_adjacency'}
    without = AdaptiveSpatialConv(C, F, adj, similarity=False).state_dict()
    assert not [name for name in without if name.startswith(('query', 'key'))]
    assert not AdaptiveSpatialConv(C, F, adj, fixed=False).adj.any()
    with pytest.raises(ValueError, match='one of fixed, learned and similarity must be True'):
        AdaptiveSpatialConv(C, F, adj, fixed=False, learned=False, similarity=False)


def test_initial_values():
    conv = AdaptiveSpatialConv(64, 128, reference.random_adjacency(3, V, V))
    assert conv.embedding_channels == 32
    for weight, variance in (
        (conv.conv.weight, 2 / (3 * 64 * 128)), (conv.query.weight, 2 / 32),
        (conv.key.weight, 2 / 32),
    ):  # fmt: skip
        assert weight.std().item() == pytest.approx(math.sqrt(variance), rel=0.05)
    for value in (conv.bias, conv.query.bias, conv.key.bias, conv.conv.residual_adjacency):
        assert not value.any()


def test_adjacency_has_partitions():
    with pytest.raises(ValueError, match=r'adj must have shape \[K, V, V\], got \[5, 5\]'):
        AdaptiveSpatialConv(C, F, torch.eye(V))


def test_invalid_features():
    with pytest.raises(ValueError, match=f'multiple of {V} nodes'):
        make()(torch.randn(V + 1, T, C))
    with pytest.raises(ValueError, match=rf'must have shape \[num_nodes, T, {C}\]'):
        make()(torch.randn(V, C, T))
