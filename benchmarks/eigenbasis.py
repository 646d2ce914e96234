"""Times the eigenbasis of the smallest modes of graphs over random pixels.

    python -m benchmarks.eigenbasis                               # 256 to 26,214 nodes, minutes
    python -m benchmarks.eigenbasis --nodes 921 26214 --modes 256 --threads 2
    python -m benchmarks.eigenbasis --tiny                        # smoke test in seconds

Each graph connects 40% of the pixels of an image with their 8 nearest neighbours. All
implementations must return the same eigenvalues before anything is timed. The columns are explained
in benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import math
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_array
from scipy.sparse.linalg import eigsh
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.transforms import AddLaplacianEigenvectorPE
from torch_geometric.utils import get_laplacian, to_dense_adj, to_scipy_sparse_matrix

from benchmarks.common import (
    base_parser,
    choose_clock,
    environment,
    format_environment,
    measure_in_turns,
    parse_args,
    quartiles,
    ratio,
    ratio_cells,
    write_json,
)
from graphmotion.graphs import knn_graph, laplacian, laplacian_eigenbasis, sample_pixels
from graphmotion.metrics import markdown_table

NODES = (256, 512, 1024, 2048, 4096, 9000, 26214)
NUM_NEIGHBORS, NODE_FRACTION = 8, 0.4
TINY = {'nodes': [64, 1200], 'modes': 16, 'seconds': 0.0}
TOLERANCE = 1e-4  # of eigenvalues, relative to the largest

OURS, DENSE, SPARSE, PYG = 'graphmotion', 'torch eigh, dense', 'scipy eigsh', 'PyG transform'
# The largest graphs of slow implementations, and why they are slow.
LIMITS = {
    DENSE: (3000, 'its time is cubic and its memory quadratic in the number of nodes'),
    PYG: (1100, 'it uses a solver for non-symmetric matrices'),
}

# Implementations ##############################################################################

Basis = tuple[Any, Any]  # eigenvalues and eigenvectors


def dense(edge_index: Tensor, num_nodes: int, num_modes: int) -> Basis:
    """Computes all eigenvectors and keeps the first ones."""
    edges, weight = get_laplacian(edge_index, num_nodes=num_nodes)
    matrix = to_dense_adj(edges, edge_attr=weight, max_num_nodes=num_nodes)[0]
    values, vectors = torch.linalg.eigh(matrix)
    return values[:num_modes], vectors[:, :num_modes]


def sparse(edge_index: Tensor, num_nodes: int, num_modes: int) -> Basis:
    """Computes the modes by Lanczos iteration in shift-invert mode."""
    edges, weight = get_laplacian(edge_index, num_nodes=num_nodes, dtype=torch.float64)
    matrix = to_scipy_sparse_matrix(edges, weight, num_nodes).tocsc()
    return eigsh(matrix, k=num_modes, sigma=-0.01)


def transform(edge_index: Tensor, num_nodes: int, num_modes: int) -> Basis:
    """Computes PyG's positional encoding, based on the symmetrically normalised Laplacian."""
    data = Data(edge_index=edge_index, num_nodes=num_nodes)
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', category=np.exceptions.ComplexWarning)
        data = AddLaplacianEigenvectorPE(num_modes - 1, attr_name='modes')(data)
    return None, data.modes  # the transform does not return eigenvalues


IMPLEMENTATIONS: dict[str, Callable[[Tensor, int, int], Basis]] = {
    OURS: laplacian_eigenbasis,
    DENSE: dense,
    SPARSE: sparse,
    PYG: transform,
}

# Measurement ##################################################################################


def pixel_graph_edges(num_nodes: int, device: str) -> Tensor:
    """Returns the edges of a graph over 40% of the pixels of an image."""
    side = math.ceil(math.sqrt(num_nodes / NODE_FRACTION))
    return knn_graph(sample_pixels(side, side, num=num_nodes), NUM_NEIGHBORS).to(device)


