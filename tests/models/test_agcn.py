import pytest
import torch

from graphmotion.models import AGCN, agcn
from graphmotion.skeletons import get_skeleton
from tests.models.published import Weights, layers


def test_number_of_parameters_of_the_original():
    model = agcn('ntu25_st_gcn', 60, num_people=2)
    assert sum(p.numel() for p in model.parameters()) == 3_469_510


def test_strides_where_channels_grow():
    model = agcn('ntu25', 60)
    assert [layer.temporal[0].stride for layer in model.layers] == [1, 1, 1, 1, 2, 1, 1, 2, 1, 1]
    assert model.layers[0].shortcut is None


def test_options_of_the_layers_reach_them():
    adjs = {'fixed': 'adj', 'learned': 'conv.residual_adjacency', 'similarity': 'query.weight'}
    for option in adjs:
        (layer,) = AGCN('coco17', 3, channels=(8,), **{option: False}).layers
        conv = layer.spatial
        names = dict(conv.named_parameters())
        assert bool(conv.adj.any()) == (option != 'fixed')
        assert ('conv.residual_adjacency' in names) == (option != 'learned')
        assert ('query.weight' in names) == (option != 'similarity')
    model = AGCN('coco17', 3, channels=(8,), kernel_size=3, dropout=0.2)
    assert model.layers[0].temporal[0].kernel_size == 3
    assert model.dropout.p == 0.2


def test_graph_convolutions_start_small():
    for layer in AGCN('coco17', 3, channels=(4, 8)).layers:
        assert layer.spatial_norm.norm.weight.eq(1e-6).all()
        assert not layer.temporal[0].conv.bias.any()


def published(channels, num_nodes, num_people, num_classes):
    """Random weights under the names and in the shapes of the authors' checkpoints."""
    weights = Weights()
    weights.add_ends(channels, num_people * num_nodes * 3, num_classes)
    for i, before, after, stride in layers(channels):
        gcn = f'l{i}.gcn1'
        weights[f'{gcn}.PA'] = torch.randn(3, num_nodes, num_nodes).double() / 9
        for k in range(3):
            weights.add_conv(f'{gcn}.conv_a.{k}', after // 4, before)
            weights.add_conv(f'{gcn}.conv_b.{k}', after // 4, before)
            weights.add_conv(f'{gcn}.conv_d.{k}', after, before)
        weights.add_norm(f'{gcn}.bn', after)
        if before != after:
            weights.add_conv(f'{gcn}.down.0', after, before)
            weights.add_norm(f'{gcn}.down.1', after)
        weights.add_conv(f'l{i}.tcn1.conv', after, after, 9)
        weights.add_norm(f'l{i}.tcn1.bn', after)
        if i > 1 and (before, stride) != (after, 1):
            weights.add_conv(f'l{i}.residual.conv', after, before)
            weights.add_norm(f'l{i}.residual.bn', after)
    return weights


def published_forward(weights, channels, adj, x):
    """The columns of ``adj`` receive."""
    people = x.size(4)
    x = weights.normed_input(x)
    for i, _, _, stride in layers(channels):
        gcn, total = f'l{i}.gcn1', 0
        for k in range(3):
            a, b = (weights.conv(x, f'{gcn}.conv_{part}.{k}') for part in 'ab')
            scores = torch.einsum('nctv,nctw->nvw', a, b) / (a.size(1) * a.size(2))
            whole = adj[k] + weights[f'{gcn}.PA'][k] + scores.softmax(dim=1)
            total = total + weights.conv(
                torch.einsum('nctv,nvw->nctw', x, whole), f'{gcn}.conv_d.{k}'
            )
        skip = weights.shortcut(x, f'{gcn}.down.0', f'{gcn}.down.1')
        h = (weights.norm(total, f'{gcn}.bn') + skip).relu()
        h = weights.norm(weights.conv(h, f'l{i}.tcn1.conv', stride), f'l{i}.tcn1.bn')
        skip = weights.shortcut(x, f'l{i}.residual.conv', f'l{i}.residual.bn', stride)
        x = (h + (skip if i > 1 else 0)).relu()
    return weights.classify(x, people)


@pytest.mark.parametrize('name', ['ntu25_st_gcn', 'openpose18_st_gcn'])
def test_published_weights_give_the_published_outputs(name):
    torch.manual_seed(0)
    body, channels = get_skeleton(name), (4, 4, 8, 8)
    adj = body.adjacency('spatial', normalization='column', per_partition=True).double()
    weights = published(channels, len(body), 2, 5)
    x = torch.randn(3, 3, 16, len(body), 2).double()
    model = agcn(name, 5, channels=channels, num_people=2).double().eval()
    model.load_reference_state_dict(weights)
    out = model(x.permute(0, 4, 3, 2, 1).reshape(-1, 16, 3))
    torch.testing.assert_close(out, published_forward(weights, channels, adj, x))


def test_other_checkpoints_raise():
    weights = published((4,), 17, 1, 5)
    with pytest.raises(ValueError, match=r"holds \['l1.alpha'\], which this model lacks"):
        agcn('coco17', 5, channels=(4,)).load_reference_state_dict(
            weights | {'l1.alpha': torch.ones(1)}
        )
