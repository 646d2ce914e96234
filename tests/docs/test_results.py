"""Compares the tables of results with the records of runs."""

import json
from dataclasses import replace

import pytest
import torch
from generate import results, tables
from generate.results import PAGES, TABLES, Column, Row, Table

from graphmotion.metrics import GalleryProbeScores

COMMAND = 'python examples/gait_emotion.py --model st_gcn'
TABLE = Table(
    [Column('parameters', ('parameters',), unit='count'), Column('top-1', ('scores.*.accuracy',))],
    [Row('ours', 'ST-GCN', COMMAND)],
)
ENVIRONMENT = {
    'commit': '0123456789' * 4 + '+',
    'machine': 'Linux, 2 cores',
    'device': 'cpu',
    'threads': 1,
    'date': '2026-11-28T18:20:20+00:00',
}


def write_run(folder, seed, accuracy, **content):
    folder.mkdir()
    run = {
        'command': f'python /home/x/examples/gait_emotion.py --seed {seed} --model st_gcn --quiet',
        'arguments': {'seed': seed, 'root': '/home/x'},
        'environment': ENVIRONMENT,
        'parameters': 1234,
        'scores': {'ST-GCN': {'accuracy': accuracy, 'confusion': [[1]], 'empty': None}},
    }
    (folder / 'results.json').write_text(json.dumps(run | content))


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.name)
def test_tables_of_a_page_are_those_of_the_records(page):
    assert results.render(page.read_text(), results.read_records()) == page.read_text()


def test_each_table_and_record_is_on_a_page():
    shown = {name for page in PAGES for _, name, _ in results._MARKED.findall(page.read_text())}
    assert shown == TABLES.keys()
    assert results.unused_records(results.read_records()) == set()


def test_records_name_no_folder_of_a_machine():
    for record in results.read_records().values():
        assert '/home' not in json.dumps(record)
        assert record['command'] == results.shown_command(record['command'])


def test_mean_and_deviation_over_the_seeds_of_a_command(tmp_path):
    for seed, accuracy in [(0, 0.5), (1, 0.6), (2, 0.75)]:
        write_run(tmp_path / f'run{seed}', seed, accuracy)
    runs = tmp_path / 'records'
    runs.mkdir()
    results.collect([tmp_path], runs=runs)
    records = results.read_records(runs)
    assert list(records) == [f'gait_emotion_model-st_gcn_seed-{seed}.json' for seed in range(3)]
    assert records['gait_emotion_model-st_gcn_seed-1.json'] == {
        'command': COMMAND,
        'seed': 1,
        'environment': ENVIRONMENT,
        'results': {'parameters': 1234, 'scores': {'ST-GCN': {'accuracy': 0.6}}},
    }
    text = results.format_results(TABLE, records).split('\n')
    # (0.5 + 0.6 + 0.75) / 3 and the root of ((0.1167² + 0.0167² + 0.1333²) / 2).
    assert text[1:4] == [
        '| | parameters | top-1 |',
        '| --- | ---: | ---: |',
        '| ours | 1,234 | 61.7 ± 12.6 |',
    ]
    assert text[-4:-2] == [
        f'- `{COMMAND}`\\',
        '  seeds '
        + ', '.join(f'[{s}](runs/gait_emotion_model-st_gcn_seed-{s}.json)' for s in range(3))
        + ': commit 0123456+, Linux, 2 cores, 1 thread, 2026-11-28',
    ]
    row = Row('other', 'ST-GCN', 'python examples/x.py')
    with pytest.raises(ValueError, match="row 'other' needs the record of a run of 'python exam"):
        results.format_results(replace(TABLE, rows=[row]), records)


