"""Outputs of a pose estimator in folders."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch_geometric.data import Data

from graphmotion.checks import check_int, check_positive
from graphmotion.data import from_array
from graphmotion.data.read_tasks import ReadTask
from graphmotion.datasets.class_folders import ClassFolders, find_class_folders
from graphmotion.datasets.motion_dataset import MotionDataset
from graphmotion.datasets.processed_files import hashed_name
from graphmotion.io import (
    MalformedFileError,
    SkippedSamples,
    Track,
    get_format,
    list_files,
)
from graphmotion.io.files import FoundFile
from graphmotion.io.tracks import COVERED, coverage, stack_people
from graphmotion.skeletons import Skeleton, get_skeleton

# Bodies whose sizes differ by a larger factor are in different units.
_MOST_RATIO = 50


class PoseFolder(MotionDataset):
    r"""Your own recordings, processed by a pose estimator, in one folder per class.

    .. code-block:: text

        root/raw/wave/take1.json          class wave
        root/raw/wave/anna/take2.json     class wave, subject anna
        root/raw/clap/take1.json          class clap

    If :obj:`raw/` does not exist, the class folders are expected in :obj:`root`. A recording is a
    file or, for OpenPose, a folder with one file per frame. The class folders may be inside other
    folders that contain all of them. Classes and subjects are numbered by name in natural order,
    2 before 10.

    Samples have the fields :obj:`y`, :obj:`score`, :obj:`recording`, the position of their file in
    the sorted list of recordings, :obj:`subject`, if the recordings have subjects, and
    :obj:`frame_rate`, if it is known. Recordings are processed again if files are added, removed,
    renamed or changed.

    .. code-block:: python

        arm = Skeleton(['shoulder', 'elbow', 'wrist'],
                       [('shoulder', 'elbow'), ('elbow', 'wrist')])
        dataset = PoseFolder('data/mine', arm, format='openpose', columns=[2, 3, 4])

    Args:
        root (str or Path): Root directory.
        skeleton (str or Skeleton): Skeleton of the recordings.
        format (str): Format of the recordings, such as :obj:`"openpose"`; see
            :func:`~graphmotion.io.list_formats`.
        num_people (int, optional): Number of people :math:`M` of a sample, most visible first. If
            a recording has fewer, the remaining people are missing in all frames.
            (default: :obj:`1`)
        columns (sequence of int, optional): Index in the files of each joint of :obj:`skeleton`, if
            the files have additional joints or another order. (default: :obj:`None`)
        subject (str, optional): Regular expression whose group is the name of the subject, matched
            at the start of names without their class, such as :obj:`"anna/take2"`. Use
            :obj:`r"(\w+?)_"` for files named :obj:`anna_take2.json`. By default, the subject is the
            folder inside the folder of the class, if there is one. (default: :obj:`None`)
        parts (sequence of str, optional): Names of folders that contain the class folders, such as
            :obj:`("train", "test")`. Samples then have the field :obj:`part`, and the protocol
            :obj:`"given"` trains on the first part and tests on the others. (default: :obj:`None`)
        subfolder (str, optional): Path of the class folders, or of those of the parts, inside the
            folder or archive, such as :obj:`"dataset"`. By default, leading folders that contain
            all recordings are skipped, with a warning if there are no parts, since a single class
            with folders of subjects looks the same. (default: :obj:`None`)
        reader_options (mapping, optional): Options of the reader, such as :obj:`{"world": True}`
            for MediaPipe or :obj:`{"axes": "CTVM"}` for NumPy. (default: :obj:`None`)
        frame_rate (float, optional): Frames per second of all recordings; by default that of each
            file for BVH, and unknown for other formats. (default: :obj:`None`)
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
        FileNotFoundError: If the folder does not exist.
        ValueError: If an option is invalid, a recording is not in a class folder, a class folder
            has no recordings, names of classes or subjects differ only in case, surrounding spaces
            or Unicode normalization, all folders have names of parts such as :obj:`train` and
            :obj:`parts` is not given, only some recordings have a subject, or no recording is
            valid. Invalid recordings are skipped with a warning.

    Warns:
        UserWarning: If the people of a sample have less than 90% of the detections they could have,
            such as if a person is split into several, or the sizes of bodies suggest that
            recordings have different units.
    """

    def __init__(
        self,
        root: str | Path,
        skeleton: str | Skeleton,
        format: str,
        num_people: int = 1,
        columns: Sequence[int] | None = None,
        subject: str | None = None,
        parts: Sequence[str] | None = None,
        subfolder: str | None = None,
        reader_options: Mapping[str, Any] | None = None,
        frame_rate: float | None = None,
        transform: Callable | None = None,
        pre_transform: Callable | None = None,
        pre_filter: Callable | None = None,
        force_reload: bool = False,
        num_workers: int = 0,
    ) -> None:
        self.skeleton = get_skeleton(skeleton)
        self.num_people = check_int('num_people', num_people, 1)
        self._format = get_format(format)
        self.columns = None if columns is None else [int(column) for column in columns]
        if self.columns is not None and (
            len(self.columns) != self.skeleton.num_joints or min(self.columns) < 0
        ):
            raise ValueError(
                f'columns must be the {self.skeleton.num_joints} indices of the joints of '
                f'{self.skeleton.name!r}, got {self.columns}'
            )
        self.reader_options = dict(reader_options or {})
        self.frame_rate = None if frame_rate is None else check_positive('frame_rate', frame_rate)
        self._folder, processed = find_class_folders(root)
        self._recordings = self._find_recordings(processed)
        contents = f'{" or ".join(self._format.suffixes)} files'
        if self._format.in_folder:
            contents = f'one folder of {contents} per recording'
        self._classes = ClassFolders(
            self._folder,
            self._recordings,
            'recordings',
            contents,
            subject,
            parts,
            subfolder,
            processed,
        )
        if self._classes.parts:
            self.protocols = {'given': ('part', (0,))}
        self.class_names = self._classes.class_names
        #: Names of the subjects.
        self.subject_names = self._classes.subject_names
        super().__init__(root, transform, pre_transform, pre_filter, force_reload, num_workers)

    @property
    def raw_dir(self) -> str:
        r"""The folder of the class folders."""
        return self._folder

    @property
    def processed_file_names(self) -> list[str]:
        r"""A file for each combination of recordings and options."""
        options = (
            self.skeleton.joints, self.skeleton.bones, self._format.name, self.num_people,
            self.columns, sorted(self.reader_options.items()), sorted(self._recordings),
            self._classes.parts, sorted(self._classes.subjects.items()), self.frame_rate,
        )  # fmt: skip
        return [hashed_name('poses', options)]

    def read(self) -> Iterator[Data]:
        r"""Yields the recordings, sorted by name."""
        skipped = SkippedSamples(self._folder)
        partly = []
        sizes: dict[str, float] = {}
        num_dims = None
        tasks = [self._task(name) for name in sorted(self._recordings)]
        for number, (task, result) in enumerate(zip(tasks, self.read_tasks(tasks))):
            if isinstance(result, str):
                skipped.add(result, task.name)
                continue
            data, size, kept, possible = result
            num_dims = num_dims or data.pos.size(-1)
            if data.pos.size(-1) != num_dims:
                reason = f'with positions not {num_dims} dimensions as in earlier recordings'
                skipped.add(reason, task.name)
                continue
            if kept < COVERED * possible:
                partly.append(f'{kept} of {possible} in {task.name}')
            sizes[task.name] = size
            data.recording = torch.tensor([number])
            yield data
        skipped.report(len(self._recordings))
        known = sorted((size, name) for name, size in sizes.items() if size > 0)
        if known and known[-1][0] > _MOST_RATIO * known[0][0]:
            (small, first), (large, second) = known[0], known[-1]
            warnings.warn(
                f'{self._folder}: bodies have a size of {small:.3g} in {first} and {large:.3g} in '
                f'{second}; all recordings must have the same unit, such as pixels or metres',
                stacklevel=2,
            )
        if partly:
            listed = ', '.join(partly[:5]) + (', ...' if len(partly) > 5 else '')
            warnings.warn(
                f'{self._folder}: in {len(partly)} recordings, the {self.num_people} most visible '
                f'people have few of the detections ({listed}); num_people may be too small, or a '
                f'person may be split into several',
                stacklevel=2,
            )

    def read_task(self, task: ReadTask) -> tuple[Data, float, int, int] | str:
        r"""Returns the sample of a recording, its size, and the numbers of detections it has and
        could have; or the reason to skip it.
        """
        path = self._recordings[task.name]
        rate = self.frame_rate
        try:
            (pos, score), (kept, possible) = self._read_recording(path)
            if rate is None and self._format.read_frame_rate is not None:
                rate = self._format.read_frame_rate(path)
        except MalformedFileError as error:
            return error.reason
        except OSError as error:
            return f'that cannot be read ({error.strerror or "a broken link"})'
        data = from_array(pos, self.skeleton, score, 'MTVC', None, rate, **task.labels)
        return data, _body_size(pos, score), kept, possible

    def reading_code(self) -> list[Any]:
        r"""Returns the classes and functions that read recordings."""
        return [*super().reading_code(), self._format.read]

    def source_files(self) -> list[str]:
        r"""Returns the paths of all recordings, and of the files of recordings in folders."""
        return [path for name in sorted(self._recordings) for path in self._task(name).files]

    def _task(self, name: str) -> ReadTask:
        path = self._recordings[name]
        paths = list_files(path) if self._format.in_folder else [path]
        files = {path: FoundFile(path) for path in paths}
        return ReadTask(name, files, self._classes.labels(name))

    def source_labels(self) -> list[tuple[str, Any]]:
        r"""Returns the name of each recording and its labels."""
        return [(name, self._classes.labels(name)) for name in sorted(self._recordings)]

    def names(self) -> list[str]:
        r"""Returns the path of each recording relative to the folder of classes, such as
        :obj:`"wave/anna/take2"`.
        """
        names = sorted(self._recordings)
        return [names[number] for number in self.labels('recording').tolist()]

    def _read_recording(self, path: str) -> tuple[Track, tuple[int, int]]:
        tracks = self._format.read(path, **self.reader_options)
        pos, score = stack_people(tracks, self.num_people)
        num_joints = pos.shape[2]
        if self.columns is not None:
            if max(self.columns) >= num_joints:
                expected = f'at least {max(self.columns) + 1} joints'
                raise MalformedFileError(path, 'joints', expected, f'{num_joints}')
            pos, score = pos[:, :, self.columns], score[:, :, self.columns]
        elif num_joints != self.skeleton.num_joints:
            known = self._format.layouts.get(num_joints)
            layout = f' of {known!r}' if known else ''
            found = f'{num_joints}{layout}'
            expected = f'the {self.skeleton.num_joints} joints of {self.skeleton.name!r}'
            error = MalformedFileError(path, 'joints', expected, found)
            error.reason += f' but {found}'
            raise error
        else:
            self._format.check_joints(path, self.skeleton)
        return Track(pos, score), coverage(tracks, self.num_people)

    def _find_recordings(self, processed: str) -> dict[str, str]:
        """Returns the path of each recording by name."""
        recordings: dict[str, str] = {}
        for file in list_files(self._folder):
            if file.startswith(os.path.join(processed, '')) or not file.lower().endswith(
                self._format.suffixes
            ):
                continue
            path = os.path.dirname(file) if self._format.in_folder else file
            name = os.path.relpath(path, self._folder).replace(os.sep, '/')
            name = name if self._format.in_folder else os.path.splitext(name)[0]
            if recordings.setdefault(name, path) != path:
                other = os.path.basename(recordings[name])
                expected = f'a different name than {other}'
                raise MalformedFileError(path, 'name', expected, 'only a different suffix')
        return recordings


def _body_size(pos: np.ndarray, score: np.ndarray) -> float:
    """Returns the median diagonal of the bounding boxes of all people and frames."""
    seen = score.any(axis=-1)
    missing = score[seen][..., None] == 0
    high, low = (np.where(missing, sign * np.inf, pos[seen]) for sign in (-1, 1))
    diagonals = np.linalg.norm(high.max(axis=1) - low.min(axis=1), axis=-1)
    return float(np.median(diagonals)) if len(diagonals) else 0.0
