"""The motion layout as images [B, C, T, V], with equivalents of layers for it."""

from __future__ import annotations

from copy import deepcopy
from typing import TypeVar

import torch
from torch import Tensor
from torch.nn import BatchNorm2d, Conv2d, Linear, Module, ModuleList

from graphmotion.data import to_dense
from graphmotion.nn import SpatialConv
from graphmotion.nn.gelu import GELU
from graphmotion.nn.linear import Linear as MotionLinear

_Module = TypeVar('_Module', bound=Module)


def with_torch_layers(module: _Module) -> _Module:
    """Returns a copy whose linear maps and activations are those of torch."""
    module = deepcopy(module)
    for part in module.modules():
        if isinstance(part, MotionLinear):
            part.__class__ = torch.nn.Linear
        elif isinstance(part, GELU):
            part.__class__ = torch.nn.GELU
    return module


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


def nchw_pointwise(weight: Tensor, bias: Tensor) -> Conv2d:
    """Returns a linear map [F, C] as a 1 x 1 convolution."""
    out = Conv2d(weight.size(1), weight.size(0), 1)
    out.load_state_dict({'weight': weight[..., None, None], 'bias': bias})
    return out


def nchw_linear(lin: Module) -> Conv2d:
    """Returns a linear layer or a pointwise convolution as a 1 x 1 convolution."""
    return nchw_pointwise(lin.weight.flatten(1), lin.bias)


def nchw_partition_linear(conv: SpatialConv) -> Conv2d:
    """Returns the linear maps of all partitions as one 1 x 1 convolution."""
    return nchw_pointwise(conv.weight.mT.flatten(0, 1), conv.bias.flatten())


def nchw_linear_parts(lin: Linear, num_parts: int) -> list[Conv2d]:
    """Splits the output channels of a linear layer into 1 x 1 convolutions."""
    return list(map(nchw_pointwise, lin.weight.chunk(num_parts), lin.bias.chunk(num_parts)))


def nchw_norm_parts(norm: Module, num_parts: int) -> ModuleList:
    """Splits the channels of a :class:`MotionBatchNorm` into normalisations of images."""
    norm = norm.get_submodule('norm')
    weights, biases = norm.weight.chunk(num_parts), norm.bias.chunk(num_parts)
    out = ModuleList(BatchNorm2d(len(weight)) for weight in weights)
    for part, weight, bias in zip(out, weights, biases):
        part.load_state_dict({'weight': weight, 'bias': bias}, strict=False)
    return out
