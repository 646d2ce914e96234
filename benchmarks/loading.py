"""Batches a second, side by side with PyG's DataLoader; how long faces take to become graphs.

    python -m benchmarks.loading                                  # 2 to 3 minutes
    python -m benchmarks.loading --skeleton ntu25 --frames 64 --batch 64 --workers 0
    python -m benchmarks.loading --skeleton --images 10000 --size 100     # faces alone
    python -m benchmarks.loading --device cuda                    # batches are moved to the GPU
    python -m benchmarks.loading --tiny                           # does it run: seconds

Every side makes one shuffled pass over the same sequences. Before anything is timed, all sides have
to give the same batches, field by field. Faces are stored, their graph is drawn and its eigenbasis
computed, once for a dataset, and every image is read at the nodes. How to read the tables:
README.md beside this file.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch_geometric.data import Batch, Data, InMemoryDataset
from torch_geometric.loader import DataLoader

from benchmarks.common import (
    base_parser,
    environment,
    format_environment,
    markdown_table,
    parse_args,
    peak_memory,
    quartiles,
    ratio,
    time_in_turns,
    write_json,
)
from graphmotion.data import from_array, graph_loader
from graphmotion.datasets import FaceDataset, MotionDataset
from graphmotion.graphs import pixel_graph
from graphmotion.skeletons import get_skeleton, list_skeletons
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
SAME = "PyG's DataLoader, this dataset"
PLAIN = "PyG's DataLoader, PyG's InMemoryDataset"
AT_LEAST, BATCH = 8, 64  # the target: times as many batches as PyG's loader on the same dataset
MODES = 256  # of the graph of faces
MANY, LARGE, AT_MOST = 10_000, 100, 60.0  # the target: so many images of that size, in seconds

# Sides ########################################################################################


class Walks(MotionDataset):
    """Random positions, with scores and labels."""

    class_names = ('a', 'b', 'c', 'd')

    def __init__(self, skeleton: str, num_samples: int, num_frames: int) -> None:
        self.skeleton = get_skeleton(skeleton)
        self.shape = (num_samples, num_frames, self.skeleton.num_joints, 3)
        super().__init__()

    def read(self) -> Iterator[Data]:
        """Yield the sequences."""
        scores = 0.1 + 0.9 * torch.rand(self.shape[:3])
        for i, (pos, score) in enumerate(zip(torch.randn(self.shape), scores)):
            yield from_array(pos, self.skeleton, score, y=i % 4, subject=i // 4, take=i % 3)


class Plain(InMemoryDataset):
    """Samples as PyG keeps them; it holds on to each once it was asked for."""

    def __init__(self, samples: list[Data], transform: Callable | None) -> None:
        super().__init__(transform=transform)
        self.data, self.slices = self.collate(samples)


def make_sides(
    dataset: Walks, batch: int, transform: Callable | None, args: argparse.Namespace
) -> Callable[[bool], dict[str, Iterable[Batch]]]:
    """A function that makes a loader for each side, with or without shuffling."""
    dataset.transform = None
    plain = Plain(list(dataset), transform)
    dataset.transform = transform  # PyG's loader transforms samples, graph_loader batches

    def sides(shuffle: bool) -> dict[str, Iterable[Batch]]:
        out: dict[str, Iterable[Batch]] = {OURS: graph_loader(dataset, batch, shuffle=shuffle)}
        for workers in args.workers:
            name = f'{SAME}, {workers} workers' if workers else SAME
            out[name] = DataLoader(
                dataset,
                batch,
                shuffle,
                num_workers=workers,
                persistent_workers=workers > 0,
            )
        out[PLAIN] = DataLoader(plain, batch, shuffle)
        return out

    return sides


def check(sides: dict[str, Iterable[Batch]]) -> None:
    """Raise an error unless all sides give the same batches."""
    expected = list(sides[OURS])
    for name, loader in sides.items():
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
    """A function that makes one pass, as a training loop does: a batch is dropped for the next."""

    def run() -> None:
        for batch in loader:
            batch.to(device)

    return run


def measure(
    dataset: Walks, batch: int, stream: str, args: argparse.Namespace
) -> Iterator[dict[str, Any]]:
    """One result for each side."""
    device = torch.device(args.device)
    transform = ToStream(('joint', 'bone'), dataset.skeleton) if stream else None
    sides = make_sides(dataset, batch, transform, args)
    check(sides(False))
    loaders = sides(True)
    runs = {name: consume(loader, device) for name, loader in loaders.items()}
    memory = {
        name: peak_memory(lambda loader=loader: next(iter(loader)).to(device), device)
        for name, loader in loaders.items()
        if not getattr(loader, 'num_workers', 0)  # they hold it elsewhere
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


class Faces(FaceDataset):
    """Random images."""

    class_names = ('a', 'b', 'c', 'd', 'e', 'f', 'g')

    def __init__(self, num_images: int, size: int) -> None:
        self.shape = (num_images, 1, size, size)
        super().__init__()

    def read(self) -> Iterator[Data]:
        """Yield the images."""
        for i in range(self.shape[0]):
            image = torch.randint(256, self.shape[1:], dtype=torch.uint8)
            yield Data(image=image, y=torch.tensor([i % 7]))


def prepare_faces(args: argparse.Namespace) -> dict[str, Any]:
    """The seconds of each step from images to batches of graphs."""
    seconds = {}
    used = time.process_time()
    start = time.perf_counter()
    dataset = Faces(args.images, args.size)
    seconds['store'] = time.perf_counter() - start
    start = time.perf_counter()
    graph = pixel_graph(dataset.size, num_modes=MODES)
    seconds['graph and basis'] = time.perf_counter() - start
    start = time.perf_counter()
    for batch in graph_loader(dataset, BATCH, ToPixelGraph(graph)):
        batch.to(args.device)
    seconds['one pass'] = time.perf_counter() - start
    assert graph.eigenvalues is not None
    total = sum(seconds.values())
    return {
        'images': len(dataset),
        'size': args.size,
        'nodes': graph.num_nodes,
        'modes': len(graph.eigenvalues),
        'seconds': seconds,
        'total': total,
        'processor': time.process_time() - used,
        'met': total < AT_MOST if (args.images, args.size) == (MANY, LARGE) else None,
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
    'MB a batch',
    'ratio',
    'from - to',
)
TEXT_COLUMNS = ('sequences', 'transform', 'implementation')


def table_row(result: dict[str, Any]) -> tuple[str, ...]:
    """A result as the table shows it."""
    speed, faster, memory = result['batches_per_second'], result['ratio'], result['memory']
    return (
        f'{result["skeleton"]}, {result["joints"]}x{result["frames"]}',
        str(result['batch']),
        result['transform'],
        result['implementation'],
        f'{speed["median"]:.0f}',
        f'{speed["high"] - speed["low"]:.0f}',
        f'{speed["median"] * result["batch"]:.0f}',
        '' if memory is None else f'{memory / 1e6:.3g}',
        f'{faster["median"]:.1f}' if faster else '',
        f'{faster["low"]:.1f} - {faster["high"]:.1f}' if faster else '',
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
    """The steps of faces as the table shows them."""
    seconds = [*faces['seconds'].values(), faces['total'], faces['processor']]
    sizes = f'{faces["images"]} of {faces["size"]} x {faces["size"]}'
    return (sizes, str(faces['nodes']), str(faces['modes']), *(f'{s:.2f}' for s in seconds))


def targets(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Where the target applies, what was measured for it: transforms are not assembly."""
    return [
        {
            **{name: result[name] for name in ('skeleton', 'joints', 'frames')},
            'at_least': AT_LEAST,
            'measured': result['ratio']['median'],
            'met': result['ratio']['median'] >= AT_LEAST,
        }
        for result in results
        if (result['implementation'], result['batch'], result['transform']) == (SAME, BATCH, '')
    ]


