import pytest
import torch

from graphmotion.inference import fuse_for_inference
from graphmotion.models import gaitformer, gaitmixer
from graphmotion.models.gaitmixer import AttentionBlock

MODELS = (gaitmixer, gaitformer)


def count(module):
    return sum(p.numel() for p in module.parameters())


def test_numbers_of_parameters():
    """Numbers of the published networks, part by part."""
    mixer, former = gaitmixer(), gaitformer()
    assert count(mixer) == 166_304
    assert count(former) == 141_952
    assert (count(gaitmixer(in_channels=3)), count(gaitformer(in_channels=3))) == (166_336, 141_984)
    for model in (mixer, former):
        assert count(model.spatial.lin) == 96
        assert model.spatial.position.numel() == 544
        assert [count(block) for block in model.spatial.blocks] == [8_544] * 4
    assert [count(block) for block in mixer.temporal] == [2_144, 5_504, 19_200, 71_168]
    assert count(mixer.norm) + count(mixer.lin) == 512 + 32_896
    assert former.position.numel() + former.token.numel() == 1_952 + 32
    assert count(former.norm) + count(former.lin) == 1_088 + 69_760


def test_a_block_of_attention_against_a_loop():
    block = AttentionBlock(8, 2, 2).double()
    x = torch.randn(2 * 5, 3, 8).double()
    out = block(x, 5)
    weight, bias = block.attention.qkv.weight, block.attention.qkv.bias
    for graph in range(2):
        for t in range(3):
            row = x[5 * graph : 5 * graph + 5, t]
            q, k, v = (block.attention_norm(row) @ weight.t() + bias).chunk(3, dim=-1)
            heads = []
            for h in (slice(0, 4), slice(4, 8)):
                heads.append((q[:, h] @ k[:, h].t() / 2).softmax(dim=-1) @ v[:, h])
            y = row + block.attention.proj(torch.cat(heads, dim=-1))
            hidden = torch.nn.functional.gelu(block.mlp[0](block.mlp_norm(y)))
            torch.testing.assert_close(out[5 * graph : 5 * graph + 5, t], y + block.mlp[2](hidden))


@pytest.mark.parametrize('make', MODELS)
def test_embeddings_have_length_one(make):
    out = make(embedding_dim=16).eval()(torch.randn(3 * 17, 60, 2))
    assert out.shape == (3, 16)
    torch.testing.assert_close(out.norm(dim=-1), torch.ones(3))


