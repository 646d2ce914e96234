"""GaitMixer, gait recognition by attention over joints and large kernels over frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import GELU, Dropout, LayerNorm, Linear, ModuleList, Parameter, Sequential
from torch.nn.functional import normalize

from graphmotion.models.registry import register_model
from graphmotion.nn import JointAttention, LargeKernelTemporalConv, MotionBatchNorm
from graphmotion.nn.graphs import check_graph_sizes, graph_mean, split_graphs
from graphmotion.nn.resettable import ResettableModule
from graphmotion.skeletons import Skeleton, get_skeleton

_EPS = 1e-6  # of the layer normalisations of the published networks


class AttentionBlock(torch.nn.Module):
    r"""Self-attention and a perceptron, each behind a layer normalisation and added to its input.

    .. math::
        \mathbf{Y} = \mathbf{X} + \mathrm{Attention}(\mathrm{LN}(\mathbf{X})), \qquad
        \mathbf{X}^{\prime} = \mathbf{Y} + \mathrm{MLP}(\mathrm{LN}(\mathbf{Y}))

    Args:
        channels (int): Size of each feature.
        heads (int): Number of heads.
        ratio (int): Size of the hidden layer of the perceptron, in channels.

    Shapes:
        - **x:** features :math:`(B \cdot V, T, C)` of V joints that attend to each other in each
          frame
        - **output:** features :math:`(B \cdot V, T, C)`
    """

    def __init__(self, channels: int, heads: int, ratio: int) -> None:
        super().__init__()
        self.attention_norm = LayerNorm(channels, eps=_EPS)
        self.attention = JointAttention(channels, heads)
        self.mlp_norm = LayerNorm(channels, eps=_EPS)
        self.mlp = Sequential(
            Linear(channels, ratio * channels), GELU(), Linear(ratio * channels, channels)
        )

    def forward(self, x: Tensor, num_nodes: int) -> Tensor:
        """One block."""
        x = x + self.attention(self.attention_norm(x), num_nodes)
        return x + self.mlp(self.mlp_norm(x))


class SpatialMixer(ResettableModule):
    r"""What :class:`GaitMixer` and :class:`GaitFormer` begin with: each joint is embedded, with a
    learned code of which one it is, and joints attend to each other in each frame.

    Args:
        num_nodes (int): Number of joints :math:`V`.
        in_channels (int): Size of each input feature.
        channels (int): Size of each output feature.
        depth (int): Number of blocks.
        heads (int): Number of heads.
        ratio (int): Size of the hidden layers of perceptrons, in channels.

    Shapes:
        - **x:** node features :math:`(B \cdot V, T, F_{in})`
        - **output:** node features :math:`(B \cdot V, T, C)`
    """

    def __init__(
        self, num_nodes: int, in_channels: int, channels: int, depth: int, heads: int, ratio: int
    ) -> None:
        super().__init__()
        self.num_nodes = num_nodes
        self.lin = Linear(in_channels, channels)
        self.position = Parameter(torch.zeros(num_nodes, channels))
        self.blocks = ModuleList(AttentionBlock(channels, heads, ratio) for _ in range(depth))
        self.norm = LayerNorm(channels, eps=_EPS)

    def reset_parameters(self) -> None:
        r"""Resets all learnable parameters of the module.

        The encodings of joints start as zeros.
        """
        super().reset_parameters()
        torch.nn.init.zeros_(self.position)

    def forward(self, x: Tensor) -> Tensor:
        """Mix joints."""
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

    The shortcut is the identity, or where channels grow
    :math:`\mathrm{BN}(\mathrm{GELU}(\mathbf{X} \mathbf{W} + \mathbf{b}))`.

    Args:
        in_channels (int): Size of each input feature.
        out_channels (int): Size of each output feature.
        kernel_size (int): Number of frames of the kernel.
        padding (str): See :class:`~graphmotion.nn.LargeKernelTemporalConv`.
        dropout (float): Dropout probability.

    Shapes:
        - **x:** node features :math:`(|\mathcal{V}|, T, F_{in})`
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
        self.shortcut: torch.nn.Module = torch.nn.Identity()
        if in_channels != out_channels:
            self.shortcut = Sequential(
                Linear(in_channels, out_channels), GELU(), MotionBatchNorm(out_channels, eps=1e-3)
            )

    def forward(self, x: Tensor) -> Tensor:
        """One block."""
        out = self.norm(self.activation(self.conv(self.dropout(x))))
        return out + self.shortcut(x)


@register_model('gaitmixer', task='recognition')
class GaitMixer(ResettableModule):
    r"""The network of the `"GaitMixer: Skeleton-based Gait Representation Learning via
    Wide-spectrum Multi-axial Mixer" <https://arxiv.org/abs/2210.15491>`_ paper: self-attention
    over the joints of each frame, then convolutions with large kernels over the frames of each
    joint, and the mean of all as the embedding of the gait.

    The number of blocks, heads and channels, the dropout and the side on which sequences are
    mirrored are those of the published code, where the paper does not tell.

    Args:
        skeleton (Skeleton or str): The skeleton, or the name of a built-in one.
        embedding_dim (int, optional): Size of the embedding. (default: :obj:`128`)
        in_channels (int, optional): Size of each input feature. (default: :obj:`2`)
        channels (int, optional): Size of the features of joints. (default: :obj:`32`)
        depth (int, optional): Number of blocks over joints. (default: :obj:`4`)
        heads (int, optional): Number of heads. (default: :obj:`8`)
        mlp_ratio (int, optional): Size of the hidden layers of perceptrons, in channels.
            (default: :obj:`2`)
        temporal_channels (sequence of int, optional): Output size of each block over frames.
            (default: :obj:`(32, 64, 128, 256)`)
        kernel_size (int, optional): Number of frames of the kernels. (default: :obj:`31`)
        padding (str, optional): What stands before the first and after the last frame; see
            :class:`~graphmotion.nn.LargeKernelTemporalConv`. (default: :obj:`"reflect_start"`)
        dropout (float, optional): Dropout probability before each temporal convolution.
            (default: :obj:`0.01`)
        num_people (int, optional): Number of skeletons in a sample, of which the embedding is the
            mean. (default: :obj:`1`)

    Shapes:
        - **x:** node features :math:`(B \cdot V, T, F_{in})`, with mirrored frames of at least
          :obj:`kernel_size` frames
        - **output:** embeddings of length one :math:`(B, \text{embedding\_dim})`

    Raises:
        ValueError: If the number of nodes is not a multiple of that of a sample, or there are
            fewer frames than the kernel can mirror.
    """

    inputs = ('x', 'batch')

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
    ) -> None:
        super().__init__()
        self.skeleton = get_skeleton(skeleton)
        self.num_people = num_people
        self.spatial = SpatialMixer(
            self.skeleton.num_joints, in_channels, channels, depth, heads, mlp_ratio
        )
        sizes = [channels, *temporal_channels]
        self.temporal = ModuleList(
            TemporalMixerBlock(before, after, kernel_size, padding, dropout)
            for before, after in pairwise(sizes)
        )
        self.norm = LayerNorm(sizes[-1])
        self.lin = Linear(sizes[-1], embedding_dim)

    def features(self, x: Tensor) -> Tensor:
        r"""The features of each joint in each frame, of which the embedding is made:
        :math:`(B \cdot V, T, C)`.
        """
        x = self.spatial(x)
        for block in self.temporal:
            x = block(x)
        return x

    def forward(self, x: Tensor, batch: Tensor | None = None) -> Tensor:
        """Embeddings; ``batch`` checks that each graph has ``num_people`` skeletons."""
        check_graph_sizes(x, batch, self.skeleton.num_joints, self.num_people)
        pooled = graph_mean(self.features(x), self.num_people * self.skeleton.num_joints)
        return normalize(self.lin(self.norm(pooled)), dim=-1)

    def load_reference_state_dict(self, state_dict: Mapping[str, Tensor]) -> None:
        r"""Load weights under the names of the published checkpoints, such as
        :obj:`spatial_blocks.0.attn.qkv.weight`, with which the outputs are the same.

        Raises:
            ValueError: If a name or a shape does not fit; the model is then left as it was.
        """
        self.load_state_dict(from_reference(state_dict, self.state_dict(), _NAMES))


# The names of the published networks and ours, part by part; a number stands for itself.
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


def from_reference(
    theirs: Mapping[str, Tensor], ours: Mapping[str, Tensor], names: Mapping[str, str]
) -> dict[str, Tensor]:
    """The weights of a published checkpoint under our names, in our shapes."""
    out: dict[str, Tensor] = {}
    for name, value in theirs.items():
        key = _translate(name.removeprefix('module.'), names)
        if key is None or key not in ours:
            raise ValueError(f'the checkpoint holds {name!r}, which this model does not have')
        if [s for s in value.shape if s != 1] != [s for s in ours[key].shape if s != 1]:
            raise ValueError(
                f'the checkpoint holds {name!r} of shape {list(value.shape)}, '
                f'expected {list(ours[key].shape)}'
            )
        out[key] = value.reshape(ours[key].shape)
    missing = sorted(ours.keys() - out.keys())
    if missing:
        raise ValueError(f'the checkpoint lacks what this model has as {missing}')
    return out


def _translate(name: str, names: Mapping[str, str]) -> str | None:
    parts = name.split('.')
    for length in range(len(parts), 0, -1):
        head, tail = '.'.join(parts[:length]), parts[length:]
        number = next((c for c in head if c.isdigit()), '')
        pattern = head.replace(number, '{}', 1) if number else head
        for wanted, digit in ((head, ''), (pattern, number)):
            if wanted in names:
                # Their convolutions are counted from one.
                position = int(digit or 0) - (wanted.startswith('conv'))
                return '.'.join([names[wanted].format(position), *tail])
    return None


gaitmixer = GaitMixer
