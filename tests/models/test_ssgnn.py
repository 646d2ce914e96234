import copy
from types import SimpleNamespace

import pytest
import torch
from torch.nn.functional import cross_entropy

from graphmotion.data import graph_to_batch
from graphmotion.graphs import PointGraph, sample_pixels
from graphmotion.models import SPAGNN, SPEGNN, SSGNN, create_model, spagnn, spegnn, ssgnn
from graphmotion.nn import LocallyConnectedConv

PIXELS = sample_pixels(9, 9, num=40)
GRAPH = PointGraph.from_points(PIXELS, k=5, num_modes=40, levels=2, ratio=0.25)
OTHER = PointGraph.from_points(
    sample_pixels(9, 9, num=40, seed=1), k=5, num_modes=40, levels=2, ratio=0.25
)
BUILDERS = {'spagnn': spagnn, 'spegnn': spegnn, 'ssgnn': ssgnn}
FULL = {'standardize': True, 'num_directions': 4, 'batch_norm': True, 'hidden_channels': 6}
OPTIONS = {
    'spagnn': FULL | {'num_layers': (1, 2), 'residual': True, 'shared': True},
    'spegnn': FULL
    | {
        'channels': (4, 4),
        'num_layers': (1, 2),
        'num_pools': 2,
        'num_knots': 5,
        'directional': True,
        'multiscale': True,
        'residual': True,
    },
}
OPTIONS['ssgnn'] = {
    'fusion': 'learned', 'spatial': OPTIONS['spagnn'], 'spectral': OPTIONS['spegnn']
}  # fmt: skip


@pytest.fixture(params=list(BUILDERS))
def name(request):
    return request.param


@pytest.fixture(params=['plain', 'all options'])
def model(name, request):
    options = OPTIONS[name] if request.param == 'all options' else {}
    return BUILDERS[name](GRAPH, 4, 2, **options)


# The parts against dense formulas ############################################


def test_spectral_part_against_dense_filters():
    model = SPEGNN(GRAPH, 4, 2, channels=3).double()
    x = torch.randn(2 * 40, 2).double()
    basis, weight = GRAPH.eigenvectors.double(), model.convs[0].weight
    rows = []
    for sample in x.split(40):
        maps = []
        for j in range(3):
            filters = [basis @ torch.diag(weight[:, i, j]) @ basis.t() for i in range(2)]
            maps.append(sum(f @ sample[:, i] for i, f in enumerate(filters)).clamp(min=0))
        lin = model.head[-1]
        rows.append(lin.weight @ torch.stack(maps, dim=1).flatten() + lin.bias)
    torch.testing.assert_close(model(x), torch.stack(rows))


def test_spatial_part_against_masked_matrices():
    model = SPAGNN(GRAPH, 4, 2, channels=(3, 5)).double()
    x = torch.randn(2 * 40, 2).double()
    rows = []
    for sample in x.split(40):
        for conv, level in zip(model.convs, GRAPH.hierarchy):
            size = level.num_nodes
            out = torch.zeros(size, conv.out_channels).double()
            for e, (u, v) in enumerate(conv.edge_index.t().tolist()):
                out[v] += sample[u] @ conv.weight[e]
            out = out.clamp(min=0)
            members = [(level.cluster == m).nonzero().flatten() for m in range(level.num_clusters)]
            sample = torch.stack([out[m].mean(dim=0) for m in members])
        lin = model.head[-1]
        rows.append(lin.weight @ sample.flatten() + lin.bias)
    torch.testing.assert_close(model(x), torch.stack(rows))


@pytest.mark.parametrize('loops', [True, False])
def test_spatial_edges_are_the_graph_and_self_loops(loops):
    model = SPAGNN(GRAPH, 4, add_self_loops=loops)
    for conv, edges, size in zip(
        model.convs, (GRAPH.edge_index, GRAPH.hierarchy[0].edge_index), (40, 10)
    ):
        expected = set(map(tuple, edges.t().tolist()))
        expected |= {(v, v) for v in range(size)} if loops else set()
        assert set(map(tuple, conv.edge_index.t().tolist())) == expected


