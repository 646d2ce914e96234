import os
import re
import zipfile
from unittest.mock import Mock

import pytest
import torch
from torch_geometric.data import Data

from graphmotion.datasets.raw_files import LabelledFiles, ManualDownload, raw_entries
from graphmotion.io import MalformedFileError, find_files


class Walks(ManualDownload):
    """A dataset of two files."""

    source = 'https://example.org'

    @property
    def raw_file_names(self):
        return ['a.csv', 'b.csv']


class Runs(Walks):
    """Files without a source, described in words."""

    source = ''
    required_files = 'all tables'


def test_missing_files_raise(tmp_path):
    raw = re.escape(str(tmp_path / 'raw'))
    message = f'^Walks needs a.csv, b.csv in {raw}: see https://example.org$'
    with pytest.raises(FileNotFoundError, match=message):
        Walks(tmp_path)
    with pytest.raises(FileNotFoundError, match=f'^Runs needs all tables in {raw}$'):
        Runs(tmp_path)


def test_archives_and_folders_take_precedence_over_files(tmp_path):
    assert raw_entries(str(tmp_path / 'none'), '.txt') == []
    for name in ('b.txt', 'a.txt', 'c.csv'):
        (tmp_path / name).write_text('')
    (tmp_path / 'D.TXT').write_text('')
    (tmp_path / '.hidden').mkdir()
    assert raw_entries(str(tmp_path), '.txt') == ['D.TXT', 'a.txt', 'b.txt']
    assert raw_entries(str(tmp_path), ('.txt', '.csv')) == ['D.TXT', 'a.txt', 'b.txt', 'c.csv']
    assert raw_entries(str(tmp_path), '.json') == []
    (tmp_path / 'z').mkdir()
    (tmp_path / 'all.ZIP').write_text('')
    assert raw_entries(str(tmp_path), '.txt') == ['all.ZIP', 'z']


class Notes(LabelledFiles):
    """Text files in one folder per person."""

    suffixes = '.txt'
    num_folders = None
    noun = 'notes'
    layout = 'anna/1'

    def find_labels(self, person):
        return {'y': ('anna', 'ben').index(person)}

    def label_files(self, files):
        return {name: self.call_find_labels(name, name.split('/')[0]) for name in files}

    def read_sample(self, task):
        return Data(text=torch.tensor([int(task.file.read())]), y=torch.tensor([task.labels['y']]))


