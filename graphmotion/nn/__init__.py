from graphmotion.nn.attention import (
    ChannelGate,
    CrossAttention,
    JointAttention,
    SpatialGate,
    TemporalDecoder,
)
from graphmotion.nn.conv import (
    CrossScaleConv,
    Divergence,
    LocallyConnectedConv,
    OrientedGradients,
    PerFrame,
    SpatialConv,
    SpectralConv,
)
from graphmotion.nn.fusion import BranchFusion, DecisionFusion, ScaleFusion
from graphmotion.nn.norm import MotionBatchNorm
from graphmotion.nn.pool import (
    ClusterPooling,
    HorizontalPyramidPooling,
    PartPooling,
    TopKJointPooling,
    TopKJoints,
)
from graphmotion.nn.temporal import (
    ConvValueTemporalAttention,
    LargeKernelTemporalConv,
    MultiResolutionTemporalConv,
    SelectiveTemporalConv,
    TemporalConv,
)

__all__ = [
    'BranchFusion',
    'ChannelGate',
    'ClusterPooling',
    'ConvValueTemporalAttention',
    'CrossAttention',
    'CrossScaleConv',
    'DecisionFusion',
    'Divergence',
    'HorizontalPyramidPooling',
    'JointAttention',
    'LargeKernelTemporalConv',
    'LocallyConnectedConv',
    'MotionBatchNorm',
    'MultiResolutionTemporalConv',
    'OrientedGradients',
    'PartPooling',
    'PerFrame',
    'ScaleFusion',
    'SelectiveTemporalConv',
    'SpatialConv',
    'SpatialGate',
    'SpectralConv',
    'TemporalConv',
    'TemporalDecoder',
    'TopKJointPooling',
    'TopKJoints',
]
