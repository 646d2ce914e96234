"""FG-STFormer, action recognition from focal joints and body parts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor
from torch.nn import LeakyReLU, Module, ModuleList, Sequential
from torch.nn.functional import leaky_relu_

from graphmotion.config import Configurable
from graphmotion.models.registry import register_model
from graphmotion.nn import (
    ConvValueTemporalAttention,
    CrossAttention,
    JointAttention,
    MotionBatchNorm,
    PartPooling,
    TopKJointPooling,
)
from graphmotion.nn.dropout import Dropout
from graphmotion.nn.encoding import sinusoidal_encoding
from graphmotion.nn.frame_sequential import FrameSequential
from graphmotion.nn.frames import mask_padding, repeat_mask, stride_mask
from graphmotion.nn.graphs import check_graph_sizes, graph_mean, split_graphs
from graphmotion.nn.linear import Linear
from graphmotion.nn.resettable import ResettableModule
from graphmotion.nn.sample_blocks import apply_to_samples, has_hooks
from graphmotion.nn.shortcut import make_shortcut
from graphmotion.nn.sliding import SlidingFrames
from graphmotion.skeletons import Skeleton, get_skeleton

_SLOPE = 0.1  # of the leaky ReLUs


class SpatialTransformerBlock(torch.nn.Module):
    r"""Attention over the nodes of each frame, followed by a feed-forward layer.

    The nodes attend to each other, or target nodes attend to source nodes.

    .. math::
        \mathbf{Y} &= \mathrm{LeakyReLU}\left(\mathrm{BN}(\mathrm{Attention}(\mathbf{X}))
        + \mathrm{shortcut}(\mathbf{X})\right) \\
        \mathbf{X}^{\prime} &= \mathrm{LeakyReLU}\left(\mathrm{BN}(\mathbf{Y} \mathbf{W}
        + \mathbf{b}) + \mathrm{shortcut}(\mathbf{X})\right)

    Args:
        attention (JointAttention or CrossAttention): The attention.
        num_nodes (int or tuple): Number of nodes of a graph that position encodings distinguish;
            for cross attention, of source and target graphs.
        position (bool, optional): If set to :obj:`False`, queries and keys have no position
            encoding. (default: :obj:`True`)

    Shapes:
        - **x:** node features :math:`(B \cdot V, T, F_{in})`; for cross attention, a tuple of
          source and target features
        - **num_nodes:** number of nodes of each graph, or a tuple
        - **node_ids:** indices of selected nodes :math:`(B, T, V)`, or a tuple; :obj:`None` for
          all nodes in order
        - **mask:** boolean :math:`(B \cdot V, T)`, :obj:`False` for padded frames, or a tuple
        - **output:** features :math:`(B \cdot V, T, F_{out})` of the nodes, or of the target nodes
    """

    def __init__(
        self,
        attention: JointAttention | CrossAttention,
        num_nodes: int | Sequence[int],
        position: bool = True,
    ) -> None:
        super().__init__()
        sizes = (num_nodes,) if isinstance(num_nodes, int) else num_nodes
        in_channels, out_channels = attention.channels, attention.out_channels
        for i, size in enumerate(sizes):
            encoding = sinusoidal_encoding(size, in_channels) if position else None
            self.register_buffer(f'position{i}', encoding, persistent=False)
        self.attention = attention
        self.norm = MotionBatchNorm(out_channels)
        self.shortcut = make_shortcut(in_channels, out_channels, 1)
        self.feed_forward = FrameSequential(
            Linear(out_channels, out_channels), MotionBatchNorm(out_channels)
        )
        self.feed_forward_shortcut = make_shortcut(in_channels, out_channels, 1)
        self.activation = LeakyReLU(_SLOPE)

    def forward(
        self,
        x: Any,
        num_nodes: Any,
        node_ids: Any = None,
        mask: Any = None,
        return_attention: bool = False,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Applies the block; also returns the attention maps if requested."""
        if isinstance(x, tuple):
            target = x[1]
            source_mask, mask = mask or (None, None)
            position: Any = tuple(
                self._position(i, ids) for i, ids in enumerate(node_ids or (None, None))
            )
        else:
            target, source_mask, position = x, mask, self._position(0, node_ids)
        options: dict[str, Any] = {'position': position, 'return_attention': return_attention}
        if self.attention.global_map is not None:
            options['node_ids'] = node_ids
        if not self.attention.per_frame:
            options['mask'] = source_mask
        attended = self.attention(x, num_nodes, **options)
        out, weights = attended if return_attention else (attended, None)
        out = self._add(self.norm(out, mask), self.shortcut(target, mask))
        shortcut = self.feed_forward_shortcut(target, mask)
        out = self._add(self.feed_forward(out, mask), shortcut)
        return out if weights is None else (out, weights)

    def _add(self, out: Tensor, shortcut: Tensor) -> Tensor:
        total = out + shortcut
        if has_hooks(self.activation):
            return self.activation(total)
        return leaky_relu_(total, self.activation.negative_slope)  # needs less memory

    def _position(self, side: int, ids: Tensor | None) -> Tensor | None:
        position = cast('Tensor | None', getattr(self, f'position{side}'))
        if position is None or ids is None:
            return position
        return position[ids].transpose(1, 2).flatten(0, 1)  # [B, T, K, C] to [B * K, T, C]