def note(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_changes_below_the_top_level_are_noticed(tmp_path):
    path = tmp_path / 'raw' / 'anna' / 'deep' / '1.txt'
    note(path, '1')
    assert Notes(tmp_path).labels('text').tolist() == [1]
    note(path, '22')
    changed = 'processing again, since the raw files have changed'
    with pytest.warns(UserWarning, match=changed):
        assert Notes(tmp_path).labels('text').tolist() == [22]
    note(tmp_path / 'raw' / 'ben' / '2.txt', '3')
    with pytest.warns(UserWarning, match=changed):
        assert Notes(tmp_path).labels('text').tolist() == [22, 3]
    # The same size, a later time.
    note(path, '44')
    os.utime(path, ns=(0, os.stat(path).st_mtime_ns + 1))
    with pytest.warns(UserWarning, match=changed):
        assert Notes(tmp_path).labels('text').tolist() == [44, 3]
    for name in ('.DS_Store', 'Thumbs.db', '__MACOSX/x.txt'):
        note(tmp_path / 'raw' / 'ben' / name, 'x')
    assert Notes(tmp_path).labels('text').tolist() == [44, 3]  # without a warning
    os.rename(tmp_path, f'{tmp_path}-moved')
    assert Notes(f'{tmp_path}-moved').labels('text').tolist() == [44, 3]


def test_changed_labels_are_noticed(tmp_path, monkeypatch):
    for name in ('anna', 'ben'):
        note(tmp_path / 'raw' / name / '1.txt', '1')
    assert Notes(tmp_path).labels('y').tolist() == [0, 1]
    monkeypatch.setattr(Notes, 'find_labels', lambda _, person: {'y': len(person) % 4})
    with pytest.warns(UserWarning, match='processing again, since labels have changed'):
        assert Notes(tmp_path).labels('y').tolist() == [0, 3]
    monkeypatch.setattr(
        Notes, 'find_labels', lambda _, person: None if person == 'anna' else {'y': 5}
    )
    with pytest.warns(UserWarning, match='labels have changed'):
        assert Notes(tmp_path).labels('y').tolist() == [5]


def test_files_that_change_while_they_are_read_are_read_again(tmp_path, monkeypatch):
    path = tmp_path / 'raw' / 'anna' / '1.txt'
    note(path, '1')
    read = Notes.read

    def slow(self):
        yield from read(self)
        if path.read_text() == '1':
            note(path, '22')

    monkeypatch.setattr(Notes, 'read', slow)
    with pytest.warns(UserWarning, match='the raw files have changed'):
        assert Notes(tmp_path).labels('text').tolist() == [22]


@pytest.mark.parametrize(
    ('result', 'found'),
    [
        (lambda _, person: {'y': ('ben',).index(person)}, r'ValueError: tuple\.index'),
        (lambda _, person: {'y': {'ben': 0}[person]}, "KeyError: 'anna'"),
        (lambda _, person: {'y': person}, "{'y': 'anna'}"),
        (lambda _, person: 3, '3'),
    ],
)
def test_invalid_labels_name_the_file(tmp_path, monkeypatch, result, found):
    note(tmp_path / 'raw' / 'anna' / '1.txt', '1')
    monkeypatch.setattr(Notes, 'find_labels', result)
    message = (
        r'Notes\.find_labels of .*raw/anna/1 must return a dict of numbers, the reason to skip '
        f'the file as text, or None, got {found}'
    )
    with pytest.raises(ValueError, match=message):
        Notes(tmp_path)


class Letters(LabelledFiles):
    """Samples that are skipped for several reasons."""

    noun = 'letters'
    raw_dir = 'here'

    def __init__(self, unique_labels):
        self.num_workers = 0
        self.unique_labels = unique_labels
        self.transform = self.pre_transform = self.pre_filter = None

    def read_sample(self, task):
        if task.name == 'e':
            raise MalformedFileError('e', 'content', 'a number', 'none')
        return 'too short' if task.name == 'f' else Data(name=task.name, **task.labels)


def test_skipped_files_are_counted_once():
    labels = {'a': {'y': 1}, 'b': 'of a stranger', 'c': None, 'd': {'y': 1}, 'e': {'y': 2}}
    labels |= {'f': {'y': 3}, 'g': {'y': 3}}
    files = {name: {} for name in labels}
    reasons = r'1 of a stranger \(b\); 1 with content not a number \(e\); 1 too short \(f\)'
    with pytest.warns(UserWarning, match=rf'^here: skipped 3 of 6 letters: {reasons}$'):
        samples = list(Letters(False).read_labelled(labels, files))
    assert [data.name for data in samples] == ['a', 'd', 'g']
    with pytest.warns(UserWarning, match=r'skipped 4 of 6 letters: .*1 with the labels of another'):
        samples = list(Letters(True).read_labelled(labels, files))
    assert [data.name for data in samples] == ['a', 'g']  # f has no sample
    with pytest.raises(ValueError, match='here: no letters found'):
        list(Letters(False).read_labelled({'c': None}, files))


def test_different_files_of_the_same_name_warn(tmp_path):
    raw = tmp_path / 'raw'
    for folder, text in (('a', '1'), ('b', '1'), ('c', '2')):
        note(raw / folder / 'anna-1.txt', text)
    with find_files(str(raw), '.txt') as files:
        assert files['anna-1'].path == str(raw / 'a' / 'anna-1.txt')
        assert files['anna-1'].other == str(raw / 'c' / 'anna-1.txt')
        message = '1 names belong to several files with different content, such as .*a.anna-1.txt'
        with pytest.warns(UserWarning, match=message):
            Notes.warn_of_copies(Mock(raw_dir='raw'), files)
    for name, text in (('one', '1'), ('two', '2')):
        with zipfile.ZipFile(raw / f'{name}.zip', 'w') as archive:
            archive.writestr('ben/1.txt', text)
            archive.writestr('ben/2.txt', 'equal')
            archive.writestr('a/anna-1.txt', text)
    with find_files(str(raw), '.txt', None) as files:
        assert {name: bool(file.other) for name, file in files.items()} == {
            'a/anna-1': False, 'b/anna-1': False, 'c/anna-1': False, 'ben/1': True, 'ben/2': False
        }  # fmt: skip
