from itertools import pairwise

import pytest
import torch

from graphmotion.models import MSAGCN, msa_gcn
from graphmotion.nn import SelectiveTemporalConv
from graphmotion.skeletons import Skeleton, get_skeleton

SKELETON = get_skeleton('emotion_gait16')
SMALL = {'channels': (8, 8, 12, 12)}
# Left and right of the 16 joints exchanged.
MIRROR = [0, 1, 2, 3, 7, 8, 9, 4, 5, 6, 13, 14, 15, 10, 11, 12]


def count(**options):
    return sum(p.numel() for p in msa_gcn(**options).parameters())


def test_numbers_of_parameters():
    """Computed by hand from the layer sizes of the paper."""
    assert count(cross_scale_layers=0, attention=False, input_norm=False) == 1_625_860
    assert count(scales=(16,), kernel_sizes=(5,), input_norm=False) == 612_964
    # The input normalisation has a scale and a shift for each channel of each node.
    extra = count(cross_scale_layers=0, attention=False) - 1_625_860
    assert extra == 2 * 3 * (16 + 10 + 5)


def test_one_scale_and_one_kernel_equals_a_plain_st_gcn():
    model = MSAGCN(
        SKELETON, scales=(16,), kernel_sizes=(5,), input_norm=False, channels=(6, 6, 10)
    ).eval()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    x = torch.randn(2 * 16, 12, 3)

    def norm(x, bn):
        return (x - bn.running_mean) / (bn.running_var + bn.eps).sqrt() * bn.weight + bn.bias

    adj = SKELETON.adjacency('spatial')
    h = x.view(2, 16, 12, 3)
    for layer in model.layers:
        mapped = [h @ layer.spatial.weight[k] + layer.spatial.bias[k] for k in range(3)]
        out = sum(torch.einsum('ij,bjtc->bitc', adj[k], mapped[k]) for k in range(3))
        out = norm(out, layer.norm.norm).clamp(min=0)
        conv = layer.temporal.convs[0].conv
        image = torch.nn.functional.conv2d(
            out.permute(0, 3, 1, 2), conv.weight, conv.bias, padding=(0, 2)
        )
        skip = h
        if len(layer.shortcut):  # not the identity
            point, bn = layer.shortcut
            skip = norm(h @ point.conv.weight[:, :, 0, 0].t() + point.conv.bias, bn.norm)
        h = image.permute(0, 2, 3, 1) + skip
    expected = h.mean(dim=(1, 2)) @ model.lin.weight.t() + model.lin.bias
    torch.testing.assert_close(model(x), expected, atol=1e-5, rtol=1e-5)


def test_without_messages_the_scales_are_independent():
    model = msa_gcn(attention=False, **SMALL).eval()
    x = torch.randn(2 * 16, 8, 3)
    none = msa_gcn(attention=False, cross_scale_layers=0, **SMALL).eval()
    none.load_state_dict(
        {k: v for k, v in model.state_dict().items() if 'cross' not in k}, strict=False
    )
    assert not torch.allclose(model(x), none(x))
    torch.nn.init.zeros_(model.cross_weight)
    torch.testing.assert_close(model(x), none(x))


def test_messages_are_computed_before_any_is_added():
    model = msa_gcn(**SMALL).eval()
    xs = [torch.randn(2 * size, 6, 8) for size in (16, 10, 5)]
    out, learned = model._exchange(0, xs, [None] * 3)
    assert set(learned) == {(16, 10), (10, 16), (10, 5), (5, 10)}
    cross = model.cross[0]
    # Pairs count scales from the joints up: the middle one takes from both of the others.
    middle = xs[1] + cross['0_to_1']((xs[0], xs[1]), (16, 10))
    middle = middle + cross['2_to_1']((xs[2], xs[1]), (5, 10))
    torch.testing.assert_close(out[1], middle)
    torch.testing.assert_close(out[2], xs[2] + cross['1_to_2']((xs[1], xs[2]), (10, 5)))


