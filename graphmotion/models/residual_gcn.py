"""Base class of the residual graph convolutional networks AGCN and CTR-GCN."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import cast

import torch
from torch import Tensor
from torch.nn import Module
from torch.nn.init import constant_, kaiming_normal_, normal_, zeros_

from graphmotion.config import Configurable
from graphmotion.models.published_weights import LoadsPublishedWeights
from graphmotion.nn import MotionBatchNorm, TemporalConv
from graphmotion.nn.dropout import Dropout
from graphmotion.nn.frame_sequential import FrameSequential
from graphmotion.nn.frames import mask_padding, stride_mask
from graphmotion.nn.graphs import check_graph_sizes, graph_mean
from graphmotion.nn.linear import Linear
from graphmotion.nn.resettable import ResettableModule
from graphmotion.nn.sample_blocks import apply_to_samples
from graphmotion.nn.shortcut import make_shortcut
from graphmotion.nn.sliding import SlidingFrames
from graphmotion.skeletons import Skeleton

# Output size of each layer of 2s-AGCN and CTR-GCN.
CHANNELS = (64, 64, 64, 64, 128, 128, 128, 256, 256, 256)


class ResidualBlock(ResettableModule):
    r"""One layer of :class:`ResidualGCN`.

    .. math::
        \mathbf{H} &= \mathrm{ReLU}(\mathrm{BN}(\mathrm{GCN}(\mathbf{X})) +
        \mathrm{shortcut}(\mathbf{X})) \\
        \mathbf{X}^{\prime} &= \mathrm{ReLU}(\mathrm{TCN}(\mathbf{H}) +
        \mathrm{shortcut}(\mathbf{X}))

    Args:
        in_channels (int): Size of each input feature.
        out_channels (int): Size of each output feature.
        spatial (Module): Graph convolution, called with features and a mask. Its attribute
            :obj:`per_frame` states whether frames are independent.
        temporal (Module): Temporal convolution with normalisation, called with features and a
            mask. Its attribute :obj:`reach` is the number of frames before and after a frame on
            which its result depends.
        stride (int, optional): Stride of the temporal convolution. (default: :obj:`1`)
        shortcut (bool, optional): If set to :obj:`False`, there is no shortcut around the layer.
            (default: :obj:`True`)

    Shapes:
        - **x:** node features :math:`(B \cdot V, T, F_{in})`
        - **mask:** boolean :math:`(B \cdot V, T)`, :obj:`False` for padded frames
        - **output:** node features :math:`(B \cdot V, \lceil T / s \rceil, F_{out})`
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        spatial: Module,
        temporal: Module,
        stride: int = 1,
        shortcut: bool = True,
    ) -> None:
        super().__init__()
        self.stride = stride
        self.spatial = spatial
        self.spatial_norm = MotionBatchNorm(out_channels)
        self.spatial_shortcut = make_shortcut(in_channels, out_channels, 1)
        self.temporal = temporal
        self.shortcut = make_shortcut(in_channels, out_channels, stride) if shortcut else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        r"""Resets all learnable parameters of the module.

        As in the published code, the graph convolution is initially scaled by 1e-6, so that the
        shortcuts dominate.
        """
        super().reset_parameters()
        for part in self.children():
            if isinstance(part, FrameSequential) and len(part):  # a convolution and its norm
                conv = cast(TemporalConv, part[0]).conv
                kaiming_normal_(conv.weight, mode='fan_out')
                if conv.bias is not None:
                    zeros_(conv.bias)
        constant_(self.spatial_norm.norm.weight, 1e-6)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Applies the layer."""
        out = self.spatial_norm(self.spatial(x, mask), mask)
        out = self.temporal((out + self.spatial_shortcut(x, mask)).relu(), mask)
        if self.shortcut is not None:
            out = out + self.shortcut(x, mask)
        return out.relu()

    def forward_sliding(self, x: SlidingFrames) -> SlidingFrames:
        """Applies the layer to a window that slides over a sequence."""
        if not self.spatial.per_frame:
            return x.map(self, reach=None, stride=self.stride)

        def convolve_joints(x: Tensor) -> Tensor:
            return (self.spatial_norm(self.spatial(x)) + self.spatial_shortcut(x)).relu()

        def convolve_frames(out: Tensor, x: Tensor) -> Tensor:
            out = self.temporal(out)
            return (out if self.shortcut is None else out + self.shortcut(x)).relu()

        reach = cast(int, self.temporal.reach)
        return x.map(convolve_joints).map(convolve_frames, x, reach=reach, stride=self.stride)


class ResidualGCN(Configurable, LoadsPublishedWeights, ResettableModule):
    r"""Base class of :class:`AGCN` and :class:`CTRGCN`: layers of :class:`ResidualBlock`, the mean
    over joints, frames and people, and a linear classifier.

    Args:
        skeleton (Skeleton): A skeleton.
        num_classes (int): Number of classes.
        in_channels (int): Size of each input feature.
        channels (sequence of int): Output size of each layer. Except for the first layer, the
            temporal stride is 2 where the size grows.
        make_spatial (callable): Returns the graph convolution of a layer, given its input and
            output channels and its index.
        make_temporal (callable): Returns the temporal convolution of a layer, given its channels
            and its stride.
        dropout (float): Dropout probability before the classifier.
        num_people (int): Number of skeletons in a sample.
    """

    inputs = ('x', 'batch')
    optional_inputs = ('num_frames',)

    def __init__(
        self,
        skeleton: Skeleton,
        num_classes: int,
        in_channels: int,
        channels: Sequence[int],
        make_spatial: Callable[[int, int, int], Module],
        make_temporal: Callable[[int, int], Module],
        dropout: float,
        num_people: int,
    ) -> None:
        super().__init__()
        self.skeleton = skeleton
        self.num_classes = num_classes
        self.in_channels = in_channels
        self.num_people = num_people
        self.input_norm = MotionBatchNorm(in_channels, num_people * skeleton.num_joints)
        layers = []
        before, self._width = in_channels, channels[0]
        for i, after in enumerate(channels):
            stride = 2 if i > 0 and after > before else 1
            spatial, temporal = make_spatial(before, after, i), make_temporal(after, stride)
            layers.append(ResidualBlock(before, after, spatial, temporal, stride, shortcut=i > 0))
            before = after
        self.layers = torch.nn.ModuleList(layers)
        self.dropout = Dropout(dropout)
        self.lin = Linear(before, num_classes)
        self._reset_classifier()

    def reset_parameters(self) -> None:
        r"""Resets all learnable parameters of the module."""
        super().reset_parameters()
        self._reset_classifier()

    def _reset_classifier(self) -> None:
        normal_(self.lin.weight, std=math.sqrt(2 / self.num_classes))

    @property
    def head(self) -> Module:
        r"""The layers that map pooled features to logits."""
        return self.lin

    def forward(
        self, x: Tensor, batch: Tensor | None = None, num_frames: Tensor | None = None
    ) -> Tensor:
        """Returns the logits of each sample; ``batch`` only validates the number of people."""
        check_graph_sizes(x, batch, self.skeleton.num_joints, self.num_people)
        num_nodes = self.num_people * self.skeleton.num_joints
        x, mask = mask_padding(x, num_frames, num_nodes)
        return apply_to_samples(self, self._classify, x, mask, num_nodes, self._width)

    def _classify(self, x: Tensor, mask: Tensor | None) -> Tensor:
        num_nodes = self.num_people * self.skeleton.num_joints
        x = self.input_norm(x, mask)
        for layer in self.layers:
            x = layer(x, mask)
            mask = stride_mask(mask, cast(ResidualBlock, layer).stride)
        return self.lin(self.dropout(graph_mean(x, num_nodes, mask=mask)))

    def forward_sliding(self, x: SlidingFrames) -> Tensor:
        """Returns the logits of a window that slides over a sequence."""
        x = x.map(self.input_norm)
        for layer in self.layers:
            x = cast(ResidualBlock, layer).forward_sliding(x)
        return self.lin(graph_mean(x.features, self.num_people * self.skeleton.num_joints))

    def convert_reference_state_dict(
        self, state_dict: Mapping[str, Tensor], strict: bool = True
    ) -> dict[str, Tensor]:
        r"""Returns the weights of a published checkpoint, with names such as
        :obj:`l1.gcn1.bn.weight`, with the names and shapes of this model.
        """
        theirs = {name.removeprefix('module.'): value for name, value in state_dict.items()}
        loaded = {}
        for key, ours in self.state_dict().items():
            names = list(self._reference_names(key))
            missing = sorted(set(names) - set(theirs))
            if missing:
                if strict:
                    raise ValueError(f'the checkpoint lacks {missing}')
                continue
            parts = [self._convert(key, theirs.pop(name)) for name in names]
            value = parts[0] if ours.dim() == 0 else torch.cat(parts)
            same = value.numel() == ours.numel()
            if strict and not same:
                shapes = [list(part.shape) for part in parts]
                raise ValueError(
                    f'the checkpoint holds {names} of shapes {shapes}, expected '
                    f'{list(ours.shape)} together'
                )
            loaded[key] = value.reshape(ours.shape) if same else value
        if theirs and strict:
            raise ValueError(f'the checkpoint holds {sorted(theirs)}, which this model lacks')
        return loaded | theirs

    def _reference_names(self, key: str) -> Iterator[str]:
        """Yields the names of the published weights that are concatenated to one weight."""
        first, _, rest = key.partition('.')
        if first != 'layers':
            yield key.replace('input_norm.norm', 'data_bn').replace('lin', 'fc')
            return
        layer, _, rest = rest.partition('.')
        module, _, leaf = rest.rpartition('.')
        for name in self._reference_modules(module, leaf):
            yield f'l{int(layer) + 1}.{name}'

    def _reference_modules(self, module: str, leaf: str) -> list[str]:
        """Returns the published names of a parameter in a layer."""
        names = {
            'spatial_norm.norm': 'gcn1.bn',
            'spatial_shortcut.0.conv': 'gcn1.down.0',
            'spatial_shortcut.1.norm': 'gcn1.down.1',
            'shortcut.0.conv': 'residual.conv',
            'shortcut.1.norm': 'residual.bn',
        }
        return [f'{names[module]}.{leaf}']

    def _convert(self, key: str, value: Tensor) -> Tensor:
        """Returns a published weight with the axes of this model."""
        return value
