"""Models in plain torch on images [B, C, T, V], with the same weights as the library's models."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor
from torch.nn import (
    GELU,
    BatchNorm1d,
    BatchNorm2d,
    Conv2d,
    Dropout,
    Module,
    Parameter,
    ReflectionPad2d,
    ReLU,
    Sequential,
)
from torch.nn.functional import avg_pool2d, normalize, softmax

from benchmarks.nchw import nchw_linear, nchw_partition_linear, nchw_temporal_conv, to_nchw
from graphmotion.models.gaitformer import GaitFormer
from graphmotion.models.gaitmixer import AttentionBlock, GaitMixer, TemporalMixerBlock
from graphmotion.models.st_gcn import STGCN, SpatioTemporalBlock
from graphmotion.nn import MotionBatchNorm


class NCHWModel(Module):
    """A model that takes images [B, C, T, V]."""

    num_joints: int

    def convert(self, x: Tensor, *_: Tensor) -> list[Tensor]:
        """Converts the inputs of the library's model."""
        return [to_nchw(x, self.num_joints)]


class PlainSTGCN(NCHWModel):
    """ST-GCN as in typical skeleton code."""

    def __init__(self, model: STGCN) -> None:
        super().__init__()
        self.num_joints = model.skeleton.num_joints
        self.input_norm = copy_norm(model.input_norm, BatchNorm1d)
        self.layers = Sequential(*map(PlainSTGCNBlock, model.layers))
        self.fc = nchw_linear(model.lin)

    def forward(self, x: Tensor) -> Tensor:
        """Maps images to logits [B, num_classes]."""
        size, channels, frames, joints = x.shape
        x = x.permute(0, 3, 1, 2).contiguous().view(size, joints * channels, frames)
        x = self.input_norm(x).view(size, joints, channels, frames)
        x = x.permute(0, 2, 3, 1).contiguous()
        x = self.layers(x)
        x = avg_pool2d(x, x.shape[2:])
        return self.fc(x).flatten(1)


class PlainSTGCNBlock(Module):
    """A 1 x 1 convolution, an einsum with the adjacency, and a temporal convolution."""

    def __init__(self, block: SpatioTemporalBlock) -> None:
        super().__init__()
        self.register_buffer('adj', block.adj)
        self.edge_importance = Parameter(block.spatial.edge_importance.detach().clone())
        self.gcn = nchw_partition_linear(block.spatial)
        self.tcn = Sequential(
            copy_norm(block.spatial_norm, BatchNorm2d),
            ReLU(),
            nchw_temporal_conv(block.temporal),
            copy_norm(block.temporal_norm, BatchNorm2d),
            Dropout(block.dropout.p),
        )
        self.shortcut = None if block.shortcut is None else Sequential()
        if block.shortcut:  # neither missing nor the identity
            conv, norm = block.shortcut
            self.shortcut = Sequential(nchw_temporal_conv(conv), copy_norm(norm, BatchNorm2d))

    def forward(self, x: Tensor) -> Tensor:
        """Maps images to images."""
        out = self.gcn(x).unflatten(1, (len(self.adj), -1))
        out = torch.einsum('nkctv,kwv->nctw', out, self.adj * self.edge_importance).contiguous()
        out = self.tcn(out)
        if self.shortcut is not None:
            out = out + self.shortcut(x)
        return out.relu()


class PlainGaitMixer(NCHWModel):
    """GaitMixer as a straightforward implementation would have it.

    Attention runs on sequences of joints, and depthwise and pointwise convolutions run on images.
    """

    def __init__(self, model: GaitMixer) -> None:
        super().__init__()
        model = deepcopy(model)
        self.num_joints = model.skeleton.num_joints
        self.lin, self.position = model.spatial.lin, model.spatial.position
        self.blocks = Sequential(*map(PlainAttentionBlock, model.spatial.blocks))
        self.spatial_norm = model.spatial.norm
        self.layers = Sequential(*map(PlainTemporalBlock, model.temporal))
        self.norm, self.fc = model.norm, model.lin

    def forward(self, x: Tensor) -> Tensor:
        """Maps images to embeddings [B, D]."""
        size, channels, frames, joints = x.shape
        x = x.permute(0, 2, 3, 1).reshape(size * frames, joints, channels)
        x = self.spatial_norm(self.blocks(self.lin(x) + self.position))
        x = x.view(size, frames, joints, -1).permute(0, 3, 1, 2).contiguous()
        x = self.layers(x)
        x = avg_pool2d(x, x.shape[2:]).flatten(1)
        return normalize(self.fc(self.norm(x)), dim=-1)


