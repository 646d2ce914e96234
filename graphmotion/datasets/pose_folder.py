"""Folders of what a pose estimator wrote."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch_geometric.data import Data

from graphmotion.data import from_array
from graphmotion.datasets.motion_dataset import MotionDataset
from graphmotion.datasets.subjects import find_subjects
from graphmotion.io import (
    MalformedFileError,
    SkippedSamples,
    Track,
    get_format,
    list_files,
    stack_tracks,
)
from graphmotion.skeletons import Skeleton, get_skeleton


class PoseFolder(MotionDataset):
    r"""Your own recordings, as a pose estimator wrote them, in one folder for each class.

    .. code-block:: text

        root/raw/wave/take1.json          the class wave
        root/raw/wave/anna/take2.json     of the subject anna
        root/raw/clap/take1.json          the class clap

    Without :obj:`raw/`, the folders of the classes are those in :obj:`root` itself. A recording
    is a file, or, of OpenPose, a folder with a file for each frame. Classes are numbered in the
    order of their names, and so are subjects.

    Samples have the fields :obj:`y`, :obj:`score`, :obj:`recording`, the position of their name in
    the sorted list of all, and :obj:`subject`, if the recordings have one. What was added, removed
    or renamed is noticed; after a change within a file pass :obj:`force_reload=True`.

    .. code-block:: python

        arm = Skeleton(['shoulder', 'elbow', 'wrist'],
                       [('shoulder', 'elbow'), ('elbow', 'wrist')])
        dataset = PoseFolder('data/mine', arm, format='openpose', columns=[2, 3, 4])

    Args:
        root (str or Path): The folder.
        skeleton (str or Skeleton): The layout of the joints, a built-in one or your own.
        format (str): Format of the recordings, such as :obj:`"openpose"`; see
            :func:`~graphmotion.io.list_formats`.
        num_people (int, optional): Number of people :math:`M` of a sample, those seen most first;
            who is not there is missing in all frames. (default: :obj:`1`)
        columns (sequence of int, optional): The positions in the files of the joints of
            :obj:`skeleton`, if the files have others too, or another order.
            (default: :obj:`None`)
        subject (str, optional): A regular expression that begins to match at the beginning of a
            name without that of its class, as :obj:`anna/take2`; its group is the name of the
            subject. By default the folder in that of the class, if there is one; write
            :obj:`r"(\w+?)_"` for files named :obj:`anna_take2.json`. (default: :obj:`None`)
        reader_options (mapping, optional): Options of the reader, such as :obj:`{"world": True}`
            of MediaPipe or :obj:`{"axes": "CTVM"}` of NumPy. (default: :obj:`None`)
        transform (callable, optional): Applied to each sample on access. (default: :obj:`None`)
        pre_transform (callable, optional): Applied to each sample once, before it is stored.
            (default: :obj:`None`)
        pre_filter (callable, optional): Samples for which it is false are not stored.
            (default: :obj:`None`)
        force_reload (bool, optional): Process again what was processed before.
            (default: :obj:`False`)

    Raises:
        FileNotFoundError: If the folder is not there.
        ValueError: If an option is not one of those named here, there is no folder of a class, one
            of them has no recording, only some recordings have a subject, or no recording can be
            used; single recordings that cannot are left out with one warning that counts them.
    """

    def __init__(
        self,
        root: str | Path,
        skeleton: str | Skeleton,
        format: str,
        num_people: int = 1,
        columns: Sequence[int] | None = None,
        subject: str | None = None,
        reader_options: Mapping[str, Any] | None = None,
        transform: Callable | None = None,
        pre_transform: Callable | None = None,
        pre_filter: Callable | None = None,
        force_reload: bool = False,
    ) -> None:
        self.skeleton = get_skeleton(skeleton)
        if num_people < 1:
            raise ValueError(f'num_people is at least 1, got {num_people}')
        self._format = get_format(format)
        self.num_people = num_people
        self.columns = None if columns is None else [int(column) for column in columns]
        if self.columns is not None and (
            len(self.columns) != self.skeleton.num_joints or min(self.columns) < 0
        ):
            raise ValueError(
                f'columns are {self.skeleton.num_joints} positions, one for each joint of '
                f'{self.skeleton.name!r}, got {self.columns}'
            )
        self.reader_options = dict(reader_options or {})
        root = os.path.normpath(os.path.expanduser(root))
        raw = os.path.join(root, 'raw')
        self._folder = raw if os.path.isdir(raw) else root
        self._recordings = self._find()
        self.class_names = tuple(sorted({name.split('/')[0] for name in self._recordings}))
        self._subjects = find_subjects(self._folder, self._recordings, subject, 'recordings')
        #: The names of the subjects, in the order of their numbers.
        self.subject_names = tuple(sorted(set(self._subjects.values())))
        super().__init__(root, transform, pre_transform, pre_filter, force_reload)

    @property
    def raw_dir(self) -> str:
        r"""The folder that holds those of the classes."""
        return self._folder

    @property
    def processed_file_names(self) -> list[str]:
        r"""One file for each set of recordings and options."""
        options = (
            self.skeleton.joints, self.skeleton.bones, self._format.name, self.num_people,
            self.columns, sorted(self.reader_options.items()), sorted(self._recordings),
            sorted(self._subjects.items()),
        )  # fmt: skip
        return [f'poses_{hashlib.sha256(repr(options).encode()).hexdigest()[:16]}.pt']

    def read(self) -> Iterator[Data]:
        r"""The recordings, sorted by name."""
        skipped = SkippedSamples(self._folder)
        num_dims = None
        for number, name in enumerate(sorted(self._recordings)):
            try:
                pos, score = self._read_recording(self._recordings[name], num_dims)
            except MalformedFileError as error:
                skipped.add(error.reason, name)
                continue
            num_dims = pos.shape[-1]
            labels: dict[str, Any] = {
                'y': self.class_names.index(name.split('/')[0]),
                'recording': number,
            }
            if self._subjects:
                labels['subject'] = self.subject_names.index(self._subjects[name])
            yield from_array(pos, self.skeleton, score, axes='MTVC', **labels)
        skipped.report(len(self._recordings))

    def names(self) -> list[str]:
        r"""The name of each sample: that of its file or folder with those above it, as
        :obj:`wave/anna/take2`.
        """
        names = sorted(self._recordings)
        return [names[number] for number in self.labels('recording').tolist()]

    def _read_recording(self, path: str, num_dims: int | None) -> Track:
        tracks = self._format.read(path, **self.reader_options)
        pos, score = stack_tracks(tracks, self.num_people)
        num_joints = pos.shape[2]
        if self.columns is not None:
            if max(self.columns) >= num_joints:
                expected = f'at least {max(self.columns) + 1} joints'
                raise MalformedFileError(path, 'joints', expected, f'{num_joints}')
            pos, score = pos[:, :, self.columns], score[:, :, self.columns]
        elif num_joints != self.skeleton.num_joints:
            expected = f'the {self.skeleton.num_joints} joints of {self.skeleton.name!r}'
            raise MalformedFileError(path, 'joints', expected, f'{num_joints}')
        if num_dims not in (None, pos.shape[-1]):
            expected = f'{num_dims} dimensions as in recordings before'
            raise MalformedFileError(path, 'positions', expected, f'{pos.shape[-1]}')
        return Track(pos, score)

    # Finding recordings #######################################################

    def _find(self) -> dict[str, str]:
        """The recordings by their names."""
        if not os.path.isdir(self._folder):
            raise FileNotFoundError(f'{self._folder}: no such folder')
        suffixes, in_folder = self._format.suffixes, self._format.in_folder
        recordings: dict[str, str] = {}
        with os.scandir(self._folder) as entries:
            classes = sorted(
                entry.path
                for entry in entries
                if entry.is_dir() and entry.name != 'processed' and not entry.name.startswith('.')
            )
        if not classes:
            raise MalformedFileError(self._folder, 'folders', 'one for each class', 'none')
        for folder in classes:
            found = [path for path in list_files(folder) if path.endswith(suffixes)]
            if in_folder:
                found = sorted({os.path.dirname(path) for path in found} - {folder})
            if not found:
                ends = ' or '.join(suffixes)
                expected = f'folders of {ends} files' if in_folder else f'{ends} files'
                raise MalformedFileError(folder, 'recordings', expected, 'none')
            for path in found:
                name = os.path.relpath(path, self._folder).replace(os.sep, '/')
                name = name if in_folder else os.path.splitext(name)[0]
                if name in recordings:
                    expected = f'another than {os.path.basename(recordings[name])} beside it'
                    raise MalformedFileError(path, 'name', expected, 'the same but for its end')
                recordings[name] = path
        return recordings
