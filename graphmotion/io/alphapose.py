"""AlphaPose results."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from graphmotion.io.files import MalformedFileError, load_json
from graphmotion.io.formats import register_format
from graphmotion.io.frame_numbers import FRAME_NAME, fill_gaps, split_frame_names
from graphmotion.io.linking import Detection
from graphmotion.io.tracks import (
    Track,
    find_detection,
    iter_objects,
    make_tracks,
    one_recording,
    parse_keypoints,
)

# The list of people of each form, and the field of a person's keypoints.
_FORMS = {'bodies': 'joints', 'people': 'pose_keypoints_2d'}


@register_format('alphapose', layouts={17: 'coco17', 18: 'openpose18'})
def read_alphapose(path: str, recording: str | None = None, max_gap: int = 30) -> list[Track]:
    r"""Reads a recording written by AlphaPose, from the `"AlphaPose: Whole-Body Regional
    Multi-Person Pose Estimation and Tracking in Real-Time" <https://arxiv.org/abs/2211.03375>`_
    paper.

    The file, :obj:`alphapose-results.json`, is a list of people
    :obj:`{"image_id": "12.jpg", "keypoints": [x, y, score, ...], "idx": 1, ...}` in pixels. With
    :obj:`--format cmu` or :obj:`open`, it is an object that maps each image to
    :obj:`{"bodies": [{"joints": [...]}]}` or :obj:`{"people": [{"pose_keypoints_2d": [...]}]}` (18
    joints, layout :obj:`openpose18`). The files of tracked people that PoseFlow writes, which map
    each image to a list of people, are also read.
    Files with 17 joints follow the layout :obj:`coco17`. The last number in :obj:`image_id` is the
    frame number and the text before it is the name of the recording; frames missing from the file
    are empty. People are identified by :obj:`idx` if AlphaPose tracked them, and otherwise by
    :func:`~graphmotion.io.link_tracks`. Repeated people in a frame are dropped with a warning.

    .. code-block:: python

        for track in read_alphapose('alphapose-results.json'):
            print(track.pos.shape, track.score.shape)  # (T, 17, 2) (T, 17)

    Args:
        path (str): Path of the file.
        recording (str, optional): Name of the recording to read, if the file has several, such as
            :obj:`"walk"` for the image :obj:`"walk_12.jpg"`. (default: :obj:`None`)
        max_gap (int, optional): See :func:`~graphmotion.io.link_tracks`. (default: :obj:`30`)

    Returns:
        list of Track: The people, most visible person first.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is malformed, contains no people, or has several recordings and
            :obj:`recording` is not given.
    """
    recordings: dict[str, dict[int, list[Detection]]] = {}
    people = list(_iter_people(path, load_json(path)))
    names = split_frame_names(str(person.get('image_id')) for _, person in people)
    for field, person in people:
        image = person.get('image_id')
        name, frame = names[str(image)] if isinstance(image, str | int) else ('', None)
        if frame is None:
            raise MalformedFileError(path, f'{field}.image_id', FRAME_NAME, f'{image!r}')
        joints = parse_keypoints(person.get('keypoints'), path, f'{field}.keypoints')
        detection = find_detection(joints, path, f'{field}.keypoints', _identity(person.get('idx')))
        detections = recordings.setdefault(name, {}).setdefault(frame, [])
        detections.extend([detection] if detection else [])
    if not recordings:
        raise MalformedFileError(path, 'people', 'at least one', 'none')
    frames = recordings[one_recording(recordings, recording, path, 'image_id')]
    return make_tracks(fill_gaps(frames, path), path, max_gap)


def _iter_people(path: str, content: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields the people of any of the forms with the names of their fields."""
    if not isinstance(content, dict):
        for number, person in iter_objects(path, 'content', content):
            yield f'content[{number}]', person
        return
    for image, value in content.items():
        field = f'content[{image!r}]'
        name = 'keypoints'
        if isinstance(value, dict):
            form = next((form for form in _FORMS if form in value), None)
            if form is None:
                found = f'the fields {list(value)}'
                raise MalformedFileError(path, field, f'one of the fields {list(_FORMS)}', found)
            value, field, name = value[form], f'{field}.{form}', _FORMS[form]
        for number, person in iter_objects(path, field, value):
            person = {'image_id': image, 'idx': person.get('idx'), 'keypoints': person.get(name)}
            yield f'{field}[{number}]', person


def _identity(value: Any) -> int | None:
    """Returns a track ID, which some versions wrap in lists."""
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    return int(value) if isinstance(value, int | float) and value == value // 1 else None
