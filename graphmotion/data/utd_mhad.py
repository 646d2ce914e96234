"""Reader of the Matlab files of UTD-MHAD."""

from __future__ import annotations

import numpy as np

from graphmotion.data.files import numbers
from graphmotion.data.matlab import read_matlab

# The file goes from the head down, the layout from the hips up; limbs stand alike.
_ORDER = [3, 2, 1, 0, *range(4, 20)]


def read_utd_mhad(path: str, content: bytes | None = None) -> np.ndarray:
    r"""Read a skeleton sequence of UTD-MHAD, from the "UTD-MHAD: A Multimodal Dataset for Human
    Action Recognition Utilizing a Depth Camera and a Wearable Inertial Sensor" paper (ICIP 2015).

    The file holds the matrix :obj:`d_skel` :math:`(20, 3, T)`, in metres from the camera. Its
    joints are put into the order of the layout :obj:`kinect20`.

    Args:
        path (str): The file.
        content (bytes, optional): Its bytes, if they were read before. (default: :obj:`None`)

    Returns:
        array: Positions :math:`(T, 20, 3)` in single precision.

    Raises:
        FileNotFoundError: If the file is not there.
        ValueError: If it is empty, cut off, or holds something else.
    """
    pos = numbers(read_matlab(path, 'd_skel', content), path, 'd_skel', (20, 3, 'T'))
    return np.ascontiguousarray(pos.transpose(2, 0, 1)[:, _ORDER])
