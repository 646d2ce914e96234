"""Order of the axes of keypoint arrays."""

from __future__ import annotations

from collections.abc import Sequence


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
    r"""Returns whether a shape fits both :math:`(M, T, V, C)` and :math:`(C, T, V, M)`."""
    return len(shape) == 4 and shape[0] in (2, 3) and shape[3] == 2
