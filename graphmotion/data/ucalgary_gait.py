"""Reader of the joint positions of the University of Calgary's gaits."""

from __future__ import annotations

import csv
import io

import numpy as np

from graphmotion.data.files import MalformedFile, numbers, read_file

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
        raise MalformedFile(path, 'content', 'a table', str(error)) from error
    if not rows:
        raise MalformedFile(path, 'content', 'a table', 'an empty file')
    header, *frames = rows
    if [''.join(cell.lower().split()) for cell in header[: len(_COLUMNS)]] != _COLUMNS:
        expected = f'the {len(_JOINTS)} joints from {_JOINTS[0]!r} to {_JOINTS[-1]!r}'
        raise MalformedFile(path, 'header', expected, repr(', '.join(header))[:80])
    for number, row in enumerate(frames, 1):
        if len(row) != len(header):
            found = f'{len(row)} for {len(header)} columns in frame {number}'
            raise MalformedFile(path, 'rows', 'a number for each column', found)
    try:
        pos = np.array([row[: len(_COLUMNS)] for row in frames], np.float64)
    except ValueError as error:
        raise MalformedFile(path, 'rows', 'a number for each column', str(error)) from error
    return numbers(pos.reshape(-1, len(_JOINTS), 3), path, 'positions', ('T', len(_JOINTS), 3))
