"""Rows of the benchmark: what each runs, and how its sides are compared and timed."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import (
    Module,
    Parameter,
)

from benchmarks.common import (
    matrix_product,
    count_flops,
    peak_memory,
    quartiles,
    ratio,
    time_in_turns,
)
from graphmotion.data import to_dense
from graphmotion.skeletons import get_skeleton, list_skeletons

SKELETONS = {get_skeleton(name).num_joints: name for name in list_skeletons()}
SIZES = ('batch', 'joints', 'frames', 'channels')
TOLERANCE = 1e-3  # of single precision: summed in another order
OURS, PEAK = 'graphmotion', 'matrix product'
FORWARD_BACKWARD = 'forward+backward'


class Call:
    """A module or function with its arguments.

    :obj:`pick` names the part of what it returns that counts, a tensor or several;
    :obj:`view` brings each, and the gradient of each input, to our layout; :obj:`parameters` are
    those of a function.
    """

    def __init__(
        self,
        module: Callable,
        *args: Any,
        pick: Callable = lambda out: out,
        view: Callable = lambda out: out,
        parameters: Iterable[Parameter] = (),
    ) -> None:
        self.module = module
        self.args = args
        self.pick = pick
        self.view = view
        self.parameters = list(module.parameters() if isinstance(module, Module) else parameters)
        flat = [a for arg in args for a in (arg if isinstance(arg, (tuple, list)) else [arg])]
        tensors = [a for a in flat if isinstance(a, Tensor) and a.requires_grad]
        self.inputs = list({id(a): a for a in tensors}.values())  # once each

    def to(self, device: torch.device) -> Call:
        """Move the parameters; tensors are made where they belong."""
        if isinstance(self.module, Module):
            self.module.to(device)
        return self

    def outputs(self) -> list[Tensor]:
        """What one call returns."""
        out = self.pick(self.module(*self.args))
        return [out] if isinstance(out, Tensor) else list(out)

    def forward(self) -> list[Tensor]:
        """Forward alone, without a record for gradients."""
        with torch.no_grad():
            return self.outputs()

    @property
    def leaves(self) -> list[Tensor]:
        """What to differentiate for: inputs and parameters."""
        return [*self.inputs, *self.parameters]

    def backward(self) -> Callable[[], Any]:
        """A function that runs forward and backward."""
        leaves, gradients = self.leaves, [torch.randn_like(out) for out in self.forward()]
        return lambda: torch.autograd.grad(self.outputs(), leaves, gradients)

    def results(self) -> list[Tensor]:
        """The outputs, and where there are inputs to differentiate for, their gradients."""
        if not self.inputs:
            return [self.view(self.pick(self.module(*self.args)))]
        outputs = [self.view(out) for out in self.outputs()]
        torch.manual_seed(1)
        random = [torch.randn(out.shape, device=out.device) for out in outputs]
        gradients = torch.autograd.grad(outputs, self.inputs, random)
        return [*(out.detach() for out in outputs), *map(self.view, gradients)]


class Setup:
    """Sizes, and the tensors of those sizes that rows share."""

    def __init__(
        self, batch: int, joints: int, frames: int, channels: int, device: str = 'cpu'
    ) -> None:
        self.batch, self.joints, self.frames, self.channels = batch, joints, frames, channels
        self.device = torch.device(device)
        self.skeleton = get_skeleton(SKELETONS[joints])
        self.adj = self.skeleton.adjacency()[0].to(self.device)
        self.parts = self.skeleton.assignment(1)
        self.x = self.features(joints)

    def features(self, num_nodes: int) -> Tensor:
        """Random features of graphs with that many nodes."""
        x = torch.randn(self.batch * num_nodes, self.frames, self.channels, device=self.device)
        return x.requires_grad_()

    @property
    def num_points(self) -> int:
        """Nodes of a face, so many that its features are as large as those of a motion."""
        return self.joints * self.frames

    def points(self) -> Tensor:
        """Random features of faces, graphs without frames: [B * N, C]."""
        x = torch.randn(self.batch * self.num_points, self.channels, device=self.device)
        return x.requires_grad_()

    def image(self, x: Tensor) -> Tensor:
        """[B * V, T, C] as [B, C, T, V], the layout of image convolutions."""
        return own(to_dense(x, x.size(0) // self.batch).permute(0, 3, 2, 1))


def own(x: Tensor) -> Tensor:
    """Its own contiguous memory and gradient, so that no side pays for the other's layout."""
    return x.detach().contiguous().requires_grad_()


