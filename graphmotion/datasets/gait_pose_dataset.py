"""The base class of gait datasets with one pickle of poses per sequence."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from torch_geometric.data import Data

from graphmotion.checks import check_int
from graphmotion.data import from_array
from graphmotion.datasets.motion_dataset import MotionDataset
from graphmotion.datasets.raw_files import ManualDownload, raw_entries
from graphmotion.io import MalformedFileError, SkippedSamples, read_files, read_opengait_pose
from graphmotion.skeletons import get_skeleton


class GaitPoseDataset(ManualDownload, MotionDataset):
    r"""The base class of gait datasets with one pickle of poses per sequence, as written by
    `OpenGait <https://github.com/ShiqiYu/OpenGait>`_.

    Pickles are searched for in :obj:`raw/` and its subfolders, and inside the zip archives in them.
    Samples have the joints of :obj:`coco17`, the fields :obj:`pos`, :obj:`score` and
    :obj:`num_frames`, and labels. Frames without any joint are dropped.

    A subclass sets :obj:`pattern`, :obj:`layout` and :obj:`source`, and implements
    :meth:`find_labels`, as for :class:`SilhouetteDataset`.

    Args:
        root (str or Path): Root directory, whose folder :obj:`raw/` contains the folders of
            pickles, or zip archives of them.
        min_frames (int, optional): Minimum number of frames; shorter sequences are skipped with a
            warning. (default: :obj:`1`)
        transform (callable, optional): Applied to each sample on access. (default: :obj:`None`)
        pre_transform (callable, optional): Applied to each sample once, before it is stored.
            (default: :obj:`None`)
        pre_filter (callable, optional): Samples for which it returns :obj:`False` are not stored.
            (default: :obj:`None`)
        force_reload (bool, optional): If :obj:`True`, processes the raw files again.
            (default: :obj:`False`)

    Raises:
        FileNotFoundError: If the raw files are missing.
        ValueError: If :obj:`min_frames` is not positive, an archive is damaged or no sequence is
            valid. Invalid sequences are skipped with a warning.
    """

    skeleton = get_skeleton('coco17')
    #: Frames per second, if all sequences have the same.
    frame_rate: float | None = None
    #: Pattern that is searched for in the path of the folder of a sequence; its groups are the
    #: arguments of :meth:`find_labels`.
    pattern: re.Pattern
    #: An example of the path of a folder.
    layout: str

    def __init__(
        self,
        root: str | Path,
        min_frames: int = 1,
        transform: Callable | None = None,
        pre_transform: Callable | None = None,
        pre_filter: Callable | None = None,
        force_reload: bool = False,
    ) -> None:
        self.min_frames = check_int('min_frames', min_frames, 1)
        super().__init__(root, transform, pre_transform, pre_filter, force_reload)

    def find_labels(self, **groups: str) -> dict[str, int] | str | None:
        r"""Returns the labels of a sequence, which identify it, given the groups of
        :obj:`pattern`; or the reason to skip it, for the warning; or :obj:`None` if it is not part
        of the dataset.
        """
        raise NotImplementedError

    @property
    def raw_file_names(self) -> list[str]:
        r"""The archives and folders in :obj:`raw/`."""
        return raw_entries(self.raw_dir, '.pkl') or [self.layout]

    @property
    def processed_file_names(self) -> list[str]:
        r"""A file for each minimum number of frames."""
        return [f'min_{self.min_frames}_frames.pt']

    @property
    def required_files(self) -> str:
        r"""Pickles in folders."""
        return f"folders of OpenGait's pickles, such as {self.layout}/*.pkl, or zip archives of it,"

    def read(self) -> Iterator[Data]:
        r"""Yields the sequences, sorted by folder."""
        skipped = SkippedSamples(self.raw_dir, 'sequences')
        done: set[tuple[tuple[str, int], ...]] = set()
        total = 0
        for path, name, content in read_files(self.raw_dir, '.pkl', num_folders=None):
            match = self.pattern.search(name.rpartition('/')[0])
            labels: dict[str, int] | str | None = f'not in folders named like {self.layout}'
            if match:
                labels = self.find_labels(**match.groupdict())
            if labels is None:
                continue
            total += 1
            if isinstance(labels, str):
                skipped.add(labels, name)
                continue
            try:
                pos, score = read_opengait_pose(path, content)
            except MalformedFileError as error:
                skipped.add(error.reason, name)
                continue
            valid = score.any(axis=1)
            key = tuple(labels.items())
            if key in done:
                skipped.add('with the labels of another sequence', name)
            elif valid.sum() < self.min_frames:
                skipped.add(f'with fewer than {self.min_frames} frames with a pose', name)
            else:
                done.add(key)
                fields: dict[str, Any] = {**labels}
                yield from_array(
                    pos[valid], self.skeleton, score[valid], 'TVC', None, self.frame_rate, **fields
                )
        skipped.report(total)
