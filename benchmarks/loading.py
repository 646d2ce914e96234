"""Measures batches per second against PyG's DataLoader, and the preparation of faces.

    python -m benchmarks.loading                                  # 2 to 3 minutes
    python -m benchmarks.loading --skeleton ntu25 --frames 64 --batch 64 --workers 0
    python -m benchmarks.loading --skeleton --images 10000 --size 100     # faces only
    python -m benchmarks.loading --device cuda                    # moves batches to the GPU
    python -m benchmarks.loading --tiny                           # smoke test in seconds

Each loader makes one shuffled pass over the same sequences. All loaders must return identical
batches before anything is timed. For faces, the images are stored, a graph with its eigenbasis is
made once per dataset, and every image is sampled at the nodes. The columns are explained in
benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch_geometric.data import Batch, Data
from torch_geometric.loader import DataLoader

from benchmarks.common import (
    base_parser,
    environment,
    format_environment,
    parse_args,
    peak_memory,
    quartiles,
    ratio,
    ratio_cells,
    time_in_turns,
    write_json,
)
from benchmarks.random_motion import RandomMotion, StoredSamples
from graphmotion.data import graph_loader
from graphmotion.datasets import FaceDataset
from graphmotion.graphs import pixel_graph
from graphmotion.metrics import markdown_table
from graphmotion.skeletons import list_skeletons
from graphmotion.transforms import ToPixelGraph, ToStream

TINY = {
    'skeleton': ['emotion_gait16'],
    'frames': [4],
    'batch': [4],
    'sequences': 8,
    'workers': [0, 1],
    'images': 10,
    'size': 12,
}
OURS = 'graphmotion'
PYG = "PyG's DataLoader, this dataset"
PYG_IN_MEMORY = "PyG's DataLoader, PyG's InMemoryDataset"
TARGET = {'batch': 64, 'ratio': 8}  # against PyG's loader on the same dataset
FACE_TARGET = {'images': 10_000, 'size': 100, 'seconds': 60.0}
FACE_MODES, FACE_BATCH = 256, 64

# Loaders ######################################################################################


def make_loaders(
    dataset: RandomMotion, batch: int, transform: Callable | None, args: argparse.Namespace
) -> Callable[[bool], dict[str, Iterable[Batch]]]:
    """Returns a function that makes all loaders, with or without shuffling."""
    dataset.transform = None
    stored = StoredSamples(list(dataset), transform)
    dataset.transform = transform  # PyG's loader transforms samples, graph_loader batches

    def make(shuffle: bool) -> dict[str, Iterable[Batch]]:
        out: dict[str, Iterable[Batch]] = {OURS: graph_loader(dataset, batch, shuffle=shuffle)}
        for workers in args.workers:
            name = f'{PYG}, {workers} workers' if workers else PYG
            out[name] = DataLoader(
                dataset,
                batch,
                shuffle,
                num_workers=workers,
                persistent_workers=workers > 0,
            )
        out[PYG_IN_MEMORY] = DataLoader(stored, batch, shuffle)
        return out

    return make


def check(loaders: dict[str, Iterable[Batch]]) -> None:
    """Raises if the loaders return different batches."""
    expected = list(loaders[OURS])
    for name, loader in loaders.items():
        batches = list(loader)
        if len(batches) != len(expected):
            raise AssertionError(f'{name}: {len(batches)} batches, expected {len(expected)}')
        for ours, theirs in zip(expected, batches):
            a, b = ours.to_dict(), theirs.to_dict()
            if a.keys() != b.keys():
                raise AssertionError(f'{name}: fields differ, {sorted(b)} and {sorted(a)}')
            for field, value in a.items():
                if not torch.equal(value, b[field]):
                    raise AssertionError(f'{name}: the field {field!r} differs')


# Measurement ##################################################################################


def consume(loader: Iterable[Batch], device: torch.device) -> Callable[[], None]:
    """Returns a function that makes one pass and keeps no batch, like a training loop."""

    def run() -> None:
        for batch in loader:
            batch.to(device)

    return run


def measure(
    dataset: RandomMotion, batch: int, stream: str, args: argparse.Namespace
) -> Iterator[dict[str, Any]]:
    """Yields one result for each loader."""
    device = torch.device(args.device)
    transform = ToStream(('joint', 'bone'), dataset.skeleton) if stream else None
    make = make_loaders(dataset, batch, transform, args)
    check(make(False))
    loaders = make(True)
    runs = {name: consume(loader, device) for name, loader in loaders.items()}
    memory = {
        name: peak_memory(lambda loader=loader: next(iter(loader)).to(device), device)
        for name, loader in loaders.items()
        if not getattr(loader, 'num_workers', 0)  # allocated in other processes
    }
    times = time_in_turns(runs, args.rounds, args.seconds, args.threads)
    num_batches = -(-len(dataset) // batch)
    for name, rounds in times.items():
        yield {
            'skeleton': dataset.skeleton.name,
            'joints': dataset.skeleton.num_joints,
            'frames': dataset.shape[1],
            'batch': batch,
            'transform': stream,
            'implementation': name,
            'seconds': quartiles(rounds),
            'rounds': rounds,
            'batches_per_second': quartiles([num_batches / t for t in rounds]),
            'memory': memory.get(name),
            'ratio': None if name == OURS else ratio(rounds, times[OURS]),
        }


class RandomFaces(FaceDataset):
    """Random images."""

    class_names = ('a', 'b', 'c', 'd', 'e', 'f', 'g')

    def __init__(self, num_images: int, size: int) -> None:
        self.shape = (num_images, 1, size, size)
        super().__init__()

    def read(self) -> Iterator[Data]:
        """Yields the images."""
        for i in range(self.shape[0]):
            image = torch.randint(256, self.shape[1:], dtype=torch.uint8)
            yield Data(image=image, y=torch.tensor([i % 7]))


def prepare_faces(args: argparse.Namespace) -> dict[str, Any]:
    """Times each step from images to batches of graphs."""
    seconds = {}
    cpu_start = time.process_time()
    start = time.perf_counter()
    dataset = RandomFaces(args.images, args.size)
    seconds['store'] = time.perf_counter() - start
    start = time.perf_counter()
    graph = pixel_graph(dataset.size, num_modes=FACE_MODES)
    seconds['graph and basis'] = time.perf_counter() - start
    start = time.perf_counter()
    for batch in graph_loader(dataset, FACE_BATCH, ToPixelGraph(graph)):
        batch.to(args.device)
    seconds['one pass'] = time.perf_counter() - start
    assert graph.eigenvalues is not None
    total = sum(seconds.values())
    is_target = (args.images, args.size) == (FACE_TARGET['images'], FACE_TARGET['size'])
    return {
        'images': len(dataset),
        'size': args.size,
        'nodes': graph.num_nodes,
        'modes': len(graph.eigenvalues),
        'seconds': seconds,
        'total': total,
        'processor': time.process_time() - cpu_start,
        'met': total < FACE_TARGET['seconds'] if is_target else None,
    }


# Reports ######################################################################################

COLUMNS = (
    'sequences',
    'batch',
    'transform',
    'implementation',
    'batches/s',
    'IQR',
    'sequences/s',
    'MB per batch',
    'ratio',
    'from - to',
)
TEXT_COLUMNS = ('sequences', 'transform', 'implementation')


def table_row(result: dict[str, Any]) -> tuple[str, ...]:
    """Formats a result as a row of the table."""
    speed, memory = result['batches_per_second'], result['memory']
    return (
        f'{result["skeleton"]}, {result["joints"]}x{result["frames"]}',
        str(result['batch']),
        result['transform'],
        result['implementation'],
        f'{speed["median"]:.0f}',
        f'{speed["high"] - speed["low"]:.0f}',
        f'{speed["median"] * result["batch"]:.0f}',
        '' if memory is None else f'{memory / 1e6:.3g}',
        *ratio_cells(result['ratio'], digits=1),
    )


FACE_COLUMNS = (
    'images',
    'nodes',
    'modes',
    'store, s',
    'graph and basis, s',
    'one pass, s',
    'sum, s',
    'processor, s',
)


def face_table_row(faces: dict[str, Any]) -> tuple[str, ...]:
    """Formats the steps of face preparation as a row of their table."""
    seconds = [*faces['seconds'].values(), faces['total'], faces['processor']]
    sizes = f'{faces["images"]} of {faces["size"]} x {faces["size"]}'
    return (sizes, str(faces['nodes']), str(faces['modes']), *(f'{s:.2f}' for s in seconds))


def evaluate_targets(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Compares the results at the target's batch size, without transforms, with the target."""
    return [
        {
            **{name: result[name] for name in ('skeleton', 'joints', 'frames')},
            'at_least': TARGET['ratio'],
            'measured': result['ratio']['median'],
            'met': result['ratio']['median'] >= TARGET['ratio'],
        }
        for result in results
        if (result['implementation'], result['batch'], result['transform'])
        == (PYG, TARGET['batch'], '')
    ]


