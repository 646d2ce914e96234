"""Cases of the benchmark: registration, comparison and timing of the implementations."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module, Parameter

from benchmarks.common import (
    choose_clock,
    count_flops,
    matrix_product,
    peak_memory,
    quartiles,
    ratio,
    relative_error,
    time_in_turns,
)
from benchmarks.nchw import to_nchw
from graphmotion.data import to_dense
from graphmotion.skeletons import Skeleton, get_skeleton, list_skeletons

SKELETONS = {get_skeleton(name).num_joints: name for name in list_skeletons()}
SIZES = ('batch', 'joints', 'frames', 'channels')
TOLERANCE = 1e-3  # single precision; the order of sums differs
OURS, PEAK = 'graphmotion', 'matrix product'
BACKWARD = 'forward+backward'
INPUT_GRADIENT, PARAMETER_GRADIENT = 'gradient of the input', 'gradient of the parameters'


class Call:
    """A module or function with its arguments.

    :obj:`pick` selects one or more tensors of the output, :obj:`view` converts them and the
    gradients of the inputs to the layout of the library, and :obj:`parameters` are the parameters
    used by a function.
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
        self.inputs = list({id(a): a for a in tensors}.values())  # without duplicates

    def to(self, device: torch.device) -> Call:
        """Moves the module; the arguments are already on the device."""
        if isinstance(self.module, Module):
            self.module.to(device)
        return self

    def outputs(self) -> list[Tensor]:
        """Returns the selected outputs of a call."""
        out = self.pick(self.module(*self.args))
        return [out] if isinstance(out, Tensor) else list(out)

    def forward(self) -> list[Tensor]:
        """Returns the outputs without recording gradients."""
        with torch.no_grad():
            return self.outputs()

    @property
    def leaves(self) -> list[Tensor]:
        """The inputs and parameters that have gradients."""
        return [*self.inputs, *self.parameters]

    def backward(self) -> Callable[[], Any]:
        """Returns a function that runs the forward and backward passes."""
        leaves, gradients = self.leaves, [torch.randn_like(out) for out in self.forward()]
        return lambda: torch.autograd.grad(self.outputs(), leaves, gradients)

    def gradient(self, leaves: list[Tensor]) -> Callable[[], Any]:
        """Returns a function that only runs the backward pass, for some of the leaves."""
        others = [leaf for leaf in self.leaves if all(leaf is not other for other in leaves)]
        for leaf in others:
            leaf.requires_grad_(False)
        outputs = self.outputs()
        for leaf in others:
            leaf.requires_grad_()
        gradients = [torch.randn_like(out) for out in outputs]
        return lambda: torch.autograd.grad(outputs, leaves, gradients, retain_graph=True)

    def results(self) -> list[Tensor]:
        """Returns the outputs and the gradients of the inputs, all in the layout of the library."""
        if not self.inputs:
            return [self.view(self.pick(self.module(*self.args)))]
        outputs = [self.view(out) for out in self.outputs()]
        torch.manual_seed(1)
        random = [torch.randn(out.shape, device=out.device) for out in outputs]
        gradients = torch.autograd.grad(outputs, self.inputs, random)
        return [*(out.detach() for out in outputs), *map(self.view, gradients)]


