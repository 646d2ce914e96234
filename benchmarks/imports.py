"""Times the import of the packages in fresh processes, against PyG.

    python -m benchmarks.imports                                  # a minute
    python -m benchmarks.imports --package graphmotion graphmotion.nn
    python -m benchmarks.imports --tiny                           # smoke test in seconds

Each package is imported by one process per round, in turns. The columns are explained in
benchmarks/README.md.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.common import (
    base_parser,
    environment,
    format_environment,
    measure_in_turns,
    parse_args,
    quartiles,
    ratio,
    ratio_cells,
    write_json,
)
from graphmotion.metrics import markdown_table

PYG = 'torch_geometric'
PACKAGES = (
    PYG,
    'torch',
    'graphmotion',
    'graphmotion.nn',
    'graphmotion.models',
    'graphmotion.transforms',
    'graphmotion.datasets',
    'graphmotion.inference',
)
TINY = {'package': ['graphmotion']}
COLUMNS = ('package', 's', 'IQR', 'ratio', 'from - to')


def import_time(package: str) -> float:
    """Returns the processor time of a new process that imports a package, in seconds."""
    path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get('PYTHONPATH', '')])
    before = os.times()
    subprocess.run(
        [sys.executable, '-c', f'import {package}'],
        check=True,
        env=os.environ | {'OMP_NUM_THREADS': '1', 'PYTHONPATH': path},
    )
    after = os.times()
    return sum(after[2:4]) - sum(before[2:4])  # of child processes


def measure(packages: list[str], rounds: int) -> list[dict[str, Any]]:
    """Returns one result for each package, all timed in turns."""
    times = measure_in_turns(packages, rounds, import_time)
    return [
        {
            'package': package,
            'seconds': quartiles(rounds),
            'rounds': rounds,
            'ratio': None if package == PYG else ratio(times[PYG], rounds),
        }
        for package, rounds in times.items()
    ]


def table_row(result: dict[str, Any]) -> tuple[str, ...]:
    """Formats a result as a row of the table."""
    seconds = result['seconds']
    return (
        result['package'],
        f'{seconds["median"]:.3f}',
        f'{seconds["high"] - seconds["low"]:.3f}',
        *ratio_cells(result['ratio']),
    )


def main(argv: list[str] | None = None) -> list[dict[str, Any]]:
    parser = base_parser(__doc__, rounds=5)
    parser.add_argument('--package', nargs='+', choices=PACKAGES, default=PACKAGES)
    args = parse_args(parser, argv, TINY)
    facts = environment(args.device, args.threads)
    results = measure([PYG, *(name for name in args.package if name != PYG)], args.rounds)
    print(format_environment(facts), end='\n\n')
    print(markdown_table(COLUMNS, map(table_row, results), left=('package',)))
    write_json(args.json, environment=facts, results=results)
    return results


if __name__ == '__main__':
    main()
