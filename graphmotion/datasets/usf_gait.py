"""The silhouettes of the USF gait challenge."""

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
# What differs from the gallery in probes A to G: surface, shoe, camera.
_DIFFERENCES = (
    *((0, 0, 0), (0, 0, 1), (0, 1, 0), (0, 1, 1)),
    *((1, 0, 0), (1, 1, 0), (1, 0, 1), (1, 1, 1)),
)


class USFGait(SilhouetteDataset):
    r"""Silhouettes of the USF/NIST gait challenge, version 1.7, from the `"The HumanID Gait
    Challenge Problem: Data Sets, Performance, and Analysis"
    <https://doi.org/10.1109/TPAMI.2005.39>`_ paper, in the form of the `"MPCA: Multilinear
    Principal Component Analysis of Tensor Objects" <https://doi.org/10.1109/TNN.2007.901277>`_
    paper: each sample is half a cycle of a walk, resampled to 10 frames of 32 x 22.

    The gallery are 731 samples of 71 people; the probes A to G, of 41 to 71 of them, differ from it
    in camera, shoe and surface. Samples have the fields :obj:`silhouettes` :math:`(1, 10, 32, 22)`,
    1 on the body (which the files have as 0), :obj:`num_frames`, :obj:`subject` (0..70, the number
    in the files less 1), :obj:`probe` (0 gallery, 1..7 for A to G), :obj:`surface` (0 grass,
    1 concrete), :obj:`shoe` and :obj:`camera` (0 as in the gallery, 1 the other one), :obj:`take`
    (1.. within a probe set, the half cycles of a person in the order of the file) and :obj:`y`, the
    subject. Samples whose subject is not in the gallery, 131 of D to G, are left out with a warning
    that counts them.

    The protocol :obj:`"gallery"` trains on the gallery and tests on all probes:

    .. code-block:: python

        gallery, probes = USFGait('data/usf_gait').official_split()

    Args:
        root (str or Path): Where :obj:`raw/` holds :obj:`Gal.mat` and :obj:`PrbA.mat` to
            :obj:`PrbG.mat`.
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
        ValueError: If :obj:`num_strips` is not a positive number, or a file is damaged or holds
            something else.
    """

    class_names = tuple(f'{number:03d}' for number in range(1, _NUM_SUBJECTS + 1))
    #: The sets of samples, by the field :obj:`probe`.
    probe_names = ('gallery', *'ABCDEFG')
    protocols = {'gallery': ('probe', (0,))}

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
            root, num_strips, _SIZE, 1, transform, pre_transform, pre_filter, force_reload
        )

    @property
    def raw_file_names(self) -> list[str]:
        r"""A file for the gallery and one for each set of probes."""
        return ['Gal.mat', *(f'Prb{name}.mat' for name in self.probe_names[1:])]

    def download(self) -> None:
        r"""Its authors give it out, so this only says what is needed.

        Raises:
            FileNotFoundError: Always.
        """
        raise FileNotFoundError(
            f'{type(self).__name__} needs {", ".join(self.raw_file_names)} in {self.raw_dir}: the '
            f'tensors of 32 x 22 x 10 that the authors of the MPCA paper give out, '
            f'https://doi.org/10.1109/TNN.2007.901277'
        )

    def read(self) -> Iterator[Data]:
        r"""The gallery, then the probes, in the order of the files."""
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
                    skipped.add('of subjects that are not in the gallery', name)
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
    """Silhouettes [N, 10, 32, 22] and the numbers of the subjects [N], 0 for unknown ones."""
    content = read_file(path)
    tensor, ground = f'fea3D{suffix}', f'gnd{suffix}'
    images = read_matlab(path, tensor, content)
    shape = (*_SIZE, _NUM_FRAMES)
    if images.ndim != 4 or images.shape[:3] != shape or not np.isin(images, (0, 1)).all():
        raise MalformedFileError(
            path,
            tensor,
            f'zeros and ones of the shape [{", ".join(map(str, shape))}, N]',
            f'values {images.min(initial=0)} to {images.max(initial=0)} of {list(images.shape)}',
        )
    numbers = read_matlab(path, ground, content).ravel()
    if len(numbers) != images.shape[3] or not np.isin(numbers, range(_NUM_SUBJECTS + 1)).all():
        raise MalformedFileError(
            path,
            ground,
            f'{images.shape[3]} numbers 0..{_NUM_SUBJECTS}',
            f'{len(numbers)}, from {numbers.min(initial=0)} to {numbers.max(initial=0)}',
        )
    bodies = (images == 0).transpose(3, 2, 0, 1)
    return np.ascontiguousarray(bodies, dtype=np.uint8), numbers.astype(np.int64)
