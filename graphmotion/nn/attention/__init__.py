from graphmotion.nn.attention.cross_attention import CrossAttention
from graphmotion.nn.attention.gates import ChannelGate, SpatialGate
from graphmotion.nn.attention.joint_attention import JointAttention
from graphmotion.nn.attention.temporal_decoder import TemporalDecoder

__all__ = ['ChannelGate', 'CrossAttention', 'JointAttention', 'SpatialGate', 'TemporalDecoder']
