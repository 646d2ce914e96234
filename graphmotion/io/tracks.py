"""Tracking of people across frames."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from graphmotion.io.files import MalformedFileError, as_float_array


class Detection(NamedTuple):
    r"""A person in one frame.

    Args:
        pos (array): Joint positions :math:`(V, D)`; 0 for missing joints.
        score (array): Joint scores in 0..1 :math:`(V)`; 0 for missing joints.
        identity (int, optional): Track ID of the person, if the file has one.
    """

    pos: np.ndarray
    score: np.ndarray
    identity: int | None = None


class Track(NamedTuple):
    r"""A person in all frames of a recording, in the form that
    :func:`~graphmotion.data.from_array` accepts.

    .. code-block:: python

        for track in read_openpose('recording'):
            data = from_array(track.pos, 'body25', track.score, axes='TVC')

    Args:
        pos (array): Single-precision joint positions :math:`(T, V, D)`; 0 for missing joints.
        score (array): Joint scores in 0..1 :math:`(T, V)`; 0 for missing joints.
    """

    pos: np.ndarray
    score: np.ndarray


def find_detection(
    keypoints: np.ndarray, path: str, field: str, identity: int | None = None
) -> Detection | None:
    r"""Makes a detection from keypoints :math:`(V, D + 1)` whose last column is the score.

    Scores above 1, which heatmaps may have, are clipped to 1. Joints with a score of 0 or below or
    without a finite position are missing.

    Returns:
        Detection or None: :obj:`None` if all joints are missing.

    Raises:
        ValueError: If the array has a different shape or is not numeric.
    """
    keypoints = as_float_array(keypoints, path, field, ('V', np.shape(keypoints)[-1]), finite=False)
    pos, score = split_score(keypoints)
    return Detection(pos, score, identity) if score.any() else None


def split_score(keypoints: np.ndarray) -> Track:
    r"""Splits keypoints :math:`(*, V, D + 1)` into positions and scores, the last column.

    Scores above 1, which heatmaps may have, are clipped to 1. Joints with a score of 0 or below or
    without a finite position are missing.
    """
    pos, score = keypoints[..., :-1], keypoints[..., -1]
    present = np.isfinite(pos).all(axis=-1) & (score > 0)
    return Track(np.where(present[..., None], pos, 0), np.where(present, np.minimum(score, 1), 0))


def link_tracks(
    frames: Sequence[Sequence[Detection] | None], max_distance: float = 1.0, max_gap: int = 30
) -> list[list[Detection | None]]:
    r"""Links detections without track IDs to tracks by position.

    In each frame, detections are assigned to the existing tracks by minimising the total distance
    between joint centroids. A detection that is too far from every recent track starts a new one.

    Args:
        frames (list): The detections of each frame, in any order, or :obj:`None` for a frame that
            the recording does not have, which does not count towards a gap.
        max_distance (float, optional): Maximum distance between consecutive detections of a track,
            in diagonals of the bounding box. (default: :obj:`1.0`)
        max_gap (int, optional): Maximum number of frames without a detection after which a track
            is still continued. (default: :obj:`30`)

    Returns:
        list: For each track, its detection in every frame or :obj:`None`.
    """
    tracks: list[list[Detection | None]] = []
    last: list[tuple[int, np.ndarray, float]] = []  # frame, centre and size when last seen
    clock = -1  # index of the frame among the frames of the recording
    for time, people in enumerate(frames):
        if people is None:
            continue
        clock += 1
        near = [k for k, (seen, _, _) in enumerate(last) if clock - seen <= max_gap + 1]
        extents = [_extent(person) for person in people]
        cost = np.array([[_distance(last[k][1:], extent) for extent in extents] for k in near])
        # Distances beyond the limit count alike, so they never displace a close match.
        cost = np.minimum(cost.reshape(len(near), len(people)), max_distance)
        matched = zip(*linear_sum_assignment(cost))
        known = {int(j): near[i] for i, j in matched if cost[i, j] < max_distance}
        for j, person in enumerate(people):
            k = known.get(j, len(tracks))
            if k == len(tracks):
                tracks.append([None] * len(frames))
                last.append((clock, *extents[j]))
            tracks[k][time] = person
            last[k] = (clock, *extents[j])
    return tracks


def make_tracks(
    frames: Sequence[Sequence[Detection] | None], path: str, max_gap: int = 30
) -> list[Track]:
    r"""Groups detections to tracks, by track ID if all detections have one, otherwise by
    :func:`link_tracks`.

    Track IDs are ignored if all detections share one although there are several in a frame, as
    pose estimators write them without tracking.

    Args:
        frames (list): The detections of each frame, or :obj:`None` for a frame that the recording
            does not have.
        path (str): Path of the file, for error messages.
        max_gap (int, optional): See :func:`link_tracks`. (default: :obj:`30`)

    Returns:
        list of Track: One track per person over all frames, most visible person first.

    Raises:
        ValueError: If there are no detections, or their numbers of joints differ.
    """
    everybody = [person for people in frames for person in people or ()]
    if not everybody:
        raise MalformedFileError(path, 'people', 'at least one with a joint', 'none')
    shapes = sorted({person.pos.shape for person in everybody})
    if len(shapes) > 1:
        found = f'{shapes[0][0]} and {shapes[1][0]}'
        raise MalformedFileError(path, 'number of joints', 'the same for all people', found)
    identities = {person.identity for person in everybody}
    shared = len(identities) == 1 and any(len(people or ()) > 1 for people in frames)
    if None not in identities and not shared:
        rows: dict[Any, list[Detection | None]] = {}
        for time, people in enumerate(frames):
            # Of two detections with the same ID, the one with the higher score is kept.
            for person in sorted(people or (), key=lambda p: float(p.score.sum())):
                rows.setdefault(person.identity, [None] * len(frames))[time] = person
        linked = list(rows.values())
    else:
        linked = link_tracks(frames, max_gap=max_gap)
    tracks = []
    for row in linked:
        pos = np.zeros((len(frames), *shapes[0]), np.float32)
        score = np.zeros(pos.shape[:2], np.float32)
        for time, detection in enumerate(row):
            if detection is not None:
                pos[time], score[time] = detection.pos, detection.score
        tracks.append(Track(pos, score))
    return sorted(tracks, key=lambda track: -float(track.score.sum()))


def stack_tracks(tracks: Sequence[Track], num_people: int) -> Track:
    r"""Stacks the first tracks of a recording into one array.

    .. code-block:: python

        pos, score = stack_tracks(read_alphapose('results.json'), num_people=2)
        data = from_array(pos, 'coco17', score, axes='MTVC')

    Args:
        tracks (list of Track): The tracks of a recording, as its reader returns them.
        num_people (int): Number of people :math:`M`. If there are fewer tracks, the remaining
            people are missing in all frames.

    Returns:
        Track: Positions :math:`(M, T, V, D)` and scores :math:`(M, T, V)`.

    Raises:
        ValueError: If there are no tracks or :obj:`num_people` is below 1.
    """
    if not tracks:
        raise ValueError('tracks must not be empty')
    if num_people < 1:
        raise ValueError(f'num_people must be at least 1, got {num_people}')
    pos = np.zeros((num_people, *tracks[0].pos.shape), np.float32)
    score = np.zeros(pos.shape[:3], np.float32)
    for person, track in enumerate(tracks[:num_people]):
        pos[person], score[person] = track.pos, track.score
    return Track(pos, score)


def fill_gaps(frames: dict[int, list[Detection]], path: str) -> list[list[Detection] | None]:
    r"""Lists the frames from the lowest to the highest number; missing frames are :obj:`None`.

    Raises:
        ValueError: If more than 99.9% of the frames are missing.
    """
    if max(frames) - min(frames) > 1000 * len(frames):
        found = f'{len(frames)} of {min(frames)}..{max(frames)}'
        raise MalformedFileError(path, 'frame numbers', 'numbers of one recording', found)
    return [frames.get(number) for number in range(min(frames), max(frames) + 1)]


def read_numbered_frames(
    entries: Iterable[tuple[int, dict[str, Any]]],
    path: str,
    field: str,
    number_field: str,
    read_people: Callable[[dict[str, Any], str], Iterable[Detection | None]],
    max_gap: int,
) -> list[Track]:
    r"""Reads tracks from objects that each hold the number and the people of a frame.

    Args:
        entries (iterable of tuple): Index and object of each frame; see :func:`iter_objects`.
        path (str): Path of the file, for error messages.
        field (str): Field of the list of objects, for error messages.
        number_field (str): Field of the frame number.
        read_people (callable): Returns the people of an object, given its field; :obj:`None` for
            people without a joint.
        max_gap (int): See :func:`link_tracks`.

    Raises:
        ValueError: If a frame number is missing or occurs twice, or there are no people.
    """
    frames: dict[int, list[Detection]] = {}
    for index, entry in entries:
        where = f'{field}[{index}]'
        number = entry.get(number_field)
        if not isinstance(number, int) or number in frames:
            raise MalformedFileError(path, f'{where}.{number_field}', 'a new number', f'{number!r}')
        frames[number] = [person for person in read_people(entry, where) if person is not None]
    if not frames:
        raise MalformedFileError(path, 'people', 'at least one', 'none')
    return make_tracks(fill_gaps(frames, path), path, max_gap)


def one_recording(
    names: Collection[str], recording: str | None, path: str, field: str, option: bool = True
) -> str:
    r"""Returns the recording to read from a file or folder that may have several.

    Args:
        names (collection of str): Names of the recordings found.
        recording (str, optional): The requested recording.
        path (str): Path of the file, for error messages.
        field (str): Field that names the recordings, for error messages.
        option (bool, optional): Whether the reader has the argument :obj:`recording`.

    Raises:
        ValueError: If there are several and none is requested, or the requested one is missing.
    """
    known = sorted(set(names))
    if recording is not None and recording not in known:
        raise MalformedFileError(path, field, f'the recording {recording!r}', f'{known[:5]}')
    if recording is None and len(known) != 1:
        found = f'recordings {known[:3]}' if known else 'none'
        if len(known) > 3:
            found += f' and {len(known) - 3} others'
        hint = f' or recording={known[0]!r}' if known and option else ''
        raise MalformedFileError(path, field, f'one recording{hint}', found)
    return known[0] if recording is None else recording


def parse_keypoints(value: Any, path: str, field: str, size: int = 3) -> np.ndarray:
    r"""Parses a flat list :obj:`x, y, score, ...` to an array :math:`(V, 3)`, or, in 3D,
    :math:`(V, 4)`.

    Raises:
        ValueError: If the value is not a list of :obj:`size` numbers per joint.
    """
    flat = as_float_array(value, path, field, (f'{size}V',), finite=False)
    if len(flat) % size:
        raise MalformedFileError(path, field, f'{size} numbers per joint', f'{len(flat)} numbers')
    return flat.reshape(-1, size)


def iter_objects(path: str, field: str, value: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    r"""Yields the objects in a JSON list with their index.

    Raises:
        ValueError: If the value is not a list of objects.
    """
    if not isinstance(value, list):
        raise MalformedFileError(path, field, 'a list', f'{value!r:.60}')
    for number, entry in enumerate(value):
        if not isinstance(entry, dict):
            raise MalformedFileError(path, f'{field}[{number}]', 'an object', f'{entry!r:.60}')
        yield number, entry


def _extent(person: Detection) -> tuple[np.ndarray, float]:
    """Returns the centroid and the bounding-box diagonal of a person."""
    present = person.pos[person.score > 0]
    size = float(np.linalg.norm(present.max(axis=0) - present.min(axis=0)))
    return present.mean(axis=0), max(size, 1e-6)


def _distance(extent: tuple[np.ndarray, float], other: tuple[np.ndarray, float]) -> float:
    """Returns the distance between two people relative to the larger of their sizes."""
    return float(np.linalg.norm(extent[0] - other[0])) / max(extent[1], other[1])
