"""Exported files give the same results as models at other numbers of samples and frames."""

import importlib
import json

import pytest
import torch
from torch_geometric.data import Batch
from torch_geometric.transforms import Compose

import graphmotion
from graphmotion.data import from_array, remove_fields
from graphmotion.inference import Recognizer, export
from graphmotion.models import create_model, list_models
from graphmotion.skeletons import get_skeleton
from graphmotion.transforms import (
    AlignHeading,
    CenterJoint,
    ConvertSkeleton,
    CropFrames,
    FillMissing,
    JointNoise,
    MinMaxNormalize,
    PadPeople,
    RandomScaling,
    RandomTimeShift,
    ScaleByBodySize,
    ScaleByImageSize,
    SkipFrames,
    ToStream,
    ctr_gcn_test_transform,
    gait_test_transforms,
)
from tests.models.test_export import CASES, MIXER, N, V, inputs

pytestmark = pytest.mark.slow

LAYOUT = 'emotion_gait16'
SIZES = ((2, 12), (5, 17), (1, 60))  # numbers of samples and frames; the example has 3 and 24
SUFFIX = {'onnx': '.onnx', 'torch': '.pt2'}

# Transforms of `emotion_gait16` that are tensor operations, and the dimensions of the joints.
TRANSFORMS = {
    'streams': (ToStream(['joint', 'bone', 'joint_motion', 'bone_length'], LAYOUT), 3),
    'first frame': (CenterJoint(LAYOUT, 'neck', per_frame=False, per_body=True), 2),
    'body size': (ScaleByBodySize(LAYOUT), 3),
    'image and range': (Compose([ScaleByImageSize(320), MinMaxNormalize()]), 2),
    'windows': (Compose([CropFrames(20, 'center'), SkipFrames(2)]), 3),
    'conversion, heading and centre': (
        Compose(
            [
                CropFrames(9, 'linspace'),
                ConvertSkeleton('kinect20', LAYOUT),
                AlignHeading(LAYOUT),
                CenterJoint(LAYOUT),
            ]
        ),
        3,
    ),
    'recipe': (ctr_gcn_test_transform('ntu', 'bone'), 3),
}
IN_ONNX = ('conversion, heading and centre', 'recipe')  # also exported to it, which takes longer


class Mean(torch.nn.Module):
    """A model whose output shows all features of all joints."""

    inputs = ('x', 'batch')
    optional_inputs = ('num_frames',)

    def __init__(self, skeleton, in_channels, num_people=1):
        super().__init__()
        self.skeleton = get_skeleton(skeleton)
        self.in_channels = in_channels
        self.num_people = num_people

    def forward(self, x, batch=None, num_frames=None):
        graphs = x.unflatten(0, (-1, self.num_people * self.skeleton.num_joints))
        weight = torch.arange(1, 1 + x.size(1), dtype=x.dtype).view(-1, 1)
        out = (graphs * weight).mean(dim=2).flatten(1)
        return out if num_frames is None else torch.cat([out, num_frames.unsqueeze(1)], dim=1)


def load(path):
    """Returns the function in an exported file, and its description."""
    if path.suffix == '.pt2':
        files = {'metadata.json': ''}
        program = torch.export.load(path, extra_files=files).module()
        return program, json.loads(files['metadata.json'])
    onnxruntime = pytest.importorskip('onnxruntime')
    onnxruntime.set_default_logger_severity(3)
    session = onnxruntime.InferenceSession(path)
    names = [node.name for node in session.get_inputs()]

    def run(*args):
        feed = {name: arg.numpy() for name, arg in zip(names, args)}
        return torch.from_numpy(session.run(None, feed)[0])

    properties = session.get_modelmeta().custom_metadata_map
    text = ('library', 'version', 'model', 'output', 'skeleton')
    return run, {k: v if k in text else json.loads(v) for k, v in properties.items()}


def export_and_load(model, folder, format, **options):
    """Exports a model and loads the file."""
    path = folder / f'model{SUFFIX[format]}'
    description = export(model, path, format, **options)
    program, found = load(path)
    assert found == description
    return program, description


def in_layout(kind, args):
    """Returns the arguments of a model in the layout of exported files."""
    x, *rest = args
    if kind == 'motion of two':
        x = x.unflatten(0, (-1, 2, V)).transpose(2, 3)
    elif kind == 'motion':
        x = x.unflatten(0, (-1, V)).transpose(1, 2)
    elif kind.startswith('face'):
        return [arg.unflatten(0, (-1, N)) for arg in args]
    return [x.contiguous(), *rest]


def check_case(case, folder, formats):
    """Compares the exported files of a model with the model."""
    name, options, kind = CASES[case]
    torch.manual_seed(0)
    model = create_model(name, **options).eval()
    padding = kind == 'padded silhouettes'
    for format in formats:
        program, _ = export_and_load(model, folder, format, padding=padding, image_size=(16, 10))
        for sizes in SIZES:
            args = inputs(kind, *sizes)
            out = program(*in_layout(kind, args))
            with torch.no_grad():
                torch.testing.assert_close(out, model(*args), atol=1e-4, rtol=1e-4)


