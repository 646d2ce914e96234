"""Reader of CASIA-B's keypoints as GaitGraph publishes them."""

from __future__ import annotations

import csv
import io
import re
from array import array
from collections.abc import Iterator

import numpy as np

from graphmotion.io.files import MalformedFileError, frame_number, read_file
from graphmotion.io.skipped import SkippedSamples
from graphmotion.io.tracks import Track, split_score

#: What the name of a sequence of CASIA-B looks like, in one word or as folders.
CASIA_B_NAME = re.compile(
    r'(?<!\d)(?P<subject>\d{3})[-/](?P<condition>nm|bg|cl)-(?P<take>\d{2})[-/](?P<view>\d{3})(?!\d)'
)
_NUM_JOINTS = 17
_NUM_CELLS = _NUM_JOINTS * 3


def read_gaitgraph(path: str, content: bytes | None = None) -> dict[str, Track]:
    r"""Read the poses of CASIA-B as published with the `"GaitGraph: Graph Convolutional Network for
    Skeleton-Based Gait Recognition" <https://arxiv.org/abs/2101.11228>`_ paper.

    The file is a table separated by commas, with a row for each frame: the name of the image, and
    :math:`x`, :math:`y` in pixels and confidence of the 17 joints of the layout :obj:`coco17`. The
    name has that of the sequence somewhere in it, as :obj:`001-bg-01-000/000027.jpg` or
    :obj:`data/001/bg-01/000/27.png`; the last number behind it tells the order of the frames, and
    without one they are in the order of the file. A header is passed over, if there is one.
    Confidence above 1 counts as 1; a joint without confidence, or that is not finite, is missing.

    Args:
        path (str): The file.
        content (bytes, optional): Its bytes, if they were read before. (default: :obj:`None`)

    Returns:
        dict: For each sequence, by a name like :obj:`001-bg-01-000`, a :class:`Track` with
        positions :math:`(T, 17, 2)` and scores :math:`(T, 17)`. Rows that are not of this form, as
        those of frames in which nobody was found, are left out with one warning that counts them.

    Raises:
        FileNotFoundError: If the file is not there.
        ValueError: If it is empty or no row can be used.
    """
    content = read_file(path) if content is None else content
    skipped = SkippedSamples(path, 'rows')
    poses: dict[str, array] = {}
    orders: dict[str, dict[int, int]] = {}  # of each sequence: the row of each frame's number
    total = 0
    try:
        for row in _rows(content):
            total += 1
            match = CASIA_B_NAME.search(row[0])
            values = _floats(row[1:])
            if not match or values is None:
                fault = 'not of 17 joints' if match else 'without the name of a sequence'
                skipped.add(fault, row[0][:80])
                continue
            name = '{}-{}-{}-{}'.format(*match.groups())
            order = orders.setdefault(name, {})
            number = frame_number(row[0][match.end() :])
            number = len(order) if number is None else number
            if number in order:
                skipped.add('of a frame that has one already', row[0][:80])
                continue
            order[number] = len(order)
            poses.setdefault(name, array('f')).extend(values)
    except csv.Error as error:
        raise MalformedFileError(path, 'content', 'a table', str(error)) from error
    if not poses:
        found = f'{total} other rows' if total else 'none'
        raise MalformedFileError(path, 'rows', 'the name of an image and 17 joints', found)
    skipped.report(total)
    return {name: _track(poses[name], orders[name]) for name in sorted(poses)}


def _rows(content: bytes) -> Iterator[list[str]]:
    """The rows of the table that are not empty, without its header."""
    text = io.TextIOWrapper(io.BytesIO(content), 'utf-8-sig', errors='replace', newline='')
    first = True
    for row in csv.reader(text):
        if any(row):
            # A header names no sequence.
            if not first or CASIA_B_NAME.search(row[0]):
                yield row
            first = False


def _floats(cells: list[str]) -> list[float] | None:
    if len(cells) != _NUM_CELLS:
        return None
    try:
        return list(map(float, cells))
    except ValueError:
        return None


def _track(values: array, order: dict[int, int]) -> Track:
    rows = np.frombuffer(values, np.float32).reshape(-1, _NUM_JOINTS, 3)
    return split_score(rows[[order[number] for number in sorted(order)]])
