"""Records of runs and the tables of results that are made from them.

.. code-block:: sh

    python -m docs.generate.results collect results/gait_emotion  # folders with results.json
    python -m docs.generate.results render                        # writes the tables of all pages

A record is the part of a results.json that tables show, with the command, the seed and the
environment of the run: a file in docs/results/runs, named for its command. Tables are described in
docs/generate/tables.py; in a page, they are between two comments, the first with their name.
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from graphmotion.metrics import GalleryProbeScores

from .tables import TABLES, Column, Row, Table

ROOT = Path(__file__).parents[2]
RUNS = ROOT / 'docs' / 'results' / 'runs'
PAGES = [*sorted((ROOT / 'docs' / 'results').glob('*.md')), ROOT / 'examples' / 'README.md']
_MARKED = re.compile(r'(<!-- table: ([\w-]+) -->\n).*?(<!-- end of table -->)', re.DOTALL)
# Options that do not change a result, or that the record holds by themselves.
_DROPPED_OPTIONS = ('--quiet', '--fresh', '--evaluate', '--out', '--seed')
# Parts of results.json that follow from the command and the commit, or that repeat others.
_DROPPED_KEYS = ('arguments', 'command', 'environment', 'recipe', 'recipes', 'options', 'pooled')

# Records #######################################################################################


def shown_command(command: str) -> str:
    """Returns a command without folders of a machine and options that do not change a result."""
    words = shlex.split(command)
    script = next(k for k, word in enumerate(words) if word.endswith('.py'))
    options = _options(words[script + 1 :])
    kept = [
        [_placeholder(word) if '/' in word else word for word in option]
        for option in options
        if option[0] not in _DROPPED_OPTIONS
    ]
    path = re.sub(r'^.*?(examples/)', r'\1', words[script])
    return shlex.join(['python', path, *(word for option in kept for word in option)])


def _placeholder(path: str) -> str:
    return 'FILE' if Path(path).suffix else 'DIR'


def _options(words: Sequence[str]) -> list[list[str]]:
    """Splits the words of a command line into options with their values."""
    options: list[list[str]] = []
    for word in words:
        if word.startswith('--'):
            options.append(word.split('=', 1))
        else:
            options[-1].append(word)
    return options


def same_command(a: str, b: str) -> bool:
    """Whether commands have the same script and options, in any order."""
    first, second = shlex.split(a), shlex.split(b)
    return first[:2] == second[:2] and sorted(_options(first[2:])) == sorted(_options(second[2:]))


def condense(results: Any) -> Any:
    """Returns results without lists and without parts that tables do not show."""
    if not isinstance(results, dict):
        return results
    found = {
        key: condense(value)
        for key, value in results.items()
        if key not in _DROPPED_KEYS and value is not None and not isinstance(value, list)
    }
    if results.get('probe_views'):
        scores = GalleryProbeScores.from_dict(results)
        by_view = [*scores.view_accuracy().tolist(), scores.view_accuracy().nanmean(dim=0).tolist()]
        found['rank-1 by view'] = {
            name: dict(zip(map(str, scores.probe_views), values))
            for name, values in zip([*scores.probe_sets, 'mean'], by_view)
        }
    return found


def make_record(path: Path, command: str | None = None) -> dict[str, Any]:
    """Returns the record of a run from its results.json.

    Raises:
        ValueError: If neither the file nor the argument has the command.
    """
    results = json.loads(path.read_text())
    command = command or results.get('command')
    if command is None:
        raise ValueError(f'{path} has no command: pass it with --command')
    # Older runs have no environment.
    written = datetime.fromtimestamp(path.stat().st_mtime, timezone.utc)
    return {
        'command': shown_command(command),
        'seed': results['arguments']['seed'],
        'environment': results.get('environment') or {'date': f'{written:%Y-%m-%d}'},
        'results': condense(results),
    }


def record_name(record: dict[str, Any]) -> str:
    """Returns the name of the file of a record, from its command and seed."""
    words = shlex.split(record['command'])
    options = ['-'.join(o).lstrip('-') for o in _options(words[2:]) if o != ['--root', 'DIR']]
    name = '_'.join([Path(words[1]).stem, *sorted(options), f'seed-{record["seed"]}'])
    return re.sub(r'[^\w.-]', '-', name) + '.json'


def collect(folders: Iterable[Path], command: str | None = None, runs: Path = RUNS) -> list[Path]:
    """Writes the records of all runs in folders and returns their paths."""
    paths = []
    for path in sorted(path for folder in folders for path in folder.rglob('results.json')):
        record = make_record(path, command)
        paths.append(runs / record_name(record))
        paths[-1].write_text(json.dumps(record, indent=1) + '\n')
    return paths


def read_records(runs: Path = RUNS) -> dict[str, dict[str, Any]]:
    """Returns all records by the names of their files."""
    return {path.name: json.loads(path.read_text()) for path in sorted(runs.glob('*.json'))}


# Tables ########################################################################################


def look_up(results: dict[str, Any], path: str, title: str) -> Any:
    """Returns a number of a record, or None if it is missing; a star stands for the title."""
    value: Any = results
    for key in path.replace('*', title).strip('.').split('.'):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def format_cell(column: Column, title: str, records: Sequence[dict[str, Any]]) -> str:
    """Formats the mean of a number over runs, with its deviation if there are several; for
    minutes, returns those of the fastest run.
    """
    runs = [[look_up(r['results'], path, title) for path in column.paths] for r in records]
    values = [mean(run) for run in runs if None not in run]
    if not values:
        return ''
    if column.unit == 'count':
        return f'{mean(values):,.0f}'
    if column.unit == 'minutes':
        minutes = min(values) / 60
        return f'{minutes:.1f}' if minutes < 9.95 else f'{minutes:.0f}'
    text = f'{100 * mean(values):.1f}'
    if len(set(values)) > 1:
        return f'{text} ± {100 * stdev(values):.1f}'
    if column.deviation:
        return f'{text} ± {100 * look_up(records[0]["results"], column.deviation, title):.1f}'
    return text


def matching(records: dict[str, dict[str, Any]], row: Row) -> dict[str, dict[str, Any]]:
    """Returns the records of the commands of a row, by name."""
    commands = (row.command, *row.others)
    return {k: r for command in commands for k, r in of_command(records, command).items()}


def required(records: dict[str, dict[str, Any]], row: Row) -> dict[str, dict[str, Any]]:
    """Returns the records of the commands of a row, by name.

    Raises:
        ValueError: If there is none.
    """
    found = matching(records, row)
    if not found:
        raise ValueError(f'row {row.label!r} needs the record of a run of {row.command!r}')
    return found


def of_command(records: dict[str, dict[str, Any]], command: str) -> dict[str, dict[str, Any]]:
    """Returns the records of a command, by name."""
    return {k: r for k, r in records.items() if same_command(r['command'], command)}


def describe_runs(command: str, records: dict[str, dict[str, Any]]) -> str:
    """Describes the runs of a command: seeds, commits, machines and dates."""
    groups: dict[str, list[str]] = {}
    for name, record in records.items():
        where = describe_environment(record['environment'])
        groups.setdefault(where, []).append(f'[{record["seed"]}](runs/{name})')
    parts = [
        f'seed{"s" * (len(seeds) > 1)} {", ".join(seeds)}: {where}'
        for where, seeds in groups.items()
    ]
    return f'- `{command}`\\\n  {"; ".join(parts)}'


def describe_environment(environment: dict[str, Any]) -> str:
    """Describes commit, machine and date of a run, which older runs do not have."""
    date = environment['date'][:10]
    if 'machine' not in environment:
        return f'commit and machine not recorded, {date}'
    commit, threads = environment['commit'], environment['threads']
    short = f'{commit[:7]}{commit[40:]}' if commit else 'not recorded'
    device = environment['device']
    used = f'{threads} thread{"s" * (threads != 1)}' if device == 'cpu' else device
    return f'commit {short}, {environment["machine"]}, {used}, {date}'


def format_results(table: Table, records: dict[str, dict[str, Any]]) -> str:
    """Formats a table with the runs that it shows.

    Raises:
        ValueError: If there is no record for a row.
    """
    rows: list[list[str]] = []
    shown = {}
    for row in table.rows:
        found = required(records, row)
        for command in (row.command, *row.others):
            shown[command] = of_command(found, command)
        cells = [format_cell(c, row.title, [*found.values()]) for c in table.columns]
        rows.append([row.label, *cells, *row.paper])
    header = [table.corner, *(column.header for column in table.columns), *table.paper]
    rule = ['---', *['---:'] * (len(header) - 1)]
    padded = [[*row, *[''] * (len(header) - len(row))] for row in rows]
    lines = ['', *(f'| {" | ".join(line)} |' for line in [header, rule, *padded]), '']
    if table.lists_runs:
        lines += ['Runs of this table:', '']
        lines += [describe_runs(*runs) for runs in shown.items() if runs[1]] + ['']
    return re.sub(r'(?<=\|)  (?=\|)', ' ', '\n'.join(lines)) + '\n'


def find_cell(name: str, label: str, header: str) -> str:
    """Returns the cell of a table by its row and column."""
    table, records = TABLES[name], read_records()
    row = next(row for row in table.rows if row.label == label)
    k = [column.header for column in table.columns].index(header)
    return format_cell(table.columns[k], row.title, [*required(records, row).values()])


def render(text: str, records: dict[str, dict[str, Any]]) -> str:
    """Returns the text of a page with its tables made from the records.

    Raises:
        KeyError: If the page names a table that does not exist.
    """
    return _MARKED.sub(
        lambda m: m[1] + format_results(TABLES[m[2]], records) + m[3],
        text,
    )


def unused_records(records: dict[str, dict[str, Any]]) -> set[str]:
    """Returns the names of the records that no table shows."""
    rows = [row for table in TABLES.values() for row in table.rows]
    return records.keys() - {name for row in rows for name in matching(records, row)}


def main(argv: list[str] | None = None) -> None:
    """Collects records, or writes the tables of all pages."""
    parser = argparse.ArgumentParser(description='Tables of results from the files of runs.')
    commands = parser.add_subparsers(dest='action', required=True)
    collecting = commands.add_parser('collect', help='add or replace the records of runs')
    collecting.add_argument('folders', nargs='+', type=Path, help='folders with a results.json')
    collecting.add_argument('--command', help='of a run whose results.json does not have it')
    commands.add_parser('render', help='write the tables of all pages')
    args = parser.parse_args(argv)
    if args.action == 'collect':
        for path in collect(args.folders, args.command):
            print(path.relative_to(ROOT))
    else:
        for page in PAGES:
            page.write_text(render(page.read_text(), read_records()))
    for name in sorted(unused_records(read_records())):
        print(f'No table shows {name}')


if __name__ == '__main__':
    main()
