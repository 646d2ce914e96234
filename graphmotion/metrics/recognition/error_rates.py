"""Error rates as functions of a distance threshold, counted in sorted distances."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def sorted_distances(name: str, distance: Any) -> Tensor:
    """Returns distances in ascending order, in double precision, on the CPU."""
    if not isinstance(distance, Tensor) or not distance.is_floating_point():
        found = distance.dtype if isinstance(distance, Tensor) else type(distance).__name__
        raise TypeError(f'{name} must be a floating-point tensor, got {found}')
    if distance.dim() != 1 or not len(distance):
        raise ValueError(f'{name} must be one or more distances, got shape {list(distance.shape)}')
    if not distance.isfinite().all():
        raise ValueError(
            f'{name} must be finite, got {int((~distance.isfinite()).sum())} distances that are not'
        )
    return distance.detach().cpu().double().sort().values


def count_below(distance: Tensor, threshold: float | Tensor) -> Tensor:
    """Counts the sorted distances below each threshold."""
    return torch.searchsorted(distance, torch.as_tensor(threshold, dtype=torch.float64))


def threshold_at_rate(distance: Tensor, rate: float) -> float:
    """Returns the largest threshold with at most a fraction of the sorted distances below it."""
    # A product such as 0.07 * 100 may be slightly larger or smaller than an integer.
    accepted = int(rate * len(distance) * (1 + 1e-12))
    return float(distance[accepted]) if accepted < len(distance) else float('inf')


def next_above(distance: Tensor, threshold: Tensor) -> Tensor:
    """Returns the smallest of the sorted distances above each threshold, infinite if none."""
    padded = torch.cat([distance, distance.new_tensor([torch.inf])])
    return padded[torch.searchsorted(distance, threshold, right=True)]


def threshold_steps(first: Tensor, second: Tensor) -> Tensor:
    """Returns the thresholds at which the counts below them in two sorted tensors turn.

    Between two of these thresholds only one of the counts changes, unless both change at once
    because of equal distances. The last threshold is infinite.
    """
    fewer, more = sorted((first, second), key=len)
    # The count in `fewer` only changes between one of its distances and the next distance.
    after = torch.minimum(next_above(fewer, fewer), next_above(more, fewer))
    ends = fewer.new_tensor([min(d[0] for d in (first, second) if len(d)), torch.inf])
    threshold = torch.cat([fewer, after, ends]).unique()
    changes = torch.stack([count_below(d, threshold).diff() != 0 for d in (first, second)])
    same_direction = (changes[:, 1:] == changes[:, :-1]).all(dim=0) & ~changes.all(dim=0)[1:]
    turns = torch.ones(len(threshold), dtype=torch.bool)
    turns[1:-1] = ~same_direction
    return threshold[turns]
