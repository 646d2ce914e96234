"""LMGCS, gait recognition from temporal features of silhouette strips."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import Module, ModuleList

from graphmotion.config import Configurable
from graphmotion.models.registry import register_model
from graphmotion.nn import (
    HorizontalPyramidPooling,
    LocalGlobalTemporal,
    SeparateLinear,
    SilhouetteBackbone,
)
from graphmotion.nn.frames import frame_mask
from graphmotion.nn.resettable import ResettableModule
from graphmotion.nn.sample_blocks import apply_to_samples


class LMGCSFeatures(NamedTuple):
    r"""Features that :class:`LMGCS` compares, for :math:`P` strips of each of :math:`S` branches.

    Triplet losses compare samples part by part.

    Args:
        local_parts (Tensor, optional): Features from maxima over frames,
            :math:`(B, S \cdot P, D)`.
        global_parts (Tensor, optional): Features from attention over frames, of the same shape.
    """

    local_parts: Tensor | None
    global_parts: Tensor | None


@register_model('lmgcs', task='recognition')
class LMGCS(Configurable, ResettableModule):
    r"""The network of "Multi-view gait recognition with joint local multi-scale and global
    contextual spatio-temporal features".

    3D convolutions extract feature maps of silhouettes, which are pooled to horizontal strips, the
    nodes of the graph. Each strip has local features over windows of several lengths, fused across
    windows, and attention over all frames. The paper calls these modules LMFE, MFF and GSFE.

    .. math::
        \mathbf{M} = \mathrm{HPP}(\mathrm{E3D}(\mathbf{I})), \quad
        \mathbf{C}_{1..S} = \mathrm{MFF}(\mathrm{LMFE}(\mathbf{M})), \quad
        \mathbf{O}_{s,p} = \mathrm{GSFE}(\mathbf{C}_{s,p}), \quad
        \mathbf{e} = \big\Vert_{s,p} \mathbf{O}_{s,p} \mathbf{W}_p

    The paper leaves several details open. This implementation chooses:

    - :math:`2 \times 2` max pooling follows the first two convolutions, so that 64 rows become 16
      strips. No frame is dropped, since Eq. 2 has one window per frame.
    - The mean and the maximum of a strip are concatenated, as printed: 128 channels become 256
      features. All parameter counts of the paper imply attention over 256 features with hidden
      layers of 2048, in one module shared by all branches.
    - All windows share their weights, because the paper reports the same number of parameters for
      each; see :class:`~graphmotion.nn.MultiResolutionTemporalConv`.
    - Eq. 4 prints a concatenation and the text describes a sum without parameters: branches are
      summed.
    - The maxima of each branch have separate linear maps for their strips, trained by the first
      triplet loss. The decoded features of all branches share one set of maps. This gives
      1,048,576 parameters for each additional branch, as reported.
    - There is no dropout, which the paper does not mention. Attention starts from small
      differences between clips, and dropout adds more noise than there is signal.
    - The embedding consists of the decoded features of all branches and strips; the paper does
      not define it.

    Parameters and multiply-accumulate operations (MACs) for a clip of 30 frames of 64 by 44
    pixels:

    ======== ========== ============= ========= ============
    branches parameters paper         giga-MACs paper
    ======== ========== ============= ========= ============
    1        14,656,192 14.72 million 7.46      2.58 to 2.59
    2        15,704,768 15.77 million 10.24     2.59 to 2.60
    3        16,753,344 16.82 million 13.03     2.60
    ======== ========== ============= ========= ============

    The MACs in the paper cannot cover the full network: the 3D convolutions alone need 4.7 giga.

    The rows of the ablation tables are options, except for the networks of other authors.
    :obj:`window_sizes=None`, :obj:`fusion=None` and :obj:`num_blocks=None` remove local features,
    fusion and attention; without all three the network is the baseline, a maximum over frames.
    Additionally, :obj:`frame_kernel=1` makes the frames a set, similar to the `"GaitSet: Regarding
    Gait as a Set for Cross-View Gait Recognition" <https://arxiv.org/abs/1811.06186>`_ paper, which
    takes the maximum over frames of the images instead of the strips.

    .. code-block:: python

        model = lmgcs(channels=(4, 8, 8, 8), feature_dim=8, width=8).eval()
        embedding = model(torch.rand(2, 8, 64, 44))  # clips of 8 silhouettes

    Args:
        channels (sequence of int, optional): Output size of each 3D convolution.
            (default: :obj:`(32, 64, 128, 128)`)
        feature_dim (int, optional): Size of the features of each strip of each branch in the
            embedding. (default: :obj:`256`)
        width (int, optional): Size of the temporal features. (default: :obj:`256`)
        bins (sequence of int, optional): Number of strips on each level of
            :class:`~graphmotion.nn.HorizontalPyramidPooling`. (default: :obj:`(16,)`)
        hpp (str, optional): :obj:`"concat"` or :obj:`"sum"` of the mean and maximum of a strip.
            (default: :obj:`"concat"`)
        frame_kernel (int or sequence of int, optional): Temporal kernel size of the 3D
            convolutions. (default: :obj:`3`)
        pools (sequence of int, optional): Convolutions followed by max pooling, counted from 1.
            (default: :obj:`(1, 2)`)
        strided (sequence of int, optional): Convolutions with a stride of 2, counted from 1.
            (default: :obj:`()`)
        embed_local (bool, optional): If set to :obj:`True`, the embedding also contains the
            features from the maxima. Without attention, it always does. (default: :obj:`False`)
        **temporal_options (optional): Options of :class:`~graphmotion.nn.LocalGlobalTemporal`,
            such as :obj:`window_sizes`, :obj:`fusion` and :obj:`num_blocks`.

    Shapes:
        - **silhouettes:** clips :math:`(B, T, H, W)` of any type, 1 or :obj:`True` on the body and
          0 elsewhere
        - **num_frames:** number of frames of each clip before padding, :math:`(B)`; :math:`T` if
          not given
        - **output:** embeddings :math:`(B, \text{embedding\_dim})`

    Raises:
        ValueError: If a shape is invalid, the height is not divisible into strips, a clip has no
            frames, or values exceed 1.
    """

    inputs = ('silhouettes', 'num_frames')
    output = 'embeddings'

    def __init__(
        self,
        channels: Sequence[int] = (32, 64, 128, 128),
        feature_dim: int = 256,
        width: int = 256,
        bins: Sequence[int] = (16,),
        hpp: str = 'concat',
        frame_kernel: int | Sequence[int] = 3,
        pools: Sequence[int] = (1, 2),
        strided: Sequence[int] = (),
        embed_local: bool = False,
        **temporal_options: Any,
    ) -> None:
        super().__init__()
        self.backbone = SilhouetteBackbone(channels, frame_kernel, pools, strided)
        self.pooling = HorizontalPyramidPooling(bins, hpp)
        strip_channels = channels[-1] * (2 if hpp == 'concat' else 1)
        self.temporal = LocalGlobalTemporal(strip_channels, width, **temporal_options)
        self.num_strips = self.pooling.num_strips
        self.num_parts = self.temporal.num_branches * self.num_strips
        self.feature_dim = feature_dim
        self.embed_local = embed_local
        self.local_lin = SeparateLinear(self.num_parts, width, feature_dim)
        self.global_lin = (
            None
            if self.temporal.decoder is None
            else SeparateLinear(self.num_strips, width, feature_dim)
        )
        both = embed_local and self.global_lin is not None
        self.embedding_dim = self.num_parts * feature_dim * (2 if both else 1)

    @property
    def head(self) -> Module:
        r"""The layers that map the features of each strip to the parts of the embedding."""
        return ModuleList(m for m in (self.local_lin, self.global_lin) if m is not None)

    @property
    def local_modules(self) -> list[Module]:
        r"""Modules trained in the first stage, subnetwork A of the paper."""
        modules = (self.backbone, self.temporal.local, self.temporal.fusion, self.local_lin)
        return [module for module in modules if module is not None]

    @property
    def global_modules(self) -> list[Module]:
        r"""Modules trained in the second stage, subnetwork B; empty without attention."""
        modules = (self.temporal.decoder, self.global_lin)
        return [module for module in modules if module is not None]

    def branches(
        self, silhouettes: Tensor, num_frames: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        r"""Returns the features of each branch, strip and frame, :math:`(S, B \cdot P, T, C)`.

        The second output is a mask, :math:`(B \cdot P, T)`, :obj:`False` for padded frames, or
        :obj:`None` if there are none.
        """
        return self._branches(*self._prepare(silhouettes, num_frames))

    def _prepare(
        self, silhouettes: Tensor, num_frames: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """Returns images in the precision of the weights and the mask of their frames."""
        self._check_input(silhouettes)
        mask = frame_mask(num_frames, *silhouettes.shape[:2])
        return silhouettes.to(self.local_lin.weight.dtype), mask

    def _branches(self, images: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
        strips = self.pooling(self.backbone(images, None if mask is None else ~mask))
        if mask is not None:
            mask = mask.repeat_interleave(self.num_strips, dim=0)
        return self.temporal.branches(strips, mask), mask

    def local_parts(self, branches: Tensor, mask: Tensor | None = None) -> Tensor:
        r"""Returns the parts from the maxima over the frames of :meth:`branches`."""
        return self.local_lin(self._by_clip(self.temporal.maxima(branches, mask)).flatten(1, 2))

    def global_parts(self, branches: Tensor, mask: Tensor | None = None) -> Tensor:
        r"""Returns the parts from attention over the frames of :meth:`branches`.

        Raises:
            ValueError: If the network has no attention.
        """
        decoded = self._by_clip(self.temporal.decode(branches, mask))
        assert self.global_lin is not None  # as decode() did not raise
        parts = self.global_lin(decoded.flatten(0, 1))
        return parts.reshape(decoded.size(0), self.num_parts, self.feature_dim)

    def features(self, silhouettes: Tensor, num_frames: Tensor | None = None) -> LMGCSFeatures:
        r"""Returns the parts that the losses compare."""
        branches, mask = self.branches(silhouettes, num_frames)
        return LMGCSFeatures(
            self.local_parts(branches, mask),
            None if self.global_lin is None else self.global_parts(branches, mask),
        )

    def forward(self, silhouettes: Tensor, num_frames: Tensor | None = None) -> Tensor:
        """Returns the embeddings of ``silhouettes``."""
        images, mask = self._prepare(silhouettes, num_frames)
        size = self.backbone.channels[0] * images.size(2) * images.size(3)
        return apply_to_samples(self, self._embed_samples, images, mask, 1, size)

    def _embed_samples(self, images: Tensor, mask: Tensor | None) -> Tensor:
        branches, mask = self._branches(images, mask)
        parts = [] if self.global_lin is None else [self.global_parts(branches, mask)]
        if self.embed_local or not parts:
            parts.append(self.local_parts(branches, mask))
        return torch.cat(parts, dim=1).flatten(1)

    def _by_clip(self, x: Tensor) -> Tensor:
        """Reshapes [S, B * P, C] to [B, S, P, C]."""
        return x.unflatten(1, (-1, self.num_strips)).transpose(0, 1)

    def _check_input(self, silhouettes: Tensor) -> None:
        shape = list(silhouettes.shape)
        if len(shape) != 4 or min(shape) < 1:
            raise ValueError(f'silhouettes must have the shape [B, T, H, W], none 0, got {shape}')
        rows = shape[2]
        for _ in range(self.backbone.num_halvings):
            rows = -(-rows // 2)
        strips = math.lcm(*self.pooling.bins)
        if rows % strips:
            raise ValueError(
                f'silhouettes must have a height that gives a multiple of {strips} rows of '
                f'features, got {shape[2]} pixels, which give {rows} rows'
            )
        if torch.compiler.is_compiling() or silhouettes.device.type != 'cpu':
            return
        highest = float(silhouettes.detach().max())
        if highest > 1:
            raise ValueError(f'silhouettes must hold 0 and 1, got values up to {highest:g}')

    def extra_repr(self) -> str:
        """Returns the options that no submodule shows."""
        return f'feature_dim={self.feature_dim}, embed_local={self.embed_local}'


lmgcs = LMGCS


@register_model('lmgcs_ou_mvlp', task='recognition')
def lmgcs_ou_mvlp(feature_dim: int = 256, **options: Any) -> LMGCS:
    r"""Builds :class:`LMGCS` for OU-MVLP, with wider 3D convolutions.

    It has 19,107,712 parameters with three branches. The first temporal convolution maps the 512
    features of a strip to 256, the size of all later features; the paper does not specify this
    size. :obj:`options` are further options of :class:`LMGCS`.

    .. code-block:: python

        model = lmgcs_ou_mvlp(feature_dim=64)
        print(sum(p.numel() for p in model.parameters()))
    """
    options = {'channels': (64, 128, 256, 256)} | options
    return LMGCS(feature_dim=feature_dim, **options)
