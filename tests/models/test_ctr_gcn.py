import pytest
import torch
from torch.nn.functional import max_pool2d

from graphmotion.models import CTRGCN, create_model, ctr_gcn
from graphmotion.skeletons import get_skeleton
from tests.models.published import Weights, layers


def count(model):
    return sum(p.numel() for p in model.parameters())


def test_number_of_parameters_of_the_original():
    assert count(ctr_gcn('ntu25_st_gcn', 60, num_people=2)) == 1_446_672
    assert count(ctr_gcn('kinect20', 10)) == 1_426_892


@pytest.mark.parametrize(
    ('options', 'millions'),
    [({'refine': False}, 1.21), ({'shared_topology': False}, 1.43), ({'reduction': 16}, 1.33)],
)
def test_number_of_parameters_of_its_ablations(options, millions):
    model = ctr_gcn('ntu25_st_gcn', 60, num_people=2, **options)
    assert round(count(model) / 1e6, 2) == millions


def test_strides_where_channels_grow():
    model = ctr_gcn('kinect20', 10)
    assert [layer.temporal.stride for layer in model.layers] == [1, 1, 1, 1, 2, 1, 1, 2, 1, 1]
    assert model.layers[0].shortcut is None
    assert isinstance(model.layers[1].shortcut, torch.nn.Identity)
    assert isinstance(model.layers[1].spatial_shortcut, torch.nn.Identity)


def test_topologies_start_as_the_published_graph():
    """Built here as the authors do: rows receive, and columns of each partition sum to one."""
    body = get_skeleton('kinect20')
    depth = body.hop_distance()[body.center]
    adj = torch.zeros(3, 20, 20)
    adj[0] = torch.eye(20)
    for pair in body.bones:
        parent, child = sorted(pair, key=lambda joint: depth[joint])
        adj[1, parent, child] = adj[2, child, parent] = 1
    adj[1:] /= adj[1:].sum(dim=1, keepdim=True).clamp(min=1)
    for layer in ctr_gcn('kinect20', 10, channels=(4, 8)).layers:
        torch.testing.assert_close(layer.spatial.topology.detach(), adj)


def test_options_of_the_layers_reach_them():
    model = ctr_gcn('coco17', 3, channels=(4, 8), refine=(True, False), dropout=0.3)
    assert [layer.spatial.refine for layer in model.layers] == [True, False]
    assert model.dropout.p == 0.3
    options = {'kernel_size': 3, 'dilations': (1, 2, 3, 4), 'correlation': 'sum',
               'activation': 'relu', 'learn_topology': False, 'reduction': 4}  # fmt: skip
    (layer,) = create_model(
        'ctr_gcn', skeleton='coco17', num_classes=3, channels=(12,), **options
    ).layers
    assert (layer.temporal.kernel_size, layer.temporal.dilations) == (3, (1, 2, 3, 4))
    assert layer.spatial.correlation == 'sum'
    assert layer.spatial.activation is torch.relu
    assert 'topology' not in layer.spatial.state_dict()
    assert layer.spatial.query.out_features == 3 * 16
    with pytest.raises(ValueError, match='refine must be a boolean or 2, one for each layer'):
        ctr_gcn('coco17', 3, channels=(4, 8), refine=(True,))


def test_graph_convolutions_start_small():
    model = CTRGCN('coco17', 3, channels=(4, 8))
    for layer in model.layers:
        assert layer.spatial_norm.norm.weight.eq(1e-6).all()


def test_weights_of_the_classifier():
    assert CTRGCN('coco17', 8, channels=(512,)).lin.weight.std().item() == pytest.approx(0.5, 0.1)