class PlainGaitFormer(NCHWModel):
    """GaitFormer with the same blocks for joints and frames, on the sequences of all samples."""

    def __init__(self, model: GaitFormer) -> None:
        super().__init__()
        model = deepcopy(model)
        self.num_joints = model.skeleton.num_joints
        self.lin, self.joint_position = model.spatial.lin, model.spatial.position
        self.joint_blocks = Sequential(*map(PlainAttentionBlock, model.spatial.blocks))
        self.joint_norm = model.spatial.norm
        self.token, self.position = model.token, model.position
        self.blocks = Sequential(*map(PlainAttentionBlock, model.blocks))
        self.temporal_norm, self.norm, self.fc = model.temporal_norm, model.norm, model.lin

    def forward(self, x: Tensor) -> Tensor:
        """Maps images to embeddings [B, D]."""
        size, channels, frames, joints = x.shape
        x = x.permute(0, 2, 3, 1).reshape(size * frames, joints, channels)
        x = self.joint_norm(self.joint_blocks(self.lin(x) + self.joint_position))
        x = x.view(size, frames, joints, -1).transpose(1, 2).reshape(size * joints, frames, -1)
        x = torch.cat([self.token.expand(len(x), 1, -1), x], dim=1)
        x = self.blocks(x + self.position[: 1 + frames])
        x = self.temporal_norm(x)[:, 0].reshape(size, -1)
        return normalize(self.fc(self.norm(x)), dim=-1)


class PlainAttentionBlock(Module):
    """Self-attention over joints or frames, with an explicit softmax for all heads."""

    def __init__(self, block: AttentionBlock) -> None:
        super().__init__()
        self.heads = block.attention.heads
        self.norms = Sequential(block.attention_norm, block.mlp_norm)
        self.qkv, self.proj, self.mlp = block.attention.qkv, block.attention.proj, block.mlp

    def forward(self, x: Tensor) -> Tensor:
        """Maps sequences [N, V, C] to the same shape."""
        size, joints, channels = x.shape
        qkv = self.qkv(self.norms[0](x)).reshape(size, joints, 3, self.heads, -1)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        weights = softmax(query @ key.transpose(-2, -1) * query.size(-1) ** -0.5, dim=-1)
        x = x + self.proj((weights @ value).transpose(1, 2).reshape(size, joints, channels))
        return x + self.mlp(self.norms[1](x))


class PlainTemporalBlock(Module):
    """Reflection padding, a depthwise convolution over frames, and a pointwise convolution."""

    def __init__(self, block: TemporalMixerBlock) -> None:
        super().__init__()
        depthwise = block.conv.depthwise
        (begin, end), channels = depthwise.ends, depthwise.channels
        conv = Conv2d(channels, channels, (block.conv.kernel_size, 1), groups=channels)
        weight = depthwise.weight.unsqueeze(3)
        conv.load_state_dict({'weight': weight, 'bias': depthwise.bias})
        self.layers = Sequential(
            Dropout(block.dropout.p),
            ReflectionPad2d((0, 0, begin, end)),
            conv,
            nchw_linear(block.conv.pointwise),
            GELU(),
            copy_norm(block.norm, BatchNorm2d),
        )
        self.shortcut = Sequential()
        if block.shortcut:  # not the identity
            lin, _, norm = block.shortcut
            self.shortcut = Sequential(nchw_linear(lin), GELU(), copy_norm(norm, BatchNorm2d))

    def forward(self, x: Tensor) -> Tensor:
        """Maps images to images."""
        return self.layers(x) + self.shortcut(x)


def copy_norm(norm: MotionBatchNorm, norm_class: type) -> Module:
    """Returns a batch normalisation of images with the same weights and statistics."""
    out = norm_class(norm.norm.num_features, norm.norm.eps)
    out.load_state_dict(norm.norm.state_dict())
    return out


# By the name of the model.
ALTERNATIVES: dict[str, Callable[[Any], NCHWModel]] = {
    'gaitformer': PlainGaitFormer,
    'gaitmixer': PlainGaitMixer,
    'st_gcn': PlainSTGCN,
}
