"""LMGCS, gait recognition from silhouettes by temporal features of horizontal strips."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import Identity, Linear, Module, Parameter

from graphmotion.models.registry import register_model
from graphmotion.models.silhouette_backbone import SilhouetteBackbone
from graphmotion.nn import (
    BranchFusion,
    HorizontalPyramidPooling,
    MultiResolutionTemporalConv,
    TemporalDecoder,
)
from graphmotion.nn.graphs import frame_max, padded_frames
from graphmotion.nn.resettable import ResettableModule


class LocalGlobalTemporal(ResettableModule):
    r"""What :class:`LMGCS` does with the frames of each node, whether it is a strip of a
    silhouette or a joint of a skeleton: local features over windows of several lengths
    (:class:`~graphmotion.nn.MultiResolutionTemporalConv`), each length a branch; branches that
    take from one another (:class:`~graphmotion.nn.BranchFusion`); and, for each branch, its
    maximum over frames and what attention makes of that maximum and all frames
    (:class:`~graphmotion.nn.TemporalDecoder`, shared by the branches). Nodes do not mix.

    Args:
        in_channels (int): Size of each input feature.
        channels (int, optional): Size :math:`C` of all other features. (default: :obj:`256`)
        window_sizes (sequence of int, optional): Numbers of frames, odd, one for each branch;
            :obj:`None` for no local features: the one branch is the input itself, or a linear map
            of it if it has another size. (default: :obj:`(1, 3, 5)`)
        share_weights (bool, optional): Whether all windows have the same weights.
            (default: :obj:`True`)
        fusion (str, optional): :obj:`"sum"`, :obj:`"attention"` or :obj:`None` for branches that
            stay apart. (default: :obj:`"sum"`)
        reverse (bool, optional): If set to :obj:`True`, sums run from the last branch to the
            first. (default: :obj:`False`)
        num_blocks (tuple, optional): Number of encoder and of decoder blocks, or :obj:`None` for
            maxima alone. (default: :obj:`(4, 4)`)
        heads (int, optional): Number of heads. (default: :obj:`8`)
        feedforward_channels (int, optional): Size of the hidden layers. (default: :obj:`2048`)
        dropout (float, optional): Dropout probability of the attention. (default: :obj:`0.0`)
        position (bool, optional): If set to :obj:`True`, attention knows the order of frames.
            (default: :obj:`False`)

    Shapes:
        - **x:** node features :math:`(|\mathcal{V}|, T, F_{in})`
        - **mask:** boolean :math:`(|\mathcal{V}|, T)`, :obj:`True` where a frame is real; all are
          if not given
        - **output:** maxima, and the features of the whole sequence or :obj:`None`, both
          :math:`(S, |\mathcal{V}|, C)` for :math:`S` branches
    """

    def __init__(
        self,
        in_channels: int,
        channels: int = 256,
        window_sizes: Sequence[int] | None = (1, 3, 5),
        share_weights: bool = True,
        fusion: str | None = 'sum',
        reverse: bool = False,
        num_blocks: Sequence[int] | None = (4, 4),
        heads: int = 8,
        feedforward_channels: int = 2048,
        dropout: float = 0.0,
        position: bool = False,
    ) -> None:
        super().__init__()
        self.num_branches = 1 if window_sizes is None else len(window_sizes)
        self.local: Module
        if window_sizes is not None:
            self.local = MultiResolutionTemporalConv(
                in_channels, channels, window_sizes, share_weights
            )
        else:
            self.local = Identity() if in_channels == channels else Linear(in_channels, channels)
        self.fusion = (
            None if fusion is None else BranchFusion(channels, self.num_branches, fusion, reverse)
        )
        self.decoder: TemporalDecoder | None = None
        if num_blocks is not None:
            encoder, decoder = num_blocks
            self.decoder = TemporalDecoder(
                channels, heads, encoder, decoder, feedforward_channels, dropout, position
            )

    def branches(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        r"""The features of each branch in each frame: :math:`(S, |\mathcal{V}|, T, C)`; those of
        frames that are not real mean nothing.
        """
        padded = padded_frames(x, mask)
        if padded is not None:  # as frames before the first and after the last
            x = x.masked_fill(padded.unsqueeze(-1), 0)
        out = self.local(x)
        branches = out if isinstance(out, list) else [out]
        return torch.stack(branches if self.fusion is None else self.fusion(branches))

    def maxima(self, branches: Tensor, mask: Tensor | None = None) -> Tensor:
        r"""The maximum over the frames of each branch: :math:`(S, |\mathcal{V}|, C)`."""
        x, mask = _one_branch(branches, mask)
        return frame_max(x, padded_frames(x, mask)).unflatten(0, branches.shape[:2])

    def decode(self, branches: Tensor, mask: Tensor | None = None) -> Tensor:
        r"""What attention makes of the frames of each branch: :math:`(S, |\mathcal{V}|, C)`.

        Raises:
            ValueError: If there are no blocks of attention.
        """
        if self.decoder is None:
            raise ValueError('there is nothing that decodes frames where num_blocks is None')
        return self.decoder(*_one_branch(branches, mask)).unflatten(0, branches.shape[:2])

    def forward(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Maxima and decoded features of the frames of ``x``."""
        branches = self.branches(x, mask)
        decoded = None if self.decoder is None else self.decode(branches, mask)
        return self.maxima(branches, mask), decoded


