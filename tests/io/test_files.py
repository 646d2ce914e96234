import os
import pickle
import struct
import zipfile

import numpy as np
import pytest

from graphmotion.data.workers import map_in_order
from graphmotion.io import MalformedFileError, atomic_write, find_files, load_json, read_files
from graphmotion.io.files import as_float_array


def pack(path, members):
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def read(folder, suffix='.json'):
    return [(name, content) for _, name, content in read_files(str(folder), suffix)]


def test_reads_folders_and_archives_sorted_by_name(tmp_path):
    (tmp_path / 'sub' / 'deep').mkdir(parents=True)
    (tmp_path / 'sub' / 'deep' / 'b.json').write_text('unpacked')
    (tmp_path / 'd.json').write_text('d')
    (tmp_path / 'notes.txt').write_text('not asked for')
    (tmp_path / '._d.json').write_text('hidden')
    pack(
        tmp_path / 'all.zip',
        {
            'set/': '',
            'set/c.json': 'c',
            'set/b.json': 'twice',
            '__MACOSX/a.json': 'no',
            'x.txt': '',
        },
    )
    pack(tmp_path / 'more.ZIP', {'a.json': 'a', 'c.json': 'twice'})
    found = read(tmp_path)
    assert found == [('a', b'a'), ('b', b'unpacked'), ('c', b'c'), ('d', b'd')]
    paths = [path for path, _, _ in read_files(str(tmp_path), '.json')]
    assert paths[2] == f'{tmp_path}/all.zip/set/c.json'


def test_archives_are_read_in_several_processes_at_once(tmp_path):
    pack(tmp_path / 'all.zip', {f'{i}.json': bytes([i]) * 10**5 for i in range(40)})
    with find_files(str(tmp_path), '.json') as files:
        copies = pickle.loads(pickle.dumps(files))
        contents = map_in_order(lambda name: files[name].read(), list(files), 2)
        for (name, content), copy in zip(zip(files, contents), copies.values()):
            assert content == copy.read() == files[name].read() == bytes([int(name)]) * 10**5


def test_states_change_with_the_content(tmp_path):
    def states():
        with find_files(str(tmp_path), '.json') as files:
            return {name: file.state() for name, file in files.items()}

    pack(tmp_path / 'all.zip', {'a.json': 'a', 'b.json': 'b'})
    (tmp_path / 'c.json').write_text('c')
    first = states()
    pack(tmp_path / 'all.zip', {'a.json': 'a', 'b.json': 'x'})
    os.utime(tmp_path / 'c.json', ns=(0, 1))
    second = states()
    assert [first[name] == second[name] for name in 'abc'] == [True, False, False]
    assert second['c'] == (1, 1)


def test_archives_and_folders_may_be_linked(tmp_path):
    (tmp_path / 'elsewhere').mkdir()
    (tmp_path / 'elsewhere' / 'a.json').write_text('a')
    pack(tmp_path / 'b.zip', {'b.json': 'b'})
    (tmp_path / 'raw').mkdir()
    os.symlink(tmp_path / 'elsewhere', tmp_path / 'raw' / 'set')
    os.symlink(tmp_path / 'b.zip', tmp_path / 'raw' / 'b.zip')
    assert read(tmp_path / 'raw') == [('a', b'a'), ('b', b'b')]


@pytest.mark.parametrize(
    'name', ['../a.json', 'x/../../a.json', '/etc/a.json', '..\\a.json', 'C:\\a.json', 'C:a.json']
)
def test_archive_members_outside_the_archive_raise(tmp_path, name):
    pack(tmp_path / 'all.zip', {'b.json': 'b', name: 'a'})
    with pytest.raises(ValueError, match=r'all\.zip: member: expected a path inside the archive'):
        read(tmp_path)


def test_two_dots_in_a_name_are_harmless(tmp_path):
    pack(tmp_path / 'all.zip', {'x/a..b.json': 'b'})
    assert read(tmp_path) == [('a..b', b'b')]


