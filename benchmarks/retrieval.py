"""Times gallery-probe evaluation against sorting the full distance matrix.

    python -m benchmarks.retrieval --threads 2                    # up to OU-MVLP, minutes
    python -m benchmarks.retrieval --subjects 5154 --rounds 1     # that size alone
    python -m benchmarks.retrieval --tiny                         # smoke test in seconds

As in OU-MVLP, each subject has a gallery and a probe sequence from each of 14 cameras, and one
percent of the sequences is missing. All implementations must return the same rank-1 to rank-20
accuracies, mAP and mINP before anything is timed. Where faiss is installed, its search is timed on
people with ten gallery samples each. The columns are explained in
benchmarks/README.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.common import (
    base_parser,
    environment,
    format_environment,
    measure_in_turns,
    parse_args,
    quartiles,
    ratio,
    ratio_cells,
    time_once,
    write_json,
)
from graphmotion.metrics import GalleryProbeProtocol, gallery_probe, markdown_table, retrieve

NUM_VIEWS, RANKS = 14, (1, 5, 10, 20)
MISSING = 0.01  # fraction of sequences
SUBJECTS = (50, 200, 500, 5154)
TINY = {'subjects': [12, 40], 'channels': 16, 'max_plain': 20, 'gallery': 200}
OURS, PLAIN = 'graphmotion', 'full matrix, argsort'
TARGET = {'subjects': 5154, 'threads': 2, 'seconds': 60, 'bytes': 2e9}
TOLERANCE = 1e-3  # rounding can reorder pairs with nearly equal distances

PROTOCOL = GalleryProbeProtocol('walks', gallery={'take': 1}, probes={'00': {'take': 0}})

# Implementations ##############################################################################

Labels = dict[str, Tensor]
Figures = dict[str, float]


def random_walks(num_subjects: int, channels: int, device: str) -> tuple[Tensor, Labels]:
    """Returns random embeddings, whose subjects differ more than their views, and labels."""
    torch.manual_seed(0)
    grid = torch.cartesian_prod(*map(torch.arange, (num_subjects, 2, NUM_VIEWS)))
    subject, take, view = grid[torch.rand(len(grid)) > MISSING].unbind(1)
    subjects = torch.randn(num_subjects, channels)
    views = torch.randn(NUM_VIEWS, channels)
    embedding = subjects[subject] + 0.7 * views[view] + 1.5 * torch.randn(len(subject), channels)
    return embedding.to(device), {'subject': subject, 'take': take, 'view': view}


def ours(embedding: Tensor, labels: Labels) -> Figures:
    """Evaluates with this library."""
    return gallery_probe(embedding, labels, PROTOCOL, ranks=RANKS).figures()


def plain(embedding: Tensor, labels: Labels) -> Figures:
    """Computes all distances at once and sorts them per pair of views and overall."""
    embedding = F.normalize(embedding, dim=1)
    subject, take, view = (labels[k].to(embedding.device) for k in ('subject', 'take', 'view'))
    probe, gallery = take == 0, take == 1
    distance = 1 - embedding[probe] @ embedding[gallery].t()
    same = subject[probe].unsqueeze(1) == subject[gallery]
    own_view = view[probe].unsqueeze(1) == view[gallery]
    rates = torch.zeros(len(RANKS), NUM_VIEWS, NUM_VIEWS, dtype=torch.float64)
    for i in range(NUM_VIEWS):
        for j in range(NUM_VIEWS):
            rows, columns = view[probe] == i, view[gallery] == j
            order = distance[rows][:, columns].argsort(dim=1)
            found = same[rows][:, columns].gather(1, order)
            found = found[found.any(dim=1)]
            for r, k in enumerate(RANKS):
                rates[r, i, j] = found[:, :k].any(dim=1).double().mean()
    others = ~torch.eye(NUM_VIEWS, dtype=torch.bool)
    figures = {f'rank-{k}': float(rate[others].mean()) for k, rate in zip(RANKS, rates)}

    order = distance.masked_fill(same & own_view, torch.inf).argsort(dim=1)
    found = (same & ~own_view).gather(1, order)
    found = found[found.any(dim=1)]
    number = found.sum(dim=1)
    rank = torch.arange(1, found.size(1) + 1, device=found.device)
    precision = (found.cumsum(dim=1) / rank * found).sum(dim=1) / number
    last = (rank * found).amax(dim=1)
    return {
        **figures,
        'mAP': float(precision.double().mean()),
        'mINP': float((number / last).double().mean()),
    }


IMPLEMENTATIONS: dict[str, Callable[[Tensor, Labels], Figures]] = {OURS: ours, PLAIN: plain}

# Measurement ##################################################################################


def process_memory(name: str, num_subjects: int, channels: int, threads: int) -> int:
    """Returns the peak memory of a separate process that evaluates once, including torch."""
    with ProcessPoolExecutor(1, mp_context=get_context('spawn')) as pool:
        return pool.submit(_process_memory, name, num_subjects, channels, threads).result()


def _process_memory(name: str, num_subjects: int, channels: int, threads: int) -> int:
    torch.set_num_threads(threads)
    IMPLEMENTATIONS[name](*random_walks(num_subjects, channels, 'cpu'))
    # getrusage would include memory that the parent process held at the start.
    status = Path('/proc/self/status').read_text()
    return 1024 * int(status.split('VmHWM:')[1].split()[0])


def check(figures: dict[str, Figures]) -> None:
    """Raises if the implementations return different figures."""
    for name, found in figures.items():
        for figure, value in found.items():
            expected = figures[OURS][figure]
            if not abs(value - expected) <= TOLERANCE:
                raise AssertionError(f'{name}: {figure} is {value:.5f}, expected {expected:.5f}')


def measure(num_subjects: int, args: argparse.Namespace) -> list[dict[str, Any]]:
    """Returns one result for each implementation on one size, timed in turns."""
    embedding, labels = random_walks(num_subjects, args.channels, args.device)
    names = [name for name in IMPLEMENTATIONS if name == OURS or num_subjects <= args.max_plain]
    runs = {name: partial(IMPLEMENTATIONS[name], embedding, labels) for name in names}
    figures = {}
    # A single implementation at the size of the target takes too long to run without timing.
    if len(runs) > 1 or num_subjects != TARGET['subjects']:
        figures = {name: run() for name, run in runs.items()}
        check(figures)
    times = measure_in_turns(runs, args.rounds, lambda name: time_once(runs[name]))
    memory = {}
    if args.memory and args.device == 'cpu' and Path('/proc/self/status').exists():
        memory = {n: process_memory(n, num_subjects, args.channels, args.threads) for n in runs}
    return [
        {
            'subjects': num_subjects,
            'probes': int((labels['take'] == 0).sum()),
            'gallery': int((labels['take'] == 1).sum()),
            'channels': args.channels,
            'implementation': name,
            'seconds': quartiles(times[name]),
            'rounds': times[name],
            'ratio': None if name == OURS else ratio(times[name], times[OURS]),
            'memory': memory.get(name),
            'figures': figures.get(name),
        }
        for name in names
    ]


# Search with faiss #############################################################################

SEARCH_PROTOCOL = GalleryProbeProtocol(
    'search', gallery={'take': 1}, probes={'00': {'take': 0}}, view=None
)
SAMPLES, PROBES, NEIGHBORS = 10, 1000, 10
INDICES = ('HNSW32', 'IVF{lists},Flat')
FLAT = 'faiss flat, rank-1'


def clustered(num_gallery: int, channels: int) -> tuple[Tensor, Labels]:
    """Returns noisy samples of people, ten in the gallery for each, and labels."""
    torch.manual_seed(0)
    num_people = num_gallery // SAMPLES
    probes = torch.randint(num_people, (PROBES,))
    subject = torch.cat([torch.arange(num_people).repeat(SAMPLES), probes])
    embedding = torch.randn(num_people, channels)[subject] + torch.randn(len(subject), channels)
    take = (torch.arange(len(subject)) < num_people * SAMPLES).long()
    return embedding, {'subject': subject, 'take': take}


def measure_search(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Returns a result for each search, or nothing if faiss is not installed."""
    if find_spec('faiss') is None:
        return []
    import faiss

    faiss.omp_set_num_threads(args.threads)
    embedding, labels = clustered(args.gallery, args.channels)
    gallery, probes = labels['take'] == 1, labels['take'] == 0

    def flat() -> float:
        vectors = F.normalize(embedding, dim=1).numpy()
        index = faiss.IndexFlatIP(args.channels)
        index.add(vectors[gallery.numpy()])
        found = torch.from_numpy(index.search(vectors[probes.numpy()], 1)[1][:, 0])
        right = labels['subject'][gallery][found] == labels['subject'][probes]
        return float(right.double().mean())

    def rank1() -> float:
        return gallery_probe(embedding, labels, SEARCH_PROTOCOL).mean_accuracy()

    if abs(flat() - rank1()) > TOLERANCE:
        raise AssertionError(f'faiss: rank-1 is {flat():.5f}, expected {rank1():.5f}')
    search = partial(retrieve, embedding, labels, SEARCH_PROTOCOL, k=NEIGHBORS)
    lists = max(1, round(int(gallery.sum()) ** 0.5))
    indices = [name.format(lists=lists) for name in INDICES]
    runs: dict[str, Callable[[], Any]] = {
        f'{OURS}, rank-1': rank1,
        FLAT: flat,
        f'{OURS}, 10 nearest': search,
        **{f'retrieve, {name}': partial(search, index=name) for name in indices},
    }
    exact = search().nearest
    times = measure_in_turns(runs, args.rounds, lambda name: time_once(runs[name]))

    def recall(run: Callable[[], Any]) -> float:
        found = run().nearest
        return float((exact.unsqueeze(2) == found.unsqueeze(1)).any(2).double().mean())

    own = times[f'{OURS}, rank-1']
    return [
        {
            'search': name,
            'seconds': quartiles(times[name]),
            'ratio': ratio(times[name], own) if name == FLAT else None,
            'recall': recall(run) if name.startswith('retrieve') else None,
        }
        for name, run in runs.items()
    ]


