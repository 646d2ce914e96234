import pytest

from graphmotion.metrics import markdown_table


def test_columns_are_aligned():
    table = markdown_table(['model', 'top-1'], [['ST-GCN', '81.5'], ['SpaGNN', '9.0']])
    assert table.splitlines() == [
        '| model  | top-1 |',
        '| ------ | ----: |',
        '| ST-GCN |  81.5 |',
        '| SpaGNN |   9.0 |',
    ]


def test_columns_aligned_to_the_left_are_named():
    lines = markdown_table(['a', 'b', 'c'], [['1', 'long', '']], left=['b']).splitlines()
    assert lines == ['|   a | b    |   c |', '| --: | ---- | --: |', '|   1 | long |     |']


def test_a_table_without_rows_is_its_head():
    assert markdown_table(['name', 'ms'], []) == '| name |  ms |\n| ---- | --: |'


def test_rows_must_have_a_cell_for_each_column():
    with pytest.raises(ValueError, match='shorter'):
        markdown_table(['a', 'b'], [['1']])
