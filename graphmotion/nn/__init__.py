from graphmotion.nn.attention import (
    ChannelGate,
    CrossAttention,
    JointAttention,
    SpatialGate,
    TemporalDecoder,
)
from graphmotion.nn.conv import (
    AdaptiveSpatialConv,
    ChannelTopologyConv,
    CrossScaleConv,
    Divergence,
    LocallyConnectedConv,
    OrientedGradients,
    PerFrame,
    SilhouetteBackbone,
    SpatialConv,
    SpectralConv,
)
from graphmotion.nn.fusion import BranchFusion, DecisionFusion, ScaleFusion
from graphmotion.nn.linear import Linear
from graphmotion.nn.norm import MotionBatchNorm
from graphmotion.nn.pool import (
    ClusterPooling,
    HorizontalPyramidPooling,
    PartPooling,
    TopKJointPooling,
    TopKJoints,
)
from graphmotion.nn.separate_linear import SeparateLinear
from graphmotion.nn.temporal import (
    ConvValueTemporalAttention,
    LargeKernelTemporalConv,
    LocalGlobalTemporal,
    MultiResolutionTemporalConv,
    MultiScaleTemporalConv,
    SelectiveTemporalConv,
    TemporalConv,
)

__all__ = [
    'AdaptiveSpatialConv',
    'BranchFusion',
    'ChannelGate',
    'ChannelTopologyConv',
    'ClusterPooling',
    'ConvValueTemporalAttention',
    'CrossAttention',
    'CrossScaleConv',
    'DecisionFusion',
    'Divergence',
    'HorizontalPyramidPooling',
    'JointAttention',
    'LargeKernelTemporalConv',
    'Linear',
    'LocalGlobalTemporal',
    'LocallyConnectedConv',
    'MotionBatchNorm',
    'MultiResolutionTemporalConv',
    'MultiScaleTemporalConv',
    'OrientedGradients',
    'PartPooling',
    'PerFrame',
    'ScaleFusion',
    'SelectiveTemporalConv',
    'SeparateLinear',
    'SilhouetteBackbone',
    'SpatialConv',
    'SpatialGate',
    'SpectralConv',
    'TemporalConv',
    'TemporalDecoder',
    'TopKJointPooling',
    'TopKJoints',
]
