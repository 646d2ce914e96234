import os
import re
import zipfile

import numpy as np
import pytest
import torch

from graphmotion.datasets import RecordedDataset
from graphmotion.io import MalformedFileError
from graphmotion.skeletons import get_skeleton


class Runs(RecordedDataset):
    """Text files with a number in them."""

    class_names = ('walk', 'run')
    suffixes = '.txt'
    pattern = re.compile(r'(?P<action>\d)-(?P<subject>\d+)')
    name_format = '{action}-{subject:03d}'
    archive = 'runs.zip'
    source = 'https://example.org'
    protocols = {'odd': ('subject', (1, 3)), 'first': ('subject', (1,))}

    def __init__(self, root, **kwargs):
        self.skeleton = get_skeleton('coco17')
        super().__init__(root, **kwargs)

    def find_labels(self, numbers):
        action = numbers.pop('action')
        if action == 9:
            return None
        return {'y': action - 1, **numbers} if action in (1, 2) else 'of another action'

    def read_recording(self, path, content):
        if not content.strip().isdigit():
            raise MalformedFileError(path, 'content', 'a number', 'none')
        return np.full((3, 17, 2), int(content), np.float32), None

    def excluded_names(self):
        return {'2-004'}


@pytest.fixture
def root(tmp_path):
    (tmp_path / 'raw').mkdir()
    for name, content in {'1-001': 5, '2-003': 6, '1-002': 7, '2-001': 8}.items():
        (tmp_path / 'raw' / f'{name}.txt').write_text(f'{content}')
    return tmp_path


def test_recordings_are_sorted_by_name_with_their_labels(root):
    dataset = Runs(str(root))
    assert [data.pos[0, 0, 0].item() for data in dataset] == [5, 7, 8, 6]
    assert dataset.labels().tolist() == [0, 0, 1, 1]
    assert dataset.labels('subject').tolist() == [1, 2, 1, 3]
    assert dataset.names() == ['1-001', '1-002', '2-001', '2-003']
    assert dataset[[3, 0]].names() == ['2-003', '1-001']


def test_official_splits(root):
    dataset = Runs(str(root))
    for protocol, expected in ((None, [1, 3, 1]), ('odd', [1, 3, 1]), ('first', [1, 1])):
        train, test = dataset.official_split(protocol)
        assert type(train) is Runs
        assert sorted(train.labels('subject').tolist()) == sorted(expected)
        assert len(train) + len(test) == 4
        assert set(train.indices()).isdisjoint(test.indices())
    train, test = dataset[1:].official_split('first')
    assert (train.names(), test.names()) == (['2-001'], ['1-002', '2-003'])
    with pytest.raises(ValueError, match=r"protocol must be one of \['odd', 'first'\], got 'even'"):
        dataset.official_split('even')


def test_archives_are_read_without_unpacking(root):
    expected = Runs(str(root))
    other = root / 'other'
    (other / 'raw').mkdir(parents=True)
    with zipfile.ZipFile(other / 'raw' / 'any name.zip', 'w') as archive:
        for name in sorted(os.listdir(root / 'raw')):
            archive.write(root / 'raw' / name, f'runs/{name}')
    dataset = Runs(str(other))
    assert torch.equal(dataset._data.pos, expected._data.pos)
    assert dataset.names() == expected.names()
    assert os.listdir(other / 'raw') == ['any name.zip']


def test_invalid_recordings_are_skipped_with_a_warning_and_others_without(root):
    for name in ('1-004', '1-005', '2-004', '3-001', '9-001', 'notes'):
        (root / 'raw' / f'{name}.txt').write_text('x')
    with pytest.warns(UserWarning, match='skipped 5 of 9') as caught:
        dataset = Runs(str(root))
    assert len(dataset) == 4
    (message,) = [str(w.message) for w in caught]
    for part in (
        r'raw: skipped 5 of 9 samples: ',
        r'2 with content not a number \(1-004, 1-005\)',
        r'1 in the list of missing skeletons \(2-004\)',
        r'1 of another action \(3-001\)',
        r'1 not named like {action}-{subject:03d} \(notes\)',
    ):
        assert re.search(part, message)


def test_no_valid_recording_raises_and_leaves_no_file(tmp_path):
    (tmp_path / 'raw').mkdir()
    (tmp_path / 'raw' / '1-001.txt').write_text('x')
    with pytest.raises(ValueError, match=r'raw: all 1 samples were skipped: 1 with content'):
        Runs(str(tmp_path))
    assert not (tmp_path / 'processed').exists()


def test_a_damaged_archive_raises_and_leaves_no_file(root):
    (root / 'raw' / 'runs.zip').write_bytes(b'PK\3\4')
    with pytest.raises(ValueError, match=r'runs\.zip: content: expected a complete zip archive'):
        Runs(str(root))
    assert not (root / 'processed').exists()


def test_missing_files_raise(tmp_path):
    message = r'Runs needs runs\.zip, or the \.txt files in it, in .*raw: see https://example\.org'
    for _ in range(2):  # also where there is an empty folder
        with pytest.raises(FileNotFoundError, match=message):
            Runs(str(tmp_path))
    (tmp_path / 'raw' / 'empty').mkdir()
    with pytest.raises(ValueError, match='raw: no samples found'):
        Runs(str(tmp_path))


def test_processed_recordings_are_not_read_again(root, monkeypatch):
    Runs(str(root))
    with monkeypatch.context() as patch:
        patch.setattr(Runs, 'read', lambda self: pytest.fail('read again'))
        assert Runs(str(root))[0].pos[0, 0, 0] == 5


def test_changed_recordings_are_read_again(root):
    Runs(str(root))
    (root / 'raw' / '1-001.txt').write_text('9')
    with pytest.warns(UserWarning, match='processing again, since the raw files have changed'):
        assert Runs(str(root))[0].pos[0, 0, 0] == 9
    assert Runs(str(root))[0].pos[0, 0, 0] == 9
