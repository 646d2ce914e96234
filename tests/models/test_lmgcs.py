import inspect

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from graphmotion import models
from graphmotion.models import LMGCS, create_model, lmgcs, lmgcs_ou_mvlp
from graphmotion.nn import LocalGlobalTemporal

T, H, W = 6, 16, 10
TEMPORAL = {'heads': 2, 'feedforward_channels': 12, 'num_blocks': (1, 1)}
SMALL = TEMPORAL | {'channels': (3, 4, 4), 'feature_dim': 5, 'width': 8, 'bins': (4,)}
# The rows of the ablation tables of the paper.
ROWS = {
    'baseline': {'window_sizes': None, 'fusion': None, 'num_blocks': None},
    'local': {'fusion': None, 'num_blocks': None},
    'local + fusion': {'num_blocks': None},
    'local + attention': {'fusion': None},
    'all': {},
    'one branch': {'window_sizes': (3,)},
    'two branches': {'window_sizes': (1, 5)},
    'attention alone': {'window_sizes': None, 'fusion': None, 'num_blocks': (2, 1)},
    'a set of frames': {
        'frame_kernel': 1, 'window_sizes': None, 'fusion': None, 'num_blocks': None,
    },
    'attention over a set': {'frame_kernel': 1, 'window_sizes': None, 'fusion': None},
    'reverse': {'reverse': True},
    'fusion by attention': {'fusion': 'attention'},
    'feature dimension': {'feature_dim': 3},
    'long windows': {'window_sizes': (3, 5, 7)},
    'weights of each window': {'share_weights': False},
    'pyramid': {'bins': (4, 2, 1)},
    'sum of mean and maximum': {'hpp': 'sum'},
    'with maxima': {'embed_local': True},
    'positions': {'position': True},
    'more pooling': {'pools': (1, 2, 3), 'bins': (2,)},
    'strides': {'pools': (2,), 'strided': (1,)},
}  # fmt: skip


def small(row='all', **options):
    return LMGCS(**SMALL | ROWS[row] | options).eval()


def clips(num=3, frames=T, width=W):
    return torch.rand(num, frames, H, width) > 0.5


def count(module):
    return 0 if module is None else sum(p.numel() for p in module.parameters())


@pytest.fixture(params=ROWS)
def row(request):
    return request.param


# Sizes ########################################################################


def on_paper(builder=lmgcs, **options):
    """A model without memory for its weights, on the meta device."""
    with torch.device('meta'):
        return builder(**options)


@pytest.mark.parametrize(
    ('window_sizes', 'parameters', 'macs'),
    [((1,), 14_656_192, 7.46), ((1, 3), 15_704_768, 10.24), ((1, 3, 5), 16_753_344, 13.03)],
)
def test_numbers_of_parameters_and_operations(window_sizes, parameters, macs):
    """As in the table of the docstring, next to the numbers of the paper."""
    model = on_paper(window_sizes=window_sizes)
    assert count(model) == parameters
    with FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, 30, 64, 44, device='meta'))
    assert round(counter.get_total_flops() / 2e9, 2) == macs
    for text in (f'{parameters:,}', f'{macs:.2f}'):
        assert text in LMGCS.__doc__
    paper = {1: 14.72e6, 2: 15.77e6, 3: 16.82e6}[len(window_sizes)]
    assert abs(parameters - paper) / paper < 0.005


