"""The motion layout as images [B, C, T, V], with equivalents of layers for it."""

from __future__ import annotations

from torch import Tensor
from torch.nn import Conv2d, Module

from graphmotion.data import to_dense
from graphmotion.nn import SpatialConv


def to_nchw(x: Tensor, num_nodes: int) -> Tensor:
    """Returns [B * V, T, C] as contiguous [B, C, T, V]."""
    return to_dense(x, num_nodes).permute(0, 3, 2, 1).contiguous()


def from_nchw(x: Tensor) -> Tensor:
    """Returns [B, C, T, V] as [B * V, T, C]."""
    return x.permute(0, 3, 2, 1).flatten(0, 1)


def nchw_temporal_conv(module: Module) -> Conv2d:
    """Returns a :class:`TemporalConv` as a convolution of images, with the same weights."""
    conv = module.get_submodule('conv')
    assert isinstance(conv, Conv2d)
    out = Conv2d(
        conv.in_channels,
        conv.out_channels,
        conv.kernel_size[::-1],
        conv.stride[::-1],
        conv.padding[::-1],
        conv.dilation[::-1],
    )
    out.load_state_dict({'weight': conv.weight.mT.contiguous(), 'bias': conv.bias})
    return out


def nchw_linear(lin: Module) -> Conv2d:
    """Returns a linear map of channels as a 1 x 1 convolution, with the same weights."""
    out_channels, in_channels = lin.weight.shape[:2]
    out = Conv2d(in_channels, out_channels, 1)
    weight = lin.weight.view(out_channels, in_channels, 1, 1)
    out.load_state_dict({'weight': weight, 'bias': lin.bias})
    return out


def nchw_partition_linear(conv: SpatialConv) -> Conv2d:
    """Returns the linear maps of all partitions as one 1 x 1 convolution."""
    num_partitions, in_channels, out_channels = conv.weight.shape
    weight = conv.weight.transpose(1, 2).reshape(num_partitions * out_channels, in_channels, 1, 1)
    out = Conv2d(in_channels, num_partitions * out_channels, 1)
    out.load_state_dict({'weight': weight, 'bias': conv.bias.flatten()})
    return out
