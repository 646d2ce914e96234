import pytest
import torch
from torch.nn.functional import avg_pool2d, batch_norm, conv2d, relu

from graphmotion.models import STGCN, st_gcn
from graphmotion.skeletons import get_skeleton


def test_number_of_parameters_of_the_original():
    model = st_gcn('ntu25', 60)
    assert sum(p.numel() for p in model.parameters()) == 3_098_832


def test_strides_where_channels_grow():
    model = st_gcn('ntu25', 60)
    assert [layer.temporal.stride for layer in model.layers] == [1, 1, 1, 1, 2, 1, 1, 2, 1, 1]
    features = model.input_norm(torch.randn(25, 30, 3))
    for layer in model.layers:
        features = layer(features)
    assert features.shape == (25, 8, 256)


def test_the_first_layer_has_no_shortcut():
    model = st_gcn('ntu25', 60, channels=(8, 8))
    assert model.layers[0].shortcut is None
    assert isinstance(model.layers[1].shortcut, torch.nn.Identity)


def test_one_layer_against_its_formula():
    model = STGCN('coco17', 3, 2, channels=(4, 6), kernel_size=3).double().eval()
    layer = model.layers[1]
    for module in layer.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    torch.nn.init.uniform_(layer.spatial.edge_importance)
    x = torch.randn(17, 8, 4).double()

    def norm(x, bn):
        return (x - bn.running_mean) / (bn.running_var + bn.eps).sqrt() * bn.weight + bn.bias

    h = sum(
        torch.einsum(
            'ij,jtc->itc',
            (layer.adj[k] * layer.spatial.edge_importance[k]).double(),
            x @ layer.spatial.weight[k] + layer.spatial.bias[k],
        )
        for k in range(3)
    )
    h = norm(h, layer.spatial_norm.norm).clamp(min=0)
    conv = layer.temporal.conv
    padded = torch.cat([h.new_zeros(17, 1, 6), h, h.new_zeros(17, 1, 6)], dim=1)
    h = sum(padded[:, j : j + 8] @ conv.weight[:, :, 0, j].t() for j in range(3)) + conv.bias
    h = norm(h[:, ::2], layer.temporal_norm.norm)
    point = layer.shortcut[0].conv
    skip = norm(x @ point.weight[:, :, 0, 0].t() + point.bias, layer.shortcut[1].norm)[:, ::2]
    torch.testing.assert_close(layer(x), (h + skip).clamp(min=0))


