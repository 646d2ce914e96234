import copy
import json

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch, Data
from torch_geometric.transforms import Compose

import graphmotion.transforms as T
from graphmotion.data import from_array
from graphmotion.datasets import SyntheticGait
from graphmotion.inference import Answer, Recognizer, embed, predict
from graphmotion.metrics import fuse_streams
from graphmotion.models import gaitmixer, spagnn, st_gcn
from graphmotion.skeletons import Skeleton, get_skeleton
from tests.test_config import OPTIONS, POINTS, build, list_models

WALKS = SyntheticGait(num_subjects=2, num_frames=24)
NAMES = WALKS.class_names
TRANSFORM = Compose([T.RandomTimeShift(), T.CropFrames(16), T.ToStream('joint')])


def network(in_channels=3, skeleton='emotion_gait16', **options):
    torch.manual_seed(0)
    options = {'channels': [4, 8], 'dropout': 0.1} | options
    model = st_gcn(skeleton, 4, in_channels=in_channels, **options)
    for module in model.modules():  # so that outputs differ between samples
        if isinstance(module, torch.nn.BatchNorm1d):
            torch.nn.init.uniform_(module.running_var, 0.01, 0.1)
    return model


def recognizer_of(transform=TRANSFORM, **options):
    return Recognizer(network(), transform, class_names=NAMES, **options)


@pytest.fixture
def saved(tmp_path):
    """Saves a recognizer and loads it again."""

    def save(recognizer):
        path = tmp_path / 'recognizer.safetensors'
        recognizer.save(path)
        return Recognizer.load(path)

    return save


# Predictions ###################################################################


def test_probabilities_equal_the_evaluation(saved):
    recognizer = saved(recognizer_of(num_augmentations=3, seed=5, batch_size=7))
    expected = predict(network(), WALKS, TRANSFORM, batch_size=7, num_augmentations=3, seed=5)
    torch.testing.assert_close(recognizer.probabilities(WALKS), expected)
    assert len(expected.unique(dim=0)) > 4


def test_changed_weights_are_used():
    """The copy for inference is updated."""
    recognizer = recognizer_of(T.ToStream('joint'))
    model = recognizer.model
    fused = recognizer.fused_model()
    assert recognizer.fused_model() is fused
    changes = (
        lambda: torch.nn.init.ones_(model.lin.bias),
        lambda: model.layers[0].spatial_norm.norm.running_mean.add_(0.1),
        lambda: setattr(model, 'lin', torch.nn.Linear(8, 4)),
        lambda: recognizer.models.__setitem__(0, network(kernel_size=3).eval()),
    )
    for change in changes:
        change()
        expected = predict(recognizer.model, WALKS, T.ToStream('joint'))
        torch.testing.assert_close(recognizer.probabilities(WALKS), expected)
        assert recognizer.fused_model() is not fused
        fused = recognizer.fused_model()


def test_several_transforms_of_one_network(saved):
    crops = [T.CropFrames(10, 'center', shift=shift) for shift in (-5, 0, 5)]
    views = [Compose([crop, T.ToStream('joint')]) for crop in crops]
    recognizer = saved(recognizer_of(views))
    expected = sum(predict(network(), WALKS, view) for view in views) / 3
    torch.testing.assert_close(recognizer.probabilities(WALKS), expected)


@pytest.mark.parametrize('fusion', ['logits', 'probabilities'])
def test_fused_streams_equal_the_evaluation(saved, fusion):
    models = [network(), network()]
    models[1].lin.weight.data.mul_(-2)
    transforms = [T.ToStream('joint'), T.ToStream('bone', 'emotion_gait16')]
    recognizer = saved(
        Recognizer(models, transforms, class_names=NAMES, weights=(0.6, 0.4), fusion=fusion)
    )
    logits = [predict(m, WALKS, t, kind='logits') for m, t in zip(models, transforms)]
    expected = fuse_streams(logits, [0.6, 0.4], fusion)
    torch.testing.assert_close(recognizer.probabilities(WALKS), expected)


def test_embeddings_equal_the_evaluation(saved):
    model = gaitmixer(
        'emotion_gait16', 8, 3, channels=8, temporal_channels=[8], heads=2, kernel_size=3
    )
    views = [Compose([crop, T.ToStream('joint')]) for crop in T.center_crops(20)]
    recognizer = saved(Recognizer(model, views))
    torch.testing.assert_close(recognizer.embeddings(WALKS), embed(model.eval(), WALKS, views))
    with pytest.raises(ValueError, match='class_names must be given to classify'):
        recognizer.probabilities(WALKS)
    with pytest.raises(ValueError, match='has no embeddings; use probabilities'):
        recognizer_of().embeddings(WALKS)


