"""The poses of CASIA-B."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from torch_geometric.data import Data

from graphmotion.checks import check_int
from graphmotion.data import from_array
from graphmotion.data.read_tasks import ReadTask
from graphmotion.datasets.casia_b import CASIAB, casia_b_labels
from graphmotion.datasets.recorded_dataset import RecordedDataset
from graphmotion.io import (
    MalformedFileError,
    SkippedSamples,
    Track,
    find_files,
    read_gaitgraph,
    read_opengait_pose,
)
from graphmotion.io.gaitgraph import CASIA_B_NAME
from graphmotion.skeletons import get_skeleton


class CASIABPose(CASIAB, RecordedDataset):
    r"""The poses of CASIA-B: 124 subjects from eleven views, from the "A Framework for Evaluating
    the Effect of View Angle, Clothing and Carrying Condition on Gait Recognition" paper (ICPR
    2006).

    Two formats are read: the tables of the `"GaitGraph: Graph Convolutional Network for
    Skeleton-Based Gait Recognition" <https://arxiv.org/abs/2101.11228>`_ paper
    (:func:`~graphmotion.io.read_gaitgraph`), and the pickles of `OpenGait
    <https://github.com/ShiqiYu/OpenGait>`_, such as :obj:`001/nm-01/090/090.pkl`
    (:func:`~graphmotion.io.read_opengait_pose`).

    Positions are in pixels of images of size 320 x 240, with :math:`y` down, and the joints are
    those of :obj:`coco17`. Samples have the fields :obj:`score`, :obj:`subject` (0..123, the number
    in the file name minus 1), :obj:`condition` (0 normal, 1 with a bag, 2 in a coat), :obj:`take`
    (numbered from 1 for each condition), :obj:`view` (degrees; access it as :obj:`data['view']`)
    and :obj:`y`, the subject. Frames without any joint are dropped.

    The protocols :obj:`"LT"`, :obj:`"MT"` and :obj:`"ST"` train on the first 74, 62 and 24
    subjects:

    .. code-block:: python

        train, test = CASIABPose('data/casia_b').official_split('LT')

    Args:
        root (str or Path): Root directory, whose folder :obj:`raw/` contains the :obj:`.csv` files,
            the folders of OpenGait's :obj:`.pkl` files, or zip archives of either. A sequence that
            exists in several files is read from the first one, tables first.
        min_frames (int, optional): Minimum number of frames; shorter sequences are skipped with a
            warning. The default is that of the GaitMixer paper. (default: :obj:`61`)
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
            valid. Invalid files and sequences are skipped with a warning.
    """

    skeleton = get_skeleton('coco17')
    suffixes = '.csv'
    archive = 'casia-b_pose_coco.zip'
    source = (
        'https://github.com/tteepe/GaitGraph, or https://github.com/ShiqiYu/OpenGait for folders '
        'of pickles'
    )

    def __init__(
        self,
        root: str | Path,
        min_frames: int = 61,
        transform: Callable | None = None,
        pre_transform: Callable | None = None,
        pre_filter: Callable | None = None,
        force_reload: bool = False,
        num_workers: int = 0,
    ) -> None:
        self.min_frames = check_int('min_frames', min_frames, 1)
        super().__init__(root, transform, pre_transform, pre_filter, force_reload, num_workers)

    @property
    def processed_file_names(self) -> list[str]:
        r"""A file for each minimum number of frames."""
        return [f'min_{self.min_frames}_frames.pt']

    def source_labels(self) -> None:
        r"""Returns nothing, since labels are in the tables."""

    def read(self) -> Iterator[Data]:
        r"""Yields the sequences, sorted by name."""
        skipped = SkippedSamples(self.raw_dir)
        found: dict[str, Track] = {}
        num_unreadable = 0
        with (
            find_files(self.raw_dir, '.csv') as tables,
            find_files(self.raw_dir, '.pkl', num_folders=3) as pickles,
        ):
            files = [*tables.items(), *pickles.items()]
            tasks = [ReadTask(name, {name: file}) for name, file in files]
            for task, result in zip(tasks, self.read_tasks(tasks)):
                if isinstance(result, str):
                    skipped.add(result, task.name)
                    num_unreadable += 1
                else:
                    for sequence, track in result.items():
                        found.setdefault(sequence, track)
        total = num_unreadable + len(found)
        for name in sorted(found):
            labels = casia_b_labels(*name.split('-'))
            pos, score = found.pop(name)
            valid = score.any(axis=1)
            if isinstance(labels, str):
                skipped.add(labels, name)
            elif valid.sum() < self.min_frames:
                skipped.add(f'with fewer than {self.min_frames} frames with a pose', name)
            else:
                yield from_array(pos[valid], self.skeleton, score[valid], axes='TVC', **labels)
        skipped.report(total)

    def read_task(self, task: ReadTask) -> dict[str, Track] | str:
        r"""Returns the sequences of a file by name, or the reason to skip it."""
        path = task.file.path
        try:
            content = task.file.read()
            if path.lower().endswith('.csv'):
                return read_gaitgraph(path, content)
            match = CASIA_B_NAME.match(task.name)
            if not match:
                raise MalformedFileError(path, 'name', 'in folders like 001/nm-01/090', task.name)
            return {'-'.join(match.groups()): read_opengait_pose(path, content)}
        except MalformedFileError as error:
            return error.reason
