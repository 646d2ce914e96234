from graphmotion.nn.temporal.selective_temporal_conv import SelectiveTemporalConv
from graphmotion.nn.temporal.temporal_conv import TemporalConv

__all__ = ['SelectiveTemporalConv', 'TemporalConv']
