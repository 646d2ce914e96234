"""Measures transforms per second against a feeder in plain numpy, as in the code of CTR-GCN.

    python -m benchmarks.transforms                               # a minute
    python -m benchmarks.transforms --batch 64 --frames 100
    python -m benchmarks.transforms --tiny                        # smoke test in seconds

Sequences of two people are cropped, resampled to 64 frames, rotated (in training) and converted to
joint or bone features. Both sides start from sequences in memory and end with a batch. The test
transforms must return the same features before anything is timed. The columns are explained in
benchmarks/README.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from time import process_time
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from benchmarks.common import (
    base_parser,
    environment,
    format_environment,
    measure_in_turns,
    parse_args,
    quartiles,
    ratio,
    ratio_cells,
    relative_error,
    time_once,
    write_json,
)
from graphmotion.data import from_array, graph_loader
from graphmotion.metrics import markdown_table
from graphmotion.skeletons import get_skeleton
from graphmotion.transforms import ctr_gcn_test_transform, ctr_gcn_train_transform

OURS, PLAIN = 'graphmotion', 'numpy, one sample at a time'
TINY = {'sequences': 4, 'batch': 2, 'frames': 10}
TOLERANCE = 1e-4
WINDOW, ANGLE = 64, 0.3
SKELETON = get_skeleton('ntu25_st_gcn')
PARENTS = SKELETON.parents
COLUMNS = ('transform', 'stream', 'implementation', 'sequences/s', 'IQR', 'ratio', 'from - to')


def random_sequences(count: int, frames: int) -> np.ndarray:
    """Returns positions [N, C, T, V, M] of two people with the first one's spine at the origin."""
    rng = np.random.default_rng(0)
    pos = rng.standard_normal((count, 3, frames, SKELETON.num_joints, 2)).astype(np.float32)
    spine = SKELETON.index('spine_mid')
    return pos - pos[:, :, :1, spine : spine + 1, :1]


# Plain numpy ##################################################################################


def crop_and_resize(pos: np.ndarray, train: bool, rng: np.random.Generator) -> np.ndarray:
    """Crops a sequence [C, T, V, M] and resamples it by linear interpolation."""
    channels, frames, joints, people = pos.shape
    if train:
        length = int(frames * rng.uniform(0.5, 1))
        length = max(length, min(frames, WINDOW))
        start = rng.integers(0, frames - length + 1)
        pos = pos[:, start : start + length]
    else:
        start = int((1 - 0.95) * frames / 2)
        pos = pos[:, start : frames - start]
    series = torch.from_numpy(pos.transpose(0, 2, 3, 1).reshape(1, -1, pos.shape[1]))
    resized = interpolate(series, size=WINDOW, mode='linear', align_corners=False)
    return resized.numpy().reshape(channels, joints, people, WINDOW).transpose(0, 3, 1, 2)


def rotate(pos: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rotates a sequence [C, T, V, M] about x, y and z by random angles."""
    angles = rng.uniform(-ANGLE, ANGLE, 3)
    (sx, sy, sz), (cx, cy, cz) = np.sin(angles), np.cos(angles)
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    matrix = (about_z @ about_y @ about_x).astype(np.float32)
    return (matrix @ pos.reshape(3, -1)).reshape(pos.shape)


def bones(pos: np.ndarray) -> np.ndarray:
    """Subtracts the position of its parent from each joint."""
    out = np.zeros_like(pos)
    for joint, parent in enumerate(PARENTS):
        out[:, :, joint] = pos[:, :, joint] - pos[:, :, parent]
    return out


def plain_pass(sequences: np.ndarray, stream: str, train: bool, batch: int) -> list[Tensor]:
    """Returns the batches [B, C, T, V, M] of one pass over the sequences."""
    rng = np.random.default_rng(0)
    out = []
    for start in range(0, len(sequences), batch):
        samples = []
        for pos in sequences[start : start + batch]:
            pos = crop_and_resize(pos, train, rng)
            pos = rotate(pos, rng) if train else pos
            pos = bones(pos) if stream == 'bone' else pos
            samples.append(torch.from_numpy(np.ascontiguousarray(pos)))
        out.append(torch.stack(samples))
    return out


# Measurement ##################################################################################


def make_runs(
    sequences: np.ndarray, stream: str, train: bool, batch: int
) -> dict[str, Callable[[], list[Tensor]]]:
    """Returns functions that make one pass and return its batches."""
    make = ctr_gcn_train_transform if train else ctr_gcn_test_transform
    samples = [from_array(pos, SKELETON, axes='CTVM', y=0) for pos in sequences]
    loader = graph_loader(samples, batch, make('ntu', stream))
    return {
        OURS: lambda: [data.x for data in loader],
        PLAIN: lambda: plain_pass(sequences, stream, train, batch),
    }


def check(runs: dict[str, Callable[[], list[Tensor]]]) -> None:
    """Raises if the implementations return different features."""
    expected = [
        x.permute(0, 4, 3, 2, 1).reshape(-1, WINDOW, 3)  # [B, C, T, V, M] to [B * M * V, T, C]
        for x in runs[PLAIN]()
    ]
    error = relative_error(runs[OURS](), expected)
    if not error <= TOLERANCE:
        raise AssertionError(f'{OURS} and {PLAIN} differ by {error:.1e}')


def measure(stream: str, train: bool, args: argparse.Namespace) -> list[dict[str, Any]]:
    """Returns one result for each implementation, timed in turns in processor seconds."""
    sequences = random_sequences(args.sequences, args.frames)
    check(make_runs(sequences, stream, False, args.batch))
    runs = make_runs(sequences, stream, train, args.batch)
    times = measure_in_turns(runs, args.rounds, lambda name: time_once(runs[name], process_time))
    return [
        {
            'transform': 'train' if train else 'test',
            'stream': stream,
            'implementation': name,
            'sequences_per_second': quartiles([len(sequences) / t for t in times[name]]),
            'rounds': times[name],
            'ratio': None if name == OURS else ratio(times[name], times[OURS]),
        }
        for name in runs
    ]


def table_row(result: dict[str, Any]) -> tuple[str, ...]:
    """Formats a result as a row of the table."""
    speed = result['sequences_per_second']
    return (
        result['transform'],
        result['stream'],
        result['implementation'],
        f'{speed["median"]:.0f}',
        f'{speed["high"] - speed["low"]:.0f}',
        *ratio_cells(result['ratio']),
    )


def main(argv: list[str] | None = None) -> list[dict[str, Any]]:
    parser = base_parser(__doc__, rounds=9)
    parser.add_argument('--sequences', type=int, default=256, help='number of sequences')
    parser.add_argument('--batch', type=int, default=64, help='batch size B')
    parser.add_argument('--frames', type=int, default=100, help='frames of a sequence')
    args = parse_args(parser, argv, TINY)
    facts = environment(args.device, args.threads)
    results = [
        result
        for train in (False, True)
        for stream in ('joint', 'bone')
        for result in measure(stream, train, args)
    ]
    print(format_environment(facts), end='\n\n')
    print(markdown_table(COLUMNS, map(table_row, results), left=COLUMNS[:3]))
    write_json(args.json, environment=facts, results=results)
    return results


if __name__ == '__main__':
    main()
