from graphmotion.nn.attention.gates import ChannelGate, SpatialGate

__all__ = ['ChannelGate', 'SpatialGate']