def test_samples_of_any_container_have_the_same_answers():
    recognizer = recognizer_of(T.ToStream('joint'))
    expected = predict(network(), WALKS[:3], T.ToStream('joint'))
    samples = [WALKS[i] for i in range(3)]
    for source in (WALKS[:3], samples, Batch.from_data_list(samples)):
        answers = recognizer(source)
        rows = torch.tensor([list(answer.probabilities.values()) for answer in answers])
        torch.testing.assert_close(rows, expected)
        assert answers[1].label == NAMES[int(expected[1].argmax())]
        assert [answer.frames for answer in answers] == [(0, 24)] * 3
    (alone,) = recognizer(samples[2])
    assert alone.probabilities == pytest.approx(answers[2].probabilities, abs=1e-6)


def test_the_transform_of_a_dataset_is_applied_once():
    double, dataset = T.RandomScaling((2, 2)), copy.copy(WALKS)
    dataset.transform = double
    recognizer = recognizer_of(T.ToStream('joint'), dataset_transform=double)
    expected = predict(network(), dataset, T.ToStream('joint'))
    torch.testing.assert_close(recognizer.probabilities(dataset), expected)
    for source in (dataset, [WALKS[i] for i in range(len(WALKS))]):
        rows = [list(answer.probabilities.values()) for answer in recognizer(source)]
        torch.testing.assert_close(torch.tensor(rows), expected)


# Arrays and layouts ############################################################


def array_of(number=0):
    return WALKS[number].pos.transpose(0, 1).numpy()


def test_arrays_equal_samples():
    recognizer = recognizer_of(T.ToStream('joint'))
    (expected,) = recognizer(WALKS[0])
    for array in (array_of(), torch.from_numpy(array_of()), array_of().astype(np.float64)):
        (answer,) = recognizer(array, axes='TVC')
        assert answer.probabilities == pytest.approx(expected.probabilities, abs=1e-6)
    assert answer.person is None


def test_each_person_of_an_array_has_an_answer():
    recognizer = recognizer_of(T.ToStream('joint'))
    answers = recognizer(np.stack([array_of(0), array_of(3)]), axes='MTVC')
    assert [answer.person for answer in answers] == [0, 1]
    for number, answer in zip((0, 3), answers):
        (alone,) = recognizer(WALKS[number])
        assert answer.probabilities == pytest.approx(alone.probabilities, abs=1e-6)


def test_a_network_of_two_people_has_one_answer():
    recognizer = Recognizer(network(num_people=2), T.ToStream('joint'), class_names=NAMES)
    people = np.stack([array_of(0), array_of(3)])
    (answer,) = recognizer(people, axes='MTVC')
    data = from_array(people, 'emotion_gait16', axes='MTVC')
    expected = predict(recognizer.model, [data], T.ToStream('joint'))
    torch.testing.assert_close(torch.tensor(list(answer.probabilities.values())), expected[0])
    assert answer.person is None
    (one,) = recognizer(array_of(), axes='TVC')  # the other is missing
    assert one.person is None


def test_missing_joints_of_an_array():
    recognizer = recognizer_of(Compose([T.FillMissing(), T.ToStream('joint')]))
    array, score = array_of(), np.ones((24, 16))
    array[3, 2] = np.nan
    score[5, 1] = 0
    (answer,) = recognizer(array, axes='TVC', score=score)
    data = from_array(array, 'emotion_gait16', score, 'TVC')
    (expected,) = recognizer([data])
    assert answer.probabilities == expected.probabilities


def test_layouts_are_converted():
    recognizer = Recognizer(network(skeleton='h36m17'), T.ToStream('joint'), class_names=NAMES)
    array = np.random.default_rng(0).normal(size=(9, 25, 3))
    (answer,) = recognizer(array, skeleton='ntu25', axes='TVC')
    convert = T.ConvertSkeleton('ntu25', 'h36m17')
    data = convert(from_array(array, 'ntu25', axes='TVC'))
    assert answer.probabilities == recognizer([data])[0].probabilities
    body = get_skeleton('coco17')
    upper = body.subset([j for j in body.joints if 'knee' not in j and 'ankle' not in j])
    array = np.zeros((4, upper.num_joints, 3))
    with pytest.raises(ValueError, match=r"no joints for .*'right_knee', 'right_ankle'"):
        recognizer(array, skeleton=upper, axes='TVC')


