"""Decoding of a sequence of frames into a single feature."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor
from torch.nn import LayerNorm, ModuleList, TransformerDecoderLayer, TransformerEncoderLayer

from graphmotion.checks import check_int
from graphmotion.nn.attention.transformer import decode, encode
from graphmotion.nn.encoding import sinusoidal_encoding
from graphmotion.nn.frames import frame_max, padded_frames
from graphmotion.nn.resettable import ResettableModule


class TemporalDecoder(ResettableModule):
    r"""Set-to-one temporal decoding with the encoder and decoder of the `"Attention Is All You
    Need" <https://arxiv.org/abs/1706.03762>`_ paper.

    The frames of each node are encoded. A single query, their maximum, is decoded:

    .. math::
        \mathbf{x}^{\prime}_v = \mathrm{Decoder}\left( \max_t \mathbf{x}_{v,t},\,
        \mathrm{Encoder}(\mathbf{x}_{v,1}, \ldots, \mathbf{x}_{v,T}) \right)

    Each block adds its input and is followed by a normalisation. Without positions, the order of
    the frames has no effect. Nodes do not exchange information.

    .. code-block:: python

        decoder = TemporalDecoder(16, heads=4, num_encoder_layers=1, num_decoder_layers=1)
        print(decoder(torch.randn(8, 30, 16)).shape)  # one vector for each strip: [8, 16]

    Args:
        channels (int): Size of each feature :math:`C`.
        heads (int, optional): Number of heads. (default: :obj:`8`)
        num_encoder_layers (int, optional): Number of encoder blocks; with 0, the decoder attends to
            the input. (default: :obj:`4`)
        num_decoder_layers (int, optional): Number of decoder blocks. (default: :obj:`4`)
        feedforward_channels (int, optional): Size of the hidden layers. (default: :obj:`2048`)
        dropout (float, optional): Dropout probability. (default: :obj:`0.1`)
        position (bool, optional): If set to :obj:`True`, adds a sinusoidal encoding of the frames
            to the input of the encoder. (default: :obj:`False`)

    Shapes:
        - **x:** node features :math:`(|\mathcal{V}|, T, C)`
        - **mask:** boolean :math:`(|\mathcal{V}|, T)`, :obj:`False` for padded frames, which may be
          anywhere in a sequence; no frame is padded if not given
        - **output:** node features :math:`(|\mathcal{V}|, C)`; arbitrary but finite for a node
          without any real frame

    Raises:
        ValueError: If :math:`C` is not a multiple of the number of heads, there are no decoder
            blocks or no frames, or shapes do not match.
    """

    def __init__(
        self,
        channels: int,
        heads: int = 8,
        num_encoder_layers: int = 4,
        num_decoder_layers: int = 4,
        feedforward_channels: int = 2048,
        dropout: float = 0.1,
        position: bool = False,
    ) -> None:
        super().__init__()
        if heads < 1 or channels % heads:
            raise ValueError(f'channels must be a multiple of heads={heads}, got {channels}')
        check_int('num_decoder_layers', num_decoder_layers, 1)
        self.channels = channels
        self.heads = heads
        self.feedforward_channels = feedforward_channels
        self.dropout = dropout
        self.position = position
        sizes = (channels, heads, feedforward_channels, dropout)
        self.encoder = ModuleList(
            TransformerEncoderLayer(*sizes, batch_first=True) for _ in range(num_encoder_layers)
        )
        self.decoder = ModuleList(
            TransformerDecoderLayer(*sizes, batch_first=True) for _ in range(num_decoder_layers)
        )
        self.encoder_norm = LayerNorm(channels) if num_encoder_layers else torch.nn.Identity()
        self.decoder_norm = LayerNorm(channels)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        r"""Resets all learnable parameters of the module.

        Matrices have a Glorot initialisation, as in :class:`torch.nn.Transformer`.
        """
        super().reset_parameters()
        for name, parameter in self.named_parameters():
            if parameter.dim() > 1:
                torch.nn.init.xavier_uniform_(parameter)
            elif name.endswith(('in_proj_bias', 'out_proj.bias')):
                torch.nn.init.zeros_(parameter)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Decodes the frames of each node of ``x``."""
        if x.dim() != 3 or x.size(1) < 1 or x.size(2) != self.channels:
            raise ValueError(
                f'x must have shape [num_nodes, T, {self.channels}] with at least one frame, got '
                f'{list(x.shape)}'
            )
        padded = padded_frames(x, mask)
        query = frame_max(x, padded)
        memory = x
        if self.position:
            memory = x + sinusoidal_encoding(x.size(1), self.channels, x.device, x.dtype)
        for block in self.encoder:
            memory = encode(cast(TransformerEncoderLayer, block), memory, padded)
        memory = self.encoder_norm(memory)
        for block in self.decoder:
            query = decode(cast(TransformerDecoderLayer, block), query, memory, padded)
        return self.decoder_norm(query).to(x.dtype)  # autocast may widen normalisations

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.channels}, heads={self.heads}, '
            f'num_encoder_layers={len(self.encoder)}, num_decoder_layers={len(self.decoder)}, '
            f'feedforward_channels={self.feedforward_channels}, dropout={self.dropout}, '
            f'position={self.position})'
        )