@pytest.mark.parametrize('channels', [(8, 16), (4,)])
def test_number_of_parameters(channels):
    def count(model):
        return sum(p.numel() for p in model.parameters())

    first, second = GRAPH.edge_index.size(1) + 40, GRAPH.hierarchy[0].edge_index.size(1) + 10
    edges = 3 * first * channels[0]
    if len(channels) == 2:
        edges += second * channels[0] * channels[1]
    size = (10, 3)[len(channels) - 1] * channels[-1]
    assert count(SPAGNN(GRAPH, 7, 3, channels)) == edges + (size + 1) * 7
    for modes in (40, 12):
        expected = 3 * 8 * modes + (40 * 8 + 1) * 7
        assert count(SPEGNN(GRAPH, 7, 3, num_modes=modes)) == expected
    assert count(SPEGNN(GRAPH, 7, 3, num_knots=6)) == 3 * 8 * 6 + (40 * 8 + 1) * 7


def test_few_modes_are_the_smallest():
    model = SPEGNN(GRAPH, 4, num_modes=7)
    assert torch.equal(model.eigenvectors, GRAPH.eigenvectors[:, :7])


def test_permuted_nodes_give_the_same_logits():
    """Of the graph, its basis, the pixels and the columns of the fully connected layer."""
    order = torch.randperm(40)
    permuted = SimpleNamespace(
        num_nodes=40,
        pos=GRAPH.pos[order],
        edge_index=GRAPH.edge_index,
        eigenvectors=GRAPH.eigenvectors[order],
        hierarchy=(),
    )
    a, b = SPEGNN(GRAPH, 4), SPEGNN(permuted, 4)
    b.convs.load_state_dict(a.convs.state_dict())
    lin = a.head[-1]
    with torch.no_grad():
        b.head[-1].weight.copy_(lin.weight.view(4, 40, 8)[:, order].flatten(1))
        b.head[-1].bias.copy_(lin.bias)
    x = torch.randn(40, 1)
    torch.testing.assert_close(b(x[order]), a(x), atol=1e-5, rtol=1e-4)
    assert (b(x) - a(x)).abs().max() > 1e-3


# Options ######################################################################


def test_own_basis_of_each_sample():
    model = SPEGNN(GRAPH, 4, num_knots=6, num_modes=30, basis_per_graph=True)
    assert model.inputs == ('x', 'eigenvectors')
    assert not [key for key in model.state_dict() if 'eigenvectors' in key]
    x = torch.randn(2 * 40, 1)
    out = model(x, torch.cat([GRAPH.eigenvectors, OTHER.eigenvectors]))
    for sample, graph, row in zip(x.split(40), (GRAPH, OTHER), out):
        one = SPEGNN(graph, 4, num_knots=6, num_modes=30)
        one.load_state_dict(model.state_dict(), strict=False)
        torch.testing.assert_close(one(sample)[0], row, atol=1e-5, rtol=1e-4)
    weights = model.node_weights(torch.cat([GRAPH.eigenvectors, OTHER.eigenvectors]))
    torch.testing.assert_close(weights[:40], model.node_weights(GRAPH.eigenvectors))


def test_shared_weights_do_not_grow_with_the_graph():
    model = SPAGNN(GRAPH, 4, shared=True)
    assert [list(conv.weight.shape) for conv in model.convs] == [[9, 1, 8], [9, 8, 16]]


def test_shared_weights_of_clusters_follow_their_centres():
    conv = SPAGNN(GRAPH, 4, shared=True).convs[1]
    level = GRAPH.hierarchy[0]
    pos = torch.stack([PIXELS[level.cluster == m].mean(dim=0) for m in range(level.num_clusters)])
    expected = LocallyConnectedConv(8, 16, level.edge_index, len(pos), shared=True, pos=pos)
    torch.testing.assert_close(conv.edge_basis, expected.edge_basis)


@pytest.mark.parametrize('part', [SPAGNN, SPEGNN])
def test_logits_below_zero_are_uniform_under_a_relu(part):
    model = part(GRAPH, 5, final_relu=True)
    with torch.no_grad():
        model.head[-2].bias.fill_(-1e3)
    out = model(torch.randn(3 * 40, 1))
    assert torch.equal(out.softmax(dim=-1), torch.full((3, 5), 0.2))


@pytest.mark.parametrize('part', [SPAGNN, SPEGNN])
def test_light_does_not_matter_if_samples_are_standardized(part):
    model = part(GRAPH, 5, standardize=True)
    x = 10 * torch.rand(40, 1)
    torch.testing.assert_close(model(3 * x + 2), model(x), atol=1e-3, rtol=1e-3)
    flat = model(torch.full((40, 1), 0.3))
    torch.testing.assert_close(flat, model(torch.zeros(40, 1)), atol=1e-4, rtol=1e-4)
    assert part(GRAPH, 5)(3 * x + 2).sub(part(GRAPH, 5)(x)).abs().max() > 1e-2


