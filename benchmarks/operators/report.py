"""The table of results."""

from __future__ import annotations

from typing import Any

from benchmarks.common import quartiles, ratio_cells
from benchmarks.operators.harness import PEAK, SIZES


def format_name(result: dict[str, Any]) -> str:
    """Returns the operator and the variant."""
    return ', '.join(filter(None, (result['operator'], result['variant'])))


def format_size(result: dict[str, Any]) -> str:
    """Formats the size B x V x T x C of the motion tensor."""
    return 'x'.join(str(result[name]) for name in SIZES)


def format_number(value: float) -> str:
    """Formats a number with three significant digits."""
    return f'{value:.0f}' if value >= 100 else f'{value:#.3g}'


def table_row(result: dict[str, Any]) -> tuple[str, ...]:
    """Formats a result as a row of the table."""
    seconds = result['seconds']
    return (
        format_name(result),
        format_size(result),
        result['pass'],
        result['implementation'],
        format_number(1e3 * seconds['median']),
        format_number(1e3 * (seconds['high'] - seconds['low'])),
        f'{result["gflops"]:.0f}' if result['gflops'] else '',
        f'{result["peak_share"]["median"]:.0%}' if result['peak_share'] else '',
        '' if result['memory'] is None else format_number(result['memory'] / 1e6),
        *ratio_cells(result['ratio']),
    )


COLUMNS = [
    'operator',
    'size',
    'pass',
    'implementation',
    'ms',
    'IQR',
    'GFLOP/s',
    'of peak',
    'MB',
    'ratio',
    'from - to',
]
TEXT_COLUMNS = ('operator', 'size', 'pass', 'implementation', 'against', 'target')


def merge_peak_results(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Merges the rounds of all matrix products into a single result, if there are any."""
    times = [t for result in results if result['implementation'] == PEAK for t in result['rounds']]
    if not times:
        return []
    first = next(result for result in results if result['implementation'] == PEAK)
    seconds = quartiles(times)
    facts = {'seconds': seconds, 'gflops': first['flops'] / seconds['median'] / 1e9}
    return [{**first, **facts, 'operator': PEAK, 'variant': '', 'pass': 'forward', 'rounds': times}]
