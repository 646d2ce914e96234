"""Time every operator side by side with what one would write without this library.

    python -m benchmarks.operators                                # everything, about 5 minutes
    python -m benchmarks.operators --operator TemporalConv --batch 32 --frames 300
    python -m benchmarks.operators --tiny                         # does it run: seconds

Before anything is timed, all sides have to give the same results and gradients. How to read
the tables: README.md beside this file.
"""

from __future__ import annotations

import argparse
from typing import Any

import torch

from benchmarks.common import (
    environment,
    format_environment,
    markdown_table,
    parse_args,
    base_parser,
    write_json,
)
from benchmarks.operators import cases  # noqa: F401 (registers the rows)
from benchmarks.operators.harness import (
    PEAK,
    ROWS,
    SKELETONS,
    Setup,
    timed,
)
from benchmarks.operators.report import COLUMNS, TEXT_COLUMNS, table_row, peak_result, size, title
from benchmarks.operators.targets import targets

TINY = {'batch': [2, 4], 'joints': 16, 'frames': [4, 6], 'channels': 8}


def make_parser() -> argparse.ArgumentParser:
    """What can be asked for on the command line."""
    out = base_parser(__doc__, rounds=5, seconds=0.05)
    names = sorted({entry.operator for entry in ROWS})
    out.add_argument('--operator', nargs='+', choices=names, default=names, metavar='NAME')
    out.add_argument('--batch', nargs='+', type=int, default=[16, 64], help='graphs B')
    out.add_argument(
        '--joints', type=int, default=25, choices=sorted(SKELETONS), help='nodes V of a graph'
    )
    out.add_argument('--frames', nargs='+', type=int, default=[64, 128], help='frames T, of each B')
    out.add_argument('--channels', type=int, default=64, help='channels C, in and out')
    return out


def main(argv: list[str] | None = None) -> list[dict[str, Any]]:
    choice = make_parser()
    args = parse_args(choice, argv, TINY)
    batches, frames = args.batch, args.frames
    if len(batches) != len(frames):
        if 1 not in (len(batches), len(frames)):
            choice.error('--batch and --frames take equally many numbers, or one of them a single')
        batches, frames = batches * len(frames), frames * len(batches)
    facts = environment(args.device, args.threads)
    results: list[dict[str, Any]] = []
    for entry in ROWS:
        if entry.operator in args.operator:
            for b, t in zip(batches, frames):
                sizes = {'batch': b, 'joints': args.joints, 'frames': t, 'channels': args.channels}
                s = Setup(**{**sizes, **({} if args.tiny else entry.sizes)}, device=args.device)
                results += timed(entry, s, args)
    shown = peak_result(results) + [
        result for result in results if result['implementation'] != PEAK
    ]
    print(format_environment(facts), end='\n\n')
    print(markdown_table(COLUMNS, map(table_row, shown), left=TEXT_COLUMNS), end='\n\n')
    for result in results:
        if result['ratio'] and result['ratio']['median'] < 1:
            name, shape, label, other, *_, less, _ = table_row(result)
            print(f'Slower: {name} ({shape}, {label}), {less} against {other}')
    judged = targets(results, torch.device(args.device).type)
    if judged:
        lines = [
            (
                title(t),
                size(t),
                t['pass'],
                t['against'],
                f'{t["at_least"]:.2f}',
                f'{t["measured"]:.2f}',
                'met' if t['met'] else 'not met',
            )
            for t in judged
        ]
        head = ('operator', 'size', 'pass', 'against', 'at least', 'measured', 'target')
        print('\n' + markdown_table(head, lines, left=TEXT_COLUMNS))
    write_json(args.json, environment=facts, results=shown, targets=judged)
    return shown


if __name__ == '__main__':
    main()
