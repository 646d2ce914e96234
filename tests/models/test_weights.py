"""Models that start from the weights of others."""

import re
import warnings
from types import SimpleNamespace

import pytest
import torch

from graphmotion.inference import Recognizer
from graphmotion.models import create_model, gaitmixer, lmgcs, spagnn, st_gcn
from graphmotion.models.weights import state_digest
from graphmotion.skeletons import get_skeleton
from graphmotion.transforms import ToStream
from tests.models import test_agcn, test_ctr_gcn, test_gaitmixer, test_st_gcn
from tests.models.test_models import SKELETON_MODELS, small
from tests.models.test_ssgnn import GRAPH, OTHER


def quiet(*args, **options):
    """Creates a model, of which every weight must be loaded."""
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        return create_model(*args, **options)


STGCN = {'skeleton': 'emotion_gait16', 'channels': (6, 8)}


def trained(num_classes=3, **changes):
    """A model whose buffers differ from their initial values, too."""
    torch.manual_seed(1)
    model = st_gcn(**STGCN | {'num_classes': num_classes} | changes)
    model(torch.randn(2 * model.skeleton.num_joints, 12, changes.get('in_channels', 3)))
    return model


def equal_names(model, other):
    """Returns the names of the tensors that two models have in common, bit by bit."""
    state = other.state_dict()
    return {
        name
        for name, value in model.state_dict().items()
        if name in state and value.shape == state[name].shape and torch.equal(value, state[name])
    }


FORMS = ['module', 'state', 'file of a state', 'checkpoint', 'content', 'recognizer', 'its file']


@pytest.mark.parametrize('form', FORMS)
def test_forms_of_weights(tmp_path, form):
    source, path = trained(), tmp_path / 'last.ckpt'
    state = source.state_dict()
    content = {'state_dict': {f'model.{name}': value for name, value in state.items()}}
    content['state_dict']['classifier.weight'] = torch.ones(2)  # of the loss
    torch.save(state if form == 'file of a state' else content, path)
    objects = {'module': source, 'state': state, 'content': content}
    objects['recognizer'] = Recognizer(source, ToStream('joint'), class_names=['a', 'b', 'c'])
    if form == 'its file':
        path = tmp_path / 'recognizer.safetensors'
        objects['recognizer'].save(path)
    weights = objects.get(form, path)
    model = quiet('st_gcn', weights=weights, num_classes=3, **STGCN)
    assert equal_names(model, source) == set(state)
    assert quiet('st_gcn', weights=weights, strict=True, num_classes=3, **STGCN).training
    Recognizer(model, ToStream('joint'), class_names=['a', 'b', 'c']).save(tmp_path / 'b')


@pytest.mark.parametrize('form', ['module', 'recognizer', 'its file'])
def test_arguments_of_the_trained_network_are_the_defaults(tmp_path, form):
    source, path = trained(kernel_size=5), tmp_path / 'recognizer.safetensors'
    recognizer = Recognizer(source, ToStream('joint'), class_names=['a', 'b', 'c'])
    recognizer.save(path)
    weights = {'module': source, 'recognizer': recognizer, 'its file': path}[form]
    model = quiet('st_gcn', weights=weights)
    assert equal_names(model, source) == set(source.state_dict())
    with pytest.warns(UserWarning, match=r'lin.bias \(\[3\] in the weights, \[7\] in the model\)'):
        model = create_model('st_gcn', weights=weights, num_classes=7)
    assert set(source.state_dict()) - equal_names(model, source) == {'lin.weight', 'lin.bias'}
    assert model.skeleton == source.skeleton
    with pytest.raises(TypeError, match='num_classes'):  # arguments of another class
        create_model('agcn', weights=weights, skeleton='emotion_gait16')


