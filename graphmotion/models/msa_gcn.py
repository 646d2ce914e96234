"""MSA-GCN, emotion recognition from gait on several scales of the skeleton."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, permutations
from typing import cast

import torch
from torch import Tensor
from torch.nn import Module, ModuleDict, ModuleList, Parameter

from graphmotion.checks import check_choice
from graphmotion.config import Configurable
from graphmotion.models.registry import register_model
from graphmotion.nn import (
    CrossScaleConv,
    MotionBatchNorm,
    PartPooling,
    ScaleFusion,
    SelectiveTemporalConv,
    SpatialConv,
)
from graphmotion.nn.dropout import Dropout
from graphmotion.nn.frame_sequential import FrameSequential
from graphmotion.nn.frames import mask_padding, repeat_mask, stride_mask
from graphmotion.nn.graphs import check_graph_sizes, graph_mean
from graphmotion.nn.linear import Linear
from graphmotion.nn.resettable import ResettableModule
from graphmotion.nn.sample_blocks import apply_to_samples
from graphmotion.nn.shortcut import make_shortcut
from graphmotion.skeletons import Skeleton, get_skeleton


class SelectiveBlock(torch.nn.Module):
    r"""One layer of :class:`MSAGCN` on one scale: spatial convolution, temporal convolution with
    kernel selection, and a shortcut.

    .. math::
        \mathbf{X}^{\prime} = \mathrm{SelectiveTCN}(\mathrm{ReLU}(\mathrm{BN}(\mathrm{GCN}(
        \mathbf{X})))) + \mathrm{shortcut}(\mathbf{X})

    Args:
        in_channels (int): Size of each input feature.
        out_channels (int): Size of each output feature.
        adj (Tensor): Partitioned adjacency :math:`(K, V, V)`.
        kernel_sizes (sequence of int, optional): Sizes of the temporal kernels; if empty, there is
            no temporal convolution. (default: :obj:`(5, 9)`)
        stride (int, optional): Step in time. (default: :obj:`1`)
        edge_importance (bool, optional): If set to :obj:`True`, edges have learned weights.
            (default: :obj:`False`)
        dropout (float, optional): Dropout probability before the shortcut is added.
            (default: :obj:`0.0`)
        final_relu (bool, optional): If set to :obj:`True`, a ReLU follows the sum; the paper has
            none. (default: :obj:`False`)

    Shapes:
        - **x:** node features :math:`(B \cdot V, T, F_{in})`
        - **mask:** boolean :math:`(B \cdot V, T)`, :obj:`False` for padded frames
        - **output:** node features :math:`(B \cdot V, \lceil T / s \rceil, F_{out})`
    """

    adj: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        adj: Tensor,
        kernel_sizes: Sequence[int] = (5, 9),
        stride: int = 1,
        edge_importance: bool = False,
        dropout: float = 0.0,
        final_relu: bool = False,
    ) -> None:
        super().__init__()
        self.register_buffer('adj', adj, persistent=False)
        self.stride = stride
        self.final_relu = final_relu
        self.spatial = SpatialConv(
            in_channels, out_channels, adj.size(0), adj.size(1), edge_importance
        )
        self.norm = MotionBatchNorm(out_channels)
        self.temporal = (
            SelectiveTemporalConv(out_channels, out_channels, kernel_sizes, stride)
            if kernel_sizes
            else None
        )
        self.dropout = Dropout(dropout)
        self.shortcut = make_shortcut(in_channels, out_channels, stride)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Applies the layer."""
        out = self.norm(self.spatial(x, self.adj), mask).relu()
        if self.temporal is not None:
            out = self.temporal(out, num_nodes=self.adj.size(-1), mask=mask)
        elif self.stride > 1:
            out = out[:, :: self.stride]
        out = self.dropout(out) + self.shortcut(x, mask)
        return out.relu() if self.final_relu else out