def test_numbers_of_parameters_by_part():
    model = on_paper()
    assert count(model.backbone) == 720_064
    assert count(model.temporal.local) == 4 * 256 * 256 + 2 * 256 == 262_656
    assert count(model.temporal.fusion) == 0
    reference = torch.nn.Transformer(256, 8, 4, 4, 2048, batch_first=True)
    assert count(model.temporal.decoder) == count(reference) == 11_576_320
    assert (count(model.local_lin), count(model.global_lin)) == (3 * 2**20, 2**20)
    assert model.embedding_dim == 3 * 16 * 256
    assert count(on_paper(num_blocks=(1, 1)).temporal.decoder) == 2_894_848
    assert count(on_paper(fusion='attention').temporal.fusion) == 3 * 256 * 256 + 256
    for windows in ((3,), (5,)):  # each window costs the same, as reported
        assert count(on_paper(window_sizes=windows)) == 14_656_192
    assert count(on_paper(window_sizes=(3, 5, 7))) == count(model)
    baseline = on_paper(window_sizes=None, fusion=None, num_blocks=None)
    assert count(baseline) == 720_064 + 2**20
    wide = on_paper(lmgcs_ou_mvlp)
    assert count(wide) == 19_107_712
    assert f'{count(wide):,}' in lmgcs_ou_mvlp.__doc__
    assert wide.backbone.channels == (64, 128, 256, 256)


def test_both_stages_together_train_all_modules(row):
    model = small(row)
    both = sum(count(module) for module in model.local_modules + model.global_modules)
    assert both == count(model)
    assert bool(model.global_modules) == (model.temporal.decoder is not None)


# Embeddings ###################################################################