def test_the_layout_is_that_before_the_transform():
    convert = T.ConvertSkeleton('ntu25', 'h36m17')
    model = network(skeleton='h36m17')
    recognizer = Recognizer(model, Compose([convert, T.ToStream('joint')]), class_names=NAMES)
    assert recognizer.skeleton.name == 'ntu25'
    assert len(recognizer(np.ones((9, 25, 3)), axes='TVC')) == 1


# Windows #######################################################################


def test_windows_are_answered_one_by_one_and_together():
    recognizer = recognizer_of(T.ToStream('joint'), window=10, hop=5)
    (answer,) = recognizer(WALKS[1])
    spans = [(0, 10), (5, 15), (10, 20), (14, 24)]
    assert [part.frames for part in answer.windows] == spans
    assert answer.frames == (0, 24)
    parts = [from_array(array_of(1)[a:b], 'emotion_gait16', axes='TVC') for a, b in spans]
    expected = predict(network(), parts, T.ToStream('joint'))
    rows = torch.tensor([list(part.probabilities.values()) for part in answer.windows])
    torch.testing.assert_close(rows, expected)
    together = torch.tensor(list(answer.probabilities.values()))
    torch.testing.assert_close(together, expected.mean(dim=0))
    (whole,) = recognizer(WALKS[1], window=24)
    assert whole.windows == ()
    assert len(recognizer(WALKS[1], hop=10)[0].windows) == 3


# Files #########################################################################


@pytest.mark.parametrize('name', list_models())
def test_every_model_is_saved(name, saved):
    torch.manual_seed(2)
    model = build(name)
    loaded = saved(Recognizer(model))
    assert type(loaded.model) is type(model)
    assert not loaded.model.training
    state = loaded.model.state_dict()
    for key, value in model.state_dict().items():
        assert torch.equal(state[key], value)
    assert repr(loaded).startswith(f'Recognizer({type(model).__name__}')


def test_all_options_are_saved(saved):
    skeleton = Skeleton(get_skeleton('coco17').joints, get_skeleton('coco17').bones, name='mine')
    options = {
        'fusion': 'probabilities', 'num_augmentations': 2, 'window': 30, 'hop': 10, 'seed': 3,
        'batch_size': 5, 'image_size': (32, 24),
        'info': {'dataset': 'walks', 'scores': {'accuracy': 0.5}, 'epochs': (1, 2)},
    }  # fmt: skip
    recognizer = saved(
        Recognizer(
            [network(skeleton=skeleton)] * 2,
            [[T.ToStream('joint'), None], TRANSFORM],
            skeleton,
            NAMES,
            weights=[1, 2],
            dataset_transform=T.FillMissing(),
            **options,
        )
    )
    for name, value in options.items():
        assert getattr(recognizer, name) == value
    assert recognizer.weights == [1.0, 2.0]
    assert recognizer.skeleton == skeleton
    assert recognizer.class_names == tuple(NAMES)
    assert repr(recognizer.dataset_transform) == repr(T.FillMissing())
    expected = [[T.ToStream('joint'), None], [TRANSFORM]]
    assert repr(recognizer.transforms) == repr(expected)


@pytest.mark.parametrize('dtype', [torch.float64, torch.float16, torch.bfloat16])
def test_the_precision_of_weights_is_kept(saved, dtype):
    loaded = saved(Recognizer(network().to(dtype), TRANSFORM, class_names=NAMES)).model
    assert loaded.lin.weight.dtype == dtype
    assert loaded.layers[0].adj.dtype == dtype


def test_random_numbers_do_not_depend_on_saving_and_loading(saved):
    torch.manual_seed(4)
    expected = torch.rand(3)
    recognizer = recognizer_of()
    torch.manual_seed(4)
    saved(recognizer)
    assert torch.equal(torch.rand(3), expected)


def test_saving_needs_a_model_that_its_arguments_describe(tmp_path):
    path = tmp_path / 'a.safetensors'
    other, inputs, adj = network(), network(), network()
    other.lin = torch.nn.Linear(8, 7)
    inputs.inputs = ('pos', 'batch')
    adj.layers[0].adj.mul_(2)
    cases = (
        (other, r'STGCN\.lin\.\w+ must be .*\[4.*\], got .*\[7.*changed after it was created'),
        (inputs, 'the attributes of STGCN do not match its arguments'),
        (adj, 'the attributes of STGCN do not match'),
    )
    for model, message in cases:
        with pytest.raises(ValueError, match=message):
            Recognizer(model, class_names=NAMES).save(path)
    with pytest.raises(TypeError, match='of type Linear cannot be described'):
        Recognizer(torch.nn.Linear(3, 2)).save(path)
    with pytest.raises(TypeError, match=r'transforms.* of type function cannot be described'):
        Recognizer(network(), lambda data: data).save(path)
    assert not path.exists()
    assert not list(tmp_path.iterdir())


