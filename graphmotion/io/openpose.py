"""Reader of what OpenPose writes."""

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
    r"""Read a recording that OpenPose wrote with :obj:`--write_json`, from the `"OpenPose:
    Realtime Multi-Person 2D Pose Estimation using Part Affinity Fields"
    <https://arxiv.org/abs/1812.08008>`_ paper.

    The folder has a file a frame, :obj:`{recording}_{frame}_keypoints.json`, with
    :obj:`people[].pose_keypoints_2d`: 18 joints (the layout :obj:`openpose18`) or 25
    (:obj:`body25`), in pixels. A frame whose number is left out has nobody in it. People are
    told apart by :obj:`person_id`, if OpenPose tracked them, else by
    :func:`~graphmotion.io.link_tracks`.

    Args:
        folder (str): The folder of one recording.

    Returns:
        list of Track: The people, who is seen most first. Frames that cannot be read count as
        without people, with one warning that counts them.

    Raises:
        FileNotFoundError: If the folder is not there.
        ValueError: If there is no such file in it, or files of several recordings, or no frame can
            be read, or nobody is seen.
    """
    if not os.path.isdir(folder):
        raise FileNotFoundError(f'{folder}: no such folder')
    names = {name: _NAME.fullmatch(name) for name in sorted(os.listdir(folder))}
    matches = {name: match for name, match in names.items() if match}
    recordings = sorted({match['recording'] for match in matches.values()})
    if len(recordings) != 1:
        found = f'those of {recordings[:3]}' if recordings else 'none'
        raise MalformedFileError(folder, 'files', 'those of one recording, *_keypoints.json', found)
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
        if not person.get('pose_keypoints_2d'):  # only a face or hands
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
