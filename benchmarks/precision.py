"""Measures ways to run models faster in inference: time and agreement with eager results.

    python -m benchmarks.precision                              # all models, many minutes
    python -m benchmarks.precision --model st_gcn --batch 1 16 --no-compile
    python -m benchmarks.precision --tiny                       # smoke test

Models run as they are, without blocks of samples that fit the cache, fused by
:func:`graphmotion.inference.fuse_for_inference`, under autocast to bfloat16, with linear layers
quantised dynamically to int8, and compiled. Answers are compared on
generated samples: the class with the highest score, or for embeddings the nearest other sample.
"""

from __future__ import annotations

import argparse
import copy
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import Linear, Module
from torch.nn.functional import linear

from benchmarks.common import (
    choose_clock,
    environment,
    format_environment,
    parse_args,
    quartiles,
    ratio,
    ratio_cells,
    relative_error,
    time_in_turns,
    write_json,
)
from benchmarks.models.harness import first_output, model_parser, warm_up_norms
from benchmarks.models.workloads import get_builder, get_workload, make_inputs, make_model
from graphmotion.inference import fuse_for_inference
from graphmotion.metrics import markdown_table
from graphmotion.nn import Linear as FastLinear

TINY = {'batch': [2], 'frames': 8, 'compile': False, 'model': ['st_gcn'], 'samples': 8}
EAGER, WHOLE, FUSED, BFLOAT16 = 'eager', 'whole batch', 'fused', 'bfloat16'
INT8, COMPILED = 'int8 linear', 'compiled'
COLUMNS = (
    'model', 'B', 'run', 'prepared, s', 'ms', 'speed-up', 'from - to', 'error', 'same answers',
)  # fmt: skip


class WatchedLinear(Linear):
    """A linear layer that records whether it is called and whether its weight is read."""

    called = False
    read = False

    @property
    def weight(self) -> Tensor:
        """Returns the weight to code other than the layer itself."""
        self.read = True
        return self._parameters['weight']

    def forward(self, x: Tensor) -> Tensor:
        """Applies the layer."""
        self.called = True
        return linear(x, self._parameters['weight'], self.bias)


def is_plain(layer: Module) -> bool:
    """Returns whether a layer is a linear layer, and not of a class with other behaviour."""
    return type(layer) in (Linear, FastLinear)


def find_called_layers(model: Module, inputs: Sequence[Tensor]) -> list[str]:
    """Returns the names of the linear layers that are only called.

    Quantised layers have no tensor as their weight, which some operators read to merge layers.
    """
    model = copy.deepcopy(model)
    layers = {name: layer for name, layer in model.named_modules() if is_plain(layer)}
    for layer in layers.values():
        layer.__class__ = WatchedLinear
    with torch.no_grad():
        model(*inputs)
    return [name for name, layer in layers.items() if layer.called and not layer.read]


def quantize(model: Module, inputs: Sequence[Tensor]) -> Module:
    """Returns a copy with called linear layers in int8, whose inputs are quantised in each call."""
    with warnings.catch_warnings():  # of its move to another package
        warnings.simplefilter('ignore')
        layers = dict.fromkeys(
            find_called_layers(model, inputs), torch.ao.quantization.default_dynamic_qconfig
        )
        model = copy.deepcopy(model)
        for layer in filter(is_plain, model.modules()):
            layer.__class__ = Linear  # the only class that is quantised
        return torch.ao.quantization.quantize_dynamic(model, layers, dtype=torch.qint8)


def observe(model: Module) -> Module:
    """Returns a copy with a hook, for which it runs all samples at once."""
    model = copy.deepcopy(model)
    model.register_forward_hook(lambda *_: None)
    return model


