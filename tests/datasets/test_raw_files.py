from graphmotion.datasets.raw_files import raw_entries


def test_archives_and_folders_go_before_files(tmp_path):
    assert raw_entries(str(tmp_path / 'none'), '.txt') == []
    for name in ('b.txt', 'a.txt', 'c.csv'):
        (tmp_path / name).write_text('')
    assert raw_entries(str(tmp_path), '.txt') == ['a.txt']
    assert raw_entries(str(tmp_path), ('.txt', '.csv')) == ['a.txt']
    assert raw_entries(str(tmp_path), '.json') == []
    (tmp_path / 'z').mkdir()
    (tmp_path / 'all.ZIP').write_text('')
    assert raw_entries(str(tmp_path), '.txt') == ['all.ZIP', 'z']
