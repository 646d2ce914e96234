"""Facial landmarks in text files."""

from __future__ import annotations

import re

import numpy as np

from graphmotion.io.files import MalformedFileError, read_file

#: File name endings of the supported formats.
LANDMARK_SUFFIXES = ('.pts', '.txt', '.csv')


def read_landmarks(
    path: str, content: bytes | None = None, num_points: int | None = 68
) -> np.ndarray:
    r"""Reads the landmarks of a face.

    Two forms are read:

    - :obj:`.pts`, the form of the 300-W annotation, with :obj:`n_points: 68` and the points between
      braces. The centre of the first pixel is (1, 1);
    - text with one point per line, column and row, separated by spaces or commas, as written from
      the output of dlib and in the files of CK+. The centre of the first pixel is (0, 0). Lines
      before the first point are a header.

    .. code-block:: python

        lines = [f'{10 + i} {20 + i}' for i in range(68)]
        pathlib.Path('face.txt').write_text('\n'.join(lines))
        print(read_landmarks('face.txt').shape)  # (68, 2)

    Args:
        path (str): Path of the file.
        content (bytes, optional): Content of the file if already read. (default: :obj:`None`)
        num_points (int, optional): Number of points of each file, or :obj:`None` for any number.
            (default: :obj:`68`)

    Returns:
        array: Points :math:`(L, 2)`, in pixels, :math:`x` to the right and :math:`y` down, where
        the first pixel extends from 0 to 1.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file has another number of points or a value is not a finite number.
    """
    content = read_file(path) if content is None else content
    text = content.decode('utf-8', 'replace')
    if path.lower().endswith('.pts'):
        match = re.fullmatch(r'.*?n_points:\s*(\d+).*?\{(.*)\}\s*', text, re.DOTALL)
        if match is None:
            raise MalformedFileError(path, 'content', 'n_points and points between braces', 'none')
        points = _read_points(path, match[2].strip().splitlines(), header=False)
        if len(points) != int(match[1]):
            raise MalformedFileError(
                path, 'n_points', f'{len(points)}, the number of points', match[1]
            )
        points = points - 0.5
    else:
        points = _read_points(path, text.strip().splitlines(), header=True) + 0.5
    if not len(points) or num_points not in (None, len(points)):
        expected = 'at least one point' if num_points is None else f'{num_points} points'
        raise MalformedFileError(path, 'points', expected, f'{len(points)}')
    return points


def _read_points(path: str, lines: list[str], header: bool) -> np.ndarray:
    points: list[list[float]] = []
    for number, line in enumerate(lines, 1):
        try:
            point = [float(value) for value in line.replace(',', ' ').split()]
        except ValueError:
            point = []
        if len(point) == 2 and np.isfinite(point).all():
            points.append(point)
        elif points or not header:
            raise MalformedFileError(path, f'line {number}', 'column and row', repr(line[:40]))
    return np.array(points).reshape(-1, 2)
