from graphmotion.nn.attention import ChannelGate, SpatialGate
from graphmotion.nn.conv import CrossScaleConv, SpatialConv
from graphmotion.nn.fusion import ScaleFusion
from graphmotion.nn.norm import MotionBatchNorm
from graphmotion.nn.pool import PartPooling
from graphmotion.nn.temporal import SelectiveTemporalConv, TemporalConv

__all__ = [
    'ChannelGate',
    'CrossScaleConv',
    'MotionBatchNorm',
    'PartPooling',
    'ScaleFusion',
    'SelectiveTemporalConv',
    'SpatialConv',
    'SpatialGate',
    'TemporalConv',
]