def test_pooling_of_the_spectral_part():
    model = SPEGNN(GRAPH, 4, num_pools=2)
    assert model.head[-1].in_features == 3 * 8
    torch.testing.assert_close(model.pools[1](model.pools[0](torch.ones(40, 8))), torch.ones(3, 8))


def test_layers_of_the_spectral_part():
    model = SPEGNN(GRAPH, 4, channels=(3, 5))
    x = torch.randn(40, 1)
    hidden = model.convs[0](x, GRAPH.eigenvectors, 40).relu()
    expected = model.head(model.convs[1](hidden, GRAPH.eigenvectors, 40).relu())
    torch.testing.assert_close(model(x), expected)


def test_layers_of_the_spatial_part():
    model = SPAGNN(GRAPH, 4, channels=(3, 5), num_layers=(1, 2), residual=True)
    x = torch.randn(40, 1)
    first = model.pools[0](model.convs[0](x).relu())
    second = model.convs[1](first).relu()
    expected = model.head(model.pools[1](second + model.convs[2](second).relu()))
    torch.testing.assert_close(model(x), expected)


def test_last_level_without_pooling():
    model = SPAGNN(GRAPH, 4, channels=(3, 5), pool_last=False)
    assert (len(model.pools), model.head[-1].in_features) == (1, 10 * 5)
    x = torch.randn(40, 1)
    hidden = model.convs[1](model.pools[0](model.convs[0](x).relu())).relu()
    torch.testing.assert_close(model(x), model.head(hidden))
    flat = PointGraph.from_points(PIXELS)  # no coarser graph is needed for one level
    assert SPAGNN(flat, 4, channels=(3,), pool_last=False).head[-1].in_features == 40 * 3


def test_multiscale_spectral_part_against_dense_filters():
    model = SPEGNN(GRAPH, 4, 2, channels=(3, 5), num_pools=1, multiscale=True).double()
    level = GRAPH.hierarchy[0]
    adjacency = torch.zeros(10, 10).double()
    adjacency[tuple(level.edge_index)] = level.edge_weight.double()
    laplacian = adjacency.sum(dim=1).diag() - adjacency
    basis = model.eigenvectors_1
    values = (basis.t() @ laplacian @ basis).diagonal()
    torch.testing.assert_close(laplacian @ basis, basis * values, atol=1e-5, rtol=1e-5)
    assert (values.diff() > -1e-6).all()
    x = torch.randn(40, 2).double()
    first = model.convs[0](x, model.eigenvectors, 40).relu()
    pooled = torch.stack([first[level.cluster == m].mean(dim=0) for m in range(10)])
    weight = model.convs[1].weight
    expected = torch.zeros(10, 5).double()
    for i in range(3):
        for j in range(5):
            expected[:, j] += basis @ weight[:, i, j].diag() @ basis.t() @ pooled[:, i]
    torch.testing.assert_close(model(x)[0], model.head(expected.relu())[0])


@pytest.mark.parametrize('multiscale', [False, True])
def test_convolutions_of_each_layer_of_the_spectral_part(multiscale):
    options = {'channels': (3, 5), 'num_layers': (1, 2), 'num_pools': 1, 'residual': True}
    model = SPEGNN(GRAPH, 4, **options, multiscale=multiscale)
    basis, size = (model.eigenvectors_1, 10) if multiscale else (GRAPH.eigenvectors, 40)
    x = torch.randn(40, 1)
    first = model.convs[0](x, GRAPH.eigenvectors, 40).relu()
    first = model.pools[0](first) if multiscale else first
    second = model.convs[1](first, basis, size).relu()
    last = second + model.convs[2](second, basis, size).relu()
    expected = model.head(last if multiscale else model.pools[0](last))
    torch.testing.assert_close(model(x), expected)


def test_directional_filters_against_derivatives_of_the_basis():
    model = SPEGNN(GRAPH, 4, 2, channels=3, num_modes=9, directional=True)
    modes = model.eigenvectors
    zero = torch.zeros_like(modes)
    along = [model.divergences[0](torch.cat(pair, 1)) for pair in ((modes, zero), (zero, modes))]
    weight = model.convs[0].weight.view(9, 2, 3, 3)
    x = torch.randn(40, 2)
    expected = torch.zeros(40, 3)
    for d, basis in enumerate((modes, *along)):
        for i in range(2):
            for j in range(3):
                expected[:, j] += basis @ (weight[:, i, d, j] * (modes.t() @ x[:, i]))
    expected = model.head(expected.relu())
    torch.testing.assert_close(model(x), expected, atol=1e-5, rtol=1e-4)