def make_runs(
    model: Module, samples: Sequence[Tensor], compiled: bool
) -> Iterator[tuple[str, Callable[..., Tensor], float]]:
    """Yields the name of each way to run a model, the function and the seconds to prepare it."""

    def run(network: Callable[..., Any], dtype: torch.dtype | None = None) -> Callable[..., Tensor]:
        def call(*inputs: Tensor) -> Tensor:
            with torch.no_grad(), torch.autocast('cpu', dtype, enabled=dtype is not None):
                return first_output(network(*inputs)).float()

        return call

    yield EAGER, run(model), 0.0
    for name, prepare in (
        (WHOLE, observe),
        (FUSED, fuse_for_inference),
        (INT8, partial(quantize, inputs=samples)),
    ):
        start = time.perf_counter()
        network = prepare(model)
        yield name, run(network), time.perf_counter() - start
    yield BFLOAT16, run(model, torch.bfloat16), 0.0
    if compiled:
        yield COMPILED, run(torch.compile(model)), 0.0


def answers(out: Tensor, embeddings: bool) -> Tensor:
    """Returns the predicted class of each sample, or its nearest other sample."""
    if not embeddings:
        return out.argmax(dim=1)
    return torch.cdist(out, out).fill_diagonal_(torch.inf).argmin(dim=1)


def measure(name: str, args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yields one result for each batch size and way to run a model."""
    torch.manual_seed(0)
    torch.compiler.reset()
    workload = get_workload(name, args.frames)
    model = make_model(name, get_builder(name), workload)
    warm_up_norms(model, make_inputs(name, model, workload, 4))
    model.eval()
    samples = make_inputs(name, model, workload, min(args.samples, 4 * workload.max_batch))
    embeddings = getattr(model, 'output', 'logits') == 'embeddings'
    runs, facts = {}, {}
    for label, run, prepared in make_runs(model, samples, args.compile):
        start = time.perf_counter()
        try:
            out = run(*samples)
        except Exception as error:  # compilers and kernels raise many types of exceptions
            message = f'{type(error).__name__}: {str(error).strip().splitlines()[0]}'
            yield {'model': name, 'run': label, 'error': message}
            continue
        if label == EAGER:
            expected = out
        elif label == COMPILED:
            prepared = time.perf_counter() - start
        same = answers(out, embeddings) == answers(expected, embeddings)
        runs[label] = run
        facts[label] = {
            'prepared': prepared,
            'difference': relative_error([out], [expected]),
            'same_answers': float(same.float().mean()),
        }
    for batch in args.batch:
        inputs = make_inputs(name, model, workload, min(batch, workload.max_batch))
        calls = {key: lambda run=run, inputs=inputs: run(*inputs) for key, run in runs.items()}
        for call in calls.values():
            call()  # compiles for this size
        clock = choose_clock('cpu', args.threads)
        times = time_in_turns(calls, args.rounds, args.seconds, args.threads, clock)
        for key in calls:
            yield {
                'model': name,
                'batch': min(batch, workload.max_batch),
                'run': key,
                'seconds': quartiles(times[key]),
                'speed_up': None if key == EAGER else ratio(times[EAGER], times[key]),
                **facts[key],
            }


def table_row(result: dict[str, Any]) -> tuple[str, ...]:
    """Formats a result as a row of the table."""
    if 'error' in result:
        return result['model'], '', f'{result["run"]}: {result["error"]}', *([''] * 6)
    return (
        result['model'],
        str(result['batch']),
        result['run'],
        f'{result["prepared"]:.1f}',
        f'{1e3 * result["seconds"]["median"]:#.3g}'.rstrip('.'),
        *ratio_cells(result['speed_up']),
        f'{result["difference"]:.0e}',
        f'{100 * result["same_answers"]:.0f}%',
    )


def make_parser() -> argparse.ArgumentParser:
    """Returns the command-line options."""
    out = model_parser(__doc__)
    out.add_argument('--batch', type=int, nargs='+', default=[1, 16], help='batch sizes B')
    out.add_argument(
        '--samples', type=int, default=64, help='samples of which answers are compared'
    )
    return out


def main(argv: list[str] | None = None) -> list[dict[str, Any]]:
    args = parse_args(make_parser(), argv, TINY)
    facts = environment('cpu', args.threads)
    results = [result for name in args.model for result in measure(name, args)]
    print(format_environment(facts), end='\n\n')
    print(markdown_table(COLUMNS, map(table_row, results), left=('model', 'run')))
    write_json(args.json, environment=facts, results=results)
    return results


if __name__ == '__main__':
    main()
