"""Keypoints in COCO format."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphmotion.io.files import MalformedFileError, load_json
from graphmotion.io.formats import register_format
from graphmotion.io.tracks import (
    Detection,
    Track,
    find_detection,
    iter_objects,
    make_tracks,
    parse_keypoints,
)


@register_format('coco')
def read_coco_keypoints(path: str) -> list[Track]:
    r"""Reads a recording in the keypoint format of the `"Microsoft COCO: Common Objects in
    Context" <https://arxiv.org/abs/1405.0312>`_ paper, which many pose estimators and labelling
    tools export.

    Two variants are supported:

    * Results: a list of people :obj:`{"image_id": 12, "keypoints": [x, y, score, ...], ...}`.
      Frames are the images sorted by ID.
    * Annotations: :obj:`{"images": [...], "annotations": [...]}`. Frames are the images sorted by
      :obj:`frame_id` if all images have one, otherwise by :obj:`id`; images without people are
      empty frames. The third value of a keypoint is COCO's visibility :math:`v`, where 0 is not
      labelled, 1 occluded (score 0.5) and 2 visible (score 1). Crowds are skipped.

    People are identified by :obj:`track_id` if all of them have one, otherwise by
    :func:`~graphmotion.io.link_tracks`. Files with 17 joints follow the layout :obj:`coco17`.

    Args:
        path (str): Path of the file, which holds one recording.

    Returns:
        list of Track: The people, most visible person first.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is malformed or contains no people.
    """
    content = load_json(path)
    if isinstance(content, list):
        people, field, images = content, 'content', None
    elif isinstance(content, dict) and {'images', 'annotations'} <= set(content):
        people, field, images = content['annotations'], 'annotations', _images(path, content)
    else:
        expected = 'a list of results, or an object with images and annotations'
        raise MalformedFileError(path, 'content', expected, f'{content!r:.60}')
    frames: dict[Any, list[Detection]] = {image: [] for image in images or []}
    for number, person in iter_objects(path, field, people):
        where = f'{field}[{number}]'
        image = person.get('image_id')
        if not isinstance(image, int) or (images is not None and image not in frames):
            raise MalformedFileError(
                path, f'{where}.image_id', 'the number of an image', f'{image!r}'
            )
        frame = frames.setdefault(image, [])
        if person.get('iscrowd') or (images is not None and 'keypoints' not in person):
            continue
        joints = parse_keypoints(person.get('keypoints'), path, f'{where}.keypoints')
        if images is not None:
            if not np.isin(joints[:, 2], (0, 1, 2)).all():
                found = f'{joints[:, 2].tolist()}'
                raise MalformedFileError(path, f'{where}.keypoints', 'visibility 0, 1 or 2', found)
            joints[:, 2] /= 2
        identity = person.get('track_id')
        identity = identity if isinstance(identity, int) else None
        detection = find_detection(joints, path, f'{where}.keypoints', identity)
        frame.extend([detection] if detection else [])
    order = images if images is not None else sorted(frames)
    return make_tracks([frames[image] for image in order], path)


def _images(path: str, content: dict[str, Any]) -> list[int]:
    """Returns the image IDs in temporal order."""
    images = dict(iter_objects(path, 'images', content['images'])).values()
    times = {}
    timed = all(isinstance(image.get('frame_id'), int) for image in images)
    for image in images:
        if not isinstance(image.get('id'), int):
            raise MalformedFileError(path, 'images[].id', 'a number', f'{image.get("id")!r}')
        times[image['id']] = image['frame_id'] if timed else image['id']
    return sorted(times, key=lambda number: times[number])
