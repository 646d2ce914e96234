import os
import pickle
import pickletools
from collections import OrderedDict

import numpy as np
import pytest
import torch

from graphmotion.io import load_pickle

CONTENT = {
    'split': {'train': ['a', 'b'], 'val': ('c',)},
    'annotations': [
        {'keypoint': np.arange(24, dtype=np.float16).reshape(1, 4, 3, 2), 'label': 3},
        {'keypoint': np.asfortranarray(np.random.default_rng(0).normal(size=(2, 3))), 'ok': True},
    ],
    'more': [np.int64(7), np.float32(0.5), {1, 2}, frozenset({3}), b'bytes', None, 1.5, 2**80],
    'ordered': OrderedDict(a=np.array(['text', 'é']), b=np.array([b'x'])),
    'strange': [np.zeros((0, 3)), np.array(2.0), np.arange(4, dtype='>i4'), np.array([True])],
}


def same(a, b):
    assert type(a) is type(b)
    if isinstance(a, dict):
        assert list(a) == list(b)
        a, b = a.values(), b.values()
    if isinstance(a, np.ndarray):
        assert a.dtype.newbyteorder('=') == b.dtype.newbyteorder('=')
        np.testing.assert_array_equal(a, b)
    elif isinstance(a, (str, bytes, int, float, set, frozenset, type(None), np.generic)):
        assert a == b
    else:
        assert len(a) == len(b)
        for x, y in zip(a, b):
            same(x, y)


def write(tmp_path, content):
    path = tmp_path / 'file.pkl'
    path.write_bytes(content)
    return str(path)


@pytest.mark.parametrize('protocol', range(6))
def test_reads_arrays_and_containers_of_every_protocol(tmp_path, protocol):
    loaded = load_pickle(write(tmp_path, pickle.dumps(CONTENT, protocol)))
    same(loaded, CONTENT)
    for annotation in loaded['annotations']:
        annotation['keypoint'] += 1  # arrays are the caller's


def renamed(content):
    """Returns a pickle as written by the other numpy: function paths differ between 1 and 2."""
    old, new = b'numpy._core', b'numpy.core'
    if old not in content:
        old, new = new, old
    frames = [at for op, _, at in pickletools.genops(content) if op.name == 'FRAME']
    for at in reversed(frames):
        content = content[:at] + content[at + 9 :]
    # Since protocol 4, texts carry their length.
    for name in (b'.multiarray', b'.numeric'):
        lengths = (bytes([0x8C, len(text + name)]) for text in (old, new))
        content = content.replace(next(lengths) + old, next(lengths) + new)
    out = content.replace(old, new)
    assert old not in out
    assert new in out
    return out


@pytest.mark.parametrize('protocol', range(6))
def test_reads_what_the_other_numpy_wrote(tmp_path, protocol):
    content = [np.arange(6.0).reshape(2, 3), np.arange(9)[::2], np.int64(3)]
    path = write(tmp_path, renamed(pickle.dumps(content, protocol)))
    same(load_pickle(path), content)


def test_reads_a_pickle_of_python_2(tmp_path):
    """Written by hand, as Python 2 does: an array of two small integers, and a text."""
    content = (
        b"(lp0\ncnumpy.core.multiarray\n_reconstruct\np1\n(cnumpy\nndarray\np2\n(I0\ntp3\nS'b'\n"
        b"p4\ntp5\nRp6\n(I1\n(I2\ntp7\ncnumpy\ndtype\np8\n(S'i1'\nI0\nI1\ntp9\nRp10\n(I3\nS'|'\n"
        b"NNNI-1\nI-1\nI0\ntp11\nbI00\nS'\\x05\\x80'\np12\ntp13\nbaS'caf\\xe9'\na."
    )
    loaded = load_pickle(write(tmp_path, content))
    same(loaded, [np.array([5, -128], np.int8), 'café'])


def test_shared_and_recursive_containers_are_preserved(tmp_path):
    content = {'a': [1, (2, np.zeros(2))]}
    content['b'] = content['a']
    content['a'].append(content)
    loaded = load_pickle(write(tmp_path, pickle.dumps(content)))
    assert loaded['b'] is loaded['a']
    assert loaded['a'][2] is loaded
    assert type(loaded['a'][1][1]) is np.ndarray


def test_nested_sharing_does_not_take_forever(tmp_path):
    deep = (1,)
    for _ in range(60):
        deep = (deep, deep)
    assert len(load_pickle(write(tmp_path, pickle.dumps(deep)))) == 2