@dataclass(frozen=True)
class Row:
    """An operator, how it is used, and the function that makes all sides."""

    operator: str
    variant: str
    make: Callable[[Setup], tuple[Call, dict[str, Call]]]
    sizes: dict[str, int] = field(default_factory=dict)  # that differ from those of other rows


ROWS: list[Row] = []


def row(operator: type, variant: str = '', **sizes: int) -> Callable[[Callable], Callable]:
    """Add a function to the benchmark: it returns our call, and the alternatives by their names."""

    def add(make: Callable) -> Callable:
        ROWS.append(Row(operator.__name__, variant, make, sizes))
        return make

    return add


def difference(ours: Call, other: Call) -> float:
    """The largest distance of results and gradients, relative to the length of each.

    Not that of single numbers: where a number is about zero, a rectifier passes its gradient on
    one side and not on the other.
    """
    pairs = list(zip(ours.results(), other.results(), strict=True))
    for a, b in pairs:
        if a.shape != b.shape:
            raise AssertionError(f'shapes differ: {list(a.shape)} and {list(b.shape)}')
    return max(float((a - b).norm() / b.norm()) for a, b in pairs)


def timed(entry: Row, s: Setup, args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """One result for each pass and side of a row, and for the matrix product beside it."""
    torch.manual_seed(0)
    ours, others = entry.make(s)
    calls = {OURS: ours.to(s.device), **{k: v.to(s.device) for k, v in others.items()}}
    apart = {name: difference(ours, other) for name, other in others.items()}
    for name, value in apart.items():
        if not value <= TOLERANCE:
            raise AssertionError(f'{entry.operator} differs from {name}: {value:.1e}')

    first = 'forward' if ours.inputs else 'call'
    passes: dict[str, dict[str, Callable]] = {first: {k: c.forward for k, c in calls.items()}}
    if args.backward and ours.inputs:
        passes[FORWARD_BACKWARD] = {k: c.backward() for k, c in calls.items()}
    product, product_flops = matrix_product(s.device, args.tiny)
    for label, runs in passes.items():
        memory = {name: peak_memory(run, s.device) for name, run in runs.items()}
        flops = count_matmul_flops(ours, backward=label == FORWARD_BACKWARD)
        peak = {PEAK: product} if flops else {}
        times = time_in_turns({**runs, **peak}, args.rounds, args.seconds, args.threads)
        peak_share = flops and [
            flops / t / (product_flops / p) for t, p in zip(times[OURS], times[PEAK])
        ]
        for name, rounds in times.items():
            done = {OURS: flops, PEAK: product_flops}.get(name)
            median = quartiles(rounds)['median']
            yield {
                'operator': entry.operator,
                'variant': entry.variant,
                **{size: getattr(s, size) for size in SIZES},
                'pass': label,
                'implementation': name,
                'seconds': quartiles(rounds),
                'rounds': rounds,
                'flops': done,
                'gflops': done and done / median / 1e9,
                'peak_share': peak_share and quartiles(peak_share) if name == OURS else None,
                'ratio': ratio(rounds, times[OURS]) if name in others else None,
                'memory': memory.get(name),
                'memory_ratio': memory[name] / memory[OURS] if name in others else None,
                'difference': apart.get(name),
            }


def count_matmul_flops(call: Call, backward: bool) -> int | None:
    """Operations of the matrix products; None where they are too few to bound the time."""
    if not call.inputs:
        return None

    def run() -> None:
        outputs = call.outputs()
        if backward:
            torch.autograd.backward(outputs, [torch.ones_like(out) for out in outputs])

    counted = count_flops(run)
    for leaf in call.leaves:
        leaf.grad = None
    numbers = sum(x.numel() for x in (*call.forward(), *call.inputs))
    return counted if counted >= 10 * numbers else None
