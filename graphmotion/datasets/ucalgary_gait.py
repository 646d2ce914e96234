"""The gait dataset of the University of Calgary."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from graphmotion.checks import check_choice
from graphmotion.datasets.recorded_dataset import RecordedDataset
from graphmotion.io.files import MalformedFileError, as_float_array, read_file
from graphmotion.skeletons import get_skeleton

_TARGETS = ('subject', 'condition')
_NUM_SUBJECTS = 28
_CONDITIONS = ('normal', 'abnormal right leg', 'abnormal left leg')


class UCalgaryGait(RecordedDataset):
    r"""Normal and abnormal gaits of the University of Calgary, from the "Utilizing gait traits to
    improve e-border watchlist performance" paper (SSCI 2017).

    28 people walk towards a Kinect v2 (30 frames per second), twice normally, twice with an
    impaired right leg and twice with an impaired left leg: 167 sequences (one is missing in the
    archive) of 120 frames and 18 joints, in metres relative to the camera, with :math:`y` up.
    Samples have the fields :obj:`subject` (0..27), :obj:`condition` (0 normal, 1 right leg, 2 left
    leg), :obj:`take` (the run, 1..6), :obj:`score`, which is 0 for joints at the origin, the
    position of missing joints in the files, and :obj:`y`, the subject or the condition.

    The protocol :obj:`"subject"` trains on the odd runs and tests on the even ones, so that both
    parts contain all subjects and conditions. To classify conditions, split by subject:

    .. code-block:: python

        train, test = UCalgaryGait('data/ucalgary').official_split('subject')

        dataset = UCalgaryGait('data/ucalgary', target='condition')
        for train, test in dataset.folds(5, by='subject'):
            ...

    The archive has some files twice: all six of subjects 4 and 10 are the same, as are runs 1 and 2
    of subject 22 and runs 5 and 6 of subject 6. To leave the copies out, use
    :func:`~graphmotion.data.find_duplicates`:

    .. code-block:: python

        copies = {number for group in find_duplicates(dataset) for number in group[1:]}
        dataset = dataset.index_select([i for i in range(len(dataset)) if i not in copies])

    Since the skeletons are metric, limb lengths alone distinguish most people;
    :class:`~graphmotion.transforms.ScaleByBodySize` removes the body size.

    Args:
        root (str or Path): Root directory, whose folder :obj:`raw/` contains
            :obj:`GeometricPositions.zip` or its files
            :obj:`subject{}_Seq_{}_Gen_{}_GeometricPositions_{}.csv`.
        target (str, optional): The label in :obj:`y`, :obj:`"subject"` or :obj:`"condition"`.
            (default: :obj:`"subject"`)
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
        ValueError: If the target is invalid, the archive is damaged or no sequence is valid.
            Invalid sequences are skipped with a warning.
    """

    suffixes = '.csv'
    pattern = re.compile(
        r'subject(?P<subject>\d+)_Seq_(?P<take>\d+)_Gen_[MF]_GeometricPositions_(?:N|AR|AL)'
    )
    name_format = 'subject{subject}_Seq_{take}_Gen_{gender}_GeometricPositions_{condition}'
    archive = 'GeometricPositions.zip'
    source = 'the Biometric Technologies Laboratory of the University of Calgary'
    protocols = {'subject': ('take', (1, 3, 5))}

    def __init__(
        self,
        root: str | Path,
        target: str = 'subject',
        transform: Callable | None = None,
        pre_transform: Callable | None = None,
        pre_filter: Callable | None = None,
        force_reload: bool = False,
        num_workers: int = 0,
    ) -> None:
        self.target = check_choice('target', target, _TARGETS)
        self.skeleton = get_skeleton('ucalgary18')
        subjects = tuple(f'subject {number + 1}' for number in range(_NUM_SUBJECTS))
        self.class_names = subjects if target == 'subject' else _CONDITIONS
        super().__init__(root, transform, pre_transform, pre_filter, force_reload, num_workers)

    @property
    def processed_file_names(self) -> list[str]:
        r"""A file for each target."""
        return [f'{self.target}.pt']

    def find_labels(self, numbers: dict[str, int]) -> dict[str, int] | str | None:
        r"""Returns the labels of a sequence, or :obj:`None` for seventh runs, which are to be
        ignored according to the authors.
        """
        subject, take = numbers['subject'] - 1, numbers['take']
        if take == 7:
            return None
        if not 0 <= subject < _NUM_SUBJECTS:
            return f'with a subject outside 1..{_NUM_SUBJECTS}'
        if not 1 <= take <= 6:
            return 'with a run outside 1..6'
        labels = {'subject': subject, 'condition': (take - 1) // 2, 'take': take}
        return {'y': labels[self.target], **labels}

    def read_recording(self, path: str, content: bytes) -> tuple[np.ndarray, np.ndarray]:
        r"""Returns the positions and scores of a sequence."""
        pos = read_ucalgary_gait(path, content)
        return pos, (pos != 0).any(axis=-1).astype(np.float32)

    def names(self) -> list[str]:
        r"""Returns the start of the file name of each sample, such as :obj:`"subject12_Seq_1"`."""
        subjects, takes = self.labels('subject').tolist(), self.labels('take').tolist()
        return [f'subject{s + 1}_Seq_{t}' for s, t in zip(subjects, takes)]


# The joints of the layout in the header of the files, in lower case without spaces.
_JOINTS = (
    *('footleft', 'ankleleft', 'kneeleft', 'hipleft'),
    *('footright', 'ankleright', 'kneeright', 'hipright'),
    *('spinebase', 'spinemid', 'neck', 'head'),
    *('shouldl', 'shouldr', 'wristleft', 'wristright', 'elbowleft', 'elbowright'),
)
_COLUMNS = [name for joint in _JOINTS for name in (f'{joint}x', 'y', 'z')]


def read_ucalgary_gait(path: str, content: bytes | None = None) -> np.ndarray:
    r"""Reads a sequence of the University of Calgary's normal and abnormal gait dataset, from the
    "Utilizing gait traits to improve e-border watchlist performance" paper (SSCI 2017).

    The file is a table of :obj:`GeometricPositions`: a header, then one row per frame, whose first
    54 numbers are the joints of the layout :obj:`ucalgary18` in metres relative to the camera. The
    remaining columns are derived from these and are ignored.

    Args:
        path (str): Path of the file.
        content (bytes, optional): Content of the file if already read. (default: :obj:`None`)

    Returns:
        array: Positions :math:`(T, 18, 3)` in single precision.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is empty, truncated or invalid.
    """
    content = read_file(path) if content is None else content
    text = content.decode('utf-8-sig', errors='replace')
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline='')) if any(row)]
    except csv.Error as error:
        raise MalformedFileError(path, 'content', 'a table', str(error)) from error
    if not rows:
        raise MalformedFileError(path, 'content', 'a table', 'an empty file')
    header, *frames = rows
    if [''.join(cell.lower().split()) for cell in header[: len(_COLUMNS)]] != _COLUMNS:
        expected = f'the {len(_JOINTS)} joints from {_JOINTS[0]!r} to {_JOINTS[-1]!r}'
        raise MalformedFileError(path, 'header', expected, repr(', '.join(header))[:80])
    for number, row in enumerate(frames, 1):
        if len(row) != len(header):
            found = f'{len(row)} for {len(header)} columns in frame {number}'
            raise MalformedFileError(path, 'rows', 'a number for each column', found)
    try:
        pos = np.array([row[: len(_COLUMNS)] for row in frames], np.float64)
    except ValueError as error:
        raise MalformedFileError(path, 'rows', 'a number for each column', str(error)) from error
    return as_float_array(
        pos.reshape(-1, len(_JOINTS), 3), path, 'positions', ('T', len(_JOINTS), 3)
    )
