"""Poses in OpenGait's pickles."""

from __future__ import annotations

import numpy as np

from graphmotion.io.files import MalformedFileError, as_float_array
from graphmotion.io.pickles import load_pickle
from graphmotion.io.tracks import Track, split_score
from graphmotion.skeletons import get_skeleton

_COCO_IN_OPENPOSE = [
    get_skeleton('openpose18').index(joint) for joint in get_skeleton('coco17').joints
]


def read_opengait_pose(path: str, content: bytes | None = None) -> Track:
    r"""Reads a pose sequence in the format of `OpenGait <https://github.com/ShiqiYu/OpenGait>`_.

    The file is a pickled array :math:`(T, 17, 3)` of :math:`x`, :math:`y` (pixels) and confidence,
    or :math:`(T, 17, 2)` without confidence, in the layout :obj:`coco17`, or the same with the 18
    joints of :obj:`openpose18` as in OUMVLP-Pose, of which the neck is dropped. It is read by
    :func:`load_pickle`, which never runs code. Percentages are divided by 100 with a warning, and
    other confidences above 1 are clipped to 1. Joints without confidence or without a finite
    position are missing.

    .. code-block:: python

        track = read_opengait_pose('walk.pkl')
        data = from_array(track.pos, 'coco17', track.score, axes='TVC')

    Args:
        path (str): Path of the file.
        content (bytes, optional): Content of the file if already read. (default: :obj:`None`)

    Returns:
        Track: Positions :math:`(T, 17, 2)` and scores :math:`(T, 17)`.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is empty, truncated, or has different content.
    """
    poses = load_pickle(path, content)
    if not isinstance(poses, np.ndarray) or poses.ndim != 3 or poses.shape[-1] not in (2, 3):
        found = f'the shape {list(poses.shape)}' if isinstance(poses, np.ndarray) else type(poses)
        raise MalformedFileError(
            path, 'poses', 'an array of shape [T, 17, 3] or [T, 17, 2]', f'{found}'
        )
    if poses.shape[1] == 18:
        poses = poses[:, _COCO_IN_OPENPOSE]
    poses = as_float_array(poses, path, 'poses', ('T', 17, poses.shape[-1]), finite=False)
    if poses.shape[-1] == 2:
        poses = np.concatenate([poses, np.ones_like(poses[..., :1])], axis=-1)
    return split_score(poses, path)
