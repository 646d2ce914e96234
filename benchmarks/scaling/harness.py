"""Timing of sweeps and the exponents of their costs."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from benchmarks.common import peak_memory, quartiles, time_in_turns
from benchmarks.scaling.workloads import (
    FACE_MODELS,
    FACES,
    GRAPH,
    GRAPH_OPERATORS,
    MOTION,
    OPERATORS,
    SWEEPS,
    TINY_SWEEPS,
    Sizes,
    Workload,
)


def operator_call(workload: Workload, device: torch.device, backward: bool) -> Callable[[], Any]:
    """Returns a function that runs the forward pass, or the forward and backward passes."""
    module, x, others = (
        workload[0].to(device),
        workload[1].to(device).requires_grad_(),
        to_device(workload[2], device),
    )
    with torch.no_grad():
        gradient = torch.randn_like(module(x, *others))

    def forward() -> Tensor:
        with torch.no_grad():
            return module(x, *others)

    leaves = [x, *module.parameters()]

    def forward_backward() -> tuple[Tensor, ...]:
        return torch.autograd.grad(module(x, *others), leaves, gradient)

    return forward_backward if backward else forward


def training_step(workload: Workload, device: torch.device) -> Callable[[], Any]:
    """Returns a function that runs the forward and backward passes and an update."""
    model, x = workload[0].to(device), workload[1].to(device)
    optimizer = torch.optim.Adam(model.parameters())

    def step() -> None:
        logits = model(x)
        optimizer.zero_grad()
        cross_entropy(logits, torch.zeros(len(logits), dtype=torch.long, device=device)).backward()
        optimizer.step()

    return step


def to_device(value: Any, device: torch.device) -> Any:
    """Moves tensors in nested tuples to the device and returns other values as they are."""
    if isinstance(value, tuple):
        return tuple(to_device(part, device) for part in value)
    return value.to(device) if isinstance(value, Tensor) else value


def select_workloads(
    sweep: str, args: argparse.Namespace
) -> dict[str, Callable[[Sizes], Workload]]:
    """Returns the requested operators of a sweep."""
    makers = {'nodes': GRAPH_OPERATORS, 'pixels': FACE_MODELS}.get(sweep, OPERATORS)
    return {name: make for name, make in makers.items() if name.split(',')[0] in args.operator}


def measure(sweep: str, args: argparse.Namespace) -> list[dict[str, Any]]:
    """Returns one result for each operator and size of a sweep, all timed in turns."""
    base = {'nodes': GRAPH, 'pixels': FACES}.get(sweep, MOTION)
    if args.tiny:
        base = replace(
            base,
            batch=min(base.batch, 2),
            frames=min(base.frames, 4),
            channels=min(base.channels, 8),
        )
    device = torch.device(args.device)
    is_training = sweep == 'pixels' and args.backward
    runs, sizes = {}, {}
    for name, make in select_workloads(sweep, args).items():
        for size in (TINY_SWEEPS if args.tiny else SWEEPS)[sweep]:
            torch.manual_seed(0)
            key = f'{name}, {size}'
            sizes[key] = name, replace(base, **{sweep: size})
            workload = make(sizes[key][1])
            runs[key] = (
                training_step(workload, device)
                if is_training
                else operator_call(workload, device, args.backward)
            )
    label = 'training step' if is_training else 'forward+backward' if args.backward else 'forward'
    memory = {key: peak_memory(run, device) for key, run in runs.items()}
    times = time_in_turns(runs, args.rounds, args.seconds, args.threads)
    return [
        {
            'sweep': sweep,
            'operator': name,
            'size': getattr(s, sweep),
            'sizes': {key: value for key, value in asdict(s).items() if value},
            'pass': label,
            'seconds': quartiles(times[key]),
            'rounds': times[key],
            'memory': memory[key],
        }
        for key, (name, s) in sizes.items()
    ]


def fit_exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """Fits the exponent of a power law to the larger half of the sizes, by least squares.

    The cost at small sizes is dominated by the overhead of a call.
    """
    points = sorted(zip(sizes, costs))[-max(2, math.ceil(len(sizes) / 2)) :]
    x, y = torch.tensor(points, dtype=torch.float64).log().unbind(1)
    x, y = x - x.mean(), y - y.mean()
    return float((x * y).sum() / (x * x).sum())


def fit_exponents(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Fits the exponents of time and memory for each operator in each sweep."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for result in results:
        groups.setdefault((result['sweep'], result['operator']), []).append(result)
    return [
        {
            'sweep': sweep,
            'operator': operator,
            'sizes': (sizes := [r['size'] for r in group]),
            'time': fit_exponent(sizes, [r['seconds']['median'] for r in group]),
            'memory': fit_exponent(sizes, [max(r['memory'], 1) for r in group]),
        }
        for (sweep, operator), group in groups.items()
    ]
