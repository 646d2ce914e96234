import pytest
import torch

from graphmotion.nn import CrossAttention, JointAttention, TopKJointPooling
from tests.nn.attention.loops import attention, random_maps

VT, VS, T, C, B = 5, 3, 4, 8, 2

FORMS = {
    'plain': {},
    'narrow_heads': {'head_channels': 3, 'out_channels': 6},
    'unprojected_values': {'value_projection': False},
    'global_map': {'global_map': True, 'num_nodes': (VS, VT)},
    'clip': {'per_frame': False},
    'tanh': {'normalization': 'tanh'},
    'everything': {
        'heads': 3,
        'head_channels': 4,
        'out_channels': 16,
        'value_projection': False,
        'num_nodes': (VS, VT),
        'global_map': True,
        'per_frame': False,
        'normalization': 'tanh',
    },
}


def make(form: str, dtype=torch.float64) -> CrossAttention:
    module = CrossAttention(C, **{'heads': 2, **FORMS[form]})
    random_maps(module)
    return module.to(dtype)


def by_loops(module, target, source, positions=None, maps=None):
    """Attention of one graph; maps [T, H, Vt, Vs]."""
    num = 2 if module.value_projection else 1
    weights = (module.q.weight, *module.kv.weight.chunk(num), None)[:3]
    biases = (module.q.bias, *module.kv.bias.chunk(num), None)[:3]
    zero = torch.zeros(1, 1, C)
    return attention(module, target, source, weights, biases, positions or (zero, zero), maps)


def maps_of(module):
    return None if module.global_map is None else module.global_map.expand(T, -1, -1, -1)


@pytest.fixture
def x():
    return torch.randn(B * VS, T, C).double(), torch.randn(B * VT, T, C).double()


@pytest.mark.parametrize('form', FORMS)
def test_against_a_loop(form, x):
    module = make(form)
    out, found = module(x, (VS, VT), return_attention=True)
    torch.testing.assert_close(module(x, (VS, VT)), out)
    assert found.shape == (B, T if module.per_frame else 1, module.heads, VT, VS)
    for b, (target, source) in enumerate(zip(x[1].split(VT), x[0].split(VS))):
        expected, maps = by_loops(module, target, source, maps=maps_of(module))
        torch.testing.assert_close(out[b * VT : (b + 1) * VT], expected)
        torch.testing.assert_close(found[b].expand_as(maps), maps)


@pytest.mark.parametrize('form', FORMS)
def test_positions_affect_only_queries_and_keys(form, x):
    module = make(form)
    positions = torch.randn(VS, C).double(), torch.randn(VT, C).double()
    out = module(x, (VS, VT), position=positions)
    wide = tuple(position.unsqueeze(1) for position in positions[::-1])
    for b, (target, source) in enumerate(zip(x[1].split(VT), x[0].split(VS))):
        expected, _ = by_loops(module, target, source, wide, maps_of(module))
        torch.testing.assert_close(out[b * VT : (b + 1) * VT], expected)
    one = module(x, (VS, VT), position=(None, positions[1]))
    zero = torch.zeros(VS, C).double()
    torch.testing.assert_close(one, module(x, (VS, VT), position=(zero, positions[1])))


@pytest.mark.parametrize('form', FORMS)
def test_graphs_of_different_sizes_equal_separate_graphs(form):
    module = make(form)
    sizes = ([1, 3, 2], [5, 2, 1])
    x = tuple(torch.randn(sum(size), T, C).double() for size in sizes)
    batch = tuple(torch.arange(3).repeat_interleave(torch.tensor(size)) for size in sizes)
    expected = []
    for parts in zip(*(side.split(size) for side, size in zip(x, sizes))):
        ids = None
        if module.global_map is not None:
            ids = tuple(torch.arange(len(part)).view(1, 1, -1) for part in parts)
        expected.append(module(parts, node_ids=ids))
    for options in ({}, {'batch_size': 3}, {'batch_size': 3, 'num_nodes': (3, 5)}):
        out = module(x, batch=batch, **options)
        torch.testing.assert_close(out, torch.cat(expected))


def test_a_graph_without_sources_is_finite():
    """The last graph has nodes on one side only."""
    module = make('plain')
    x = torch.randn(3, T, C).double().requires_grad_(), torch.randn(4, T, C).double()
    batch = torch.tensor([0, 0, 0]), torch.tensor([0, 0, 1, 1])
    out = module(x, batch=batch)
    torch.testing.assert_close(out[:2], module((x[0], x[1][:2])))
    assert out.isfinite().all()
    assert torch.autograd.grad(out.sum(), x[0])[0].isfinite().all()


def test_cross_attention_of_a_set_with_itself_is_self_attention():
    alone = JointAttention(C, 2, num_nodes=VT, global_map=True)
    random_maps(alone)
    crossed = CrossAttention(C, 2, num_nodes=(VT, VT), global_map=True)
    state = alone.state_dict()
    for end in ('weight', 'bias'):
        together = state.pop(f'qkv.{end}')
        state[f'q.{end}'], state[f'kv.{end}'] = together[:C], together[C:]
    crossed.load_state_dict(state)
    x, position = torch.randn(B * VT, T, C), torch.randn(VT, C)
    torch.testing.assert_close(
        crossed((x, x), (VT, VT), position=(position, position)), alone(x, VT, position=position)
    )


