"""Reader of OpenGait's pickles of poses."""

from __future__ import annotations

import numpy as np

from graphmotion.io.files import MalformedFileError, as_float_array
from graphmotion.io.pickles import load_pickle
from graphmotion.io.tracks import Track, split_score


def read_opengait_pose(path: str, content: bytes | None = None) -> Track:
    r"""Read a walk as `OpenGait <https://github.com/ShiqiYu/OpenGait>`_ stores poses.

    The file is a pickle of an array :math:`(T, 17, 3)` of :math:`x`, :math:`y` in pixels and
    confidence, or :math:`(T, 17, 2)` without confidence, with the joints of the layout
    :obj:`coco17`. It is read by :func:`load_pickle`, so that nothing in it can run. Confidence
    above 1 counts as 1; a joint without confidence, or that is not finite, is missing.

    Args:
        path (str): The file.
        content (bytes, optional): Its bytes, if they were read before. (default: :obj:`None`)

    Returns:
        Track: Positions :math:`(T, 17, 2)` and scores :math:`(T, 17)`.

    Raises:
        FileNotFoundError: If the file is not there.
        ValueError: If it is empty, cut off, or holds something else.
    """
    poses = load_pickle(path, content)
    if not isinstance(poses, np.ndarray) or poses.ndim != 3 or poses.shape[-1] not in (2, 3):
        found = f'the shape {list(poses.shape)}' if isinstance(poses, np.ndarray) else type(poses)
        raise MalformedFileError(
            path, 'poses', 'an array of shape [T, 17, 3] or [T, 17, 2]', f'{found}'
        )
    poses = as_float_array(poses, path, 'poses', ('T', 17, poses.shape[-1]), finite=False)
    if poses.shape[-1] == 2:
        poses = np.concatenate([poses, np.ones_like(poses[..., :1])], axis=-1)
    return split_score(poses)