class Setup:
    """Sizes and tensors shared by all cases."""

    def __init__(
        self,
        batch: int,
        joints: int,
        frames: int,
        channels: int,
        device: str = 'cpu',
        skeleton: Skeleton | None = None,
    ) -> None:
        self.batch, self.joints, self.frames, self.channels = batch, joints, frames, channels
        self.device = torch.device(device)
        self.skeleton = get_skeleton(SKELETONS[joints]) if skeleton is None else skeleton
        self.adj = self.skeleton.adjacency()[0].to(self.device)
        self.parts = self.skeleton.assignment(1)
        self.x = self.features(joints)

    def features(self, num_nodes: int) -> Tensor:
        """Returns random features of graphs with the given number of nodes."""
        x = torch.randn(self.batch * num_nodes, self.frames, self.channels, device=self.device)
        return x.requires_grad_()

    @property
    def num_points(self) -> int:
        """The number of nodes of a face, which makes its features as large as those of a motion."""
        return self.joints * self.frames

    def points(self) -> Tensor:
        """Returns random features [B * N, C] of faces."""
        x = torch.randn(self.batch * self.num_points, self.channels, device=self.device)
        return x.requires_grad_()

    def nchw(self, x: Tensor) -> Tensor:
        """Returns [B * V, T, C] as a leaf [B, C, T, V]."""
        return as_leaf(to_nchw(x, x.size(0) // self.batch))

    def to_frames(self, x: Tensor) -> Tensor:
        """Returns [B * V, T, C] as [B * T, V, C]."""
        return to_dense(x, x.size(0) // self.batch).transpose(1, 2).flatten(0, 1)

    def from_frames(self, x: Tensor) -> Tensor:
        """Returns [B * T, V, C] or [B * T * V, C] as [B * V, T, C]."""
        graphs = x.view(self.batch, self.frames, -1, x.size(-1))
        return graphs.transpose(1, 2).flatten(0, 1)


def as_leaf(x: Tensor) -> Tensor:
    """Returns a contiguous leaf tensor, whose gradient has the same layout."""
    return x.detach().contiguous().requires_grad_()


@dataclass(frozen=True)
class Case:
    """An operator, a variant of its use, and the function that returns its implementations."""

    operator: str
    variant: str
    make: Callable[[Setup], tuple[Call, dict[str, Call]]]
    sizes: dict[str, int] = field(default_factory=dict)  # override the sizes of the command line


CASES: list[Case] = []


def case(operator: type, variant: str = '', **sizes: int) -> Callable[[Callable], Callable]:
    """Registers a function that returns the library's call and the alternatives by name."""

    def add(make: Callable) -> Callable:
        CASES.append(Case(operator.__name__, variant, make, sizes))
        return make

    return add


def measure(entry: Case, s: Setup, args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yields one result for each pass and implementation of a case and for the matrix product."""
    torch.manual_seed(0)
    ours, others = entry.make(s)
    calls = {OURS: ours.to(s.device), **{k: v.to(s.device) for k, v in others.items()}}
    errors = {name: check(entry, ours, name, other) for name, other in others.items()}
    label = 'forward' if ours.inputs else 'call'
    passes: dict[str, dict[str, Callable]] = {label: {k: c.forward for k, c in calls.items()}}
    if args.backward and ours.inputs:
        passes[BACKWARD] = {k: c.backward() for k, c in calls.items()}
    if args.gradients and ours.inputs:
        passes[INPUT_GRADIENT] = {k: c.gradient(c.inputs) for k, c in calls.items()}
        if ours.parameters:
            passes[PARAMETER_GRADIENT] = {k: c.gradient(c.parameters) for k, c in calls.items()}
    product, product_flops = matrix_product(s.device, args.tiny)
    for label, runs in passes.items():
        memory = {name: peak_memory(run, s.device) for name, run in runs.items()}
        our_flops = count_matmul_flops(ours, label)
        peak = {PEAK: product} if our_flops else {}
        timing = (args.rounds, args.seconds, args.threads, choose_clock(s.device, args.threads))
        times = time_in_turns({**runs, **peak}, *timing)
        peak_share = our_flops and [
            our_flops / t / (product_flops / p) for t, p in zip(times[OURS], times[PEAK])
        ]
        for name, rounds in times.items():
            flops = {OURS: our_flops, PEAK: product_flops}.get(name)
            median = quartiles(rounds)['median']
            yield {
                'operator': entry.operator,
                'variant': entry.variant,
                **{size: getattr(s, size) for size in SIZES},
                'pass': label,
                'implementation': name,
                'seconds': quartiles(rounds),
                'rounds': rounds,
                'flops': flops,
                'gflops': flops and flops / median / 1e9,
                'peak_share': peak_share and quartiles(peak_share) if name == OURS else None,
                'ratio': ratio(rounds, times[OURS]) if name in others else None,
                'memory': memory.get(name),
                'memory_ratio': memory[name] / memory[OURS] if name in others else None,
                'difference': errors.get(name),
            }


def check(entry: Case, ours: Call, name: str, other: Call) -> float:
    """Returns the relative error of outputs and gradients and raises if it is too large."""
    error = relative_error(ours.results(), other.results())
    if not error <= TOLERANCE:
        raise AssertionError(f'{entry.operator} and {name} differ by {error:.1e}')
    return error


def count_matmul_flops(call: Call, label: str) -> int | None:
    """Counts the operations of matrix products, or returns None if they do not bound the time."""
    if not call.inputs:
        return None

    def run() -> None:
        outputs = call.outputs()
        if label == BACKWARD:
            torch.autograd.backward(outputs, [torch.ones_like(out) for out in outputs])

    gradients = {INPUT_GRADIENT: call.inputs, PARAMETER_GRADIENT: call.parameters}
    flops = count_flops(call.gradient(gradients[label]) if label in gradients else run)
    for leaf in call.leaves:
        leaf.grad = None
    num_values = sum(x.numel() for x in (*call.forward(), *call.inputs))
    return flops if flops >= 10 * num_values else None
