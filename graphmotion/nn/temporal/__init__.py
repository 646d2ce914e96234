from graphmotion.nn.temporal.conv_value_temporal_attention import ConvValueTemporalAttention
from graphmotion.nn.temporal.large_kernel_temporal_conv import LargeKernelTemporalConv
from graphmotion.nn.temporal.local_global_temporal import LocalGlobalTemporal
from graphmotion.nn.temporal.multi_resolution_temporal_conv import MultiResolutionTemporalConv
from graphmotion.nn.temporal.multi_scale_temporal_conv import MultiScaleTemporalConv
from graphmotion.nn.temporal.selective_temporal_conv import SelectiveTemporalConv
from graphmotion.nn.temporal.temporal_conv import TemporalConv

__all__ = [
    'ConvValueTemporalAttention',
    'LargeKernelTemporalConv',
    'LocalGlobalTemporal',
    'MultiResolutionTemporalConv',
    'MultiScaleTemporalConv',
    'SelectiveTemporalConv',
    'TemporalConv',
]