def test_parts_against_loops():
    model = small(bins=(4, 2)).double()
    x = clips().double()
    maps = model.backbone(x)  # [B, C, T, 4, W / 4]
    embedding, features = model(x), model.features(x)
    strips = [(4, i) for i in range(4)] + [(2, i) for i in range(2)]
    for clip in range(3):
        parts = []
        for part, (bins, i) in enumerate(strips):
            rows = maps[clip, :, :, i * 4 // bins : (i + 1) * 4 // bins].flatten(2)
            strip = torch.cat([rows.mean(dim=2), rows.max(dim=2).values]).t().unsqueeze(0)
            maxima, decoded = (out[:, 0] for out in model.temporal(strip))
            for branch in range(3):
                bank = model.local_lin.weight[6 * branch + part]
                torch.testing.assert_close(
                    features.local_parts[clip, 6 * branch + part], maxima[branch] @ bank
                )
            parts.append([d @ model.global_lin.weight[part] for d in decoded])
        expected = torch.stack([parts[p][s] for s in range(3) for p in range(6)])
        torch.testing.assert_close(features.global_parts[clip], expected)
        torch.testing.assert_close(embedding[clip], expected.flatten())


def test_a_strip_of_the_image_only_changes_its_own_parts():
    """The kernels are cut to one row, since larger ones extend across the borders of strips."""
    model = small(channels=(4,), pools=(1,), bins=(8,))
    x = clips().float()
    with torch.no_grad():
        kernel = model.backbone.convs[0].weight
        kernel[:, :, :, [0, 2]] = 0
    moved = x.clone()
    moved[:, :, 4:6] = 1 - moved[:, :, 4:6]
    for before, after in zip(model.features(x), model.features(moved)):
        changed = (after - before).abs().amax(dim=(0, 2)) > 1e-6
        assert changed.view(3, 8).nonzero().tolist() == [[branch, 2] for branch in range(3)]


def test_the_embedding_consists_of_the_parts(row):
    model, x = small(row), clips()
    features, out = model.features(x), model(x)
    parts = [features.global_parts] if features.global_parts is not None else []
    if model.embed_local or not parts:
        parts.append(features.local_parts)
    torch.testing.assert_close(out, torch.cat(parts, dim=1).flatten(1))
    assert out.shape == (3, model.embedding_dim)
    assert features.local_parts.shape == (3, model.num_parts, model.feature_dim)
    assert out.isfinite().all()


def test_the_order_of_frames(row):
    """It has no effect on a set of frames."""
    model, x, order = small(row), clips(), torch.tensor([3, 0, 5, 1, 4, 2])
    same = torch.allclose(model(x[:, order]), model(x), atol=1e-5)
    assert same == ('set' in row)
    assert not torch.allclose(model(x)[0], model(x)[1], atol=1e-3)


def test_padding_changes_nothing(row):
    """Even if padded frames hold noise; clips may be shorter than a window."""
    model, x, lengths = small(row), clips(4), [3, T, 1, 4]
    out = model(x, torch.tensor(lengths))
    for number, length in enumerate(lengths):
        alone = model(x[number : number + 1, :length])
        torch.testing.assert_close(out[number : number + 1], alone, atol=1e-5, rtol=1e-5)
    unpadded = model(x, torch.full((4,), T))
    torch.testing.assert_close(unpadded, model(x))
    assert not torch.allclose(unpadded[0], out[0], atol=1e-4)


def test_padded_frames_receive_no_gradient():
    x = clips(2).float().requires_grad_()
    small()(x, torch.tensor([2, T])).sum().backward()
    assert x.grad[0, :2].any()
    assert x.grad[1].any()
    assert not x.grad[0, 2:].any()


def test_a_batch_equals_its_separate_clips(row):
    model, x = small(row), clips()
    alone = torch.cat([model(part) for part in x.split(1)])
    torch.testing.assert_close(model(x), alone, atol=1e-5, rtol=1e-5)


def bars():
    """Twelve static bodies: upright bars of four widths and three heights."""
    x = torch.zeros(12, 3, 32, 22)
    for clip in range(12):
        half = 2 + 2 * (clip % 4)
        x[clip, :, 2 + 3 * (clip // 4) : 30, 11 - half : 11 + half] = 1
    return x


@pytest.mark.parametrize('row', ['baseline', 'local', 'local + fusion', 'local + attention', 'all'])
def test_embeddings_of_bodies_differ_at_initialisation(row):
    """The spread of embeddings is not negligible against their mean, in each ablation row."""
    ratios = []
    for seed in range(4):
        torch.manual_seed(seed)
        sizes = {'channels': (8, 16, 32, 32), 'width': 64, 'bins': (8,), 'feature_dim': 32}
        embedding = small(row, **sizes)(bars()).detach()
        mean = embedding.mean(dim=0)
        spread = (embedding - mean).square().sum(dim=1).mean().sqrt()
        ratios.append(float(spread / mean.norm()))
    assert sum(ratios) / 4 > 0.13


def test_training_is_deterministic():
    """The paper does not mention dropout."""
    model = small().train()
    assert torch.equal(model(clips := bars()[:2, :, :16, :10]), model(clips))


@pytest.mark.parametrize('dtype', [torch.uint8, torch.int64, torch.float32, torch.float64])
def test_types_of_silhouettes(dtype):
    model, x = small(), clips()
    torch.testing.assert_close(model(x.to(dtype)), model(x))


@pytest.mark.parametrize(
    'x',
    [
        torch.zeros(2, T, H, W),
        torch.ones(2, T, H, W),
        torch.ones(2, 1, H, W),
        torch.ones(2, T, H, 1),
        torch.ones(1, 1, H, 1),
        torch.eye(H)[:, 8:9].expand(2, 3, H, W),
    ],
    ids=['blank', 'white', 'one frame', 'one pixel wide', 'one column of one frame', 'one pixel'],
)
def test_degenerate_clips(row, x):
    model = small(row).train()
    out = model(x.requires_grad_())
    out.square().sum().backward()
    assert out.isfinite().all()
    assert x.grad.isfinite().all()
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)


@pytest.mark.parametrize(
    ('shape', 'match'),
    [
        ((2, T, H), r'shape \[B, T, H, W\], none 0, got \[2, 6, 16\]'),
        ((2, 0, H, W), r'none 0, got \[2, 0, 16, 10\]'),
        ((0, T, H, W), 'none 0'),
        ((2, T, H, 0), 'none 0'),
        ((2, T, 22, W), 'a multiple of 4 rows .* got 22 pixels, which give 6 rows'),
    ],
)
def test_invalid_shapes_raise(shape, match):
    with pytest.raises(ValueError, match=match):
        small()(torch.zeros(shape))


def test_invalid_numbers_of_frames_and_values_raise():
    model, x = small(), clips(2)
    for wrong, match in (
        (torch.tensor([1]), r'num_frames must have shape \[2\], .* got \[1\]'),
        (torch.tensor([0, 3]), r'must be in \[1, 6\], got 0 to 3'),
        (torch.tensor([2, 7]), r'must be in \[1, 6\], got 2 to 7'),
    ):
        with pytest.raises(ValueError, match=match):
            model(x, wrong)
    with pytest.raises(ValueError, match='must hold 0 and 1, got values up to 255'):
        model(255 * x.byte())
    with pytest.raises(ValueError, match='channels must be a multiple of heads=3, got 8'):
        small(heads=3)


# Use ##########################################################################


def test_registered_models():
    for name in ('lmgcs', 'lmgcs_ou_mvlp'):
        model = create_model(name, **SMALL)
        assert model.inputs == ('silhouettes', 'num_frames')
        assert model(clips()).shape == (3, 3 * 4 * 5)
        assert name in models.__all__


def test_every_parameter_receives_a_gradient(row):
    model = small(row, embed_local=True).train()
    model(clips()).square().sum().backward()
    without = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []
    for lin in (model.local_lin, model.global_lin):  # of every strip
        assert lin is None or lin.weight.grad.abs().amax(dim=(1, 2)).min() > 0


@pytest.mark.slow
def test_compiles_and_exports():
    model, x, lengths = small(window_sizes=(1, 3)), clips(), torch.tensor([2, 6, 4])
    expected = model(x, lengths)
    compiled = torch.compile(model, backend='eager', fullgraph=True)
    torch.testing.assert_close(compiled(x, lengths), expected)
    torch._dynamo.reset()
    exported = torch.export.export(model, (x, lengths)).module()
    torch.testing.assert_close(exported(x, lengths), expected)


def test_trains_under_autocast(row):
    model = small(row)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        out = model(clips(), torch.tensor([2, 6, 4]))
    out.float().sum().backward()
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)


def test_reset_parameters(row):
    model = small(row)
    torch.manual_seed(1)
    model.reset_parameters()
    first = {k: v.clone() for k, v in model.state_dict().items()}
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(3.0)
    torch.manual_seed(1)
    model.reset_parameters()
    for key, value in model.state_dict().items():
        assert torch.equal(value, first[key]), key


@pytest.mark.parametrize('dtype', [torch.uint8, torch.int16, torch.int64, torch.float32])
def test_values_above_one_raise_for_any_type(dtype):
    model, images = small('baseline'), clips().to(dtype)
    assert torch.equal(model(images), model(images.bool()))
    with pytest.raises(ValueError, match='must hold 0 and 1, got values up to 255'):
        model(255 * images)


def test_every_option_is_in_the_repr():
    changed = {
        'channels': (3, 4, 6), 'feature_dim': 6, 'width': 10, 'window_sizes': (1, 3),
        'share_weights': False, 'fusion': 'attention', 'reverse': True, 'num_blocks': (1, 2),
        'heads': 4, 'feedforward_channels': 14, 'dropout': 0.2, 'position': True, 'bins': (2,),
        'hpp': 'sum', 'frame_kernel': 1, 'pools': (1,),
        'strided': (2,), 'embed_local': True,
    }  # fmt: skip
    own = set(inspect.signature(LMGCS).parameters) - {'temporal_options'}
    temporal = set(inspect.signature(LocalGlobalTemporal).parameters) - {'in_channels', 'channels'}
    assert set(changed) == own | temporal
    plain = str(lmgcs(**SMALL))
    for name, value in changed.items():
        assert str(lmgcs(**SMALL | {name: value})) != plain, name
