"""The gaits of the University of Calgary."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from graphmotion.checks import check_choices
from graphmotion.datasets.recorded_dataset import RecordedDataset
from graphmotion.io.files import MalformedFileError, as_float_array, read_file
from graphmotion.skeletons import get_skeleton

_TARGETS = ('subject', 'condition')
_NUM_SUBJECTS = 28
_CONDITIONS = ('normal', 'abnormal right leg', 'abnormal left leg')


class UCalgaryGait(RecordedDataset):
    r"""Normal and abnormal gaits of the University of Calgary, from the "Utilizing gait traits to
    improve e-border watchlist performance" paper (SSCI 2017).

    28 people walk towards a Kinect v2 (30 frames a second), twice as they always do, twice with a
    hindered right leg and twice with a hindered left one: 167 sequences, one is not in the archive,
    of 120 frames and 18 joints in metres from the camera, :math:`y` up. Samples have the fields
    :obj:`subject` (0..27), :obj:`condition` (0 normal, 1 right leg, 2 left leg), :obj:`take` (the
    run, 1..6), :obj:`score`: 0 for a joint that the file puts into the camera, at the origin, and
    :obj:`y`, which is the subject or the condition.

    The protocol :obj:`"subject"` trains on the odd runs and tests on the even ones, which has all
    subjects and conditions in both. For conditions, keep people apart:

    .. code-block:: python

        train, test = UCalgaryGait('data/ucalgary').official_split('subject')

        dataset = UCalgaryGait('data/ucalgary', target='condition')
        for train, test in dataset.folds(5, by='subject'):
            ...

    The skeletons are metric, so that the lengths of limbs alone tell most people apart;
    :class:`~graphmotion.transforms.ScaleByBodySize` takes that away.

    Args:
        root (str or Path): Where :obj:`raw/` holds :obj:`GeometricPositions.zip`, or its files
            :obj:`subject{}_Seq_{}_Gen_{}_GeometricPositions_{}.csv`.
        target (str, optional): What :obj:`y` is, :obj:`"subject"` or :obj:`"condition"`.
            (default: :obj:`"subject"`)
        transform (callable, optional): Applied to each sample on access. (default: :obj:`None`)
        pre_transform (callable, optional): Applied to each sample once, before it is stored.
            (default: :obj:`None`)
        pre_filter (callable, optional): Samples for which it returns :obj:`False` are not stored.
            (default: :obj:`None`)
        force_reload (bool, optional): If :obj:`True`, processes the raw files again.
            (default: :obj:`False`)

    Raises:
        FileNotFoundError: If the raw files are missing.
        ValueError: If there is no such target, the archive is damaged or no sequence can be used;
            single sequences that cannot are left out with one warning that counts them.
    """

    suffix = '.csv'
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
    ) -> None:
        (self.target,) = check_choices('target', target, _TARGETS)
        self.skeleton = get_skeleton('ucalgary18')
        subjects = tuple(f'subject {number + 1}' for number in range(_NUM_SUBJECTS))
        self.class_names = subjects if target == 'subject' else _CONDITIONS
        super().__init__(root, transform, pre_transform, pre_filter, force_reload)

    @property
    def processed_file_names(self) -> list[str]:
        r"""One file for each target."""
        return [f'{self.target}.pt']

    def find_labels(self, numbers: dict[str, int]) -> dict[str, int] | str | None:
        r"""Subjects and conditions count from 0; the authors ask to ignore a seventh run."""
        subject, take = numbers['subject'] - 1, numbers['take']
        if take == 7:
            return None
        if not 0 <= subject < _NUM_SUBJECTS:
            return f'of a subject outside 1..{_NUM_SUBJECTS}'
        if not 1 <= take <= 6:
            return 'of a run outside 1..6'
        labels = {'subject': subject, 'condition': (take - 1) // 2, 'take': take}
        return {'y': labels[self.target], **labels}

    def read_recording(self, path: str, content: bytes) -> tuple[np.ndarray, np.ndarray]:
        r"""Positions, and the score 0 where there is none."""
        pos = read_ucalgary_gait(path, content)
        return pos, (pos != 0).any(axis=-1).astype(np.float32)

    def names(self) -> list[str]:
        r"""How the name of the file of each sample begins, as :obj:`subject12_Seq_1`."""
        subjects, takes = self.labels('subject').tolist(), self.labels('take').tolist()
        return [f'subject{s + 1}_Seq_{t}' for s, t in zip(subjects, takes)]


# What the header calls the joints of the layout, in its order, in lower case without spaces.
_JOINTS = (
    *('footleft', 'ankleleft', 'kneeleft', 'hipleft'),
    *('footright', 'ankleright', 'kneeright', 'hipright'),
    *('spinebase', 'spinemid', 'neck', 'head'),
    *('shouldl', 'shouldr', 'wristleft', 'wristright', 'elbowleft', 'elbowright'),
)
_COLUMNS = [name for joint in _JOINTS for name in (f'{joint}x', 'y', 'z')]


def read_ucalgary_gait(path: str, content: bytes | None = None) -> np.ndarray:
    r"""Read a walk of the University of Calgary's normal and abnormal gait dataset, from the
    "Utilizing gait traits to improve e-border watchlist performance" paper (SSCI 2017).

    The file is a table of :obj:`GeometricPositions`: a header, then a row for each frame, whose
    first 54 numbers are the joints of the layout :obj:`ucalgary18` in metres from the camera.
    What follows in a row is derived from them and is not read.

    Args:
        path (str): The file.
        content (bytes, optional): Its bytes, if they were read before. (default: :obj:`None`)

    Returns:
        array: Positions :math:`(T, 18, 3)` in single precision.

    Raises:
        FileNotFoundError: If the file is not there.
        ValueError: If it is empty, cut off, or holds something else.
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
