"""Reader of the JSON files of Northwestern-UCLA."""

from __future__ import annotations

import numpy as np

from graphmotion.data.files import MalformedFile, load_json, numbers


def read_nw_ucla(path: str, content: bytes | None = None) -> np.ndarray:
    r"""Read a sequence of Northwestern-UCLA, from the `"Cross-view Action Modeling, Learning and
    Recognition" <https://arxiv.org/abs/1405.2941>`_ paper, in its JSON form.

    The file is :obj:`{"skeletons": [frames][joints][coordinates], ...}`, in metres from the
    camera, with the joints of the layout :obj:`kinect20`.

    Args:
        path (str): The file.
        content (bytes, optional): Its bytes, if they were read before. (default: :obj:`None`)

    Returns:
        array: Positions :math:`(T, 20, 3)` in single precision.

    Raises:
        FileNotFoundError: If the file is not there.
        ValueError: If it is empty, cut off, or holds something else.
    """
    sequence = load_json(path, content)
    if not isinstance(sequence, dict) or 'skeletons' not in sequence:
        raise MalformedFile(path, 'skeletons', 'the positions of joints', 'no such field')
    return numbers(sequence['skeletons'], path, 'skeletons', ('T', 20, 3))
