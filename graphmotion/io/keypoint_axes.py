"""Order of the axes of keypoint arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def axis_order(axes: str | None, num_dims: int) -> str:
    r"""Returns the order of the axes of keypoints, by default people, frames, joints, coordinates.

    Keypoints with three dimensions have no axis for people.

    Args:
        axes (str, optional): Permutation of :obj:`"MTVC"`, or of :obj:`"TVC"` without people.
        num_dims (int): Number of dimensions of the array.

    Raises:
        ValueError: If :obj:`axes` is not such a permutation.
    """
    order = 'MTVC' if axes is None else axes
    if sorted(order) not in (sorted('TVC'), sorted('MTVC')):
        raise ValueError(
            f"axes must hold each of 'T', 'V' and 'C' once, and 'M' if there are people, got "
            f'{axes!r}'
        )
    return order.replace('M', '') if num_dims == 3 else order


def is_ambiguous(shape: Sequence[int]) -> bool:
    r"""Returns whether the shape of keypoints fits several orders of the axes.

    That is, :math:`(T, V, C)` and :math:`(V, T, C)`; :math:`(M, T, V, C)` and
    :math:`(C, T, V, M)`; or, with more than three people and fewer frames, :math:`(T, M, V, C)`.
    """
    if len(shape) == 3:
        return shape[0] == shape[1]
    return len(shape) == 4 and (
        (shape[0] in (2, 3) and shape[3] == 2) or shape[0] > max(shape[1], 3)
    )


def looks_like_scores(keypoints: np.ndarray) -> bool:
    r"""Returns whether the third coordinate seems to be a score: all values are in
    :math:`[0, 1]`, while the other coordinates have the range of pixels.
    """
    if keypoints.shape[-1] != 3:
        return False
    values = np.nan_to_num(keypoints)
    third = values[..., 2]
    pixels = np.abs(values[..., :2]).max(initial=0) > 20
    return bool(pixels and third.min() >= 0 and 0 < third.max() <= 1)