def test_returns_learned_adjacencies():
    model = msa_gcn(cross_scale_layers=3, cross_scale_pairs='all', scales=(16, 10, 3), **SMALL)
    model.eval()
    x = torch.randn(2 * 16, 8, 3)
    out, adjacencies = model(x, return_adjacency=True)
    torch.testing.assert_close(out, model(x))
    assert len(adjacencies) == 3
    for layer in adjacencies:
        assert set(layer) == {(a, b) for a in (16, 10, 3) for b in (16, 10, 3) if a != b}
        for (target, source), adj in layer.items():
            assert adj.shape == (2, target, source)
            torch.testing.assert_close(adj.sum(dim=-1), torch.ones(2, target))


@pytest.mark.parametrize(
    'scales',
    [(16,), (16, 10), (16, 5), (16, 3), (16, 10, 5), (16, 10, 3), (16, 5, 3), (16, 10, 5, 3)],
)
def test_table_v_scales(scales):
    model = msa_gcn(scales=scales, **SMALL)
    assert model(torch.randn(16, 8, 3)).shape == (1, 4)
    assert len(model.input_norms) == len(scales)


@pytest.mark.parametrize('layers', [0, 1, 2, 3, 4])
@pytest.mark.parametrize('attention', [False, True])
def test_table_vi_cross_scale_layers_and_attention(layers, attention):
    model = msa_gcn(cross_scale_layers=layers, attention=attention, **SMALL)
    assert len(model.cross) == layers
    assert len(model.scale_layers) == max(2, layers)
    assert len(model.scale_layers) + len(model.layers) == 4
    assert (model.fusion.channel_gate is not None) == attention
    assert model(torch.randn(16, 8, 3)).shape == (1, 4)


def test_table_vii_temporal_convolutions():
    x = torch.randn(16, 8, 3)
    none = msa_gcn(kernel_sizes=(), **SMALL).eval()
    assert not [m for m in none.modules() if isinstance(m, SelectiveTemporalConv)]
    # Without a temporal convolution frames do not meet before the mean.
    torch.testing.assert_close(none(x), none(x[:, torch.randperm(8)]), atol=1e-5, rtol=1e-5)
    one = msa_gcn(kernel_sizes=(5,), **SMALL)
    assert len(list(one.layers[0].temporal.convs)) == 1


@pytest.mark.parametrize('kernels', [(5, 7), (5, 75), (9, 25), (5, 7, 9)])
def test_table_viii_kernels(kernels):
    model = msa_gcn(kernel_sizes=kernels, **SMALL)
    assert model(torch.randn(16, 80, 3)).shape == (1, 4)


def test_mirroring_the_body_changes_nothing():
    """Swapping left and right is an automorphism of the graph and of the parts."""
    model = msa_gcn(input_norm=False, **SMALL).eval()
    x = torch.randn(16, 8, 3)
    torch.testing.assert_close(model(x[MIRROR]), model(x), atol=1e-5, rtol=1e-5)


def test_a_constant_pose_is_the_same_on_all_scales():
    model = msa_gcn(**SMALL)
    pose = torch.ones(16, 8, 3)
    for pool in model.pools:
        assert torch.equal(pool(pose), torch.ones(pool.num_parts, 8, 3))


def test_strides_reduce_the_number_of_frames():
    model = msa_gcn(strides=(1, 2, 1, 2), **SMALL).eval()
    x = torch.randn(16, 12, 3)
    lengths = []
    for layer in [*model.scale_layers[0], *model.scale_layers[1], *model.layers]:
        layer.register_forward_hook(lambda _m, _i, out: lengths.append(out.size(1)))
    model(x)
    assert lengths == [12, 12, 12, 6, 6, 6, 6, 3]
    frames = msa_gcn(strides=(1, 2, 1, 2), kernel_sizes=(), **SMALL)
    assert frames(x).shape == (1, 4)


