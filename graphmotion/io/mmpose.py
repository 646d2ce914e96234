"""Predictions of MMPose."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from graphmotion.io.files import as_float_array, load_json, shape_of
from graphmotion.io.formats import register_format
from graphmotion.io.tracks import (
    Detection,
    Track,
    find_detection,
    iter_objects,
    read_numbered_frames,
)


@register_format('mmpose')
def read_mmpose(path: str, max_gap: int = 30) -> list[Track]:
    r"""Reads predictions that `MMPose <https://github.com/open-mmlab/mmpose>`_ saves for a video,
    such as those of RTMPose and ViTPose.

    The file is the list :obj:`[{"frame_id": 0, "instances": [...]}, ...]` of
    :obj:`MMPoseInferencer` with :obj:`pred_out_dir`, or an object with that list in
    :obj:`instance_info`, which the demo scripts write with :obj:`--save-predictions`. A list of
    instances, as saved for an image, is one frame. Each instance has :obj:`keypoints`
    :math:`(V, 2)` in pixels or :math:`(V, 3)`, and :obj:`keypoint_scores` :math:`(V)`. Frames
    without an entry are empty. People are identified by :obj:`track_id` if all of them have one,
    otherwise by :func:`~graphmotion.io.link_tracks`. Files with 17 joints follow the layout
    :obj:`coco17`.

    Args:
        path (str): Path of the file, which holds one recording.
        max_gap (int, optional): See :func:`~graphmotion.io.link_tracks`. (default: :obj:`30`)

    Returns:
        list of Track: The people, most visible person first.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is malformed or contains no people.
    """
    content = load_json(path)
    field = 'content'
    if isinstance(content, dict):
        content, field = content.get('instance_info'), 'instance_info'
    entries = list(iter_objects(path, field, content))
    if entries and all('instances' not in entry for _, entry in entries):
        entries = [(0, {'instances': content})]

    def read_people(entry: dict[str, Any], where: str) -> Iterator[Detection | None]:
        where = f'{where}.instances'
        for i, person in iter_objects(path, where, entry.get('instances')):
            yield _read_instance(person, path, f'{where}[{i}]')

    numbered = [(number, {'frame_id': number} | entry) for number, entry in entries]
    return read_numbered_frames(numbered, path, field, 'frame_id', read_people, max_gap)


def _read_instance(person: dict[str, Any], path: str, field: str) -> Detection | None:
    joints = person.get('keypoints')
    dims = 3 if shape_of(joints)[-1:] == (3,) else 2
    pos = as_float_array(joints, path, f'{field}.keypoints', ('V', dims), finite=False)
    score = person.get('keypoint_scores')
    if score is None:
        score = np.ones(len(pos))
    score = as_float_array(score, path, f'{field}.keypoint_scores', pos.shape[:1], finite=False)
    identity = person.get('track_id')
    known = isinstance(identity, int) and identity >= 0
    joints = np.concatenate([pos, score[:, None]], axis=1)
    return find_detection(joints, path, field, identity if known else None)
