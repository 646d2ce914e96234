import math

import pytest
import torch

from graphmotion.nn import ChannelTopologyConv, SpatialConv
from graphmotion.skeletons import get_skeleton
from tests.nn import reference

V, T, C, F, K = 5, 3, 4, 6, 2
ACTIVATIONS = {
    'tanh': torch.tanh,
    'sigmoid': lambda x: 1 / (1 + (-x).exp()),
    'relu': lambda x: x.clamp(min=0),
}


def make(**options):
    """Returns an operator whose parameters all affect the output."""
    adj = reference.random_adjacency(K, V, V)
    conv = ChannelTopologyConv(C, F, adj, alpha_init=0.7, **options)
    for parameter in conv.parameters():
        if parameter.numel() > 1:
            torch.nn.init.normal_(parameter, std=0.5)
    return conv


def expected(conv, x, correlation='difference', activation='tanh'):
    """Loops over samples, frames and channels in double precision."""
    p = {name: value.detach().double() for name, value in conv.named_parameters()}
    x = x.double().view(-1, V, T, C)
    out = torch.zeros(len(x), V, T, F, dtype=torch.float64)
    for b in range(len(x)):
        mean = sum(x[b, :, t] for t in range(T)) / T
        for k in range(K):
            if conv.refine:
                width = p['query.weight'].size(0) // K
                rows = slice(k * width, (k + 1) * width)
            mlp = ()
            if correlation == 'mlp':
                names = ('hidden_weight', 'hidden_bias', 'mix_weight', 'mix_bias')
                mlp = tuple(p[name][k] for name in names)
            for i in range(V):
                for j in range(V):
                    topology = torch.zeros(F, dtype=torch.float64)
                    if conv.shared_topology:
                        shared = p['topology'] if conv.learn_topology else conv.adj.double()
                        topology = topology + shared[k, i, j]
                    if conv.refine:
                        query = p['query.weight'][rows] @ mean[i] + p['query.bias'][rows]
                        key = p['key.weight'][rows] @ mean[j] + p['key.bias'][rows]
                        relation = reference.correlation(query, key, correlation, mlp)
                        relation = ACTIVATIONS[activation](relation)
                        refined = p['refine_weight'][k] @ relation + p['refine_bias'][k]
                        topology = topology + p['alpha'] * refined
                    for t in range(T):
                        sent = p['weight'][k] @ x[b, j, t] + p['bias'][k]
                        for c in range(F):
                            out[b, i, t, c] += topology[c] * sent[c]
    return out.view(-1, T, F)


OPTIONS = [
    {},
    {'reduction': 4},
    {'correlation': 'sum'},
    {'correlation': 'mlp', 'activation': 'relu'},
    {'activation': 'sigmoid'},
    {'activation': 'relu'},
    {'shared_topology': False},
    {'learn_topology': False},
    {'refine': False},
    {'refine': False, 'learn_topology': False},
]


@pytest.mark.parametrize('options', OPTIONS)
def test_against_a_loop(options):
    conv = make(**options)
    x = torch.randn(2 * V, T, C)
    kinds = {k: v for k, v in options.items() if k in ('correlation', 'activation')}
    torch.testing.assert_close(conv(x).double(), expected(conv, x, **kinds), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(conv.double()(x.double()), expected(conv, x, **kinds))


def test_starts_as_a_partitioned_convolution_of_the_adjacency():
    adj = reference.random_adjacency(K, V, V)
    conv, plain = ChannelTopologyConv(C, F, adj), SpatialConv(C, F, K)
    plain.load_state_dict({'weight': conv.weight.transpose(1, 2), 'bias': conv.bias})
    x = torch.randn(2 * V, T, C)
    torch.testing.assert_close(conv(x), plain(x, adj), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(('channels', 'reduction', 'width'), [(3, 8, 8), (64, 16, 4), (128, 8, 16)])
def test_channels_of_the_correlation(channels, reduction, width):
    conv = ChannelTopologyConv(channels, F, torch.eye(V).repeat(3, 1, 1), reduction)
    assert conv.query.out_features == 3 * width
    assert conv.refine_weight.shape == (3, F, width)


def test_initial_values():
    adj = reference.random_adjacency(3, V, V)
    conv = ChannelTopologyConv(128, 200, adj)
    assert torch.equal(conv.topology, adj)
    assert conv.alpha.item() == 0
    for weight, outputs in (
        (conv.weight, 200), (conv.refine_weight, 200), (conv.query.weight, 16),
        (conv.key.weight, 16),
    ):  # fmt: skip
        assert weight.std().item() == pytest.approx(math.sqrt(2 / outputs), rel=0.1)
    assert all(not p.any() for name, p in conv.named_parameters() if name.endswith('bias'))


def test_the_adjacency_argument_is_not_modified():
    adj = torch.eye(V).unsqueeze(0)
    conv = ChannelTopologyConv(C, F, adj)
    torch.nn.init.zeros_(conv.topology)
    assert torch.equal(adj[0], torch.eye(V))
    conv.reset_parameters()
    assert torch.equal(conv.topology[0], torch.eye(V))


@pytest.mark.parametrize(
    ('options', 'reason'),
    [
        ({'shared_topology': False, 'refine': False}, 'one of shared_topology and refine'),
        ({'correlation': 'product'}, "correlation must be one of .*, got 'product'"),
        ({'activation': 'gelu'}, "activation must be one of .*, got 'gelu'"),
        ({'reduction': 0}, 'reduction must be an integer >= 1, got 0'),
    ],
)
def test_invalid_options(options, reason):
    with pytest.raises(ValueError, match=reason):
        make(**options)


def test_adjacency_has_partitions():
    with pytest.raises(ValueError, match=r'adj must have shape \[K, V, V\], got \[5, 5\]'):
        ChannelTopologyConv(C, F, torch.eye(V))


def test_invalid_features():
    with pytest.raises(ValueError, match=f'multiple of {V} nodes'):
        make()(torch.randn(V + 1, T, C))
    with pytest.raises(ValueError, match=rf'must have shape \[num_nodes, T, {C}\]'):
        make()(torch.randn(V, C, T))


def test_skeletons_are_not_adjacencies():
    with pytest.raises(TypeError, match=r'adj must be a tensor, .*, got Skeleton'):
        ChannelTopologyConv(3, 8, get_skeleton('coco17'))
