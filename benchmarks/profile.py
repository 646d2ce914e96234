"""Measures which kinds of operations take the time of a model.

    python -m benchmarks.profile                                # all models, some minutes
    python -m benchmarks.profile --model st_gcn --batch 64 --no-backward
    python -m benchmarks.profile --tiny                         # smoke test

Each model is profiled by :mod:`torch.profiler` in inference, fused for inference by
:func:`graphmotion.inference.fuse_for_inference`, and in training: forward, loss and backward.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.common import environment, format_environment, parse_args, write_json
from benchmarks.models.harness import first_output, model_parser, warm_up_norms
from benchmarks.models.workloads import get_builder, get_workload, make_inputs, make_model
from graphmotion.inference import fuse_for_inference
from graphmotion.metrics import markdown_table

TINY = {'batch': 2, 'frames': 8, 'model': ['st_gcn']}
# Names of operators that contain one of these words, tried in this order; others are element-wise.
KINDS = {
    'products': ('mm', 'matmul', 'linear', 'conv', 'attention'),
    'norms': ('norm',),
    'softmax': ('softmax',),
    'copies': ('copy', 'clone', 'cat', 'contiguous', 'index', 'gather', 'pad', 'flip', 'embedding'),
    'allocation': ('empty', 'fill', 'zero', 'resize'),
    'views': ('view', 'slice', 'select', 'transpose', 'permute', 'expand', 'stride', 'squeeze',
              'resolve', 'reshape', 'aten::t', 'unfold', 'chunk', 'split', 'narrow', 'detach'),
}  # fmt: skip
ELEMENTWISE, OTHER = 'element-wise', 'other'
COLUMNS = ('model', 'B', 'pass', 'ms', *KINDS, ELEMENTWISE, OTHER)


# Compiled operators of the library, which are recorded as functions of autograd.
COMPILED = {'_Attention': 'products', '_Convolution': 'products', '_Linear': 'products',
            '_Mix': 'products', '_GELU': ELEMENTWISE}  # fmt: skip


def kind_of(name: str) -> str:
    """Returns the kind of an operator; calls outside of operators are of another kind."""
    function = name.removesuffix('Backward')
    if function in COMPILED:
        return COMPILED[function]
    if not name.startswith('aten::'):
        return OTHER
    for kind, words in KINDS.items():
        if any(name == word if word.startswith('aten::') else word in name for word in words):
            return kind
    return ELEMENTWISE


def shares(run: Callable[[], Any], rounds: int) -> tuple[float, dict[str, float]]:
    """Returns the time of a call in seconds and the share of each kind of operation."""
    run()
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        for _ in range(rounds):
            run()
    times = dict.fromkeys((*KINDS, ELEMENTWISE, OTHER), 0.0)
    for event in profiler.key_averages():
        times[kind_of(event.key)] += event.self_cpu_time_total
    total = sum(times.values())
    return total * 1e-6 / rounds, {kind: time / total for kind, time in times.items()}


def measure(name: str, args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yields one result for each pass of a model."""
    torch.manual_seed(0)
    workload = get_workload(name, args.frames)
    batch = min(args.batch, workload.max_batch)
    model = make_model(name, get_builder(name), workload)
    inputs = make_inputs(name, model, workload, batch)
    warm_up_norms(model, inputs)
    fused = fuse_for_inference(model)

    def infer(network: torch.nn.Module) -> None:
        with torch.no_grad():
            network(*inputs)

    def train() -> None:
        workload.loss(first_output(model.train()(*inputs))).backward()
        model.zero_grad()

    runs: dict[str, Callable[[], None]] = {
        'inference': lambda: infer(model.eval()),
        'fused inference': lambda: infer(fused),
    }
    if args.backward:
        runs['training'] = train
    for label, run in runs.items():
        seconds, parts = shares(run, args.rounds)
        yield {'model': name, 'batch': batch, 'pass': label, 'seconds': seconds, 'shares': parts}


def table_row(result: dict[str, Any]) -> tuple[str, ...]:
    """Formats a result as a row of the table."""
    parts = (f'{100 * part:.0f}%' for part in result['shares'].values())
    time = f'{1e3 * result["seconds"]:.1f}'
    return result['model'], str(result['batch']), result['pass'], time, *parts


def make_parser() -> argparse.ArgumentParser:
    """Returns the command-line options."""
    out = model_parser(__doc__)
    out.add_argument('--batch', type=int, default=16, help='batch size B')
    return out


def main(argv: list[str] | None = None) -> list[dict[str, Any]]:
    args = parse_args(make_parser(), argv, TINY)
    facts = environment('cpu', args.threads)
    results = [result for name in args.model for result in measure(name, args)]
    print(format_environment(facts), end='\n\n')
    print(markdown_table(COLUMNS, map(table_row, results), left=('model', 'pass')))
    write_json(args.json, environment=facts, results=results)
    return results


if __name__ == '__main__':
    main()
