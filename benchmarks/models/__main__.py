"""Measures every model: parameters, operations, sequences per second and memory.

    python -m benchmarks.models                                   # all models, some minutes
    python -m benchmarks.models --model st_gcn --batch 64 --no-compile
    python -m benchmarks.models --device cuda
    python -m benchmarks.models --tiny                            # smoke test in seconds

All models of :func:`graphmotion.models.list_models` are included, and `dsta_net`, FG-STFormer with
the options of DSTA-Net. Alternatives in plain torch have the same weights and must return the same
results and gradients before anything is timed. The columns are explained in benchmarks/README.md.
"""

from __future__ import annotations

import argparse
from typing import Any

from benchmarks.common import (
    environment,
    format_environment,
    parse_args,
    ratio_cells,
    write_json,
)
from benchmarks.models.harness import measure, model_parser
from benchmarks.models.workloads import get_builder
from graphmotion.metrics import markdown_table

TINY = {'batch': 2, 'frames': 8, 'compile': False}
COLUMNS = (
    'model',
    'size',
    'parameters',
    'MFLOP',
    'pass',
    'implementation',
    'sequences/s',
    'IQR',
    'MB',
    'ratio',
    'from - to',
)
TEXT_COLUMNS = ('model', 'size', 'pass', 'implementation')


def table_row(result: dict[str, Any]) -> tuple[str, ...]:
    """Formats a result as a row of the table."""
    shape = 'x'.join(str(result[name]) for name in ('batch', 'joints', 'frames'))
    implementation = f'{result["implementation"]}, {result["mode"]}'
    size = f'{result["parameters"]:,}', f'{result["flops"] / 1e6:.0f}'
    if 'error' in result:
        message = f'{implementation}: {result["error"]}'
        return result['model'], shape, *size, '', message, *([''] * 5)
    speed = result['sequences_per_second']
    return (
        result['model'],
        shape,
        *size,
        result['pass'],
        implementation,
        f'{speed["median"]:#.3g}'.rstrip('.'),
        f'{speed["high"] - speed["low"]:#.2g}'.rstrip('.'),
        f'{result["memory"] / 1e6:.3g}',
        *ratio_cells(result['ratio']),
    )


def make_parser() -> argparse.ArgumentParser:
    """Returns the command-line options."""
    out = model_parser(__doc__)
    out.add_argument('--batch', type=int, default=16, help='batch size B')
    return out


def main(argv: list[str] | None = None) -> list[dict[str, Any]]:
    args = parse_args(make_parser(), argv, TINY)
    facts = environment(args.device, args.threads)
    results = [result for name in args.model for result in measure(name, get_builder(name), args)]
    print(format_environment(facts), end='\n\n')
    print(markdown_table(COLUMNS, map(table_row, results), left=TEXT_COLUMNS))
    write_json(args.json, environment=facts, results=results)
    return results


if __name__ == '__main__':
    main()
