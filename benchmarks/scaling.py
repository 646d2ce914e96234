"""How cost grows: of operators with frames, joints, batch and nodes, of training with pixels.

    python -m benchmarks.scaling --plot scaling.png               # all sweeps, some minutes
    python -m benchmarks.scaling --sweep frames --operator TemporalConv JointAttention
    python -m benchmarks.scaling --sweep pixels --plot faces.png  # training steps on faces
    python -m benchmarks.scaling --device cuda --no-backward
    python -m benchmarks.scaling --tiny                           # does it run: seconds

A sweep changes one size and leaves the others as they are. Time and peak memory of a call go with a
power of the size, once it is large: the exponent is fitted to the larger half of the sizes, and is
the slope of the line in the plot. How to read it: README.md beside this file.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module
from torch.nn.functional import cross_entropy

from benchmarks.common import (
    environment,
    facts_line,
    markdown,
    parse,
    parser,
    peak_memory,
    quartiles,
    time_together,
    write_json,
)
from graphmotion.data import repeat_edge_index
from graphmotion.extras import requires_extra
from graphmotion.graphs import knn_graph, laplacian_eigenbasis, pixel_graph
from graphmotion.models import spagnn, spegnn
from graphmotion.nn import (
    JointAttention,
    LargeKernelTemporalConv,
    LocallyConnectedConv,
    SpatialConv,
    SpectralConv,
    TemporalConv,
)

# Sizes and sweeps #############################################################################


@dataclass(frozen=True)
class Sizes:
    """Sizes of a batch of motion sequences, of one large graph without frames, or of faces."""

    batch: int = 16
    joints: int = 25
    frames: int = 64
    channels: int = 64
    nodes: int = 0
    pixels: int = 0


MOTION = Sizes()
GRAPH = Sizes(batch=1, joints=0, frames=0, channels=16, nodes=1024)
FACES = Sizes(batch=16, joints=0, frames=0, channels=1, pixels=1024)
NEIGHBOURS, MODES = 8, 64  # of the large graph
FACE_MODES, CLASSES, SHARE = 256, 7, 0.4  # of the pixels of a square image
HEADS = 4
# Sequences for the first three, then large graphs, then faces.
SWEEPS = {
    'frames': (8, 16, 32, 64, 128, 256),
    'joints': (8, 16, 32, 64, 128),
    'batch': (1, 2, 4, 8, 16, 32, 64),
    'nodes': (256, 512, 1024, 2048, 4096, 9000),
    'pixels': (256, 512, 1024, 2048, 4096, 9000),
}
TINY = {
    'frames': (4, 8),
    'joints': (4, 8),
    'batch': (1, 2),
    'nodes': (64, 128),
    'pixels': (64, 128),
}
LABELS = {
    'frames': 'frames of a sequence',
    'joints': 'joints of a skeleton',
    'batch': 'sequences in a batch',
    'nodes': 'nodes of a graph',
    'pixels': 'nodes of the graph of a face',
}

# Operators ####################################################################################

Made = tuple[Module, Tensor, tuple[Any, ...]]  # with its features, and what else it is called with


def motion(s: Sizes) -> Tensor:
    """Random features of sequences."""
    return torch.randn(s.batch * s.joints, s.frames, s.channels)


def tree(num_joints: int) -> tuple[Tensor, Tensor]:
    """The bones of a body with any number of joints, and normalised weights."""
    child = torch.arange(1, num_joints)
    bones = torch.stack([child, (child - 1) // 2])
    loops = torch.arange(num_joints).expand(2, -1)
    edge_index = torch.cat([bones, bones.flip(0), loops], dim=1)
    return edge_index, 1 / edge_index[1].bincount()[edge_index[1]]


def spatial_dense(s: Sizes) -> Made:
    """The same matrix for all graphs."""
    (source, target), weight = tree(s.joints)
    adj = torch.zeros(s.joints, s.joints).index_put((target, source), weight)
    return SpatialConv(s.channels, s.channels), motion(s), (adj,)


def spatial_sparse(s: Sizes) -> Made:
    """The edges of all graphs."""
    edge_index, weight = tree(s.joints)
    edges = repeat_edge_index(edge_index, s.joints, s.batch), weight.repeat(s.batch)
    return SpatialConv(s.channels, s.channels), motion(s), (edges,)


def temporal(s: Sizes) -> Made:
    """Nine frames, all channels with all."""
    return TemporalConv(s.channels, s.channels, kernel_size=9), motion(s), ()


def large_kernel(s: Sizes) -> Made:
    """Thirty-one frames, each channel by itself, then all channels with all."""
    # Padded by zeros, as there may be fewer frames than the kernel has.
    conv = LargeKernelTemporalConv(s.channels, s.channels, kernel_size=31, padding='zeros')
    return conv, motion(s), ()


def attention(s: Sizes) -> Made:
    """Every joint with every other one of its frame."""
    return JointAttention(s.channels, HEADS), motion(s), (s.joints,)


def neighbours(s: Sizes) -> tuple[Tensor, Tensor]:
    """Random features and the edges of nearest neighbours in the plane."""
    return torch.randn(s.nodes, s.channels), knn_graph(torch.rand(s.nodes, 2), NEIGHBOURS)


def spectral(s: Sizes) -> Made:
    """The smoothest modes of the graph; the eigenbasis is computed beforehand."""
    x, edge_index = neighbours(s)
    _, modes = laplacian_eigenbasis(edge_index, s.nodes, MODES)
    return SpectralConv(s.channels, s.channels, MODES), x, (modes.to(x.dtype), s.nodes)


def locally_connected(s: Sizes) -> Made:
    """A weight for every edge."""
    x, edge_index = neighbours(s)
    return LocallyConnectedConv(s.channels, s.channels, edge_index, s.nodes), x, ()


def spatial_graph(s: Sizes) -> Made:
    """One weight for all edges."""
    x, edge_index = neighbours(s)
    return SpatialConv(s.channels, s.channels), x, ((edge_index, None),)


def face(build: Callable[..., Module]) -> Callable[[Sizes], Made]:
    """A model as its paper has it, and faces as graphs over two in five of their pixels."""

    def make(s: Sizes) -> Made:
        side = math.ceil(math.sqrt(s.pixels / SHARE))
        graph = pixel_graph(side, s.pixels, NEIGHBOURS, FACE_MODES)
        return build(graph, CLASSES), torch.rand(s.batch * s.pixels, s.channels), ()

    return make


OPERATORS: dict[str, Callable[[Sizes], Made]] = {
    'SpatialConv, dense': spatial_dense,
    'SpatialConv, sparse': spatial_sparse,
    'TemporalConv': temporal,
    'LargeKernelTemporalConv': large_kernel,
    'JointAttention': attention,
}
GRAPH_OPERATORS: dict[str, Callable[[Sizes], Made]] = {
    'SpatialConv, sparse': spatial_graph,
    'SpectralConv': spectral,
    'LocallyConnectedConv': locally_connected,
}
FACE_MODELS: dict[str, Callable[[Sizes], Made]] = {
    'SPAGNN': face(spagnn),
    'SPEGNN': face(spegnn),
}


# Measurement ##################################################################################


def call(made: Made, device: torch.device, backward: bool) -> Callable[[], Any]:
    """A function that runs forward, or forward and backward."""
    module, x, others = (
        made[0].to(device),
        made[1].to(device).requires_grad_(),
        move(made[2], device),
    )
    with torch.no_grad():
        gradient = torch.randn_like(module(x, *others))

    def forward() -> Tensor:
        with torch.no_grad():
            return module(x, *others)

    leaves = [x, *module.parameters()]
    both = lambda: torch.autograd.grad(module(x, *others), leaves, gradient)  # noqa: E731
    return both if backward else forward


def training_step(made: Made, device: torch.device) -> Callable[[], Any]:
    """A function that runs forward, backward and an update of all weights."""
    model, x = made[0].to(device), made[1].to(device)
    optimizer = torch.optim.Adam(model.parameters())

    def step() -> None:
        logits = model(x)
        optimizer.zero_grad()
        cross_entropy(logits, torch.zeros(len(logits), dtype=torch.long, device=device)).backward()
        optimizer.step()

    return step


def move(value: Any, device: torch.device) -> Any:
    """Tensors, also those in tuples, to the device."""
    if isinstance(value, tuple):
        return tuple(move(part, device) for part in value)
    return value.to(device) if isinstance(value, Tensor) else value


def chosen(sweep: str, args: argparse.Namespace) -> dict[str, Callable[[Sizes], Made]]:
    """The operators of a sweep that were asked for."""
    makers = {'nodes': GRAPH_OPERATORS, 'pixels': FACE_MODELS}.get(sweep, OPERATORS)
    return {name: make for name, make in makers.items() if name.split(',')[0] in args.operator}


def measure(sweep: str, args: argparse.Namespace) -> list[dict[str, Any]]:
    """One result for each operator and size of a sweep, all timed in turns."""
    base = {'nodes': GRAPH, 'pixels': FACES}.get(sweep, MOTION)
    if args.tiny:
        few = min(base.channels, 8)
        base = replace(base, batch=min(base.batch, 2), frames=min(base.frames, 4), channels=few)
    device = torch.device(args.device)
    trained = sweep == 'pixels' and args.backward
    runs, sizes = {}, {}
    for name, make in chosen(sweep, args).items():
        for size in (TINY if args.tiny else SWEEPS)[sweep]:
            torch.manual_seed(0)
            key = f'{name}, {size}'
            sizes[key] = name, replace(base, **{sweep: size})
            made = make(sizes[key][1])
            runs[key] = (
                training_step(made, device) if trained else call(made, device, args.backward)
            )
    memory = {key: peak_memory(run, device) for key, run in runs.items()}
    times = time_together(runs, args.rounds, args.seconds, args.threads)
    return [
        {
            'sweep': sweep,
            'operator': name,
            'size': getattr(s, sweep),
            'sizes': {key: value for key, value in asdict(s).items() if value},
            'pass': (
                'training step' if trained else 'forward+backward' if args.backward else 'forward'
            ),
            'seconds': quartiles(times[key]),
            'rounds': times[key],
            'memory': memory[key],
        }
        for key, (name, s) in sizes.items()
    ]


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """The power of the size that the cost goes with: the slope of logarithms, by least squares.

    Of the larger half of the sizes, as small ones cost what a call costs that does nothing.
    """
    points = sorted(zip(sizes, costs))[-max(2, math.ceil(len(sizes) / 2)) :]
    x, y = torch.tensor(points, dtype=torch.float64).log().unbind(1)
    x, y = x - x.mean(), y - y.mean()
    return float((x * y).sum() / (x * x).sum())


def exponents(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The exponents of time and memory of each operator in each sweep."""
    lines: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for result in results:
        lines.setdefault((result['sweep'], result['operator']), []).append(result)
    return [
        {
            'sweep': sweep,
            'operator': operator,
            'sizes': (sizes := [r['size'] for r in line]),
            'time': exponent(sizes, [r['seconds']['median'] for r in line]),
            'memory': exponent(sizes, [max(r['memory'], 1) for r in line]),
        }
        for (sweep, operator), line in lines.items()
    ]