def _one_branch(branches: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Branches one after the other as nodes: [S, N, T, C] to [S * N, T, C]."""
    return branches.flatten(0, 1), None if mask is None else mask.repeat(branches.size(0), 1)


class SeparateLinear(Module):
    r"""A linear map of its own for each part, such as a strip: :math:`\mathbf{x}^{\prime}_p =
    \mathbf{x}_p \mathbf{W}_p`.

    The initial weights are those of the code of GaitSet and OpenGait: Xavier's rule for the tensor
    :math:`P \times F_{in} \times F_{out}` as a whole, of which PyTorch takes :math:`F_{in} F_{out}`
    for the inputs and :math:`P F_{out}` for the outputs. They are uniform with the deviation
    :math:`\sqrt{2 / (F_{out} (F_{in} + P))}`, below that of a single layer,
    :math:`\sqrt{2 / (F_{in} + F_{out})}`.

    Args:
        num_parts (int): Number of parts :math:`P`.
        in_channels (int): Size of each input feature.
        out_channels (int): Size of each output feature.

    Shapes:
        - **x:** features :math:`(B, P, F_{in})`
        - **output:** features :math:`(B, P, F_{out})`
    """

    def __init__(self, num_parts: int, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.weight = Parameter(torch.empty(num_parts, in_channels, out_channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        r"""Resets all learnable parameters of the module."""
        torch.nn.init.xavier_uniform_(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Map the parts of ``x``."""
        if x.dim() != 3 or x.shape[1:] != self.weight.shape[:2]:
            raise ValueError(
                f'x has the shape {list(x.shape)}, expected [B, {self.weight.size(0)}, '
                f'{self.weight.size(1)}]'
            )
        return torch.bmm(x.transpose(0, 1), self.weight).transpose(0, 1)

    def __repr__(self) -> str:
        parts, before, after = self.weight.shape
        return f'{self.__class__.__name__}({parts}, {before}, {after})'


class LMGCSFeatures(NamedTuple):
    r"""What :class:`LMGCS` tells people apart by, for :math:`P` strips of each of :math:`S`
    branches; triplet losses compare samples part by part.

    Args:
        local_parts (Tensor, optional): Made of maxima over frames: :math:`(B, S \cdot P, D)`.
        global_parts (Tensor, optional): Made by attention over frames: of the same shape.
    """

    local_parts: Tensor | None
    global_parts: Tensor | None


@register_model('lmgcs', task='recognition')
class LMGCS(ResettableModule):
    r"""The network of "Multi-view gait recognition with joint local multi-scale and global
    contextual spatio-temporal features": convolutions over the pixels and frames of silhouettes,
    pooled to horizontal strips, which are the nodes of the graph, and for each strip local
    features over windows of several lengths, that take from one another, and attention over
    frames. In the words of the paper these are the LMFE, MFF and GSFE modules.

    .. math::
        \mathbf{M} = \mathrm{HPP}(\mathrm{E3D}(\mathbf{I})), \quad
        \mathbf{C}_{1..S} = \mathrm{MFF}(\mathrm{LMFE}(\mathbf{M})), \quad
        \mathbf{O}_{s,p} = \mathrm{GSFE}(\mathbf{C}_{s,p}), \quad
        \mathbf{e} = \big\Vert_{s,p} \mathbf{O}_{s,p} \mathbf{W}_p

    The paper leaves much open. Here, and why:

    - A maximum over 2 by 2 pixels follows the first two convolutions, so that 64 rows become 16
      strips, and no frame is lost, as Eq. 2 has a window for each.
    - The paper prints mean and maximum of a strip as concatenated, which makes 256 features of
      128 channels. All its parameter counts ask for attention over 256 features with hidden
      layers of 2048, which is one module for all branches.
    - All windows share their weights, as the reported number of parameters is the same for each:
      see :class:`~graphmotion.nn.MultiResolutionTemporalConv`.
    - Eq. 4 prints a concatenation and the text a sum without parameters: it is a sum.
    - Each branch has separate linear maps of its strips for the maxima, which the first triplet
      loss trains; one such bank serves the decoded features of all branches. This makes 1,048,576
      parameters for each further branch, as reported.
    - The paper does not mention dropout, so there is none: in attention that starts from small
      differences between clips, it adds more noise than there is signal.
    - What is compared at test is not told: it is the decoded features of all branches and strips.

    Parameters and multiply-adds, of a clip of 30 frames of 64 by 44 pixels:

    ======== ========== ============= ========= ============
    branches parameters the paper's   giga-MACs the paper's
    ======== ========== ============= ========= ============
    1        14,656,192 14.72 million 7.70      2.58 to 2.59
    2        15,704,768 15.77 million 10.72     2.59 to 2.60
    3        16,753,344 16.82 million 13.74     2.60
    ======== ========== ============= ========= ============

    The paper's operations cannot be those of the whole network: the convolutions alone take 4.7.

    Every row of its ablation tables is an option, but for the networks of others. Local features,
    their fusion and attention are left out by :obj:`window_sizes=None`, :obj:`fusion=None` and
    :obj:`num_blocks=None`; without all three the network is the baseline, a maximum over frames.
    With :obj:`frame_kernel=1` besides, frames are a set, much as in the `"GaitSet: Regarding Gait
    as a Set for Cross-View Gait Recognition" <https://arxiv.org/abs/1811.06186>`_ paper, which
    takes the maximum over frames of the images, not of their strips. There, too, attention can
    take the place of the maximum.

    Args:
        channels (sequence of int, optional): Size of the features of each convolution.
            (default: :obj:`(32, 64, 128, 128)`)
        feature_dim (int, optional): Size of the features of each strip in each branch of the
            embedding. (default: :obj:`256`)
        width (int, optional): Size of the temporal features. (default: :obj:`256`)
        window_sizes (sequence of int, optional): See :class:`LocalGlobalTemporal`.
            (default: :obj:`(1, 3, 5)`)
        share_weights (bool, optional): See there. (default: :obj:`True`)
        fusion (str, optional): See there. (default: :obj:`"sum"`)
        reverse (bool, optional): See there. (default: :obj:`False`)
        num_blocks (tuple, optional): See there. (default: :obj:`(4, 4)`)
        heads (int, optional): See there. (default: :obj:`8`)
        feedforward_channels (int, optional): See there. (default: :obj:`2048`)
        dropout (float, optional): See there. (default: :obj:`0.0`)
        position (bool, optional): See there. (default: :obj:`False`)
        bins (sequence of int, optional): Numbers of strips; see
            :class:`~graphmotion.nn.HorizontalPyramidPooling`. (default: :obj:`(16,)`)
        hpp (str, optional): :obj:`"concat"` or :obj:`"sum"` of mean and maximum of a strip.
            (default: :obj:`"concat"`)
        frame_kernel (int or sequence of int, optional): Number of frames of the convolutions.
            (default: :obj:`3`)
        pools (sequence of int, optional): The convolutions, counted from 1, that halve height and
            width by a maximum. (default: :obj:`(1, 2)`)
        strided (sequence of int, optional): Those that halve them by a stride.
            (default: :obj:`()`)
        embed_local (bool, optional): If set to :obj:`True`, the features of the maxima follow the
            decoded ones in the embedding. Without attention they are the embedding.
            (default: :obj:`False`)

    Shapes:
        - **silhouettes:** clips :math:`(B, T, H, W)` of any number of frames, 1 or :obj:`True` on
          the body and 0 elsewhere, of any type
        - **num_frames:** the numbers of frames :math:`(B)` before padding; all :math:`T` if not
          given
        - **output:** embeddings :math:`(B, \text{embedding\_dim})`

    Raises:
        ValueError: If shapes do not fit, the height cannot be cut into strips, a clip has no
            frame, or values are larger than 1.
    """

    inputs = ('silhouettes', 'num_frames')

    def __init__(
        self,
        channels: Sequence[int] = (32, 64, 128, 128),
        feature_dim: int = 256,
        width: int = 256,
        window_sizes: Sequence[int] | None = (1, 3, 5),
        share_weights: bool = True,
        fusion: str | None = 'sum',
        reverse: bool = False,
        num_blocks: Sequence[int] | None = (4, 4),
        heads: int = 8,
        feedforward_channels: int = 2048,
        dropout: float = 0.0,
        position: bool = False,
        bins: Sequence[int] = (16,),
        hpp: str = 'concat',
        frame_kernel: int | Sequence[int] = 3,
        pools: Sequence[int] = (1, 2),
        strided: Sequence[int] = (),
        embed_local: bool = False,
    ) -> None:
        super().__init__()
        self.backbone = SilhouetteBackbone(channels, frame_kernel, pools, strided)
        self.pooling = HorizontalPyramidPooling(bins, hpp)
        self.temporal = LocalGlobalTemporal(
            channels[-1] * (2 if hpp == 'concat' else 1),
            width,
            window_sizes,
            share_weights,
            fusion,
            reverse,
            num_blocks,
            heads,
            feedforward_channels,
            dropout,
            position,
        )
        self.num_strips = self.pooling.num_strips
        self.num_parts = self.temporal.num_branches * self.num_strips
        self.feature_dim = feature_dim
        self.embed_local = embed_local
        self.local_lin = SeparateLinear(self.num_parts, width, feature_dim)
        self.global_lin = (
            None if num_blocks is None else SeparateLinear(self.num_strips, width, feature_dim)
        )
        both = embed_local and num_blocks is not None
        self.embedding_dim = self.num_parts * feature_dim * (2 if both else 1)

    @property
    def local_modules(self) -> list[Module]:
        r"""What the first stage of training trains: subnetwork A of the paper."""
        modules = (self.backbone, self.temporal.local, self.temporal.fusion, self.local_lin)
        return [module for module in modules if module is not None]

    @property
    def global_modules(self) -> list[Module]:
        r"""What the second stage trains: subnetwork B, empty without attention."""
        modules = (self.temporal.decoder, self.global_lin)
        return [module for module in modules if module is not None]

    def branches(
        self, silhouettes: Tensor, num_frames: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        r"""The features of each branch in each frame of each strip, :math:`(S, B \cdot P, T, C)`,
        and which frames are real, :math:`(B \cdot P, T)`, or :obj:`None` if all are.
        """
        self._check(silhouettes, num_frames)
        mask = _real_frames(silhouettes, num_frames)
        images = silhouettes.to(self.local_lin.weight.dtype)
        strips = self.pooling(self.backbone(images, None if mask is None else ~mask))
        if mask is not None:
            mask = mask.repeat_interleave(self.num_strips, dim=0)
        return self.temporal.branches(strips, mask), mask

    def local_parts(self, branches: Tensor, mask: Tensor | None = None) -> Tensor:
        r"""The parts made of maxima over the frames of :meth:`branches`."""
        return self.local_lin(self._by_clip(self.temporal.maxima(branches, mask)).flatten(1, 2))

    def global_parts(self, branches: Tensor, mask: Tensor | None = None) -> Tensor:
        r"""The parts made by attention over the frames of :meth:`branches`.

        Raises:
            ValueError: If the network has no attention.
        """
        decoded = self._by_clip(self.temporal.decode(branches, mask))
        assert self.global_lin is not None  # or decode() had refused
        parts = self.global_lin(decoded.flatten(0, 1))
        return parts.reshape(decoded.size(0), self.num_parts, self.feature_dim)

    def features(self, silhouettes: Tensor, num_frames: Tensor | None = None) -> LMGCSFeatures:
        r"""The parts of which the embedding is made."""
        branches, mask = self.branches(silhouettes, num_frames)
        return LMGCSFeatures(
            self.local_parts(branches, mask),
            None if self.global_lin is None else self.global_parts(branches, mask),
        )

    def forward(self, silhouettes: Tensor, num_frames: Tensor | None = None) -> Tensor:
        """Embeddings of ``silhouettes``."""
        branches, mask = self.branches(silhouettes, num_frames)
        parts = [] if self.global_lin is None else [self.global_parts(branches, mask)]
        if self.embed_local or not parts:
            parts.append(self.local_parts(branches, mask))
        return torch.cat(parts, dim=1).flatten(1)

    def _by_clip(self, x: Tensor) -> Tensor:
        """[S, B * P, C] to [B, S, P, C]."""
        return x.unflatten(1, (-1, self.num_strips)).transpose(0, 1)

    def _check(self, silhouettes: Tensor, num_frames: Tensor | None) -> None:
        shape = list(silhouettes.shape)
        if len(shape) != 4 or min(shape) < 1:
            raise ValueError(f'silhouettes have the shape {shape}, expected [B, T, H, W], none 0')
        rows = shape[2]
        for _ in range(self.backbone.num_halvings):
            rows = -(-rows // 2)
        strips = math.lcm(*self.pooling.bins)
        if rows % strips:
            raise ValueError(
                f'silhouettes are {shape[2]} pixels high, which become {rows} rows of features, '
                f'expected a multiple of {strips}, to be cut into strips'
            )
        if num_frames is not None and list(num_frames.shape) != shape[:1]:
            raise ValueError(
                f'num_frames has the shape {list(num_frames.shape)}, expected [{shape[0]}], one '
                f'number for each clip'
            )
        if torch.compiler.is_compiling() or silhouettes.device.type != 'cpu':
            return
        if (
            num_frames is not None
            and not 1 <= int(num_frames.min()) <= int(num_frames.max()) <= (shape[1])
        ):
            raise ValueError(
                f'num_frames runs from {int(num_frames.min())} to {int(num_frames.max())}, '
                f'expected 1 to the {shape[1]} frames of silhouettes'
            )
        highest = float(silhouettes.detach().max())
        if highest > 1:
            raise ValueError(f'silhouettes hold values up to {highest:g}, expected 0 and 1')

    def extra_repr(self) -> str:
        """What no part of the network tells."""
        return f'feature_dim={self.feature_dim}, embed_local={self.embed_local}'


def _real_frames(silhouettes: Tensor, num_frames: Tensor | None) -> Tensor | None:
    """Which frames are real [B, T], or None where that is known to be all."""
    if num_frames is None:
        return None
    length = silhouettes.size(1)
    eager = not torch.compiler.is_compiling() and silhouettes.device.type == 'cpu'
    if eager and int(num_frames.min()) == length:
        return None
    return torch.arange(length, device=silhouettes.device) < num_frames.unsqueeze(1)


lmgcs = LMGCS


@register_model('lmgcs_ou_mvlp', task='recognition')
def lmgcs_ou_mvlp(feature_dim: int = 256, **options: Any) -> LMGCS:
    r"""LMGCS as for OU-MVLP, with wider convolutions: 19,107,712 parameters with three branches.
    The first convolution of the local features takes the 512 features of a strip to 256, the size
    of all that follows, which the paper does not tell. :obj:`options` are those of :class:`LMGCS`.
    """
    options = {'channels': (64, 128, 256, 256)} | options
    return LMGCS(feature_dim=feature_dim, **options)