class FocalAttention(NamedTuple):
    r"""Focal joints and cross attention of the last layer of :class:`FGSTFormer`, per person.

    Shapes:
        - **joint_ids:** indices of the focal joints of each frame, :math:`(B \cdot M, T, K)`
        - **score:** scores of the focal joints in :math:`[0, 1]`, :math:`(B \cdot M, T, K)`
        - **joint_to_part:** weights with which focal joints attend to parts, averaged over heads,
          including the global map, :math:`(B \cdot M, T, K, P)`; :obj:`None` without cross
          attention
        - **part_to_joint:** weights with which parts attend to focal joints,
          :math:`(B \cdot M, T, P, K)`
    """

    joint_ids: Tensor | None
    score: Tensor | None
    joint_to_part: Tensor | None
    part_to_joint: Tensor | None


@register_model('fg_stformer', task='action')
class FGSTFormer(Configurable, ResettableModule):
    r"""The focal and global spatial-temporal transformer from the `"Focal and Global
    Spatial-Temporal Transformer for Skeleton-based Action Recognition"
    <https://arxiv.org/abs/2210.02693>`_ paper.

    Each of the first layers applies attention over the joints of each frame, then attention with
    convolved values over the frames of each joint. After these layers, the network splits into two
    branches. One keeps the focal joints of each frame, which have the highest scores; the other
    pools all joints to body parts. In the remaining layers, each branch attends to its own nodes,
    to the nodes of the other branch, and over frames. The mean features of both branches are
    classified by two linear layers.

    Where the paper is silent or contradicts itself, this implementation chooses:

    - As in the `"Decoupled Spatial-Temporal Attention Network for Skeleton-Based Action
      Recognition" <https://arxiv.org/abs/2007.03263>`_ paper, which this one extends, the queries
      and keys of each of the three spatial heads have a quarter of the output channels, and the
      values are the input. The batch normalisations, the slope 0.1, the two shortcuts from the
      input of a block, and the global map added after the softmax also follow that paper.
    - Channels grow in the spatial attention, and the subsequent temporal attention halves the
      number of frames.
    - Focal joints are multiplied by their scores, which would not receive a gradient otherwise,
      and keep the order of the skeleton, with the position encodings and the rows of the global
      map of the selected joints.
    - Parts of different sizes are padded with zeros before the linear map that they share.
    - The hidden layer of the classifier has 256 channels.

    .. code-block:: python

        model = fg_stformer('ntu25', num_classes=60, channels=(24, 24, 48, 48))
        print(model(torch.randn(25, 32, 3)).shape)  # [1, 60]

    Args:
        skeleton (Skeleton or str): A skeleton or the name of a built-in layout. The part branch
            requires a part hierarchy.
        num_classes (int): Number of classes.
        in_channels (int, optional): Size of each input feature. (default: :obj:`3`)
        channels (sequence of int, optional): Output size of each layer. Except for the first
            layer, the number of frames is halved where the size grows.
            (default: :obj:`(64, 64, 128, 128, 256, 256, 256, 256)`)
        num_joint_layers (int, optional): Number of layers before the network splits (Table 4);
            if :obj:`None`, three quarters of the layers. (default: :obj:`None`)
        num_focal_joints (int, optional): Number of focal joints of a frame (Table 2); if
            :obj:`None`, three fifths of the joints. (default: :obj:`None`)
        focal_joints (bool, optional): If set to :obj:`False`, the joint branch keeps all joints
            (Table 1). (default: :obj:`True`)
        part_branch (bool, optional): If set to :obj:`False`, there is no part branch (Table 1).
            (default: :obj:`True`)
        cross_attention (bool, optional): If set to :obj:`False`, branches do not attend to each
            other (Table 1). (default: :obj:`True`)
        temporal_attention (bool, optional): If set to :obj:`False`, frames are only convolved
            (Table 3). (default: :obj:`True`)
        temporal_convolution (bool, optional): If set to :obj:`False`, values are not convolved
            (Table 3). (default: :obj:`True`)
        heads (int, optional): Number of heads of the spatial attention. (default: :obj:`3`)
        value_projection (bool, optional): If set to :obj:`True`, the values of the spatial
            attention are projected to a quarter of the output channels. (default: :obj:`False`)
        global_map (bool, optional): If set to :obj:`False`, there is no attention map shared by
            all sequences. (default: :obj:`True`)
        normalization (str, optional): :obj:`"softmax"`, or :obj:`"tanh"` as in the earlier paper.
            (default: :obj:`"softmax"`)
        per_frame (bool, optional): If set to :obj:`False`, all frames of a clip share one spatial
            attention map, as in the earlier paper; requires :obj:`focal_joints=False`.
            (default: :obj:`True`)
        gate (bool, optional): If set to :obj:`False`, focal joints are not multiplied by their
            scores. (default: :obj:`True`)
        order (str, optional): Order of the focal joints: :obj:`"index"` or :obj:`"score"`.
            (default: :obj:`"index"`)
        position (bool, optional): If set to :obj:`False`, there are no position encodings of
            joints and frames. (default: :obj:`True`)
        kernel_size (int, optional): Number of frames of the temporal convolutions.
            (default: :obj:`7`)
        dilations (sequence of int, optional): Dilation of each head over the frames.
            (default: :obj:`(1, 2)`)
        hidden_channels (int, optional): Size of the hidden layer of the classifier; if
            :obj:`None`, the output size of the last layer. (default: :obj:`None`)
        dropout (float, optional): Dropout probability before each layer of the classifier.
            (default: :obj:`0.0`)
        num_people (int, optional): Number of skeletons in a sample; their features are averaged.
            (default: :obj:`1`)
        hierarchy (str, optional): Name of the part hierarchy, of which the first level is used;
            if :obj:`None`, the first hierarchy. (default: :obj:`None`)

    Shapes:
        - **x:** node features :math:`(B \cdot M \cdot V, T, F_{in})`
        - **num_frames:** number of frames of each sample before padding :math:`(B)`; padded frames
          have no effect
        - **output:** logits :math:`(B, \text{num\_classes})`; with :obj:`return_attention`, a
          tuple of logits and :class:`FocalAttention`

    Raises:
        ValueError: If options contradict each other, or the skeleton has no part hierarchy.
    """

    inputs = ('x', 'batch')
    optional_inputs = ('num_frames',)

    def __init__(
        self,
        skeleton: str | Skeleton = 'ntu25',
        num_classes: int = 60,
        in_channels: int = 3,
        channels: Sequence[int] = (64, 64, 128, 128, 256, 256, 256, 256),
        num_joint_layers: int | None = None,
        num_focal_joints: int | None = None,
        focal_joints: bool = True,
        part_branch: bool = True,
        cross_attention: bool = True,
        temporal_attention: bool = True,
        temporal_convolution: bool = True,
        heads: int = 3,
        value_projection: bool = False,
        global_map: bool = True,
        normalization: str = 'softmax',
        per_frame: bool = True,
        gate: bool = True,
        order: str = 'index',
        position: bool = True,
        kernel_size: int = 7,
        dilations: Sequence[int] = (1, 2),
        hidden_channels: int | None = None,
        dropout: float = 0.0,
        num_people: int = 1,
        hierarchy: str | None = None,
    ) -> None:
        super().__init__()
        self.skeleton = get_skeleton(skeleton)
        self.in_channels = in_channels
        self.num_people = num_people
        num_joints = self.skeleton.num_joints
        channels = tuple(channels)
        if num_joint_layers is None:
            num_joint_layers = max(1, 3 * len(channels) // 4)
        if not channels or not 1 <= num_joint_layers <= len(channels):
            raise ValueError(
                f'num_joint_layers must be in [1, {len(channels)}], at most one layer per entry '
                f'of channels, got {num_joint_layers}'
            )
        if focal_joints and not per_frame:
            raise ValueError(
                'per_frame must be True with focal_joints=True, since focal joints differ between '
                'frames, got False'
            )
        if num_focal_joints is None:
            num_focal_joints = round(0.6 * num_joints)
        if focal_joints and not 1 <= num_focal_joints <= num_joints:
            raise ValueError(
                f'num_focal_joints must be in [1, {num_joints}], the number of joints, got '
                f'{num_focal_joints}'
            )
        split = num_joint_layers < len(channels)  # otherwise there are no branches
        cross_attention = cross_attention and part_branch and split

        def attention_options(size: int, out_size: int, num_nodes: Any) -> dict[str, Any]:
            return {
                'channels': size,
                'heads': heads,
                'out_channels': out_size,
                'head_channels': max(1, out_size // 4),
                'value_projection': value_projection,
                'num_nodes': num_nodes,
                'global_map': global_map,
                'per_frame': per_frame,
                'normalization': normalization,
            }

        def spatial_block(i: int, num_nodes: int) -> SpatialTransformerBlock:
            attention = JointAttention(**attention_options(sizes[i], channels[i], num_nodes))
            return SpatialTransformerBlock(attention, num_nodes, position)

        def cross_block(i: int, source: int, target: int) -> SpatialTransformerBlock:
            size, num_nodes = channels[i], (source, target)
            attention = CrossAttention(**attention_options(size, size, num_nodes))
            return SpatialTransformerBlock(attention, num_nodes, position)

        def temporal_block(i: int) -> ConvValueTemporalAttention:
            return ConvValueTemporalAttention(
                channels[i], kernel_size, dilations, strides[i], temporal_attention,
                temporal_convolution, position, _SLOPE,
            )  # fmt: skip

        sizes = [channels[0], *channels]
        self._width = sizes[0]
        strides = [2 if out_size > size else 1 for size, out_size in pairwise(sizes)]
        self.input = FrameSequential(
            Linear(in_channels, channels[0]), MotionBatchNorm(channels[0]), LeakyReLU(_SLOPE)
        )
        shared, branched = range(num_joint_layers), range(num_joint_layers, len(channels))
        self.spatial = ModuleList(spatial_block(i, num_joints) for i in shared)
        self.temporal = ModuleList(temporal_block(i) for i in shared)

        size = channels[num_joint_layers - 1]
        self.focal = (
            TopKJointPooling(size, num_focal_joints, gate, order)
            if focal_joints and split
            else None
        )
        self.joint_spatial = ModuleList(spatial_block(i, num_joints) for i in branched)
        self.joint_temporal = ModuleList(temporal_block(i) for i in branched)
        self.strides = strides[num_joint_layers:]
        self.parts: PartPooling | None = None
        self.part_spatial, self.part_temporal = ModuleList(), ModuleList()
        self.joint_cross, self.part_cross = ModuleList(), ModuleList()
        if part_branch and split:
            assignment = self.skeleton.assignment(1, hierarchy=hierarchy)
            num_parts = len(assignment)
            self.parts = PartPooling(assignment, 'concat')
            self.part_input = Linear(self.parts.part_size * size, size)
            self.part_spatial.extend(spatial_block(i, num_parts) for i in branched)
            self.part_temporal.extend(temporal_block(i) for i in branched)
            if cross_attention:
                self.joint_cross.extend(cross_block(i, num_parts, num_joints) for i in branched)
                self.part_cross.extend(cross_block(i, num_joints, num_parts) for i in branched)

        width = channels[-1] * (1 if self.parts is None else 2)
        hidden = channels[-1] if hidden_channels is None else hidden_channels
        self.classifier = Sequential(
            Dropout(dropout), Linear(width, hidden), LeakyReLU(_SLOPE),
            Dropout(dropout), Linear(hidden, num_classes),
        )  # fmt: skip

    @property
    def head(self) -> Module:
        r"""The layers that map pooled features to logits."""
        return self.classifier

    def forward(
        self,
        x: Tensor,
        batch: Tensor | None = None,
        num_frames: Tensor | None = None,
        return_attention: bool = False,
    ) -> Tensor | tuple[Tensor, FocalAttention]:
        """Returns the logits of each sample; ``batch`` only validates the number of people."""
        num_joints, people = self.skeleton.num_joints, self.num_people
        check_graph_sizes(x, batch, num_joints, people)
        split_graphs(x, people * num_joints)  # raises if the last sample lacks people
        x, mask = mask_padding(x, num_frames, people * num_joints)
        if return_attention:
            return self._classify(self._attend(x, mask), mask, return_attention)

        def classify(x: Tensor, mask: Tensor | None) -> Tensor:
            return cast(Tensor, self._classify(self._attend(x, mask), mask))

        return apply_to_samples(self, classify, x, mask, people * num_joints, self._width)

    def _attend(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Returns the features of the first attention over joints."""
        return self.spatial[0](self.input(x, mask), self.skeleton.num_joints, mask=mask)

    def forward_sliding(self, x: SlidingFrames) -> Tensor:
        """Returns the logits of a window that slides over a sequence."""
        spatial = cast(SpatialTransformerBlock, self.spatial[0])
        x = x.map(self.input).map(
            lambda x: cast(Tensor, spatial(x, self.skeleton.num_joints)),
            reach=0 if spatial.attention.per_frame else None,
        )
        return cast(Tensor, self._classify(x.features))

    def _classify(
        self, x: Tensor, mask: Tensor | None = None, return_attention: bool = False
    ) -> Tensor | tuple[Tensor, FocalAttention]:
        """Returns the logits, given the features of the first attention over joints."""
        num_joints, people = self.skeleton.num_joints, self.num_people
        for i, module in enumerate(self.temporal):
            temporal = cast(ConvValueTemporalAttention, module)
            x = temporal(x if i == 0 else self.spatial[i](x, num_joints, mask=mask), mask)
            mask = stride_mask(mask, temporal.stride)
        person_mask = None if mask is None else mask[::num_joints]

        ids = score = parts = None
        if self.parts is not None:
            parts = self.part_input(self.parts(x))
        if self.focal is not None:
            x, ids, score = self.focal(x, num_joints)
        num_kept = num_joints if self.focal is None else self.focal.k
        maps: tuple[Tensor | None, Tensor | None] = (None, None)
        num_parts = 0 if self.parts is None else self.parts.num_parts
        mask, part_mask = (repeat_mask(person_mask, size) for size in (num_kept, num_parts))
        for i, stride in enumerate(self.strides):
            x = self.joint_spatial[i](x, num_kept, ids, mask)
            if parts is not None:
                parts = self.part_spatial[i](parts, num_parts, mask=part_mask)
                if len(self.joint_cross):
                    sizes, masks = (num_kept, num_parts), (mask, part_mask)
                    x, parts, maps = self._exchange(
                        i, x, parts, sizes, ids, masks, return_attention
                    )
                parts = self.part_temporal[i](parts, part_mask)
            x = self.joint_temporal[i](x, mask)
            mask, part_mask = stride_mask(mask, stride), stride_mask(part_mask, stride)
            if ids is not None and score is not None and stride > 1:
                ids, score = ids[:, ::stride], score[:, ::stride]

        pooled = [graph_mean(x, people * num_kept, mask=mask)]
        if parts is not None:
            pooled.append(graph_mean(parts, people * num_parts, mask=part_mask))
        out = self.classifier(torch.cat(pooled, dim=-1))
        return (out, FocalAttention(ids, score, *maps)) if return_attention else out

    def _exchange(
        self,
        i: int,
        joints: Tensor,
        parts: Tensor,
        sizes: tuple[int, int],
        ids: Tensor | None,
        masks: tuple[Tensor | None, Tensor | None],
        return_attention: bool,
    ) -> tuple[Tensor, Tensor, tuple[Tensor | None, Tensor | None]]:
        """Lets each branch attend to the other, both before the update."""
        to_joints = None if ids is None else (None, ids)
        to_parts = None if ids is None else (ids, None)
        new_joints = self.joint_cross[i](
            (parts, joints), sizes[::-1], to_joints, masks[::-1], return_attention
        )
        new_parts = self.part_cross[i]((joints, parts), sizes, to_parts, masks, return_attention)
        if not return_attention:
            return new_joints, new_parts, (None, None)
        maps = new_joints[1].mean(dim=2), new_parts[1].mean(dim=2)
        return new_joints[0], new_parts[0], maps


fg_stformer = FGSTFormer