def test_one_source_sends_the_same_to_all_targets():
    module = make('plain')
    x = torch.randn(1, T, C).double(), torch.randn(VT, T, C).double()
    out = module(x)
    torch.testing.assert_close(out, out[:1].expand_as(out))


def test_kept_joints_use_their_rows_of_the_global_map():
    module = make('global_map')
    joints, parts = torch.randn(B * VT, T, C).double(), torch.randn(B * VS, T, C).double()
    kept = TopKJointPooling(C, 2).double()(joints, VT)
    out = module((parts, kept.x), (VS, 2), node_ids=(None, kept.joint_ids))
    back = CrossAttention(C, 2, num_nodes=(VT, VS), global_map=True).double()
    random_maps(back)
    out_of_parts = back((kept.x, parts), (2, VS), node_ids=(kept.joint_ids, None))
    for b, (target, source) in enumerate(zip(kept.x.split(2), parts.split(VS))):
        ids = kept.joint_ids[b]
        maps = torch.stack([module.global_map[:, ids[t]] for t in range(T)])
        expected, _ = by_loops(module, target, source, maps=maps)
        torch.testing.assert_close(out[2 * b : 2 * b + 2], expected)
        maps = torch.stack([back.global_map[:, :, ids[t]] for t in range(T)])
        expected, _ = by_loops(back, source, target, maps=maps)
        torch.testing.assert_close(out_of_parts[VS * b : VS * b + VS], expected)


def test_permuting_targets_or_sources(x):
    module, order = make('plain'), torch.randperm(VT)
    out = module(x, (VS, VT)).view(B, VT, T, C)
    moved = x[1].view(B, VT, T, C)[:, order].flatten(0, 1)
    torch.testing.assert_close(module((x[0], moved), (VS, VT)).view(out.shape), out[:, order])
    moved = x[0].view(B, VS, T, C).flip(1).flatten(0, 1)
    torch.testing.assert_close(module((moved, x[1]), (VS, VT)).view(out.shape), out)


@pytest.mark.parametrize('form', FORMS)
def test_every_parameter_and_both_inputs_receive_a_gradient(form, x):
    module = make(form)
    x = tuple(side.requires_grad_() for side in x)
    out = module(x, (VS, VT))
    (out * torch.randn_like(out)).sum().backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad.abs().max() > 0, name
    assert min(side.grad.abs().max() for side in x) > 0


@pytest.mark.parametrize('form', ['plain', 'everything'])
def test_gradients_of_double_precision(form):
    module = make(form)
    x = torch.randn(VS, 2, C).double().requires_grad_(), torch.randn(VT, 2, C).double()
    assert torch.autograd.gradcheck(lambda a, b: module((a, b)), (x[0], x[1].requires_grad_()))


@pytest.mark.parametrize('form', FORMS)
def test_reset_parameters_changes_all_parameters(form):
    module = make(form)
    module.reset_parameters()
    torch.manual_seed(3)
    module.reset_parameters()
    first = {name: value.clone() for name, value in module.state_dict().items()}
    random_maps(module)
    torch.manual_seed(3)
    module.reset_parameters()
    for name, value in module.state_dict().items():
        assert torch.equal(value, first[name]), name


@pytest.mark.slow
@pytest.mark.parametrize('form', ['plain', 'everything'])
def test_compiles_and_exports(form, x):
    module = make(form, torch.float32)
    x = tuple(side.float() for side in x)
    batch = torch.arange(B).repeat_interleave(VS), torch.arange(B).repeat_interleave(VT)
    for kwargs in (
        {'num_nodes': (VS, VT)},
        {'num_nodes': (VS, VT), 'batch': batch, 'batch_size': B},
    ):
        expected = module(x, **kwargs)
        torch._dynamo.reset()
        compiled = torch.compile(module, backend='eager', fullgraph=True)
        torch.testing.assert_close(compiled(x, **kwargs), expected)
        program = torch.export.export(module, (x,), kwargs)
        torch.testing.assert_close(program.module()(x, **kwargs), expected)


@pytest.mark.parametrize('form', FORMS)
def test_dtype_under_autocast(form, x):
    module = make(form, torch.float32)
    x = tuple(side.float() for side in x)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        out = module(x, (VS, VT))
    assert out.dtype == torch.bfloat16
    torch.testing.assert_close(out.float(), module(x, (VS, VT)), atol=0.1, rtol=0.1)


def test_static_graphs(x):
    module = make('plain')
    expected = module(tuple(side[:, :1] for side in x), (VS, VT)).squeeze(1)
    torch.testing.assert_close(module(tuple(side[:, 0] for side in x), (VS, VT)), expected)


def test_invalid_input_raises(x):
    module = make('global_map')
    with pytest.raises(ValueError, match=r'got \[2, 3\] and \[2, 4\]'):
        module((x[0][:, :3], x[1]), (VS, VT))
    with pytest.raises(ValueError, match=r'got \[1, 4\] and \[2, 4\]'):
        module((x[0][:VS], x[1]), (VS, VT))
    with pytest.raises(ValueError, match='the 5 nodes of the global map, got 3'):
        module(x[::-1], (VT, VS))
    with pytest.raises(ValueError, match='global_map requires num_nodes'):
        CrossAttention(C, 2, global_map=True)
    with pytest.raises(ValueError, match='channels must be a multiple of heads=3'):
        CrossAttention(C, 3)


def test_repr():
    assert repr(make('global_map')) == 'CrossAttention(8, heads=2, global_map=[5, 3])'
