"""Finds where a sparse adjacency becomes faster than a dense one, in nodes and neighbours.

    python -m benchmarks.crossing                                 # 16 to 1,024 nodes, minutes
    python -m benchmarks.crossing --nodes 128 256 --partitions 3 --no-backward
    python -m benchmarks.crossing --tiny                          # smoke test in seconds

Both forms of the adjacency must return the same output before anything is timed. The columns are
explained in benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch_geometric.utils import dense_to_sparse

from benchmarks.common import (
    base_parser,
    choose_clock,
    environment,
    format_environment,
    parse_args,
    quartiles,
    ratio,
    relative_error,
    time_in_turns,
    write_json,
)
from graphmotion.data import repeat_edge_index
from graphmotion.metrics import markdown_table
from graphmotion.nn import SpatialConv

NODES = (16, 32, 64, 128, 256, 512, 1024)
TINY = {'nodes': (8, 16), 'total_nodes': 32, 'frames': 2, 'channels': 4}
TOLERANCE = 1e-3
DENSE, SPARSE = 'dense', 'sparse'
Adjacency = Tensor | tuple[Tensor, Tensor]


def degrees(num_nodes: int) -> list[int]:
    """Returns the powers of two from 2 to half of the nodes."""
    return [2**i for i in range(1, int(math.log2(num_nodes)))]


def random_adjacency(num_nodes: int, degree: int, num_partitions: int) -> Tensor:
    """Returns weights [K, V, V] of edges from ``degree`` random nodes to each node.

    Each edge is in one of the partitions.
    """
    source = torch.rand(num_nodes, num_nodes).topk(degree, dim=1).indices
    partition = torch.randint(num_partitions, source.shape)
    adj = torch.zeros(num_partitions, num_nodes, num_nodes)
    adj[partition, torch.arange(num_nodes).unsqueeze(1), source] = 1 / degree
    return adj


def to_edges(adj: Tensor, num_graphs: int) -> tuple[Tensor, Tensor]:
    """Returns the edges of a batch and their weights, [E, K] or [E] with one partition."""
    edge_index, _ = dense_to_sparse(adj.sum(dim=0).t())
    weight = adj[:, edge_index[1], edge_index[0]].t().repeat(num_graphs, 1)
    return repeat_edge_index(edge_index, adj.size(-1), num_graphs), weight.squeeze(1)


def make_runs(num_nodes: int, degree: int, args: argparse.Namespace) -> dict[str, Callable]:
    """Returns a call of the convolution with each form of the adjacency."""
    torch.manual_seed(0)
    device = torch.device(args.device)
    num_graphs = max(args.total_nodes // num_nodes, 1)
    conv = SpatialConv(args.channels, args.channels, args.partitions).to(device)
    x = torch.randn(num_graphs * num_nodes, args.frames, args.channels, device=device)
    adj = random_adjacency(num_nodes, degree, args.partitions).to(device)
    forms: dict[str, Adjacency] = {
        DENSE: adj.squeeze(0) if args.partitions == 1 else adj,
        SPARSE: to_edges(adj, num_graphs),
    }
    with torch.no_grad():
        error = relative_error([conv(x, forms[SPARSE])], [conv(x, forms[DENSE])])
    if not error <= TOLERANCE:
        raise AssertionError(f'dense and sparse results differ by {error:.1e}')
    gradient, leaves = torch.randn_like(x), [x.requires_grad_(), *conv.parameters()]

    def make_run(adj: Adjacency) -> Callable[[], Any]:
        def forward() -> Tensor:
            with torch.no_grad():
                return conv(x, adj)

        def forward_backward() -> tuple[Tensor, ...]:
            return torch.autograd.grad(conv(x, adj), leaves, gradient)

        return forward_backward if args.backward else forward

    return {name: make_run(form) for name, form in forms.items()}


def measure(num_nodes: int, degree: int, args: argparse.Namespace) -> dict[str, Any]:
    """Returns the times of both forms, measured in turns."""
    clock = choose_clock(args.device, args.threads)
    runs = make_runs(num_nodes, degree, args)
    times = time_in_turns(runs, args.rounds, args.seconds, args.threads, clock)
    return {
        'nodes': num_nodes,
        'degree': degree,
        'pass': 'forward+backward' if args.backward else 'forward',
        **{name: quartiles(rounds) for name, rounds in times.items()},
        'ratio': ratio(times[DENSE], times[SPARSE]),
    }


def find_crossing(degrees: Sequence[float], ratios: Sequence[float]) -> float | None:
    """Returns the degree up to which sparse is faster, by log-log interpolation.

    The ratios are times of dense divided by times of sparse. Returns :obj:`None` if sparse is
    slower at the smallest degree, and infinity if it is faster at all degrees.
    """
    points = sorted(zip(degrees, ratios))
    if points[0][1] < 1:
        return None
    for (low, above), (high, below) in pairwise(points):
        if below < 1:
            share = math.log(above) / math.log(above / below)
            return low * (high / low) ** share
    return math.inf


def crossings(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the degree and the density at which the forms are equally fast for each size."""
    out = []
    for num_nodes in dict.fromkeys(r['nodes'] for r in results):
        group = [r for r in results if r['nodes'] == num_nodes]
        ratios = [r['ratio']['median'] for r in group]
        degree = find_crossing([r['degree'] for r in group], ratios)
        density = None if degree is None else min(degree / num_nodes, 1.0)
        out.append({'nodes': num_nodes, 'degree': degree, 'density': density})
    return out


def table_rows(results: list[dict[str, Any]], columns: Sequence[int]) -> list[list[str]]:
    """Returns a row for each number of nodes, with the ratio of each degree and the crossing."""
    rows = []
    for crossing in crossings(results):
        group = {r['degree']: r for r in results if r['nodes'] == crossing['nodes']}
        ratios = [f'{group[d]["ratio"]["median"]:.2f}' if d in group else '' for d in columns]
        degree, density = crossing['degree'], crossing['density']
        if degree is None:
            cells = ['never', '']
        elif degree == math.inf:
            cells = ['always', '']
        else:
            cells = [f'{degree:.0f}', f'{100 * density:.0f}%']
        rows.append([str(crossing['nodes']), *ratios, *cells])
    return rows


def main(argv: list[str] | None = None) -> list[dict[str, Any]]:
    parser = base_parser(__doc__, rounds=5, seconds=0.02)
    parser.add_argument('--nodes', type=int, nargs='+', default=NODES, metavar='V')
    parser.add_argument('--total-nodes', type=int, default=1024, help='nodes of all graphs')
    parser.add_argument('--frames', type=int, default=16, help='number of frames T')
    parser.add_argument('--channels', type=int, default=32, help='input and output channels C')
    parser.add_argument('--partitions', type=int, default=1, help='number of partitions K')
    args = parse_args(parser, argv, TINY)
    if min(args.nodes) < 4:
        parser.error(f'--nodes must be at least 4, got {min(args.nodes)}')
    facts = environment(args.device, args.threads)
    results = [measure(n, degree, args) for n in args.nodes for degree in degrees(n)]
    columns = degrees(max(args.nodes))
    print(format_environment(facts), end='\n\n')
    print(f'{results[0]["pass"]}, time of dense / time of sparse by neighbours of a node\n')
    headers = ('nodes', *map(str, columns), 'sparse is faster up to', 'density')
    print(markdown_table(headers, table_rows(results, columns)))
    write_json(args.json, environment=facts, results=results, crossings=crossings(results))
    return results


if __name__ == '__main__':
    main()
