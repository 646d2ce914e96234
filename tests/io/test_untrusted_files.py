"""Files that claim more than they hold, or would leave their archive, are refused at once."""

import bz2
import json
import math
import os
import pickle
import stat
import struct
import tracemalloc
import zipfile
import zlib

import h5py
import numpy as np
import pytest
import torch

from graphmotion.data.tensor_files import load_tensors
from graphmotion.datasets.emotion_gait import read_emotion_gait
from graphmotion.io import files as files_module
from graphmotion.io import (
    load_pickle,
    read_annotation,
    read_files,
    read_matlab,
    read_numpy,
    read_opengait_silhouettes,
    read_skeleton_arrays,
    read_weights,
)
from graphmotion.io.numpy_files import read_npy
from graphmotion.io.recognizer_file import read_recognizer

HUGE = 10**12


@pytest.fixture
def refused(tmp_path):
    """Checks that a reader refuses a file by name without taking memory."""

    def check(read, name, content, match='', limit=2**23):
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        tracemalloc.start()
        try:
            with pytest.raises(ValueError, match=rf'{name}.*{match}'):
                read(str(path))
            assert tracemalloc.get_traced_memory()[1] < limit
        finally:
            tracemalloc.stop()

    return check


def npy_header(shape, dtype='<f4', version=1):
    text = repr({'descr': dtype, 'fortran_order': False, 'shape': shape}).encode()
    return b'\x93NUMPY' + bytes([version, 0]) + struct.pack('<H', len(text) + 1) + text + b'\n'


