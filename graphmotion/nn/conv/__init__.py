from graphmotion.nn.conv.adaptive_spatial_conv import AdaptiveSpatialConv
from graphmotion.nn.conv.channel_topology_conv import ChannelTopologyConv
from graphmotion.nn.conv.cross_scale_conv import CrossScaleConv
from graphmotion.nn.conv.divergence import Divergence
from graphmotion.nn.conv.locally_connected_conv import LocallyConnectedConv
from graphmotion.nn.conv.oriented_gradients import OrientedGradients
from graphmotion.nn.conv.per_frame import PerFrame
from graphmotion.nn.conv.silhouette_backbone import SilhouetteBackbone
from graphmotion.nn.conv.spatial_conv import SpatialConv
from graphmotion.nn.conv.spectral_conv import SpectralConv

__all__ = [
    'AdaptiveSpatialConv',
    'ChannelTopologyConv',
    'CrossScaleConv',
    'Divergence',
    'LocallyConnectedConv',
    'OrientedGradients',
    'PerFrame',
    'SilhouetteBackbone',
    'SpatialConv',
    'SpectralConv',
]
