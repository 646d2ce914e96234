import copy
import inspect
import json
import math
import pickle

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch
from torch_geometric.transforms import Compose, RandomScale

import graphmotion.transforms as T
from graphmotion.config import Configurable, class_name, from_config, tensor_names, to_config
from graphmotion.graphs import PointGraph, sample_pixels
from graphmotion.models import STGCN, create_model, list_models, register_model, st_gcn
from graphmotion.models.registry import _MODELS, registered_models
from graphmotion.skeletons import Skeleton, get_skeleton, list_skeletons
from tests.transforms.conftest import _make
from tests.transforms.test_all import TRANSFORMS
from tests.transforms.test_faces import FACES, GRAPH, face
from tests.transforms.test_silhouettes import SILHOUETTES
from tests.transforms.test_silhouettes import make as silhouettes

ARM = Skeleton(
    ['shoulder', 'elbow', 'wrist', 'left', 'right'],
    [(0, 1), (1, 2), (2, 3), (2, 4)],
    name='arm',
    center=2,
    pairs=[(3, 4)],
    hierarchies={
        'segments': [{'upper': [0, 1], 'wrist': 2, 'hand': [4, 3]}, {'all': [0, 1, 2]}],
        'two': {'a': [0, 1, 2], 'b': [3, 4]},
    },
)
POINTS = PointGraph.from_points(sample_pixels(8, 8), k=4, num_modes=12, levels=2, ratio=0.25)
# Options of each registered model: those of its skeleton, or of its graph.
STRIPS = {'channels': (4, 4, 8, 8), 'feature_dim': 8, 'width': 8, 'feedforward_channels': 12}
FACE = {'graph': POINTS, 'num_classes': 3}
OPTIONS = {
    'lmgcs': STRIPS,
    'lmgcs_ou_mvlp': STRIPS | {'channels': (4, 4, 8, 12)},
    'gaitmixer': {'skeleton': 'coco17', 'channels': 8, 'temporal_channels': [8], 'heads': 2},
    'gaitformer': {'skeleton': 'coco17', 'channels': 8, 'heads': 2, 'depth': 1},
    'spagnn': FACE | {'channels': (2, 3), 'batch_norm': True},
    'spegnn': FACE | {'channels': [2, 2], 'num_knots': 4, 'hidden_channels': 5},
    'ssgnn': FACE | {'spatial': {'channels': (2, 3)}, 'spectral': {'num_knots': 4}},
}


def through_json(value):
    """The value that a description in a file restores."""
    config, tensors = to_config(value)
    config = json.loads(json.dumps(config, allow_nan=False))
    assert tensor_names(config) == set(tensors)
    return from_config(config, tensors)


def build(name):
    """A small model of a registered name."""
    options = OPTIONS.get(name, {'skeleton': 'coco17', 'num_classes': 3, 'channels': [12, 12]})
    return create_model(name, **options)


def sample_for(transform):
    if transform in SILHOUETTES:
        return silhouettes()
    if transform in FACES:
        channels = (3,) if isinstance(transform, T.RandomImageHSV) else ()
        data = face(channels=channels)
        return T.ToPixelGraph(GRAPH)(data) if isinstance(transform, T.AddEigenbasis) else data
    data = _make(missing=0.2)
    return T.ToMultiScale('coco17')(data) if isinstance(transform, T.FromMultiScale) else data


ALL = [*TRANSFORMS, *SILHOUETTES, *FACES, T.FromMultiScale()]


def test_all_transforms_are_tested_here():
    classes = {getattr(T, name) for name in T.__all__ if name[0].isupper()}
    assert {type(transform) for transform in ALL} == classes


@pytest.mark.parametrize('transform', ALL, ids=lambda t: f'{ALL.index(t)}-{type(t).__name__}')
def test_transforms_are_restored(transform):
    restored = through_json(transform)
    assert type(restored) is type(transform)
    assert repr(restored) == repr(transform)
    assert to_config(restored)[0] == to_config(transform)[0]
    outputs = []
    for each in (transform, restored):
        torch.manual_seed(3)
        outputs.append(each(sample_for(transform)).to_dict())
    assert str(outputs[0].keys()) == str(outputs[1].keys())
    torch.testing.assert_close(outputs[0], outputs[1], rtol=0, atol=0)


