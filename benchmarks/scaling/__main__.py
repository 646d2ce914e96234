"""Measures how cost grows with frames, joints, batch size, nodes and pixels.

    python -m benchmarks.scaling --plot scaling.png               # all sweeps, some minutes
    python -m benchmarks.scaling --sweep frames --operator TemporalConv JointAttention
    python -m benchmarks.scaling --sweep pixels --plot faces.png  # training steps on faces
    python -m benchmarks.scaling --device cuda --no-backward
    python -m benchmarks.scaling --tiny                           # smoke test in seconds

Each sweep changes one size. At large sizes, the time and the peak memory of a call follow a power
law, whose exponent is fitted to the larger half of the sizes. The columns are explained in
benchmarks/README.md.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from benchmarks.common import (
    base_parser,
    environment,
    format_environment,
    parse_args,
    write_json,
)
from benchmarks.scaling.harness import fit_exponents, measure, select_workloads
from benchmarks.scaling.plot import plot_scaling
from benchmarks.scaling.workloads import FACE_MODELS, GRAPH_OPERATORS, OPERATORS, SWEEPS
from graphmotion.extras import requires_extra
from graphmotion.metrics import markdown_table

COLUMNS = ('sweep', 'operator', 'size', 'ms', 'IQR', 'MB', 'time ~', 'memory ~')
TEXT_COLUMNS = ('sweep', 'operator')


def table_row(result: dict[str, Any], exponents: dict[tuple[str, str], Any]) -> tuple[str, ...]:
    """Formats a result as a row of the table; the row of the largest size has the exponents."""
    seconds, fitted = result['seconds'], exponents[result['sweep'], result['operator']]
    is_last = result['size'] == max(fitted['sizes'])
    return (
        result['sweep'],
        result['operator'],
        str(result['size']),
        f'{1e3 * seconds["median"]:#.3g}',
        f'{1e3 * (seconds["high"] - seconds["low"]):#.2g}',
        f'{result["memory"] / 1e6:.3g}',
        f'n^{fitted["time"]:.2f}' if is_last else '',
        f'n^{fitted["memory"]:.2f}' if is_last else '',
    )


def make_parser() -> argparse.ArgumentParser:
    """Returns the command-line options."""
    out = base_parser(__doc__, rounds=5, seconds=0.05)
    names = sorted({name.split(',')[0] for name in {**OPERATORS, **GRAPH_OPERATORS, **FACE_MODELS}})
    out.add_argument('--operator', nargs='+', choices=names, default=names, metavar='NAME')
    out.add_argument('--sweep', nargs='+', choices=list(SWEEPS), default=list(SWEEPS))
    out.add_argument('--plot', type=Path, metavar='FILE', help='save a figure to a file')
    return out


def main(argv: list[str] | None = None) -> list[dict[str, Any]]:
    parser = make_parser()
    args = parse_args(parser, argv)
    sweeps = [sweep for sweep in args.sweep if select_workloads(sweep, args)]
    if not sweeps:
        parser.error(f'the sweeps {args.sweep} have no operator {args.operator}')
    if args.plot:
        with requires_extra('vis'):  # fail before measuring
            import matplotlib  # noqa: F401
    facts = environment(args.device, args.threads)
    results = [result for sweep in sweeps for result in measure(sweep, args)]
    exponents = fit_exponents(results)
    by_operator = {(e['sweep'], e['operator']): e for e in exponents}
    print(format_environment(facts), end='\n\n')
    rows = (table_row(result, by_operator) for result in results)
    print(markdown_table(COLUMNS, rows, left=TEXT_COLUMNS))
    write_json(args.json, environment=facts, results=results, exponents=exponents)
    if args.plot:
        plot_scaling(results, facts, args.plot)
    return results


if __name__ == '__main__':
    main()
