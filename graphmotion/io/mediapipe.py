"""Pose landmarks of MediaPipe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphmotion.io.files import MalformedFileError, load_json
from graphmotion.io.formats import register_format
from graphmotion.io.frame_numbers import order_frames
from graphmotion.io.tracks import Detection, Track, find_detection, make_tracks

_NUM_JOINTS = (33,)
_NUM_FACE_POINTS = (468, 478)
_IMAGE = ('pose_landmarks', 'poseLandmarks', 'landmarks')
_WORLD = ('pose_world_landmarks', 'poseWorldLandmarks', 'worldLandmarks', 'world_landmarks')
_FACES = (
    *('face_landmarks', 'faceLandmarks', 'multi_face_landmarks', 'multiFaceLandmarks'),
    'landmarks',
)


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

    If all entries are objects with a frame number in :obj:`frame`, :obj:`frame_id`,
    :obj:`frame_idx`, :obj:`frame_index` or :obj:`frame_number`, they are ordered by it, and missing
    frames are empty.

    Landmarks may also be an object with the list in :obj:`landmark` or :obj:`landmarks`. Scores
    are the visibilities, or 1 where the visibility is missing or :obj:`null`. Joints follow the
    layout :obj:`mediapipe33`. People are identified by :func:`~graphmotion.io.link_tracks`.

    .. code-block:: python

        for track in read_mediapipe('mediapipe.json'):
            data = from_array(track.pos, 'mediapipe33', track.score, axes='TVC')

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
    frames = _load_frames(path)
    kinds = {_kind(frame, world) for frame in frames} - {None}
    if len(kinds) > 1:
        found = f'{" and ".join(sorted(map(str, kinds)))} in different frames'
        raise MalformedFileError(path, 'frames', 'one kind of landmarks', found)
    order = (*_WORLD, *_IMAGE) if world else (*_IMAGE, *_WORLD)
    read = [_read_frame(f, path, i, order, _NUM_JOINTS, _visibility) for i, f in enumerate(frames)]
    return make_tracks(order_frames(read, frames, path, 'frames'), path, max_gap)


@register_format('face_mesh')
def read_face_mesh(path: str, max_gap: int = 30) -> list[Track]:
    r"""Reads the facial landmarks of MediaPipe, from the `"Real-time Facial Surface Geometry from
    Monocular Video on Mobile GPUs" <https://arxiv.org/abs/1907.06724>`_ paper.

    The file is JSON as for :func:`read_mediapipe`, with 468 landmarks, or 478 with irises, in
    fractions of the image size. In objects, they are in :obj:`face_landmarks` (or
    :obj:`faceLandmarks`, :obj:`multi_face_landmarks`, :obj:`multiFaceLandmarks`). All scores are 1,
    since MediaPipe does not estimate the visibility of facial landmarks.

    .. code-block:: python

        (face,) = read_face_mesh('face.json')
        pos = torch.from_numpy(face.pos).transpose(0, 1)  # points first
        data = Data(pos=pos, edge_index=face_edges('facemesh468'))

    Args:
        path (str): Path of the file, which holds one recording.
        max_gap (int, optional): See :func:`~graphmotion.io.link_tracks`. (default: :obj:`30`)

    Returns:
        list of Track: The faces in 3D, most visible face first.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is malformed or contains no faces.
    """
    frames = _load_frames(path)
    read = [
        _read_frame(frame, path, i, _FACES, _NUM_FACE_POINTS, lambda landmark: 1)
        for i, frame in enumerate(frames)
    ]
    return make_tracks(order_frames(read, frames, path, 'frames'), path, max_gap)


def _load_frames(path: str) -> list[Any]:
    content = load_json(path)
    frames = content.get('frames') if isinstance(content, dict) else content
    if not isinstance(frames, list):
        found = f'the fields {[*content][:5]}' if frames is None and content else f'{frames!r:.60}'
        raise MalformedFileError(path, 'frames', 'a list', found)
    return frames


def _kind(frame: Any, world: bool) -> str | None:
    """Returns which landmarks are read from the object of a frame, if it has any."""
    order = (*_WORLD, *_IMAGE) if world else (*_IMAGE, *_WORLD)
    fields = [name for name in order if name in frame] if isinstance(frame, dict) else []
    if not fields or not frame[fields[0]]:
        return None
    return 'world landmarks' if fields[0] in _WORLD else 'image landmarks'


def _read_frame(
    frame: Any,
    path: str,
    number: int,
    names: Sequence[str],
    counts: Sequence[int],
    score: Callable[[dict[str, Any]], Any],
) -> list[Detection]:
    """Reads the people of a frame, whose landmarks are in the first of the named fields."""
    field = f'frames[{number}]'
    if isinstance(frame, dict) and 'landmark' not in frame:
        fields = [name for name in names if name in frame]
        if not fields:
            expected = f'one of the fields {[*names]}'
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
        if not isinstance(landmarks, list) or len(landmarks) not in counts:
            expected = f'{" or ".join(map(str, counts))} landmarks'
            found = f'{len(landmarks)}' if isinstance(landmarks, list) else f'{landmarks!r:.60}'
            raise MalformedFileError(path, field, expected, found)
        try:
            joints = np.array([[p['x'], p['y'], p['z'], score(p)] for p in landmarks])
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