def test_a_graph_is_stored_once(tmp_path):
    path = tmp_path / 'a.safetensors'
    model = spagnn(POINTS, 3, channels=(2, 3))
    Recognizer(model, T.ToPixelGraph(POINTS), class_names='abc').save(path)
    assert Recognizer.load(path).transforms[0][0].graph.num_nodes == POINTS.num_nodes
    size = path.stat().st_size
    Recognizer(model, class_names='abc').save(path)
    assert size - path.stat().st_size < 1000


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'model': []}, 'model must be at least one network'),
        ({'class_names': ['a', 'b', 'a', 'c']}, 'class_names must be distinct'),
        ({'weights': [1, 2]}, 'weights must be one for each of 1 networks'),
        ({'model': [1, 2], 'class_names': None}, 'class_names must be given for several'),
        ({'model': [1, 2], 'transform': [TRANSFORM]}, 'transform must be one for each of 2'),
        ({'transform': []}, 'transform must be one or more transforms'),
        ({'transform': ['a']}, 'transform must be one or more transforms'),
        ({'fusion': 'votes'}, 'fusion must be one of'),
        ({'num_augmentations': 0}, 'num_augmentations must be an integer >= 1'),
        ({'window': 0}, 'window must be an integer >= 1'),
        ({'hop': -1}, 'hop must be an integer >= 1'),
        ({'batch_size': 1.5}, 'batch_size must be an integer >= 1'),
        ({'skeleton': 'coco99'}, 'unknown skeleton'),
    ],
)
def test_invalid_options_raise(options, message):
    if options.get('model'):
        options = options | {'model': [network(), network()]}
    arguments = {'model': network(), 'transform': TRANSFORM, 'class_names': NAMES} | options
    with pytest.raises(ValueError, match=message):
        Recognizer(**arguments)


def test_the_number_of_classes_is_checked():
    with pytest.raises(ValueError, match='class_names must be 4, one for each output'):
        Recognizer(network(), T.ToStream('joint'), class_names=['a', 'b'])(WALKS[0])


def test_unsupported_sources_raise():
    recognizer = recognizer_of(T.ToStream('joint'))
    with pytest.raises(TypeError, match='samples must be a dataset'):
        recognizer(3)
    with pytest.raises(FileNotFoundError, match='no such file or folder'):
        recognizer('missing.json')
    with pytest.raises(ValueError, match='keypoints must have shape'):
        recognizer(np.zeros((4, 9, 3)), axes='TVC')


def test_graphs_without_frames_have_answers():
    recognizer = Recognizer(spagnn(POINTS, 3, channels=(2, 3)), class_names=('a', 'b', 'c'))
    data = Data(x=torch.rand(POINTS.num_nodes, 1), edge_index=POINTS.edge_index)
    (answer,) = recognizer(data)
    assert isinstance(answer, Answer)
    assert answer.frames is None
    with pytest.raises(TypeError, match='source must be a Data, a Batch, a list or a dataset'):
        recognizer(np.zeros((4, 4)))


def test_descriptions_are_readable(tmp_path):
    path = tmp_path / 'a.safetensors'
    recognizer_of(info={'dataset': 'generated gaits'}).save(path)
    header = path.read_bytes()
    size = int.from_bytes(header[:8], 'little')
    metadata = json.loads(header[8 : 8 + size])['__metadata__']
    content = json.loads(metadata['graphmotion.recognizer'])
    assert content['version'] == 1
    fields = content['recognizer']
    assert fields['models'][0]['class'] == 'models.STGCN'
    assert fields['models'][0]['arguments']['skeleton'] == 'emotion_gait16'
    assert fields['info'] == {'dict': {'dataset': 'generated gaits'}}


def test_options_of_the_models_exist():
    assert set(OPTIONS) <= set(list_models())


@pytest.mark.parametrize(
    ('source', 'options', 'message'),
    [
        ('walk.json', {'score': np.ones((24, 16))}, 'options of a path do not include score'),
        (np.zeros((24, 16, 3)), {'windows': 3, 'format': 'x'}, 'array do not include format, wind'),
        (WALKS, {'typo': 1, 'axes': 'TVC'}, 'options of samples do not include axes, typo'),
        (WALKS[0], {'skeleton': 'ntu25'}, 'options of samples do not include skeleton'),
    ],
)
def test_options_without_effect_raise(source, options, message):
    with pytest.raises(TypeError, match=message):
        recognizer_of()(source, **options)
