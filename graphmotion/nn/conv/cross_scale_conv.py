"""Convolution between two scales of a body over an adjacency that is learned."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import Linear

from graphmotion.nn.attention.gates import SpatialGate
from graphmotion.nn.graphs import reset_all, split_graphs


class CrossScaleConv(torch.nn.Module):
    r"""The cross-scale mapping of the `"MSA-GCN: Multiscale Adaptive Graph Convolution Network
    for Gait Emotion Recognition" <https://arxiv.org/abs/2209.08988>`_ paper: the nodes of one
    scale take messages from those of another, over an adjacency inferred from both.

    .. math::
        \mathbf{A} = \mathrm{softmax}\left(g_t(f_t(\bar{\mathbf{X}}_t)) \,
        g_s(f_s(\bar{\mathbf{X}}_s))^{\top}\right), \qquad
        \mathbf{X}^{\prime}_t = \mathbf{A} \left( \mathbf{X}_s \mathbf{\Theta} + \mathbf{b} \right)

    with :math:`\bar{\mathbf{X}}` the mean over frames, :math:`f` a spatial gate and :math:`g` a
    perceptron with one hidden layer. The softmax runs over the source nodes, so that rows sum to
    one. The printed equation multiplies the source with itself, which cannot map between scales;
    this is the reading that its shapes leave. One adjacency serves all frames of a sample.

    Args:
        in_channels (int): Size of each input feature, on both scales.
        out_channels (int): Size of each output feature.
        embedding_channels (int, optional): Size of the embeddings that are compared.
            (default: :obj:`64`)

    Shapes:
        - **x:** a tuple of source features :math:`(B \cdot V_s, T, F_{in})` and target features
          :math:`(B \cdot V_t, T, F_{in})`
        - **num_nodes:** the tuple :math:`(V_s, V_t)`
        - **output:** target features :math:`(B \cdot V_t, T, F_{out})`, and with
          :obj:`return_adjacency` also the adjacency :math:`(B, V_t, V_s)`

    Raises:
        ValueError: If a number of nodes is not a multiple of that of a graph.
    """

    def __init__(self, in_channels: int, out_channels: int, embedding_channels: int = 64) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.embedding_channels = embedding_channels
        self.source_embedding = self._embedding()
        self.target_embedding = self._embedding()
        self.lin = Linear(in_channels, out_channels)

    def _embedding(self) -> torch.nn.Sequential:
        return torch.nn.Sequential(
            SpatialGate(self.in_channels),
            Linear(self.in_channels, self.embedding_channels),
            torch.nn.ReLU(),
            Linear(self.embedding_channels, self.embedding_channels),
        )

    def reset_parameters(self) -> None:
        r"""Draw all weights anew."""
        reset_all(self)

    def adjacency(self, x: tuple[Tensor, Tensor], num_nodes: tuple[int, int]) -> Tensor:
        r"""The learned adjacency of each sample: :math:`(B, V_t, V_s)`, rows sum to one."""
        # In full precision also under autocast: an error in the scores is one in the exponent, and
        # there is one vector a node to embed, not one a frame.
        with torch.autocast(x[0].device.type, enabled=False):
            source, target = (
                split_graphs(embed(part.mean(dim=1).to(self.lin.weight.dtype)), num)
                for embed, part, num in zip(
                    (self.source_embedding, self.target_embedding), x, num_nodes
                )
            )
            return (target @ source.transpose(1, 2)).softmax(dim=-1)

    def forward(
        self, x: tuple[Tensor, Tensor], num_nodes: tuple[int, int], return_adjacency: bool = False
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Messages from the source to the target scale."""
        adj = self.adjacency(x, num_nodes)
        source = split_graphs(self.lin(x[0]), num_nodes[0])
        out = (adj.to(source.dtype) @ source.flatten(2)).view(-1, *source.shape[2:])
        return (out, adj) if return_adjacency else out

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.in_channels}, {self.out_channels}, '
            f'embedding_channels={self.embedding_channels})'
        )
