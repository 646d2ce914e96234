import math

import pytest
import torch
import torch.nn.functional as F

from benchmarks.operators.oracle import to_multihead_attention
from graphmotion.nn import JointAttention, TopKJointPooling
from tests.nn.attention.loops import attention, random_maps

V, T, C, B = 5, 3, 8, 2

FORMS = {
    'plain': {},
    'narrow_heads': {'head_channels': 3, 'out_channels': 6},
    'unprojected_values': {'value_projection': False},
    'global_map': {'global_map': True, 'num_nodes': V},
    'clip': {'per_frame': False},
    'tanh': {'normalization': 'tanh'},
    'tanh_global': {'normalization': 'tanh', 'global_map': True, 'num_nodes': V},
    'clip_global_unprojected': {
        'per_frame': False,
        'global_map': True,
        'num_nodes': V,
        'value_projection': False,
    },
    # The spatial attention of DSTA-Net.
    'decoupled': {
        'heads': 3,
        'head_channels': 4,
        'out_channels': 16,
        'value_projection': False,
        'num_nodes': V,
        'global_map': True,
        'per_frame': False,
        'normalization': 'tanh',
    },
}


def make(form: str, dtype=torch.float64) -> JointAttention:
    module = JointAttention(C, **{'heads': 2, **FORMS[form]})
    random_maps(module)
    return module.to(dtype)


def by_loops(module, x, position=None, ids=None):
    """Loops over graphs; position [V, 1 or T, C] and ids [B, T, V]."""
    num = 3 if module.value_projection else 2
    weights = (*module.qkv.weight.chunk(num), None)[:3]
    biases = (*module.qkv.bias.chunk(num), None)[:3]
    position = torch.zeros(1, 1, C) if position is None else position
    outs, maps = [], []
    for b, part in enumerate(x.split(V)):
        gathered = None
        if module.global_map is not None:
            gathered = module.global_map.expand(T, *module.global_map.shape)
            if ids is not None:
                gathered = torch.stack(
                    [module.global_map[:, row][:, :, row] for row in ids[b].expand(T, -1)]
                )
        out, found = attention(module, part, part, weights, biases, (position, position), gathered)
        outs.append(out)
        maps.append(found)
    return torch.cat(outs), torch.stack(maps)


@pytest.fixture
def x():
    return torch.randn(B * V, T, C).double()


@pytest.mark.parametrize('form', FORMS)
def test_against_a_loop(form, x):
    module = make(form)
    expected, maps = by_loops(module, x)
    torch.testing.assert_close(module(x, V), expected)
    out, found = module(x, V, return_attention=True)
    torch.testing.assert_close(out, expected)
    assert found.shape == (B, T if module.per_frame else 1, module.heads, V, V)
    torch.testing.assert_close(found.expand_as(maps), maps)


@pytest.mark.parametrize('form', FORMS)
def test_positions_affect_only_queries_and_keys(form, x):
    module = make(form)
    position = torch.randn(V, C).double()
    expected, _ = by_loops(module, x, position.unsqueeze(1))
    assert not torch.allclose(expected, module(x, V))
    torch.testing.assert_close(module(x, V, position=position), expected)
    torch.testing.assert_close(module(x, V, position=position.repeat(B, 1)), expected)
    moving = torch.randn(V, T, C).double()
    torch.testing.assert_close(module(x, V, position=moving), by_loops(module, x, moving)[0])
    batch = torch.arange(B).repeat_interleave(V)
    torch.testing.assert_close(module(x, batch=batch, position=position.repeat(B, 1)), expected)


