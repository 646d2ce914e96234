"""AlphaPose results."""

from __future__ import annotations

from typing import Any

from graphmotion.io.files import MalformedFileError, frame_number, load_json
from graphmotion.io.formats import register_format
from graphmotion.io.tracks import (
    Detection,
    Track,
    fill_gaps,
    find_detection,
    iter_objects,
    make_tracks,
    parse_keypoints,
)


@register_format('alphapose')
def read_alphapose(path: str) -> list[Track]:
    r"""Reads a recording written by AlphaPose, from the `"AlphaPose: Whole-Body Regional
    Multi-Person Pose Estimation and Tracking in Real-Time" <https://arxiv.org/abs/2211.03375>`_
    paper.

    The file, :obj:`alphapose-results.json` in the default format, is a list of people
    :obj:`{"image_id": "12.jpg", "keypoints": [x, y, score, ...], "idx": 1, ...}` in pixels.
    Files with 17 joints follow the layout :obj:`coco17`. The last number in :obj:`image_id` is the
    frame number; frames missing from the file are empty. People are identified by :obj:`idx` if
    AlphaPose tracked them, otherwise by :func:`~graphmotion.io.link_tracks`.

    Args:
        path (str): Path of the file.

    Returns:
        list of Track: The people, most visible person first.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is malformed or contains no people.
    """
    frames: dict[int, list[Detection]] = {}
    for number, person in iter_objects(path, 'content', load_json(path)):
        field = f'content[{number}]'
        image = person.get('image_id')
        frame = frame_number(str(image)) if isinstance(image, str | int) else None
        if frame is None:
            raise MalformedFileError(path, f'{field}.image_id', 'a frame number', f'{image!r}')
        joints = parse_keypoints(person.get('keypoints'), path, f'{field}.keypoints')
        detection = find_detection(joints, path, f'{field}.keypoints', _identity(person.get('idx')))
        frames.setdefault(frame, []).extend([detection] if detection else [])
    if not frames:
        raise MalformedFileError(path, 'people', 'at least one', 'none')
    return make_tracks(fill_gaps(frames, path), path)


def _identity(value: Any) -> int | None:
    """Returns a track ID, which some versions wrap in lists."""
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    return int(value) if isinstance(value, int | float) and value == value // 1 else None
