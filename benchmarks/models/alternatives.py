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
    Conv1d,
    Conv2d,
    Dropout,
    LeakyReLU,
    Linear,
    MaxPool3d,
    Module,
    Parameter,
    ReflectionPad2d,
    ReLU,
    Sequential,
)
from torch.nn.functional import avg_pool2d, conv1d, normalize, relu, softmax

from benchmarks.nchw import (
    nchw_linear,
    nchw_partition_linear,
    nchw_temporal_conv,
    to_nchw,
    with_torch_layers,
)
from graphmotion.models.fg_stformer import FGSTFormer, SpatialTransformerBlock
from graphmotion.models.gaitformer import GaitFormer
from graphmotion.models.gaitmixer import AttentionBlock, GaitMixer, TemporalMixerBlock
from graphmotion.models.lmgcs import LMGCS
from graphmotion.models.st_gcn import STGCN, SpatioTemporalBlock
from graphmotion.nn import ConvValueTemporalAttention, MotionBatchNorm, MultiResolutionTemporalConv
from graphmotion.nn.encoding import sinusoidal_encoding
from graphmotion.nn.frame_sequential import FrameSequential


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
        model = with_torch_layers(model)
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
        model = with_torch_layers(model)
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


class PlainDSTANet(NCHWModel):
    """FG-STFormer with the options of DSTA-Net: without branches and attention over frames."""

    def __init__(self, model: FGSTFormer) -> None:
        super().__init__()
        assert model.focal is None
        assert model.parts is None
        self.num_joints = model.skeleton.num_joints
        spatial = [*model.spatial, *model.joint_spatial]
        temporal = [*model.temporal, *model.joint_temporal]
        self.input = nchw_sequential(model.input)
        self.layers = Sequential()
        for attention, convolution in zip(spatial, temporal):
            self.layers.append(PlainTanhAttentionBlock(attention))
            self.layers.append(PlainValueBlock(convolution))
        self.classifier = with_torch_layers(model.classifier)

    def forward(self, x: Tensor) -> Tensor:
        """Maps images to logits [B, num_classes]."""
        x = self.layers(self.input(x))
        return self.classifier(avg_pool2d(x, x.shape[2:]).flatten(1))


class PlainTanhAttentionBlock(Module):
    """Attention over joints with one map per clip, then a pointwise feed-forward layer."""

    position: Tensor

    def __init__(self, block: SpatialTransformerBlock) -> None:
        super().__init__()
        attention = block.attention
        assert attention.alpha is not None
        assert attention.global_map is not None
        self.heads, self.channels = attention.heads, attention.head_channels
        self.register_buffer('position', block.position0.t().unsqueeze(1))  # [C, 1, V]
        self.alpha = Parameter(attention.alpha.detach().clone())
        self.global_map = Parameter(attention.global_map.detach().clone())
        self.qk = nchw_linear(attention.qkv)
        self.out = Sequential(nchw_linear(attention.proj), copy_norm(block.norm, BatchNorm2d))
        self.shortcut = nchw_sequential(block.shortcut)
        self.feed_forward = nchw_sequential(block.feed_forward)
        self.feed_forward_shortcut = nchw_sequential(block.feed_forward_shortcut)
        self.activation = LeakyReLU(0.1)

    def forward(self, x: Tensor) -> Tensor:
        """Maps images to images."""
        size, _, frames, joints = x.shape
        qk = self.qk(x + self.position).view(size, 2 * self.heads, self.channels, frames, joints)
        query, key = qk.chunk(2, dim=1)
        scores = torch.einsum('nhctu,nhctv->nhuv', query, key) / (self.channels * frames)
        weights = self.alpha * scores.tanh() + self.global_map
        out = torch.einsum('nhuv,nctv->nhctu', weights, x).flatten(1, 2).contiguous()
        out = self.activation(self.out(out) + self.shortcut(x))
        return self.activation(self.feed_forward(out) + self.feed_forward_shortcut(x))


class PlainValueBlock(Module):
    """Convolutions over frames, and a pointwise convolution with a shortcut."""

    def __init__(self, block: ConvValueTemporalAttention) -> None:
        super().__init__()
        assert block.position
        assert not block.attention
        self.stride = block.stride
        self.values = Sequential(*map(nchw_temporal_conv, block.values))
        self.out = Sequential(
            nchw_linear(block.out), copy_norm(block.norm, BatchNorm2d), LeakyReLU(0.1)
        )
        self.shortcut = Sequential() if block.shortcut is None else nchw_sequential(block.shortcut)

    def forward(self, x: Tensor) -> Tensor:
        """Maps images to images."""
        x = x + sinusoidal_encoding(x.size(2), x.size(1), x.device, x.dtype).t().unsqueeze(2)
        out = self.out(torch.cat([value(x) for value in self.values], dim=1))
        return out + self.shortcut(x[:, :, :: self.stride])