@pytest.mark.parametrize('name', SKELETON_MODELS)
def test_all_but_the_head_is_loaded_for_other_classes(name):
    source = small(name)
    source(torch.randn(2 * 16, 12, 3))
    key = 'embedding_dim' if name.startswith('gait') else 'num_classes'
    with pytest.warns(UserWarning, match='keep their initial values') as caught:
        model = small(name, weights=source, **{key: 7})
    head = {id(p) for p in model.head.parameters()}
    drawn = model.state_dict().keys() - equal_names(model, source)
    assert 0 < len(drawn) <= 2
    for key, parameter in model.named_parameters():
        if key in drawn:
            assert id(parameter) in head
            old = list(source.state_dict()[key].shape)
            size = f'{key} ({old} in the weights, {list(parameter.shape)} in the model)'
            assert size in str(caught[0].message)
    assert caught[0].filename == __file__.replace('test_weights', 'test_models')  # the caller


@pytest.mark.parametrize(
    ('changes', 'drawn'),
    [
        ({'in_channels': 6}, {'input_norm.norm', 'layers.0.spatial.weight'}),
        ({'skeleton': 'coco17'}, {'input_norm.norm', 'edge_importance'}),
        ({'channels': (6, 8, 8)}, {'layers.2'}),
    ],
)
def test_what_fits_is_loaded(changes, drawn):
    source = trained()
    with pytest.warns(UserWarning, match='STGCN: loaded') as caught:
        model = create_model('st_gcn', weights=source, **STGCN | {'num_classes': 3} | changes)
    message = str(caught[0].message)
    loaded = equal_names(model, source)
    assert {'lin.weight', 'layers.1.spatial.weight', 'layers.1.temporal.conv.weight'} <= loaded
    for name in model.state_dict().keys() - loaded:
        assert any(part in name for part in drawn)
        assert name in message or 'more' in message
    for part in drawn:
        assert part in message
    assert re.match(rf'STGCN: loaded \d+ of {len(model.state_dict())} weights', message)


def test_strict_refuses_any_difference():
    with pytest.raises(ValueError, match=r'with strict=True, got weights of another size: lin'):
        create_model('st_gcn', weights=trained(), strict=True, num_classes=5, **STGCN)
    deeper = STGCN | {'channels': (6, 8, 8), 'num_classes': 3}
    with pytest.raises(ValueError, match=r'got weights not in the weights: layers\.2'):
        create_model('st_gcn', weights=trained(), strict=True, **deeper)
    source = trained().state_dict() | {'other.weight': torch.ones(1)}
    with pytest.raises(ValueError, match=r'got weights not in the model: other\.weight$'):
        create_model('st_gcn', weights=source, strict=True, num_classes=3, **STGCN)
    with pytest.warns(UserWarning, match=r'loaded 44 of 44 .* not in the model: other\.weight$'):
        create_model('st_gcn', weights=source, num_classes=3, **STGCN)


def test_weights_that_do_not_fit_at_all(tmp_path):
    other = gaitmixer('emotion_gait16', channels=8, heads=2, temporal_channels=(8,))
    for weights in (other, {'a': torch.ones(3)}):
        with pytest.raises(ValueError, match='weights must fit STGCN, but no parameter does'):
            create_model('st_gcn', weights=weights, num_classes=3, **STGCN)
    for weights in ({}, {'a': 3}, {'state_dict': {}}):
        with pytest.raises(ValueError, match='weights must map names to tensors, got no tensors'):
            create_model('st_gcn', weights=weights, num_classes=3, **STGCN)
    for weights in (3, SimpleNamespace(models=[trained(), trained()])):
        with pytest.raises(ValueError, match=r'a recognizer of one network, got .* with [02] net'):
            create_model('st_gcn', weights=weights, num_classes=3, **STGCN)
    path = tmp_path / 'last.ckpt'
    path.write_bytes(b'nothing')
    with pytest.raises(ValueError, match=r'last\.ckpt: the checkpoint must hold tensors'):
        create_model('st_gcn', weights=str(path), num_classes=3, **STGCN)


def test_half_precision_is_converted():
    source = trained()
    model = quiet('st_gcn', weights=trained().half(), num_classes=3, **STGCN)
    assert model.lin.weight.dtype == torch.float32
    torch.testing.assert_close(model.lin.weight, source.lin.weight, atol=1e-3, rtol=1e-3)


