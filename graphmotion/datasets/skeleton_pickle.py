"""Datasets in the pickle format of skeleton libraries."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch_geometric.data import Data

from graphmotion.checks import check_choice
from graphmotion.data import from_array
from graphmotion.datasets.motion_dataset import MotionDataset
from graphmotion.datasets.processed_files import hashed_name
from graphmotion.datasets.raw_files import ManualDownload
from graphmotion.io import (
    MalformedFileError,
    SkippedSamples,
    atomic_write,
    load_json,
    read_annotation,
    read_skeleton_pickle,
)
from graphmotion.io.skeleton_pickle import SCORE_FIELDS, read_image_size
from graphmotion.skeletons import Skeleton, get_skeleton


class SkeletonPickle(ManualDownload, MotionDataset):
    r"""A dataset in the pickle format of PYSKL and MMAction2, such as :obj:`ntu60_3danno.pkl`,
    :obj:`ntu120_hrnet.pkl` or :obj:`k400_hrnet.pkl`.

    :func:`~graphmotion.io.read_skeleton_pickle` describes the format, and
    :func:`~graphmotion.data.write_skeleton_pickle` writes it. The pickle is read without executing
    any of its content. Samples have the fields :obj:`y`, those of :obj:`subject`, :obj:`view`,
    :obj:`condition`, :obj:`take` and :obj:`setup` that all annotations have, :obj:`score` if there
    are scores or missing joints, :obj:`image_size` :math:`(1, 2)`, height and width, if all
    annotations have :obj:`img_shape`, and :obj:`annotation`, the position of the sample in the
    file. Samples may differ in the number of people.

    .. code-block:: python

        dataset = SkeletonPickle('data/ntu', 'ntu60_3danno.pkl', 'ntu25')
        train, test = dataset.official_split('xsub')
        val = dataset.part('xview_val')

    Args:
        root (str or Path): Root directory, whose folder :obj:`raw/` contains the file.
        name (str): Name of the file.
        skeleton (str or Skeleton): Skeleton of the samples.
        class_names (sequence of str, optional): Names of the classes, which are not in the file.
            (default: :obj:`()`)
        transform (callable, optional): Applied to each sample on access. (default: :obj:`None`)
        pre_transform (callable, optional): Applied to each sample once, before it is stored.
            (default: :obj:`None`)
        pre_filter (callable, optional): Samples for which it returns :obj:`False` are not stored.
            (default: :obj:`None`)
        force_reload (bool, optional): If :obj:`True`, processes the raw files again.
            (default: :obj:`False`)

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is damaged, contains anything but arrays and plain containers, or
            has no valid sample. Invalid samples are skipped with a warning.
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
        r"""The file of the samples and the file of their names and splits."""
        layout = (self.skeleton.joints, self.skeleton.bones)
        name = hashed_name(os.path.splitext(self.name)[0], layout)
        return [name, f'{os.path.splitext(name)[0]}.json']

    def process(self) -> None:
        r"""Writes names and splits, then the samples, each file atomically."""
        split, annotations = read_skeleton_pickle(self.raw_paths[0])
        os.makedirs(self.processed_dir, exist_ok=True)
        parts = {'names': [a['frame_dir'] for a in annotations], 'split': split}
        self._annotations: list[dict[str, Any]] = annotations
        with atomic_write(self.processed_paths[1]) as file:
            file.write(json.dumps(parts).encode())
            super().process()
        del self._annotations

    def source_labels(self) -> None:
        r"""Returns nothing, since labels are in the files."""

    def read(self) -> Iterator[Data]:
        r"""Yields the samples in the order of the file."""
        path = self.raw_paths[0]
        skipped = SkippedSamples(path)
        valid = []
        for number, annotation in enumerate(self._annotations):
            try:
                size = read_image_size(annotation, path)
                fields = read_annotation(annotation, path, self.skeleton.num_joints)
                valid.append((number, size, *fields))
            except MalformedFileError as error:
                skipped.add(error.reason, annotation['frame_dir'])
        skipped.report(len(self._annotations))
        # All samples must have the same fields.
        common = set.intersection(*(set(labels) for *_, labels in valid))
        has_sizes = all(size is not None for _, size, *_ in valid)
        has_scores = any((score != 1).any() for *_, score, _ in valid) or any(
            a.get(field) is not None for a in self._annotations for field in SCORE_FIELDS
        )
        for number, size, pos, score, labels in valid:
            shared: dict[str, Any] = {name: labels[name] for name in labels if name in common}
            data = from_array(
                pos,
                self.skeleton,
                score if has_scores else None,
                axes='MTVC',
                annotation=number,
                **shared,
            )
            if has_sizes:
                data.image_size = torch.tensor([size])
            yield data

    @property
    def protocols(self) -> dict[str, tuple[str, str]]:  # type: ignore[override]
        r"""For each protocol, the names of the training part and of the test part: :obj:`"xsub"`
        for the parts :obj:`"xsub_train"` and :obj:`"xsub_val"`, and :obj:`"official"` for
        :obj:`"train"` and :obj:`"val"` or :obj:`"test"`.
        """
        return find_protocols(list(self._split))

    def names(self) -> list[str]:
        r"""Returns the name of each sample, its :obj:`frame_dir` in the file."""
        return [self._names[number] for number in self.labels('annotation').tolist()]

    def part(self, name: str) -> SkeletonPickle:
        r"""Returns the samples of a part of the splits in the file.

        Raises:
            ValueError: If there is no such part.
        """
        members = set(self._split[check_choice('name', name, self._split)])
        return self.index_select([i for i, sample in enumerate(self.names()) if sample in members])

    def _parts(self, protocol: tuple[str, str]) -> tuple[SkeletonPickle, SkeletonPickle]:
        train, test = protocol
        return self.part(train), self.part(test)

    def _read_parts(self) -> tuple[list[str], dict[str, list[str]]]:
        path = self.processed_paths[1]
        parts = load_json(path)
        if not isinstance(parts, dict) or set(parts) != {'names', 'split'}:
            raise MalformedFileError(path, 'content', 'names and splits', 'something else')
        return parts['names'], parts['split']


def find_protocols(parts: Sequence[str]) -> dict[str, tuple[str, str]]:
    r"""Pairs the names of training and test parts, for each protocol."""
    out: dict[str, tuple[str, str]] = {}
    for train in parts:
        for other in ('val', 'test'):
            test = train.replace('train', other)
            if 'train' in train and test in parts:
                out.setdefault(train.replace('train', '').strip('_') or 'official', (train, test))
    return out
