import pytest
import torch

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


def test_options_of_the_layers_reach_them():
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