def published(channels, adj, num_people, num_classes):
    """Random weights under the names and in the shapes of the authors' checkpoints."""
    weights, num_nodes = Weights(), adj.size(-1)
    weights.add_ends(channels, num_people * num_nodes * 3, num_classes)
    for i, before, after, stride in layers(channels):
        gcn, tcn, size, width = f'l{i}.gcn1', f'l{i}.tcn1.branches', after // 4, 8
        weights[f'{gcn}.PA'] = adj + torch.randn(adj.shape).double() / 9
        weights[f'{gcn}.alpha'] = torch.rand(1).double()
        for k in range(3):
            weights.add_conv(f'{gcn}.convs.{k}.conv1', width, before)
            weights.add_conv(f'{gcn}.convs.{k}.conv2', width, before)
            weights.add_conv(f'{gcn}.convs.{k}.conv3', after, before)
            weights.add_conv(f'{gcn}.convs.{k}.conv4', after, width)
        weights.add_norm(f'{gcn}.bn', after)
        if before != after:
            weights.add_conv(f'{gcn}.down.0', after, before)
            weights.add_norm(f'{gcn}.down.1', after)
        for branch in range(4):
            weights.add_conv(f'{tcn}.{branch}.0', size, after)
            weights.add_norm(f'{tcn}.{branch}.1', size)
        for branch in range(2):
            weights.add_conv(f'{tcn}.{branch}.3.conv', size, size, 5)
            weights.add_norm(f'{tcn}.{branch}.3.bn', size)
        weights.add_norm(f'{tcn}.2.4', size)
        if i > 1 and (before, stride) != (after, 1):
            weights.add_conv(f'l{i}.residual.conv', after, before)
            weights.add_norm(f'l{i}.residual.bn', after)
    return weights


def published_forward(weights, channels, x):
    people = x.size(4)
    x = weights.normed_input(x)
    for i, _, _, stride in layers(channels):
        gcn, tcn, total = f'l{i}.gcn1', f'l{i}.tcn1.branches', 0
        for k in range(3):
            first, second, values = (weights.conv(x, f'{gcn}.convs.{k}.conv{j}') for j in (1, 2, 3))
            pairs = first.mean(dim=2).unsqueeze(3) - second.mean(dim=2).unsqueeze(2)
            refined = weights.conv(pairs.tanh(), f'{gcn}.convs.{k}.conv4')
            topology = weights[f'{gcn}.PA'][k] + weights[f'{gcn}.alpha'] * refined
            total = total + torch.einsum('ncuv,nctv->nctu', topology, values)
        skip = weights.shortcut(x, f'{gcn}.down.0', f'{gcn}.down.1')
        h = (weights.norm(total, f'{gcn}.bn') + skip).relu()
        hidden = [
            weights.norm(weights.conv(h, f'{tcn}.{b}.0'), f'{tcn}.{b}.1').relu() for b in range(3)
        ]
        outs = [
            weights.norm(
                weights.conv(hidden[b], f'{tcn}.{b}.3.conv', stride, b + 1), f'{tcn}.{b}.3.bn'
            )
            for b in range(2)
        ]
        pooled = max_pool2d(hidden[2], (3, 1), (stride, 1), (1, 0))
        outs.append(weights.norm(pooled, f'{tcn}.2.4'))
        outs.append(weights.norm(weights.conv(h, f'{tcn}.3.0', stride), f'{tcn}.3.1'))
        skip = weights.shortcut(x, f'l{i}.residual.conv', f'l{i}.residual.bn', stride)
        x = (torch.cat(outs, dim=1) + (skip if i > 1 else 0)).relu()
    return weights.classify(x, people)


@pytest.mark.parametrize(('name', 'num_people'), [('ntu25_st_gcn', 2), ('kinect20', 1)])
def test_published_weights_give_the_published_outputs(name, num_people):
    torch.manual_seed(0)
    body, channels = get_skeleton(name), (4, 4, 8, 8)
    adj = body.adjacency('spatial', normalization='column', per_partition=True).double()
    weights = published(channels, adj, num_people, 5)
    x = torch.randn(3, 3, 16, len(body), num_people).double()
    model = ctr_gcn(name, 5, channels=channels, num_people=num_people).double().eval()
    model.load_reference_state_dict({f'module.{key}': value for key, value in weights.items()})
    out = model(x.permute(0, 4, 3, 2, 1).reshape(-1, 16, 3))
    torch.testing.assert_close(out, published_forward(weights, channels, x))


def test_other_checkpoints_are_refused_and_the_model_stays_as_it_was():
    adj = get_skeleton('kinect20').adjacency('spatial').double()
    weights = published((4, 4), adj, 1, 5)
    model = ctr_gcn('kinect20', 5, channels=(4, 4))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    for change, reason in (
        ({'l3.gcn1.PA': adj}, r"holds \['l3.gcn1.PA'\], which this model lacks"),
        ({'l1.gcn1.PA': adj[:, :5, :5]}, r"holds \['l1.gcn1.PA'\] of shapes \[\[3, 5, 5\]\]"),
    ):
        with pytest.raises(ValueError, match=reason):
            model.load_reference_state_dict(weights | change)
    with pytest.raises(ValueError, match=r"lacks \['fc.bias'\]"):
        model.load_reference_state_dict({k: v for k, v in weights.items() if k != 'fc.bias'})
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])