@pytest.fixture
def trace_once(monkeypatch):
    """Uses the first trace of a test for all formats, since tracing takes seconds."""
    module = importlib.import_module('graphmotion.inference.export')
    trace, programs = module._trace, []

    def first(*args):
        if not programs:
            programs.append(trace(*args))
        return programs[0]

    monkeypatch.setattr(module, '_trace', first)


@pytest.mark.usefixtures('trace_once')
@pytest.mark.parametrize('case', [*list_models(), 'spegnn, own bases'])
def test_all_models(case, tmp_path):
    # A second conversion of LMGCS to ONNX would take 15 seconds.
    check_case(case, tmp_path, ['torch'] if case == 'lmgcs_ou_mvlp' else ['torch', 'onnx'])


@pytest.mark.parametrize('name', ['gaitformer', 'st_gcn'])
def test_padded_frames_have_no_effect(name, tmp_path):
    name, options, kind = CASES[name]
    model = create_model(name, **options).eval()
    program, _ = export_and_load(model, tmp_path, 'torch', padding=True)
    (args,) = inputs(kind, 4, 12)
    num_frames = torch.tensor([12, 7, 9, 10])
    out = program(*in_layout(kind, [args]), num_frames)
    with torch.no_grad():
        torch.testing.assert_close(out, model(args, num_frames=num_frames))


@pytest.mark.usefixtures('trace_once')
@pytest.mark.parametrize('name', TRANSFORMS)
def test_transforms_are_part_of_the_file(name, tmp_path):
    transform, dim = TRANSFORMS[name]
    parts = [transform] if name in ('streams', 'recipe') else [transform, ToStream('joint')]
    converted = name.startswith('conversion')
    skeleton = 'kinect20' if converted else 'ntu25_st_gcn' if name == 'recipe' else LAYOUT
    target = LAYOUT if converted else skeleton
    channels = 3 * dim + 1 if name == 'streams' else dim
    model, transform = Mean(target, channels), Compose(parts)
    num_dims = dim if name == 'streams' else None
    for format in ('torch', 'onnx') if name in IN_ONNX else ('torch',):
        program, description = export_and_load(
            model, tmp_path, format, transform=transform, num_dims=num_dims
        )
        assert description['skeleton'] == skeleton
        torch.manual_seed(1)
        for size, num_frames in SIZES:
            joints = torch.randn(size, num_frames, get_skeleton(skeleton).num_joints, dim)
            samples = [from_array(pos, skeleton) for pos in joints]
            batch = Batch.from_data_list(samples)
            remove_fields(batch, ['num_frames'])  # which only windows set
            batch = transform(batch)
            expected = model(batch.x, batch.batch, batch.get('num_frames'))
            torch.testing.assert_close(program(joints), expected, atol=1e-4, rtol=1e-4)


def test_missing_joints_and_people(tmp_path):
    """Joints of score zero have no motion; people come after the batch."""
    transform = Compose([PadPeople(2, LAYOUT), ToStream('joint_motion', LAYOUT, score=True)])
    model = Mean(LAYOUT, 4, num_people=2)
    program, description = export_and_load(
        model, tmp_path, 'torch', transform=transform, score=True
    )
    assert description['inputs'] == {
        'joints': ['batch', 2, 'frames', V, 3],
        'score': ['batch', 2, 'frames', V],
    }
    joints, score = torch.randn(5, 2, 9, V, 3), torch.rand(5, 2, 9, V).round()
    samples = [from_array(pos, LAYOUT, visible) for pos, visible in zip(joints, score)]
    batch = transform(Batch.from_data_list(samples))
    torch.testing.assert_close(program(joints, score), model(batch.x))


def test_missing_joints_are_filled(tmp_path):
    transform = Compose([FillMissing(), CenterJoint(LAYOUT), ToStream('joint', score=True)])
    model = Mean(LAYOUT, 3)
    program, _ = export_and_load(
        model, tmp_path, 'onnx', transform=transform, score=True, num_dims=2
    )
    joints, score = torch.randn(4, 12, V, 2), (torch.rand(4, 12, V) - 0.4).clamp(min=0)
    samples = [from_array(pos, LAYOUT, visible) for pos, visible in zip(joints, score)]
    batch = transform(Batch.from_data_list(samples))
    joints = joints.masked_fill(score.unsqueeze(-1) == 0, 0)
    torch.testing.assert_close(program(joints, score), model(batch.x), atol=1e-4, rtol=1e-4)


def small(stream, seed):
    """Builds a small ST-GCN and the transform of a stream."""
    torch.manual_seed(seed)
    model = create_model('st_gcn', skeleton=LAYOUT, num_classes=4, channels=(4,)).eval()
    return model, Compose([CenterJoint(LAYOUT), ToStream(stream, LAYOUT)])


