"""Residual connections of spatio-temporal blocks."""

from __future__ import annotations

from graphmotion.nn.frame_sequential import FrameSequential
from graphmotion.nn.norm import MotionBatchNorm
from graphmotion.nn.temporal.temporal_conv import TemporalConv


def make_shortcut(in_channels: int, out_channels: int, stride: int) -> FrameSequential:
    """Returns the identity, or a normalised pointwise convolution if the shape changes."""
    if in_channels == out_channels and stride == 1:
        return FrameSequential()
    return FrameSequential(
        TemporalConv(in_channels, out_channels, kernel_size=1, stride=stride),
        MotionBatchNorm(out_channels),
    )
