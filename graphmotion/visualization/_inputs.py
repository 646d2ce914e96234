"""Conversion and validation of the arguments that figures share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor

ArrayLike = Tensor | np.ndarray


def to_array(
    values: Any, name: str, ndim: Sequence[int] | None = None, finite: bool = False
) -> np.ndarray:
    """Converts values to a non-empty float64 array of one of the given ranks."""
    if isinstance(values, Tensor):
        values = values.detach().cpu().double().numpy()
    try:
        out = np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise TypeError(
            f'{name} must be a tensor or array of numbers, got {values!r:.80}'
        ) from None
    if ndim is not None and out.ndim not in ndim:
        expected = ' or '.join(f'{n}D' for n in ndim)
        raise ValueError(f'{name} must be {expected}, got shape {list(out.shape)}')
    if out.size == 0:
        raise ValueError(f'{name} must not be empty, got shape {list(out.shape)}')
    if finite and not np.isfinite(out).all():
        count = np.sum(~np.isfinite(out))
        raise ValueError(f'{name} must be finite, got {count} non-finite values')
    return out


def check_shape(array: np.ndarray, name: str, shape: Sequence[int | str]) -> None:
    """Raises if the shape differs; strings name sizes that are not checked."""
    fits = array.ndim == len(shape) and all(
        isinstance(expected, str) or size == expected for size, expected in zip(array.shape, shape)
    )
    if not fits:
        expected = ', '.join(map(str, shape))
        raise ValueError(f'{name} must have shape [{expected}], got {list(array.shape)}')


def check_names(names: Sequence[Any] | None, name: str, count: int) -> list[str]:
    """Returns one name per item, by default empty; a string counts as one name."""
    if names is None:
        return [''] * count
    names = [names] if isinstance(names, str) else [str(entry) for entry in names]
    if len(names) != count:
        raise ValueError(f'{name} must have length {count}, got {len(names)}')
    return names


def check_indices(indices: Sequence[int], name: str, size: int) -> list[int]:
    """Returns the indices as integers, which must be in range and not empty."""
    out = [int(index) for index in indices]
    if not out or not all(0 <= index < size for index in out):
        raise ValueError(f'{name} must be one or more indices in [0, {size - 1}], got {out}')
    return out


def entry_name(name: str, key: str) -> str:
    """Returns the name of an entry of a mapping for use in messages."""
    return f'{name}[{key!r}]' if key else name


def as_mapping(values: Any, name: str) -> dict[str, Any]:
    """Returns named values as they are, and a single value under the empty name."""
    out = dict(values) if isinstance(values, Mapping) else {'': values}
    if not out:
        raise ValueError(f'{name} must not be empty')
    return out