def published_weights(name):
    """Returns weights in the form of published ones, and the options of a model for them."""
    skeleton, sizes = 'ntu25_st_gcn', {'channels': (4, 8)}
    if name == 'gaitmixer':
        options = {'channels': 8, 'heads': 2, 'temporal_channels': (8, 12)}
        return test_gaitmixer.published(gaitmixer(**options)), options, {'embedding_dim': 128}
    options = {'skeleton': skeleton} | sizes
    adj = get_skeleton(skeleton).adjacency('spatial', cap_distance=name == 'st_gcn')
    if name == 'st_gcn':
        options |= {'cap_distance': True}
        weights = test_st_gcn.published((4, 8), (1, 2), 25, 5, adj.transpose(1, 2))
    elif name == 'agcn':
        weights = test_agcn.published((4, 8), 25, 1, 5)
    else:
        weights = test_ctr_gcn.published((4, 8), adj, 1, 5)
    return weights, options, {'num_classes': 5}


@pytest.mark.parametrize('name', ['agcn', 'ctr_gcn', 'gaitmixer', 'st_gcn'])
def test_published_weights_with_another_head(name):
    """With the sizes of the checkpoint, they equal those of load_reference_state_dict."""
    torch.manual_seed(0)
    weights, options, same = published_weights(name)
    expected = create_model(name, **options, **same)
    expected.load_reference_state_dict(weights)
    model = quiet(name, weights=weights, strict=True, **options, **same)
    assert equal_names(model, expected) == set(expected.state_dict())
    other = dict.fromkeys(same, 3)
    with pytest.warns(UserWarning, match=r'of another size: lin\.weight \(\[\d+, \d+.*\] in the'):
        model = create_model(name, weights=weights, **options, **other)
    drawn = {'lin.weight', 'lin.bias'}
    assert expected.state_dict().keys() - equal_names(model, expected) == drawn
    with pytest.raises(ValueError, match='the checkpoint holds'):
        create_model(name, weights=weights, strict=True, **options, **other)


def test_published_weights_for_another_skeleton():
    weights, options, _ = published_weights('st_gcn')
    options |= {'num_classes': 5}
    with pytest.warns(UserWarning, match=r'edge_importance \(\[3, 25, 25\] in the weights'):
        model = create_model('st_gcn', weights=weights, **options | {'skeleton': 'coco17'})
    bias = weights['st_gcn_networks.1.tcn.2.bias']
    torch.testing.assert_close(model.layers[1].temporal.conv.bias, bias.float())
    with pytest.raises(ValueError, match='trained on another graph'):
        create_model('st_gcn', weights=weights, **options | {'cap_distance': False})


def test_a_facial_graph_must_be_equal():
    source = spagnn(GRAPH, 3)
    with pytest.warns(UserWarning, match='SPAGNN: loaded'):
        model = create_model('spagnn', weights=source, graph=GRAPH, num_classes=5)
    assert equal_names(model, source) >= {'convs.0.weight'}
    with pytest.raises(ValueError, match=r'(?s)weights must fit SPAGNN: .* another graph'):
        create_model('spagnn', weights=source, graph=OTHER, num_classes=3)


def test_the_head_of_silhouette_and_facial_models():
    sizes = {'channels': (4, 4, 4, 4), 'width': 8, 'feature_dim': 4}
    model = lmgcs(**sizes)
    assert len(list(model.head.parameters())) == 2
    assert len(list(lmgcs(**sizes, num_blocks=None).head.parameters())) == 1
    model = create_model('ssgnn', graph=GRAPH, num_classes=3)
    parts = (model.spatial, model.spectral)
    assert [id(p) for p in model.head.parameters()] == [
        id(p) for part in parts for p in part.head.parameters()
    ]


def test_the_digest_depends_on_names_and_values():
    state = trained().state_dict()
    assert state_digest(state) == state_digest(dict(reversed(state.items())))
    for changed in (
        state | {'lin.bias': state['lin.bias'] + 1},
        {name: value for name, value in state.items() if name != 'lin.bias'},
        state | {'lin.bias': state['lin.bias'].double()},
    ):
        assert state_digest(changed) != state_digest(state)
    assert trained().half().state_dict()['lin.bias'].dtype == torch.half
    state_digest(trained().bfloat16().state_dict())
