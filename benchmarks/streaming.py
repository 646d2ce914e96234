"""Time of an answer for a stream of frames, with and without reuse of the previous window.

    python -m benchmarks.streaming --threads 1
    python -m benchmarks.streaming --model st_gcn gaitmixer --hop 4

Each skeleton model, at the size of the CPU presets of the examples and at that of its paper, is
evaluated on a window that slides over random motion. Times are processor seconds of the process, so
that other programs have little effect.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor

from benchmarks.common import (
    base_parser,
    count_flops,
    environment,
    format_environment,
    parse_args,
    quartiles,
    ratio,
    ratio_cells,
    write_json,
)
from graphmotion.inference import SlidingModel
from graphmotion.metrics.markdown import markdown_table
from graphmotion.models import create_model
from graphmotion.skeletons import Skeleton

SLIDING, PLAIN = 'streaming', 'recomputing'
TARGET = 30  # answers per second of the CPU presets
TOLERANCE = 1e-5
TINY = {'answers': 4, 'window': 33, 'rounds': 2, 'size': ['cpu']}


@dataclass(frozen=True)
class Case:
    """A model of a size, and its window."""

    model: str
    size: str  # of the preset: cpu or paper
    window: int
    options: dict[str, Any] = field(default_factory=dict)
    note: str = ''


def widths(width: int, *growth: int) -> list[int]:
    """Returns the channels of all layers."""
    return [width * factor for factor in growth]


_ACTION = {'skeleton': 'kinect20', 'num_classes': 10}
_GAIT = {'skeleton': 'coco17', 'embedding_dim': 128}
_EMOTION = {'skeleton': 'emotion_gait16', 'num_classes': 4, 'in_channels': 4}
_SIX = widths(16, 1, 1, 2, 2, 4, 4)
_NTU = {'skeleton': 'ntu25', 'num_classes': 60}
CASES = (
    Case('st_gcn', 'cpu', 52, _ACTION | {'channels': _SIX}),
    Case('st_gcn', 'cpu', 40, _EMOTION | {'channels': widths(8, 1, 2, 4, 8)}, 'emotion'),
    Case(
        'msa_gcn',
        'cpu',
        40,
        _EMOTION | {'channels': widths(8, 1, 2, 4, 8), 'strides': [1, 2, 2, 2], 'final_relu': True},
    ),
    Case('agcn', 'cpu', 52, _ACTION | {'channels': _SIX}),
    Case('ctr_gcn', 'cpu', 52, _ACTION | {'channels': _SIX}),
    Case('fg_stformer', 'cpu', 52, _ACTION | {'channels': widths(24, 1, 2, 4, 4)}),
    Case('gaitmixer', 'cpu', 60, _GAIT),
    Case('gaitformer', 'cpu', 60, _GAIT),
    Case('st_gcn', 'paper', 128, _NTU),
    Case('st_gcn', 'paper', 300, _NTU),
    Case('st_gcn', 'paper', 300, _NTU | {'kernel_size': 3}, 'kernel of 3'),
    Case('agcn', 'paper', 300, _NTU | {'similarity': False}, 'similarity=False'),
    Case('ctr_gcn', 'paper', 300, _NTU | {'refine': False}, 'refine=False'),
    Case('gaitmixer', 'paper', 240, _GAIT),
    Case('gaitformer', 'paper', 240, _GAIT | {'num_frames': 240}),
)


def processor_seconds(run: Callable[[], Tensor]) -> tuple[Tensor, float]:
    """Returns the result of a call and its processor time."""
    start = time.process_time()
    out = run()
    return out, time.process_time() - start


def measure(case: Case, args: argparse.Namespace) -> dict[str, Any]:
    """Times streaming and recomputing in turns, on the same windows."""
    torch.manual_seed(0)
    model = create_model(case.model, **case.options).eval()
    window = args.window or case.window
    channels = case.options.get('in_channels', 2 if 'embedding_dim' in case.options else 3)
    warm_up = 8  # windows, such that results for all phases of the strides are kept
    num_windows = warm_up + args.rounds * args.answers
    num_nodes = cast(Skeleton, model.skeleton).num_joints
    x = torch.randn(num_nodes, (num_windows + 1) * args.hop + window, channels)
    sliding = SlidingModel(model)
    times: dict[str, list[list[float]]] = {SLIDING: [], PLAIN: []}
    error = 0.0
    with torch.inference_mode():
        for i in range(num_windows):
            first = i * args.hop
            part = x[:, first : first + window]
            runs = {SLIDING: partial(sliding, part, first), PLAIN: partial(model, part)}
            order = list(runs) if i % 2 else list(runs)[::-1]
            outputs = {name: processor_seconds(runs[name]) for name in order}
            error = max(error, float((outputs[SLIDING][0] - outputs[PLAIN][0]).abs().max()))
            if i < warm_up:
                continue
            for name in runs:
                if (i - warm_up) % args.answers == 0:
                    times[name].append([])
                times[name][-1].append(outputs[name][1])
        first = num_windows * args.hop
        part = x[:, first : first + window]
        flops = {SLIDING: count_flops(lambda: sliding(part, first))}
        flops[PLAIN] = count_flops(lambda: model(part))
    if error > TOLERANCE:
        raise AssertionError(f'{case.model}: outputs differ by {error:.1e}')
    medians = {name: [quartiles(r)['median'] for r in rounds] for name, rounds in times.items()}
    flat = {name: torch.tensor(rounds).flatten() for name, rounds in times.items()}
    return {
        'model': case.model,
        'size': case.size,
        'note': case.note,
        'window': window,
        'hop': args.hop,
        'median': {name: float(t.median()) for name, t in flat.items()},
        'p95': {name: float(t.quantile(0.95)) for name, t in flat.items()},
        'flops': flops,
        'ratio': ratio(medians[PLAIN], medians[SLIDING]),
        'error': error,
    }


# Report #######################################################################################

COLUMNS = (
    'model',
    'size',
    'window',
    'answers/s',
    'ms, median',
    'ms, 95%',
    'recomputing, ms',
    'ratio',
    'from - to',
    'MFLOP',
    'recomputing, MFLOP',
    'difference',
)


def table_row(result: dict[str, Any]) -> tuple[str, ...]:
    """Formats a result as a row of the table."""
    median, flops = result['median'], result['flops']
    name = result['model'] + (f', {result["note"]}' if result['note'] else '')
    return (
        name,
        result['size'],
        str(result['window']),
        f'{1 / median[SLIDING]:.0f}',
        f'{1e3 * median[SLIDING]:.2f}',
        f'{1e3 * result["p95"][SLIDING]:.2f}',
        f'{1e3 * median[PLAIN]:.2f}',
        *ratio_cells(result['ratio']),
        f'{flops[SLIDING] / 1e6:.1f}',
        f'{flops[PLAIN] / 1e6:.1f}',
        f'{result["error"]:.0e}',
    )


def make_parser() -> argparse.ArgumentParser:
    """Returns the command-line options."""
    out = base_parser(__doc__, rounds=5)
    names = sorted({case.model for case in CASES})
    out.add_argument('--model', nargs='+', choices=names, default=names, metavar='NAME')
    out.add_argument('--size', nargs='+', choices=['cpu', 'paper'], default=['cpu', 'paper'])
    out.add_argument('--answers', type=int, default=20, help='number of answers in a round')
    out.add_argument('--hop', type=int, default=1, help='number of frames between answers')
    out.add_argument('--window', type=int, help='number of frames, by default as in training')
    return out


def main(argv: list[str] | None = None) -> list[dict[str, Any]]:
    args = parse_args(make_parser(), argv, TINY)
    facts = environment(args.device, args.threads)
    cases = [case for case in CASES if case.model in args.model and case.size in args.size]
    results = [measure(case, args) for case in cases]
    print(format_environment(facts))
    print('\n' + markdown_table(COLUMNS, map(table_row, results), left=COLUMNS[:2]))
    slow = [r['model'] for r in results if r['size'] == 'cpu' and r['median'][SLIDING] > 1 / TARGET]
    if args.hop == 1 and 'cpu' in args.size:
        state = f'MISSED by {", ".join(slow)}' if slow else 'met'
        print(f'\nTarget: {TARGET} answers per second for each frame, CPU presets: {state}')
    write_json(args.json, environment=facts, results=results)
    return results


if __name__ == '__main__':
    main()