class Command:
    """Runs a command when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f'touch {self.path}',)


class Eval:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return eval, (f'open({str(self.path)!r}, "w")',)


@pytest.mark.parametrize('kind', [Command, Eval])
@pytest.mark.parametrize('protocol', range(6))
@pytest.mark.parametrize('place', ['alone', 'among', 'in an array'])
def test_nothing_in_a_pickle_runs(tmp_path, kind, protocol, place):
    bad = kind(tmp_path / 'ran')
    content = {
        'alone': bad,
        'among': [np.zeros(3), {'annotations': [bad]}],
        'in an array': np.array([bad], dtype=object),
    }[place]
    path = write(tmp_path, pickle.dumps(content, protocol))
    with pytest.raises(
        ValueError,
        match=r'file\.pkl: object: expected numpy arrays of numbers or text, and plain containers,'
        r' found (posix\.system|builtins\.eval|__builtin__\.eval|an array of type O)',
    ):
        load_pickle(path)
    assert os.listdir(tmp_path) == ['file.pkl']


@pytest.mark.parametrize(
    ('content', 'found'),
    [
        (pickle.dumps(torch.zeros(2)), 'torch'),
        (pickle.dumps(np.zeros(2, dtype=[('a', 'f4')])), 'records|type'),
        (pickle.dumps(np.array([{}], dtype=object)), 'an array of type O'),
        (pickle.dumps(np.array(['2020-01-01'], dtype='datetime64[D]')), 'an array of type M8'),
        (pickle.dumps(pickle.Pickler), '_pickle.Pickler'),
        (pickle.dumps(np.float64), 'numpy.float64'),
        (pickle.dumps(complex(1, 2)), 'complex'),
        (b'cnumpy\nndarray\n.', 'a function or a type'),
        (b'cnumpy\nndarray\n((I9\nltR.', 'a call of numpy.ndarray'),
        (b'cbuiltins\nset\n}b.', 'the state of a function'),
        (b'cnumpy.core.multiarray\n_reconstruct\n}Vx\nI1\nsb.', 'the state of a function'),
        (b'Pid\n.', 'persistent ID'),
        (b'cnumpy.core.multiarray\n_reconstruct\n)R(I1\n(I1\ntNI00\nVa\ntb.', 'without a type'),
    ],
)
def test_other_objects_are_named(tmp_path, content, found):
    with pytest.raises(ValueError, match=rf'file\.pkl: object: expected .*, found .*({found})'):
        load_pickle(write(tmp_path, content))


def test_a_numeric_array_cannot_become_an_object_array(tmp_path):
    """Otherwise, the state of a dtype could make numbers be read as addresses."""
    content = pickle.dumps(np.arange(3.0), 2)
    end = content.index(b'<')
    flags = content.index(b'K\x00t', end)
    content = content[:flags] + b'K\x3f' + content[flags + 2 :]
    np.testing.assert_array_equal(load_pickle(write(tmp_path, content)), np.arange(3.0))


def test_empty_truncated_and_foreign_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'nowhere\.pkl: no such file'):
        load_pickle(str(tmp_path / 'nowhere.pkl'))
    with pytest.raises(ValueError, match=r'file\.pkl: content: .* found an empty file'):
        load_pickle(write(tmp_path, b''))
    whole = pickle.dumps(CONTENT)
    for content in (whole[:-1], whole[: len(whole) // 2], whole[:1], b'no pickle', b'\x80\x09.'):
        with pytest.raises(
            ValueError, match=r'file\.pkl: content: expected a complete pickle, found'
        ):
            load_pickle(write(tmp_path, content))


def test_damage_is_a_clear_error_or_other_content(tmp_path):
    whole = np.frombuffer(pickle.dumps(CONTENT), np.uint8)
    random = np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        broken = whole.copy()
        broken[random.integers(0, len(broken), 4)] = random.integers(0, 256, 4)
        try:
            load_pickle(write(tmp_path, broken.tobytes()))
        except ValueError as error:
            refused += 'file.pkl: ' in str(error)
    assert refused > 100


def test_bytes_are_read_like_the_file(tmp_path):
    content = pickle.dumps(CONTENT)
    same(load_pickle('nowhere.pkl', content), CONTENT)
    with pytest.raises(ValueError, match=r'nowhere\.pkl: content: .*an empty file'):
        load_pickle('nowhere.pkl', b'')


def test_a_huge_memo_number_takes_no_memory():
    # LONG_BINPUT with the number 2**32 - 1: an array of so many pointers would be 32 GB.
    content = b'\x80\x04]r\xff\xff\xff\xff.'
    assert load_pickle('file', content) == []
