"""Bodies tracked by Kinect v2."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from graphmotion.io.files import MalformedFileError, load_json, read_file
from graphmotion.io.formats import register_format
from graphmotion.io.frame_numbers import order_frames
from graphmotion.io.tracks import Detection, Track, find_detection, iter_objects, make_tracks
from graphmotion.skeletons import get_skeleton
from graphmotion.skeletons.sides import joint_key

_LAYOUT = get_skeleton('ntu25')
_JOINTS = {joint_key(joint): index for index, joint in enumerate(_LAYOUT.joints)}
_COLUMN = re.compile(r'(?P<joint>[A-Za-z]+?)[_. ]?(?P<value>[XYZxyz]|State|Conf)')
# Names of fields and columns in lower case, without underscores.
_BODIES = ('bodies', 'skeletons')
_POINTS = ('joints', 'joint', 'jointpositions')
_IDENTITIES = ('trackingid', 'bodyid', 'userid', 'id', 'bodyindex')
_TRACKED = ('istracked', 'tracked')
_TIMES = ('frame', 'frameid', 'framenumber', 'timestamp', 'time', 'capturetime')
_PLACES = ('position', 'location')
_STATES = {0: 0.0, 1: 0.5, 2: 1.0, 'nottracked': 0.0, 'inferred': 0.5, 'tracked': 1.0}
_SCORES = ('state', 'trackingstate')


@register_format('kinect_v2', suffixes=('.json', '.csv'), layouts={25: 'ntu25'})
def read_kinect_v2(path: str, max_gap: int = 30) -> list[Track]:
    r"""Reads bodies that were tracked by Kinect v2 and saved as JSON or CSV.

    The Kinect SDK does not define a file format; this function reads the forms that most programs
    write. Joints are in the order of the SDK, which is the layout :obj:`ntu25`. Upper and lower
    case and underscores in names do not matter.

    * JSON: a list with one entry per frame, or an object with that list in :obj:`frames`. An entry
      is a list of bodies or an object with that list in :obj:`bodies`. A body has :obj:`joints`, a
      list of 25 points or an object of points by joint, such as :obj:`SpineBase`, and optionally
      :obj:`trackingId` (or :obj:`bodyId`, :obj:`id`, :obj:`bodyIndex`) and :obj:`tracked`. A point
      has :obj:`x`, :obj:`y`, :obj:`z` (or :obj:`cameraX`, ...), possibly in :obj:`position`, and
      optionally :obj:`trackingState`.
    * CSV: a row per body and frame with a header. The columns of a joint are :obj:`SpineBase_X`,
      :obj:`SpineBase_Y`, :obj:`SpineBase_Z` and optionally :obj:`SpineBase_State` or
      :obj:`SpineBase_Conf`. Consecutive rows with the same :obj:`Frame` or :obj:`Timestamp` are the
      bodies of a frame, identified by :obj:`TrackingID`.

    Frames are ordered by the number in :obj:`frame`, :obj:`frameId` or :obj:`frameNumber` if all
    entries have one, and missing frames are empty.

    Scores are 1 for tracked joints, 0.5 for inferred joints and 0 for joints that are not tracked,
    or 1 where there are no states.

    .. code-block:: python

        for track in read_kinect_v2('kinect_v2.json'):
            data = from_array(track.pos, 'ntu25', track.score, axes='TVC')

    Args:
        path (str): Path of the file, which holds one recording.
        max_gap (int, optional): See :func:`~graphmotion.io.link_tracks`. (default: :obj:`30`)

    Returns:
        list of Track: The people in 3D, in the unit of the file, most visible person first.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is malformed, lacks a joint, or contains no people.
    """
    read = _read_csv if path.lower().endswith('.csv') else _read_json
    found = list(read(path))
    people, entries = [frame for frame, _ in found], [entry for _, entry in found]
    return make_tracks(order_frames(people, entries, path, 'frames'), path, max_gap)


def _read_json(path: str) -> Iterator[tuple[list[Detection], Any]]:
    """Yields the people and the entry of each frame."""
    content = load_json(path)
    frames = content.get('frames') if isinstance(content, dict) else content
    if not isinstance(frames, list):
        raise MalformedFileError(path, 'frames', 'a list', f'{frames!r:.60}')
    for number, entry in enumerate(frames):
        frame, field = entry, f'frames[{number}]'
        if isinstance(frame, dict):
            frame = _get(frame, _BODIES)
            field = f'{field}.bodies'
        people = []
        for index, body in iter_objects(path, field, frame or []):
            if _get(body, _TRACKED) in (False, 0):
                continue
            person = _read_body(body, path, f'{field}[{index}]')
            people += [person] if person else []
        yield people, entry


def _read_body(body: dict[str, Any], path: str, field: str) -> Detection | None:
    field = f'{field}.joints'
    points = _get(body, _POINTS)
    expected = f'{_LAYOUT.num_joints} points, or points by joint'
    if isinstance(points, dict):
        by_joint = {joint_key(name): point for name, point in points.items()}
        missing = [_LAYOUT.joints[i] for key, i in _JOINTS.items() if key not in by_joint]
        if missing:
            raise MalformedFileError(path, field, expected, f'no joint {missing[0]!r}')
        points = [by_joint[key] for key in _JOINTS]
    if not isinstance(points, list) or len(points) != _LAYOUT.num_joints:
        found = f'{len(points)}' if isinstance(points, list) else f'{points!r:.60}'
        raise MalformedFileError(path, field, expected, found)
    joints = [_read_point(point, path, f'{field}[{i}]') for i, point in enumerate(points)]
    return find_detection(np.array(joints), path, field, _identity(_get(body, _IDENTITIES)))


def _read_point(point: Any, path: str, field: str) -> list[float]:
    values = {}
    for part in (point, _get(point, _PLACES) if isinstance(point, dict) else None):
        if isinstance(part, dict):
            values.update({name.lower().replace('_', ''): part[name] for name in part})
    state = _get(values, _SCORES)
    state = state.lower().replace('_', '') if isinstance(state, str) else state
    try:
        place = [float(values.get(axis, values.get(f'camera{axis}'))) for axis in 'xyz']  # type: ignore[arg-type]
        return [*place, 1.0 if state is None else _STATES[state]]
    except (TypeError, ValueError, KeyError, OverflowError):
        expected = 'x, y, z and, optionally, a tracking state from 0 to 2'
        raise MalformedFileError(path, field, expected, f'{point!r:.60}') from None


def _read_csv(path: str) -> Iterator[tuple[list[Detection], Any]]:
    """Yields the people of each frame and an entry with its number if it is in the file."""
    text = io.StringIO(read_file(path).decode('utf-8-sig', 'replace'), newline='')
    try:
        rows = [row for row in csv.reader(text) if any(row)]
    except csv.Error as error:
        raise MalformedFileError(path, 'content', 'a table', str(error)) from error
    header = [name.strip() for name in rows[0]] if rows else []
    columns = _find_columns(header)
    names = [name.lower().replace('_', '').replace(' ', '') for name in header]
    time = next((names.index(name) for name in _TIMES if name in names), None)
    body = next((names.index(name) for name in _IDENTITIES if name in names), None)
    for joint, index in _JOINTS.items():
        if not all((joint, axis) in columns for axis in 'xyz'):
            expected = f'the columns of all joints of {_LAYOUT.name!r}, such as Head_X'
            found = f'no {_LAYOUT.joints[index]!r} among {header[:6]}'
            raise MalformedFileError(path, 'header', expected, found)
    people: list[Detection] = []
    previous = None
    for number, row in enumerate(rows[1:], 2):
        field = f'row {number}'
        if len(row) != len(header):
            raise MalformedFileError(path, field, f'{len(header)} values', f'{len(row)}')
        if number > 2 and (time is None or row[time] != previous):
            yield people, _entry(names, time, previous)
            people = []
        previous = None if time is None else row[time]
        joints = [
            [_number(row[columns[key, axis]], path, field) for axis in 'xyz']
            + [_score(row, columns, key, path, field)]
            for key in _JOINTS
        ]
        identity = None if body is None else _identity(row[body])
        person = find_detection(np.array(joints), path, field, identity)
        people += [person] if person else []
    yield people, _entry(names, time, previous)


def _entry(names: list[str], column: int | None, cell: str | None) -> dict[str, int]:
    """Returns the number of a frame as an entry of a JSON file."""
    number = None if cell is None else _identity(cell)
    return {} if column is None or number is None else {names[column]: number}


def _find_columns(header: list[str]) -> dict[tuple[Any, str], int]:
    """Returns the column of each value of each joint."""
    columns: dict[tuple[Any, str], int] = {}
    for index, name in enumerate(header):
        match = _COLUMN.fullmatch(name)
        if match:
            columns.setdefault((joint_key(match['joint']), match['value'].lower()), index)
    return columns


def _score(row: list[str], columns: dict, key: Any, path: str, field: str) -> float:
    if (key, 'conf') in columns:
        return _number(row[columns[key, 'conf']], path, field)
    if (key, 'state') not in columns:
        return 1.0
    value = row[columns[key, 'state']].strip().lower()
    state = _STATES.get(int(value) if value.isdecimal() else value)
    if state is None:
        raise MalformedFileError(path, field, 'a tracking state from 0 to 2', repr(value))
    return state


def _number(cell: str, path: str, field: str) -> float:
    try:
        return float(cell) if cell.strip() else np.nan
    except ValueError:
        raise MalformedFileError(path, field, 'numbers', repr(cell[:40])) from None


def _identity(value: Any) -> int | None:
    value = value.strip() if isinstance(value, str) else value
    if isinstance(value, str) and value.isdecimal() and len(value) < 30:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _get(fields: dict[str, Any], names: tuple[str, ...]) -> Any:
    """Returns the first of the named fields, regardless of upper case and underscores."""
    own = {name.lower().replace('_', ''): value for name, value in fields.items()}
    return next((own[name] for name in names if own.get(name) is not None), None)