def make_parser() -> argparse.ArgumentParser:
    """What can be asked for on the command line."""
    out = base_parser(__doc__, rounds=5, seconds=0.1)
    out.add_argument(
        '--skeleton',
        nargs='*',
        choices=list_skeletons(),
        default=['emotion_gait16', 'coco17', 'ntu25'],
        metavar='NAME',
    )
    out.add_argument(
        '--frames', nargs='+', type=int, default=[48, 60, 64], help='frames T, of each skeleton'
    )
    out.add_argument('--batch', nargs='+', type=int, default=[16, 64, 256], help='sequences B')
    out.add_argument('--sequences', type=int, default=512, help='sequences of the dataset')
    out.add_argument(
        '--workers',
        nargs='+',
        type=int,
        default=[0, 1, 2],
        help="worker processes of PyG's loader on the same dataset",
    )
    out.add_argument('--images', type=int, default=MANY, help='faces; 0 leaves them out')
    out.add_argument('--size', type=int, default=LARGE, help='height and width of the images')
    return out


def main(argv: list[str] | None = None) -> list[dict[str, Any]]:
    choice = make_parser()
    args = parse_args(choice, argv, TINY)
    if len(args.frames) == 1 or not args.skeleton:
        args.frames = args.frames[:1] * len(args.skeleton)
    if len(args.frames) != len(args.skeleton):
        choice.error('--frames takes one number, or one for each skeleton')
    facts = environment(args.device, args.threads)
    torch.manual_seed(0)
    results = []
    for skeleton, frames in zip(args.skeleton, args.frames):
        dataset = Walks(skeleton, args.sequences, frames)
        for batch in args.batch:
            for stream in ('', 'joints and bones'):
                results += measure(dataset, batch, stream, args)
    faces = prepare_faces(args) if args.images else None
    print(format_environment(facts))
    if results:
        print('\n' + markdown_table(COLUMNS, map(table_row, results), left=TEXT_COLUMNS))
    judged = targets(results)
    for t in judged:
        print(
            f'\nTarget, {t["skeleton"]} at {BATCH} sequences: {AT_LEAST} times the batches of '
            f'{SAME}; measured {t["measured"]:.1f}: {"met" if t["met"] else "MISSED"}',
            end='',
        )
    print()
    if faces:
        print('\n' + markdown_table(FACE_COLUMNS, [face_table_row(faces)], left=FACE_COLUMNS[:1]))
        if faces['met'] is not None:
            print(f'\nTarget: {AT_MOST:.0f} s; {"met" if faces["met"] else "MISSED"}')
    write_json(args.json, environment=facts, targets=judged, results=results, faces=faces)
    return results


if __name__ == '__main__':
    main()
