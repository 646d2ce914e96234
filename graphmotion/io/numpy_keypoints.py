"""Keypoints in NumPy files."""

from __future__ import annotations

import warnings

import numpy as np

from graphmotion.io.files import MalformedFileError, as_float_array
from graphmotion.io.formats import register_format
from graphmotion.io.keypoint_axes import axis_order, is_ambiguous, looks_like_scores
from graphmotion.io.numpy_files import open_arrays
from graphmotion.io.scores import scale_scores
from graphmotion.io.tracks import Track

_SCORES = ('score', 'scores')


@register_format('numpy', suffixes=('.npy', '.npz'))
def read_numpy(path: str, score_last: bool = False, axes: str | None = None) -> list[Track]:
    r"""Reads keypoints of one or more people from an :obj:`.npy` or :obj:`.npz` file.

    An :obj:`.npy` file holds positions :math:`(T, V, C)` or :math:`(M, T, V, C)` with
    :math:`C \in \{2, 3\}`. An :obj:`.npz` file holds them as :obj:`keypoints`, with optional scores
    :math:`(T, V)` or :math:`(M, T, V)` as :obj:`score` or :obj:`scores`. Pickled objects are
    rejected. Percentages are divided by 100 with a warning, and other scores above 1 are clipped to
    1. Joints with a score of 0 or below or without a finite position are missing.

    .. code-block:: python

        np.save('walk.npy', np.random.rand(30, 17, 3))  # frames, joints, x and y and score
        (track,) = read_numpy('walk.npy', score_last=True)
        print(track.pos.shape, track.score.shape)  # (30, 17, 2) (30, 17)

    Args:
        path (str): Path of the file.
        score_last (bool, optional): If :obj:`True`, the last of :math:`C + 1` values of a joint is
            its score. (default: :obj:`False`)
        axes (str, optional): Order of the axes, such as :obj:`"CTVM"`; see
            :func:`~graphmotion.data.from_array`. (default: :obj:`None`)

    Returns:
        list of Track: The people in the order of the file.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is empty or truncated, holds Python objects or arrays of a
            different shape, or the order of the axes is ambiguous.
    """
    others: dict[str, int] = {}
    with open_arrays(path) as stored:
        if 'array' in stored and len(stored) == 1:
            arrays = {'keypoints': stored['array'].read()}
        else:
            arrays = {n: stored[n].read() for n in ('keypoints', *_SCORES) if n in stored}
            others = {name: array.size for name, array in stored.items() if name not in arrays}
    if 'keypoints' not in arrays or all(name in arrays for name in _SCORES):
        expected = 'the arrays keypoints and, optionally, score or scores'
        raise MalformedFileError(path, 'content', expected, f'{[*arrays, *others]}')
    keypoints = arrays['keypoints']
    scores = next((arrays[name] for name in _SCORES if name in arrays), None)
    order = axis_order(axes, keypoints.ndim)
    if axes is None and is_ambiguous(keypoints.shape):
        orders = "'TVC' or 'VTC'" if keypoints.ndim == 3 else "'MTVC', 'TMVC' or 'CTVM'"
        expected = f'an order of axes that is known, by axes={orders}'
        raise MalformedFileError(path, 'keypoints', expected, f'the shape {list(keypoints.shape)}')
    keypoints = _people_first(keypoints, order)
    last = keypoints.shape[-1] if keypoints.ndim else 0
    dims = last - 1 if score_last else last
    if dims not in (2, 3):
        expected = '3 or 4 numbers per joint' if score_last else '2 or 3 numbers per joint'
        found = f'the shape {list(arrays["keypoints"].shape)}'
        raise MalformedFileError(path, 'keypoints', expected, found)
    keypoints = as_float_array(keypoints, path, 'keypoints', ('M', 'T', 'V', last), finite=False)
    pos = keypoints[..., :dims]
    if not score_last and scores is None and looks_like_scores(pos):
        warnings.warn(
            f'{path}: the third number of each joint is in [0, 1] and looks like a score: pass '
            f'score_last=True if it is one',
            stacklevel=2,
        )
    similar = [name for name, size in others.items() if size == pos[..., 0].size]
    if scores is None and similar:
        warnings.warn(
            f'{path}: ignored {similar}; scores must be the array score or scores', stacklevel=2
        )
    if score_last:
        score = keypoints[..., dims]
    elif scores is not None:
        score = _people_first(scores, order.replace('C', ''))
        score = as_float_array(score, path, 'score', pos.shape[:3], finite=False)
    else:
        score = np.ones(pos.shape[:3], np.float32)
    present = np.isfinite(pos).all(axis=-1) & (score > 0)
    score = scale_scores(np.where(present, score, 0), path)
    pos = np.where(present[..., None], pos, 0)
    return [Track(*person) for person in zip(pos, score)]


def _people_first(array: np.ndarray, order: str) -> np.ndarray:
    """Permutes to [M, T, V, *]; an array of another rank is returned as it is."""
    if array.ndim != len(order):
        return array
    array = array.transpose([order.index(axis) for axis in 'MTVC' if axis in order])
    return array if 'M' in order else array[None]
