"""Pose landmarks of MediaPipe."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphmotion.io.files import MalformedFileError, load_json
from graphmotion.io.formats import register_format
from graphmotion.io.tracks import Detection, Track, find_detection, make_tracks

_NUM_JOINTS = 33


@register_format('mediapipe')
def read_mediapipe(path: str, world: bool = False) -> list[Track]:
    r"""Reads MediaPipe pose landmarks, from the `"BlazePose: On-device Real-time Body Pose
    tracking" <https://arxiv.org/abs/2006.10204>`_ paper.

    MediaPipe does not define a file format; this function reads its results serialised as JSON.
    The file is a list with one entry per frame, or an object with that list in :obj:`frames`. Each
    entry is one of:

    * :obj:`null` or :obj:`[]` if no person was detected,
    * a list of 33 landmarks :obj:`{"x": .., "y": .., "z": .., "visibility": ..}` (one person),
    * a list of such lists (several people),
    * an object with one of the above in :obj:`pose_landmarks` or :obj:`pose_world_landmarks`
      (or :obj:`poseLandmarks`, :obj:`poseWorldLandmarks`).

    Landmarks may also be an object with the list in :obj:`landmark` or :obj:`landmarks`. Scores
    are the visibilities, or 1 if there are none. Joints follow the layout :obj:`mediapipe33`.
    People are identified by :func:`~graphmotion.io.link_tracks`.

    Args:
        path (str): Path of the file, which holds one recording.
        world (bool, optional): If :obj:`True`, prefers :obj:`pose_world_landmarks`, in metres
            relative to the hips, over :obj:`pose_landmarks`, in fractions of the image size.
            (default: :obj:`False`)

    Returns:
        list of Track: The people in 3D, most visible person first.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is malformed or contains no people.
    """
    content = load_json(path)
    frames = content.get('frames') if isinstance(content, dict) else content
    if not isinstance(frames, list):
        raise MalformedFileError(path, 'frames', 'a list', f'{frames!r:.60}')
    return make_tracks([_read_frame(f, path, i, world) for i, f in enumerate(frames)], path)


def _read_frame(frame: Any, path: str, number: int, world: bool) -> list[Detection]:
    field = f'frames[{number}]'
    if isinstance(frame, dict) and not _is_landmarks(frame):
        names = ['pose_landmarks', 'poseLandmarks']
        other = ['pose_world_landmarks', 'poseWorldLandmarks']
        names = other + names if world else names + other
        there = [name for name in names if name in frame]
        if not there:
            raise MalformedFileError(path, field, f'one of the fields {names}', f'{list(frame)}')
        frame = frame[there[0]]
    frame = _landmarks(frame)
    if not frame:
        return []
    if not isinstance(frame, list):
        raise MalformedFileError(path, field, 'landmarks', f'{frame!r:.60}')
    people = [frame] if isinstance(frame[0], dict) and not _is_landmarks(frame[0]) else frame
    detections = []
    for person in people:
        landmarks = _landmarks(person)
        if not isinstance(landmarks, list) or len(landmarks) != _NUM_JOINTS:
            found = f'{len(landmarks)}' if isinstance(landmarks, list) else f'{landmarks!r:.60}'
            raise MalformedFileError(path, field, f'{_NUM_JOINTS} landmarks', found)
        try:
            joints = np.array([[p['x'], p['y'], p['z'], p.get('visibility', 1)] for p in landmarks])
        except (KeyError, TypeError, AttributeError, ValueError):
            raise MalformedFileError(
                path, field, 'landmarks with x, y and z', 'other fields'
            ) from None
        detection = find_detection(joints, path, field)
        detections += [detection] if detection else []
    return detections


def _is_landmarks(value: Any) -> bool:
    return isinstance(value, dict) and ('landmark' in value or 'landmarks' in value)


def _landmarks(value: Any) -> Any:
    """Unwraps a list of landmarks."""
    return value.get('landmark', value.get('landmarks')) if _is_landmarks(value) else value
