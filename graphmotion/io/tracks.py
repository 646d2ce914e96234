"""Tracking of people across frames."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from graphmotion.io.files import MalformedFileError, as_float_array
from graphmotion.io.frame_numbers import fill_gaps
from graphmotion.io.linking import Detection, link_tracks
from graphmotion.io.scores import scale_scores

# Largest size of the tracks of a recording.
_MOST_BYTES = 2**30
# Larger numbers are damaged, in any unit.
_MAX_COORDINATE = 1e9
# Tracks that cover less of the detections are reported.
COVERED = 0.9


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

    def __repr__(self) -> str:
        shapes = f'pos={list(self.pos.shape)}, score={list(self.score.shape)}'
        return f'{self.__class__.__name__}({shapes})'


def find_detection(
    keypoints: np.ndarray, path: str, field: str, identity: int | None = None
) -> Detection | None:
    r"""Makes a detection from keypoints :math:`(V, D + 1)` whose last column is the score.

    Joints with a score of 0 or below or without a finite position are missing.

    Returns:
        Detection or None: :obj:`None` if all joints are missing.

    Raises:
        ValueError: If the array has a different shape or is not numeric.
    """
    keypoints = as_float_array(keypoints, path, field, ('V', np.shape(keypoints)[-1]), finite=False)
    pos, score = _drop_missing(keypoints)
    return Detection(pos, score, identity) if score.any() else None


def split_score(keypoints: np.ndarray, path: str) -> Track:
    r"""Splits keypoints :math:`(*, V, D + 1)` into positions and scores, the last column.

    Scores are scaled by :func:`scale_scores`. Joints with a score of 0 or below or without a finite
    position are missing.
    """
    pos, score = _drop_missing(keypoints)
    return Track(pos, scale_scores(score, path))


def make_tracks(
    frames: Sequence[Sequence[Detection] | None], path: str, max_gap: int = 30
) -> list[Track]:
    r"""Groups detections to tracks by :func:`link_tracks`.

    Track IDs are ignored if all detections with an ID share it although there are several in a
    frame, as pose estimators write them without tracking. Equal detections in a frame are one.

    Args:
        frames (list): The detections of each frame, or :obj:`None` for a frame that the recording
            does not have.
        path (str): Path of the file, for messages.
        max_gap (int, optional): See :func:`link_tracks`. (default: :obj:`30`)

    Returns:
        list of Track: One track per person over all frames, most visible person first. If they
        exceed 1 GiB, the least visible people are left out with a warning.

    Raises:
        ValueError: If there are no detections, their numbers of joints differ, or scores are out
            of range, or coordinates are absurdly large.
    """
    frames = _drop_equal(_scale(frames, path), path)
    everybody = [person for people in frames for person in people or ()]
    if not everybody:
        raise MalformedFileError(path, 'people', 'at least one with a joint', 'none')
    shapes = sorted({person.pos.shape for person in everybody})
    if len(shapes) > 1:
        found = f'{shapes[0][0]} and {shapes[1][0]}'
        if shapes[0][0] == shapes[1][0]:
            found = f'{shapes[0][0]} in {shapes[0][1]} and {shapes[1][1]} dimensions'
        raise MalformedFileError(path, 'number of joints', 'the same for all people', found)
    largest = max(float(np.abs(person.pos).max()) for person in everybody)
    if largest > _MAX_COORDINATE:
        expected = f'coordinates of at most {_MAX_COORDINATE:g}'
        raise MalformedFileError(path, 'positions', expected, f'{largest:g}')
    if _is_shared(frames):
        frames = [people and [p._replace(identity=None) for p in people] for people in frames]
    linked = link_tracks(frames, max_gap=max_gap)
    linked.sort(key=lambda track: -sum(float(person.score.sum()) for person in track.values()))
    size = 4 * len(frames) * (everybody[0].pos.size + everybody[0].score.size)
    limit = max(1, _MOST_BYTES // size)
    if len(linked) > limit:
        warnings.warn(
            f'{path}: kept the {limit} most visible of {len(linked)} people, since their '
            f'{len(frames)} frames exceed the memory; split the recording to keep the others',
            stacklevel=2,
        )
    return [_to_track(track, len(frames)) for track in linked[:limit]]


def _drop_missing(keypoints: np.ndarray) -> Track:
    pos, score = keypoints[..., :-1], keypoints[..., -1]
    present = np.isfinite(pos).all(axis=-1) & (score > 0)
    return Track(np.where(present[..., None], pos, 0), np.where(present, score, 0))


def _scale(
    frames: Sequence[Sequence[Detection] | None], path: str
) -> list[Sequence[Detection] | None]:
    """Scales the scores of all people alike."""
    everybody = [person for people in frames for person in people or ()]
    sizes = np.cumsum([person.score.size for person in everybody])
    joined = np.concatenate([np.empty(0), *(person.score for person in everybody)])
    scores = iter(np.split(scale_scores(joined, path), sizes[:-1]))
    return [people and [p._replace(score=next(scores)) for p in people] for people in frames]


def _drop_equal(
    frames: Sequence[Sequence[Detection] | None], path: str
) -> list[Sequence[Detection] | None]:
    """Drops detections that repeat another one of their frame."""
    out: list[Sequence[Detection] | None] = []
    dropped = 0
    for people in frames:
        different = {(p.pos.tobytes(), p.score.tobytes(), p.identity): p for p in people or ()}
        dropped += len(people or ()) - len(different)
        out.append(None if people is None else list(different.values()))
    if dropped:
        warnings.warn(
            f'{path}: dropped {dropped} detections that repeat another one of their frame',
            stacklevel=3,
        )
    return out


def _is_shared(frames: Sequence[Sequence[Detection] | None]) -> bool:
    """Returns whether there is a single track ID, which occurs several times in a frame."""
    known = [[p.identity for p in people or () if p.identity is not None] for people in frames]
    return len(set(chain(*known))) == 1 and any(len(identities) > 1 for identities in known)


def _to_track(detections: dict[int, Detection], num_frames: int) -> Track:
    first = next(iter(detections.values()))
    pos = np.zeros((num_frames, *first.pos.shape), np.float32)
    score = np.zeros(pos.shape[:2], np.float32)
    for time, person in detections.items():
        pos[time], score[time] = person.pos, person.score
    return Track(pos, score)


def coverage(tracks: Sequence[Track], num_people: int) -> tuple[int, int]:
    r"""Returns how many detections the first tracks have, and the most that :obj:`num_people`
    tracks could have.
    """
    if not tracks:
        return 0, 0
    kept = sum(np.count_nonzero(track.score.any(axis=1)) for track in tracks[:num_people])
    people = sum(track.score.any(axis=1).astype(np.int64) for track in tracks)
    return int(kept), int(np.minimum(people, num_people).sum())


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

    Warns:
        UserWarning: If the people are detected in less than 90% of the frames in which they could
            be, such as if a person is split into several tracks.
    """
    if not tracks:
        raise ValueError('tracks must not be empty')
    if num_people < 1:
        raise ValueError(f'num_people must be at least 1, got {num_people}')
    kept, possible = coverage(tracks, num_people)
    if kept < COVERED * possible:
        warnings.warn(
            f'the {min(num_people, len(tracks))} most visible of {len(tracks)} people have {kept} '
            f'of {possible} detections; a person may be split into several',
            stacklevel=2,
        )
    return stack_people(tracks, num_people)


def stack_people(tracks: Sequence[Track], num_people: int) -> Track:
    r"""Stacks the first tracks as :func:`stack_tracks`, without a warning."""
    pos = np.zeros((num_people, *tracks[0].pos.shape), np.float32)
    score = np.zeros(pos.shape[:3], np.float32)
    for person, track in enumerate(tracks[:num_people]):
        pos[person], score[person] = track.pos, track.score
    return Track(pos, score)


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


def check_categories(categories: Iterable[Any], path: str) -> None:
    r"""Warns if people are of several categories, such as people and dogs.

    Args:
        categories (iterable): Category of each person; values other than integers are ignored.
        path (str): Path of the file, for the message.
    """
    numbers = [value for value in categories if isinstance(value, int | float)]
    known = sorted({int(value) for value in numbers if value == value // 1})
    if len(known) > 1:
        warnings.warn(
            f'{path}: read people of the categories {known}; pass category={known[0]} to read '
            f'only one',
            stacklevel=3,
        )


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