class PlainLMGCS(Module):
    """LMGCS with 3D convolutions in the default memory format and PyTorch's transformer layers."""

    def __init__(self, model: LMGCS) -> None:
        super().__init__()
        assert model.temporal.decoder is not None
        assert model.global_lin is not None
        self.backbone = Sequential()
        for layer, conv in enumerate(model.backbone.convs, start=1):
            copied = deepcopy(conv).to(memory_format=torch.contiguous_format)
            self.backbone.extend([copied, LeakyReLU()])
            if layer in model.backbone.pools:
                self.backbone.append(MaxPool3d((1, 2, 2)))
        self.num_strips = model.num_strips
        self.local = PlainLocalBranches(model.temporal.local)
        self.decoder = with_torch_layers(model.temporal.decoder)
        self.weight = Parameter(model.global_lin.weight.detach().clone())

    def convert(self, x: Tensor, *_: Tensor) -> list[Tensor]:
        """Returns the silhouettes, which need no conversion."""
        return [x]

    def forward(self, x: Tensor) -> Tensor:
        """Maps silhouettes [B, T, H, W] to embeddings [B, D]."""
        size, frames = x.shape[:2]
        x = self.backbone(x.unsqueeze(1))
        x = x.view(*x.shape[:3], self.num_strips, -1)
        x = torch.cat([x.mean(dim=-1), x.amax(dim=-1)], dim=1)  # [B, C, T, P]
        x = x.permute(0, 3, 1, 2).reshape(size * self.num_strips, -1, frames)
        parts = []
        for branch in self.local(x):
            memory = branch.transpose(1, 2)
            query = memory.amax(dim=1, keepdim=True)
            for block in self.decoder.encoder:
                memory = block(memory)
            memory = self.decoder.encoder_norm(memory)
            for block in self.decoder.decoder:
                query = block(query, memory)
            parts.append(self.decoder.decoder_norm(query).view(size, self.num_strips, -1))
        out = torch.cat(parts, dim=0).permute(1, 0, 2)
        out = (out @ self.weight).permute(1, 0, 2)
        return out.unflatten(0, (-1, size)).transpose(0, 1).flatten(1)


class PlainLocalBranches(Module):
    """The local features of LMGCS as 1D convolutions, summed over the branches so far."""

    def __init__(self, module: MultiResolutionTemporalConv) -> None:
        super().__init__()
        assert module.share_weights
        self.window_sizes = module.window_sizes
        for name, layer in (('first', module.first[0].conv), ('second', module.second[0].conv)):
            conv = Conv1d(layer.in_channels, layer.out_channels, layer.kernel_size[1])
            weight = layer.weight.squeeze(2).contiguous()
            conv.load_state_dict({'weight': weight, 'bias': layer.bias})
            self.add_module(name, conv)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Maps [N, C, T] to one tensor for each branch."""
        outs: list[Tensor] = []
        for size in self.window_sizes:
            weight, dilation = self.first.weight, max(size // 2, 1)
            if size == 1:
                weight = weight.sum(dim=-1, keepdim=True)
            out = conv1d(x, weight, self.first.bias, padding=size // 2, dilation=dilation)
            out = relu(out)
            out = out + relu(self.second(out))
            outs.append(out + outs[-1] if outs else out)
        return outs


def nchw_sequential(module: FrameSequential) -> Sequential:
    """Returns linear maps, normalisations and activations for images."""
    out = Sequential()
    for part in module:
        if isinstance(part, MotionBatchNorm):
            out.append(copy_norm(part, BatchNorm2d))
        elif isinstance(part, Linear):
            out.append(nchw_linear(part))
        else:
            out.append(
                nchw_temporal_conv(part) if hasattr(part, 'conv') else with_torch_layers(part)
            )
    return out


def copy_norm(norm: MotionBatchNorm, norm_class: type) -> Module:
    """Returns a batch normalisation of images with the same weights and statistics."""
    out = norm_class(norm.norm.num_features, norm.norm.eps)
    out.load_state_dict(norm.norm.state_dict())
    return out


# By the name of the model.
ALTERNATIVES: dict[str, Callable[[Any], Any]] = {
    'dsta_net': PlainDSTANet,
    'gaitformer': PlainGaitFormer,
    'gaitmixer': PlainGaitMixer,
    'lmgcs': PlainLMGCS,
    'lmgcs_ou_mvlp': PlainLMGCS,
    'st_gcn': PlainSTGCN,
}