def test_a_directional_filter_responds_to_one_direction_alone():
    """An isotropic filter cannot distinguish an edge from the same edge rotated by 90 degrees."""
    pos = torch.stack(torch.meshgrid(torch.arange(7), torch.arange(7), indexing='xy'), 2)
    graph = PointGraph.from_points(pos.view(-1, 2).float(), k=8, num_modes=49)
    model = SPEGNN(graph, 2, channels=1, directional=True)
    model.convs[0].weight.data = torch.tensor([0.0, 1, 0]).expand(49, 1, 3).clone()
    model.head = torch.nn.Identity()
    columns, rows = graph.pos.unbind(dim=1)
    assert model(columns[:, None]).min() > 0.5
    assert model(rows[:, None]).abs().max() < 1e-4


def test_ssgnn_fuses_its_parts_and_returns_them():
    model = ssgnn(GRAPH, 4, spectral={'num_modes': 10})
    x = torch.randn(3 * 40, 1)
    out, (spatial, spectral) = model(x, return_parts=True)
    torch.testing.assert_close(spatial, model.spatial(x))
    torch.testing.assert_close(spectral, model.spectral(x))
    largest = torch.maximum(spatial.softmax(-1), spectral.softmax(-1))
    torch.testing.assert_close(out.softmax(-1), largest / largest.sum(-1, keepdim=True))
    assert torch.equal(out, model(x))


def test_the_sum_of_losses_trains_each_part_separately():
    model = ssgnn(GRAPH, 4)
    x, y = torch.randn(4 * 40, 1), torch.arange(4)
    _, parts = model(x, return_parts=True)
    sum(cross_entropy(part, y) for part in parts).backward()
    for part in (model.spatial, model.spectral):
        together = [p.grad.clone() for p in part.parameters()]
        part.zero_grad()
        cross_entropy(part(x), y).backward()
        for a, b in zip(together, part.parameters()):
            torch.testing.assert_close(a, b.grad)


def test_parts_that_differ_raise():
    with pytest.raises(ValueError, match=r'num_classes must be .*, got 4 .* and 5'):
        SSGNN(SPAGNN(GRAPH, 4), SPEGNN(GRAPH, 5))
    with pytest.raises(ValueError, match=r'in_channels must be .*, got 1 .* and 2'):
        SSGNN(SPAGNN(GRAPH, 4), SPEGNN(GRAPH, 4, 2))
    with pytest.raises(ValueError, match=r"mode must be one of .*, got 'median'"):
        ssgnn(GRAPH, 4, fusion='median')


# State ########################################################################


def test_state_restores_the_outputs(model):
    x = torch.randn(3 * 40, 2)
    model(x)  # statistics of the normalisation
    again = copy.deepcopy(model)
    again.reset_parameters()
    assert not torch.equal(again.eval()(x), model.eval()(x))
    again.load_state_dict(model.state_dict())
    assert torch.equal(again(x), model(x))


def test_the_basis_of_the_state_counts():
    """Uses the saved basis, not a recomputed one with different signs."""
    model = SPEGNN(GRAPH, 4)
    flipped = SimpleNamespace(
        num_nodes=40, pos=GRAPH.pos, edge_index=GRAPH.edge_index, hierarchy=(),
        eigenvectors=GRAPH.eigenvectors.flip(0),
    )  # fmt: skip
    again = SPEGNN(flipped, 4)
    again.load_state_dict(model.state_dict())
    x = torch.randn(40, 1)
    assert torch.equal(again(x), model(x))


def test_the_state_of_another_graph_raises():
    state = SPAGNN(GRAPH, 4, shared=True).state_dict()
    edges = GRAPH.edge_index.flip(1)[:, GRAPH.edge_index.flip(1)[1].argsort(stable=True)]
    assert not torch.equal(edges, GRAPH.edge_index)
    other = SimpleNamespace(
        num_nodes=40, pos=GRAPH.pos, edge_index=edges, eigenvectors=None, hierarchy=GRAPH.hierarchy
    )
    with pytest.raises(RuntimeError, match=r'convs\.0\.edge_index belongs to another graph'):
        SPAGNN(other, 4, shared=True).load_state_dict(state)
    state = SPEGNN(GRAPH, 4, num_pools=1).state_dict()
    state['pools.0.cluster'] = state['pools.0.cluster'].flip(0)
    with pytest.raises(RuntimeError, match=r'pools\.0\.cluster belongs to another graph'):
        SPEGNN(GRAPH, 4, num_pools=1).load_state_dict(state)


