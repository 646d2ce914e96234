"""Dropout of few features."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import Dropout

from graphmotion.nn.eager import is_eager_cpu

_PROBABILITIES = 1e-9, 0.05  # below, distances between positions overflow


class RareDropout(Dropout):
    """Dropout that draws which features are zeroed instead of a number for each feature, if they
    are few and on a CPU.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Zeroes features and scales the others."""
        low, high = _PROBABILITIES
        if not self.training or not low <= self.p <= high or not is_eager_cpu(x):
            return super().forward(x)
        return _ZeroedFeatures.apply(x, draw_positions(x.numel(), self.p), 1 / (1 - self.p))


def draw_positions(size: int, probability: float) -> Tensor:
    """Draws each of ``size`` positions with the same probability, in ascending order."""
    mean = size * probability
    parts, end = [], 0
    while end < size:
        gaps = torch.empty(int(mean + 6 * math.sqrt(mean)) + 10, dtype=torch.long)
        parts.append(gaps.geometric_(probability).cumsum(0).add_(end - 1))
        end = int(parts[-1][-1]) + 1
    positions = torch.cat(parts)
    return positions[: int(torch.searchsorted(positions, size))]


class _ZeroedFeatures(torch.autograd.Function):
    """Zeroes the features at the given positions and scales all."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, positions: Tensor, scale: float) -> Tensor:
        ctx.save_for_backward(positions)
        ctx.scale = scale
        out = torch.mul(x, scale, out=x.new_empty(x.shape))
        out.view(-1).index_fill_(0, positions, 0)
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (positions,) = ctx.saved_tensors
        return _ZeroedFeatures.apply(gradient, positions, ctx.scale), None, None
