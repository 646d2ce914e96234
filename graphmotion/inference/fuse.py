"""Copies of networks that are faster in inference."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

import torch
from torch import Tensor
from torch.nn import BatchNorm1d, Identity, Linear, Module, Parameter
from torch.nn.functional import leaky_relu_, max_pool2d

from graphmotion.models.fg_stformer import SpatialTransformerBlock
from graphmotion.models.gaitmixer import TemporalMixerBlock
from graphmotion.models.msa_gcn import SelectiveBlock
from graphmotion.models.residual_gcn import ResidualBlock
from graphmotion.models.spagnn import SPAGNN
from graphmotion.models.spegnn import SPEGNN
from graphmotion.models.st_gcn import SpatioTemporalBlock
from graphmotion.nn import (
    AdaptiveSpatialConv,
    ChannelTopologyConv,
    ConvValueTemporalAttention,
    LocallyConnectedConv,
    MotionBatchNorm,
    MultiScaleTemporalConv,
    SelectiveTemporalConv,
    SpatialConv,
    TemporalConv,
)
from graphmotion.nn.conv.aggregate_partitions import aggregate_nodes, can_aggregate
from graphmotion.nn.eager import is_eager_cpu
from graphmotion.nn.frame_sequential import FrameSequential
from graphmotion.nn.frames import frame_mean, stride_mask, zero_padding
from graphmotion.nn.graphs import accumulate, check_channels, split_graphs
from graphmotion.nn.kernels import graph as kernels
from graphmotion.nn.linear import linear, prefers_convolutions
from graphmotion.nn.temporal.convolve_frames import convolve_frames

M = TypeVar('M', bound=Module)


def fuse_for_inference(model: M) -> M:
    r"""Returns a copy of a model that is faster in inference and gives the same results, except
    for rounding.

    Batch normalisations are folded into the weights of the layers before them: with the running
    mean :math:`\mu` and variance :math:`\sigma^2`,

    .. math::
        \gamma \, \frac{\mathbf{W} \mathbf{x} + \mathbf{b} - \mu}{\sqrt{\sigma^2 + \epsilon}}
        + \beta = (\mathbf{s} \odot \mathbf{W}) \, \mathbf{x} + \mathbf{s} \odot (\mathbf{b} - \mu)
        + \beta, \qquad \mathbf{s} = \gamma / \sqrt{\sigma^2 + \epsilon}

    Normalisations of the input, and those after an activation, remain affine maps. Blocks add
    shortcuts and apply activations in place, and graph convolutions multiply their adjacency by
    the edge importance only once.

    .. code-block:: python

        model = st_gcn('coco17', num_classes=5, in_channels=2)
        fused = fuse_for_inference(model)
        logits = fused(torch.randn(17, 64, 2))

    Args:
        model (torch.nn.Module): A model of this library, or one with its layers. Other modules are
            copied as they are.

    Returns:
        torch.nn.Module: The copy, in evaluation mode and without gradients of the weights. Later
        changes of the weights of :obj:`model` have no effect on it.
    """
    out = copy.deepcopy(model).requires_grad_(False)
    for module in list(out.modules()):
        fuse = _FUSIONS.get(type(module))  # subclasses may do something else
        if fuse is not None:
            fuse(module)
    return out.eval()  # new modules too


# Folding ######################################################################


def _affine(norm: Module) -> tuple[Tensor, Tensor]:
    """Returns the scale and the shift of a batch normalisation in evaluation mode."""
    part = norm.norm if isinstance(norm, MotionBatchNorm) else norm
    assert isinstance(part, BatchNorm1d)
    assert part.running_mean is not None
    assert part.running_var is not None
    scale = part.weight.double() / (part.running_var.double() + part.eps).sqrt()
    return scale, part.bias.double() - part.running_mean.double() * scale


def _fold(layer: Module, scale: Tensor, shift: Tensor) -> None:
    """Scales and shifts the output channels of a layer by its weights."""
    if isinstance(layer, AdaptiveSpatialConv):
        _scale(layer.conv.weight, scale)
        total = layer.bias.double().sum(dim=0) * scale + shift
        layer.bias.zero_()[0] = total.to(layer.bias)
        return
    layer = layer.conv if isinstance(layer, TemporalConv) else layer
    if isinstance(layer, (Linear, torch.nn.Conv2d)):
        _scale(layer.weight, scale.view(-1, *[1] * (layer.weight.dim() - 1)))
    else:  # output channels are last
        _scale(cast(Tensor, layer.weight), scale)
    bias = cast('Tensor | None', layer.bias)
    total = shift if bias is None else bias.double() * scale + shift
    layer.bias = Parameter(total.to(cast(Tensor, layer.weight)), requires_grad=False)


def _scale(weight: Tensor, scale: Tensor) -> None:
    weight.copy_(weight.double() * scale)


class _SharedSpatialConv(Module):
    """A graph convolution over one dense adjacency, with a constant for each node."""

    adj: Tensor
    weight: Tensor
    constant: Tensor

    def __init__(self, conv: SpatialConv, adj: Tensor, norm: Module) -> None:
        super().__init__()
        scale, shift = _affine(norm)
        adj = cast(Tensor, conv._partitions(adj, adj.size(-1)))
        constant = shift.expand(adj.size(-1), -1)
        if conv.bias is not None:  # part of the messages along the edges
            constant = constant + adj.double().sum(dim=2).t() @ (conv.bias.double() * scale)
        self.in_channels, self.out_channels = conv.in_channels, conv.out_channels
        self.register_buffer('adj', adj)
        self.register_buffer('weight', (conv.weight.double() * scale).to(conv.weight))
        self.register_buffer('constant', constant.to(conv.weight).unsqueeze(1))

    def forward(self, x: Tensor, adj: Tensor) -> Tensor:
        """Convolves ``x``; the adjacency is the one that the layer was made with."""
        check_channels(x, self.in_channels)
        faster = prefers_convolutions(x) or kernels.supports(x, self.adj, self.weight)
        if faster and can_aggregate(x, self.adj, self.weight):
            return aggregate_nodes(x, self.adj, self.weight, self.constant.squeeze(1))
        out: Tensor | None = None
        for part, weight in zip(self.adj, self.weight):
            if self.in_channels <= self.out_channels:
                rows = accumulate(x, part.to(x.dtype)).view(-1, self.in_channels)
                if out is None:
                    out = linear(rows, weight.t())
                else:  # autocast does not apply to in-place operations
                    out.addmm_(rows.to(out.dtype), weight.to(out.dtype))
            else:
                product = linear(x, weight.t())
                out = accumulate(product, part.to(product.dtype), out)
        assert out is not None
        graphs = split_graphs(out.view(*x.shape[:-1], self.out_channels), self.adj.size(-1))
        return graphs.add_(self.constant.to(out.dtype)).flatten(0, 1)


class _ChannelTopologyConv(ChannelTopologyConv):
    """Adds a constant to each channel, and computes the parts of the topologies that do not depend
    on the sample once.
    """

    shift: Tensor
    refinement_weight: Tensor
    refinement_bias: Tensor

    def _refinement(self, k: int) -> tuple[Tensor, Tensor]:
        return self.refinement_weight[k], self.refinement_bias[k]

    def _accumulate(self, topology: Tensor, message: Tensor, out: Tensor | None) -> Tensor:
        if out is not None:
            return super()._accumulate(topology, message, out)
        shift = self.shift.to(message.dtype).repeat(len(message) // len(self.shift))
        return torch.baddbmm(shift.view(-1, 1, 1), topology, message)


class _LocallyConnectedConv(LocallyConnectedConv):
    """Arranges the weights once and has a neighbour in each slot, some with a weight of zero."""

    slot_weight: Tensor
    has_free_slots = False

    def _weight_of_slots(self) -> Tensor:
        return self.slot_weight


# Blocks that overwrite their intermediate results #############################


class _SpatioTemporalBlock(SpatioTemporalBlock):
    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        out = self.temporal(self.spatial(x, self.adj).relu_(), mask)
        if self.shortcut is not None:
            out += self.shortcut(x, mask)
        return out.relu_()


class _SelectiveBlock(SelectiveBlock):
    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        out = self.spatial(x, self.adj).relu_()
        if self.temporal is not None:
            out = self.temporal(out, num_nodes=self.adj.size(-1), mask=mask)
            out += self.shortcut(x, mask)
        else:  # the gradient of a ReLU needs its output
            out = out[:, :: self.stride] + self.shortcut(x, mask)
        return out.relu_() if self.final_relu else out


class _SelectiveTemporalConv(SelectiveTemporalConv):
    """Convolves each large graph by the sum of its weighted kernels instead of by all of them."""

    def forward(
        self,
        x: Tensor,
        num_nodes: int | None = None,
        batch: Tensor | None = None,
        batch_size: int | None = None,
        mask: Tensor | None = None,
    ) -> Tensor:
        if batch is not None or num_nodes is None or not self._is_large(x, num_nodes):
            return super().forward(x, num_nodes, batch, batch_size, mask)
        x = zero_padding(x, mask)
        graphs = split_graphs(x, num_nodes)
        # The mean of the convolved nodes, on which the weights depend, is the convolved mean.
        mean = graphs.mean(dim=1)
        means = [conv(mean) for conv in self.convs]
        mask = None if mask is None else stride_mask(mask[::num_nodes], self.stride)
        weights = self.attention(means, 1, mask=mask)
        biases = torch.stack([cast(Tensor, conv.conv.bias) for conv in self._temporal_convs()])
        biases = (weights * biases.unsqueeze(1)).sum(dim=0)
        out = x.new_empty(graphs.size(0), num_nodes, means[0].size(1), self.out_channels)
        for i, graph in enumerate(graphs):
            out[i] = convolve_frames(graph, self._kernel(weights[:, i]), biases[i], self.stride)
        return out.flatten(0, 1)

    def _is_large(self, x: Tensor, num_nodes: int) -> bool:
        """Returns whether one convolution saves more time than the sum of the kernels takes."""
        return (
            len(self.convs) > 1
            and self.in_channels >= 128
            and num_nodes * x.size(1) >= 512 * self.stride
            and is_eager_cpu(x)
        )

    def _temporal_convs(self) -> list[TemporalConv]:
        return cast('list[TemporalConv]', list(self.convs))

    def _kernel(self, weights: Tensor) -> Tensor:
        """Returns the sum of the kernels, weighted by [M, F], as the weight of a convolution."""
        size = max(self.kernel_sizes)
        out = weights.new_zeros(self.out_channels, size, self.in_channels)
        for conv, weight in zip(self._temporal_convs(), weights):
            part = out.narrow(1, (size - conv.kernel_size) // 2, conv.kernel_size)
            part.addcmul_(conv.conv.weight.squeeze(2).mT, weight.view(-1, 1, 1))
        return out.unsqueeze(1).permute(0, 3, 1, 2)

    def _combine(self, branches: Sequence[Tensor], weights: Sequence[Tensor]) -> Tensor:
        out, *others = branches
        first, *rest = weights
        out *= first
        for branch, weight in zip(others, rest):
            out.addcmul_(branch, weight.to(out.dtype))
        return out


class _ResidualBlock(ResidualBlock):
    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        out = self.spatial_norm(self.spatial(x, mask), mask)
        out += self.spatial_shortcut(x, mask)
        out = self.temporal(out.relu_(), mask)
        if self.shortcut is not None:
            out += self.shortcut(x, mask)
        return out.relu_()


class _MultiScaleTemporalConv(MultiScaleTemporalConv):
    scale: Tensor
    shift: Tensor

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        reduced = zero_padding(self.reduce(x).relu_(), mask)
        *convolved, pooled = reduced.split(self.branch_channels, -1)
        outs = [conv(part) for conv, part in zip(self.convs, convolved)]
        image = pooled.unsqueeze(1).permute(0, 3, 1, 2)
        image = max_pool2d(image, (1, 3), (1, self.stride), (0, 1))
        pooled = image.permute(0, 2, 3, 1).squeeze(1)
        outs += [torch.addcmul(self.shift, pooled, self.scale), self.point(x)]
        return torch.cat(outs, dim=-1)


class _SpatialTransformerBlock(SpatialTransformerBlock):
    def _add(self, out: Tensor, shortcut: Tensor) -> Tensor:
        out += shortcut
        return leaky_relu_(out, self.activation.negative_slope)


class _TemporalMixerBlock(TemporalMixerBlock):
    scale: Tensor
    shift: Tensor
    shortcut_scale: Tensor

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return self._add(self.activation(self.conv(x, mask)), self.shortcut(x, mask))

    def frame_mean(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        branches = self.activation(self.conv(x, mask)), self.shortcut(x, mask)
        if branches[0].dtype in (torch.float16, torch.bfloat16):  # see MotionBatchNorm.frame_mean
            return frame_mean(self._add(*branches), mask)
        return self._add(*(frame_mean(branch, mask) for branch in branches))

    def _add(self, out: Tensor, shortcut: Tensor) -> Tensor:
        out = out.mul_(self.scale).add_(self.shift)
        if len(self.shortcut) == 0:
            return out.add_(shortcut)
        return out.addcmul_(shortcut, self.shortcut_scale)


# What is done with each module ################################################


def _fuse_sequential(module: FrameSequential) -> None:
    """Folds each normalisation that follows a linear map or a convolution."""
    kept: list[Module] = []
    for part in module:
        if isinstance(part, MotionBatchNorm) and kept and _is_linear(kept[-1]):
            _fold(kept[-1], *_affine(part))
        else:
            kept.append(part)
    del module[:]
    module.extend(kept)


def _is_linear(module: Module) -> bool:
    return isinstance(module, (Linear, TemporalConv))


def _fuse_spatio_temporal(block: SpatioTemporalBlock) -> None:
    block.spatial = cast(Any, _SharedSpatialConv(block.spatial, block.adj, block.spatial_norm))
    _fold(block.temporal, *_affine(block.temporal_norm))
    block.spatial_norm = block.temporal_norm = cast(Any, FrameSequential())
    block.__class__ = _SpatioTemporalBlock


def _fuse_selective(block: SelectiveBlock) -> None:
    block.spatial = cast(Any, _SharedSpatialConv(block.spatial, block.adj, block.norm))
    block.norm = cast(Any, FrameSequential())
    block.__class__ = _SelectiveBlock


def _fuse_selective_temporal(conv: SelectiveTemporalConv) -> None:
    if len(conv.kernel_sizes) > 1:
        _fold(conv.squeeze, *_affine(conv.norm))
        conv.norm = cast(Any, Identity())
    conv.__class__ = _SelectiveTemporalConv


def _fuse_residual(block: ResidualBlock) -> None:
    scale, shift = _affine(block.spatial_norm)
    if isinstance(block.spatial, ChannelTopologyConv):
        _fuse_channel_topology(block.spatial, scale, shift)
    elif isinstance(block.spatial, AdaptiveSpatialConv):
        _fold(block.spatial, scale, shift)
    else:
        return
    block.spatial_norm = cast(Any, FrameSequential())
    block.__class__ = _ResidualBlock


def _fuse_channel_topology(conv: ChannelTopologyConv, scale: Tensor, shift: Tensor) -> None:
    _scale(conv.weight, scale.view(1, -1, 1))
    _scale(conv.bias, scale)
    conv.register_buffer('shift', shift.to(conv.weight))
    if conv.refine:
        weights, biases = zip(*(conv._refinement(k) for k in range(conv.adj.size(0))))
        conv.register_buffer('refinement_weight', torch.stack(weights))
        conv.register_buffer('refinement_bias', torch.stack(biases))
    conv.__class__ = _ChannelTopologyConv


def _fuse_locally_connected(conv: LocallyConnectedConv) -> None:
    if conv.shared or conv.has_many_free_slots:
        return
    conv.register_buffer('slot_weight', conv._weight_of_slots())
    conv.neighbors = conv.neighbors % conv.num_nodes
    conv.__class__ = _LocallyConnectedConv


def _fuse_multi_scale(conv: MultiScaleTemporalConv) -> None:
    _fold(conv.reduce, *_affine(conv.reduce_norm))
    scales, shifts = (part.split(conv.branch_channels) for part in _affine(conv.norm))
    branches = [*conv.convs, None, conv.point]
    for layer, scale, shift in zip(branches, scales, shifts):
        if layer is not None:
            _fold(layer, scale, shift)
        else:  # the maximum, which a negative scale would turn into a minimum
            conv.register_buffer('scale', scale.to(conv.reduce.weight))
            conv.register_buffer('shift', shift.to(conv.reduce.weight))
    conv.reduce_norm = conv.norm = cast(Any, FrameSequential())
    conv.__class__ = _MultiScaleTemporalConv


def _fuse_transformer(block: SpatialTransformerBlock) -> None:
    _fold(block.attention.proj, *_affine(block.norm))
    block.norm = cast(Any, FrameSequential())
    block.__class__ = _SpatialTransformerBlock


def _fuse_temporal_attention(module: ConvValueTemporalAttention) -> None:
    if isinstance(module.norm, MotionBatchNorm):  # not fused before
        _fold(module.out, *_affine(module.norm))
        module.norm = cast(Any, FrameSequential())


def _fuse_mixer(block: TemporalMixerBlock) -> None:
    scale, shift = _affine(block.norm)
    weight = block.norm.norm.weight
    if len(block.shortcut):
        shortcut_scale, shortcut_shift = _affine(block.shortcut[-1])
        block.register_buffer('shortcut_scale', shortcut_scale.to(weight))
        shift = shift + shortcut_shift
        del block.shortcut[-1]
    block.register_buffer('scale', scale.to(weight))
    block.register_buffer('shift', shift.to(weight))
    block.norm = cast(Any, FrameSequential())
    block.__class__ = _TemporalMixerBlock


def _fuse_face_network(model: SPAGNN | SPEGNN) -> None:
    for i, (conv, norm) in enumerate(zip(model.convs, model.norms)):
        if isinstance(norm, MotionBatchNorm) and not getattr(model, 'directional', False):
            _fold(conv, *_affine(norm))
            model.norms[i] = Identity()
        if isinstance(conv, LocallyConnectedConv):
            _fuse_locally_connected(conv)


_FUSIONS: dict[type[Module], Callable[[Any], None]] = {
    FrameSequential: _fuse_sequential,
    SpatioTemporalBlock: _fuse_spatio_temporal,
    SelectiveBlock: _fuse_selective,
    SelectiveTemporalConv: _fuse_selective_temporal,
    ResidualBlock: _fuse_residual,
    MultiScaleTemporalConv: _fuse_multi_scale,
    SpatialTransformerBlock: _fuse_transformer,
    ConvValueTemporalAttention: _fuse_temporal_attention,
    TemporalMixerBlock: _fuse_mixer,
    LocallyConnectedConv: _fuse_locally_connected,
    SPAGNN: _fuse_face_network,
    SPEGNN: _fuse_face_network,
}