def make_parser() -> argparse.ArgumentParser:
    """Returns the command-line options."""
    out = base_parser(__doc__, rounds=5, seconds=0.1)
    out.add_argument(
        '--skeleton',
        nargs='*',
        choices=list_skeletons(),
        default=['emotion_gait16', 'coco17', 'ntu25'],
        metavar='NAME',
    )
    out.add_argument(
        '--frames',
        nargs='+',
        type=int,
        default=[48, 60, 64],
        help='number of frames T for each skeleton',
    )
    out.add_argument('--batch', nargs='+', type=int, default=[16, 64, 256], help='batch sizes B')
    out.add_argument('--sequences', type=int, default=512, help='number of sequences')
    out.add_argument(
        '--workers',
        nargs='+',
        type=int,
        default=[0, 1, 2],
        help="worker processes of PyG's loader on the same dataset",
    )
    out.add_argument('--images', type=int, default=10_000, help='number of faces, 0 to skip them')
    out.add_argument('--size', type=int, default=100, help='height and width of the images')
    return out


def main(argv: list[str] | None = None) -> list[dict[str, Any]]:
    parser = make_parser()
    args = parse_args(parser, argv, TINY)
    if len(args.frames) == 1 or not args.skeleton:
        args.frames = args.frames[:1] * len(args.skeleton)
    if len(args.frames) != len(args.skeleton):
        parser.error('--frames must have one value, or one value for each skeleton')
    facts = environment(args.device, args.threads)
    torch.manual_seed(0)
    results = []
    for skeleton, frames in zip(args.skeleton, args.frames):
        dataset = RandomMotion(skeleton, args.sequences, frames)
        for batch in args.batch:
            for stream in ('', 'joints and bones'):
                results += measure(dataset, batch, stream, args)
    faces = prepare_faces(args) if args.images else None
    print(format_environment(facts))
    if results:
        print('\n' + markdown_table(COLUMNS, map(table_row, results), left=TEXT_COLUMNS))
    targets = evaluate_targets(results)
    for t in targets:
        print(
            f'\nTarget, {t["skeleton"]}, batch size {TARGET["batch"]}: {TARGET["ratio"]} times the '
            f'speed of {PYG}; measured {t["measured"]:.1f}: {"met" if t["met"] else "MISSED"}',
            end='',
        )
    print()
    if faces:
        print('\n' + markdown_table(FACE_COLUMNS, [face_table_row(faces)], left=FACE_COLUMNS[:1]))
        if faces['met'] is not None:
            print(
                f'\nTarget: {FACE_TARGET["seconds"]:.0f} s; {"met" if faces["met"] else "MISSED"}'
            )
    write_json(args.json, environment=facts, targets=targets, results=results, faces=faces)
    return results


if __name__ == '__main__':
    main()
