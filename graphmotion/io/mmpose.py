"""Predictions of MMPose."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from graphmotion.io.files import MalformedFileError, as_float_array, load_json, shape_of
from graphmotion.io.formats import register_format
from graphmotion.io.frame_folder import read_frame_folder
from graphmotion.io.tracks import (
    Detection,
    Track,
    find_detection,
    iter_objects,
    read_numbered_frames,
)
from graphmotion.skeletons import get_skeleton

# Names of the layouts of datasets, in which MMPose names some joints differently.
_LAYOUTS = {'coco': 'coco17', 'h36m': 'h36m17', 'coco_wholebody': 'coco_wholebody133'}


def read_mmpose_joints(path: str) -> Sequence[str] | None:
    r"""Returns the names of the joints in :obj:`meta_info` of a file, or :obj:`None` if there are
    none.
    """
    content = load_json(path)
    meta = content.get('meta_info') if isinstance(content, dict) else None
    if not isinstance(meta, dict):
        return None
    if meta.get('dataset_name') in _LAYOUTS:
        return get_skeleton(_LAYOUTS[meta['dataset_name']]).joints
    names = meta.get('keypoint_id2name')
    if not isinstance(names, dict):
        return None
    ordered = [names.get(str(index)) for index in range(len(names))]
    return [name for name in ordered if isinstance(name, str)]


@register_format('mmpose', read_joints=read_mmpose_joints)
def read_mmpose(path: str, max_gap: int = 30) -> list[Track]:
    r"""Reads predictions that `MMPose <https://github.com/open-mmlab/mmpose>`_ saves for a video,
    such as those of RTMPose and ViTPose.

    The file is the list :obj:`[{"frame_id": 0, "instances": [...]}, ...]` of
    :obj:`MMPoseInferencer` with :obj:`pred_out_dir`, or an object with that list in
    :obj:`instance_info`, which the demo scripts write with :obj:`--save-predictions`. A list of
    instances, as saved for an image, is one frame; see :func:`read_mmpose_images` for a recording
    with a file per image. Each instance has :obj:`keypoints` :math:`(V, 2)` in pixels or
    :math:`(V, 3)`, and :obj:`keypoint_scores` :math:`(V)`. Frames without an entry are empty.
    People are identified by :obj:`track_id`, and without one by
    :func:`~graphmotion.io.link_tracks`.

    .. code-block:: python

        for track in read_mmpose('mmpose.json'):
            data = from_array(track.pos, 'coco17', track.score, axes='TVC')

    Args:
        path (str): Path of the file, which holds one recording.
        max_gap (int, optional): See :func:`~graphmotion.io.link_tracks`. (default: :obj:`30`)

    Returns:
        list of Track: The people, most visible person first.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is malformed or contains no people.

    Warns:
        UserWarning: If the file holds one image.
    """
    entries, field, is_image = _read_entries(path)

    def read_people(entry: dict[str, Any], where: str) -> Iterator[Detection | None]:
        return _read_instances(entry.get('instances'), path, f'{where}.instances')

    numbered = [(number, {'frame_id': number} | entry) for number, entry in entries]
    tracks = read_numbered_frames(numbered, path, field, 'frame_id', read_people, max_gap)
    if is_image:
        warnings.warn(
            f'{path}: read as a recording of one frame, since it holds one image; recordings with '
            f'a file per image have the format mmpose_images',
            stacklevel=2,
        )
    return tracks


@register_format('mmpose_images', in_folder=True)
def read_mmpose_images(folder: str, recording: str | None = None, max_gap: int = 30) -> list[Track]:
    r"""Reads predictions that MMPose saves for the images of a recording.

    The folder has one file per image, :obj:`{recording}_{frame}.json`, as
    :obj:`MMPoseInferencer` writes to :obj:`pred_out_dir` for a folder of images. See
    :func:`read_mmpose` for the people in it. Frames without a file are empty.

    .. code-block:: python

        for track in read_mmpose_images('mmpose_images'):
            data = from_array(track.pos, 'coco17', track.score, axes='TVC')

    Args:
        folder (str): Folder of the recording.
        recording (str, optional): Name of the recording to read, if the folder has several.
            (default: :obj:`None`)
        max_gap (int, optional): See :func:`~graphmotion.io.link_tracks`. (default: :obj:`30`)

    Returns:
        list of Track: The people, most visible person first. Files that cannot be read are treated
        as empty frames and counted in a single warning.

    Raises:
        FileNotFoundError: If the folder does not exist.
        ValueError: If the folder has no such files, it has files of several recordings and
            :obj:`recording` is not given, or there are no people.
    """
    return read_frame_folder(folder, '.json', _read_image, recording, max_gap)


def _read_entries(path: str) -> tuple[list[tuple[int, dict[str, Any]]], str, bool]:
    """Returns the frames of a file, the name of their list, and whether the file is an image's."""
    content, field = load_json(path), 'content'
    if isinstance(content, dict):
        content, field = content.get('instance_info'), 'instance_info'
    entries = list(iter_objects(path, field, content))
    is_image = bool(entries) and all('instances' not in entry for _, entry in entries)
    if is_image:
        entries = [(0, {'instances': content})]
    return entries, field, is_image


def _read_image(path: str) -> list[Detection]:
    entries, field, _ = _read_entries(path)
    if len(entries) > 1:
        found = f'{len(entries)} frames; read the file of a video by read_mmpose'
        raise MalformedFileError(path, field, 'the people of one image', found)
    instances = entries[0][1].get('instances') if entries else []
    return [p for p in _read_instances(instances, path, 'instances') if p is not None]


def _read_instances(value: Any, path: str, field: str) -> Iterator[Detection | None]:
    for i, person in iter_objects(path, field, value):
        yield _read_instance(person, path, f'{field}[{i}]')


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
