"""GaitFormer, gait recognition by attention over joints and frames."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import LayerNorm, Module, ModuleList, Parameter
from torch.nn.functional import normalize, pad

from graphmotion.checks import check_int
from graphmotion.config import Configurable
from graphmotion.models.gaitmixer import (
    BLOCK_NAMES,
    SPATIAL_NAMES,
    AttentionBlock,
    SpatialMixer,
    from_published,
)
from graphmotion.models.published_weights import LoadsPublishedWeights
from graphmotion.models.registry import register_model
from graphmotion.nn.frames import mask_padding
from graphmotion.nn.graphs import check_graph_sizes, split_graphs
from graphmotion.nn.linear import Linear
from graphmotion.nn.resettable import ResettableModule
from graphmotion.nn.sample_blocks import apply_to_samples
from graphmotion.nn.sliding import SlidingFrames
from graphmotion.skeletons import Skeleton, get_skeleton


@register_model('gaitformer', task='recognition')
class GaitFormer(Configurable, LoadsPublishedWeights, ResettableModule):
    r"""The baseline of the `"GaitMixer: Skeleton-based Gait Representation Learning via
    Wide-spectrum Multi-axial Mixer" <https://arxiv.org/abs/2210.15491>`_ paper, with attention on
    both axes: over the joints of each frame, then over a class token and the frames of each joint.
    The embedding is a linear map of the class tokens of all joints.

    .. code-block:: python

        model = gaitformer('coco17', num_frames=30, channels=8, heads=2)
        print(model(torch.randn(17, 30, 2)).shape)  # [1, 128]

    Args:
        skeleton (Skeleton or str): A skeleton or the name of a built-in layout.
            (default: :obj:`"coco17"`)
        embedding_dim (int, optional): Size of the embedding. (default: :obj:`128`)
        in_channels (int, optional): Size of each input feature. (default: :obj:`2`)
        num_frames (int, optional): Maximum number of frames. (default: :obj:`60`)
        channels (int, optional): Size of the features. (default: :obj:`32`)
        depth (int, optional): Number of attention blocks on each axis. (default: :obj:`4`)
        heads (int, optional): Number of attention heads. (default: :obj:`8`)
        mlp_ratio (int, optional): Size of the hidden layers of perceptrons as a multiple of
            :obj:`channels`. (default: :obj:`2`)

    Shapes:
        - **x:** node features :math:`(B \cdot V, T, F_{in})`
        - **num_frames:** number of frames of each sample before padding :math:`(B)`; padded frames
          have no effect
        - **output:** embeddings of unit length :math:`(B, \text{embedding\_dim})`

    Raises:
        ValueError: If :obj:`depth` is less than 1, the number of nodes is not a multiple of the
            number of joints, or there are more frames than :obj:`num_frames`.
    """

    inputs = ('x', 'batch')
    optional_inputs = ('num_frames',)
    output = 'embeddings'

    def __init__(
        self,
        skeleton: str | Skeleton = 'coco17',
        embedding_dim: int = 128,
        in_channels: int = 2,
        num_frames: int = 60,
        channels: int = 32,
        depth: int = 4,
        heads: int = 8,
        mlp_ratio: int = 2,
    ) -> None:
        super().__init__()
        check_int('depth', depth, 1)
        self.skeleton = get_skeleton(skeleton)
        self.in_channels = in_channels
        self._width = 3 * channels  # of queries, keys and values
        self.num_frames = num_frames
        num_joints = self.skeleton.num_joints
        self.spatial = SpatialMixer(num_joints, in_channels, channels, depth, heads, mlp_ratio)
        self.token = Parameter(torch.randn(channels))
        self.position = Parameter(torch.zeros(1 + num_frames, channels))
        self.blocks = ModuleList(AttentionBlock(channels, heads, mlp_ratio) for _ in range(depth))
        self.temporal_norm = LayerNorm(channels, eps=1e-6)
        self.norm = LayerNorm(num_joints * channels)
        self.lin = Linear(num_joints * channels, embedding_dim)

    @property
    def max_frames(self) -> int:
        r"""Maximum number of frames, for which there are position encodings."""
        return self.num_frames

    @property
    def head(self) -> Module:
        r"""The layers that map pooled features to the embedding."""
        return self.lin

    def reset_parameters(self) -> None:
        r"""Resets all learnable parameters of the module.

        The encodings of joints and frames start as zeros.
        """
        super().reset_parameters()
        torch.nn.init.normal_(self.token)
        torch.nn.init.zeros_(self.position)

    def forward(
        self, x: Tensor, batch: Tensor | None = None, num_frames: Tensor | None = None
    ) -> Tensor:
        """Returns the embeddings; ``batch`` only validates that each graph is one skeleton."""
        check_graph_sizes(x, batch, self.skeleton.num_joints)
        if x.size(1) > self.num_frames:
            raise ValueError(
                f'x has {x.size(1)} frames, expected at most num_frames={self.num_frames}'
            )
        num_joints = self.skeleton.num_joints
        x, mask = mask_padding(x, num_frames, num_joints)
        return apply_to_samples(self, self._embed_samples, x, mask, num_joints, self._width)

    def _embed_samples(self, x: Tensor, mask: Tensor | None) -> Tensor:
        return self._embed(self.spatial(x), mask)

    def forward_sliding(self, x: SlidingFrames) -> Tensor:
        """Returns the embedding of a window that slides over a sequence."""
        return self._embed(x.map(self.spatial).features)

    def _embed(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Returns the embeddings, given the features of the spatial stage."""
        num_nodes, length = x.shape[:2]
        token = self.token.to(x.dtype).expand(num_nodes, 1, -1)
        x = torch.cat([token, x], dim=1) + self.position[: 1 + length].to(x.dtype)
        # Frames take the place of joints in the attention blocks.
        x = x.reshape(-1, 1, x.size(-1))
        if mask is not None:
            mask = pad(mask, (1, 0), value=True).view(-1, 1)
        *blocks, last = self.blocks
        for block in blocks:
            x = block(x, 1 + length, mask)
        x = last(x, 1 + length, mask, first_only=True)  # the head reads the class tokens only
        x = self.temporal_norm(x.squeeze(1))
        joints = split_graphs(x, self.skeleton.num_joints).flatten(1)
        return normalize(self.lin(self.norm(joints)), dim=-1)

    def convert_reference_state_dict(
        self, state_dict: Mapping[str, Tensor], strict: bool = True
    ) -> dict[str, Tensor]:
        r"""Returns the weights of a published checkpoint with the names and shapes of this model.

        The spatial stage and the head have the same names as in GaitMixer. The temporal stage may
        have any prefix: its blocks and layer normalisation are identified by the remainder of
        their names, the class token and the position encoding of frames by their shapes.
        """
        published = {name.removeprefix('module.'): value for name, value in state_dict.items()}
        channels = self.position.size(1)
        names = SPATIAL_NAMES | {'head.0': 'norm', 'head.1': 'lin'}
        spatial = ('spatial_', 'head.')
        for name, value in published.items():
            if name.startswith(spatial):
                continue
            stem, _, leaf = name.rpartition('.')
            prefix, found, _ = name.partition('.0.attn.qkv.')
            if found:
                blocks = {k.replace('spatial_blocks', prefix): v for k, v in BLOCK_NAMES.items()}
                names |= {k: v.replace('spatial.', '') for k, v in blocks.items()}
            elif value.dim() == 1 and value.numel() == channels and '.' not in stem:
                names[stem] = 'temporal_norm'
            elif value.dim() == 3 and leaf == name:
                names[name] = 'token' if value.numel() == channels else 'position'
        return from_published(published, self.state_dict(), names, strict)


gaitformer = GaitFormer