def errors(matrix: csr_array, basis: Basis) -> dict[str, float]:
    """Returns the largest norm of L v - lambda v and the largest element of V^T V - I."""
    values, vectors = (None if t is None else torch.as_tensor(t).cpu().double() for t in basis)
    v = vectors.numpy()
    product = matrix @ v
    # Without eigenvalues, use Rayleigh quotients.
    scale = (v * product).sum(axis=0) / (v * v).sum(axis=0) if values is None else values.numpy()
    return {
        'residual': float(np.linalg.norm(product - v * scale, axis=0).max()),
        'orthogonality': float(np.abs(v.T @ v - np.eye(v.shape[1])).max()),
    }


def time_repeated(run: Callable[[], Any], seconds: float, clock: Callable[[], float]) -> float:
    """Returns the mean time of a call, repeated until the given time has passed."""
    start, count = clock(), 0
    while not count or clock() - start < seconds:
        run()
        count += 1
    return (clock() - start) / count


def measure(num_nodes: int, args: argparse.Namespace) -> list[dict[str, Any]]:
    """Returns one result for each implementation on one graph, timed in turns."""
    edge_index = pixel_graph_edges(num_nodes, args.device)
    num_modes = min(args.modes, num_nodes // 4)
    matrix = {PYG: laplacian(edge_index, num_nodes, normalization='sym')}
    expected = None
    runs: dict[str, Callable[[], Basis]] = {}
    found = {}
    for name, function in IMPLEMENTATIONS.items():
        if num_nodes > LIMITS.get(name, (math.inf, ''))[0]:
            continue
        edges = edge_index if name in (OURS, DENSE) else edge_index.cpu()
        runs[name] = partial(function, edges, num_nodes, num_modes)
        basis = runs[name]()
        if basis[0] is not None:
            values = torch.as_tensor(basis[0]).cpu().double().sort().values
            expected = values if expected is None else expected
            difference = float((values - expected).abs().max() / expected.max())
            assert difference < TOLERANCE, f'{name}: eigenvalues differ by {difference:.2g}'
        found[name] = errors(matrix.get(name, laplacian(edge_index, num_nodes)), basis)
    clock = choose_clock(args.device, args.threads)
    times = measure_in_turns(
        runs, args.rounds, lambda name: time_repeated(runs[name], args.seconds, clock)
    )
    return [
        {
            'nodes': num_nodes,
            'modes': num_modes,
            'edges': edge_index.size(1),
            'implementation': name,
            'seconds': quartiles(times[name]),
            'rounds': times[name],
            'ratio': None if name == OURS else ratio(times[name], times[OURS]),
            **found[name],
        }
        for name in runs
    ]


# Reports ######################################################################################

COLUMNS = (
    'nodes',
    'modes',
    'implementation',
    's',
    'IQR',
    'ratio',
    'from - to',
    'residual',
    'orthogonality',
)


def table_row(result: dict[str, Any]) -> tuple[str, ...]:
    """Formats a result as a row of the table."""
    seconds = result['seconds']
    return (
        str(result['nodes']),
        str(result['modes']),
        result['implementation'],
        f'{seconds["median"]:#.3g}',
        f'{seconds["high"] - seconds["low"]:#.2g}',
        *ratio_cells(result['ratio']),
        f'{result["residual"]:.1e}',
        f'{result["orthogonality"]:.1e}',
    )


def main(argv: list[str] | None = None) -> list[dict[str, Any]]:
    parser = base_parser(__doc__, rounds=3, seconds=0.2)
    parser.add_argument('--nodes', type=int, nargs='+', default=NODES, metavar='N')
    parser.add_argument(
        '--modes', type=int, default=256, help='number of modes, at most a quarter of the nodes'
    )
    args = parse_args(parser, argv, TINY)
    facts = environment(args.device, args.threads)
    results = [result for num_nodes in args.nodes for result in measure(num_nodes, args)]
    print(format_environment(facts), end='\n\n')
    print(markdown_table(COLUMNS, map(table_row, results), left=('implementation',)))
    for name, (limit, reason) in LIMITS.items():
        skipped = [n for n in args.nodes if n > limit]
        if skipped:
            sizes = ', '.join(map(str, skipped))
            print(f'\nNot measured: {name} with {sizes} nodes: {reason}.', end='')
    print()
    write_json(args.json, environment=facts, results=results)
    return results


if __name__ == '__main__':
    main()
