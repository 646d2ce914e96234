import re

import pytest

from graphmotion.datasets.raw_files import ManualDownload, raw_entries


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
    assert raw_entries(str(tmp_path), '.txt') == ['a.txt']
    assert raw_entries(str(tmp_path), ('.txt', '.csv')) == ['a.txt']
    assert raw_entries(str(tmp_path), '.json') == []
    (tmp_path / 'z').mkdir()
    (tmp_path / 'all.ZIP').write_text('')
    assert raw_entries(str(tmp_path), '.txt') == ['all.ZIP', 'z']
