"""Tables of the results."""

from __future__ import annotations

from typing import Any

from benchmarks.common import (
    quartiles,
)
from benchmarks.operators.harness import (
    PEAK,
    SIZES,
)


def title(result: dict[str, Any]) -> str:
    """The operator and how it is used."""
    return ', '.join(filter(None, (result['operator'], result['variant'])))


def size(result: dict[str, Any]) -> str:
    """The size of the motion tensor: B x V x T x C."""
    return 'x'.join(str(result[name]) for name in SIZES)


def short(value: float) -> str:
    """Three digits that count."""
    return f'{value:.0f}' if value >= 100 else f'{value:#.3g}'


def table_row(result: dict[str, Any]) -> tuple[str, ...]:
    """A result as the table shows it."""
    seconds, faster = result['seconds'], result['ratio']
    return (
        title(result),
        size(result),
        result['pass'],
        result['implementation'],
        short(1e3 * seconds['median']),
        short(1e3 * (seconds['high'] - seconds['low'])),
        f'{result["gflops"]:.0f}' if result['gflops'] else '',
        f'{result["peak_share"]["median"]:.0%}' if result['peak_share'] else '',
        '' if result['memory'] is None else short(result['memory'] / 1e6),
        f'{faster["median"]:.2f}' if faster else '',
        f'{faster["low"]:.2f} - {faster["high"]:.2f}' if faster else '',
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


def peak_result(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The matrix product in the rounds of all rows, as a row of its own, if there were any."""
    times = [t for result in results if result['implementation'] == PEAK for t in result['rounds']]
    if not times:
        return []
    first = next(result for result in results if result['implementation'] == PEAK)
    seconds = quartiles(times)
    facts = {'seconds': seconds, 'gflops': first['flops'] / seconds['median'] / 1e9}
    return [{**first, **facts, 'operator': PEAK, 'variant': '', 'pass': 'forward', 'rounds': times}]