def test_people_of_a_sample_are_averaged():
    model = STGCN('coco17', 3, channels=(4, 6), num_people=2).eval()
    x = torch.randn(2 * 2 * 17, 8, 3)
    both = model(x)
    swapped = model(x.view(2, 2, 17, 8, 3).flip(1).reshape(x.shape))
    assert both.shape == (2, 3)
    torch.testing.assert_close(both, swapped, atol=1e-5, rtol=1e-5)
    alone = STGCN('coco17', 3, channels=(4, 6)).eval()
    alone.load_state_dict(model.state_dict())
    torch.testing.assert_close(both, alone(x).view(2, 2, 3).mean(dim=1), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize('strategy', ['uniform', 'distance', 'spatial'])
def test_partition_is_an_option(strategy):
    model = STGCN('coco17', 3, channels=(4,), strategy=strategy)
    assert model(torch.randn(17, 8, 3)).shape == (1, 3)


def test_layer_options_are_passed_on():
    x = torch.randn(17, 8, 3)
    model = STGCN('coco17', 3, channels=(4,), max_hop=2, strategy='distance')
    assert torch.equal(model.layers[0].adj, get_skeleton('coco17').adjacency('distance', 2))
    model = STGCN('coco17', 3, channels=(4, 4, 6), dropout=0.3)
    seen = []
    for layer in model.layers:
        layer.dropout.register_forward_hook(
            lambda m, _i, o: seen.append((m.p, bool((o == 0).any())))
        )
    model(x)
    assert seen == [(0.0, False), (0.3, True), (0.3, True)]
    assert STGCN('coco17', 3, channels=(4, 4)).layers[1].dropout.p == 0.5
    assert STGCN('coco17', 3, channels=(4,), input_norm=False).input_norm is None


def test_one_partition_serves_a_batch():
    model = STGCN('coco17', 3, channels=(4, 6), strategy='uniform').eval()
    x = torch.randn(2 * 17, 8, 3)
    alone = torch.cat([model(part) for part in x.split(17)])
    torch.testing.assert_close(model(x), alone, atol=1e-5, rtol=1e-5)


def published(channels, strides, num_nodes, num_classes, adj, in_channels=3):
    """Random weights with the names and shapes of published checkpoints."""
    weights = {'A': adj}

    def norm(name, size):
        weights[f'{name}.weight'], weights[f'{name}.bias'] = (
            torch.rand(size) + 0.5,
            torch.randn(size),
        )
        weights[f'{name}.running_mean'] = torch.randn(size)
        weights[f'{name}.running_var'] = torch.rand(size) + 0.5
        weights[f'{name}.num_batches_tracked'] = torch.tensor(7)

    def conv(name, outputs, inputs, length):
        weights[f'{name}.weight'] = torch.randn(outputs, inputs, length, 1) / inputs
        weights[f'{name}.bias'] = torch.randn(outputs)

    norm('data_bn', in_channels * num_nodes)
    before = in_channels
    for i, (after, stride) in enumerate(zip(channels, strides)):
        layer = f'st_gcn_networks.{i}'
        conv(f'{layer}.gcn.conv', after * len(adj), before, 1)
        norm(f'{layer}.tcn.0', after)
        conv(f'{layer}.tcn.2', after, after, 9)
        norm(f'{layer}.tcn.3', after)
        if i and (before, stride) != (after, 1):
            conv(f'{layer}.residual.0', after, before, 1)
            norm(f'{layer}.residual.1', after)
        weights[f'edge_importance.{i}'] = torch.rand(adj.shape)
        before = after
    conv('fcn', num_classes, before, 1)
    return {n: w if n.endswith('tracked') else w.double() for n, w in weights.items()}


def published_forward(weights, x, strides):
    """The forward pass of ST-GCN in the layout of its code, [N, C, T, V, M]."""

    def norm(x, name):
        parts = ('running_mean', 'running_var', 'weight', 'bias')
        return batch_norm(x, *(weights[f'{name}.{part}'] for part in parts))

    def conv(x, name, **options):
        return conv2d(x, weights[f'{name}.weight'], weights[f'{name}.bias'], **options)

    n, c, t, v, m = x.shape
    x = norm(x.permute(0, 4, 3, 1, 2).reshape(n * m, v * c, t), 'data_bn')
    x = x.view(n * m, v, c, t).permute(0, 2, 3, 1)
    for i, stride in enumerate(strides):
        layer, skip = f'st_gcn_networks.{i}', 0 if i == 0 else x
        if f'{layer}.residual.0.weight' in weights:
            skip = conv(x, f'{layer}.residual.0', stride=(stride, 1))
            skip = norm(skip, f'{layer}.residual.1')
        adj = weights['A'] * weights[f'edge_importance.{i}']
        x = conv(x, f'{layer}.gcn.conv').unflatten(1, (len(adj), -1))
        x = relu(norm(torch.einsum('nkctv,kvw->nctw', x, adj), f'{layer}.tcn.0'))
        x = norm(conv(x, f'{layer}.tcn.2', stride=(stride, 1), padding=(4, 0)), f'{layer}.tcn.3')
        x = relu(x + skip)
    x = avg_pool2d(x, x.shape[2:]).view(n, m, -1, 1, 1).mean(dim=1)
    return conv(x, 'fcn').flatten(1)


@pytest.mark.parametrize('name', ['ntu25_st_gcn', 'openpose18_st_gcn'])
def test_published_weights_give_the_published_outputs(name):
    torch.manual_seed(0)
    body, channels, strides = get_skeleton(name), (4, 4, 6, 6), (1, 1, 2, 1)
    adj = body.adjacency('spatial', cap_distance=True).transpose(1, 2)
    weights = published(channels, strides, len(body), 5, adj)
    x = torch.randn(3, 3, 16, len(body), 2).double()
    expected = published_forward(weights, x, strides)
    model = st_gcn(name, 5, channels=channels, num_people=2, cap_distance=True).double().eval()
    model.load_reference_state_dict(weights)
    nodes = x.permute(0, 4, 3, 2, 1).reshape(-1, 16, 3)
    torch.testing.assert_close(model(nodes), expected)
    # As saved from several devices
    again = st_gcn(name, 5, channels=channels, num_people=2, cap_distance=True).double().eval()
    again.load_reference_state_dict({f'module.{n}': value for n, value in weights.items()})
    torch.testing.assert_close(again(nodes), expected)


def test_other_checkpoints_raise_and_leave_the_model_unchanged():
    body = get_skeleton('ntu25_st_gcn')
    adj = body.adjacency('spatial', cap_distance=True).transpose(1, 2)
    weights = published((4,), (1,), 25, 5, adj)
    options = {'channels': (4,), 'num_people': 2}
    model = st_gcn('ntu25_st_gcn', 5, cap_distance=True, **options)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    first = 'st_gcn_networks.0.gcn.conv.weight'
    for change, message in (
        ({'extra.weight': torch.ones(1)}, "holds 'extra.weight', which this model does not have"),
        ({first: torch.ones(3, 3, 1, 1)}, rf"holds '{first}' of shape \[3, 3, 1, 1\], expected"),
        ({'fcn.bias': torch.ones(6)}, r"holds 'fcn.bias' of shape \[6\], expected \[5\]"),
        ({'A': adj.transpose(1, 2)}, 'trained on another graph'),
    ):
        with pytest.raises(ValueError, match=message):
            model.load_reference_state_dict(weights | change)
    with pytest.raises(ValueError, match=r"does not hold \['lin.bias'\], which this model has"):
        model.load_reference_state_dict({n: w for n, w in weights.items() if n != 'fcn.bias'})
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])
    for other in (
        st_gcn('ntu25_st_gcn', 5, **options), st_gcn('ntu25', 5, cap_distance=True, **options),
    ):  # fmt: skip
        with pytest.raises(ValueError, match='trained on another graph'):
            other.load_reference_state_dict(weights)
