"""Linking of detections across frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

# How much further than `max_distance` the only remaining person may have moved in one frame.
_ONLY_CANDIDATE = 5


class Detection(NamedTuple):
    r"""A person in one frame.

    .. code-block:: python

        pos, score = np.random.rand(17, 2), np.ones(17)
        frames = [[Detection(pos, score)], [Detection(pos + 0.01, score)]]
        print(len(link_tracks(frames)))  # 1 person

    Args:
        pos (array): Joint positions :math:`(V, D)`; 0 for missing joints.
        score (array): Joint scores :math:`(V)`; 0 for missing joints.
        identity (int, optional): Track ID of the person, if the file has one.
    """

    pos: np.ndarray
    score: np.ndarray
    identity: int | None = None


def link_tracks(
    frames: Sequence[Sequence[Detection] | None], max_distance: float = 1.0, max_gap: int = 30
) -> list[dict[int, Detection]]:
    r"""Links detections to tracks, by track ID or by predicted pose.

    Detections with a track ID belong to the track with this ID. The other detections of a frame are
    assigned to tracks so that the total distance is minimal. The distance between a track and a
    detection is the mean distance between the joints of the detection and of the track's last pose,
    moved on at constant velocity, relative to the diagonal of the larger bounding box. It therefore
    depends on position, movement, shape and size. A detection that is too far from every recent
    track starts a new one, unless no other detection and no other person of the previous frame
    remain. If no frame has more than one detection, they are one person at any distance.

    .. code-block:: python

        anna, ben = np.random.rand(17, 2), np.random.rand(17, 2) + 5
        score = np.ones(17)
        frames = [[Detection(anna, score), Detection(ben, score)], [Detection(ben, score)]]
        for track in link_tracks(frames):
            print(sorted(track))  # [0] and [0, 1]: the frames of each person

    Args:
        frames (list): The detections of each frame, in any order, or :obj:`None` for a frame that
            the recording does not have, which does not count towards a gap.
        max_distance (float, optional): Maximum distance between a track and a detection, in
            diagonals of the bounding box. (default: :obj:`1.0`)
        max_gap (int, optional): Maximum number of frames without a detection after which a track
            without ID is still continued. (default: :obj:`30`)

    Returns:
        list of dict: For each track, its detections by the index of their frame.
    """
    if all(len(people or ()) <= 1 for people in frames):
        max_distance = np.inf
    tracks: list[_OpenTrack] = []
    recent: list[_OpenTrack] = []  # those that may be continued
    by_identity: dict[int, _OpenTrack] = {}
    clock = -1  # index of the frame among the frames of the recording
    for time, people in enumerate(frames):
        if people is None:
            continue
        clock += 1
        recent = [track for track in recent if clock - track.clock <= max_gap + 1]
        people = _drop_duplicates(people)
        known = [p for p in people if p.identity in by_identity]
        others = [p for p in people if p.identity not in by_identity]
        found: list[_OpenTrack | None] = [by_identity[p.identity] for p in known]  # type: ignore[index]
        free = [track for track in recent if track not in found]
        found += _assign(free, others, time, clock, max_distance)
        for person, track in zip(known + others, found):
            if track is None:
                track = _OpenTrack()
                tracks.append(track)
            if track not in recent:
                recent.append(track)
            track.add(time, clock, person)
            if person.identity is not None:
                by_identity[person.identity] = track
    return [track.detections for track in tracks]


def _drop_duplicates(people: Sequence[Detection]) -> list[Detection]:
    """Keeps, of several detections with the same ID, the one with the highest score."""
    best: dict[int, Detection] = {}
    for person in people:
        if person.identity is not None:
            other = best.setdefault(person.identity, person)
            if person.score.sum() > other.score.sum():
                best[person.identity] = person
    return [p for p in people if p.identity is None or p is best[p.identity]]


class _OpenTrack:
    """A track that is being continued."""

    def __init__(self) -> None:
        self.detections: dict[int, Detection] = {}
        self.identity: int | None = None
        self.time = self.clock = -1
        #: Last known positions of the joints, and which of them were ever seen.
        self.pos: np.ndarray = np.empty(0)
        self.seen: np.ndarray = np.empty(0, bool)
        self.velocity: np.ndarray = np.zeros(())
        self.size = 0.0

    def add(self, time: int, clock: int, person: Detection) -> None:
        """Continues the track with a detection."""
        seen = person.score > 0
        if self.detections:
            moved = _displacement(self.pos, self.seen, person.pos, seen)
            velocity = moved / (time - self.time)
            first = len(self.detections) == 1
            self.velocity = velocity if first else (self.velocity + velocity) / 2
            # Joints that are not detected move with the others.
            self.pos = np.where(seen[:, None], person.pos, self.pos + moved)
            self.seen = self.seen | seen
        else:
            self.pos, self.seen = person.pos, seen
        self.detections[time] = person
        self.time, self.clock, self.size = time, clock, _diagonal(person)
        self.identity = self.identity if person.identity is None else person.identity


def _displacement(
    pos: np.ndarray, seen: np.ndarray, other: np.ndarray, other_seen: np.ndarray
) -> np.ndarray:
    """Returns the mean displacement of the common joints, or of the centroids without any."""
    common = seen & other_seen
    if common.any():
        return (other[common] - pos[common]).mean(axis=0)
    return other[other_seen].mean(axis=0) - pos[seen].mean(axis=0)


def _assign(
    tracks: Sequence[_OpenTrack],
    people: Sequence[Detection],
    time: int,
    clock: int,
    max_distance: float,
) -> list[_OpenTrack | None]:
    """Returns the track of each person, or None for a new one."""
    out: list[_OpenTrack | None] = [None] * len(people)
    if not tracks or not people:
        return out
    from scipy.optimize import linear_sum_assignment  # slow to import

    cost = _distances(tracks, people, time, max_distance)
    # Distances beyond the limit count alike, so they never displace a close match.
    limit = min(max_distance, 1e9)
    for i, j in zip(*linear_sum_assignment(np.minimum(cost, limit))):
        if cost[i, j] < limit:
            out[j] = tracks[i]
    rest = [j for j, track in enumerate(out) if track is None]
    left = [i for i, t in enumerate(tracks) if t.clock == clock - 1 and t not in out]
    if len(rest) == len(left) == 1 and cost[left[0], rest[0]] < _ONLY_CANDIDATE * limit:
        out[rest[0]] = tracks[left[0]]
    return out


def _distances(
    tracks: Sequence[_OpenTrack], people: Sequence[Detection], time: int, max_distance: float
) -> np.ndarray:
    """Returns the distances [tracks, people] relative to the larger of the sizes."""
    pos, seen = np.stack([t.pos for t in tracks]), np.stack([t.seen for t in tracks])
    moved = np.stack([t.pos + (time - t.time) * t.velocity for t in tracks])
    other, other_seen = np.stack([p.pos for p in people]), np.stack([p.score > 0 for p in people])
    size = np.maximum.outer([t.size for t in tracks], [_diagonal(p) for p in people])
    predicted = _mean_distances(moved, seen, other, other_seen) / size
    # A person may also have stopped.
    stopped = _mean_distances(pos, seen, other, other_seen) / size + max_distance / 2
    cost = np.minimum(predicted, stopped)
    known = np.array([t.identity is not None for t in tracks])
    new = np.array([p.identity is not None for p in people])
    cost[known[:, None] & new] = np.inf
    return cost


def _mean_distances(
    pos: np.ndarray, seen: np.ndarray, other: np.ndarray, other_seen: np.ndarray
) -> np.ndarray:
    """Returns the mean distances [K, N] of common joints, or of the centroids without any."""
    common = (seen[:, None] & other_seen).astype(np.float64)
    between = np.linalg.norm(pos[:, None] - other, axis=-1)
    count = common.sum(axis=-1)
    mean = (between * common).sum(axis=-1) / np.maximum(count, 1)
    for i, j in np.argwhere(count == 0):
        mean[i, j] = np.linalg.norm(_displacement(pos[i], seen[i], other[j], other_seen[j]))
    return mean


def _diagonal(person: Detection) -> float:
    """Returns the diagonal of the bounding box of a person."""
    present = person.pos[person.score > 0]
    return max(float(np.linalg.norm(present.max(axis=0) - present.min(axis=0))), 1e-6)