def pack(path, members, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, 'w', method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


# Zip archives #################################################################################


def test_a_link_in_an_archive_is_refused(tmp_path, refused):
    member = zipfile.ZipInfo('a.json')
    member.create_system, member.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    pack(tmp_path / 'all.zip', {member: '/etc/passwd'})
    refused(lambda _: list(read_files(str(tmp_path), '.json')), 'all.zip', None, 'a link')


def test_a_member_that_is_larger_than_it_claims_takes_no_memory(tmp_path, refused):
    path = tmp_path / 'all.zip'
    pack(path, {'a.json': bytes(2**25)})
    content = bytearray(path.read_bytes())
    content[22:26] = struct.pack('<I', 10)
    entry = content.index(b'PK\x01\x02')
    content[entry + 24 : entry + 28] = struct.pack('<I', 10)
    refused(lambda _: list(read_files(str(tmp_path), '.json')), 'all.zip', content, 'a.json')


def test_a_member_of_another_compression_is_refused(tmp_path, refused):
    assert len(bz2.compress(bytes(2**22))) < 60
    pack(tmp_path / 'all.zip', {'a.json': bytes(2**20)}, zipfile.ZIP_BZIP2)
    refused(lambda _: list(read_files(str(tmp_path), '.json')), 'all.zip', None, 'deflated')


def test_members_that_share_their_content_are_refused(tmp_path, refused):
    path = tmp_path / 'all.zip'
    pack(path, {f'{i}.json': os.urandom(500) for i in range(8)})
    with zipfile.ZipFile(path) as archive:
        archive_start = archive.start_dir
        first = archive.getinfo('0.json')
    content = path.read_bytes()
    local = content[: 30 + len('0.json') + first.compress_size]
    entries = content[archive_start:]
    at = 0
    while entries[at : at + 4] == b'PK\x01\x02':
        entries = entries[: at + 42] + struct.pack('<I', 0) + entries[at + 46 :]
        at += 46 + len('0.json')
    end = entries[:at] + entries[at : at + 16] + struct.pack('<I', len(local)) + b'\0\0'
    refused(lambda _: list(read_files(str(tmp_path), '.json')), 'all.zip', local + end, 'size')


def test_a_member_above_the_limit_is_refused(tmp_path, refused, monkeypatch):
    monkeypatch.setattr(files_module, 'LARGEST_BYTES', 2**20)
    pack(tmp_path / 'all.zip', {'a.json': bytes(2**20 + 1)})
    refused(lambda _: list(read_files(str(tmp_path), '.json')), 'all.zip', None, 'at most 1048576')


# NumPy files ##################################################################################


@pytest.mark.parametrize('read', [read_numpy, read_npy])
@pytest.mark.parametrize(
    ('shape', 'dtype'),
    [
        ((HUGE, 25, 3), '<f4'),
        ((2**62, 2**62, 3), '<f4'),
        ((-1, 25, 3), '<f4'),
        ((HUGE, 25, 3), '<U0'),
        ((1, 1, 3), f'<U{10**9}'),
        ((10**9, 25, 3), '|u1'),
    ],
)
def test_the_header_of_an_npy_file_must_fit_the_file(refused, read, shape, dtype):
    refused(read, 'a.npy', npy_header(shape, dtype), 'content: expected numeric arrays')


def test_the_length_of_a_header_takes_no_memory(refused):
    content = b'\x93NUMPY\x02\x00' + struct.pack('<I', 2**32 - 1)
    refused(read_numpy, 'a.npy', content, 'content: expected numeric arrays')


def read_ctr_gcn(path):
    for part in read_skeleton_arrays(path, 25).values():
        list(part.samples())


@pytest.mark.parametrize('read', [read_numpy, read_ctr_gcn])
def test_the_headers_of_an_npz_file_must_fit_its_members(tmp_path, refused, read):
    huge = npy_header((HUGE, 25, 3))
    pack(tmp_path / 'a.npz', dict.fromkeys(('keypoints.npy', 'x_train.npy', 'y_train.npy'), huge))
    refused(read, 'a.npz', None, 'content: expected numeric arrays')


@pytest.mark.parametrize('read', [read_numpy, read_ctr_gcn])
def test_an_npz_file_that_expands_far_is_refused(tmp_path, refused, read, monkeypatch):
    monkeypatch.setattr('graphmotion.io.numpy_files.LARGEST_BYTES', 2**20)
    values = npy_header((1, 2**12, 150)) + bytes(2**12 * 150 * 4)
    classes = npy_header((1, 1)) + np.ones(1, '<f4').tobytes()
    members = {'keypoints.npy': values, 'x_train.npy': values, 'y_train.npy': classes}
    pack(tmp_path / 'a.npz', members)
    refused(read, 'a.npz', None, 'at most 1048576 bytes')


def test_arrays_that_are_not_read_take_no_memory(tmp_path):
    pos = np.random.default_rng(0).normal(size=(5, 17, 2))
    np.savez_compressed(tmp_path / 'a.npz', keypoints=pos, other=np.zeros(2**22))
    tracemalloc.start()
    (track,) = read_numpy(str(tmp_path / 'a.npz'))
    assert tracemalloc.get_traced_memory()[1] < 2**22
    tracemalloc.stop()
    np.testing.assert_array_equal(track.pos, pos.astype(np.float32))


def test_an_array_of_st_gcn_must_fit_its_file(tmp_path, refused):
    (tmp_path / 'train_data.npy').write_bytes(npy_header((HUGE, 3, 300, 25, 2)))
    (tmp_path / 'train_label.pkl').write_bytes(pickle.dumps((['a'], [0])))
    refused(lambda _: read_ctr_gcn(str(tmp_path)), 'train_data.npy', None, 'a numeric array')


# Pickles ######################################################################################


def reduced(shape, dtype, content=b''):
    """Returns a pickle of an array with the given state."""

    class Array:
        def __reduce__(self):
            make = np.core.multiarray._reconstruct if hasattr(np, 'core') else None
            state = (1, shape, np.dtype(dtype), False, content)
            return make, (np.ndarray, (0,), b'b'), state

    return pickle.dumps(Array())


@pytest.mark.parametrize('dtype', ['u1', 'f8', 'U0', 'S1000000'])
@pytest.mark.filterwarnings('ignore:numpy.core:DeprecationWarning')
def test_the_shape_of_a_pickled_array_must_fit_its_content(refused, dtype):
    content = reduced((HUGE, 17, 3), dtype)
    assert len(content) < 300
    for read in (load_pickle, read_opengait_silhouettes):
        refused(read, 'a.pkl', content, 'expected')


@pytest.mark.parametrize(
    'content',
    [
        b'\x80\x05\x96' + struct.pack('<Q', 2**35) + b'x.',  # BYTEARRAY8
        b'\x80\x05\x8e' + struct.pack('<Q', 2**35) + b'x.',  # BINBYTES8
        b'\x80\x05\x8d' + struct.pack('<Q', 2**35) + b'x.',  # BINUNICODE8
        b'\x80\x05\x95' + struct.pack('<Q', 2**35) + b'x.',  # FRAME
        b'\x80\x05\x8b' + struct.pack('<i', 2**31 - 1) + b'x.',  # LONG4
    ],
)
def test_the_length_of_a_pickled_value_takes_no_memory(refused, content):
    refused(load_pickle, 'a.pkl', content, 'content: expected a complete pickle')
    refused(lambda path: load_pickle(path, content), 'a.pkl', None, 'a complete pickle')


def test_lists_that_repeat_others_are_refused():
    keypoint = [0.0, 0.0, 0.0]
    for _ in range(12):
        keypoint = [keypoint] * 10
    annotation = pickle.loads(pickle.dumps({'frame_dir': 'a', 'keypoint': keypoint, 'label': 0}))
    with pytest.raises(ValueError, match=r"a.pkl: annotation 'a': keypoint: .* repeat others"):
        read_annotation(annotation, 'a.pkl', 17)
    annotation |= {'keypoint': np.zeros((1, 1, 17, 3)), 'label': keypoint}
    with pytest.raises(ValueError, match=r"a.pkl: annotation 'a': label"):
        read_annotation(annotation, 'a.pkl', 17)


# MATLAB files #################################################################################


def mat_file(shape, content=b'', size=None, stored=2, array_class=6, compress=False):
    def element(kind, data, size=None):
        return struct.pack('<II', kind, len(data) if size is None else size) + data

    body = element(6, struct.pack('<II', array_class, 0))
    body += element(5, struct.pack(f'<{len(shape)}i', *shape) + bytes(-4 * len(shape) % 8))
    body = body.replace(struct.pack('<II', 5, 16), struct.pack('<II', 5, 4 * len(shape)))
    body += element(1, b'pos' + bytes(5), 3) + element(stored, content, size)
    matrix = element(14, body)
    if compress:
        matrix = element(15, zlib.compress(matrix))
    return b'MATLAB 5.0'.ljust(124) + b'\x00\x01IM' + matrix


@pytest.mark.parametrize('compress', [False, True])
@pytest.mark.parametrize('size', [None, 2**31])
def test_the_shape_of_a_matlab_variable_must_fit_its_content(refused, compress, size):
    content = mat_file((2**31 - 1, 2**31 - 1), size=size, compress=compress)
    refused(lambda path: read_matlab(path, 'pos'), 'a.mat', content, 'content: expected a MATLAB')


def test_a_compressed_matlab_variable_that_expands_far_is_refused(refused, monkeypatch):
    monkeypatch.setattr('graphmotion.io.matlab.LARGEST_BYTES', 2**20)
    content = mat_file((2**21, 1), bytes(2**21), compress=True)
    refused(lambda path: read_matlab(path, 'pos'), 'a.mat', content, 'above 1 GiB')
    # Numbers stored in one byte each, of which the array has eight.
    content = mat_file((2**19, 1), bytes(2**19), compress=True)
    refused(lambda path: read_matlab(path, 'pos'), 'a.mat', content, 'above 1 GiB')


# Tensors ######################################################################################


def test_the_header_of_safetensors_must_fit_the_file(refused):
    header = {'a': {'dtype': 'F32', 'shape': [HUGE], 'data_offsets': [0, 4 * HUGE]}}
    text = json.dumps(header).encode()
    for content in (struct.pack('<Q', len(text)) + text, struct.pack('<Q', HUGE) + text):
        refused(read_weights, 'a.safetensors', content, 'not a file of safetensors')
        refused(read_recognizer, 'b.safetensors', content, 'a complete file of safetensors')


@pytest.mark.parametrize('read', [read_weights, load_tensors])
def test_compressed_files_of_tensors_are_refused(tmp_path, refused, read):
    torch.save({'a': torch.zeros(2**20)}, tmp_path / 'plain.pt')
    with zipfile.ZipFile(tmp_path / 'plain.pt') as plain:
        pack(tmp_path / 'a.pt', {name: plain.read(name) for name in plain.namelist()})
    assert (tmp_path / 'a.pt').stat().st_size < 20_000
    refused(read, 'a.pt', None)


@pytest.mark.parametrize('read', [read_weights, load_tensors])
def test_tensors_that_repeat_their_values_are_refused(tmp_path, refused, read):
    content = {'state_dict': {'weight': torch.zeros(1).expand(HUGE)}}
    torch.save(content, tmp_path / 'a.pt')
    refused(read, 'a.pt', None)


def test_a_storage_that_is_larger_than_the_file_is_refused(tmp_path, refused):
    torch.save({'a': torch.zeros(1000)}, tmp_path / 'plain.pt')
    with zipfile.ZipFile(tmp_path / 'plain.pt') as plain:
        members = {name: plain.read(name) for name in plain.namelist()}
    for name in members:
        if name.endswith('data.pkl'):
            members[name] = members[name].replace(b'M\xe8\x03', b'J\xff\xff\xff\x7f')
    pack(tmp_path / 'a.pt', members, zipfile.ZIP_STORED)
    refused(read_weights, 'a.pt', None)


# HDF5 #########################################################################################


@pytest.mark.parametrize('kind', ['empty chunks', 'link', 'other file'])
def test_gaits_must_be_small_and_in_the_file(tmp_path, refused, kind):
    with h5py.File(tmp_path / 'labels.h5', 'w') as file:
        file['a'] = 0
    with h5py.File(tmp_path / 'other.h5', 'w') as file:
        file['a'] = np.zeros((5, 48))
    with h5py.File(tmp_path / 'a.h5', 'w') as file:
        if kind == 'empty chunks':
            file.create_dataset('a', (HUGE, 48), 'f4', chunks=(1000, 48))
        elif kind == 'link':
            file['a'] = h5py.ExternalLink('other.h5', 'a')
        else:
            size = math.prod((5, 48, 4))
            external = [(str(tmp_path / 'labels.h5'), 0, size)]
            file.create_dataset('a', (5, 48), 'f4', external=external)
    labels = str(tmp_path / 'labels.h5')
    refused(lambda path: read_emotion_gait(path, labels), 'a.h5', None, "gait 'a' cannot be read")
