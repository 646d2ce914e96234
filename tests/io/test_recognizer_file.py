"""Files of recognizers that are damaged, foreign or hostile."""

import json
import os
import pickle
from contextlib import suppress

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from graphmotion.inference import Recognizer
from graphmotion.io import MalformedFileError, recognizer_file
from graphmotion.io.recognizer_file import write_recognizer
from graphmotion.models import st_gcn
from graphmotion.transforms import ToStream

KEY = 'graphmotion.recognizer'


@pytest.fixture
def path(tmp_path):
    path = tmp_path / 'recognizer.safetensors'
    model = st_gcn('coco17', 2, channels=[4])
    Recognizer(model, ToStream('joint'), class_names=('a', 'b')).save(path)
    return path


def read(path):
    with safe_open(path, framework='pt') as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return json.loads(file.metadata()[KEY]), tensors


def rewrite(path, change):
    """Writes the file again with a changed content or changed tensors."""
    content, tensors = read(path)
    change(content, tensors)
    save_file(tensors, path, metadata={KEY: json.dumps(content)})


def raises(path, *words):
    """Loading raises one error that names the file and what is wrong."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        Recognizer.load(path)
    for word in (str(path), *words):
        assert word in str(caught.value)


def test_files_are_valid_safetensors_and_stay_unchanged(path):
    content, tensors = read(path)
    assert content['version'] == 1
    assert 'models.0.lin.weight' in tensors
    rewrite(path, lambda content, tensors: None)
    assert Recognizer.load(path).class_names == ('a', 'b')


@pytest.mark.parametrize('fraction', [0.0, 0.001, 0.1, 0.5, 0.99])
def test_truncated_files_raise(path, fraction):
    content = path.read_bytes()
    path.write_bytes(content[: int(fraction * len(content))])
    raises(path, 'expected a complete file of safetensors')


@pytest.mark.slow
def test_damaged_files_raise_or_load(path):
    original = path.read_bytes()
    generator = torch.Generator().manual_seed(0)
    places = torch.randint(len(original), (300,), generator=generator).tolist()
    damages = 0
    for place in [*range(0, 64), *places]:
        damaged = bytearray(original)
        damaged[place] ^= 0x41
        path.write_bytes(damaged)
        damages += 1
        with suppress(ValueError):  # no other error
            Recognizer.load(path)
            damages -= 1
    assert damages >= 64


def test_foreign_files_raise(path, tmp_path):
    save_file({'weight': torch.ones(2)}, path)
    raises(path, 'metadata: expected a recognizer, found none')
    for content in (b'', b'{}', b'\x80\x04.', os.urandom(999), pickle.dumps({'a': 1})):
        path.write_bytes(content)
        raises(path, 'expected a complete file of safetensors')
    torch.save({'state_dict': {'weight': torch.ones(2)}}, path)
    raises(path, 'expected a complete file of safetensors')
    with pytest.raises(FileNotFoundError, match=r'missing: no such file'):
        Recognizer.load(tmp_path / 'missing')
    with pytest.raises(FileNotFoundError):
        Recognizer.load(tmp_path)


@pytest.mark.parametrize(
    ('metadata', 'words'),
    [
        ('{', ['metadata: expected valid JSON']),
        ('[' * 100_000, ['metadata: expected valid JSON']),
        ('[1]', ['version: expected a version of the format, found None']),
        ('{"version": "1"}', ["found '1'"]),
        ('{"version": true}', ['version: expected a version']),
        ('{"version": 0}', ['version: expected a version']),
        (
            '{"version": 2, "graphmotion": "9.1"}',
            ['at most 1; update graphmotion, found version 2, written by graphmotion 9.1'],
        ),
        ('{"version": 1}', ['recognizer: expected']),
        ('{"version": 1, "recognizer": []}', ['recognizer: expected', 'found list']),
        ('{"version": 1, "recognizer": {"models": []}}', ['recognizer: expected']),
    ],
)
def test_invalid_metadata_raises(path, metadata, words):
    save_file({}, path, metadata={KEY: metadata})
    raises(path, *words)


def linear(name='torch.nn.Linear'):
    return {'class': name, 'arguments': {'in_features': 2, 'out_features': 2}}


def deep(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ('field', 'value', 'words'),
    [
        ('models', [linear()], ["models[0]: unknown class 'torch.nn.Linear'"]),
        ('models', [linear('os.system')], ["unknown class 'os.system'"]),
        ('models', [linear('../../model.py')], ["unknown class '../../model.py'"]),
        ('models', [linear('models.registry.STGCN')], ['unknown class']),
        ('models', [], ['tensors: expected only those in use']),
        ('models', {'tuple': []}, ['models: expected list, found tuple']),
        ('models', ['a'], ['models[0]: expected a network, found str']),
        ('models', [{'class': 'transforms.RemoveScore', 'arguments': {}}], ['a network']),
        ('models', [{'class': 'models.STGCN', 'arguments': {}}], ['models.STGCN does not accept']),
        ('transforms', [['a']], ["transform must be one or more transforms, got ['a']"]),
        ('transforms', [], ['recognizer: expected valid options']),
        ('transforms', [[linear('transforms.eval')]], ['transforms[0][0]: unknown class']),
        ('transforms', deep(900), ['transforms']),
        ('class_names', {'tuple': ['a', 'a']}, ['class_names must be distinct']),
        ('class_names', {'tuple': ['a', 3]}, ['class_names must be distinct names']),
        ('class_names', 'ab', ['class_names: expected tuple or NoneType, found str']),
        ('skeleton', 'coco17', ['skeleton: expected Skeleton or NoneType, found str']),
        ('skeleton', {'skeleton': 'coco99'}, ['skeleton', 'unknown skeleton']),
        ('seed', 1.5, ['seed: expected int, found float']),
        ('batch_size', 0, ['batch_size must be an integer >= 1']),
        ('num_augmentations', 10**15, ['num_augmentations must be an integer >= 1 and <= 1000']),
        ('image_size', {'tuple': [10**6, 10**6]}, ['image_size must be at most 16777216 pixels']),
        ('dataset_transform', 3, ['dataset_transform must be callable']),
        ('info', {'tensor': 'a'}, ['info must be the name of a tensor']),
        ('weights', [1, 2], ['weights must be one for each']),
    ],
)
def test_invalid_fields_raise(path, field, value, words):
    def change(content, tensors):
        content['recognizer'][field] = value

    rewrite(path, change)
    raises(path, *words)


@pytest.mark.parametrize('change', ['missing', 'unknown', 'renamed', 'shape', 'dtype', 'config'])
def test_tensors_must_be_those_of_the_network(path, change):
    name = 'models.0.lin.weight'

    def edit(content, tensors):
        value = tensors[name]
        if change in ('missing', 'renamed'):
            del tensors[name]
        if change != 'missing':
            other = {'unknown': 'other', 'renamed': 'models.0.lin.w', 'config': 'config.9'}
            new = {'shape': value.flatten(), 'dtype': value.double()}
            tensors[other.get(change, name)] = new.get(change, value).clone()

    rewrite(path, edit)
    expected = {
        'missing': "models[0] lacks tensors ['lin.weight']",
        'renamed': "models[0] lacks tensors ['lin.weight']",
        'unknown': "tensors: expected only those in use, found ['other']",
        'config': "found ['config.9']",
        'shape': 'models[0].lin.weight must be torch.float32 of shape [2, 4]',
        'dtype': 'models[0].lin.weight must be torch.float32',
    }
    raises(path, expected[change])


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_weights_must_be_finite(path, value):
    rewrite(path, lambda _, tensors: tensors['models.0.lin.weight'][0].fill_(value))
    raises(path, 'models.0.lin.weight: expected finite weights, found NaN or infinity')


@pytest.mark.parametrize(
    'arguments',
    [
        {'channels': [10**9]},
        {'channels': [60_000, 60_000]},
        {'channels': [1] * 10_000},
        {'num_classes': 10**12},
        {'kernel_size': 10**9 + 1},
    ],
)
def test_absurd_sizes_are_refused_before_memory_is_used(path, arguments, monkeypatch):
    monkeypatch.setattr(recognizer_file, '_FREE_BYTES', 2**21)  # for speed

    def change(content, tensors):
        content['recognizer']['models'][0]['arguments'] |= arguments

    rewrite(path, change)
    raises(path, 'models[0]: models.STGCN', 'far larger than the file')


def test_nothing_is_executed(tmp_path):
    """A pickle in place of the file, or as its metadata, does not run."""
    marker, path = tmp_path / 'marker', tmp_path / 'a.safetensors'

    class Run:
        def __reduce__(self):
            return (open, (str(marker), 'w'))

    for content in (pickle.dumps(Run()), pickle.dumps({KEY: Run()})):
        path.write_bytes(content)
        raises(path)
    torch.save(Run(), path)
    raises(path)
    code = f"open({str(marker)!r}, 'w')"
    write_recognizer(str(path), {'recognizer': {'models': [{'class': code}]}}, {})
    raises(path)
    assert not marker.exists()


def test_writing_is_atomic(path, monkeypatch):
    before = path.read_bytes()

    def fail(*args):
        raise OSError('disk full')

    monkeypatch.setattr(os, 'replace', fail)
    with pytest.raises(OSError, match='disk full'):
        Recognizer(st_gcn('coco17', 3, channels=[4]), class_names='abc').save(path)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_errors_are_those_of_malformed_files(path):
    path.write_bytes(b'abc')
    with pytest.raises(MalformedFileError):
        Recognizer.load(path)
