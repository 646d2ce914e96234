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


def threshold_steps(first: Tensor, second: Tensor) -> Tensor:
    """Returns the thresholds at which the counts below them in two sorted tensors turn.

    Between two of these thresholds at most one of the counts changes, unless both change at once
    because of equal distances. The last threshold is infinite.
    """
    threshold = torch.cat([first, second]).unique()
    threshold = torch.cat([threshold, threshold.new_tensor([torch.inf])])
    if len(threshold) < 3:
        return threshold
    changes = torch.stack([count_below(d, threshold).diff() != 0 for d in (first, second)])
    same_direction = (changes[:, 1:] == changes[:, :-1]).all(dim=0) & ~changes.all(dim=0)[1:]
    keep = torch.ones(len(threshold), dtype=torch.bool)
    keep[1:-1] = ~same_direction
    return threshold[keep]
