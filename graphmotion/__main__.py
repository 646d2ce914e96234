"""Commands: ``python -m graphmotion compare A/results.json B/results.json``."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Sequence

from graphmotion.metrics import compare_runs


def main(argv: Sequence[str] | None = None) -> None:
    r"""Runs a command.

    Args:
        argv (sequence of str, optional): The arguments; by default, those of the process.
            (default: :obj:`None`)
    """
    parser = ArgumentParser(prog='python -m graphmotion', description='Commands of graphmotion.')
    commands = parser.add_subparsers(required=True, metavar='command')
    compare = commands.add_parser(
        'compare',
        help='compare the accuracies of runs by a paired test',
        description='Compares the accuracies of two runs, or of two groups of runs such as '
        'several seeds, on the same test samples.',
    )
    compare.add_argument('runs', nargs='+', help='results.json of each run, or its folder')
    compare.add_argument(
        '--with', nargs='+', dest='others', metavar='RUN', help='runs of the second group'
    )
    compare.add_argument(
        '--models',
        nargs=2,
        metavar='NAME',
        help='a model of the first and one of the second group, by default those in common',
    )
    compare.add_argument('--confidence', type=float, default=0.95, help='level of the intervals')
    args = parser.parse_args(argv)
    if args.others is None and len(args.runs) != 2:
        compare.error('give two runs, or groups of runs as in: A1 A2 --with B1 B2')
    first, second = (args.runs, args.others) if args.others else (args.runs[:1], args.runs[1:])
    try:
        found = compare_runs(first, second, args.confidence, args.models)
    except (ValueError, OSError) as error:
        sys.exit(f'error: {error}')
    print(found)


if __name__ == '__main__':
    main()