def tensors_of(graph):
    own = [graph.pos, graph.edge_index, graph.edge_weight, graph.eigenvalues, graph.eigenvectors]
    for level in graph.hierarchy:
        own += [level.cluster, level.permutation, level.edge_index, level.edge_weight]
    return own


@pytest.mark.parametrize('options', [{}, {'add_self_loops': False}])
def test_loading_changes_no_graph_and_no_other_model(options):
    x = torch.randn(40, 1)
    make = {
        'spatial': lambda graph: SPAGNN(graph, 4, **options),
        'spectral': lambda graph: SPEGNN(graph, 4, num_pools=1),
    }
    before = [value.clone() for value in tensors_of(GRAPH)]
    for build in make.values():
        bystander = build(GRAPH)
        expected = bystander(x)
        state = build(GRAPH).state_dict()
        accepted = {
            key: -value if key == 'eigenvectors' else value.clone() for key, value in state.items()
        }
        build(GRAPH).load_state_dict(accepted)
        model = build(GRAPH)
        with pytest.raises(RuntimeError, match='belongs to another graph'):
            model.load_state_dict(build(OTHER).state_dict())
        for key, value in model.state_dict().items():
            if key.endswith(('cluster', 'edge_index', 'graph_digest')):
                assert torch.equal(value, state[key])
        assert torch.equal(bystander(x), expected)
    assert all(torch.equal(a, b) for a, b in zip(before, tensors_of(GRAPH)))


@pytest.mark.parametrize('change', ['pos', 'edge_index'])
def test_the_state_of_other_nodes_or_edges_raises(change):
    other = SimpleNamespace(
        num_nodes=40, pos=GRAPH.pos, edge_index=GRAPH.edge_index,
        eigenvectors=GRAPH.eigenvectors, hierarchy=GRAPH.hierarchy,
    )  # fmt: skip
    setattr(other, change, getattr(GRAPH, change).flip(0).contiguous())
    for part in (SPAGNN, SPEGNN):
        state = part(GRAPH, 4, num_directions=4).state_dict()
        part(copy.copy(GRAPH), 4, num_directions=4).load_state_dict(state)
        with pytest.raises(RuntimeError, match='graph_digest belongs to another graph'):
            part(other, 4, num_directions=4).load_state_dict(state)
        with pytest.raises(RuntimeError, match=r'spa\.graph_digest belongs to another graph'):
            torch.nn.ModuleDict({'spa': part(other, 4)}).load_state_dict(
                torch.nn.ModuleDict({'spa': part(GRAPH, 4)}).state_dict()
            )


@pytest.mark.parametrize('part', [SPAGNN, SPEGNN])
def test_the_precision_of_a_state_does_not_matter(part):
    state = part(GRAPH, 4).bfloat16().state_dict()
    part(GRAPH, 4).load_state_dict(state)
    part(GRAPH, 4).double().load_state_dict(state)


# What every model must do #####################################################


def test_a_batch_equals_its_separate_samples(model):
    model.eval()
    x = torch.randn(3 * 40, 2)
    alone = torch.cat([model(sample) for sample in x.split(40)])
    torch.testing.assert_close(model(x), alone, atol=1e-5, rtol=1e-4)


def test_every_parameter_gets_a_gradient(model):
    cross_entropy(model(torch.randn(4 * 40, 2)), torch.arange(4)).backward()
    assert [n for n, p in model.named_parameters() if p.grad is None] == []
    assert all(p.grad.isfinite().all() for p in model.parameters())


def test_reset_parameters_resamples_the_weights(model):
    torch.manual_seed(1)
    model.reset_parameters()
    first = {key: value.clone() for key, value in model.named_parameters()}
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(3.0)
    torch.manual_seed(1)
    model.reset_parameters()
    assert all(torch.equal(value, first[key]) for key, value in model.named_parameters())


# Torch's own, about the gradient of the pooling.
@pytest.mark.slow
@pytest.mark.filterwarnings('ignore:.*should not be instantiated:DeprecationWarning')
def test_exports_and_compiles():
    model = ssgnn(GRAPH, 4, 2, **OPTIONS['ssgnn']).eval()
    x = torch.randn(2 * 40, 2)
    torch.testing.assert_close(torch.export.export(model, (x,)).module()(x), model(x))
    compiled = torch.compile(model, backend='eager', fullgraph=True)
    torch.testing.assert_close(compiled(x), model(x))
    torch._dynamo.reset()