def test_rows_of_several_commands(tmp_path):
    both = [COMMAND, f'{COMMAND} --epochs 3']
    records = {}
    for seed, command in [(0, both[0]), (1, both[1]), (2, f'{COMMAND} --epochs 4')]:
        write_run(tmp_path / str(seed), seed, seed / 10)
        path = tmp_path / str(seed) / 'results.json'
        records[f'{seed}.json'] = results.make_record(path, command)
    row = replace(TABLE.rows[0], others=both[1:])
    text = results.format_results(replace(TABLE, rows=[row]), records)
    assert '| ours | 1,234 | 5.0 ± 7.1 |' in text
    for seed, command in enumerate(both):
        assert f'- `{command}`\\\n  seed [{seed}](runs/{seed}.json)' in text
    assert '2.json' not in text


def test_runs_without_command_and_environment(tmp_path):
    write_run(tmp_path / 'run', 0, 0.5, command=None, environment=None)
    path = tmp_path / 'run' / 'results.json'
    with pytest.raises(ValueError, match='has no command'):
        results.make_record(path)
    record = results.make_record(path, COMMAND)
    assert record['environment'].keys() == {'date'}
    assert results.describe_environment(record['environment']).startswith('commit and machine not')


def test_commands():
    shown = results.shown_command(
        'python3 /a/examples/papers/x.py --root /data --weights /a/last.ckpt --epochs 5 --seed 3 '
        "--out results/x --streams joint bone --title 'a b'"
    )
    assert shown == (
        'python examples/papers/x.py --root DIR --weights FILE --epochs 5 --streams joint bone '
        "--title 'a b'"
    )
    assert results.same_command('python x.py --a 1 --b', 'python x.py --b --a 1')
    assert not results.same_command('python x.py --a 1 2', 'python x.py --a 2 1')


def test_accuracy_by_view():
    hits = torch.tensor([[[[9, 1], [2, 9]], [[9, 3], [0, 9]]]])  # the diagonal is excluded
    counts = torch.full((2, 2, 2), 10)
    scores = GalleryProbeScores(
        protocol='x', distance='cosine', probe_sets=('NM', 'CL'), probe_views=(0, 90),
        gallery_views=(0, 90), exclude_identical_view=True, same_view_impostors=True, ranks=(1,),
        hits=hits, scored=counts, left_out=0 * counts, cmc=torch.zeros(2, 1),
        mean_average_precision=torch.zeros(2), mean_inverse_negative_penalty=torch.zeros(2),
        num_scored=torch.zeros(2), num_left_out=torch.zeros(2),
    )  # fmt: skip
    found = results.condense({'x': scores.as_dict()})['x']['rank-1 by view']
    expected = {'NM': (0.1, 0.2), 'CL': (0.3, 0.0), 'mean': (0.2, 0.1)}
    assert found.keys() == expected.keys()
    for name, (first, second) in expected.items():
        assert found[name] == pytest.approx({'0': first, '90': second})


def test_a_missing_number_is_an_empty_cell_and_folds_have_a_deviation():
    column = Column('x', ('scores.*.mean',), deviation='scores.*.std')
    record = {'results': {'scores': {'a, b': {'mean': 0.5, 'std': 0.031}, 'c': {}}}}
    assert results.format_cell(column, 'a, b', [record]) == '50.0 ± 3.1'
    assert results.format_cell(column, 'a, b', [record, record]) == '50.0 ± 3.1'
    assert results.format_cell(column, 'c', [record]) == ''


def test_figures_of_papers_belong_to_rows():
    for table in TABLES.values():
        for row in table.rows:
            assert len(row.paper) <= len(table.paper)


def test_minutes_are_those_of_the_fastest_run():
    column = tables.minutes('runs.*.seconds')

    def minutes(*seconds):
        records = [{'results': {'runs': {'x': {'seconds': value}}}} for value in seconds]
        return results.format_cell(column, 'x', records)

    assert minutes(160, 150, 3000) == '2.5'
    assert minutes(594) == '9.9'
    assert minutes(599) == '10'


def test_an_unknown_table():
    with pytest.raises(KeyError, match='missing'):
        results.render('<!-- table: missing -->\n<!-- end of table -->', {})
    with pytest.raises(ValueError, match='rows'):
        tables.with_paper(TABLE, ['paper'], {'missing': ['1']})