@pytest.mark.parametrize('name', list_models())
def test_models_are_restored(name):
    model = build(name).eval()
    restored = through_json(model)
    assert type(restored) is type(model)
    assert str(restored) == str(model)
    restored.load_state_dict(model.state_dict())
    if name in ('spagnn', 'spegnn', 'ssgnn'):
        x = torch.rand(2 * POINTS.num_nodes, 1)
    elif name.startswith('lmgcs'):
        x = torch.rand(2, 6, 64, 44)
    else:
        channels = 2 if name in ('gaitmixer', 'gaitformer') else 3
        x = torch.rand(2 * 17, 40, channels)
    with torch.no_grad():
        assert torch.equal(model(x), restored.eval()(x))


def test_recipes_of_transforms_are_restored():
    makes = [
        T.gait_train_transform(),
        *T.gait_test_transforms(),
        T.ctr_gcn_train_transform('nw_ucla', ['joint', 'bone']),
        T.ctr_gcn_test_transform('ntu'),
    ]
    for chain in makes:
        assert repr(through_json(chain)) == repr(chain)


@pytest.mark.parametrize('tree', [True, False])
def test_built_in_skeletons_are_described_by_name(tree):
    for name in list_skeletons(tree=tree):
        skeleton = get_skeleton(name)
        assert to_config(skeleton) == ({'skeleton': name}, {})
        assert through_json(skeleton) == skeleton


def test_skeletons_are_described_by_value():
    cycle = Skeleton(['a', 'b', 'c'], [(0, 1), (1, 2), (2, 0)], tree=False)
    renamed = Skeleton(['a', 'b'], [(0, 1)], name='coco17')
    coarse = get_skeleton('ntu25').coarsen(1)
    for skeleton in (ARM, cycle, renamed, coarse, ARM.subset([1, 0])):
        assert through_json(skeleton) == skeleton
        assert through_json(skeleton).is_tree == skeleton.is_tree
    assert through_json(st_gcn(ARM, 3, channels=[4])).skeleton == ARM


def test_plain_values_are_restored_with_their_types():
    value = {
        'tuple': (1, [2.5, None, True], ('x',)),
        3: {'nested': [(), {}]},
        'floats': [math.inf, -math.inf, 1e-320],
        ('a', 1): 'key',
    }
    assert repr(through_json(value)) == repr(value)
    assert math.isnan(through_json(math.nan))
    assert through_json(np.float32(0.5)) == 0.5
    assert through_json(range(3)) == [0, 1, 2]


def test_tensors_and_arrays_are_restored_once():
    tensor, array = torch.randn(3, 2), np.arange(4.0)
    config, tensors = to_config([tensor, array, (tensor,)])
    assert len(tensors) == 2
    out = from_config(config, tensors)
    assert torch.equal(out[0], tensor)
    assert isinstance(out[1], np.ndarray)
    assert (out[1] == array).all()
    assert out[2][0] is out[0]


def test_graphs_keep_their_basis_and_hierarchy():
    restored = through_json(POINTS)
    assert repr(restored) == repr(POINTS)
    assert torch.equal(restored.eigenvectors, POINTS.eigenvectors)
    for level, other in zip(restored.hierarchy, POINTS.hierarchy, strict=True):
        assert torch.equal(level.edge_index, other.edge_index)
        assert torch.equal(level.permutation, other.permutation)


def test_a_graph_of_model_and_transform_is_stored_once():
    config, tensors = to_config([build('ssgnn'), T.ToPixelGraph(POINTS)])
    assert len(tensors) == len(to_config(POINTS)[1])
    assert config[0]['class'] == 'models.SSGNN'


