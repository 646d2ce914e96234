"""Datasets in the arrays of ST-GCN, 2s-AGCN and CTR-GCN."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from torch_geometric.data import Data

from graphmotion.checks import check_choice
from graphmotion.data import from_array
from graphmotion.datasets.motion_dataset import MotionDataset
from graphmotion.datasets.processed_files import hashed_name
from graphmotion.datasets.raw_files import ManualDownload
from graphmotion.datasets.skeleton_pickle import find_protocols
from graphmotion.io import (
    MalformedFileError,
    SkippedSamples,
    atomic_write,
    load_json,
    read_skeleton_arrays,
)
from graphmotion.io.skeleton_arrays import find_arrays
from graphmotion.skeletons import Skeleton, get_skeleton


class SkeletonArrays(ManualDownload, MotionDataset):
    r"""A dataset in the arrays of ST-GCN, 2s-AGCN or CTR-GCN, such as a folder with
    :obj:`train_data.npy` and :obj:`train_label.pkl`, or :obj:`NTU60_CS.npz`.

    :func:`~graphmotion.io.read_skeleton_arrays` describes the formats. Samples have the fields
    :obj:`score`, :obj:`y`, :obj:`part`, the position of their part in :obj:`part_names`, and
    :obj:`row`, their position in the part. Samples may differ in the number of people.

    .. code-block:: python

        dataset = SkeletonArrays('data/ntu', 'xsub', 'ntu25')  # data/ntu/raw/xsub/train_data.npy
        dataset = SkeletonArrays('data/ntu', 'NTU60_CS.npz', 'ntu25')
        train, test = dataset.official_split()

    Args:
        root (str or Path): Root directory, whose folder :obj:`raw/` contains the arrays.
        name (str): Name of the folder of arrays, :obj:`"."` for :obj:`raw/`, or of the :obj:`.npz`
            file.
        skeleton (str or Skeleton): Skeleton of one person.
        score_last (bool, optional): If :obj:`True`, the last channel of the arrays is the score of
            a joint, as in Kinetics-Skeleton. (default: :obj:`False`)
        class_names (sequence of str, optional): Names of the classes, which are not in the files.
            (default: :obj:`()`)
        transform (callable, optional): Applied to each sample on access. (default: :obj:`None`)
        pre_transform (callable, optional): Applied to each sample once, before it is stored.
            (default: :obj:`None`)
        pre_filter (callable, optional): Samples for which it returns :obj:`False` are not stored.
            (default: :obj:`None`)
        force_reload (bool, optional): If :obj:`True`, processes the raw files again.
            (default: :obj:`False`)

    Raises:
        FileNotFoundError: If the files do not exist.
        ValueError: If a file is malformed or no sample shows a person. Samples without a person are
            skipped with a warning.
    """

    source = (
        'https://github.com/yysijie/st-gcn, https://github.com/lshiwjx/2s-AGCN or '
        'https://github.com/Uason-Chen/CTR-GCN'
    )

    def __init__(
        self,
        root: str | Path,
        name: str,
        skeleton: str | Skeleton,
        score_last: bool = False,
        class_names: Sequence[str] = (),
        transform: Callable | None = None,
        pre_transform: Callable | None = None,
        pre_filter: Callable | None = None,
        force_reload: bool = False,
    ) -> None:
        self.name = name
        self.skeleton = get_skeleton(skeleton)
        self.score_last = score_last
        self.class_names = tuple(class_names)
        super().__init__(root, transform, pre_transform, pre_filter, force_reload)
        self._names = self._load_names()

    @property
    def raw_file_names(self) -> list[str]:
        r"""The :obj:`.npz` file, or the arrays and pickles in the folder."""
        if self.name.lower().endswith('.npz'):
            return [self.name]
        folder = os.path.join(self.raw_dir, self.name)
        arrays = find_arrays(folder) if os.path.isdir(folder) else {}
        arrays = arrays or {part: f'{part}_data.npy' for part in ('train', 'val')}
        names = [file for part in arrays for file in (arrays[part], f'{part}_label.pkl')]
        return [os.path.join(self.name, name) for name in names]

    @property
    def processed_file_names(self) -> list[str]:
        r"""The file of the samples and the file of their names."""
        options = (self.name, self.skeleton.joints, self.skeleton.bones, self.score_last)
        name = hashed_name('arrays', options)
        return [name, f'{os.path.splitext(name)[0]}.json']

    def process(self) -> None:
        r"""Writes names, then the samples, each file atomically."""
        path = os.path.normpath(os.path.join(self.raw_dir, self.name))
        self._parts_of_file = read_skeleton_arrays(path, self.skeleton.num_joints, self.score_last)
        os.makedirs(self.processed_dir, exist_ok=True)
        with atomic_write(self.processed_paths[1]) as file:
            names = {part: content.names for part, content in self._parts_of_file.items()}
            file.write(json.dumps(names).encode())
            super().process()
        del self._parts_of_file

    def source_labels(self) -> None:
        r"""Returns nothing, since labels are in the files."""

    def read(self) -> Iterator[Data]:
        r"""Yields the samples of one part after another."""
        skipped = SkippedSamples(os.path.join(self.raw_dir, self.name))
        for number, part in enumerate(self._parts_of_file.values()):
            for row, (pos, score) in enumerate(part.samples()):
                if score.any():
                    yield from_array(
                        pos,
                        self.skeleton,
                        score,
                        axes='MTVC',
                        y=part.labels[row],
                        part=number,
                        row=row,
                    )
                else:
                    skipped.add('without a person', part.names[row])
        skipped.report(sum(len(part.names) for part in self._parts_of_file.values()))

    @property
    def part_names(self) -> list[str]:
        r"""Names of the parts, such as :obj:`["train", "val"]`."""
        return list(self._names)

    @property
    def protocols(self) -> dict[str, tuple[str, str]]:  # type: ignore[override]
        r"""The names of the training part and of the test part of each protocol, usually
        :obj:`"official"`.
        """
        return find_protocols(self.part_names)

    def names(self) -> list[str]:
        r"""Returns the name of each sample from the pickles or, for CTR-GCN, a name such as
        :obj:`"train_0"`.
        """
        rows = zip(self.labels('part').tolist(), self.labels('row').tolist())
        names = list(self._names.values())
        return [names[part][row] for part, row in rows]

    def part(self, name: str) -> SkeletonArrays:
        r"""Returns the samples of a part.

        Raises:
            ValueError: If there is no such part.
        """
        number = self.part_names.index(check_choice('name', name, self.part_names))
        return self.index_select(torch.as_tensor(self.labels('part') == number))

    def _parts(self, protocol: tuple[str, str]) -> tuple[SkeletonArrays, SkeletonArrays]:
        train, test = protocol
        return self.part(train), self.part(test)

    def _load_names(self) -> dict[str, list[str]]:
        path = self.processed_paths[1]
        names = load_json(path)
        if not isinstance(names, dict) or not all(isinstance(v, list) for v in names.values()):
            raise MalformedFileError(path, 'content', 'the names of the samples', 'something else')
        return names
