"""Measures how cost grows with nodes, frames, batch size, classes and pixels.

    python -m benchmarks.scaling --plot scaling.png               # all operators, minutes
    python -m benchmarks.scaling --quick                          # three small sizes, a minute
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
from benchmarks.scaling.harness import fit_exponents, is_above_theory, measure
from benchmarks.scaling.plot import plot_scaling
from benchmarks.scaling.workloads import OPERATOR_SWEEPS, SWEEPS, get_workloads
from graphmotion.extras import requires_extra
from graphmotion.metrics import markdown_table


def format_fit(fitted: dict[str, Any]) -> tuple[str, str, str]:
    """Formats the exponent of time with its standard error, that of theory and that of memory."""
    error = '' if fitted['time_error'] is None else f' ± {fitted["time_error"]:.2f}'
    return f'{fitted["time"]:.2f}{error}', f'{fitted["theory"]:g}', f'{fitted["memory"]:.2f}'


def exponent_table(exponents: list[dict[str, Any]]) -> str:
    """Formats the exponents as a table with a row for each operator."""
    sweeps = list(dict.fromkeys(e['sweep'] for e in exponents))
    cells = {(e['operator'], e['sweep']): format_fit(e) for e in exponents}
    headers = ['operator']
    for sweep in sweeps:
        headers += [f'{sweep}: time', 'theory', f'{sweep}: memory']
    rows = [
        [name, *(cell for sweep in sweeps for cell in cells.get((name, sweep), ('', '', '')))]
        for name in sorted({e['operator'] for e in exponents})
    ]
    return markdown_table(headers, rows, left=('operator',))


def make_parser() -> argparse.ArgumentParser:
    """Returns the command-line options."""
    out = base_parser(__doc__, rounds=5, seconds=0.01)
    names = sorted({w.operator for sweep in SWEEPS for w in get_workloads(sweep)})
    out.add_argument('--operator', nargs='+', choices=names, default=names, metavar='NAME')
    out.add_argument('--sweep', nargs='+', choices=list(SWEEPS), default=list(SWEEPS))
    out.add_argument('--quick', action='store_true', help='three small sizes in each sweep')
    out.add_argument('--plot', type=Path, metavar='FILE', help='save a figure to a file')
    return out


def main(argv: list[str] | None = None) -> list[dict[str, Any]]:
    parser = make_parser()
    args = parse_args(parser, argv)
    workloads = [
        workload
        for sweep in args.sweep
        for workload in get_workloads(sweep)
        if workload.operator in args.operator
    ]
    if not workloads:
        parser.error(f'the sweeps {args.sweep} have no operator {args.operator}')
    if args.plot:
        with requires_extra('vis'):  # fail before measuring
            import matplotlib  # noqa: F401
    facts = environment(args.device, args.threads)
    results = [result for workload in workloads for result in measure(workload, args)]
    exponents = fit_exponents(results)
    print(format_environment(facts), end='\n\n')
    operators = [e for e in exponents if e['sweep'] in OPERATOR_SWEEPS]
    others = [e for e in exponents if e['sweep'] not in OPERATOR_SWEEPS]
    for group in filter(None, (operators, others)):
        print(exponent_table(group), end='\n\n')
    for e in filter(is_above_theory, exponents):
        time, theory, _ = format_fit(e)
        print(f'Above theory: {e["operator"]} over {e["sweep"]}, {time} (theory {theory})')
    write_json(args.json, environment=facts, results=results, exponents=exponents)
    if args.plot:
        plot_scaling(results, facts, args.plot)
    return results


if __name__ == '__main__':
    main()