# Reports ######################################################################################

COLUMNS = (
    'subjects',
    'probes',
    'gallery',
    'implementation',
    's',
    'IQR',
    'ratio',
    'from - to',
    'process, MB',
)


def table_row(result: dict[str, Any]) -> tuple[str, ...]:
    """Formats a result as a row of the table."""
    seconds, memory = result['seconds'], result['memory']
    return (
        *(str(result[name]) for name in ('subjects', 'probes', 'gallery', 'implementation')),
        f'{seconds["median"]:#.3g}',
        f'{seconds["high"] - seconds["low"]:#.2g}',
        *ratio_cells(result['ratio'], digits=1),
        '' if memory is None else f'{memory / 1e6:.0f}',
    )


SEARCH_COLUMNS = ('search', 's', 'IQR', 'ratio', 'from - to', f'recall at {NEIGHBORS}')


def search_row(result: dict[str, Any]) -> tuple[str, ...]:
    """Formats a search as a row of the table."""
    seconds, recall = result['seconds'], result['recall']
    return (
        result['search'],
        f'{seconds["median"]:#.3g}',
        f'{seconds["high"] - seconds["low"]:#.2g}',
        *ratio_cells(result['ratio']),
        '' if recall is None else f'{recall:.3f}',
    )


def evaluate_target(results: list[dict[str, Any]], threads: int) -> list[dict[str, Any]]:
    """Compares the results of the target's size with the target."""
    return [
        {
            'seconds': result['seconds']['median'],
            'memory': result['memory'],
            'met': result['seconds']['median'] < TARGET['seconds']
            and (result['memory'] or 0) < TARGET['bytes'],
        }
        for result in results
        if result['implementation'] == OURS
        and result['subjects'] == TARGET['subjects']
        and threads <= TARGET['threads']
    ]


