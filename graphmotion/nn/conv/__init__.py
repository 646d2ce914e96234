from graphmotion.nn.conv.cross_scale_conv import CrossScaleConv
from graphmotion.nn.conv.spatial_conv import SpatialConv

__all__ = ['CrossScaleConv', 'SpatialConv']
