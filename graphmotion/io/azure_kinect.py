"""Bodies tracked by Azure Kinect."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from graphmotion.io.files import MalformedFileError, as_float_array, load_json
from graphmotion.io.formats import register_format
from graphmotion.io.tracks import (
    Detection,
    Track,
    find_detection,
    iter_objects,
    read_numbered_frames,
)

_NUM_JOINTS = 32


@register_format('azure_kinect', layouts={32: 'azure_kinect32'})
def read_azure_kinect(path: str, max_gap: int = 30) -> list[Track]:
    r"""Reads a recording in the JSON format of the program :obj:`offline_processor` of
    `Azure Kinect <https://github.com/microsoft/Azure-Kinect-Samples>`_.

    The file is an object :obj:`{"frames": [{"frame_id": 0, "bodies": [{"body_id": 1,
    "joint_positions": [[x, y, z], ...]}]}]}` with the 32 joints of the layout
    :obj:`azure_kinect32`, in millimetres relative to the depth camera. Orientations are ignored.
    All scores are 1, since the file has no confidences. People are identified by their
    :obj:`body_id`; see :func:`~graphmotion.io.link_tracks` if it is missing.

    .. code-block:: python

        for track in read_azure_kinect('azure_kinect.json'):
            data = from_array(track.pos, 'azure_kinect32', track.score, axes='TVC')

    Args:
        path (str): Path of the file.
        max_gap (int, optional): See :func:`~graphmotion.io.link_tracks`. (default: :obj:`30`)

    Returns:
        list of Track: The people in 3D, most visible person first.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is malformed or contains no people.
    """
    content = load_json(path)
    if not isinstance(content, dict) or 'frames' not in content:
        raise MalformedFileError(path, 'frames', 'a list', 'no such field')

    def read_people(entry: dict[str, Any], where: str) -> Iterator[Detection | None]:
        for i, body in iter_objects(path, f'{where}.bodies', entry.get('bodies')):
            field = f'{where}.bodies[{i}].joint_positions'
            pos = as_float_array(body.get('joint_positions'), path, field, (_NUM_JOINTS, 3))
            identity = body.get('body_id')
            identity = identity if isinstance(identity, int) else None
            joints = np.concatenate([pos, np.ones((_NUM_JOINTS, 1), np.float32)], axis=1)
            yield find_detection(joints, path, field, identity)

    entries = iter_objects(path, 'frames', content['frames'])
    return read_numbered_frames(entries, path, 'frames', 'frame_id', read_people, max_gap)
