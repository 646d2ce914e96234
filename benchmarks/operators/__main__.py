"""Times every operator side by side with implementations that do not use this library.

    python -m benchmarks.operators                                # everything, about 5 minutes
    python -m benchmarks.operators --operator TemporalConv --batch 32 --frames 300
    python -m benchmarks.operators --tiny                         # smoke test in seconds

All implementations must return the same results and gradients before anything is timed. The
columns are explained in benchmarks/README.md.
"""

from __future__ import annotations

import argparse
from typing import Any

import torch

from benchmarks.common import (
    base_parser,
    environment,
    format_environment,
    parse_args,
    write_json,
)
from benchmarks.operators import cases  # noqa: F401 (registers the cases)
from benchmarks.operators.harness import CASES, PEAK, SKELETONS, Setup, measure
from benchmarks.operators.report import (
    COLUMNS,
    TEXT_COLUMNS,
    format_name,
    format_size,
    merge_peak_results,
    table_row,
)
from benchmarks.operators.targets import evaluate_targets
from graphmotion.metrics import markdown_table

TINY = {'batch': [2, 4], 'joints': 16, 'frames': [4, 6], 'channels': 8}
TARGET_COLUMNS = ('operator', 'size', 'pass', 'against', 'at least', 'measured', 'target')


def make_parser() -> argparse.ArgumentParser:
    """Returns the command-line options."""
    out = base_parser(__doc__, rounds=5, seconds=0.05)
    names = sorted({entry.operator for entry in CASES})
    out.add_argument('--operator', nargs='+', choices=names, default=names, metavar='NAME')
    out.add_argument('--batch', nargs='+', type=int, default=[16, 64], help='batch sizes B')
    out.add_argument(
        '--joints', type=int, default=25, choices=sorted(SKELETONS), help='nodes V of a graph'
    )
    out.add_argument(
        '--frames', nargs='+', type=int, default=[64, 128], help='number of frames T for each B'
    )
    out.add_argument('--channels', type=int, default=64, help='input and output channels C')
    out.add_argument(
        '--gradients',
        action='store_true',
        help='also time the gradients of the input and of the parameters alone',
    )
    return out


def main(argv: list[str] | None = None) -> list[dict[str, Any]]:
    parser = make_parser()
    args = parse_args(parser, argv, TINY)
    batches, frames = args.batch, args.frames
    if len(batches) != len(frames):
        if 1 not in (len(batches), len(frames)):
            parser.error('--batch and --frames must have the same number of values, or one value')
        batches, frames = batches * len(frames), frames * len(batches)
    facts = environment(args.device, args.threads)
    results: list[dict[str, Any]] = []
    for entry in CASES:
        if entry.operator in args.operator:
            for b, t in zip(batches, frames):
                sizes = {'batch': b, 'joints': args.joints, 'frames': t, 'channels': args.channels}
                s = Setup(**{**sizes, **({} if args.tiny else entry.sizes)}, device=args.device)
                results += measure(entry, s, args)
    peak = merge_peak_results(results)
    results = peak + [result for result in results if result['implementation'] != PEAK]
    print(format_environment(facts), end='\n\n')
    print(markdown_table(COLUMNS, map(table_row, results), left=TEXT_COLUMNS), end='\n\n')
    print_slower(results)
    targets = evaluate_targets(results, torch.device(args.device).type)
    if targets:
        rows = map(target_row, targets)
        print('\n' + markdown_table(TARGET_COLUMNS, rows, left=TEXT_COLUMNS))
    write_json(args.json, environment=facts, results=results, targets=targets)
    return results


def print_slower(results: list[dict[str, Any]]) -> None:
    """Lists the cases in which an alternative is faster."""
    for result in results:
        if result['ratio'] and result['ratio']['median'] < 1:
            name, size = format_name(result), format_size(result)
            ratio, other = result['ratio']['median'], result['implementation']
            print(f'Slower: {name} ({size}, {result["pass"]}), {ratio:.2f} against {other}')


def target_row(target: dict[str, Any]) -> tuple[str, ...]:
    """Formats a target as a row of its table."""
    return (
        format_name(target),
        format_size(target),
        target['pass'],
        target['against'],
        f'{target["at_least"]:.2f}',
        f'{target["measured"]:.2f}',
        'met' if target['met'] else 'not met',
    )


if __name__ == '__main__':
    main()