@pytest.mark.parametrize('form', FORMS)
def test_graphs_of_different_sizes_equal_separate_graphs(form):
    module = make(form)
    sizes = [5, 2, 1, 4]
    x = torch.randn(sum(sizes), T, C).double().requires_grad_()
    batch = torch.arange(4).repeat_interleave(torch.tensor(sizes))

    def alone(part: torch.Tensor) -> torch.Tensor:
        if module.global_map is None:
            return module(part)
        # The first nodes of the map, told by numbers.
        return module(part, node_ids=torch.arange(len(part)).view(1, 1, -1))

    expected = torch.cat([alone(part) for part in x.split(sizes)])
    gradient = torch.randn_like(expected)
    for options in ({}, {'batch_size': 4, 'num_nodes': 5}, {'batch_size': 4, 'num_nodes': 5}):
        out = module(x, batch=batch, **options)
        torch.testing.assert_close(out, expected)
    wanted = torch.autograd.grad(expected, [x, *module.parameters()], gradient)
    found = torch.autograd.grad(out, [x, *module.parameters()], gradient)
    torch.testing.assert_close(found, wanted)
    _, maps = module(x, batch=batch, return_attention=True)
    assert maps[1, :, :, :2, 2:].abs().max() == 0


def test_graphs_of_different_sizes_are_masked_in_the_fused_kernel(monkeypatch):
    monkeypatch.setattr('graphmotion.nn.attention.attend._MAX_PLAIN_SCORES', 0)
    module = make('plain')
    sizes = [5, 2, 1, 4]
    x = torch.randn(sum(sizes), T, C).double()
    batch = torch.arange(4).repeat_interleave(torch.tensor(sizes))
    expected = torch.cat([module(part) for part in x.split(sizes)])
    torch.testing.assert_close(module(x, batch=batch), expected)


@pytest.mark.parametrize('form', ['plain', 'tanh', 'clip', 'unprojected_values'])
def test_permuting_joints_permutes_the_output(form, x):
    module, order = make(form), torch.randperm(V)
    shuffled = x.view(B, V, T, C)[:, order].flatten(0, 1)
    expected = module(x, V).unflatten(0, (B, V))[:, order].flatten(0, 1)
    torch.testing.assert_close(module(shuffled, V), expected)


@pytest.mark.parametrize('form', FORMS)
def test_frames_mix_if_all_frames_share_a_map(form, x):
    module = make(form)
    changed = x.clone()
    changed[:, 1] += 1.0
    moved = (module(changed, V) - module(x, V)).abs().amax(dim=(0, 2))
    assert moved[1] > 1e-6
    if module.per_frame:
        assert moved[[0, 2]].max() == 0
    else:
        assert moved[[0, 2]].min() > 1e-6


def test_kept_joints_use_their_rows_of_the_global_map(x):
    module = make('global_map')
    kept = TopKJointPooling(C, 4).double()(x, V)
    out = module(kept.x, 4, node_ids=kept.joint_ids)
    num = module.qkv.weight.chunk(3), module.qkv.bias.chunk(3)
    for b, part in enumerate(kept.x.split(4)):
        ids = kept.joint_ids[b]
        maps = torch.zeros(T, 2, 4, 4, dtype=torch.float64)
        for t in range(T):
            for i in range(4):
                for j in range(4):
                    maps[t, :, i, j] = module.global_map[:, ids[t, i], ids[t, j]]
        zero = torch.zeros(1, 1, C)
        expected, _ = attention(module, part, part, *num, (zero, zero), maps)
        torch.testing.assert_close(out[4 * b : 4 * b + 4], expected)


@pytest.mark.parametrize('form', ['global_map', 'clip_global_unprojected', 'decoupled'])
def test_node_ids_in_the_order_of_the_map_have_no_effect(form, x):
    module = make(form)
    ids = torch.arange(V).view(1, 1, V)
    torch.testing.assert_close(module(x, V, node_ids=ids), module(x, V))
    torch.testing.assert_close(module(x, V, node_ids=ids.expand(B, 1, V)), module(x, V))
    # Permuting joints with their numbers permutes the output.
    order = torch.randperm(V)
    shuffled = x.view(B, V, T, C)[:, order].flatten(0, 1)
    expected = module(x, V).unflatten(0, (B, V))[:, order].flatten(0, 1)
    torch.testing.assert_close(module(shuffled, V, node_ids=ids[..., order]), expected)