def test_a_damaged_archive_raises(tmp_path):
    path = tmp_path / 'all.zip'
    pack(path, {'a.json': os.urandom(500), 'b.json': 'b'})
    whole = path.read_bytes()
    for content in (b'', b'no zip', whole[: len(whole) // 2], whole[:-30]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r'all\.zip: content: expected a complete zip archive'):
            read(tmp_path)
    path.write_bytes(whole[:200] + bytes(100) + whole[300:])
    with pytest.raises(ValueError, match=r'all\.zip/a\.json: content: expected an intact'):
        read(tmp_path)


def test_an_encrypted_or_boundless_member_raises(tmp_path):
    path = tmp_path / 'all.zip'
    pack(path, {'a.json': 'a'})
    whole = bytearray(path.read_bytes())
    entry = whole.index(b'PK\x01\x02')
    locked = bytearray(whole)
    locked[6] |= 1
    locked[entry + 8] |= 1
    path.write_bytes(locked)
    with pytest.raises(ValueError, match=r'a\.json: content: .*(password|encrypted)'):
        read(tmp_path)
    whole[entry + 24 : entry + 28] = struct.pack('<I', 2**31)
    path.write_bytes(whole)
    with pytest.raises(ValueError, match=r'a\.json: size: expected at most 1073741824 bytes'):
        read(tmp_path)


def test_one_file_at_a_time_is_read(tmp_path):
    pack(tmp_path / 'all.zip', {'a.json': 'a', 'b.json': 'b'})
    files = read_files(str(tmp_path), '.json')
    assert next(files)[1:] == ('a', b'a')
    files.close()


def test_json(tmp_path):
    path = tmp_path / 'a.json'
    path.write_text('{"a": [1, 2.5]}')
    assert load_json(str(path)) == {'a': [1, 2.5]}
    assert load_json('elsewhere', b'[]') == []
    with pytest.raises(FileNotFoundError, match=r'b\.json: no such file'):
        load_json(str(tmp_path / 'b.json'))
    for content, found in (
        (b'', 'an empty file'),
        (b' \n', 'an empty file'),
        (b'{"a": [1', 'Expecting'),
        (b'\xff\xfe\x00\xd8', 'codec|Expecting'),
        (b'[' * 100_000, 'recursion'),
    ):
        path.write_bytes(content)
        with pytest.raises(
            ValueError, match=rf'a\.json: content: expected JSON, found .*({found})'
        ):
            load_json(str(path))


@pytest.mark.parametrize(
    ('value', 'found'),
    [
        ([[1, 2, 3]], r'the shape \[1, 3\]'),
        ([], r'the shape \[0\]'),
        ([[1, 2], [3]], 'lists of unequal length'),
        ([['1', '2']], 'values of type <U1'),
        ([[True, False]], 'values of type bool'),
        ([[None, 1]], 'values of type object'),
        ([[2**70, 1]], 'values of type object'),
        (None, 'nothing'),
        ('text', 'text'),
        ({'a': 1}, 'an object'),
        ([[float('nan'), 1]], 'NaN or infinite'),
        ([[1e300, 1]], 'NaN or infinite'),
    ],
)
def test_numbers_are_checked(value, found):
    with pytest.raises(
        ValueError, match=rf'file: field: expected .*numbers of shape \[T, 2\], found {found}'
    ):
        as_float_array(value, 'file', 'field', ('T', 2))


def test_numbers():
    array = as_float_array([[1, 2.5]], 'file', 'field', ('T', 2))
    assert array.dtype == np.float32
    assert array.tolist() == [[1, 2.5]]
    assert np.isinf(as_float_array([[1e300, 1]], 'file', 'field', ('T', 2), finite=False)[0, 0])


def test_an_error_is_complete_and_picklable():
    error = pickle.loads(pickle.dumps(MalformedFileError('a.json', 'field', 'x', 'y')))
    assert str(error) == 'a.json: field: expected x, found y'
    assert error.reason == 'with field not x'
    assert type(error) is MalformedFileError


def test_files_are_written_atomically(tmp_path):
    path = tmp_path / 'a'
    with atomic_write(str(path)) as file:
        file.write(b'first')
        assert not path.exists()
    with pytest.raises(TypeError, match='bytes'), atomic_write(str(path)) as file:
        file.writelines([b'second', 'no bytes'])
    assert path.read_bytes() == b'first'
    assert os.listdir(tmp_path) == ['a']
    # Others may read it, if they may read what is made here at all.
    (tmp_path / 'b').write_text('')
    assert path.stat().st_mode == (tmp_path / 'b').stat().st_mode


def test_folders_may_be_part_of_the_name(tmp_path):
    (tmp_path / 'walk' / 'anna').mkdir(parents=True)
    (tmp_path / 'walk' / 'anna' / '1.json').write_text('a')
    pack(tmp_path / 'all.zip', {'set/walk/ben/1.json': 'b', 'set/walk/anna/1.json': 'twice'})
    names = [[name for _, name, _ in read_files(str(tmp_path), '.json', n)] for n in range(3)]
    assert names == [['1'], ['anna/1', 'ben/1'], ['walk/anna/1', 'walk/ben/1']]
    contents = [content for _, _, content in read_files(str(tmp_path), '.json', 2)]
    assert contents == [b'a', b'b']
