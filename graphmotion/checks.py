"""Checks of arguments that several packages share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any


def whole(name: str, value: Any, least: float = -math.inf) -> int:
    r"""A whole number of at least a given size, or a :class:`ValueError` that names the option."""
    if isinstance(value, bool) or not hasattr(value, '__index__') or value < least:
        bound = '' if least == -math.inf else f' of at least {least}'
        raise ValueError(f'{name}: expected a whole number{bound}, got {value!r}')
    return value.__index__()


def several(value: Any, count: int) -> list[Any]:
    r"""The values in a sequence, or one value that many times."""
    return list(value) if isinstance(value, Sequence) else [value] * count


def chosen(name: str, values: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    r"""One or more different names out of those known."""
    values = (values,) if isinstance(values, str) else tuple(values)
    if not values or len(set(values)) != len(values) or not set(values) <= set(known):
        raise ValueError(f'{name} are different ones of {list(known)}, got {list(values)}')
    return values


def angles(name: str, values: Sequence[int]) -> tuple[int, ...]:
    r"""One or more different angles in whole degrees."""
    out = tuple(whole(name, value) for value in values)
    if not out or len({value % 360 for value in out}) != len(out):
        raise ValueError(f'{name} are different angles in degrees, got {list(out)}')
    return out


def frame_range(num_frames: int | tuple[int, int]) -> tuple[int, int]:
    r"""The least and the greatest number of frames."""
    span = [whole('num_frames', n, 1) for n in several(num_frames, 2)]
    if len(span) != 2 or span[0] > span[1]:
        raise ValueError(f'num_frames is a number or (least, greatest), got {num_frames!r}')
    return span[0], span[1]


def axis_order(axes: str | None, num_dims: int) -> str:
    r"""The order of the axes of keypoints, by default people, frames, joints and coordinates;
    without people where there are only three dimensions.
    """
    order = 'MTVC' if axes is None else axes
    if sorted(order) not in (sorted('TVC'), sorted('MTVC')):
        raise ValueError(
            f"axes must hold each of 'T', 'V' and 'C' once, and 'M' if there are people, got "
            f'{axes!r}'
        )
    return order.replace('M', '') if num_dims == 3 else order


def is_ambiguous(shape: Sequence[int]) -> bool:
    r"""Whether keypoints may be :math:`(M, T, V, C)`, or :math:`(C, T, V, M)` of two people."""
    return len(shape) == 4 and shape[0] in (2, 3) and shape[3] == 2
