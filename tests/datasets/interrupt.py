"""Processing of raw files that is killed at random moments and continued.

Run by hand, with the number of times for each dataset and number of workers:

    python -m tests.datasets.interrupt 20
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import random
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from graphmotion.data import GraphDataset
from graphmotion.data import journal as journals
from graphmotion.datasets import (
    NTURGBD,
    CASIABPose,
    CASIABSilhouettes,
    FaceFolder,
    OUMVLPPose,
    PoseFolder,
)
from tests.datasets.images import picture, write
from tests.datasets.silhouettes import clip, pack, write_images
from tests.io.test_ntu_skeleton import text


class RawSet(NamedTuple):
    """A dataset, and how its raw files are written to a folder."""

    write: Callable[[Path], None]
    make: Callable[..., GraphDataset]


def _write_ntu(raw: Path) -> None:
    rng = np.random.default_rng(0)
    for number in range(1, 41):
        frames = [{7: rng.normal(size=(25, 3)).round(4)} for _ in range(2 + number % 5)]
        content = '3\nnot a number' if number % 8 == 0 else text(frames)
        (raw / f'S001C001P001R001A{number:03d}.skeleton').write_text(content)


def _write_silhouettes(raw: Path) -> None:
    for number in range(1, 13):
        folder = raw / f'{number:03d}' / 'nm-01' / '090'
        write_images(folder, clip(2 + number % 3, seed=number))
        if number % 5 == 0:
            (folder / '001.png').write_bytes(b'damaged')
    pack(raw)


def _write_poses(raw: Path) -> None:
    rng = np.random.default_rng(0)
    for number in range(1, 25):
        poses = rng.uniform(1, 300, size=(2 + number % 4, 17, 3))
        poses[..., 2] = 0.5
        path = raw / f'{number:03d}' / 'nm-01' / '090' / '090.pkl'
        path.parent.mkdir(parents=True)
        path.write_bytes(pickle.dumps(poses[: 0 if number == 9 else None]))


def _write_oumvlp(raw: Path) -> None:
    _write_poses(raw)
    for path in sorted(raw.glob('*/nm-01/090/090.pkl')):
        target = raw / f'00{path.parts[-4]}' / '00' / '090' / '090.pkl'
        target.parent.mkdir(parents=True)
        path.rename(target)
        copy = target.with_name('copy.pkl')  # has the labels of the other
        copy.write_bytes(target.read_bytes())


def _write_recordings(raw: Path) -> None:
    rng = np.random.default_rng(0)
    for number in range(24):
        # Two or three dimensions, and bodies that seem to have scores.
        pos = rng.uniform(0, 1, size=(3, 17, 3 if number == 7 else 2))
        folder = raw / ('walk', 'run')[number % 2]
        folder.mkdir(exist_ok=True)
        np.save(folder / f'{number}.npy', pos)
    (raw / 'run' / '30.npy').write_bytes(b'damaged')


def _write_faces(raw: Path) -> None:
    for number in range(24):
        path = raw / ('happy', 'sad')[number % 2] / f'{number}.png'
        write(path, picture(10 * number, (8, 9)))
        if number % 6:
            points = ''.join(f'{x} {number % 8}\n' for x in range(68))
            path.with_suffix('.pts').write_text(f'version: 1\nn_points: 68\n{{\n{points}}}\n')
        if number == 8:
            path.write_bytes(b'damaged')


SETS = {
    'NTURGBD': RawSet(_write_ntu, NTURGBD),
    'CASIABSilhouettes': RawSet(_write_silhouettes, CASIABSilhouettes),
    'CASIABPose': RawSet(
        _write_poses, lambda root, **options: CASIABPose(root, min_frames=3, **options)
    ),
    'OUMVLPPose': RawSet(
        _write_oumvlp, lambda root, **options: OUMVLPPose(root, min_frames=3, **options)
    ),
    'PoseFolder': RawSet(
        _write_recordings, lambda root, **options: PoseFolder(root, 'coco17', 'numpy', **options)
    ),
    'FaceFolder': RawSet(
        _write_faces, lambda root, **options: FaceFolder(root, 6, landmarks=True, **options)
    ),
}


def write_set(name: str, root: Path) -> RawSet:
    """Writes the raw files of a set."""
    (root / 'raw').mkdir(parents=True)
    SETS[name].write(root / 'raw')
    return SETS[name]


def processed(root: Path) -> dict[str, bytes]:
    """Returns the contents of the processed files."""
    return {path.name: path.read_bytes() for path in (root / 'processed').iterdir()}


def start(make: Callable[..., Any], root: Path, **options: Any) -> multiprocessing.Process:
    """Starts to process a set in a group of processes of its own, with a journal of each sample."""
    process = multiprocessing.get_context('fork').Process(
        target=_process, args=(make, root, options)
    )
    process.start()
    return process


def _process(make: Callable[..., Any], root: Path, options: dict[str, Any]) -> None:
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    journals._SECONDS = 0.0
    warnings.simplefilter('ignore')
    make(root, **options)


def kill_and_continue(name: str, num_workers: int, times: int, seed: int) -> int:
    """Kills the processing at random moments, continues, and compares the result with that of an
    undisturbed run; returns how often a journal was left.
    """
    rng = random.Random(seed)
    num_journals = 0
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make = write_set(name, root).make
        begin = time.monotonic()
        start(make, root, num_workers=num_workers).join()
        duration = time.monotonic() - begin
        expected = processed(root)
        for _ in range(times):
            shutil.rmtree(root / 'processed')
            for _ in range(2):
                process = start(make, root, num_workers=num_workers)
                process.join(rng.uniform(0, duration))
                process.kill()
                process.join()
            num_journals += bool(list(root.glob('processed/*.parts')))
            process = start(make, root, num_workers=num_workers)
            process.join()
            assert process.exitcode == 0
            found = processed(root)
            # A kill while the last file is written leaves its temporary file.
            assert {n: c for n, c in found.items() if not n.endswith('.tmp')} == expected
    return num_journals


def main(times: int) -> None:
    """Kills the processing of each dataset and prints how often a journal was left."""
    print('| dataset | workers | times killed | with a journal | seconds |\n|---|---|---|---|---|')
    for name in SETS:
        for num_workers in (0, 2):
            begin = time.monotonic()
            found = kill_and_continue(name, num_workers, times, seed=num_workers)
            seconds = time.monotonic() - begin
            print(f'| {name} | {num_workers} | {2 * times} | {found} | {seconds:.1f} |', flush=True)


if __name__ == '__main__':
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