# Reports ######################################################################################


def plot(results: list[dict[str, Any]], facts: dict[str, Any], path: Path) -> None:
    """Time above memory, a column for each sweep, both axes logarithmic."""
    from graphmotion.visualization._figure import COLORS, finish_figure, new_figure

    sweeps = list(dict.fromkeys(result['sweep'] for result in results))
    names = list(dict.fromkeys(result['operator'] for result in results))
    styles = {
        name: {'color': COLORS[i % len(COLORS)], 'marker': 'osD^vPX'[i % 7]}
        for i, name in enumerate(names)
    }
    slopes = {(e['sweep'], e['operator']): e for e in exponents(results)}
    figure = new_figure(4.6 * len(sweeps), 7.6)
    grid = figure.subplots(2, len(sweeps), squeeze=False, sharex='col')
    for column, sweep in zip(grid.T, sweeps):
        for axes, cost in zip(column, ('time', 'memory')):
            for name in names:
                line = [r for r in results if (r['sweep'], r['operator']) == (sweep, name)]
                if not line:
                    continue
                x = [r['size'] for r in line]
                if cost == 'time':
                    low, y, high = (
                        [1e3 * r['seconds'][key] for r in line] for key in ('low', 'median', 'high')
                    )
                    axes.fill_between(x, low, high, color=styles[name]['color'], alpha=0.2, lw=0)
                else:
                    y = [r['memory'] / 1e6 for r in line]
                power = slopes[sweep, name][cost]
                axes.plot(x, y, label=f'{name}: $n^{{{power:.2f}}}$', ms=5, **styles[name])
            axes.set_xscale('log', base=2)
            axes.set_yscale('log')
            axes.set_xticks(x, [f'{n:,}' for n in x], minor=False)
            axes.grid(which='major', alpha=0.3)
            bottom, top = axes.get_ylim()
            axes.set_ylim(bottom, top * (top / bottom) ** 0.4)  # room for the legend
            axes.legend(loc='upper left', fontsize='small')
        sizes = next(r['sizes'] for r in results if r['sweep'] == sweep)
        fixed = ', '.join(f'{key} {value}' for key, value in sizes.items() if key != sweep)
        column[0].set_title(f'{sweep}\n', fontweight='bold')
        column[0].annotate(
            fixed, (0.5, 1.02), xycoords='axes fraction', ha='center', fontsize='small'
        )
        column[1].set_xlabel(f'{LABELS[sweep]}, n')
    grid[0, 0].set_ylabel('time of a call, ms')
    grid[1, 0].set_ylabel('peak memory of a call, MB')
    passes = ', '.join(dict.fromkeys(result['pass'] for result in results))
    finish_figure(
        figure,
        path,
        f'{passes} on {facts["device"]}, threads {facts["threads"]}'
        + ('\n' if len(sweeps) == 1 else ', ')
        + 'float32; exponents of the larger half of the sizes',
    )


