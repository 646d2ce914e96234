"""Pose landmarks of MediaPipe."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphmotion.io.files import MalformedFileError, load_json
from graphmotion.io.formats import register_format
from graphmotion.io.tracks import Detection, Track, find_detection, make_tracks

_NUM_JOINTS = 33
_IMAGE = ('pose_landmarks', 'poseLandmarks', 'landmarks')
_WORLD = ('pose_world_landmarks', 'poseWorldLandmarks', 'worldLandmarks', 'world_landmarks')


@register_format('mediapipe', layouts={33: 'mediapipe33'})
def read_mediapipe(path: str, world: bool = False, max_gap: int = 30) -> list[Track]:
    r"""Reads MediaPipe pose landmarks, from the `"BlazePose: On-device Real-time Body Pose
    tracking" <https://arxiv.org/abs/2006.10204>`_ paper.

    MediaPipe does not define a file format; this function reads its results serialised as JSON.
    The file is a list with one entry per frame, or an object with that list in :obj:`frames`. Each
    entry is one of:

    * :obj:`null` or :obj:`[]` if no person was detected,
    * a list of 33 landmarks :obj:`{"x": .., "y": .., "z": .., "visibility": ..}` (one person),
    * a list of such lists (several people),
    * an object with one of the above in :obj:`pose_landmarks` and :obj:`pose_world_landmarks`,
      or, as in JavaScript, :obj:`landmarks` and :obj:`worldLandmarks` (or :obj:`poseLandmarks`
      and :obj:`poseWorldLandmarks`).

    Landmarks may also be an object with the list in :obj:`landmark` or :obj:`landmarks`. Scores
    are the visibilities, or 1 where the visibility is missing or :obj:`null`. Joints follow the
    layout :obj:`mediapipe33`. People are identified by :func:`~graphmotion.io.link_tracks`.

    Args:
        path (str): Path of the file, which holds one recording.
        world (bool, optional): If :obj:`True`, reads the world landmarks, in metres relative to the
            hips, of frames that have both, otherwise the landmarks in fractions of the image size.
            (default: :obj:`False`)
        max_gap (int, optional): See :func:`~graphmotion.io.link_tracks`. (default: :obj:`30`)

    Returns:
        list of Track: The people in 3D, most visible person first.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is malformed, contains no people, or has the requested kind of
            landmarks in some frames only.
    """
    content = load_json(path)
    frames = content.get('frames') if isinstance(content, dict) else content
    if not isinstance(frames, list):
        raise MalformedFileError(path, 'frames', 'a list', f'{frames!r:.60}')
    kinds = {_kind(frame, world) for frame in frames} - {None}
    if len(kinds) > 1:
        found = f'{" and ".join(sorted(map(str, kinds)))} in different frames'
        raise MalformedFileError(path, 'frames', 'one kind of landmarks', found)
    read = [_read_frame(f, path, i, world) for i, f in enumerate(frames)]
    return make_tracks(read, path, max_gap)


def _fields(frame: Any, world: bool) -> list[str]:
    """Fields with landmarks in the object of a frame, the requested kind first."""
    order = (_WORLD, _IMAGE) if world else (_IMAGE, _WORLD)
    return [name for names in order for name in names if name in frame]


def _kind(frame: Any, world: bool) -> str | None:
    """Returns which landmarks are read from the object of a frame, if it has any."""
    fields = _fields(frame, world) if isinstance(frame, dict) else []
    if not fields or not frame[fields[0]]:
        return None
    return 'world landmarks' if fields[0] in _WORLD else 'image landmarks'


def _read_frame(frame: Any, path: str, number: int, world: bool) -> list[Detection]:
    field = f'frames[{number}]'
    if isinstance(frame, dict) and 'landmark' not in frame:
        fields = _fields(frame, world)
        if not fields:
            expected = f'one of the fields {[*_IMAGE, *_WORLD]}'
            raise MalformedFileError(path, field, expected, f'{list(frame)}')
        frame = frame[fields[0]]
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
            joints = np.array([[p['x'], p['y'], p['z'], _visibility(p)] for p in landmarks])
        except (KeyError, TypeError, AttributeError, ValueError):
            raise MalformedFileError(
                path, field, 'landmarks with x, y and z', 'other fields'
            ) from None
        detection = find_detection(joints, path, field)
        detections += [detection] if detection else []
    return detections


def _visibility(landmark: dict[str, Any]) -> Any:
    value = landmark.get('visibility')
    return 1 if value is None else value


def _is_landmarks(value: Any) -> bool:
    return isinstance(value, dict) and ('landmark' in value or 'landmarks' in value)


def _landmarks(value: Any) -> Any:
    """Unwraps a list of landmarks."""
    return value.get('landmark', value.get('landmarks')) if _is_landmarks(value) else value