def test_the_global_map_receives_a_gradient_through_node_ids():
    module = make('global_map')
    x = torch.randn(2 * 3, T, C).double()
    ids = torch.stack([torch.randperm(4)[:3] for _ in range(2 * T)]).view(2, T, 3)
    module(x, 3, node_ids=ids).sum().backward()
    assert module.global_map.grad[:, :4, :4].abs().min() > 0  # every pair occurs at this seed
    assert module.global_map.grad[:, 4].abs().max() == 0


def test_matches_multihead_attention_of_torch(x):
    module = make('plain')
    assert (module.qkv.bias != 0).all()
    frames = x.view(B, V, T, C).transpose(1, 2).reshape(B * T, V, C)
    reference = to_multihead_attention(module).double()
    expected, maps = reference(frames, frames, frames, average_attn_weights=False)
    expected = expected.view(B, T, V, C).transpose(1, 2).reshape(B * V, T, C)
    out, found = module(x, V, return_attention=True)
    torch.testing.assert_close(out, expected)
    torch.testing.assert_close(found.flatten(0, 1), maps)


def test_parameters_of_the_published_systems():
    def count(module: torch.nn.Module) -> int:
        return sum(parameter.numel() for parameter in module.parameters())

    gaitmixer = JointAttention(32, heads=8)
    assert count(gaitmixer.qkv) == 3168
    assert count(gaitmixer.proj) == 1056
    assert count(gaitmixer) == 3168 + 1056
    # DSTA-Net's blocks, of which the rest is linear maps and batch normalisation.
    for in_channels, out_channels, whole in ((64, 64, 24886), (64, 128, 73238)):
        size, heads, num_nodes = out_channels // 4, 3, 25
        module = JointAttention(
            in_channels,
            heads,
            out_channels,
            size,
            value_projection=False,
            num_nodes=num_nodes,
            global_map=True,
            per_frame=False,
            normalization='tanh',
        )
        rest = 2 * out_channels + (out_channels + 1) * out_channels + 2 * out_channels
        if in_channels != out_channels:
            rest += 2 * ((in_channels + 1) * out_channels + 2 * out_channels)
        assert count(module) == whole - rest


def test_initial_maps_are_means():
    module = JointAttention(C, 2, num_nodes=V, global_map=True, normalization='tanh')
    assert torch.equal(module.global_map, torch.full((2, V, V), 1 / V))
    assert torch.equal(module.alpha.flatten(), torch.ones(2))
    assert JointAttention(C, 2).global_map is None


def test_rows_of_the_attention_sum_to_one_before_the_global_map(x):
    module = JointAttention(C, 2, num_nodes=V, global_map=True).double()
    _, maps = module(x, V, return_attention=True)
    torch.testing.assert_close(maps.sum(dim=-1), torch.full((B, T, 2, V), 2.0).double())


@pytest.mark.parametrize('form', FORMS)
def test_one_joint(form):
    module = make(form)
    x = torch.randn(B, T, C).double()
    if module.global_map is not None:
        out = module(x, 1, node_ids=torch.zeros(1, 1, 1, dtype=torch.long))
    else:
        out = module(x, 1)
    assert out.shape == (B, T, module.out_channels)
    if form == 'plain':  # attends to itself
        value = F.linear(x, module.qkv.weight[2 * C :], module.qkv.bias[2 * C :])
        torch.testing.assert_close(out, module.proj(value))


@pytest.mark.parametrize('form', FORMS)
def test_static_graphs_and_more_dimensions(form, x):
    module = make(form)
    static = x[:, 0]
    torch.testing.assert_close(module(static, V), module(x[:, :1], V).squeeze(1))
    wide = torch.stack([x, x + 1], dim=1)
    assert module(wide, V).shape == (B * V, 2, T, module.out_channels)
    torch.testing.assert_close(module(wide, V).flatten(1, 2), module(wide.flatten(1, 2), V))