HEAD = ('sweep', 'operator', 'size', 'ms', 'IQR', 'MB', 'time ~', 'memory ~')
TEXT = ('sweep', 'operator')


def cells(result: dict[str, Any], slopes: dict[tuple[str, str], Any]) -> tuple[str, ...]:
    """A result as the table shows it; the exponents stand by the largest size."""
    seconds, fitted = result['seconds'], slopes[result['sweep'], result['operator']]
    last = result['size'] == max(fitted['sizes'])
    return (
        result['sweep'],
        result['operator'],
        str(result['size']),
        f'{1e3 * seconds["median"]:#.3g}',
        f'{1e3 * (seconds["high"] - seconds["low"]):#.2g}',
        f'{result["memory"] / 1e6:.3g}',
        f'n^{fitted["time"]:.2f}' if last else '',
        f'n^{fitted["memory"]:.2f}' if last else '',
    )


def options() -> argparse.ArgumentParser:
    """What can be asked for on the command line."""
    out = parser(__doc__, rounds=5, seconds=0.05)
    names = sorted({name.split(',')[0] for name in {**OPERATORS, **GRAPH_OPERATORS, **FACE_MODELS}})
    out.add_argument('--operator', nargs='+', choices=names, default=names, metavar='NAME')
    out.add_argument('--sweep', nargs='+', choices=list(SWEEPS), default=list(SWEEPS))
    out.add_argument('--plot', type=Path, metavar='FILE', help='draw a figure there')
    return out


def main(argv: list[str] | None = None) -> list[dict[str, Any]]:
    choice = options()
    args = parse(choice, argv)
    sweeps = [sweep for sweep in args.sweep if chosen(sweep, args)]
    if not sweeps:
        choice.error(f'no operator of {args.operator} is in the sweeps {args.sweep}')
    if args.plot:
        with requires_extra('vis'):  # before anything is measured
            import matplotlib  # noqa: F401
    facts = environment(args.device, args.threads)
    results = [result for sweep in sweeps for result in measure(sweep, args)]
    fitted = exponents(results)
    slopes = {(e['sweep'], e['operator']): e for e in fitted}
    print(facts_line(facts), end='\n\n')
    print(markdown(HEAD, (cells(result, slopes) for result in results), left=TEXT))
    write_json(args.json, environment=facts, results=results, exponents=fitted)
    if args.plot:
        plot(results, facts, args.plot)
    return results


if __name__ == '__main__':
    main()
