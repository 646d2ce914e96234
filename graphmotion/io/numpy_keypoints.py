"""Reader of keypoints in NumPy's files."""

from __future__ import annotations

import os

import numpy as np

from graphmotion.checks import axis_order, is_ambiguous
from graphmotion.io.files import MalformedFile, numbers
from graphmotion.io.tracks import Track


def read_numpy(path: str, score_last: bool = False, axes: str | None = None) -> list[Track]:
    r"""Read the joints of one person or several from a :obj:`.npy` or :obj:`.npz` file.

    A :obj:`.npy` file holds positions :math:`(T, V, C)` or :math:`(M, T, V, C)` with :math:`C` 2
    or 3; a :obj:`.npz` file holds them as :obj:`keypoints` and, where there are any, scores without
    coordinates as :obj:`score`. Pickled objects in them are refused. Scores above 1 count as
    1; a joint that is not finite, or has no score above 0, is missing.

    Args:
        path (str): The file.
        score_last (bool, optional): If set to :obj:`True`, the last of the :math:`C + 1` numbers of
            a joint is its score. (default: :obj:`False`)
        axes (str, optional): The order of the axes, such as :obj:`"CTVM"`; see
            :func:`~graphmotion.data.from_array`. (default: :obj:`None`)

    Returns:
        list of Track: The people in the order of the file.

    Raises:
        FileNotFoundError: If the file is not there.
        ValueError: If it is empty, cut off, holds Python objects or arrays of another shape, or one
            whose axes may be in either of two orders.
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(f'{path}: no such file')
    try:
        with open(path, 'rb') as file:
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                arrays = {'keypoints': loaded}
            else:
                arrays = {k: loaded[k] for k in ('keypoints', 'score') if k in loaded}
    except Exception as error:  # whatever the bytes led to
        expected = 'arrays of numbers in a .npy or .npz file'
        raise MalformedFile(path, 'content', expected, str(error) or 'no array') from error
    if 'keypoints' not in arrays:
        raise MalformedFile(path, 'keypoints', 'an array', 'no such array')
    keypoints = arrays['keypoints']
    order = axis_order(axes, keypoints.ndim)
    if axes is None and not score_last and is_ambiguous(keypoints.shape):
        expected = "an order of axes that is known, by axes='MTVC' or axes='CTVM'"
        raise MalformedFile(path, 'keypoints', expected, f'the shape {list(keypoints.shape)}')
    keypoints = _people_first(keypoints, order)
    last = keypoints.shape[-1] if keypoints.ndim else 0
    dims = last - 1 if score_last else last
    if dims not in (2, 3):
        expected = '3 or 4 numbers a joint' if score_last else '2 or 3 numbers a joint'
        found = f'the shape {list(arrays["keypoints"].shape)}'
        raise MalformedFile(path, 'keypoints', expected, found)
    keypoints = numbers(keypoints, path, 'keypoints', ('M', 'T', 'V', last), finite=False)
    pos = keypoints[..., :dims]
    if score_last:
        score = keypoints[..., dims]
    elif 'score' in arrays:
        score = _people_first(arrays['score'], order.replace('C', ''))
        score = numbers(score, path, 'score', pos.shape[:3], finite=False)
    else:
        score = np.ones(pos.shape[:3], np.float32)
    present = np.isfinite(pos).all(axis=-1) & (score > 0)
    score = np.where(present, np.minimum(score, 1), 0)
    pos = np.where(present[..., None], pos, 0)
    return [Track(*person) for person in zip(pos, score)]


def _people_first(array: np.ndarray, order: str) -> np.ndarray:
    """Permute to [M, T, V, *]; an array of other dimensions is returned as it is."""
    if array.ndim != len(order):
        return array
    array = array.transpose([order.index(axis) for axis in 'MTVC' if axis in order])
    return array if 'M' in order else array[None]