@pytest.mark.parametrize('form', FORMS)
def test_dtype_under_autocast(form, x):
    module = make(form, torch.float32)
    x = x.float()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        out = module(x, V, position=torch.randn(V, C))
        assert out.dtype == torch.bfloat16
        assert module(x.bfloat16(), V).dtype == torch.bfloat16
    assert module.bfloat16()(x.bfloat16(), V, position=torch.randn(V, C)).dtype == torch.bfloat16


@pytest.mark.slow
@pytest.mark.parametrize('form', ['plain', 'decoupled'])
def test_compiles_and_exports_with_a_batch_vector(form):
    module = make(form, torch.float32)
    sizes = torch.tensor([5, 2, 1, 4])
    x, batch = torch.randn(12, T, C), torch.arange(4).repeat_interleave(sizes)
    kwargs = {'num_nodes': 5, 'batch': batch, 'batch_size': 4}
    expected = module(x, **kwargs)
    torch._dynamo.reset()
    compiled = torch.compile(module, backend='eager', fullgraph=True)
    torch.testing.assert_close(compiled(x, **kwargs), expected)
    program = torch.export.export(module, (x,), kwargs)
    torch.testing.assert_close(program.module()(x, **kwargs), expected)


@pytest.mark.slow
def test_compiles_and_exports_with_node_ids_and_positions():
    module = make('global_map', torch.float32)
    x, ids = torch.randn(B * 4, T, C), torch.arange(4).flip(0).expand(B, T, 4)
    kwargs = {'num_nodes': 4, 'node_ids': ids, 'position': torch.randn(4, C)}
    expected = module(x, **kwargs)
    torch._dynamo.reset()
    compiled = torch.compile(module, backend='eager', fullgraph=True)
    torch.testing.assert_close(compiled(x, **kwargs), expected)
    program = torch.export.export(module, (x,), kwargs)
    torch.testing.assert_close(program.module()(x, **kwargs), expected)


def test_large_scores_stay_finite():
    module = make('plain', torch.float32)
    out, maps = module(1e4 * torch.randn(V, T, C), return_attention=True)
    assert out.isfinite().all()
    torch.testing.assert_close(maps.sum(dim=-1), torch.ones(1, T, 2, V))


def test_invalid_input_raises(x):
    with pytest.raises(ValueError, match=r'channels must be a multiple of heads=3 .* got 8'):
        JointAttention(8, 3)
    assert JointAttention(8, 3, head_channels=4).double()(x, V).shape == x.shape
    with pytest.raises(ValueError, match='heads must be an integer >= 1, got 0'):
        JointAttention(8, 0)
    with pytest.raises(ValueError, match=r"one of \['softmax', 'tanh'\], got 'relu'"):
        JointAttention(8, 2, normalization='relu')
    with pytest.raises(ValueError, match='global_map requires num_nodes'):
        JointAttention(8, 2, global_map=True)
    module = make('global_map')
    with pytest.raises(ValueError, match='multiple of 4 nodes'):
        module(x, 4)
    with pytest.raises(ValueError, match=r'without node_ids, .* 5 nodes of the global map, got 2'):
        module(x, 2)
    with pytest.raises(ValueError, match='the 5 nodes of the global map, got 6'):
        module(torch.randn(6, T, C).double(), batch=torch.zeros(6, dtype=torch.long))
    with pytest.raises(ValueError, match=r'node_ids must have shape \[2, 3, 5\], got \[1, 1, 3\]'):
        module(x, V, node_ids=torch.zeros(1, 1, 3, dtype=torch.long))
    with pytest.raises(ValueError, match=r'node_ids must be in .* got values from 0 to 5'):
        module(x, V, node_ids=torch.arange(1, 6).view(1, 1, V) * torch.tensor([0, 1, 1, 1, 1]))
    with pytest.raises(ValueError, match='node_ids requires global_map=True'):
        make('plain')(x, V, node_ids=torch.arange(V).view(1, 1, V))
    with pytest.raises(ValueError, match=r'node_ids must have shape \[2, 1, 5\]'):
        make('decoupled')(x, V, node_ids=torch.arange(V).expand(B, T, V))
    with pytest.raises(ValueError, match=r'x must have shape .* 6\], got \[10, 3, 8\]'):
        JointAttention(6, 2)(x, V)
    with pytest.raises(ValueError, match=r'position must have shape .* 8\], got \[5, 6\]'):
        make('plain')(x, V, position=torch.randn(V, 6))
    for wrong in (torch.randn(V, T - 1, C), torch.randn(3 * V, C)):
        with pytest.raises(ValueError, match='of one graph, or of one frame of either'):
            make('plain')(x, V, position=wrong)


