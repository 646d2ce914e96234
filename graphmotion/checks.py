"""Validation of arguments, shared by the whole library.

Each function returns the valid value or raises :class:`ValueError` with a message of the form
``<argument> must be <constraint>, got <value>``.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any, TypeVar

T = TypeVar('T')


def check_number(name: str, value: Any, low: float, high: float = math.inf) -> float:
    r"""Returns a finite number in :math:`[low, high]`."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not (low <= number <= high and math.isfinite(number)):
        bound = f'at least {low:g}' if high == math.inf else f'in [{low:g}, {high:g}]'
        raise ValueError(f'{name} must be a number {bound}, got {value!r}')
    return number


def check_positive(name: str, value: Any) -> float:
    r"""Returns a positive, finite number."""
    if not 0 < value < math.inf:
        raise ValueError(f'{name} must be positive and finite, got {value!r}')
    return float(value)


def as_list(value: Any, count: int) -> list[Any]:
    r"""Returns a sequence as a list, or a single value repeated :obj:`count` times."""
    return list(value) if isinstance(value, Sequence) else [value] * count


def check_int(name: str, value: Any, minimum: float = -math.inf, maximum: float = math.inf) -> int:
    r"""Returns an integer from :obj:`minimum` to :obj:`maximum`."""
    is_int = not isinstance(value, bool) and hasattr(value, '__index__')
    if not is_int or not minimum <= value <= maximum:
        bound = '' if minimum == -math.inf else f' >= {minimum}'
        bound += '' if maximum == math.inf else f' and <= {maximum}'
        raise ValueError(f'{name} must be an integer{bound}, got {value!r}')
    return value.__index__()


def check_odd(name: str, value: Any) -> int:
    r"""Returns a positive odd integer."""
    if check_int(name, value, 1) % 2 == 0:
        raise ValueError(f'{name} must be odd, got {value!r}')
    return value.__index__()


def check_choice(name: str, value: T, choices: Collection[T]) -> T:
    r"""Returns a value that is one of the choices."""
    if value not in choices:
        raise ValueError(f'{name} must be one of {list(choices)}, got {value!r}')
    return value


def check_choices(
    name: str, values: str | Sequence[str], choices: Sequence[str]
) -> tuple[str, ...]:
    r"""Returns one or more distinct names out of the choices; a string counts as one name."""
    values = (values,) if isinstance(values, str) else tuple(values)
    if not values or len(set(values)) != len(values) or not set(values) <= set(choices):
        raise ValueError(f'{name} must be distinct values of {list(choices)}, got {list(values)}')
    return values


def check_probability(name: str, value: float) -> float:
    r"""Returns a probability."""
    if not 0 <= value <= 1:
        raise ValueError(f'{name} must be in [0, 1], got {value!r}')
    return value


def check_interval(
    name: str, value: Any, above: float = -math.inf, maximum: float = math.inf
) -> tuple[float, float]:
    r"""Returns the ends of an interval within (:obj:`above`, :obj:`maximum`]."""
    if (
        not isinstance(value, Sequence)
        or len(value) != 2
        or not all(isinstance(end, (int, float)) and math.isfinite(end) for end in value)
        or not above < value[0] <= value[1] <= maximum
    ):
        bounds = f' in ({above:g}, {maximum:g}' + (')' if maximum == math.inf else ']')
        within = '' if (above, maximum) == (-math.inf, math.inf) else bounds
        raise ValueError(f'{name} must be an interval (low, high){within}, got {value!r}')
    return float(value[0]), float(value[1])


def symmetric_interval(name: str, value: Any) -> tuple[float, float]:
    r"""Returns the ends of an interval, :math:`[-d, d]` for a number :math:`d`."""
    number = isinstance(value, (int, float))
    return check_interval(name, (-abs(value), abs(value)) if number else value)


def check_angles(name: str, values: Sequence[int]) -> tuple[int, ...]:
    r"""Returns one or more angles in integer degrees that differ modulo 360."""
    out = tuple(check_int(name, value) for value in values)
    if not out or len({value % 360 for value in out}) != len(out):
        raise ValueError(f'{name} must be distinct angles in degrees, got {list(out)}')
    return out


def check_size(name: str, size: int | Sequence[int], least: int = 1) -> tuple[int, int]:
    r"""Returns height and width, given as one number for both or as a pair."""
    sides = [check_int(name, side, least) for side in as_list(size, 2)]
    if len(sides) != 2:
        raise ValueError(f'{name} must be an integer or (height, width), got {size!r}')
    return sides[0], sides[1]


def check_frame_range(num_frames: int | Sequence[int]) -> tuple[int, int]:
    r"""Returns the minimum and the maximum number of frames."""
    span = [check_int('num_frames', n, 1) for n in as_list(num_frames, 2)]
    if len(span) != 2 or span[0] > span[1]:
        raise ValueError(f'num_frames must be an integer or (min, max), got {num_frames!r}')
    return span[0], span[1]
