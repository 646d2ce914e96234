"""The base class of gait datasets with one pickle of poses per sequence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from torch_geometric.data import Data

from graphmotion.checks import check_int
from graphmotion.data import from_array
from graphmotion.data.read_tasks import ReadTask
from graphmotion.datasets.motion_dataset import MotionDataset
from graphmotion.datasets.raw_files import LabelledFiles, Labels
from graphmotion.io import read_opengait_pose
from graphmotion.io.files import FoundFile
from graphmotion.skeletons import get_skeleton


class GaitPoseDataset(LabelledFiles, MotionDataset):
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
        num_workers (int, optional): Number of processes that read the raw files; :obj:`0` reads
            them in this process. (default: :obj:`0`)

    Raises:
        FileNotFoundError: If the raw files are missing.
        ValueError: If :obj:`min_frames` is not positive, an archive is damaged or no sequence is
            valid. Invalid sequences are skipped with a warning.
    """

    skeleton = get_skeleton('coco17')
    #: Frames per second, if all sequences have the same.
    frame_rate: float | None = None
    suffixes = '.pkl'
    num_folders = None
    noun = 'sequences'
    unique_labels = True

    def __init__(
        self,
        root: str | Path,
        min_frames: int = 1,
        transform: Callable | None = None,
        pre_transform: Callable | None = None,
        pre_filter: Callable | None = None,
        force_reload: bool = False,
        num_workers: int = 0,
    ) -> None:
        self.min_frames = check_int('min_frames', min_frames, 1)
        super().__init__(root, transform, pre_transform, pre_filter, force_reload, num_workers)

    def label_files(self, files: Mapping[str, FoundFile]) -> dict[str, Labels]:
        r"""Returns the labels of each sequence, which identify it."""
        return {name: self.label_folder(name, name.rpartition('/')[0]) for name in files}

    @property
    def processed_file_names(self) -> list[str]:
        r"""A file for each minimum number of frames."""
        return [f'min_{self.min_frames}_frames.pt']

    @property
    def required_files(self) -> str:
        r"""Pickles in folders."""
        return f"folders of OpenGait's pickles, such as {self.layout}/*.pkl, or zip archives of it,"

    def read_sample(self, task: ReadTask) -> Data | str:
        r"""Returns the sample of a sequence, or the reason to skip it."""
        pos, score = read_opengait_pose(task.file.path, task.file.read())
        valid = score.any(axis=1)
        if valid.sum() < self.min_frames:
            return f'with fewer than {self.min_frames} frames with a pose'
        return from_array(
            pos[valid], self.skeleton, score[valid], 'TVC', None, self.frame_rate, **task.labels
        )
