"""The USF gait challenge dataset."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from torch_geometric.data import Data

from graphmotion.datasets.silhouette_dataset import SilhouetteDataset, silhouette_sample
from graphmotion.io import MalformedFileError, SkippedSamples, read_matlab
from graphmotion.io.files import read_file

_NUM_SUBJECTS = 71
_SIZE = (32, 22)
_NUM_FRAMES = 10
# Whether surface, shoe and camera differ from the gallery, in the gallery and the probes A to G.
_DIFFERENCES = (
    *((0, 0, 0), (0, 0, 1), (0, 1, 0), (0, 1, 1)),
    *((1, 0, 0), (1, 1, 0), (1, 0, 1), (1, 1, 1)),
)


class USFGait(SilhouetteDataset):
    r"""Silhouettes of the USF/NIST gait challenge, version 1.7, from the `"The HumanID Gait
    Challenge Problem: Data Sets, Performance, and Analysis"
    <https://doi.org/10.1109/TPAMI.2005.39>`_ paper, in the form of the `"MPCA: Multilinear
    Principal Component Analysis of Tensor Objects" <https://doi.org/10.1109/TNN.2007.901277>`_
    paper: each sample is half a gait cycle, resampled to 10 frames of size 32 x 22.

    The gallery consists of 731 samples of 71 subjects. The probes A to G contain 41 to 71 of these
    subjects and differ from the gallery in camera, shoe and surface. Samples have the fields
    :obj:`silhouettes` :math:`(1, 10, 32, 22)` (1 on the body, which is 0 in the files),
    :obj:`num_frames`, :obj:`subject` (0..70, the number in the files minus 1), :obj:`probe` (0 for
    the gallery, 1..7 for A to G), :obj:`surface` (0 grass, 1 concrete), :obj:`shoe` and
    :obj:`camera` (0 as in the gallery, 1 the other one), :obj:`take` (the half cycles of a subject,
    numbered from 1 for each probe in the order of the file) and :obj:`y`, the subject. The 131
    samples in D to G whose subject is not in the gallery are skipped with a warning.

    The protocol :obj:`"gallery"` trains on the gallery and tests on all probes:

    .. code-block:: python

        gallery, probes = USFGait('data/usf_gait').official_split()

    Args:
        root (str or Path): Root directory, whose folder :obj:`raw/` contains :obj:`Gal.mat` and
            :obj:`PrbA.mat` to :obj:`PrbG.mat`.
        num_strips (int, optional): Number of nodes of a sample. (default: :obj:`16`)
        transform (callable, optional): Applied to each sample on access. (default: :obj:`None`)
        pre_transform (callable, optional): Applied to each sample once, before it is stored.
            (default: :obj:`None`)
        pre_filter (callable, optional): Samples for which it returns :obj:`False` are not stored.
            (default: :obj:`None`)
        force_reload (bool, optional): If :obj:`True`, processes the raw files again.
            (default: :obj:`False`)

    Raises:
        FileNotFoundError: If the raw files are missing.
        ValueError: If :obj:`num_strips` is not positive, or a file is damaged or invalid.
    """

    class_names = tuple(f'{number:03d}' for number in range(1, _NUM_SUBJECTS + 1))
    #: Names of the values of :obj:`probe`.
    probe_names = ('gallery', *'ABCDEFG')
    protocols = {'gallery': ('probe', (0,))}
    source = 'the tensors of the MPCA paper, https://doi.org/10.1109/TNN.2007.901277'

    def __init__(
        self,
        root: str | Path,
        num_strips: int = 16,
        transform: Callable | None = None,
        pre_transform: Callable | None = None,
        pre_filter: Callable | None = None,
        force_reload: bool = False,
    ) -> None:
        super().__init__(
            root,
            num_strips,
            _SIZE,
            transform=transform,
            pre_transform=pre_transform,
            pre_filter=pre_filter,
            force_reload=force_reload,
        )

    @property
    def raw_file_names(self) -> list[str]:
        r"""A file for the gallery and for each set of probes."""
        return ['Gal.mat', *(f'Prb{name}.mat' for name in self.probe_names[1:])]

    @property
    def required_files(self) -> str:
        r"""The raw files, which are neither images nor pickles."""
        return ', '.join(self.raw_file_names)

    def read(self) -> Iterator[Data]:
        r"""Yields the gallery, then the probes, in the order of the files."""
        skipped = SkippedSamples(self.raw_dir)
        total = 0
        known: set[int] = set()
        for probe, path in enumerate(self.raw_paths):
            images, numbers = _read(path, 'g' if probe == 0 else '')
            total += len(images)
            known = known or set(numbers.tolist()) - {0}
            takes: dict[int, int] = {}
            surface, shoe, camera = _DIFFERENCES[probe]
            for row, (image, number) in enumerate(zip(images, numbers.tolist())):
                if number not in known:
                    name = f'{os.path.basename(path)} {row + 1}'
                    skipped.add('with a subject that is not in the gallery', name)
                    continue
                takes[number] = takes.get(number, 0) + 1
                yield silhouette_sample(
                    image,
                    y=number - 1,
                    subject=number - 1,
                    probe=probe,
                    surface=surface,
                    shoe=shoe,
                    camera=camera,
                    take=takes[number],
                )
        skipped.report(total)


def _read(path: str, suffix: str) -> tuple[np.ndarray, np.ndarray]:
    """Reads silhouettes [N, 10, 32, 22] and subject numbers [N], which are 0 if unknown."""
    content = read_file(path)
    tensor, ground = f'fea3D{suffix}', f'gnd{suffix}'
    images = read_matlab(path, tensor, content)
    shape = (*_SIZE, _NUM_FRAMES)
    if images.ndim != 4 or images.shape[:3] != shape or not np.isin(images, (0, 1)).all():
        raise MalformedFileError(
            path,
            tensor,
            f'zeros and ones of shape [{", ".join(map(str, shape))}, N]',
            f'values from {images.min(initial=0)} to {images.max(initial=0)} of shape '
            f'{list(images.shape)}',
        )
    numbers = read_matlab(path, ground, content).ravel()
    if len(numbers) != images.shape[3] or not np.isin(numbers, range(_NUM_SUBJECTS + 1)).all():
        raise MalformedFileError(
            path,
            ground,
            f'{images.shape[3]} numbers in [0, {_NUM_SUBJECTS}]',
            f'{len(numbers)} from {numbers.min(initial=0)} to {numbers.max(initial=0)}',
        )
    bodies = (images == 0).transpose(3, 2, 0, 1)
    return np.ascontiguousarray(bodies, dtype=np.uint8), numbers.astype(np.int64)
