"""Temporal features of nodes from local windows and from the full sequence."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import Identity, Module

from graphmotion.nn.attention.temporal_decoder import TemporalDecoder
from graphmotion.nn.frames import frame_max, padded_frames
from graphmotion.nn.fusion.branch_fusion import BranchFusion
from graphmotion.nn.linear import Linear
from graphmotion.nn.resettable import ResettableModule
from graphmotion.nn.temporal.multi_resolution_temporal_conv import MultiResolutionTemporalConv


class LocalGlobalTemporal(ResettableModule):
    r"""Local temporal features over windows of several lengths and global features by attention,
    from "Multi-view gait recognition with joint local multi-scale and global contextual
    spatio-temporal features".

    .. math::
        \mathbf{C}_{1..S} = \mathrm{Fusion}(\mathrm{Conv}_{1..S}(\mathbf{X})), \quad
        \mathbf{m}_s = \max_t \mathbf{C}_{s,t}, \quad
        \mathbf{g}_s = \mathrm{Decoder}(\mathbf{C}_s)

    Each window length is a branch of
    :class:`~graphmotion.nn.MultiResolutionTemporalConv`, the branches are combined by
    :class:`~graphmotion.nn.BranchFusion`, and one :class:`~graphmotion.nn.TemporalDecoder` shared
    by all branches summarises the frames. Nodes, which may be strips of silhouettes or joints of
    skeletons, do not interact.

    Args:
        in_channels (int): Size of each input feature.
        channels (int, optional): Size :math:`C` of each hidden and output feature.
            (default: :obj:`256`)
        window_sizes (sequence of int, optional): Window length of each branch in frames, odd. If
            :obj:`None`, there is no local convolution: a single branch holds the input, projected
            linearly if its size is not :obj:`channels`. (default: :obj:`(1, 3, 5)`)
        share_weights (bool, optional): If set to :obj:`False`, each window has its own weights.
            (default: :obj:`True`)
        fusion (str, optional): :obj:`"sum"`, :obj:`"attention"`, or :obj:`None` to keep branches
            separate. (default: :obj:`"sum"`)
        reverse (bool, optional): If set to :obj:`True`, branches are summed from the last to the
            first. (default: :obj:`False`)
        num_blocks (tuple, optional): Number of encoder and decoder blocks, or :obj:`None` for no
            attention. (default: :obj:`(4, 4)`)
        heads (int, optional): Number of attention heads. (default: :obj:`8`)
        feedforward_channels (int, optional): Size of the hidden layers of the attention blocks.
            (default: :obj:`2048`)
        dropout (float, optional): Dropout probability of the attention blocks.
            (default: :obj:`0.0`)
        position (bool, optional): If set to :obj:`True`, the attention receives a position
            encoding of the frames. (default: :obj:`False`)

    Shapes:
        - **x:** node features :math:`(|\mathcal{V}|, T, F_{in})`
        - **mask:** boolean :math:`(|\mathcal{V}|, T)`, :obj:`False` for padded frames
        - **output:** tuple of the maxima over frames and the decoded features, both
          :math:`(S, |\mathcal{V}|, C)` for :math:`S` branches; the latter is :obj:`None` without
          attention

    .. code-block:: python

        temporal = LocalGlobalTemporal(3, channels=64)
        maxima, decoded = temporal(torch.randn(2 * 17, 30, 3))  # each [3, 34, 64]
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
        r"""Returns the features of each frame in each branch, :math:`(S, |\mathcal{V}|, T, C)`.

        The features of padded frames are undefined.
        """
        padded = padded_frames(x, mask)
        if padded is not None:  # convolutions pad with zeros too
            x = x.masked_fill(padded.unsqueeze(-1), 0)
        out = self.local(x)
        branches = out if isinstance(out, list) else [out]
        return torch.stack(branches if self.fusion is None else self.fusion(branches))

    def maxima(self, branches: Tensor, mask: Tensor | None = None) -> Tensor:
        r"""Returns the maximum over the frames of each branch, :math:`(S, |\mathcal{V}|, C)`."""
        x, mask = _branches_as_nodes(branches, mask)
        return frame_max(x, padded_frames(x, mask)).unflatten(0, branches.shape[:2])

    def decode(self, branches: Tensor, mask: Tensor | None = None) -> Tensor:
        r"""Decodes the frames of each branch by attention, :math:`(S, |\mathcal{V}|, C)`.

        Raises:
            ValueError: If :obj:`num_blocks` is :obj:`None`.
        """
        if self.decoder is None:
            raise ValueError('num_blocks must be given to decode frames, got None')
        x, mask = _branches_as_nodes(branches, mask)
        return self.decoder(x, mask).unflatten(0, branches.shape[:2])

    def forward(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Returns the maxima and the decoded features of the frames of ``x``."""
        branches = self.branches(x, mask)
        decoded = None if self.decoder is None else self.decode(branches, mask)
        return self.maxima(branches, mask), decoded

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({self.local}, {self.fusion}, {self.decoder})'


def _branches_as_nodes(branches: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Treats branches as further nodes: [S, N, T, C] to [S * N, T, C]."""
    return branches.flatten(0, 1), None if mask is None else mask.repeat(branches.size(0), 1)
