"""Comparison and timing of the implementations of a model, eager and compiled."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module

from benchmarks.common import (
    base_parser,
    choose_clock,
    count_flops,
    peak_memory,
    quartiles,
    ratio,
    relative_error,
    time_in_turns,
)
from benchmarks.models.alternatives import ALTERNATIVES
from benchmarks.models.workloads import (
    Workload,
    face_graph,
    get_workload,
    make_inputs,
    make_model,
    mean_square,
    workload_names,
)
from graphmotion.skeletons import get_skeleton

TOLERANCE = 1e-3  # for a whole network in single precision
OURS, PLAIN = 'graphmotion', 'plain torch, NCHW'
EAGER, COMPILED = 'eager', 'compiled'
TINY_FACE, TINY_SILHOUETTES = 16, (64, 8)  # sizes of a smoke test


def model_parser(description: str | None) -> argparse.ArgumentParser:
    """Returns a parser with the options that all benchmarks of models have."""
    out = base_parser(description, rounds=5, seconds=0.2)
    names = workload_names()
    out.add_argument('--model', nargs='+', choices=names, default=names, metavar='NAME')
    out.add_argument(
        '--frames', type=int, help='number of frames T (default: the value of the paper)'
    )
    out.add_argument(
        '--compile',
        action=argparse.BooleanOptionalAction,
        default=True,
        help='also measure with torch.compile (default), which takes a minute or more per model',
    )
    return out


@dataclass
class Implementation:
    """A model with its inputs and the function that runs it."""

    name: str
    mode: str
    model: Module
    inputs: list[Tensor]
    run: Callable[..., Any]  # the model or its compiled version
    loss: Callable[[Tensor], Tensor] = mean_square

    def inference(self) -> Callable[[], Tensor]:
        """Returns a function that computes the output without recording gradients."""
        self.model.eval()

        def call() -> Tensor:
            with torch.no_grad():
                return first_output(self.run(*self.inputs))

        return call

    def training(self) -> Callable[[], None]:
        """Returns a function that runs a training step: forward, backward and update."""
        self.model.train()
        # The learning rate is so low that the weights do not change.
        optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-12)

        def step() -> None:
            self.loss(first_output(self.run(*self.inputs))).backward()
            optimizer.step()
            optimizer.zero_grad()

        return step

    def results(self, dtype: torch.dtype = torch.float32) -> list[Tensor]:
        """Returns the output in evaluation mode and the gradient of the first input."""
        self.model.eval().to(dtype)
        x, *others = (x.to(dtype) if x.is_floating_point() else x for x in self.inputs)
        x = x.detach().requires_grad_()
        out = first_output(self.run(x, *others))
        # The sum of squares of normalised embeddings has no gradient.
        weight = torch.linspace(-1, 1, out.numel(), dtype=out.dtype, device=x.device)
        weight = weight.view(out.shape)
        (gradient,) = torch.autograd.grad(out, x, weight)
        self.model.float()
        return [out.detach(), gradient]


def first_output(out: Any) -> Tensor:
    """Returns the logits or embeddings of a model that may have further outputs."""
    return out[0] if isinstance(out, (tuple, list)) else out


def check(implementation: Implementation, reference: Implementation) -> float:
    """Returns the relative error of outputs and gradients and raises if it is too large."""
    # In single precision, rounding may decide which of two almost equal values is the maximum and
    # receives the gradient.
    dtype = torch.float64 if implementation.mode == EAGER else torch.float32
    expected, results = reference.results(dtype), implementation.results(dtype)
    if (implementation.name, reference.name) == (PLAIN, OURS):
        expected[1:] = implementation.model.convert(expected[1])
    error = relative_error(results, expected)
    if not error <= TOLERANCE:
        names = [f'{x.name}, {x.mode}' for x in (implementation, reference)]
        raise AssertionError(f'{names[0]} and {names[1]} differ by {error:.1e}')
    return error


def compile_model(implementation: Implementation) -> tuple[Implementation | None, str]:
    """Compiles a model for inference and training; returns the error message on failure."""
    out = replace(implementation, mode=COMPILED, run=torch.compile(implementation.model))
    try:
        out.inference()()
        out.training()()
    except Exception as error:  # compilers raise many types of exceptions
        return None, f'{type(error).__name__}: {str(error).strip().splitlines()[0]}'
    return out, ''


def warm_up_norms(model: Module, inputs: list[Tensor]) -> None:
    """Updates the running statistics of the batch normalisations."""
    model.train()
    with torch.no_grad():
        for _ in range(3):
            model(*inputs)


def measure(
    name: str, builder: Callable[..., Module], args: argparse.Namespace
) -> Iterator[dict[str, Any]]:
    """Yields one result for each pass, implementation and mode of a model."""
    torch.manual_seed(0)
    torch.compiler.reset()
    workload = get_workload(name, args.frames)
    if args.tiny and workload.face is not None:
        workload = replace(workload, face=TINY_FACE)
    if args.tiny and workload.silhouettes is not None:
        workload = replace(workload, silhouettes=TINY_SILHOUETTES)
    batch = min(args.batch, workload.max_batch)
    model = make_model(name, builder, workload).to(args.device)
    inputs = [x.to(args.device) for x in make_inputs(name, model, workload, batch)]
    warm_up_norms(model, inputs)
    implementations = [Implementation(OURS, EAGER, model, inputs, model, workload.loss)]
    if name in ALTERNATIVES:
        plain = ALTERNATIVES[name](model).to(args.device)
        converted = plain.convert(*inputs)
        implementations.append(Implementation(PLAIN, EAGER, plain, converted, plain, workload.loss))
    facts = {
        'model': name,
        'skeleton': None if workload.silhouettes or workload.face else workload.skeleton,
        'batch': batch,
        'joints': count_nodes(model, workload),
        'frames': workload.frames,
        'parameters': sum(p.numel() for p in model.parameters()),
        'flops': count_flops(implementations[0].inference()) // batch,
    }
    errors = [check(x, implementations[0]) for x in implementations]
    for eager in list(implementations) if args.compile else ():
        compiled, message = compile_model(eager)
        if compiled is not None:
            implementations.append(compiled)
            errors.append(check(compiled, eager))
        else:
            yield {**facts, 'implementation': eager.name, 'mode': COMPILED, 'error': message}

    passes = {'inference': Implementation.inference}
    if args.backward:
        passes['training'] = Implementation.training
    for label, make_run in passes.items():
        runs = [make_run(x) for x in implementations]
        for run in runs:
            run()  # creates the state of the optimizer, which is not part of a step
        memory = [peak_memory(run, args.device) for run in runs]
        numbered = {str(i): run for i, run in enumerate(runs)}
        timing = (args.rounds, args.seconds, args.threads, choose_clock(args.device, args.threads))
        times = list(time_in_turns(numbered, *timing).values())
        for i, x in enumerate(implementations):
            yield {
                **facts,
                'pass': label,
                'implementation': x.name,
                'mode': x.mode,
                'seconds': quartiles(times[i]),
                'rounds': times[i],
                'sequences_per_second': quartiles([batch / t for t in times[i]]),
                'memory': memory[i],
                'ratio': ratio(times[i], times[0]) if i else None,
                'difference': errors[i],
            }


def count_nodes(model: Module, workload: Workload) -> int:
    """Returns the pixels of a face, the strips of a silhouette or the joints of a skeleton."""
    if workload.face is not None:
        return face_graph(workload.face).num_nodes
    return getattr(model, 'num_strips', get_skeleton(workload.skeleton).num_joints)