def test_copies_keep_their_description():
    model = st_gcn('coco17', 3, channels=[4, 8])
    expected = to_config(model)[0]
    for other in (copy.copy(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert to_config(other)[0] == expected
        assert str(other) == str(model)
    assert expected == {
        'class': 'models.STGCN',
        'arguments': {'skeleton': 'coco17', 'num_classes': 3, 'channels': [4, 8]},
    }


def test_parts_of_copies_are_the_parts_of_the_copy():
    model = copy.deepcopy(build('ssgnn'))
    assert model._arguments[0][0] is model.spatial


def test_arguments_are_recorded_when_an_object_is_created():
    channels = [4, 8]
    model = st_gcn('coco17', 3, channels=channels)
    channels.append(16)
    assert to_config(model)[0]['arguments']['channels'] == [4, 8]


def test_signatures_are_those_of_the_constructors():
    assert list(inspect.signature(STGCN).parameters)[:2] == ['skeleton', 'num_classes']
    assert not inspect.signature(T.FromMultiScale).parameters


@pytest.mark.slow
def test_compiled_models_are_unchanged():
    model = st_gcn('coco17', 3, channels=[4, 8]).eval()
    x = torch.randn(17, 12, 3)
    torch._dynamo.reset()
    compiled = torch.compile(model, backend='eager', fullgraph=True)
    torch.testing.assert_close(compiled(x), model(x))


# Own classes ###################################################################


@pytest.fixture
def registry():
    before = dict(_MODELS)
    yield
    _MODELS.clear()
    _MODELS.update(before)


def test_registered_models_of_users(registry):
    @register_model('tiny', task='action')
    class Tiny(Configurable, torch.nn.Module):
        def __init__(self, size, **options):
            super().__init__()
            self.lin = torch.nn.Linear(size, options.get('out', 1))

    config, _ = to_config(Tiny(3, out=2))
    assert config == {'class': 'models:tiny', 'arguments': {'size': 3, 'out': 2}}
    assert from_config(config).lin.weight.shape == (2, 3)
    assert class_name(Tiny) == 'models:tiny'
    assert registered_models()['tiny'] is Tiny
    del _MODELS['tiny']
    with pytest.raises(ValueError, match='import the module that registers this model'):
        from_config(config)
    with pytest.raises(TypeError, match='Tiny cannot be described; register it'):
        to_config(Tiny(3))


@pytest.mark.parametrize(
    'value', [lambda data: data, torch.nn.Linear(2, 2), RandomScale((1, 2)), object(), {1j: 2}]
)
def test_other_objects_raise(value):
    with pytest.raises(TypeError, match=r'cannot be described'):
        to_config(Compose([value]))


def test_errors_name_the_argument():
    with pytest.raises(TypeError, match=r'STGCN\.channels\[1\] of type object cannot'):
        to_config(_with_channels([4, object()]))


def _with_channels(channels):
    model = st_gcn('coco17', 3, channels=[4])
    model._arguments = (('coco17', 3), {'channels': channels})
    return model


@pytest.mark.parametrize(
    'name',
    [
        'os.system', 'torch.nn.Linear', 'builtins.eval', 'transforms.fields', 'STGCN',
        'models.create_model', 'transforms.transforms.CropFrames', 'models:create_model',
        'models.registry', 'transforms.Configurable', '', None, 3, ['models.STGCN'],
        'transforms.gait_train_transform', 'Configurable', 'graphs.load_graph',
    ],
)  # fmt: skip
def test_no_other_classes_are_instantiated(name):
    with pytest.raises(ValueError, match='config: unknown class'):
        from_config({'class': name, 'arguments': {}})


@pytest.mark.parametrize(
    ('config', 'message'),
    [
        ({'class': 'transforms.CropFrames'}, 'config must be a value or an object'),
        ({'class': 'transforms.CropFrames', 'arguments': []}, 'arguments by name'),
        ({'class': 'transforms.CropFrames', 'arguments': {}}, 'does not accept its arguments'),
        ({'class': 'transforms.CropFrames', 'arguments': {'num_frames': 'a'}}, 'CropFrames does'),
        ({'class': 'transforms.RemoveScore', 'arguments': {'a': 1}}, 'RemoveScore does not'),
        ({'class': 'models.STGCN', 'arguments': {'skeleton': {'tensor': '0'}}}, r'STGCN\.skeleton'),
        ({'tensor': 'a'}, 'config must be the name of a tensor'),
        ({'array': []}, 'the name of a tensor'),
        ({'tuple': 'abc'}, 'config must be a list of items'),
        ({'dict': [1]}, 'values by name'),
        ({'items': [[1]]}, 'a list of keys and values'),
        ({'items': [[[1], 2]]}, 'plain keys'),
        ({'float': '1'}, 'inf, -inf or nan'),
        ({'skeleton': 'coco99'}, 'must be a skeleton: unknown skeleton'),
        ({'skeleton': {'joints': ['a', 'a'], 'bones': [[0, 1]]}}, 'must be a skeleton'),
        ({'skeleton': 3}, 'must be a skeleton'),
        ([1, {'lambda': 'x'}], r'config\[1\] must be a value'),
    ],
)
def test_invalid_descriptions_raise(config, message):
    with pytest.raises(ValueError, match=message):
        from_config(config)


def test_batches_are_transformed_alike():
    transform = through_json(Compose([T.CropFrames(5), T.ToStream('bone', 'coco17')]))
    batch = Batch.from_data_list([_make(seed=0), _make(seed=1)])
    assert transform(batch).x.shape == (34, 5, 3)