def test_trains_under_autocast(model):
    with torch.autocast('cpu', dtype=torch.bfloat16):
        out = model(torch.randn(2 * 40, 2))
    out.float().square().sum().backward()
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)


def test_a_batch_of_the_graph_fits(name):
    model = create_model(name, graph=GRAPH, num_classes=4)
    batch = graph_to_batch(GRAPH, torch.randn(3, 40, 1))
    assert model(*(batch[field] for field in model.inputs)).shape == (3, 4)


# Weights of nodes #############################################################


@pytest.mark.parametrize(
    'make',
    [
        lambda: SPAGNN(GRAPH, 4, 2, (3, 5)),
        lambda: SPAGNN(GRAPH, 4, 2, (3, 5), shared=True),
        lambda: SPEGNN(GRAPH, 4, 2, num_modes=11),
        lambda: SPEGNN(GRAPH, 4, 2, num_knots=5),
        lambda: SPEGNN(GRAPH, 4, 2, num_knots=5, num_modes=20, directional=True),
    ],
)
def test_node_weights_are_impulse_responses(make):
    model = make()
    total = torch.zeros(40)
    for node in range(40):
        for channel in range(2):
            x = torch.zeros(40, 2)
            x[node, channel] = 1
            if isinstance(model, SPEGNN):
                out = model._filter(x, model.eigenvectors, model.convs[0], 0)
            else:
                out = model.convs[0](x)
            total[node] += out.square().sum().detach()
    torch.testing.assert_close(model.node_weights(), total.sqrt())


# Bad input ####################################################################


def test_wrong_features_raise(name):
    model = BUILDERS[name](GRAPH, 4)
    with pytest.raises(ValueError, match='a multiple of 40 nodes'):
        model(torch.randn(41, 1))
    with pytest.raises(ValueError, match=r'x must have shape \[num_nodes, 1\], got \[40, 2\]'):
        model(torch.randn(40, 2))
    with pytest.raises(ValueError, match=r'x must have shape .*, got \[40, 1, 1\]'):
        model(torch.randn(40, 1, 1))


def test_graphs_that_lack_something_raise(name):
    if name != 'spagnn':
        plain = PointGraph.from_points(PIXELS, levels=2, ratio=0.25)
        with pytest.raises(ValueError, match='must have eigenvectors: build it with num_modes'):
            BUILDERS[name](plain, 4)
    if name != 'spegnn':
        flat = PointGraph.from_points(PIXELS, num_modes=4)
        with pytest.raises(ValueError, match='must have 2 coarser levels, got 0'):
            BUILDERS[name](flat, 4)
    with pytest.raises(TypeError, match='must be a PointGraph or have its attributes, got str'):
        BUILDERS[name]('faces', 4)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'num_modes': 41}, r'num_modes must be in \[1, 40\] for this graph, got 41'),
        ({'num_modes': 0}, r'num_modes must be in \[1, 40\]'),
        ({'basis_per_graph': True}, 'basis_per_graph requires num_knots'),
        ({'num_pools': 3}, 'must have 3 coarser levels, got 2'),
        (
            {'channels': (3, 4, 5), 'num_pools': 1, 'multiscale': True},
            'num_pools must be at least 2 for 3 layers if multiscale, got 1',
        ),
        ({'basis_per_graph': True, 'num_knots': 4, 'directional': True}, 'a shared graph'),
        ({'basis_per_graph': True, 'num_knots': 4, 'num_directions': 4}, 'a shared graph'),
    ],
)
def test_incompatible_options_raise(options, message):
    with pytest.raises(ValueError, match=message):
        SPEGNN(GRAPH, 4, **options)


@pytest.mark.parametrize('model', [SPAGNN, SPEGNN])
@pytest.mark.parametrize('num_layers', [0, (1,), (1, 0)])
def test_invalid_numbers_of_layers_raise(model, num_layers):
    with pytest.raises(ValueError, match='num_layers must be positive, one number or 2'):
        model(GRAPH, 4, channels=(8, 16), num_layers=num_layers)


def test_unexpected_and_missing_bases_raise():
    with pytest.raises(ValueError, match='with its own basis'):
        SPEGNN(GRAPH, 4)(torch.randn(40, 1), GRAPH.eigenvectors)
    with pytest.raises(ValueError, match='eigenvectors of each graph are required'):
        SPEGNN(GRAPH, 4, num_knots=4, basis_per_graph=True)(torch.randn(40, 1))
