"""Timing of sweeps and the exponents of their costs."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch

from benchmarks.common import choose_clock, peak_memory, quartiles, time_in_turns
from benchmarks.scaling.workloads import (
    BASES,
    CALL,
    QUICK_SWEEPS,
    SWEEPS,
    TINY_BASE,
    TINY_SWEEPS,
    Sizes,
    Workload,
)

MIN_POINTS = 3  # of a fit, if there are as many sizes
TOLERANCE = 0.2  # of an exponent above theory


def measure(workload: Workload, args: argparse.Namespace) -> list[dict[str, Any]]:
    """Returns one result for each size of a workload, all timed in turns."""
    sweeps = TINY_SWEEPS if args.tiny else QUICK_SWEEPS if args.quick else SWEEPS
    base = TINY_BASE if args.tiny else BASES.get(workload.sweep, Sizes())
    base = replace(base, device=args.device)
    runs = {}
    for size in sweeps[workload.sweep]:
        torch.manual_seed(0)
        runs[str(size)] = workload.make(base, size, args.backward)
    memory = {size: peak_memory(run, args.device) for size, run in runs.items()}
    clock = choose_clock(args.device, args.threads)
    times = time_in_turns(runs, args.rounds, args.seconds, args.threads, clock)
    return [
        {
            'sweep': workload.sweep,
            'operator': workload.name,
            'theory': workload.theory,
            'size': int(size),
            'pass': workload.timed if args.backward or workload.timed == CALL else 'forward',
            'seconds': quartiles(rounds),
            'rounds': rounds,
            'memory': memory[size],
        }
        for size, rounds in times.items()
    ]


class Fit(NamedTuple):
    """The exponent of a power law and its standard error."""

    exponent: float
    error: float | None  # None for two points, which a power law fits exactly


def fit_exponent(sizes: Sequence[float], costs: Sequence[float]) -> Fit:
    """Fits a power law to the larger half of the sizes by least squares of the logarithms.

    The cost at small sizes is dominated by the overhead of a call.
    """
    count = max(MIN_POINTS, math.ceil(len(sizes) / 2))
    points = sorted(zip(sizes, costs))[-count:]
    x, y = torch.tensor(points, dtype=torch.float64).log().unbind(1)
    x, y = x - x.mean(), y - y.mean()
    exponent = (x * y).sum() / x.square().sum()
    if len(points) < 3:
        return Fit(float(exponent), None)
    variance = (y - exponent * x).square().sum() / (len(points) - 2)
    return Fit(float(exponent), float((variance / x.square().sum()).sqrt()))


def fit_exponents(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Fits the exponents of time and memory for each operator in each sweep."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for result in results:
        groups.setdefault((result['sweep'], result['operator']), []).append(result)
    out = []
    for (sweep, operator), group in groups.items():
        sizes = [r['size'] for r in group]
        time = fit_exponent(sizes, [r['seconds']['median'] for r in group])
        memory = fit_exponent(sizes, [max(r['memory'], 1) for r in group])
        out.append(
            {
                'sweep': sweep,
                'operator': operator,
                'sizes': sizes,
                'theory': group[0]['theory'],
                'time': time.exponent,
                'time_error': time.error,
                'memory': memory.exponent,
                'memory_error': memory.error,
            }
        )
    return out


def is_above_theory(fitted: dict[str, Any]) -> bool:
    """Returns whether the time grows faster than in theory, beyond two standard errors."""
    margin = max(TOLERANCE, 2 * (fitted['time_error'] or 0))
    return fitted['time'] > fitted['theory'] + margin
