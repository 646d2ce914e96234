"""Poses of CASIA-B as published with GaitGraph."""

from __future__ import annotations

import csv
import io
import re
from array import array
from collections.abc import Iterator

import numpy as np

from graphmotion.io.files import MalformedFileError, read_file
from graphmotion.io.frame_numbers import split_frame_name
from graphmotion.io.skipped import SkippedSamples
from graphmotion.io.tracks import Track, split_score

#: Name of a CASIA-B sequence, either in one word or as nested folders.
CASIA_B_NAME = re.compile(
    r'(?<!\d)(?P<subject>\d{3})[-/\\](?P<condition>nm|bg|cl)-(?P<take>\d{2})'
    r'[-/\\](?P<view>\d{3})(?!\d)'
)
_EXPECTED = 'an image name such as 001-nm-01-090/0001.jpg and 17 joints'
_NUM_JOINTS = 17
_NUM_CELLS = _NUM_JOINTS * 3


def read_gaitgraph(path: str, content: bytes | None = None) -> dict[str, Track]:
    r"""Reads the poses of CASIA-B as published with the `"GaitGraph: Graph Convolutional Network
    for Skeleton-Based Gait Recognition" <https://arxiv.org/abs/2101.11228>`_ paper.

    The file is a CSV table with one row per frame: the image name, followed by :math:`x`,
    :math:`y` (pixels) and confidence of the 17 joints of the layout :obj:`coco17`. Image names
    contain the name of the sequence, such as :obj:`001-bg-01-000/000027.jpg` or
    :obj:`data/001/bg-01/000/27.png`, also with backslashes. The last number after it is the frame
    number; without one, frames are in file order. A header row is skipped. Confidences above 1 are
    clipped to 1. Joints without confidence or without a finite position are missing.

    .. code-block:: python

        for name, track in read_gaitgraph('gaitgraph.csv').items():
            print(name, track.pos.shape)  # 001-nm-01-090 (T, 17, 2)

    Args:
        path (str): Path of the file.
        content (bytes, optional): Content of the file if already read. (default: :obj:`None`)

    Returns:
        dict: A :class:`Track` with positions :math:`(T, 17, 2)` and scores :math:`(T, 17)` for
        each sequence name, such as :obj:`001-bg-01-000`. Invalid rows, such as frames without a
        detection, are skipped and counted in a single warning.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is empty or has no valid rows.
    """
    content = read_file(path) if content is None else content
    skipped = SkippedSamples(path, 'rows')
    poses: dict[str, array] = {}
    orders: dict[str, dict[int, int]] = {}  # frame number -> row, for each sequence
    total, example = 0, ''
    try:
        for row in _rows(content):
            total += 1
            match = CASIA_B_NAME.search(row[0])
            values = _floats(row[1:])
            if not match or values is None:
                example = ','.join(row)[:80]
                fault = 'without 17 joints' if match else 'without a sequence name'
                skipped.add(fault, row[0][:80])
                continue
            name = '{}-{}-{}-{}'.format(*match.groups())
            order = orders.setdefault(name, {})
            number = split_frame_name(row[0][match.end() :])[1]
            number = len(order) if number is None else number
            if number in order:
                skipped.add('with a duplicate frame number', row[0][:80])
                continue
            order[number] = len(order)
            poses.setdefault(name, array('f')).extend(values)
    except csv.Error as error:
        raise MalformedFileError(path, 'content', 'a table', str(error)) from error
    if not poses:
        found = f'{total} other rows, such as {example!r}' if total else 'none'
        raise MalformedFileError(path, 'rows', _EXPECTED, found)
    skipped.report(total)
    return {name: _track(poses[name], orders[name], path) for name in sorted(poses)}


def _rows(content: bytes) -> Iterator[list[str]]:
    """Yields the non-empty rows of the table without its header."""
    text = io.TextIOWrapper(io.BytesIO(content), 'utf-8-sig', errors='replace', newline='')
    first = True
    for row in csv.reader(text):
        if any(row):
            # A header does not contain a sequence name.
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


def _track(values: array, order: dict[int, int], path: str) -> Track:
    rows = np.frombuffer(values, np.float32).reshape(-1, _NUM_JOINTS, 3)
    return split_score(rows[[order[number] for number in sorted(order)]], path)
