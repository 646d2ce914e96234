"""Keypoints in COCO format."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from graphmotion.io.files import MalformedFileError, load_json
from graphmotion.io.formats import register_format
from graphmotion.io.frame_numbers import FRAME_NAME, split_frame_name, split_frame_names
from graphmotion.io.tracks import (
    Detection,
    Track,
    check_categories,
    find_detection,
    iter_objects,
    make_tracks,
    one_recording,
    parse_keypoints,
)

_VIDEO_FIELDS = ('video_id', 'vid_id')
# What labelling tools add to the names of images.
_LABEL_STUDIO = re.compile(r'(?<![^/])[0-9a-f]{8}-(?=[^/]+$)')
_ROBOFLOW = re.compile(r'[._](jpe?g|png)\.rf\.[0-9a-zA-Z]+(?=\.[a-z]+$)', re.IGNORECASE)


def read_coco_joints(path: str) -> list[str] | None:
    r"""Returns the names of the keypoints in :obj:`categories` of an annotation file, or
    :obj:`None` if there are none or several.
    """
    content = load_json(path)
    categories = content.get('categories') if isinstance(content, dict) else None
    found = []
    for category in categories if isinstance(categories, list) else ():
        names = category.get('keypoints') if isinstance(category, dict) else None
        if isinstance(names, list) and names and all(isinstance(name, str) for name in names):
            found.append(names)
    return found[0] if found and all(names == found[0] for names in found) else None


@register_format('coco', read_joints=read_coco_joints)
def read_coco_keypoints(
    path: str,
    recording: str | None = None,
    category: int | None = None,
    max_gap: int = 30,
) -> list[Track]:
    r"""Reads a recording in the keypoint format of the `"Microsoft COCO: Common Objects in
    Context" <https://arxiv.org/abs/1405.0312>`_ paper, which many pose estimators and labelling
    tools export.

    Two variants are supported:

    * Results: a list of people :obj:`{"image_id": 12, "keypoints": [x, y, score, ...], ...}`.
      Frames are the images sorted by ID. An ID that is text, such as :obj:`"walk_12.jpg"`, holds
      the name of the recording and the number of the frame.
    * Annotations: :obj:`{"images": [...], "annotations": [...]}`. Frames are the images sorted by
      :obj:`frame_id` if all images have one, otherwise by the number in :obj:`file_name` if all
      have one, otherwise by :obj:`id`; images without people are empty frames. The folder and the
      text before the number in :obj:`file_name` are the name of the recording, without the
      prefixes of Label Studio and the suffixes of Roboflow. The third value of a keypoint is COCO's
      visibility :math:`v`, where 0 is not labelled, 1 occluded (score 0.5) and 2 visible (score 1).
      Crowds are skipped.

    People are identified by :obj:`track_id`, and without one by
    :func:`~graphmotion.io.link_tracks`.

    .. code-block:: python

        for track in read_coco_keypoints('coco_keypoints.json'):
            data = from_array(track.pos, 'coco17', track.score, axes='TVC')

    Args:
        path (str): Path of the file.
        recording (str, optional): The recording to read, if the file has several: its
            :obj:`video_id` (or :obj:`vid_id`), or the name of its images. (default: :obj:`None`)
        category (int, optional): If given, only people with this :obj:`category_id` are read.
            (default: :obj:`None`)
        max_gap (int, optional): See :func:`~graphmotion.io.link_tracks`. (default: :obj:`30`)

    Returns:
        list of Track: The people, most visible person first.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is malformed, contains no people, or has several recordings and
            :obj:`recording` is not given.

    Warns:
        UserWarning: If there are people of several categories and :obj:`category` is not given.
    """
    content = load_json(path)
    if isinstance(content, list):
        people, field, images = content, 'content', None
    elif isinstance(content, dict) and {'images', 'annotations'} <= set(content):
        people, field, images = content['annotations'], 'annotations', _images(path, content)
    else:
        expected = 'a list of results, or an object with images and annotations'
        raise MalformedFileError(path, 'content', expected, f'{content!r:.60}')
    texts = [person.get('image_id') for _, person in iter_objects(path, field, people)]
    names = split_frame_names(image for image in texts if isinstance(image, str))
    # Number of each frame and its people, for each recording.
    recordings: dict[str, dict[int, list[Detection]]] = {}
    categories = []
    for name, number in (images or {}).values():
        recordings.setdefault(name, {})[number] = []
    for index, person in iter_objects(path, field, people):
        where = f'{field}[{index}]'
        image = person.get('image_id')
        found = _frame_of_result(person, names) if images is None else _find(images, image)
        if found is None:
            expected = FRAME_NAME if images is None else 'the ID of an image'
            raise MalformedFileError(path, f'{where}.image_id', expected, f'{image!r}')
        frame = recordings.setdefault(found[0], {}).setdefault(found[1], [])
        if person.get('iscrowd') or (images is not None and 'keypoints' not in person):
            continue
        if category is not None and person.get('category_id') != category:
            continue
        joints = parse_keypoints(person.get('keypoints'), path, f'{where}.keypoints')
        if images is not None:
            if not np.isin(joints[:, 2], (0, 1, 2)).all():
                values = f'{joints[:, 2].tolist()}'
                raise MalformedFileError(path, f'{where}.keypoints', 'visibility 0, 1 or 2', values)
            joints[:, 2] /= 2
        identity = person.get('track_id')
        identity = identity if isinstance(identity, int) else None
        detection = find_detection(joints, path, f'{where}.keypoints', identity)
        if detection:
            frame.append(detection)
            categories.append(person.get('category_id'))
    check_categories(categories, path)
    if not recordings:
        raise MalformedFileError(path, 'people', 'at least one', 'none')
    frames = recordings[one_recording(recordings, recording, path, 'images')]
    return make_tracks([frames[number] for number in sorted(frames)], path, max_gap)


def _video(entry: dict[str, Any]) -> str | None:
    """Returns the name of the video of an image or a result, if it has one."""
    value = next((entry[name] for name in _VIDEO_FIELDS if entry.get(name) is not None), None)
    return None if value is None else str(value)


def _frame_of_result(
    person: dict[str, Any], names: dict[str, tuple[str, int | None]]
) -> tuple[str, int] | None:
    """Returns the recording and the frame number of a result."""
    image = person.get('image_id')
    if isinstance(image, str):
        name, number = names[image]
    else:
        name, number = '', image if isinstance(image, int) else None
    return None if number is None else (_video(person) or name, number)


def _find(images: dict[Any, tuple[str, int]], image: Any) -> tuple[str, int] | None:
    return images.get(image) if isinstance(image, int | str) else None


def _images(path: str, content: dict[str, Any]) -> dict[int | str, tuple[str, int]]:
    """Returns the recording and the frame number of each image by its ID."""
    images = list(dict(iter_objects(path, 'images', content['images'])).values())
    timed = all(isinstance(image.get('frame_id'), int) for image in images)
    files = _split_file_names(images)
    out: dict[int | str, tuple[str, int]] = {}
    for index, image in enumerate(images):
        key = image.get('id')
        name, number = '', key
        if files:
            name, number = files[index]
        elif isinstance(key, str):
            name, number = split_frame_name(key)
        number = image['frame_id'] if timed else number
        if not isinstance(key, int | str) or not isinstance(number, int):
            raise MalformedFileError(path, 'images[].id', 'a number', f'{key!r}')
        out[key] = (_video(image) or name, number)
    if len(set(out.values())) < len(out):
        found = 'several images of one recording with the same number'
        raise MalformedFileError(path, 'images', 'one image per frame', found)
    return out


def _split_file_names(images: list[dict[str, Any]]) -> list[tuple[str, int]]:
    """Returns the recording and the frame number of each image if all are in the file names."""
    found = [image.get('file_name') for image in images]
    names = [_ROBOFLOW.sub('', name) for name in found if isinstance(name, str)]
    prefixes = [_LABEL_STUDIO.search(name) for name in names]
    # A number of eight digits may also be a date.
    if all(prefixes) and not all(match[0][:-1].isdecimal() for match in prefixes if match):
        names = [_LABEL_STUDIO.sub('', name) for name in names]
    split = split_frame_names(names)
    out = [(name, number) for name, number in map(split.__getitem__, names) if number is not None]
    return out if len(out) == len(images) else []
