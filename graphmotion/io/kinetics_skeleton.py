"""Skeletons of Kinetics."""

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


@register_format('kinetics_skeleton', layouts={18: 'openpose18'})
def read_kinetics_skeleton(path: str, max_gap: int = 30) -> list[Track]:
    r"""Reads a clip of Kinetics-Skeleton, from the `"Spatial Temporal Graph Convolutional Networks
    for Skeleton-Based Action Recognition" <https://arxiv.org/abs/1801.07455>`_ paper.

    The file is an object :obj:`{"data": [{"frame_index": 1, "skeleton": [{"pose": [x, y, ...],
    "score": [...]}]}], "label": ..., "label_index": ...}` with the 18 joints of the layout
    :obj:`openpose18` in fractions of the image size. Frames without an entry are empty. People are
    identified by :func:`~graphmotion.io.link_tracks`.

    .. code-block:: python

        for track in read_kinetics_skeleton('kinetics_skeleton.json'):
            data = from_array(track.pos, 'openpose18', track.score, axes='TVC')

    Args:
        path (str): Path of the file.
        max_gap (int, optional): See :func:`~graphmotion.io.link_tracks`. (default: :obj:`30`)

    Returns:
        list of Track: The people, most visible person first.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is malformed or contains no people.
    """
    content = load_json(path)
    if not isinstance(content, dict) or 'data' not in content:
        raise MalformedFileError(path, 'data', 'a list', 'no such field')

    def read_people(entry: dict[str, Any], where: str) -> Iterator[Detection | None]:
        for i, person in iter_objects(path, f'{where}.skeleton', entry.get('skeleton', [])):
            field = f'{where}.skeleton[{i}]'
            score = as_float_array(person.get('score'), path, f'{field}.score', ('V',))
            pose = as_float_array(person.get('pose'), path, f'{field}.pose', (2 * len(score),))
            joints = np.concatenate([pose.reshape(-1, 2), score[:, None]], axis=1)
            yield find_detection(joints, path, field)

    entries = iter_objects(path, 'data', content['data'])
    return read_numbered_frames(entries, path, 'data', 'frame_index', read_people, max_gap)