def test_initially_the_order_of_joints_has_no_effect():
    """Position encodings start as zeros, and the mean is invariant to the order."""
    model, order = gaitmixer().eval(), torch.randperm(17)
    x = torch.randn(17, 60, 2)
    torch.testing.assert_close(model(x[order]), model(x), atol=1e-5, rtol=1e-5)
    with torch.no_grad():
        model.spatial.position.normal_()
    assert not torch.allclose(model(x[order]), model(x), atol=1e-3)
    expected = model(x)
    with torch.no_grad():
        model.spatial.position.copy_(model.spatial.position[order])
    torch.testing.assert_close(model(x[order]), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize('num_people', [1, 2])
def test_features_of_joints_side_by_side(num_people):
    """Each joint has its own weights in the head; people are averaged, padding is left out."""
    options = {'channels': 8, 'heads': 2, 'temporal_channels': (8, 12), 'kernel_size': 5}
    model = gaitmixer('coco17', 6, joint_pooling='concat', num_people=num_people, **options).eval()
    assert (model.norm.weight.numel(), model.lin.in_features) == (17 * 12, 17 * 12)
    x, num_frames = torch.randn(3 * num_people * 17, 9, 2), torch.tensor([9, 6, 8])
    features = model.features(x)
    rows = []
    for i in range(3):
        people = []
        for m in range(num_people):
            start = (i * num_people + m) * 17
            people.append(torch.cat([features[start + v].mean(dim=0) for v in range(17)]))
        row = model.lin(model.norm(sum(people) / num_people))
        rows.append(row / row.norm())
    torch.testing.assert_close(model(x), torch.stack(rows), atol=1e-5, rtol=1e-5)
    alone = [model(x.view(3, -1, 9, 2)[i, :, : num_frames[i]].contiguous())[0] for i in range(3)]
    padded = model(x, num_frames=num_frames)
    torch.testing.assert_close(padded, torch.stack(alone), atol=1e-5, rtol=1e-5)
    with pytest.raises(ValueError, match=r"joint_pooling must be one of \['mean', 'concat'\]"):
        gaitmixer(joint_pooling='max')


def test_joints_mix_in_space_and_frames_in_time():
    model = gaitmixer().eval()
    x = torch.randn(17, 60, 2)
    moved = x.clone()
    moved[:, 7] += 1
    changed = (model.spatial(moved) - model.spatial(x)).abs().amax(dim=(0, 2)) > 1e-6
    assert changed.nonzero().flatten().tolist() == [7]
    x = torch.randn(17, 60, 32)
    moved = x.clone()
    moved[4] += 1
    block = model.temporal[0]
    changed = (block(moved) - block(x)).abs().amax(dim=(1, 2)) > 1e-6
    assert changed.nonzero().flatten().tolist() == [4]
    # Each frame takes from itself and those before it alone.
    moved = x.clone()
    moved[:, 40] += 1
    changed = (block(moved) - block(x)).abs().amax(dim=(0, 2)) > 1e-6
    assert not changed[:40].any()
    assert changed[40:].all()


def test_reflected_frames_keep_static_input_static():
    x = torch.randn(17, 1, 2).expand(-1, 60, -1)
    for padding, constant in (('reflect_start', True), ('reflect', True), ('zeros', False)):
        features = gaitmixer(padding=padding).eval().features(x)
        spread = (features - features[:, 30:31]).abs().max()
        assert (spread < 1e-4) == constant


def test_a_kernel_of_one_frame_ignores_the_order_of_frames():
    model, order = gaitmixer(kernel_size=1).eval(), torch.randperm(60)
    x = torch.randn(17, 60, 2)
    torch.testing.assert_close(model(x[:, order]), model(x), atol=1e-5, rtol=1e-5)


def test_numbers_of_frames():
    assert gaitmixer().eval()(torch.randn(17, 31, 2)).shape == (1, 128)
    with pytest.raises(ValueError, match=r'at least 31 frames .* got 30'):
        gaitmixer()(torch.randn(17, 30, 2))
    former = gaitformer().eval()
    assert former(torch.randn(17, 20, 2)).shape == (1, 128)
    with pytest.raises(ValueError, match='61 frames, expected at most num_frames=60'):
        former(torch.randn(17, 61, 2))


def test_gaitformer_needs_a_block():
    with pytest.raises(ValueError, match='depth must be an integer >= 1, got 0'):
        gaitformer(depth=0)


def test_position_encodings_distinguish_frames():
    """They start as zeros."""
    model, order = gaitformer().eval(), torch.randperm(60)
    x = torch.randn(17, 60, 2)
    torch.testing.assert_close(model(x[:, order]), model(x), atol=1e-4, rtol=1e-4)
    with torch.no_grad():
        model.position.normal_()
    assert not torch.allclose(model(x[:, order]), model(x), atol=1e-3)


def published(model):
    """The weights of a model with the names and shapes of published checkpoints."""
    theirs = {
        'spatial.lin': 'spatial_joint_to_embedding',
        'attention_norm': 'norm1', 'attention': 'attn', 'mlp_norm': 'norm2',
    }  # fmt: skip
    out = {}
    for name, value in model.state_dict().items():
        parts = name.split('.')
        if name.startswith('spatial.blocks'):
            layer = {'0': 'fc1', '2': 'fc2'}.get(parts[4]) if parts[3] == 'mlp' else None
            inner = ['mlp', layer] if layer else [theirs[parts[3]], *parts[4:-1]]
            key = '.'.join(['spatial_blocks', parts[2], *inner, parts[-1]])
        elif name.startswith('spatial.lin'):
            key = f'spatial_joint_to_embedding.{parts[-1]}'
        elif name == 'spatial.position':
            key, value = 'spatial_pos_embed', value.unsqueeze(0)
        elif name.startswith('spatial.norm'):
            key = f'spatial_norm.{parts[-1]}'
        elif name.startswith('temporal'):
            kind = {'conv': 'conv', 'norm': 'bn'}.get(parts[2])
            if parts[2] == 'shortcut':
                kind = {'0': 'linear', '2': 'bn_skip'}[parts[3]]
            inner = [parts[3]] if kind == 'conv' else []
            key = '.'.join([f'conv{int(parts[1]) + 1}', kind, *inner, parts[-1]])
        else:
            key = f'head.{0 if parts[0] == "norm" else 1}.{parts[-1]}'
        out[key] = value
    return out


def test_loads_published_names():
    source, model = gaitmixer().eval(), gaitmixer().eval()
    x = torch.randn(2 * 17, 60, 2)
    with torch.no_grad():
        source.spatial.position.normal_()
    state = published(source)
    assert 'conv4.bn_skip.running_mean' in state
    assert 'conv1.conv.depthwise.weight' in state
    assert state['spatial_pos_embed'].shape == (1, 17, 32)
    model.load_reference_state_dict({f'module.{k}': v for k, v in state.items()})
    torch.testing.assert_close(model(x), source(x), atol=1e-6, rtol=1e-5)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    wrong = state | {'head.1.weight': torch.zeros(3, 3)}
    with pytest.raises(ValueError, match=r"'head.1.weight' of shape \[3, 3\], expected \[128, 256"):
        model.load_reference_state_dict(wrong)
    turned = state | {'head.1.weight': state['head.1.weight'].t()}
    with pytest.raises(ValueError, match=r"'head.1.weight' of shape \[256, 128\], expected"):
        model.load_reference_state_dict(turned)
    with pytest.raises(ValueError, match=r"'conv9\.bn\.weight', which this model does not have"):
        model.load_reference_state_dict(state | {'conv9.bn.weight': torch.zeros(1)})
    state.pop('head.0.bias')
    with pytest.raises(ValueError, match=r"does not hold \['norm.bias'\], which this model has"):
        model.load_reference_state_dict(state)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])


