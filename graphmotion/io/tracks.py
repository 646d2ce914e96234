"""People followed through the frames of a recording."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from graphmotion.io.files import MalformedFile, numbers


class Detection(NamedTuple):
    r"""A person in one frame.

    Args:
        pos (array): Joints :math:`(V, D)`; 0 where missing.
        score (array): Their scores in 0..1 :math:`(V)`; 0 where missing.
        identity (int, optional): The number of the person, where the file has one.
    """

    pos: np.ndarray
    score: np.ndarray
    identity: int | None = None


class Track(NamedTuple):
    r"""A person in all frames of a recording, as :func:`from_array` takes it.

    .. code-block:: python

        for track in read_openpose('recording'):
            data = from_array(track.pos, 'body25', track.score)

    Args:
        pos (array): Joints :math:`(T, V, D)` in single precision; 0 where missing.
        score (array): Their scores in 0..1 :math:`(T, V)`; 0 where missing.
    """

    pos: np.ndarray
    score: np.ndarray


def find_detection(
    keypoints: np.ndarray, path: str, field: str, identity: int | None = None
) -> Detection | None:
    r"""A detection from joints with their score behind their coordinates :math:`(V, D + 1)`.

    Scores above 1, as heatmaps have them, count as 1. A joint with a score of 0 or below, or
    without a finite position, is missing.

    Returns:
        Detection or None: Nothing if all joints are missing.

    Raises:
        ValueError: If the array is something else.
    """
    keypoints = numbers(keypoints, path, field, ('V', np.shape(keypoints)[-1]), finite=False)
    pos, score = split_score(keypoints)
    return Detection(pos, score, identity) if score.any() else None


def split_score(keypoints: np.ndarray) -> Track:
    r"""The positions and the scores of joints with their score behind their coordinates
    :math:`(*, V, D + 1)`.

    Scores above 1, as heatmaps have them, count as 1. A joint with a score of 0 or below, or
    without a finite position, is missing.
    """
    pos, score = keypoints[..., :-1], keypoints[..., -1]
    present = np.isfinite(pos).all(axis=-1) & (score > 0)
    return Track(np.where(present[..., None], pos, 0), np.where(present, np.minimum(score, 1), 0))


def link_tracks(
    frames: Sequence[Sequence[Detection]], max_distance: float = 1.0, max_gap: int = 30
) -> list[list[Detection | None]]:
    r"""Follow people through frames in which they are not told apart.

    From frame to frame, people are matched with those seen before such that the sum of the
    distances between the centres of their joints is least. A person who is further away than a
    body is large from all who were seen in the last frames is a new one.

    Args:
        frames (list): For each frame the people in it, in any order.
        max_distance (float, optional): How far a person moves at most from one sight to the next,
            by the diagonal of the box around their joints. (default: :obj:`1.0`)
        max_gap (int, optional): After how many frames out of sight a person who comes back is a
            new one. (default: :obj:`30`)

    Returns:
        list: For each person their detection in every frame, or :obj:`None`.
    """
    tracks: list[list[Detection | None]] = []
    last: list[tuple[int, np.ndarray, float]] = []  # frame, centre and size at the last sight
    for time, people in enumerate(frames):
        near = [k for k, (seen, _, _) in enumerate(last) if time - seen <= max_gap + 1]
        places = [_place(person) for person in people]
        cost = np.array([[_distance(last[k][1:], place) for place in places] for k in near])
        # Beyond the limit all are as far, so that nobody near is given up for them.
        cost = np.minimum(cost.reshape(len(near), len(people)), max_distance)
        matched = zip(*linear_sum_assignment(cost))
        known = {int(j): near[i] for i, j in matched if cost[i, j] < max_distance}
        for j, person in enumerate(people):
            k = known.get(j, len(tracks))
            if k == len(tracks):
                tracks.append([None] * len(frames))
                last.append((time, *places[j]))
            tracks[k][time] = person
            last[k] = (time, *places[j])
    return tracks


def make_tracks(frames: Sequence[Sequence[Detection]], path: str) -> list[Track]:
    r"""The people of a recording: by their numbers, if all have one, else by
    :func:`link_tracks`.

    Args:
        frames (list): For each frame the people in it.
        path (str): The file they are from, for messages.

    Returns:
        list of Track: The people, all with as many frames, who is seen most first.

    Raises:
        ValueError: If nobody is seen, or people differ in their number of joints.
    """
    everybody = [person for people in frames for person in people]
    if not everybody:
        raise MalformedFile(path, 'people', 'at least one with a joint', 'none')
    shapes = sorted({person.pos.shape for person in everybody})
    if len(shapes) > 1:
        found = f'{shapes[0][0]} and {shapes[1][0]}'
        raise MalformedFile(path, 'number of joints', 'the same for all', found)
    if all(person.identity is not None for person in everybody):
        rows: dict[Any, list[Detection | None]] = {}
        for time, people in enumerate(frames):
            # Of two with one number, the one that is seen better.
            for person in sorted(people, key=lambda p: float(p.score.sum())):
                rows.setdefault(person.identity, [None] * len(frames))[time] = person
        linked = list(rows.values())
    else:
        linked = link_tracks(frames)
    tracks = []
    for row in linked:
        pos = np.zeros((len(frames), *shapes[0]), np.float32)
        score = np.zeros(pos.shape[:2], np.float32)
        for time, detection in enumerate(row):
            if detection is not None:
                pos[time], score[time] = detection.pos, detection.score
        tracks.append(Track(pos, score))
    return sorted(tracks, key=lambda track: -float(track.score.sum()))


def stack_tracks(tracks: Sequence[Track], num_persons: int) -> Track:
    r"""Put the first people of a recording into one array, as :func:`from_array` takes it.

    .. code-block:: python

        pos, score = stack_tracks(read_alphapose('results.json'), num_persons=2)
        data = from_array(pos, 'coco17', score, axes='MTVC')

    Args:
        tracks (list of Track): The people, as the readers return them.
        num_persons (int): Number of people :math:`M`; where there are fewer, the others are
            missing in all frames.

    Returns:
        Track: Positions :math:`(M, T, V, D)` and scores :math:`(M, T, V)`.

    Raises:
        ValueError: If there is nobody.
    """
    if not tracks or num_persons < 1:
        raise ValueError(f'expected at least one person, got {num_persons} of {len(tracks)}')
    pos = np.zeros((num_persons, *tracks[0].pos.shape), np.float32)
    score = np.zeros(pos.shape[:3], np.float32)
    for person, track in enumerate(tracks[:num_persons]):
        pos[person], score[person] = track.pos, track.score
    return Track(pos, score)


def fill_gaps(frames: dict[int, list[Detection]], path: str) -> list[list[Detection]]:
    r"""Frames by their numbers, from the first to the last; nobody is in those not there.

    Raises:
        ValueError: If so many are not there that the numbers cannot be those of frames.
    """
    if max(frames) - min(frames) > 1000 * len(frames):
        found = f'{len(frames)} of {min(frames)}..{max(frames)}'
        raise MalformedFile(path, 'numbers of frames', 'those of one recording', found)
    return [frames.get(number, []) for number in range(min(frames), max(frames) + 1)]


def triples(value: Any, path: str, field: str) -> np.ndarray:
    r"""A flat list of numbers :obj:`x, y, score, ...` as an array :math:`(V, 3)`.

    Raises:
        ValueError: If it is something else.
    """
    flat = numbers(value, path, field, ('3V',), finite=False)
    if len(flat) % 3:
        raise MalformedFile(path, field, '3 numbers a joint', f'{len(flat)} numbers')
    return flat.reshape(-1, 3)


def objects(path: str, field: str, value: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    r"""The members of a list of objects, with their number.

    Raises:
        ValueError: If it is something else.
    """
    if not isinstance(value, list):
        raise MalformedFile(path, field, 'a list', f'{value!r:.60}')
    for number, entry in enumerate(value):
        if not isinstance(entry, dict):
            raise MalformedFile(path, f'{field}[{number}]', 'an object', f'{entry!r:.60}')
        yield number, entry


def _place(person: Detection) -> tuple[np.ndarray, float]:
    """Where a person is, and how large."""
    present = person.pos[person.score > 0]
    size = float(np.linalg.norm(present.max(axis=0) - present.min(axis=0)))
    return present.mean(axis=0), max(size, 1e-6)


def _distance(place: tuple[np.ndarray, float], other: tuple[np.ndarray, float]) -> float:
    """How far two people are apart, by the size of the larger."""
    return float(np.linalg.norm(place[0] - other[0])) / max(place[1], other[1])
