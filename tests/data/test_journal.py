"""Tests of the results of an interrupted processing."""

import errno
import os

import pytest

from graphmotion.data import journal as journals
from graphmotion.data.journal import Journal


@pytest.fixture(autouse=True)
def immediate(monkeypatch):
    """Writes each result at once."""
    monkeypatch.setattr(journals, '_SECONDS', 0.0)


def test_results_are_found_after_an_interruption(tmp_path):
    folder = str(tmp_path / 'parts')
    first = Journal(folder)
    assert not os.path.exists(folder)
    for number in range(3):
        first.add(f'key {number}', bytes([number]) * (number + 1))
    assert len(os.listdir(folder)) == 3
    second = Journal(folder)
    assert len(second) == 3
    assert [second.get(f'key {number}') for number in range(4)] == [
        *(b'\x00', b'\x01\x01', b'\x02\x02\x02', None)
    ]
    assert 'key 2' in second
    assert 'key 3' not in second
    second.remove()
    assert second.get('key 1') is None
    assert not os.path.exists(folder)


def test_a_short_processing_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(journals, '_SECONDS', 10.0)
    monkeypatch.setattr(journals, '_NUM_BYTES', 100)
    journal = Journal(str(tmp_path / 'parts'))
    journal.add('a', bytes(60))
    assert os.listdir(tmp_path) == []
    journal.add('b', bytes(60))
    assert len(os.listdir(tmp_path / 'parts')) == 1
    journal.add('c', bytes(60))
    assert sorted(Journal(str(tmp_path / 'parts'))._known) == ['a', 'b']


@pytest.mark.parametrize('content', [b'', b'PK\x03\x04', b'something else'])
def test_damaged_files_are_ignored(tmp_path, content):
    folder = tmp_path / 'parts'
    journal = Journal(str(folder))
    journal.add('a', b'1')
    (folder / 'damaged.pt').write_bytes(content)
    (folder / 'cut_off.pt').write_bytes(next(folder.glob('*.pt')).read_bytes()[:-100])
    (folder / 'x.pt.0123.tmp').write_bytes(b'half')
    assert Journal(str(folder)).get('a') == b'1'


def test_processes_share_the_folder(tmp_path):
    folder = str(tmp_path / 'parts')
    one, two = Journal(folder), Journal(folder)
    one.add('a', b'1')
    two.add('b', b'2')
    assert len(Journal(folder)) == 2
    one.remove()
    two.add('c', b'3')  # the folder is made again
    assert Journal(folder).get('c') == b'3'


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    folder = str(tmp_path / 'parts')
    journal = Journal(folder)
    journal.add('a', b'1')

    def fail(*_):
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(journals, 'save_tensors', fail)
    journal.add('b', b'2')
    assert not os.path.exists(folder)