@pytest.mark.parametrize('fusion', ['logits', 'probabilities'])
def test_streams_of_a_recognizer_are_fused(fusion, tmp_path):
    models, transforms = zip(small('joint', 0), small('bone', 1))
    recognizer = Recognizer(
        models, transforms, class_names='abcd', weights=[0.6, 0.4], fusion=fusion
    )
    program, description = export_and_load(recognizer, tmp_path, 'torch')
    assert description['model'] == 'STGCN + STGCN'
    assert description['output'] == 'probabilities'
    assert description['class_names'] == ['a', 'b', 'c', 'd']
    joints = torch.randn(5, 9, V, 3)
    expected = recognizer.probabilities([from_array(pos, LAYOUT) for pos in joints])
    torch.testing.assert_close(program(joints), expected)


def test_embeddings_are_averaged_over_transforms(tmp_path):
    options = MIXER | {'temporal_channels': (12,), 'kernel_size': 5, 'in_channels': 2}
    model = create_model('gaitmixer', **options)
    recognizer = Recognizer(model, gait_test_transforms(8, shifts=(-2, 1)))
    program, description = export_and_load(recognizer, tmp_path, 'torch')
    assert description['output'] == 'embeddings'
    joints = torch.randn(2, 15, V, 2)
    expected = recognizer.embeddings([from_array(pos, LAYOUT) for pos in joints])
    torch.testing.assert_close(program(joints), expected)


def test_augmented_recognizers_are_refused(tmp_path):
    model, transform = small('joint', 0)
    transform = Compose([RandomScaling(), RandomTimeShift(), transform])
    recognizer = Recognizer(model, transform, class_names='abcd', num_augmentations=3)
    message = r'deterministic .*RandomScaling.*, RandomTimeShift.* export\(recognizer.model, path, '
    with pytest.raises(ValueError, match=message):
        export(recognizer, tmp_path / 'model.onnx')
    with pytest.raises(ValueError, match='transform must be that of the recognizer'):
        export(recognizer, tmp_path / 'model.onnx', transform=transform)


def test_description(tmp_path):
    model = create_model('gaitformer', **CASES['gaitformer'][1], num_frames=40)
    assert model.training
    program, description = export_and_load(model, tmp_path, 'torch', class_names=['a', 'b'])
    assert model.training
    assert description == {
        'library': 'graphmotion',
        'version': graphmotion.__version__,
        'model': 'GaitFormer',
        'inputs': {'x': ['batch', 'frames', V, 3]},
        'output': 'embeddings',
        'min_frames': 1,
        'max_frames': 40,
        'skeleton': LAYOUT,
        'joints': list(get_skeleton(LAYOUT).joints),
        'class_names': ['a', 'b'],
    }
    assert program(torch.rand(2, 40, V, 3)).shape == (2, 4)
    with pytest.raises(AssertionError, match='40'):
        program(torch.rand(2, 41, V, 3))


def test_fixed_number_of_frames(tmp_path):
    model = Mean(LAYOUT, 3)
    program, description = export_and_load(model, tmp_path, 'torch', num_frames=10)
    assert description['inputs'] == {'x': ['batch', 10, V, 3]}
    assert (description['min_frames'], description['max_frames']) == (10, 10)
    x = torch.rand(4, 10, V, 3)
    torch.testing.assert_close(program(x), model(x.transpose(1, 2).flatten(0, 1)))
    with pytest.raises(AssertionError):
        program(torch.rand(4, 11, V, 3))


def test_networks_for_one_number_of_frames_need_it(tmp_path):
    class Flat(Mean):
        def forward(self, x, batch=None, num_frames=None):
            return (x.mT @ torch.ones(24)).view(-1, V * 3)

    with pytest.raises(ValueError, match='num_frames fixes the number of frames'):
        export(Flat(LAYOUT, 3), tmp_path / 'model.pt2', 'torch')
    export(Flat(LAYOUT, 3), tmp_path / 'model.pt2', 'torch', num_frames=24)


def data_dependent(data):
    """Makes a choice by the values of the positions."""
    data.x = data.pos if float(data.pos.sum()) > 0 else -data.pos
    return data


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'transform': Compose([RandomScaling(), ToStream('joint')])}, r'random .*RandomScaling'),
        ({'transform': Compose([CropFrames(5), ToStream('joint')])}, r'CropFrames\(5, .random'),
        ({'transform': Compose([ToStream('joint'), JointNoise(0.1)])}, r'JointNoise'),
        ({'transform': data_dependent, 'num_dims': 3}, r'tensor operations .*data_dependent'),
        ({'transform': Compose([CenterJoint(LAYOUT)])}, r'contain one ToStream, got 0'),
        ({'transform': ToStream('joint_speed')}, r'num_dims must be given'),
        ({'score': True}, r'transform must be given if score'),
        ({'format': 'tflite'}, r'format must be one of'),
        ({'num_frames': 0}, r'num_frames must be an integer >= 1'),
    ],
)
def test_bad_arguments(options, message, tmp_path):
    options = {'format': 'torch'} | options
    with pytest.raises(ValueError, match=message):
        export(Mean(LAYOUT, 3), tmp_path / 'model', **options)
    assert not list(tmp_path.iterdir())


def test_faces_have_no_padding(tmp_path):
    name, options, _ = CASES['spagnn']
    with pytest.raises(ValueError, match='padding must be False'):
        export(create_model(name, **options), tmp_path / 'model', padding=True)
