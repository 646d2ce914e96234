"""Data sets in the pickle of the skeleton libraries."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from torch_geometric.data import Data

from graphmotion.data import from_array
from graphmotion.datasets.motion_dataset import MotionDataset
from graphmotion.io import (
    MalformedFileError,
    SkippedSamples,
    atomic_write,
    load_json,
    read_annotation,
    read_skeleton_pickle,
)
from graphmotion.io.skeleton_pickle import SCORE_FIELDS
from graphmotion.skeletons import Skeleton, get_skeleton


class SkeletonPickle(MotionDataset):
    r"""A data set in the pickle that PYSKL, MMAction2 and others exchange, such as
    :obj:`ntu60_3danno.pkl`, :obj:`ntu120_hrnet.pkl` or :obj:`k400_hrnet.pkl`.

    See :func:`~graphmotion.io.read_skeleton_pickle` for the form, and
    :func:`~graphmotion.data.write_skeleton_pickle` to write one. The pickle is read so that nothing
    in it can run. Samples have the fields :obj:`y`, those of :obj:`subject`, :obj:`view`,
    :obj:`condition`, :obj:`take` and :obj:`setup` that all annotations have, :obj:`score` if there
    are scores or missing joints, and :obj:`annotation`, the sample's number in the file. They may
    differ in their number of people.

    .. code-block:: python

        dataset = SkeletonPickle('data/ntu', 'ntu60_3danno.pkl', 'ntu25')
        train, test = dataset.official_split('xsub')
        val = dataset.part('xview_val')

    Args:
        root (str or Path): Where :obj:`raw/` holds the file.
        name (str): The name of the file.
        skeleton (str or Skeleton): The layout of its joints.
        class_names (sequence of str, optional): The names of its classes, which the file does not
            tell. (default: :obj:`()`)
        transform (callable, optional): Applied to each sample on access. (default: :obj:`None`)
        pre_transform (callable, optional): Applied to each sample once, before it is stored.
            (default: :obj:`None`)
        pre_filter (callable, optional): Samples for which it returns :obj:`False` are not stored.
            (default: :obj:`None`)
        force_reload (bool, optional): If :obj:`True`, processes the raw files again.
            (default: :obj:`False`)

    Raises:
        FileNotFoundError: If the file is not there.
        ValueError: If it is damaged, holds anything but arrays and plain containers, or no sample
            in it can be used; single samples that cannot are left out with one warning that counts
            them.
    """

    def __init__(
        self,
        root: str | Path,
        name: str,
        skeleton: str | Skeleton,
        class_names: Sequence[str] = (),
        transform: Callable | None = None,
        pre_transform: Callable | None = None,
        pre_filter: Callable | None = None,
        force_reload: bool = False,
    ) -> None:
        self.name = name
        self.skeleton = get_skeleton(skeleton)
        self.class_names = tuple(class_names)
        super().__init__(root, transform, pre_transform, pre_filter, force_reload)
        self._names, self._split = self._read_parts()

    @property
    def raw_file_names(self) -> list[str]:
        r"""The pickle."""
        return [self.name]

    @property
    def processed_file_names(self) -> list[str]:
        r"""The samples, and beside them their names and splits."""
        stem = f'{os.path.splitext(self.name)[0]}_{self.skeleton.name.replace("/", "-")}'
        return [f'{stem}.pt', f'{stem}.json']

    def download(self) -> None:
        r"""Only says that the file is not there.

        Raises:
            FileNotFoundError: Always.
        """
        raise FileNotFoundError(f'SkeletonPickle needs the file {self.name} in {self.raw_dir}')

    def process(self) -> None:
        r"""Write names and splits, then the samples, each whole or not at all."""
        split, annotations = read_skeleton_pickle(self.raw_paths[0])
        os.makedirs(self.processed_dir, exist_ok=True)
        parts = {'names': [a['frame_dir'] for a in annotations], 'split': split}
        self._annotations: list[dict[str, Any]] = annotations
        with atomic_write(self.processed_paths[1]) as file:
            file.write(json.dumps(parts).encode())
            super().process()
        del self._annotations

    def read(self) -> Iterator[Data]:
        r"""The samples in the order of the file."""
        path = self.raw_paths[0]
        skipped = SkippedSamples(path)
        good = []
        for number, annotation in enumerate(self._annotations):
            try:
                good.append((number, *read_annotation(annotation, path, self.skeleton.num_joints)))
            except MalformedFileError as error:
                skipped.add(error.reason, annotation['frame_dir'])
        skipped.report(len(self._annotations))
        # All samples have the same fields.
        common = set.intersection(*(set(labels) for *_, labels in good))
        scored = any((score != 1).any() for _, _, score, _ in good) or any(
            a.get(field) is not None for a in self._annotations for field in SCORE_FIELDS
        )
        for number, pos, score, labels in good:
            chosen: dict[str, Any] = {
                name: value for name, value in labels.items() if name in common
            }
            yield from_array(
                pos,
                self.skeleton,
                score if scored else None,
                axes='MTVC',
                annotation=number,
                **chosen,
            )

    @property
    def protocols(self) -> dict[str, tuple[str, str]]:  # type: ignore[override]
        r"""For each protocol the names of its training and its test part: :obj:`"xsub"` for the
        parts :obj:`"xsub_train"` and :obj:`"xsub_val"`, :obj:`"official"` for :obj:`"train"` and
        :obj:`"val"` or :obj:`"test"`.
        """
        out: dict[str, tuple[str, str]] = {}
        for train in self._split:
            for other in ('val', 'test'):
                test = train.replace('train', other)
                if 'train' in train and test in self._split:
                    out.setdefault(
                        train.replace('train', '').strip('_') or 'official', (train, test)
                    )
        return out

    def names(self) -> list[str]:
        r"""The :obj:`frame_dir` of each sample."""
        return [self._names[number] for number in self.labels('annotation').tolist()]

    def part(self, name: str) -> SkeletonPickle:
        r"""The samples of one part of the file's splits.

        Raises:
            ValueError: If there is no such part.
        """
        if name not in self._split:
            raise ValueError(f'{self.name} has the parts {list(self._split)}, got {name!r}')
        members = set(self._split[name])
        chosen = [i for i, sample in enumerate(self.names()) if sample in members]
        return self.index_select(chosen)

    def _parts(self, protocol: tuple[str, str]) -> tuple[SkeletonPickle, SkeletonPickle]:
        train, test = protocol
        return self.part(train), self.part(test)

    def _read_parts(self) -> tuple[list[str], dict[str, list[str]]]:
        path = self.processed_paths[1]
        parts = load_json(path)
        if not isinstance(parts, dict) or set(parts) != {'names', 'split'}:
            raise MalformedFileError(path, 'content', 'names and splits', 'something else')
        return parts['names'], parts['split']
