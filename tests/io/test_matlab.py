import struct

import numpy as np
import pytest
from scipy.io import savemat

from graphmotion.io import read_matlab


@pytest.mark.parametrize('compressed', [False, True])
@pytest.mark.parametrize('dtype', ['f8', 'f4', 'i1', 'u1', 'i2', 'u2', 'i4', 'u4', 'i8', 'u8'])
def test_reads_what_scipy_writes(tmp_path, dtype, compressed):
    array = np.random.default_rng(0).integers(0, 100, size=(3, 2, 5)).astype(dtype)
    path = str(tmp_path / 'a.mat')
    content = {'before': np.zeros(3), 'text': 'abc', 'x': array, 'cells': {'a': 1}}
    savemat(path, content, do_compression=compressed)
    read = read_matlab(path, 'x')
    assert read.dtype == dtype
    np.testing.assert_array_equal(read, array)
    np.testing.assert_array_equal(read_matlab(path, 'before'), np.zeros((1, 3)))
    with open(path, 'rb') as file:
        np.testing.assert_array_equal(read_matlab('b', 'x', file.read()), array)


def element(order, kind, content):
    return struct.pack(f'{order}2I', kind, len(content)) + content + bytes(-len(content) % 8)


@pytest.mark.parametrize(('order', 'mark'), [('<', b'IM'), ('>', b'MI')])
def test_reads_both_byte_orders_and_numbers_stored_small(order, mark):
    """Integral doubles are stored as bytes, and small elements share one tag word."""
    small = struct.pack(f'{order}I', 1 << 16 | 1) + b'x\0\0\0'
    matrix = (
        element(order, 6, struct.pack(f'{order}2I', 6, 0))
        + element(order, 5, struct.pack(f'{order}2i', 2, 3))
        + small
        + element(order, 2, bytes([1, 2, 3, 4, 5, 255]))
    )
    content = b'MATLAB 5.0'.ljust(124) + struct.pack(f'{order}H', 0x0100) + mark
    read = read_matlab('a', 'x', content + element(order, 14, matrix))
    assert read.dtype == np.float64
    assert read.tolist() == [[1, 3, 5], [2, 4, 255]]


@pytest.mark.parametrize(
    ('value', 'found'),
    [(1j, 'complex numbers'), ('text', 'another type'), ({'a': 1}, 'another type')],
)
def test_other_variables_are_named(tmp_path, value, found):
    path = str(tmp_path / 'a.mat')
    savemat(path, {'x': value})
    with pytest.raises(ValueError, match=rf'a\.mat: x: expected an array of real .* found {found}'):
        read_matlab(path, 'x')
    with pytest.raises(ValueError, match=r'a\.mat: y: .* found no such variable'):
        read_matlab(path, 'y')


@pytest.mark.parametrize('compressed', [False, True])
def test_empty_truncated_and_foreign_files_are_named(tmp_path, compressed):
    path = tmp_path / 'a.mat'
    savemat(path, {'x': np.random.default_rng(0).normal(size=(9, 9))}, do_compression=compressed)
    whole = path.read_bytes()
    cut = [whole[:n] for n in (60, 127, 130, 140, 200, len(whole) - 1)]
    for content in (b'', b'no mat', b'MATLAB 7.3 MAT-file' + bytes(600), *cut):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r'a\.mat: content: expected a MATLAB file of version'):
            read_matlab(str(path), 'x')
    with pytest.raises(FileNotFoundError, match='no such file'):
        read_matlab(str(tmp_path / 'nowhere.mat'), 'x')


@pytest.mark.parametrize('compressed', [False, True])
def test_damage_is_a_clear_error_or_other_numbers(tmp_path, compressed):
    path = tmp_path / 'a.mat'
    array = np.random.default_rng(0).normal(size=(20, 3, 5))
    savemat(path, {'y': 'text', 'x': array}, do_compression=compressed)
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    random = np.random.default_rng(0)
    refused = 0
    for _ in range(500):
        broken = whole.copy()
        broken[random.integers(100, 300, 3)] = random.integers(0, 256, 3)
        try:
            read_matlab('a.mat', 'x', broken.tobytes())
        except ValueError as error:
            refused += str(error).startswith('a.mat: ')
    assert refused > 150
