"""GaitMixer, gait recognition by attention over joints and large temporal kernels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice, pairwise
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import LayerNorm, Module, ModuleList, Parameter, Sequential
from torch.nn.functional import normalize

from graphmotion.checks import check_choice
from graphmotion.config import Configurable
from graphmotion.models.published_weights import LoadsPublishedWeights, match_state_dict
from graphmotion.models.registry import register_model
from graphmotion.nn import JointAttention, LargeKernelTemporalConv, MotionBatchNorm
from graphmotion.nn.dropout import Dropout
from graphmotion.nn.frame_sequential import FrameSequential
from graphmotion.nn.frames import frame_mean, mask_padding
from graphmotion.nn.gelu import GELU
from graphmotion.nn.graphs import check_graph_sizes, graph_mean, split_graphs
from graphmotion.nn.linear import Linear
from graphmotion.nn.resettable import ResettableModule
from graphmotion.nn.sample_blocks import apply_to_samples, has_hooks
from graphmotion.nn.sliding import SlidingFrames
from graphmotion.skeletons import Skeleton, get_skeleton

_EPS = 1e-6  # of the layer normalisations in the published networks


class AttentionBlock(torch.nn.Module):
    r"""Transformer block with pre-normalisation: self-attention, then a perceptron.

    .. math::
        \mathbf{Y} = \mathbf{X} + \mathrm{Attention}(\mathrm{LN}(\mathbf{X})), \qquad
        \mathbf{X}^{\prime} = \mathbf{Y} + \mathrm{MLP}(\mathrm{LN}(\mathbf{Y}))

    Args:
        channels (int): Size of each feature.
        heads (int): Number of heads.
        mlp_ratio (int): Size of the hidden layer of the perceptron as a multiple of
            :obj:`channels`.

    Shapes:
        - **x:** features :math:`(B \cdot V, T, C)`, where :math:`V` joints attend to each other
          in each frame
        - **mask:** boolean :math:`(B \cdot V, T)`, :obj:`False` for joints to which none attends
        - **first_only:** if :obj:`True`, only the output of the first joint is computed,
          :math:`(B, T, C)`
        - **output:** features :math:`(B \cdot V, T, C)`
    """

    def __init__(self, channels: int, heads: int, mlp_ratio: int) -> None:
        super().__init__()
        self.attention_norm = LayerNorm(channels, eps=_EPS)
        self.attention = JointAttention(channels, heads)
        self.mlp_norm = LayerNorm(channels, eps=_EPS)
        self.mlp = Sequential(
            Linear(channels, mlp_ratio * channels), GELU(), Linear(mlp_ratio * channels, channels)
        )

    def forward(
        self, x: Tensor, num_nodes: int, mask: Tensor | None = None, first_only: bool = False
    ) -> Tensor:
        """Applies the block."""
        shortcut = split_graphs(x, num_nodes)[:, 0] if first_only else x
        normed = self.attention_norm(x)
        x = shortcut + self.attention(normed, num_nodes, mask=mask, first_only=first_only)
        return x + self.mlp(self.mlp_norm(x))


class SpatialMixer(ResettableModule):
    r"""First stage of :class:`GaitMixer` and :class:`GaitFormer`: a joint embedding with a learned
    position encoding, then attention over the joints of each frame.

    Args:
        num_nodes (int): Number of joints :math:`V`.
        in_channels (int): Size of each input feature.
        channels (int): Size of each output feature.
        depth (int): Number of blocks.
        heads (int): Number of heads.
        mlp_ratio (int): Size of the hidden layers of perceptrons as a multiple of
            :obj:`channels`.

    Shapes:
        - **x:** node features :math:`(B \cdot V, T, F_{in})`
        - **output:** node features :math:`(B \cdot V, T, C)`
    """

    def __init__(
        self,
        num_nodes: int,
        in_channels: int,
        channels: int,
        depth: int,
        heads: int,
        mlp_ratio: int,
    ) -> None:
        super().__init__()
        self.num_nodes = num_nodes
        self.lin = Linear(in_channels, channels)
        self.position = Parameter(torch.zeros(num_nodes, channels))
        self.blocks = ModuleList(AttentionBlock(channels, heads, mlp_ratio) for _ in range(depth))
        self.norm = LayerNorm(channels, eps=_EPS)

    def reset_parameters(self) -> None:
        r"""Resets all learnable parameters of the module.

        The encodings of joints start as zeros.
        """
        super().reset_parameters()
        torch.nn.init.zeros_(self.position)

    def forward(self, x: Tensor) -> Tensor:
        """Returns the features of the joints of ``x``."""
        x = self.lin(x)
        graphs = split_graphs(x, self.num_nodes)
        x = (graphs + self.position.to(x.dtype).unsqueeze(1)).flatten(0, 1)
        for block in self.blocks:
            x = block(x, self.num_nodes)
        return self.norm(x)


class TemporalMixerBlock(torch.nn.Module):
    r"""A large-kernel convolution over the frames of each joint.

    .. math::
        \mathbf{X}^{\prime} = \mathrm{BN}(\mathrm{GELU}(\mathrm{Conv}(\mathrm{Dropout}(
        \mathbf{X})))) + \mathrm{shortcut}(\mathbf{X})

    The shortcut is the identity or, if the number of channels changes,
    :math:`\mathrm{BN}(\mathrm{GELU}(\mathbf{X} \mathbf{W} + \mathbf{b}))`.

    Args:
        in_channels (int): Size of each input feature.
        out_channels (int): Size of each output feature.
        kernel_size (int): Number of frames of the kernel.
        padding (str): Padding of :class:`~graphmotion.nn.LargeKernelTemporalConv`.
        dropout (float): Dropout probability.

    Shapes:
        - **x:** node features :math:`(|\mathcal{V}|, T, F_{in})`
        - **mask:** boolean :math:`(|\mathcal{V}|, T)`, :obj:`False` for padded frames
        - **output:** node features :math:`(|\mathcal{V}|, T, F_{out})`
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, padding: str, dropout: float
    ) -> None:
        super().__init__()
        self.dropout = Dropout(dropout)
        self.conv = LargeKernelTemporalConv(in_channels, out_channels, kernel_size, padding)
        self.activation = GELU()
        self.norm = MotionBatchNorm(out_channels, eps=1e-3)
        self.shortcut = FrameSequential()
        if in_channels != out_channels:
            self.shortcut = FrameSequential(
                Linear(in_channels, out_channels), GELU(), MotionBatchNorm(out_channels, eps=1e-3)
            )

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Applies the block."""
        out = self.norm(self.activation(self.conv(self.dropout(x), mask)), mask)
        return out + self.shortcut(x, mask)

    def frame_mean(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        r"""Returns the means over the frames of the output, :math:`(|\mathcal{V}|, F_{out})`, in
        less time.
        """
        out = self.norm.frame_mean(self.activation(self.conv(self.dropout(x), mask)), mask)
        if len(self.shortcut) == 0:
            return out + frame_mean(x, mask)
        lin, activation, norm = cast(Any, self.shortcut)
        return out + norm.frame_mean(activation(lin(x)), mask)


@register_model('gaitmixer', task='recognition')
class GaitMixer(Configurable, LoadsPublishedWeights, ResettableModule):
    r"""The network of the `"GaitMixer: Skeleton-based Gait Representation Learning via
    Wide-spectrum Multi-axial Mixer" <https://arxiv.org/abs/2210.15491>`_ paper: self-attention
    over the joints of each frame, then convolutions with large kernels over the frames of each
    joint. The embedding is a linear map of the mean over joints and frames.

    The mean over the joints discards which joint has which features. With
    :obj:`joint_pooling='concat'`, the embedding is a linear map of the means over the frames of all
    joints side by side, as in :class:`GaitFormer`.

    Where the paper does not specify them, the number of blocks, heads and channels, the dropout
    and the side on which sequences are mirrored follow the published code.

    .. code-block:: python

        model = gaitmixer('coco17', channels=8, heads=2, temporal_channels=(8, 16))
        print(model(torch.randn(17, 60, 2)).shape)  # [1, 128]

    Args:
        skeleton (Skeleton or str): A skeleton or the name of a built-in layout.
            (default: :obj:`"coco17"`)
        embedding_dim (int, optional): Size of the embedding. (default: :obj:`128`)
        in_channels (int, optional): Size of each input feature. (default: :obj:`2`)
        channels (int, optional): Size of the features of the attention blocks.
            (default: :obj:`32`)
        depth (int, optional): Number of attention blocks. (default: :obj:`4`)
        heads (int, optional): Number of attention heads. (default: :obj:`8`)
        mlp_ratio (int, optional): Size of the hidden layers of perceptrons as a multiple of
            :obj:`channels`. (default: :obj:`2`)
        temporal_channels (sequence of int, optional): Output size of each temporal block.
            (default: :obj:`(32, 64, 128, 256)`)
        kernel_size (int, optional): Number of frames of the temporal kernels.
            (default: :obj:`31`)
        padding (str, optional): Padding of :class:`~graphmotion.nn.LargeKernelTemporalConv`.
            (default: :obj:`"reflect_start"`)
        dropout (float, optional): Dropout probability before each temporal convolution.
            (default: :obj:`0.01`)
        num_people (int, optional): Number of skeletons in a sample; their features are averaged.
            (default: :obj:`1`)
        joint_pooling (str, optional): :obj:`"mean"` over the joints, as in the paper, or
            :obj:`"concat"`. (default: :obj:`"mean"`)

    Shapes:
        - **x:** node features :math:`(B \cdot M \cdot V, T, F_{in})`
        - **num_frames:** number of frames of each sample before padding :math:`(B)`; padded frames
          have no effect. The default padding of the convolutions requires at least
          :obj:`kernel_size` frames
        - **output:** embeddings of unit length :math:`(B, \text{embedding\_dim})`

    Raises:
        ValueError: If the number of nodes is not a multiple of the nodes of a sample, or there are
            too few frames for the padding.
    """

    inputs = ('x', 'batch')
    optional_inputs = ('num_frames',)
    output = 'embeddings'

    def __init__(
        self,
        skeleton: str | Skeleton = 'coco17',
        embedding_dim: int = 128,
        in_channels: int = 2,
        channels: int = 32,
        depth: int = 4,
        heads: int = 8,
        mlp_ratio: int = 2,
        temporal_channels: Sequence[int] = (32, 64, 128, 256),
        kernel_size: int = 31,
        padding: str = 'reflect_start',
        dropout: float = 0.01,
        num_people: int = 1,
        joint_pooling: str = 'mean',
    ) -> None:
        super().__init__()
        self.skeleton = get_skeleton(skeleton)
        self.in_channels = in_channels
        self.num_people = num_people
        self.joint_pooling = check_choice('joint_pooling', joint_pooling, ('mean', 'concat'))
        self.spatial = SpatialMixer(
            self.skeleton.num_joints, in_channels, channels, depth, heads, mlp_ratio
        )
        sizes = [channels, *temporal_channels]
        self._width = max(sizes)
        self.temporal = ModuleList(
            TemporalMixerBlock(before, after, kernel_size, padding, dropout)
            for before, after in pairwise(sizes)
        )
        pooled = sizes[-1] * (self.skeleton.num_joints if joint_pooling == 'concat' else 1)
        self.norm = LayerNorm(pooled)
        self.lin = Linear(pooled, embedding_dim)

    @property
    def min_frames(self) -> int:
        r"""Minimum number of frames, for the padding of the convolutions."""
        return max(cast(TemporalMixerBlock, block).conv.min_frames for block in self.temporal)

    @property
    def head(self) -> Module:
        r"""The layers that map pooled features to the embedding."""
        return self.lin

    def features(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        r"""Returns the features of each joint in each frame, :math:`(B \cdot V, T, C)`.

        Frames that are :obj:`False` in :obj:`mask`, :math:`(B \cdot V, T)`, are padding, whose
        features are arbitrary.
        """
        x = self.spatial(x)
        for block in self.temporal:
            x = block(x, mask)
        return x

    def forward(
        self, x: Tensor, batch: Tensor | None = None, num_frames: Tensor | None = None
    ) -> Tensor:
        """Returns the embeddings; ``batch`` only validates the number of people."""
        check_graph_sizes(x, batch, self.skeleton.num_joints, self.num_people)
        num_nodes = self.num_people * self.skeleton.num_joints
        x, mask = mask_padding(x, num_frames, num_nodes)
        return apply_to_samples(self, self._embed_samples, x, mask, num_nodes, self._width)

    def _embed_samples(self, x: Tensor, mask: Tensor | None) -> Tensor:
        last = next(reversed(self.temporal), None)
        # Hooks expect the features of each frame.
        if not isinstance(last, TemporalMixerBlock) or has_hooks(last):
            return self._embed(frame_mean(self.features(x, mask), mask))
        x = self.spatial(x)
        for block in islice(self.temporal, len(self.temporal) - 1):
            x = block(x, mask)
        return self._embed(last.frame_mean(x, mask))

    def forward_sliding(self, x: SlidingFrames) -> Tensor:
        """Returns the embedding of a window that slides over a sequence."""
        x = x.map(self.spatial)
        for block in cast(Iterable[TemporalMixerBlock], self.temporal):
            x = x.map(block, reach=block.conv.reach)
        return self._embed(frame_mean(x.features))

    def _embed(self, means: Tensor) -> Tensor:
        """Returns the embeddings, given the mean features of each joint."""
        num_joints = self.skeleton.num_joints
        if self.joint_pooling == 'mean':
            pooled = graph_mean(means, self.num_people * num_joints)
        else:
            joints = split_graphs(means, num_joints).flatten(1)
            pooled = graph_mean(joints, self.num_people)
        return normalize(self.lin(self.norm(pooled)), dim=-1)

    def convert_reference_state_dict(
        self, state_dict: Mapping[str, Tensor], strict: bool = True
    ) -> dict[str, Tensor]:
        r"""Returns the weights of a published checkpoint, with names such as
        :obj:`spatial_blocks.0.attn.qkv.weight`, with the names and shapes of this model.
        """
        return from_published(state_dict, self.state_dict(), _NAMES, strict)


# Names of modules in this model by their names in published checkpoints; {} is a number.
BLOCK_NAMES = {
    'spatial_blocks.{}.norm1': 'spatial.blocks.{}.attention_norm',
    'spatial_blocks.{}.attn': 'spatial.blocks.{}.attention',
    'spatial_blocks.{}.norm2': 'spatial.blocks.{}.mlp_norm',
    'spatial_blocks.{}.mlp.fc1': 'spatial.blocks.{}.mlp.0',
    'spatial_blocks.{}.mlp.fc2': 'spatial.blocks.{}.mlp.2',
}
SPATIAL_NAMES = BLOCK_NAMES | {
    'spatial_joint_to_embedding': 'spatial.lin',
    'spatial_pos_embed': 'spatial.position',
    'spatial_norm': 'spatial.norm',
}
_NAMES = SPATIAL_NAMES | {
    'conv{}.conv': 'temporal.{}.conv',
    'conv{}.bn': 'temporal.{}.norm.norm',
    'conv{}.linear': 'temporal.{}.shortcut.0',
    'conv{}.bn_skip': 'temporal.{}.shortcut.2.norm',
    'head.0': 'norm',
    'head.1': 'lin',
}


def from_published(
    published: Mapping[str, Tensor],
    own: Mapping[str, Tensor],
    names: Mapping[str, str],
    strict: bool = True,
) -> dict[str, Tensor]:
    """Returns the weights of a published checkpoint; see :func:`match_state_dict`."""
    weights = (
        (name, _translate(name.removeprefix('module.'), names), value)
        for name, value in published.items()
    )
    return match_state_dict(weights, own, strict)


def _translate(name: str, names: Mapping[str, str]) -> str | None:
    """Returns the name of a weight in this model, or None if it has no counterpart."""
    parts = name.split('.')
    for length in range(len(parts), 0, -1):
        head, tail = '.'.join(parts[:length]), parts[length:]
        number = next((c for c in head if c.isdigit()), '')
        pattern = head.replace(number, '{}', 1) if number else head
        for key, digit in ((head, ''), (pattern, number)):
            if key in names:
                # Published convolutions are counted from one.
                index = int(digit or 0) - key.startswith('conv')
                return '.'.join([names[key].format(index), *tail])
    return None


gaitmixer = GaitMixer
