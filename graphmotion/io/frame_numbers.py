"""Numbers of frames, in file names and in files."""

from __future__ import annotations

import math
import os
import re
import warnings
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from graphmotion.io.files import MalformedFileError

T = TypeVar('T')
_NUMBERS = ('frame', 'frameid', 'frameidx', 'frameindex', 'framenumber')
#: What a frame's name must be, for messages.
FRAME_NAME = (
    "a name with a frame number, such as 'walk_12.jpg'; frames named by time must be renumbered"
)


def split_frame_name(name: str) -> tuple[str, int | None]:
    r"""Splits the name of a frame's file into the recording and the frame number.

    The frame number is the last number in the name and the recording is what precedes it with its
    folder, such as :obj:`("b/walk", 12)` for :obj:`"b/walk_0012.jpg"`. Names such as
    :obj:`"1.04.jpg"` are times and have no frame number.
    """
    return split_frame_names([name])[name]


def split_frame_names(names: Iterable[str]) -> dict[str, tuple[str, int | None]]:
    r"""Splits the names of frames as :func:`split_frame_name`, knowing all names.

    If the last number is the same in all names that differ only in numbers, such as 0 in
    :obj:`"walk_12_mask0.png"`, the frame number is the last number that differs.
    """
    groups: dict[str, list[str]] = defaultdict(list)
    for name in dict.fromkeys(names):
        groups[re.sub(r'\d+', '0', _stem(name))].append(name)
    out: dict[str, tuple[str, int | None]] = {}
    for group in groups.values():
        numbers = [numbers_in_name(name) for name in group]
        columns = [k for k, column in enumerate(zip(*numbers)) if len(set(column)) > 1]
        column = columns[-1] if columns else -1
        out.update((name, _split(name, column)) for name in group)
    return out


def numbers_in_name(name: str) -> tuple[int, ...]:
    r"""Returns the numbers in the name of a frame's file, by which images are sorted.

    .. code-block:: python

        >>> numbers_in_name('walk/frame_10_mask0.png')
        (10, 0)
    """
    return tuple(map(int, re.findall(r'\d+', _base(name))))


def fill_gaps(frames: Mapping[int, T], path: str) -> list[T | None]:
    r"""Lists the frames from the lowest to the highest number; missing frames are :obj:`None`.

    If all numbers are a multiple of a common step apart and the step is no coincidence, such as 60
    for one frame a second of a video, the frames are every step-th number.

    Raises:
        ValueError: If more than 99.9% of the frames are missing.

    Warns:
        UserWarning: If the step is not 1, or more than 90% of the frames are missing.
    """
    first, last = min(frames), max(frames)
    step = math.gcd(*(number - first for number in frames))
    if len(frames) < 3 or (len(frames) - 1) * math.log(max(step, 1)) < math.log(1000):
        step = 1
    span = (last - first) // step + 1
    found = f'{len(frames)} of {first}..{last}'
    if span - 1 > 1000 * len(frames):
        expected = f'numbers of one recording, and not times; {FRAME_NAME}'
        raise MalformedFileError(path, 'frame numbers', expected, found)
    if step > 1:
        warnings.warn(
            f'{path}: frame numbers: the {len(frames)} numbers {first}..{last} are multiples of '
            f'{step} apart and read as every {step}th frame, numbered 0..{span - 1}',
            stacklevel=3,
        )
    elif span > 10 * len(frames):
        warnings.warn(
            f'{path}: frame numbers: only {found} exist, and the other frames are empty; renumber '
            f'the frames if the numbers are times',
            stacklevel=3,
        )
    return [frames.get(number) for number in range(first, last + 1, step)]


def order_frames(
    frames: Sequence[T], entries: Sequence[Any], path: str, field: str
) -> Sequence[T | None]:
    r"""Orders frames by the numbers in their entries of a file, if all entries have one.

    Missing frames are :obj:`None`; see :func:`fill_gaps`.

    Args:
        frames (sequence): The frames in the order of the file.
        entries (sequence): The object of each frame, whose number is in :obj:`frame`,
            :obj:`frame_id`, :obj:`frame_idx`, :obj:`frame_index` or :obj:`frame_number`.
        path (str): Path of the file, for messages.
        field (str): Field of the list of objects, for error messages.

    Raises:
        ValueError: If a number occurs twice.
    """
    numbered: dict[int, T] = {}
    for index, (frame, entry) in enumerate(zip(frames, entries)):
        number = find_frame_number(entry)
        if number is None:
            return frames
        if number in numbered:
            raise MalformedFileError(path, f'{field}[{index}]', 'a new frame number', f'{number}')
        numbered[number] = frame
    return fill_gaps(numbered, path) if numbered else frames


def find_frame_number(entry: Any) -> int | None:
    r"""Returns the frame number of an object in a file, if it has one."""
    names = entry if isinstance(entry, dict) else ()
    number = next((entry[k] for k in names if k.lower().replace('_', '') in _NUMBERS), None)
    return number if isinstance(number, int) else None


def _stem(name: str) -> str:
    return os.path.splitext(name.replace('\\', '/'))[0]


def _base(name: str) -> str:
    return _stem(name).rpartition('/')[2]


def _split(name: str, column: int) -> tuple[str, int | None]:
    stem = _stem(name)
    folder, _, base = stem.rpartition('/')
    numbers = list(re.finditer(r'\d+', base))
    if not numbers or re.fullmatch(r'\d+\.\d+', base):
        return stem, None
    start = base[: numbers[column].start()].rstrip('_-. ')
    return f'{folder}/{start}'.strip('/'), int(numbers[column][0])
