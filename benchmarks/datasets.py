"""Times the processing of raw files as many as in NTU RGB+D 120 and OU-MVLP.

    python -m benchmarks.datasets --files 2000                    # a part of each set, minutes
    python -m benchmarks.datasets --set ntu120 --files 114480     # all files, 50 GB
    python -m benchmarks.datasets --tiny                          # smoke test in seconds

Raw files are generated in a temporary folder and processed with each number of workers, which must
give the same file. Times and sizes are extrapolated to the number of files of the whole set. The
columns are explained in benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import hashlib
import pickle
import resource
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from itertools import cycle, islice, product
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil
import torch

from benchmarks.common import base_parser, environment, format_environment, parse_args, write_json
from graphmotion.data import GraphDataset, graph_loader
from graphmotion.datasets import NTURGBD, OUMVLP
from graphmotion.metrics import markdown_table

TINY = {'files': [24], 'workers': [0, 2]}
BATCH_SIZE = 64
# Number of different contents of the files.
NUM_CONTENTS = 16


class GeneratedSet(NamedTuple):
    """A dataset, the number of its files, and generators of their paths and contents."""

    num_files: int
    make: Callable[..., GraphDataset]
    paths: Callable[[], Iterator[str]]
    content: Callable[[np.random.Generator], bytes]


def ntu_paths() -> Iterator[str]:
    """Yields 115,200 names of recordings."""
    grid = product(range(1, 33), range(1, 4), range(1, 11), range(1, 121))
    return (f'S{s:03d}C{c:03d}P{p:03d}R001A{a:03d}.skeleton' for s, c, p, a in grid)


def ntu_content(rng: np.random.Generator) -> bytes:
    """Returns the text of a recording of 40 to 140 frames; two people in a quarter of them."""
    num_frames, num_bodies = rng.integers(40, 141), 1 + int(rng.random() < 0.25)
    lines = [f'{num_frames}']
    base = rng.normal(size=(num_bodies, 25, 3)) * [0.2, 0.5, 0.1]
    for _ in range(num_frames):
        lines.append(f'{num_bodies}')
        for body, pos in enumerate(base + 0.1 * rng.normal(size=base.shape)):
            lines += [f'{72057594037931101 + body} 0 1 1 1 1 0 0.01 -0.25 2', '25']
            for x, y, z in pos + np.array([2.0 * body, 0, 3]):
                lines.append(
                    f'{x:.7f} {y:.7f} {z:.7f} 277.4196 191.8218 1036.233 519.1677 '
                    '-0.2059 0.05163 0.9692 -0.1252 2'
                )
    return '\n'.join(lines).encode()


def ou_mvlp_paths() -> Iterator[str]:
    """Yields the paths of two sequences of 10,307 subjects from 14 views."""
    views = [*range(0, 91, 15), *range(180, 271, 15)]
    grid = product(range(1, 10308), range(2), views)
    return (f'{s:05d}/{take:02d}/{view:03d}/{view:03d}.pkl' for s, take, view in grid)


def ou_mvlp_content(rng: np.random.Generator) -> bytes:
    """Returns the pickle of 18 to 35 aligned silhouettes."""
    images = np.zeros((rng.integers(18, 36), 64, 44), np.uint8)
    for image in images:
        left, right = rng.integers(8, 18), rng.integers(26, 36)
        image[:, left:right] = 255
    return pickle.dumps(images)


SETS = {
    'ntu120': GeneratedSet(
        114_480, lambda root, **o: NTURGBD(root, 'ntu120', **o), ntu_paths, ntu_content
    ),
    'ou_mvlp': GeneratedSet(10_307 * 28, OUMVLP, ou_mvlp_paths, ou_mvlp_content),
}

# Measurement ##################################################################################


def write_files(name: str, raw: Path, num_files: int) -> int:
    """Writes raw files and returns their number of bytes."""
    generated, total = SETS[name], 0
    rng = np.random.default_rng(0)
    contents = [generated.content(rng) for _ in range(NUM_CONTENTS)]
    for path, content in zip(islice(generated.paths(), num_files), cycle(contents)):
        (raw / path).parent.mkdir(parents=True, exist_ok=True)
        (raw / path).write_bytes(content)
        total += len(content)
    return total


@contextmanager
def sampled_memory() -> Iterator[list[int]]:
    """Samples the memory of this process and its children, without files, every 20 ms."""
    samples, stop = [0], threading.Event()

    def sample() -> None:
        this = psutil.Process()
        while not stop.wait(0.02):
            with suppress(psutil.Error):  # a process has ended
                used = [p.memory_info() for p in [this, *this.children()]]
                samples.append(sum(u.rss - u.shared for u in used))

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield samples
    finally:
        stop.set()
        thread.join()


def process(name: str, root: Path, num_workers: int, threads: int) -> dict[str, Any]:
    """Processes a set, and opens it again until the first batch."""
    torch.set_num_threads(threads)
    make = SETS[name].make
    with sampled_memory() as samples:
        begin = time.perf_counter()
        make(root, num_workers=num_workers)
        seconds = time.perf_counter() - begin
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    begin = time.perf_counter()
    dataset = make(root)
    next(iter(graph_loader(dataset, min(BATCH_SIZE, len(dataset)), shuffle=True)))
    first_batch = time.perf_counter() - begin
    (path,) = (root / 'processed').iterdir()
    return {
        'seconds': seconds,
        'processor': sum(u.ru_utime + u.ru_stime for u in used),
        'memory': max(samples),
        'processed': path.stat().st_size,
        'first_batch': first_batch,
        'hash': hashlib.sha256(path.read_bytes()).hexdigest(),
    }


def measure(name: str, num_files: int, args: argparse.Namespace) -> list[dict[str, Any]]:
    """Returns one result for each number of workers."""
    results = []
    full = SETS[name].num_files
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        root = Path(folder)
        raw = write_files(name, root / 'raw', num_files)
        for num_workers in args.workers:
            shutil.rmtree(root / 'processed', ignore_errors=True)
            # In a process of its own, whose memory is that of the processing.
            with ProcessPoolExecutor(1, mp_context=get_context()) as pool:
                found = pool.submit(process, name, root, num_workers, args.threads).result()
            scale = full / num_files
            results.append(
                {
                    'set': name,
                    'files': num_files,
                    'workers': num_workers,
                    'raw': raw,
                    **found,
                    'full': {
                        'files': full,
                        'seconds': scale * found['seconds'],
                        'raw': scale * raw,
                        'processed': scale * found['processed'],
                    },
                }
            )
    if len({result['hash'] for result in results}) > 1:
        raise AssertionError(f'{name}: the processed files differ between numbers of workers')
    return results


# Reports ######################################################################################

COLUMNS = (
    'set',
    'files',
    'workers',
    's',
    'processor, ms per file',
    'memory, MB',
    'raw, MB',
    'processed, MB',
    'first batch, ms',
    'all files, min',
    'all raw, GB',
    'all processed, GB',
)


def table_row(result: dict[str, Any]) -> tuple[str, ...]:
    """Formats a result as a row of the table."""
    full = result['full']
    return (
        result['set'],
        str(result['files']),
        str(result['workers']),
        f'{result["seconds"]:#.3g}',
        f'{1e3 * result["processor"] / result["files"]:#.3g}',
        f'{result["memory"] / 1e6:.0f}',
        f'{result["raw"] / 1e6:.1f}',
        f'{result["processed"] / 1e6:.1f}',
        f'{1e3 * result["first_batch"]:.0f}',
        f'{full["seconds"] / 60:#.3g}',
        f'{full["raw"] / 1e9:#.3g}',
        f'{full["processed"] / 1e9:#.3g}',
    )


def main(argv: list[str] | None = None) -> list[dict[str, Any]]:
    parser = base_parser(__doc__, rounds=1)
    parser.add_argument('--set', nargs='+', choices=list(SETS), default=list(SETS))
    parser.add_argument('--files', type=int, nargs='+', default=[2000], metavar='N')
    parser.add_argument('--workers', type=int, nargs='+', default=[0, 1, 2], metavar='N')
    parser.add_argument(
        '--folder', type=Path, help='where the files are generated (default: the temporary folder)'
    )
    args = parse_args(parser, argv, TINY)
    facts = environment(args.device, args.threads)
    results = [
        result
        for name in args.set
        for num_files in args.files
        for result in measure(name, min(num_files, SETS[name].num_files), args)
    ]
    print(format_environment(facts), end='\n\n')
    print(markdown_table(COLUMNS, map(table_row, results), left=('set',)))
    write_json(args.json, environment=facts, results=results)
    return results


if __name__ == '__main__':
    main()