def test_invalid_options_raise():
    for options, reason in (
        ({'scales': (16, 7)}, r'levels of \[16, 10, 5, 3\] nodes, none of 7'),
        ({'scales': (10, 5)}, 'scales must start with the 16 joints'),
        ({'scales': (16, 5, 10)}, 'scales must be decreasing'),
        ({'scales': ()}, 'scales must start with the 16 joints'),
        ({'cross_scale_layers': 5}, r'in \[0, 4\], got 5'),
        ({'cross_scale_pairs': 'some'}, r"\['neighbors', 'all'\], got 'some'"),
        ({'strides': (1, 2)}, 'each of the 4 layers, got 2'),
        ({'hierarchy': 'organs'}, "the part hierarchy 'organs'"),
    ):
        with pytest.raises(ValueError, match=reason):
            msa_gcn(**options)


def test_a_skeleton_without_parts_has_one_scale():
    legs = SKELETON.subset(range(10, 16))
    with pytest.raises(ValueError, match='does not have a part hierarchy'):
        msa_gcn(legs)
    assert msa_gcn(legs, scales=(6,), **SMALL)(torch.randn(6, 8, 3)).shape == (1, 4)


def test_hierarchy_selects_the_parts():
    joints = ['a', 'b', 'c', 'd']
    halves = {'ends': [{'left': ['a', 'b'], 'right': ['c', 'd']}]}
    thirds = {'middle': [{'left': ['a'], 'between': ['b', 'c'], 'right': ['d']}]}
    chain = Skeleton(joints, list(pairwise(joints)), hierarchies=halves | thirds)
    model = msa_gcn(chain, hierarchy='middle', **SMALL)
    assert model.scales == (4, 3)
    assert model.pools[1].part_of.tolist() == [0, 1, 1, 2]
    assert model.scale_layers[0][1].adj.size(-1) == 3


@pytest.mark.parametrize('options', [{'scales': (16,)}, {'cross_scale_layers': 0}])
def test_no_parameter_is_empty(options):
    """Distributed training requires a gradient of every parameter."""
    model = msa_gcn(**options, **SMALL)
    model.reset_parameters()
    assert all(p.numel() for p in model.parameters())


def test_messages_may_start_with_zero_weight():
    """The scales are then initially independent and learn to use messages."""
    model = msa_gcn(cross_weight_init=0.0, **SMALL).eval()
    alone = msa_gcn(cross_scale_layers=0, **SMALL).eval()
    alone.load_state_dict(model.state_dict(), strict=False)
    x = torch.randn(2 * 16, 8, 3)
    torch.testing.assert_close(model(x), alone(x))
    model(x).square().sum().backward()
    assert (model.cross_weight.grad != 0).all()
    with torch.no_grad():
        model.cross_weight.add_(1.0)
    assert not torch.allclose(model(x), alone(x))
    model.reset_parameters()
    assert (model.cross_weight == 0).all()
    assert (msa_gcn(**SMALL).cross_weight == 1).all()


def test_layer_options_are_passed_on():
    x = torch.randn(2 * 16, 8, 3)
    model = msa_gcn(final_relu=True, **SMALL).eval()
    out = []
    for layer in [*model.scale_layers[0], *model.layers]:
        layer.register_forward_hook(lambda _m, _i, o: out.append(o.min() >= 0))
    model(x)
    assert all(out)
    learned = msa_gcn(edge_importance=True, **SMALL)
    assert learned.layers[0].spatial.edge_importance.shape == (3, 16, 16)
    assert msa_gcn(**SMALL).layers[0].spatial.edge_importance is None
    far = msa_gcn(strategy='distance', max_hop=2, **SMALL)
    assert torch.equal(far.layers[0].adj, SKELETON.adjacency('distance', 2))
    dropped = msa_gcn(dropout=0.5, scales=(16,), channels=(8,), cross_scale_layers=0)
    where = [m for m in dropped.modules() if isinstance(m, torch.nn.Dropout)]
    seen = []
    for m in where:
        m.register_forward_hook(lambda m, _i, o: seen.append((m.p, bool((o == 0).any()))))
    dropped(x)
    assert seen == [(0.5, True)] * 2
    assert msa_gcn().scales == (16, 10, 5)
    # Two layers of several scales, or as many as there are.
    assert len(msa_gcn(channels=(8,), cross_scale_layers=1).scale_layers) == 1
