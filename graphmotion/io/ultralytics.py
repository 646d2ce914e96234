"""Pose results of Ultralytics YOLO."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from graphmotion.io.files import MalformedFileError, as_float_array, load_json, read_file
from graphmotion.io.formats import register_format
from graphmotion.io.frame_folder import read_frame_folder
from graphmotion.io.tracks import (
    Detection,
    Track,
    check_categories,
    find_detection,
    iter_objects,
    make_tracks,
)


@register_format('ultralytics', layouts={17: 'coco17'})
def read_ultralytics(path: str, category: int | None = None, max_gap: int = 30) -> list[Track]:
    r"""Reads pose results of `Ultralytics YOLO <https://docs.ultralytics.com>`_ in JSON.

    The file holds, for each frame, the list that :meth:`Results.to_json` returns, as a list of
    frames or an object with that list in :obj:`frames`. A single such list is one frame. Each
    person is an object :obj:`{"keypoints": {"x": [...], "y": [...], "visible": [...]}, ...}` in
    pixels, where :obj:`visible` is the score, or 1 if it is missing. People are identified by
    :obj:`track_id`, and without one by :func:`~graphmotion.io.link_tracks`. Joints at the origin,
    where Ultralytics moves joints with a low score, are missing. Files with 17 joints follow the
    layout :obj:`coco17`.

    .. code-block:: python

        frames = [json.loads(result.to_json()) for result in model.track('walk.mp4', stream=True)]
        pathlib.Path('walk.json').write_text(json.dumps(frames))
        tracks = read_ultralytics('walk.json')

    Args:
        path (str): Path of the file, which holds one recording.
        category (int, optional): If given, only people of this class are read.
            (default: :obj:`None`)
        max_gap (int, optional): See :func:`~graphmotion.io.link_tracks`. (default: :obj:`30`)

    Returns:
        list of Track: The people, most visible person first.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is malformed or contains no people.

    Warns:
        UserWarning: If there are people of several classes and :obj:`category` is not given.
    """
    content = load_json(path)
    frames = content.get('frames') if isinstance(content, dict) else content
    if isinstance(frames, list) and any(isinstance(frame, dict) for frame in frames):
        frames = [frames]
    if not isinstance(frames, list):
        raise MalformedFileError(path, 'frames', 'a list', f'{frames!r:.60}')
    categories: list[int] = []
    people = [
        _read_people(frame, path, f'frames[{i}]', category, categories)
        for i, frame in enumerate(frames)
    ]
    check_categories(categories, path)
    return make_tracks(people, path, max_gap)


@register_format('yolo_txt', suffixes=('.txt',), in_folder=True, layouts={17: 'coco17'})
def read_yolo_txt(
    folder: str,
    visibility: bool = True,
    image_size: Sequence[float] | None = None,
    recording: str | None = None,
    category: int | None = None,
    max_gap: int = 30,
) -> list[Track]:
    r"""Reads the pose labels that `Ultralytics YOLO <https://docs.ultralytics.com>`_ writes with
    :obj:`save_txt=True`.

    The folder has one file per frame with people, :obj:`{recording}_{frame}.txt`, with a person per
    line: class, box (4 numbers), the joints :math:`x, y, v`, and, with :obj:`save_conf=True` and
    tracking, the confidence of the person and the track ID. Positions are fractions of the image
    size. Where a line has one number after the joints, it is the track ID if it is an integer in
    all lines, otherwise the confidence. Frames without a file are empty.

    .. code-block:: python

        for track in read_yolo_txt('labels'):
            data = from_array(track.pos, 'coco17', track.score, axes='TVC')

    Args:
        folder (str): Folder of the recording.
        visibility (bool, optional): Whether joints have a third value, their score. If
            :obj:`False`, joints are :math:`x, y`. A file whose joints lie in the boxes only with
            the other value is an error. (default: :obj:`True`)
        image_size (sequence of float, optional): Width and height of the images, by which positions
            are multiplied. By default, they stay fractions, in which bodies are distorted unless
            images are square. (default: :obj:`None`)
        recording (str, optional): Name of the recording to read, if the folder has several.
            (default: :obj:`None`)
        category (int, optional): If given, only people of this class are read.
            (default: :obj:`None`)
        max_gap (int, optional): See :func:`~graphmotion.io.link_tracks`. (default: :obj:`30`)

    Returns:
        list of Track: The people, most visible person first. Files that cannot be read are treated
        as empty frames and counted in a single warning.

    Raises:
        FileNotFoundError: If the folder does not exist.
        ValueError: If :obj:`image_size` is invalid, the folder has no such files, it has files of
            several recordings and :obj:`recording` is not given, or there are no people.

    Warns:
        UserWarning: If there are people of several classes and :obj:`category` is not given.
    """
    scale = np.ones(2, np.float32)
    if image_size is not None:
        scale = np.asarray(image_size, np.float32)
        if scale.shape != (2,) or not (scale > 0).all():
            raise ValueError(f'image_size must be (width, height), got {image_size!r}')
    categories: list[int] = []
    read = partial(
        _read_labels,
        visibility=visibility,
        scale=scale,
        category=category,
        categories=categories,
    )
    tracks = read_frame_folder(folder, '.txt', read, recording, max_gap)
    check_categories(categories, folder)
    return tracks


def _read_people(
    frame: Any, path: str, field: str, category: int | None, categories: list[Any]
) -> list[Detection]:
    """Reads the people of a frame and appends the class of each."""
    detections = []
    for number, person in iter_objects(path, field, frame or []):
        if category is not None and person.get('class') != category:
            continue
        where = f'{field}[{number}].keypoints'
        joints = person.get('keypoints')
        if not isinstance(joints, dict) or not {'x', 'y'} <= joints.keys():
            raise MalformedFileError(path, where, 'an object with x and y', f'{joints!r:.60}')
        x = as_float_array(joints['x'], path, f'{where}.x', ('V',), finite=False)
        y = as_float_array(joints['y'], path, f'{where}.y', x.shape, finite=False)
        score = np.ones_like(x)
        if joints.get('visible') is not None:
            name = f'{where}.visible'
            score = as_float_array(joints['visible'], path, name, x.shape, finite=False)
        track = person.get('track_id')
        identity = int(track) if isinstance(track, int | float) and track == track // 1 else None
        joints = _drop_origin(np.stack([x, y, score], axis=1))
        detection = find_detection(joints, path, where, identity)
        if detection:
            detections.append(detection)
            categories.append(person.get('class'))
    return detections


def _share_in_boxes(table: np.ndarray, size: int) -> float:
    """Returns the share of joints of this many numbers that lie in the boxes of their people."""
    count = (table.shape[1] - 5) // size
    joints = table[:, 5 : 5 + size * count].reshape(len(table), count, size)
    away = np.abs(joints[..., :2] - table[:, None, 1:3]) > 0.6 * table[:, None, 3:5]
    present = (joints[..., :2] != 0).any(axis=-1)
    if size == 3:
        present &= joints[..., 2] > 0
    return float(1 - away.any(axis=-1)[present].mean()) if present.any() else 0.0


def _drop_origin(joints: np.ndarray) -> np.ndarray:
    """Sets the score of joints at the origin to zero.

    Ultralytics moves joints with a score below 0.5 there and keeps their score.
    """
    joints[(joints[:, :2] == 0).all(axis=1), 2] = 0
    return joints


def _read_labels(
    path: str,
    visibility: bool,
    scale: np.ndarray,
    category: int | None,
    categories: list[Any],
) -> list[Detection]:
    """Reads the people of a frame and appends the class of each."""
    size = 3 if visibility else 2
    try:
        lines = read_file(path).decode().splitlines()
        rows = [[float(cell) for cell in line.split()] for line in lines if line.strip()]
    except (UnicodeDecodeError, ValueError) as error:
        raise MalformedFileError(path, 'lines', 'numbers', str(error)) from None
    if not rows:
        return []
    length = len(rows[0])
    count = (length - 5) // size
    rest = length - 5 - size * count
    if count < 1 or len({len(row) for row in rows}) > 1:
        found = f'lines of {sorted({len(row) for row in rows})} numbers'
        raise MalformedFileError(path, 'lines', 'a class, a box and joints each', found)
    table = np.array(rows, np.float32)
    inside, otherwise = (_share_in_boxes(table, number) for number in (size, 5 - size))
    if inside < 0.75 and otherwise > 0.9:
        expected = f'{size} numbers per joint; pass visibility={not visibility}'
        raise MalformedFileError(path, 'lines', expected, f'{length - 5} numbers after the box')
    # With two numbers per joint, a confidence and a track ID look like another joint.
    last = table[:, -1]
    tracked = rest == 2 or (rest == 1 and (last == np.floor(last)).all())
    detections = []
    for row in table:
        if category is not None and row[0] != category:
            continue
        joints = row[5 : 5 + size * count].reshape(count, size)
        if not visibility:
            joints = np.pad(joints, ((0, 0), (0, 1)), constant_values=1)
        joints = _drop_origin(joints)
        joints = np.concatenate([joints[:, :2] * scale, joints[:, 2:]], axis=1)
        detection = find_detection(joints, path, 'joints', int(row[-1]) if tracked else None)
        if detection:
            detections.append(detection)
            categories.append(float(row[0]))
    return detections
