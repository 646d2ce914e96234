"""Measures exported and compiled models beside eager ones: size of the file and time of a call.

    python -m benchmarks.export                                   # all models, many minutes
    python -m benchmarks.export --model st_gcn --batch 1 16 --no-compile
    python -m benchmarks.export --tiny                            # smoke test

Each model has the sizes of its paper and is exported by :func:`graphmotion.inference.export`. All
ways to run it must return the same output before they are timed in turns.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from benchmarks.common import (
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
from benchmarks.models.harness import (
    TOLERANCE,
    count_nodes,
    first_output,
    model_parser,
    warm_up_norms,
)
from benchmarks.models.workloads import get_builder, get_workload, make_inputs, make_model
from graphmotion.inference import export
from graphmotion.metrics import markdown_table

TINY = {'batch': [2], 'frames': 8, 'compile': False, 'model': ['st_gcn']}
EAGER, COMPILED, ONNX = 'eager', 'compiled', 'ONNX Runtime'
COLUMNS = ('model', 'B x V x T', 'run by', 'file, MB', 'prepared, s', 'ms', 'speed-up', 'from - to')


def onnx_inputs(name: str, inputs: list[Tensor], batch: int, num_nodes: int) -> list[Any]:
    """Returns the inputs of a model in the layout of its ONNX file."""
    x = inputs[0]
    if name == 'silhouettes':
        return [x.numpy()]
    x = x.view(batch, num_nodes, *x.shape[1:])
    if x.dim() == 4:  # frames before joints
        x = x.transpose(1, 2)
    return [x.contiguous().numpy()]


def open_session(path: str, threads: int) -> Any:
    """Opens an ONNX file with the given number of threads."""
    import onnxruntime

    onnxruntime.set_default_logger_severity(3)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(path, options, providers=['CPUExecutionProvider'])


def measure(name: str, args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yields one result for each batch size and way to run a model."""
    torch.manual_seed(0)
    torch.compiler.reset()
    workload = get_workload(name, args.frames)
    model = make_model(name, get_builder(name), workload)
    warm_up_norms(model, make_inputs(name, model, workload, 2))
    model.eval()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'model.onnx')
        start = time.perf_counter()
        export(model, path, image_size=workload.silhouettes or (64, 44))
        prepared = {EAGER: 0.0, ONNX: time.perf_counter() - start}
        size = os.path.getsize(path)
        session = open_session(path, args.threads)
    compiled = torch.compile(model) if args.compile else None
    num_nodes = 1 if workload.silhouettes else count_nodes(model, workload)
    field = session.get_inputs()[0].name
    for batch in args.batch:
        inputs = make_inputs(name, model, workload, batch)
        (array,) = onnx_inputs(field, inputs, batch, num_nodes)

        def eager(run: Callable = model, inputs: list[Tensor] = inputs) -> Tensor:
            with torch.no_grad():
                return first_output(run(*inputs))

        def onnx(array: Any = array) -> Tensor:
            return torch.from_numpy(session.run(None, {field: array})[0])

        runs: dict[str, Callable[[], Tensor]] = {EAGER: eager, ONNX: onnx}
        if compiled is not None:
            runs[COMPILED] = lambda eager=eager: eager(compiled)
            start = time.perf_counter()
            runs[COMPILED]()
            prepared[COMPILED] = time.perf_counter() - start
        expected = eager()
        for run in runs.values():
            error = relative_error([run()], [expected])
            if not error <= TOLERANCE:
                raise AssertionError(f'results of {name} differ by {error:.1e}')
        times = time_in_turns(runs, args.rounds, args.seconds, args.threads)
        for key in runs:
            yield {
                'model': name,
                'batch': batch,
                'joints': count_nodes(model, workload),
                'frames': workload.frames,
                'run_by': key,
                'file_size': size if key == ONNX else None,
                'prepared': prepared[key],
                'seconds': quartiles(times[key]),
                'rounds': times[key],
                'speed_up': None if key == EAGER else ratio(times[EAGER], times[key]),
            }


def table_row(result: dict[str, Any]) -> tuple[str, ...]:
    """Formats a result as a row of the table."""
    return (
        result['model'],
        ' x '.join(str(result[name]) for name in ('batch', 'joints', 'frames')),
        result['run_by'],
        '' if result['file_size'] is None else f'{result["file_size"] / 1e6:.3g}',
        f'{result["prepared"]:.1f}' if result['prepared'] else '',
        f'{1e3 * result["seconds"]["median"]:#.3g}'.rstrip('.'),
        *ratio_cells(result['speed_up']),
    )


def make_parser() -> argparse.ArgumentParser:
    """Returns the command-line options."""
    out = model_parser(__doc__)
    out.add_argument('--batch', type=int, nargs='+', default=[1], help='batch sizes B')
    return out


def main(argv: list[str] | None = None) -> list[dict[str, Any]]:
    args = parse_args(make_parser(), argv, TINY)
    facts = environment(args.device, args.threads)
    results = [result for name in args.model for result in measure(name, args)]
    print(format_environment(facts), end='\n\n')
    print(markdown_table(COLUMNS, map(table_row, results), left=COLUMNS[:3]))
    write_json(args.json, environment=facts, results=results)
    return results


if __name__ == '__main__':
    main()