def main(argv: list[str] | None = None) -> list[dict[str, Any]]:
    parser = base_parser(__doc__, rounds=3)
    parser.add_argument('--subjects', type=int, nargs='+', default=SUBJECTS, metavar='N')
    parser.add_argument('--channels', type=int, default=256)
    parser.add_argument(
        '--max-plain', type=int, default=500, help='maximum subjects for sorting all pairs'
    )
    parser.add_argument('--gallery', type=int, default=20_000, help='samples searched by faiss')
    parser.add_argument(
        '--memory',
        action=argparse.BooleanOptionalAction,
        default=True,
        help='also measure memory, in separate processes',
    )
    args = parse_args(parser, argv, TINY)
    facts = environment(args.device, args.threads)
    results = [result for n in args.subjects for result in measure(n, args)]
    print(format_environment(facts), end='\n\n')
    print(markdown_table(COLUMNS, map(table_row, results), left=('implementation',)))
    skipped = [n for n in args.subjects if n > args.max_plain]
    if skipped:
        sizes = ', '.join(map(str, skipped))
        print(f'\nNot measured: {PLAIN} with {sizes} subjects: it stores and sorts all pairs.')
    targets = evaluate_target(results, args.threads)
    for t in targets:
        memory = '' if t['memory'] is None else f' and {t["memory"] / 1e9:.2f} GB'
        print(
            f'\nTarget, {TARGET["subjects"]} subjects: under {TARGET["seconds"]} s and '
            f'{TARGET["bytes"] / 1e9:.0f} GB on {TARGET["threads"]} threads; measured '
            f'{t["seconds"]:.1f} s{memory}: {"met" if t["met"] else "MISSED"}'
        )
    searches = measure_search(args)
    if searches:
        print(f'\n{args.gallery} gallery samples, {PROBES} probes:\n')
        print(markdown_table(SEARCH_COLUMNS, map(search_row, searches), left=SEARCH_COLUMNS[:1]))
    if not searches:
        print('\nNot measured: faiss, which is not installed.')
    write_json(args.json, environment=facts, targets=targets, results=results, searches=searches)
    return results


if __name__ == '__main__':
    main()