def test_repr_names_the_options():
    assert repr(JointAttention(C, 2)) == 'JointAttention(8, heads=2)'
    assert repr(make('decoupled')) == (
        'JointAttention(8, heads=3, out_channels=16, head_channels=4, value_projection=False, '
        "global_map=[5, 5], per_frame=False, normalization='tanh')"
    )


def test_scale_of_the_scores():
    """Closed form for two joints, where one query equals one key."""
    module = JointAttention(4, 1)
    with torch.no_grad():
        module.qkv.weight.copy_(torch.eye(4).repeat(3, 1))
        module.qkv.bias.zero_()
    x = torch.tensor([[1.0, 1, 1, 1], [0, 0, 0, 0]])
    _, maps = module(x, return_attention=True)
    weight = math.exp(4 / 2) / (math.exp(4 / 2) + 1)
    torch.testing.assert_close(maps[0, 0, 0, 0], torch.tensor([weight, 1 - weight]))


def test_the_fused_kernel_receives_views(monkeypatch, no_kernels):
    """Heads and frames are one dimension of the kernel, and no input is copied."""
    shapes = []

    def fused(query, key, value, **kwargs):
        for part in (query, key, value):
            shapes.append((part.shape, part.is_contiguous()))
        return F.scaled_dot_product_attention(query, key, value, **kwargs)

    monkeypatch.setattr('graphmotion.nn.attention.attend._MAX_PLAIN_SCORES', 0)
    monkeypatch.setattr('graphmotion.nn.attention.attend._NARROW', 0)
    monkeypatch.setattr('graphmotion.nn.attention.attend.scaled_dot_product_attention', fused)
    JointAttention(C, 2)(torch.randn(B * V, T, C), V)
    assert shapes == [((B, T * 2, V, C // 2), False)] * 3


@pytest.mark.parametrize('num_nodes', [5, 60])  # with so many scores, another kernel is used
def test_masked_nodes_receive_no_attention(num_nodes):
    module = JointAttention(C, 2).eval()
    x, mask = torch.randn(B * num_nodes, T, C), torch.rand(B, num_nodes, T) < 0.7
    mask[:, 0] = True
    out, maps = module(x, num_nodes, mask=mask.flatten(0, 1), return_attention=True)
    fast = module(x, num_nodes, mask=mask.flatten(0, 1))
    torch.testing.assert_close(fast, out, atol=1e-5, rtol=1e-5)
    assert maps.permute(0, 4, 1, 2, 3)[~mask].count_nonzero() == 0
    for i, t in ((0, 0), (1, 2)):
        valid = mask[i, :, t]
        expected = module(x.view(B, num_nodes, T, C)[i, valid, t].unsqueeze(1))
        found = out.view(B, num_nodes, T, C)[i, valid, t].unsqueeze(1)
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize('options', [{}, {'global_map': True, 'num_nodes': 5}])
@pytest.mark.parametrize('masked', [False, True])
def test_first_only_is_the_first_node_of_all(options, masked):
    attention, x = JointAttention(8, 2, **options), torch.randn(15, 4, 8)
    mask = torch.rand(15, 4) > 0.3 if masked else None
    out = attention(x, 5, mask=mask)
    torch.testing.assert_close(attention(x, 5, mask=mask, first_only=True), out[::5])
