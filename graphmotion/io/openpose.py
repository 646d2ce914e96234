"""OpenPose results."""

from __future__ import annotations

import os
import re

from graphmotion.io.files import MalformedFileError, load_json
from graphmotion.io.formats import register_format
from graphmotion.io.skipped import SkippedSamples
from graphmotion.io.tracks import (
    Detection,
    Track,
    fill_gaps,
    find_detection,
    iter_objects,
    make_tracks,
    parse_keypoints,
)

_NAME = re.compile(r'(?P<recording>.*?)_?(?P<frame>\d+)(_keypoints)?\.json')


@register_format('openpose', in_folder=True)
def read_openpose(folder: str) -> list[Track]:
    r"""Reads a recording written by OpenPose with :obj:`--write_json`, from the `"OpenPose:
    Realtime Multi-Person 2D Pose Estimation using Part Affinity Fields"
    <https://arxiv.org/abs/1812.08008>`_ paper.

    The folder has one file per frame, :obj:`{recording}_{frame}_keypoints.json`, with
    :obj:`people[].pose_keypoints_2d` in pixels: 18 joints (layout :obj:`openpose18`) or 25 joints
    (:obj:`body25`). Missing frames are empty. People are identified by :obj:`person_id` if
    OpenPose tracked them, otherwise by :func:`~graphmotion.io.link_tracks`.

    Args:
        folder (str): Folder of the recording.

    Returns:
        list of Track: The people, most visible person first. Frames that cannot be read are
        treated as empty and counted in a single warning.

    Raises:
        FileNotFoundError: If the folder does not exist.
        ValueError: If the folder has no such files or files of several recordings, if no frame
            can be read, or if there are no people.
    """
    if not os.path.isdir(folder):
        raise FileNotFoundError(f'{folder}: no such folder')
    names = {name: _NAME.fullmatch(name) for name in sorted(os.listdir(folder))}
    matches = {name: match for name, match in names.items() if match}
    recordings = sorted({match['recording'] for match in matches.values()})
    if len(recordings) != 1:
        found = f'files of {recordings[:3]}' if recordings else 'none'
        raise MalformedFileError(folder, 'files', '*_keypoints.json of one recording', found)
    skipped = SkippedSamples(folder)
    frames: dict[int, list[Detection]] = {}
    for name, match in matches.items():
        frame = frames.setdefault(int(match['frame']), [])
        try:
            frame.extend(_read_frame(os.path.join(folder, name)))
        except MalformedFileError as error:
            skipped.add(error.reason, name)
    skipped.report(len(matches))
    return make_tracks(fill_gaps(frames, folder), folder)


def _read_frame(path: str) -> list[Detection]:
    content = load_json(path)
    if not isinstance(content, dict) or 'people' not in content:
        raise MalformedFileError(path, 'people', 'a list', 'no such field')
    detections = []
    for _, person in iter_objects(path, 'people', content['people']):
        field = 'people[].pose_keypoints_2d'
        if not person.get('pose_keypoints_2d'):  # face or hands only
            continue
        joints = parse_keypoints(person['pose_keypoints_2d'], path, field)
        if len(joints) not in (18, 25):
            raise MalformedFileError(path, field, '18 or 25 joints', f'{len(joints)}')
        identity = person.get('person_id', [-1])
        identity = identity[0] if isinstance(identity, list) and identity else identity
        known = isinstance(identity, int) and identity >= 0
        detection = find_detection(joints, path, field, identity if known else None)
        detections += [detection] if detection else []
    return detections
