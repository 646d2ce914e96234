"""FG-STFormer, action recognition from focal joints and body parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor
from torch.nn import Dropout, LeakyReLU, Linear, ModuleList, Sequential

from graphmotion.models.registry import register_model
from graphmotion.nn import (
    ConvValueTemporalAttention,
    CrossAttention,
    JointAttention,
    MotionBatchNorm,
    PartPooling,
    TopKJointPooling,
)
from graphmotion.nn.encoding import sinusoidal_encoding
from graphmotion.nn.graphs import check_graph_sizes, graph_mean, split_graphs
from graphmotion.nn.resettable import ResettableModule
from graphmotion.nn.shortcut import make_shortcut
from graphmotion.skeletons import Skeleton, get_skeleton

_SLOPE = 0.1


class SpatialTransformerBlock(torch.nn.Module):
    r"""Attention over the nodes of each frame, within one node set or from one to another, with a
    feed-forward layer behind it.

    .. math::
        \mathbf{Y} &= \mathrm{LeakyReLU}\left(\mathrm{BN}(\mathrm{Attention}(\mathbf{X}))
        + \mathrm{shortcut}(\mathbf{X})\right) \\
        \mathbf{X}^{\prime} &= \mathrm{LeakyReLU}\left(\mathrm{BN}(\mathbf{Y} \mathbf{W}
        + \mathbf{b}) + \mathrm{shortcut}(\mathbf{X})\right)

    Args:
        attention (JointAttention or CrossAttention): The attention.
        num_nodes (int or tuple): Nodes that the position encodings and the global map know: of
            the graph, or of source and target.
        position (bool, optional): If set to :obj:`False`, queries and keys are not told which
            nodes they are of. (default: :obj:`True`)

    Shapes:
        - **x:** node features :math:`(B \cdot V, T, F_{in})`, or a tuple of those of source and
          target
        - **num_nodes:** their number in each graph, or a tuple
        - **node_ids:** which nodes they are :math:`(B, T, V)`, or a tuple; :obj:`None` for all, in
          order
        - **output:** features :math:`(B \cdot V, T, F_{out})` of the nodes, or of the target
    """

    def __init__(
        self,
        attention: JointAttention | CrossAttention,
        num_nodes: int | Sequence[int],
        position: bool = True,
    ) -> None:
        super().__init__()
        sizes = (num_nodes,) if isinstance(num_nodes, int) else num_nodes
        before, after = attention.channels, attention.out_channels
        for i, size in enumerate(sizes):
            code = sinusoidal_encoding(size, before) if position else None
            self.register_buffer(f'position{i}', code, persistent=False)
        self.attention = attention
        self.norm = MotionBatchNorm(after)
        self.shortcut = make_shortcut(before, after, 1)
        self.feed_forward = Sequential(Linear(after, after), MotionBatchNorm(after))
        self.feed_forward_shortcut = make_shortcut(before, after, 1)
        self.activation = LeakyReLU(_SLOPE)

    def forward(
        self, x: Any, num_nodes: Any, node_ids: Any = None, return_attention: bool = False
    ) -> Tensor | tuple[Tensor, Tensor]:
        """One block; with ``return_attention`` also the attention maps."""
        if isinstance(x, tuple):
            target = x[1]
            position: Any = tuple(
                self._position(i, ids) for i, ids in enumerate(node_ids or (None, None))
            )
        else:
            target, position = x, self._position(0, node_ids)
        options: dict[str, Any] = {'position': position, 'return_attention': return_attention}
        if self.attention.global_map is not None:
            options['node_ids'] = node_ids
        attended = self.attention(x, num_nodes, **options)
        out, weights = attended if return_attention else (attended, None)
        out = self.activation(self.norm(out) + self.shortcut(target))
        out = self.activation(self.feed_forward(out) + self.feed_forward_shortcut(target))
        return out if weights is None else (out, weights)

    def _position(self, side: int, ids: Tensor | None) -> Tensor | None:
        position = cast('Tensor | None', getattr(self, f'position{side}'))
        if position is None or ids is None:
            return position
        return position[ids].transpose(1, 2).flatten(0, 1)  # [B, T, K, C] to [B * K, T, C]


class FocalAttention(NamedTuple):
    r"""What :class:`FGSTFormer` looked at in its last layer, person by person.

    Shapes:
        - **joint_ids:** the focal joints of each frame :math:`(B \cdot M, T, K)`
        - **score:** their scores, from zero to one :math:`(B \cdot M, T, K)`
        - **joint_to_part:** how much each focal joint takes from each part, the mean over heads
          :math:`(B \cdot M, T, K, P)`, with the global map; :obj:`None` without cross attention
        - **part_to_joint:** the reverse :math:`(B \cdot M, T, P, K)`
    """

    joint_ids: Tensor | None
    score: Tensor | None
    joint_to_part: Tensor | None
    part_to_joint: Tensor | None


@register_model('fg_stformer', task='action')
class FGSTFormer(ResettableModule):
    r"""The focal and global spatial-temporal transformer from the `"Focal and Global
    Spatial-Temporal Transformer for Skeleton-based Action Recognition"
    <https://arxiv.org/abs/2210.02693>`_ paper.

    The first layers attend to all joints of each frame, and, joint by joint, to all frames, with
    convolved values. Then the network parts: one branch keeps the focal joints of each frame,
    those that score best; the other joins all joints to body parts. In each further layer both
    attend within themselves, to each other, and over the frames. The means of both are classified
    by two linear layers.

    Where the paper is silent or contradicts itself, this was chosen: each of the three spatial
    heads has queries and keys a fourth as wide as its output, and the input itself as values, as
    in the `"Decoupled Spatial-Temporal Attention Network for Skeleton-Based Action Recognition"
    <https://arxiv.org/abs/2007.03263>`_ paper that this one extends; so are the batch
    normalisations, the slope 0.1, both shortcuts of a block beginning at its input, and the
    global map, which is added after the softmax. Channels grow in the spatial attention, and the
    temporal attention behind it halves the frames. Focal joints are multiplied by their scores,
    without which the scores would get no gradient, and stay in the order of their numbers; their
    position codes and rows of the global map are those of the joints that they are. Parts of
    different size are padded with zeros before the linear map that they share. The hidden layer
    of the classifier has 256 channels.

    Args:
        skeleton (Skeleton or str): The skeleton, or the name of a built-in one. The part branch
            needs a part hierarchy.
        num_classes (int): Number of classes.
        in_channels (int, optional): Size of each input feature. (default: :obj:`3`)
        channels (sequence of int, optional): Output size of each layer. The frames are halved
            where it grows, but for the first layer.
            (default: :obj:`(64, 64, 128, 128, 256, 256, 256, 256)`)
        num_joint_layers (int, optional): Number of layers before the network parts (Table 4);
            three quarters of them if not given. (default: :obj:`None`)
        num_focal_joints (int, optional): Number of focal joints of a frame (Table 2); three fifths
            of the joints if not given. (default: :obj:`None`)
        focal_joints (bool, optional): If set to :obj:`False`, the first branch keeps all joints
            (Table 1). (default: :obj:`True`)
        part_branch (bool, optional): If set to :obj:`False`, there is no branch of parts
            (Table 1). (default: :obj:`True`)
        cross_attention (bool, optional): If set to :obj:`False`, branches do not attend to each
            other (Table 1). (default: :obj:`True`)
        temporal_attention (bool, optional): If set to :obj:`False`, there is only the convolution
            of frames (Table 3). (default: :obj:`True`)
        temporal_convolution (bool, optional): If set to :obj:`False`, values are not convolved
            (Table 3). (default: :obj:`True`)
        heads (int, optional): Number of heads of the attention over nodes. (default: :obj:`3`)
        value_projection (bool, optional): If set to :obj:`True`, heads over nodes have linear
            values, a fourth as wide as the output. (default: :obj:`False`)
        global_map (bool, optional): If set to :obj:`False`, there is no map that all sequences
            share. (default: :obj:`True`)
        normalization (str, optional): :obj:`"softmax"`, or :obj:`"tanh"` as in the older paper.
            (default: :obj:`"softmax"`)
        per_frame (bool, optional): If set to :obj:`False`, all frames of a clip share a map of
            attention over nodes, as in the older paper; without focal joints only.
            (default: :obj:`True`)
        gate (bool, optional): If set to :obj:`False`, focal joints are not multiplied by their
            scores. (default: :obj:`True`)
        order (str, optional): Order of the focal joints: :obj:`"index"` or :obj:`"score"`.
            (default: :obj:`"index"`)
        position (bool, optional): If set to :obj:`False`, there are no position codes of joints
            and frames. (default: :obj:`True`)
        kernel_size (int, optional): Number of frames of the temporal convolutions.
            (default: :obj:`7`)
        dilations (sequence of int, optional): Dilation of each head over the frames.
            (default: :obj:`(1, 2)`)
        hidden_channels (int, optional): Size of the hidden layer of the classifier; that of the
            last layer if not given. (default: :obj:`None`)
        dropout (float, optional): Dropout probability before each layer of the classifier.
            (default: :obj:`0.0`)
        num_people (int, optional): Number of skeletons in a sample; their features are averaged.
            (default: :obj:`1`)
        hierarchy (str, optional): The name of the part hierarchy, whose first level is taken; the
            first hierarchy by default. (default: :obj:`None`)

    All frames count alike, those that a batch was padded with included.

    Shapes:
        - **x:** node features :math:`(B \cdot M \cdot V, T, F_{in})`
        - **output:** logits :math:`(B, \text{num\_classes})`, and with :obj:`return_attention` also
          :class:`FocalAttention`

    Raises:
        ValueError: If options contradict each other, or the skeleton lacks the parts.
    """

    inputs = ('x', 'batch')

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
        self.num_people = num_people
        num_joints = self.skeleton.num_joints
        channels = tuple(channels)
        if num_joint_layers is None:
            num_joint_layers = max(1, 3 * len(channels) // 4)
        if not channels or not 1 <= num_joint_layers <= len(channels):
            raise ValueError(
                f'num_joint_layers is 1..{len(channels)}, the number of channels, '
                f'got {num_joint_layers}'
            )
        if focal_joints and not per_frame:
            raise ValueError(
                'focal joints differ between frames: per_frame=False needs focal_joints=False'
            )
        if num_focal_joints is None:
            num_focal_joints = round(0.6 * num_joints)
        if focal_joints and not 1 <= num_focal_joints <= num_joints:
            raise ValueError(
                f'num_focal_joints is 1..{num_joints}, the number of joints, got {num_focal_joints}'
            )
        split = num_joint_layers < len(channels)  # else there is nothing behind the first stage
        cross_attention = cross_attention and part_branch and split

        def options(before: int, after: int, nodes: Any) -> dict[str, Any]:
            return {
                'channels': before,
                'heads': heads,
                'out_channels': after,
                'head_channels': max(1, after // 4),
                'value_projection': value_projection,
                'num_nodes': nodes,
                'global_map': global_map,
                'per_frame': per_frame,
                'normalization': normalization,
            }

        def within(before: int, after: int, nodes: int) -> SpatialTransformerBlock:
            attention = JointAttention(**options(before, after, nodes))
            return SpatialTransformerBlock(attention, nodes, position)

        def between(size: int, source: int, target: int) -> SpatialTransformerBlock:
            attention = CrossAttention(**options(size, size, (source, target)))
            return SpatialTransformerBlock(attention, (source, target), position)

        def over_frames(size: int, stride: int) -> ConvValueTemporalAttention:
            return ConvValueTemporalAttention(
                size, kernel_size, dilations, stride, temporal_attention, temporal_convolution,
                position, _SLOPE,
            )  # fmt: skip

        sizes = [channels[0], *channels]
        strides = [1 + (after > before) for before, after in zip(sizes, channels)]
        self.input = Sequential(
            Linear(in_channels, channels[0]), MotionBatchNorm(channels[0]), LeakyReLU(_SLOPE)
        )
        first, then = range(num_joint_layers), range(num_joint_layers, len(channels))
        self.spatial = ModuleList(within(sizes[i], channels[i], num_joints) for i in first)
        self.temporal = ModuleList(over_frames(channels[i], strides[i]) for i in first)

        size = channels[num_joint_layers - 1]
        self.focal = (
            TopKJointPooling(size, num_focal_joints, gate, order)
            if focal_joints and split
            else None
        )
        self.joint_spatial = ModuleList(within(sizes[i], channels[i], num_joints) for i in then)
        self.joint_temporal = ModuleList(over_frames(channels[i], strides[i]) for i in then)
        self.strides = [strides[i] for i in then]
        self.parts: PartPooling | None = None
        self.part_spatial, self.part_temporal = ModuleList(), ModuleList()
        self.joint_cross, self.part_cross = ModuleList(), ModuleList()
        if part_branch and split:
            assignment = self.skeleton.assignment(1, hierarchy=hierarchy)
            num_parts = len(assignment)
            self.parts = PartPooling(assignment, 'concat')
            self.part_input = Linear(self.parts.part_size * size, size)
            self.part_spatial.extend(within(sizes[i], channels[i], num_parts) for i in then)
            self.part_temporal.extend(over_frames(channels[i], strides[i]) for i in then)
            if cross_attention:
                self.joint_cross.extend(between(channels[i], num_parts, num_joints) for i in then)
                self.part_cross.extend(between(channels[i], num_joints, num_parts) for i in then)

        width = channels[-1] * (1 + (self.parts is not None))
        hidden = channels[-1] if hidden_channels is None else hidden_channels
        self.classifier = Sequential(
            Dropout(dropout), Linear(width, hidden), LeakyReLU(_SLOPE),
            Dropout(dropout), Linear(hidden, num_classes),
        )  # fmt: skip

    def forward(
        self, x: Tensor, batch: Tensor | None = None, return_attention: bool = False
    ) -> Tensor | tuple[Tensor, FocalAttention]:
        """Logits of each sample; ``batch`` checks that each graph has ``num_people`` skeletons."""
        num_joints, people = self.skeleton.num_joints, self.num_people
        check_graph_sizes(x, batch, num_joints, people)
        split_graphs(x, people * num_joints)  # else people of different samples would be joined
        x = self.input(x)
        for spatial, temporal in zip(self.spatial, self.temporal):
            x = temporal(spatial(x, num_joints))

        ids = score = parts = None
        if self.parts is not None:
            parts = self.part_input(self.parts(x))
        if self.focal is not None:
            x, ids, score = self.focal(x, num_joints)
        num_kept = num_joints if self.focal is None else self.focal.k
        maps: tuple[Tensor | None, Tensor | None] = (None, None)
        for i, stride in enumerate(self.strides):
            x = self.joint_spatial[i](x, num_kept, ids)
            if parts is not None:
                assert self.parts is not None
                num_parts = self.parts.num_parts
                parts = self.part_spatial[i](parts, num_parts)
                if len(self.joint_cross):
                    x, parts, maps = self._exchange(
                        i, x, parts, (num_kept, num_parts), ids, return_attention
                    )
                parts = self.part_temporal[i](parts)
            x = self.joint_temporal[i](x)
            if ids is not None and score is not None and stride > 1:
                ids, score = ids[:, ::stride], score[:, ::stride]

        pooled = [graph_mean(x, people * num_kept)]
        if parts is not None and self.parts is not None:
            pooled.append(graph_mean(parts, people * self.parts.num_parts))
        out = self.classifier(torch.cat(pooled, dim=-1))
        return (out, FocalAttention(ids, score, *maps)) if return_attention else out

    def _exchange(
        self,
        i: int,
        joints: Tensor,
        parts: Tensor,
        sizes: tuple[int, int],
        ids: Tensor | None,
        return_attention: bool,
    ) -> tuple[Tensor, Tensor, tuple[Tensor | None, Tensor | None]]:
        """Each branch attends to the other, both as they were before."""
        to_joints = None if ids is None else (None, ids)
        to_parts = None if ids is None else (ids, None)
        one = self.joint_cross[i]((parts, joints), sizes[::-1], to_joints, return_attention)
        two = self.part_cross[i]((joints, parts), sizes, to_parts, return_attention)
        if not return_attention:
            return one, two, (None, None)
        return one[0], two[0], (one[1].mean(dim=2), two[1].mean(dim=2))


fg_stformer = FGSTFormer
