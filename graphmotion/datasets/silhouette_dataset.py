"""The base of the sets of silhouettes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data

from graphmotion.checks import check_int
from graphmotion.data.graph_dataset import GraphDataset
from graphmotion.datasets.raw_files import raw_entries
from graphmotion.io import MalformedFileError, SkippedSamples, read_files
from graphmotion.io.files import frame_number
from graphmotion.io.images import read_gray_image
from graphmotion.io.silhouettes import align_silhouettes, read_opengait_silhouettes

_File = tuple[str, str, bytes]
# The frames, and what names each of them.
_Walk = tuple[np.ndarray | Sequence[np.ndarray], Callable[[int], str]]
_Reader = Callable[[SkippedSamples], _Walk]


class SilhouetteDataset(GraphDataset):
    r"""A set of walks seen as silhouettes, with PyG's contract for datasets.

    :obj:`dataset[i]` is a :class:`~torch_geometric.data.Data` with the fields :obj:`silhouettes`
    :math:`(1, T, H, W)`, bytes 0 and 1, :obj:`num_frames`, what else the set provides, and as many
    nodes as strips into which a model parts the silhouettes. They are stored as bits.

    Walks are found in :obj:`raw/`, in any folder below it and in any zip archive there: folders
    with an image for each frame (:obj:`.png`), or a pickle for each walk (:obj:`.pkl`), as
    `OpenGait <https://github.com/ShiqiYu/OpenGait>`_ makes them. Pickles beside images are passed
    over. They are prepared by :func:`~graphmotion.io.align_silhouettes`, which leaves aligned
    pickles in place. Frames without a body, whose file is damaged or has no number where
    others have one are left out, and then walks of
    fewer than :obj:`min_frames`, or with all labels of an earlier one, with one warning that
    counts either.

    A subclass sets :obj:`pattern`, :obj:`layout` and :obj:`source` and gives :meth:`find_labels`,
    whose labels tell walks apart:

    .. code-block:: python

        class Corridor(SilhouetteDataset):
            # raw/anna/walk-1/0001.png, raw/anna/walk-1/0002.png, ...
            class_names = ('anna', 'ben')
            pattern = re.compile(r'(?P<person>\w+)/walk-(?P<take>\d+)')
            layout = 'anna/walk-1'

            def find_labels(self, person, take):
                subject = self.class_names.index(person)
                return {'y': subject, 'subject': subject, 'take': int(take)}

    Args:
        root (str or Path, optional): Where :obj:`raw/` is found and :obj:`processed/` is written.
            (default: :obj:`None`)
        num_strips (int, optional): Number of nodes of a sample. (default: :obj:`16`)
        size (tuple, optional): Height and width of the silhouettes. (default: :obj:`(64, 44)`)
        min_frames (int, optional): The least number of frames of a walk. (default: :obj:`1`)
        transform (callable, optional): Applied to each sample on access. (default: :obj:`None`)
        pre_transform (callable, optional): Applied to each sample once, before it is stored.
            (default: :obj:`None`)
        pre_filter (callable, optional): Samples for which it returns :obj:`False` are not stored.
            (default: :obj:`None`)
        force_reload (bool, optional): If :obj:`True`, processes the raw files again.
            (default: :obj:`False`)

    Raises:
        FileNotFoundError: If the raw files are missing.
        ValueError: If an option is not a positive number, an archive is damaged or no walk can be
            used.
    """

    frame_fields = ('silhouettes',)
    #: What the folders of a walk are called, found anywhere in its path; :meth:`find_labels` gets
    #: its groups.
    pattern: re.Pattern
    #: An example of it, and who gives the set out.
    layout: str
    source: str = 'its authors'

    def __init__(
        self,
        root: str | Path | None = None,
        num_strips: int = 16,
        size: Sequence[int] = (64, 44),
        min_frames: int = 1,
        transform: Callable | None = None,
        pre_transform: Callable | None = None,
        pre_filter: Callable | None = None,
        force_reload: bool = False,
    ) -> None:
        self.num_strips = check_int('num_strips', num_strips, 1)
        if not isinstance(size, tuple | list) or len(size) != 2:
            raise ValueError(f'size is (height, width), got {size!r}')
        self.size = check_int('height', size[0], 1), check_int('width', size[1], 1)
        self.min_frames = check_int('min_frames', min_frames, 1)
        super().__init__(root, transform, pre_transform, pre_filter, force_reload)

    def find_labels(self, **groups: str) -> dict[str, int] | str:
        r"""The fields of a walk, from the groups of :obj:`pattern` in the path of its folder, not
        all the same for two walks; or, in words, why it is left out.
        """
        raise NotImplementedError

    def count_nodes(self, samples: Tensor) -> Tensor:
        r"""As many nodes as strips."""
        return torch.full_like(samples, self.num_strips)

    def check(self, data: Data, where: str) -> None:
        r"""Silhouettes, which the base checks further."""
        if data.get('silhouettes') is None:
            raise ValueError(f"{where} has no field 'silhouettes' [1, num_frames, H, W]")

    @property
    def raw_file_names(self) -> list[str]:
        r"""The archives and folders in :obj:`raw/`."""
        return raw_entries(self.raw_dir, ('.png', '.pkl')) or [self.layout]

    @property
    def processed_file_names(self) -> list[str]:
        r"""One file for each size and least number of frames."""
        return [f'{self.size[0]}x{self.size[1]}_from_{self.min_frames}_frames.pt']

    def download(self) -> None:
        r"""The terms of such sets ask for a request, so this only says where.

        Raises:
            FileNotFoundError: Always.
        """
        raise FileNotFoundError(
            f'{type(self).__name__} needs folders of images, such as {self.layout}/*.png, or of '
            f"OpenGait's pickles, or zip archives of either, in {self.raw_dir}: see {self.source}"
        )

    def read(self) -> Iterator[Data]:
        r"""The walks in the order of their folders, first those with images."""
        skipped = SkippedSamples(self.raw_dir, 'walks')
        skipped_frames = SkippedSamples(self.raw_dir, 'frames')
        done: dict[tuple[tuple[str, int], ...], str] = {}
        total = total_frames = 0
        for folder, name, read in self._walks():
            match = self.pattern.search(folder)
            labels: dict[str, int] | str = f'not in folders named as {self.layout}'
            if match:
                labels = self.find_labels(**match.groupdict())
            if isinstance(labels, str):
                total += 1
                skipped.add(labels, folder)
                continue
            earlier = done.setdefault(tuple(labels.items()), name)
            if earlier == folder != name:  # a pickle beside images
                continue
            total += 1
            if earlier != name:
                skipped.add('with the labels of another walk', name)
                continue
            before = len(skipped_frames)
            try:
                frames, names = read(skipped_frames)
            except MalformedFileError as error:
                skipped.add(error.reason, folder)
                continue
            total_frames += len(frames) + len(skipped_frames) - before
            images, kept = align_silhouettes(frames, self.size)
            for number in (~kept).nonzero()[0].tolist():
                skipped_frames.add('without a body', names(number))
            if len(images) < self.min_frames:
                skipped.add(f'of fewer than {self.min_frames} frames with a body', folder)
            else:
                yield silhouette_sample(images, **labels)
        skipped.report(total)
        if total_frames:
            skipped_frames.report(total_frames)

    def _walks(self) -> Iterator[tuple[str, str, _Reader]]:
        """The folder of each walk below :obj:`raw/`, its name, and what reads it."""
        images = read_files(self.raw_dir, '.png', num_folders=None)
        for folder, files in groupby(images, key=lambda file: file[1].rpartition('/')[0]):
            yield folder, folder, partial(_read_images, list(files))
        for path, name, content in read_files(self.raw_dir, '.pkl', num_folders=None):
            yield name.rpartition('/')[0], name, partial(_read_pickle, path, name, content)


def silhouette_sample(images: np.ndarray, **labels: int) -> Data:
    r"""A sample of silhouettes :math:`(T, H, W)`, bytes 0 and 1, with its labels."""
    return Data(
        silhouettes=torch.from_numpy(images).unsqueeze(0),
        num_frames=torch.tensor([len(images)]),
        **{name: torch.tensor([value]) for name, value in labels.items()},
    )


def _read_images(files: list[_File], skipped: SkippedSamples) -> _Walk:
    """Images in the order of the last number in their names, or of the names if none has one."""
    frames, names = [], []
    numbers = {name: frame_number(name) for _, name, _ in files}
    numbered = any(number is not None for number in numbers.values())
    for path, name, content in sorted(files, key=lambda file: (numbers[file[1]] or 0, file)):
        if numbered and numbers[name] is None:
            skipped.add('without a number beside numbered ones', name)
            continue
        try:
            frames.append(read_gray_image(path, content))
        except MalformedFileError as error:
            skipped.add(error.reason, name)
        else:
            names.append(name)
    return frames, names.__getitem__


def _read_pickle(path: str, name: str, content: bytes, skipped: SkippedSamples) -> _Walk:
    return read_opengait_silhouettes(path, content), lambda number: f'{name} {number}'