@pytest.mark.parametrize('frames', ['temporal_', 'Temporal_', ''])
def test_gaitformer_loads_published_names_with_any_temporal_prefix(frames):
    torch.manual_seed(0)
    source, model = gaitformer(num_frames=40).eval(), gaitformer(num_frames=40).eval()
    for parameter in source.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    ours = {
        'spatial.lin': 'spatial_joint_to_embedding',
        'spatial.position': 'spatial_pos_embed',
        'spatial.norm': 'spatial_norm',
        'spatial.blocks': 'spatial_blocks',
        'token': 'cls_token',
        'position': f'{frames}pos_embed',
        'blocks': f'{frames}blocks',
        'temporal_norm': f'{frames or "last_"}norm',
        'norm': 'head.0',
        'lin': 'head.1',
        'attention_norm': 'norm1',
        'attention': 'attn',
        'mlp_norm': 'norm2',
        'mlp.0': 'mlp.fc1',
        'mlp.2': 'mlp.fc2',
    }
    state = {}
    for name, value in source.state_dict().items():
        first = next(k for k in ours if name.startswith(f'{k}.') or name == k)
        rest = name[len(first) :]
        if 'blocks' in first:
            for inner in ('attention_norm', 'attention', 'mlp_norm', 'mlp.0', 'mlp.2'):
                if f'.{inner}.' in rest:
                    rest = rest.replace(f'.{inner}.', f'.{ours[inner]}.')
                    break
        shape = (1, *value.shape) if 'position' in name else value.shape
        state[ours[first] + rest] = value.reshape((1, 1, -1) if name == 'token' else shape)
    assert state[f'{frames}blocks.3.attn.qkv.weight'].shape == (96, 32)
    x = torch.randn(34, 40, 2)
    assert (model(x) - source(x)).abs().max() > 0.01
    model.load_reference_state_dict({f'module.{k}': v for k, v in state.items()})
    torch.testing.assert_close(model(x), source(x), atol=1e-6, rtol=1e-5)
    state.pop('cls_token')
    with pytest.raises(ValueError, match=r"does not hold \['token'\], which this model has"):
        model.load_reference_state_dict(state)


@pytest.mark.parametrize('fused', [False, True])
def test_hooks_see_the_features_of_each_frame(fused):
    model = gaitmixer('coco17', channels=8, heads=2, temporal_channels=(8, 16)).eval()
    if fused:
        model = fuse_for_inference(model)
    x = torch.randn(2 * 17, 40, 2)
    with torch.no_grad():
        expected = model(x)
        seen = []
        model.temporal[-1].register_forward_hook(lambda _m, _i, out: seen.append(out))
        torch.testing.assert_close(model(x), expected)
        assert seen[0].shape == (2 * 17, 40, 16)
        torch.testing.assert_close(model._embed(seen[0].mean(dim=1)), expected)
        torch.testing.assert_close(seen[0], model.features(x))


@pytest.mark.parametrize('num_people', [1, 2])
@pytest.mark.parametrize('joint_pooling', ['mean', 'concat'])
@pytest.mark.parametrize('num_frames', [None, [40, 33]])
def test_training_does_not_depend_on_hooks(num_people, joint_pooling, num_frames):
    options = {'channels': 8, 'heads': 2, 'temporal_channels': (8, 16), 'dropout': 0.0}
    options |= {'num_people': num_people, 'joint_pooling': joint_pooling}
    models = [gaitmixer('coco17', **options).double() for _ in range(2)]
    models[1].load_state_dict(models[0].state_dict())
    seen = []
    models[1].temporal[-1].register_full_backward_hook(lambda *_: seen.append(1))
    x = torch.randn(2 * num_people * 17, 40, 2, dtype=torch.float64)
    num_frames = num_frames and torch.tensor(num_frames)
    results = []
    for model in models:
        out = model(x, num_frames=num_frames)
        out[:, 0].sum().backward()
        results.append([out, *(p.grad for p in model.parameters()), *model.buffers()])
    torch.testing.assert_close(*results)
    assert seen


def test_without_temporal_blocks_and_with_another_last_block():
    model = gaitmixer('coco17', channels=8, heads=2, temporal_channels=())
    assert model(torch.randn(17, 40, 2)).shape == (1, 128)
    model = gaitmixer('coco17', channels=8, heads=2, temporal_channels=(8,)).eval()
    x = torch.randn(17, 40, 2)
    expected = model(x)
    block = model.temporal[0]

    class Wrapper(torch.nn.Module):
        def forward(self, x, mask):
            return block(x, mask)

    model.temporal[0] = Wrapper()
    torch.testing.assert_close(model(x), expected)