@register_model('msa_gcn', task='emotion')
class MSAGCN(Configurable, ResettableModule):
    r"""The multi-scale adaptive graph convolution network from the `"MSA-GCN: Multiscale Adaptive
    Graph Convolution Network for Gait Emotion Recognition" <https://arxiv.org/abs/2209.08988>`_
    paper.

    The input is pooled to coarser skeletons. Each scale has separate layers, whose temporal
    kernels are selected per sample. After each of the first layers, the scales exchange messages
    over learned adjacencies. The scales are then fused on the joints, where the last layers run.

    Where the paper is silent or contradicts itself, this implementation chooses:

    - Each scale is pooled directly from the joints.
    - Convolutions use the spatial partition of ST-GCN.
    - Kernels are selected by :class:`~graphmotion.nn.SelectiveTemporalConv`, the Selective Kernel
      unit.
    - Messages of :class:`~graphmotion.nn.CrossScaleConv` are weighted by a learned
      :math:`\lambda` and added. Neighbouring scales exchange messages in both directions, and all
      messages of a layer are computed before any is added.
    - :class:`~graphmotion.nn.ScaleFusion` follows the last layer that exchanges messages, but at
      least the second layer.

    .. code-block:: python

        model = msa_gcn('emotion_gait16', num_classes=4, channels=(8, 16, 16, 32))
        print(model(torch.randn(16, 48, 3)).shape)  # [1, 4]

    Args:
        skeleton (Skeleton or str): A skeleton or the name of a built-in layout. More than one
            scale requires a part hierarchy. (default: :obj:`"emotion_gait16"`)
        num_classes (int, optional): Number of classes. (default: :obj:`4`)
        in_channels (int, optional): Size of each input feature. (default: :obj:`3`)
        scales (sequence of int, optional): Number of nodes of each scale from fine to coarse,
            each the size of a level of the hierarchy (Table V). If :obj:`None`, the first three
            levels, such as :obj:`(16, 10, 5)`. (default: :obj:`None`)
        channels (sequence of int, optional): Output size of each layer.
            (default: :obj:`(32, 64, 128, 256)`)
        kernel_sizes (sequence of int, optional): Sizes of the temporal kernels to select from. A
            single size gives a plain temporal convolution; if empty, there is no temporal
            convolution (Tables VII, VIII). (default: :obj:`(5, 9)`)
        cross_scale_layers (int, optional): Number of layers after which the scales exchange
            messages (Table VI). (default: :obj:`2`)
        cross_scale_pairs (str, optional): :obj:`"neighbors"` to exchange messages with the next
            finer and the next coarser scale, or :obj:`"all"` for all pairs of scales.
            (default: :obj:`"neighbors"`)
        cross_weight_init (float, optional): Initial value of :math:`\lambda`, the learned weight
            of messages between scales; with 0, the scales are initially independent.
            (default: :obj:`1.0`)
        attention (bool, optional): If set to :obj:`False`, scales are fused by their sum
            (Table VI). (default: :obj:`True`)
        strategy (str, optional): Partition strategy of
            :meth:`~graphmotion.skeletons.Skeleton.adjacency`. (default: :obj:`"spatial"`)
        max_hop (int, optional): Maximum number of bones between neighbours. (default: :obj:`1`)
        edge_importance (bool, optional): If set to :obj:`True`, edges have learned weights.
            (default: :obj:`False`)
        input_norm (bool, optional): If set to :obj:`False`, the input is not batch-normalised.
            (default: :obj:`True`)
        strides (sequence of int, optional): Temporal stride of each layer; if :obj:`None`, all
            strides are 1. (default: :obj:`None`)
        dropout (float, optional): Dropout probability in every layer and before the classifier.
            (default: :obj:`0.0`)
        final_relu (bool, optional): If set to :obj:`True`, each layer ends with a ReLU; the paper
            has none. (default: :obj:`False`)
        hierarchy (str, optional): Name of the part hierarchy; if :obj:`None`, the first one.
            (default: :obj:`None`)

    Shapes:
        - **x:** node features :math:`(B \cdot V, T, F_{in})`
        - **num_frames:** number of frames of each sample before padding :math:`(B)`; padded frames
          have no effect
        - **output:** logits :math:`(B, \text{num\_classes})`

    Raises:
        ValueError: If a scale is not a level of the hierarchy, or an option does not match the
            number of layers.
    """

    inputs = ('x', 'batch')
    optional_inputs = ('num_frames',)

    def __init__(
        self,
        skeleton: str | Skeleton = 'emotion_gait16',
        num_classes: int = 4,
        in_channels: int = 3,
        scales: Sequence[int] | None = None,
        channels: Sequence[int] = (32, 64, 128, 256),
        kernel_sizes: Sequence[int] = (5, 9),
        cross_scale_layers: int = 2,
        cross_scale_pairs: str = 'neighbors',
        cross_weight_init: float = 1.0,
        attention: bool = True,
        strategy: str = 'spatial',
        max_hop: int = 1,
        edge_importance: bool = False,
        input_norm: bool = True,
        strides: Sequence[int] | None = None,
        dropout: float = 0.0,
        final_relu: bool = False,
        hierarchy: str | None = None,
    ) -> None:
        super().__init__()
        self.skeleton = get_skeleton(skeleton)
        self.in_channels = in_channels
        self.scales = self._check_scales(scales, hierarchy)
        strides = tuple(strides or [1] * len(channels))
        if len(strides) != len(channels):
            raise ValueError(
                f'strides must have one entry for each of the {len(channels)} layers, got '
                f'{len(strides)}'
            )
        self.strides = strides
        if not 0 <= cross_scale_layers <= len(channels):
            raise ValueError(
                f'cross_scale_layers must be in [0, {len(channels)}], got {cross_scale_layers}'
            )
        check_choice('cross_scale_pairs', cross_scale_pairs, ('neighbors', 'all'))
        multiscale = len(self.scales) > 1
        self.num_fine_layers = min(max(2, cross_scale_layers), len(channels)) if multiscale else 0
        self.num_cross_layers = cross_scale_layers if multiscale else 0

        skeletons = [self.skeleton]
        if multiscale:
            levels = [self.skeleton.hierarchy(hierarchy).level_of(size) for size in self.scales]
            skeletons = [self.skeleton.coarsen(level, hierarchy) for level in levels]
            self.pools = ModuleList(
                PartPooling(self.skeleton.assignment(level, hierarchy=hierarchy))
                for level in levels
            )
        adjacencies = [s.adjacency(strategy, max_hop) for s in skeletons]
        self.input_norms = ModuleList(
            MotionBatchNorm(in_channels, size) if input_norm else FrameSequential()
            for size in self.scales
        )

        sizes = [in_channels, *channels]
        self._width = sizes[1]
        options = (edge_importance, dropout, final_relu)

        def layer(i: int, adj: Tensor) -> SelectiveBlock:
            return SelectiveBlock(sizes[i], sizes[i + 1], adj, kernel_sizes, strides[i], *options)

        fine = range(self.num_fine_layers)
        self.scale_layers = ModuleList(
            ModuleList(layer(i, adj) for adj in adjacencies) for i in fine
        )
        self.pairs = list(permutations(range(len(self.scales)), 2))
        if cross_scale_pairs == 'neighbors':
            self.pairs = [(a, b) for a, b in self.pairs if abs(a - b) == 1]
        cross_sizes = sizes[1 : self.num_cross_layers + 1]
        self.cross = ModuleList(
            ModuleDict({_key(*pair): CrossScaleConv(size, size) for pair in self.pairs})
            for size in cross_sizes
        )
        self.cross_weight_init = cross_weight_init
        weights = torch.full((len(cross_sizes), len(self.pairs)), float(cross_weight_init))
        # An empty parameter would have no gradient, which distributed training does not allow.
        self.cross_weight = Parameter(weights) if cross_sizes else None
        self.fusion = (
            ScaleFusion(sizes[self.num_fine_layers], len(self.scales), attention)
            if multiscale
            else None
        )
        self.layers = ModuleList(
            layer(i, adjacencies[0]) for i in range(self.num_fine_layers, len(channels))
        )
        self.dropout = Dropout(dropout)
        self.lin = Linear(sizes[-1], num_classes)

    @property
    def head(self) -> Module:
        r"""The layers that map pooled features to logits."""
        return self.lin

    def _check_scales(self, scales: Sequence[int] | None, hierarchy: str | None) -> tuple[int, ...]:
        if scales is None:
            return self.skeleton.hierarchy(hierarchy).sizes[:3]
        if not scales or scales[0] != self.skeleton.num_joints:
            raise ValueError(
                f'scales must start with the {self.skeleton.num_joints} joints of '
                f'{self.skeleton.name!r}, got {list(scales)}'
            )
        if any(a <= b for a, b in pairwise(scales)):
            raise ValueError(f'scales must be decreasing, got {list(scales)}')
        return tuple(scales)

    def reset_parameters(self) -> None:
        r"""Resets all learnable parameters of the module."""
        super().reset_parameters()
        if self.cross_weight is not None:
            torch.nn.init.constant_(self.cross_weight, self.cross_weight_init)

    def forward(
        self,
        x: Tensor,
        batch: Tensor | None = None,
        num_frames: Tensor | None = None,
        return_adjacency: bool = False,
    ) -> Tensor | tuple[Tensor, list[dict[tuple[int, int], Tensor]]]:
        r"""Returns the logits of each sample; :obj:`batch` only validates that each graph is one
        skeleton.

        With :obj:`return_adjacency`, also returns the learned adjacencies of each layer that
        exchanges messages. They are keyed by the number of nodes of both scales: :obj:`(16, 10)`
        maps to the adjacency :math:`(B, 16, 10)` over which 16 joints receive from 10 parts.
        """
        check_graph_sizes(x, batch, self.scales[0])
        num_joints = self.scales[0]
        x, mask = mask_padding(x, num_frames, num_joints)
        if return_adjacency:
            return self._classify(x, mask)
        return apply_to_samples(
            self, lambda *block: self._classify(*block)[0], x, mask, num_joints, self._width
        )

    def _classify(
        self, x: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, list[dict[tuple[int, int], Tensor]]]:
        """Returns the logits of each sample and the adjacencies of each layer."""
        num_joints = self.scales[0]
        adjacencies: list[dict[tuple[int, int], Tensor]] = []
        if self.fusion is None:
            x = self.input_norms[0](x, mask)
        else:
            graph_mask = None if mask is None else mask[::num_joints]
            masks = [repeat_mask(graph_mask, size) for size in self.scales]
            xs = [
                norm(pool(x), part) for pool, norm, part in zip(self.pools, self.input_norms, masks)
            ]
            for i, layers in enumerate(self.scale_layers):
                blocks = cast(ModuleList, layers)
                xs = [layer(x, part) for layer, x, part in zip(blocks, xs, masks)]
                masks = [stride_mask(part, self.strides[i]) for part in masks]
                if i < self.num_cross_layers:
                    xs, learned = self._exchange(i, xs, masks)
                    adjacencies.append(learned)
            joints = [cast(PartPooling, pool).unpool(x) for pool, x in zip(self.pools, xs)]
            mask = masks[0]
            x = self.fusion(joints, num_nodes=num_joints, mask=mask)
        for layer, stride in zip(self.layers, self.strides[self.num_fine_layers :]):
            x, mask = layer(x, mask), stride_mask(mask, stride)
        out = self.lin(self.dropout(graph_mean(x, num_joints, mask=mask)))
        return out, adjacencies

    def _exchange(
        self, i: int, xs: list[Tensor], masks: list[Tensor | None]
    ) -> tuple[list[Tensor], dict[tuple[int, int], Tensor]]:
        """Adds the messages of other scales, all computed before any is added."""
        assert self.cross_weight is not None
        out = list(xs)
        learned = {}
        for j, (target, source) in enumerate(self.pairs):
            sizes = (self.scales[source], self.scales[target])
            conv = cast(ModuleDict, self.cross[i])[_key(target, source)]
            message, adj = conv(
                (xs[source], xs[target]),
                sizes,
                mask=(masks[source], masks[target]),
                return_adjacency=True,
            )
            out[target] = out[target] + self.cross_weight[i, j] * message
            learned[sizes[1], sizes[0]] = adj
        return out, learned


def _key(target: int, source: int) -> str:
    return f'{source}_to_{target}'


msa_gcn = MSAGCN
