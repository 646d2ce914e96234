"""Convolution between two scales of a body over a learned adjacency."""

from __future__ import annotations

import torch
from torch import Tensor

from graphmotion.nn.attention.gates import SpatialGate
from graphmotion.nn.frames import frame_mean
from graphmotion.nn.graphs import check_same_graphs, count_graphs, to_graphs, to_nodes
from graphmotion.nn.linear import Linear
from graphmotion.nn.resettable import ResettableModule


class CrossScaleConv(ResettableModule):
    r"""The cross-scale mapping of the `"MSA-GCN: Multiscale Adaptive Graph Convolution Network
    for Gait Emotion Recognition" <https://arxiv.org/abs/2209.08988>`_ paper.

    Target nodes of one scale receive messages from source nodes of another scale, over an adjacency
    inferred from both:

    .. math::
        \mathbf{A} = \mathrm{softmax}\left(g_t(f_t(\bar{\mathbf{X}}_t)) \,
        g_s(f_s(\bar{\mathbf{X}}_s))^{\top}\right), \qquad
        \mathbf{X}^{\prime}_t = \mathbf{A} \left( \mathbf{X}_s \mathbf{\Theta} + \mathbf{b} \right)

    with :math:`\bar{\mathbf{X}}` the mean over frames, :math:`f` a spatial gate and :math:`g` a
    perceptron with one hidden layer. The softmax is over the source nodes, so that rows sum to
    one. All frames of a graph share one adjacency. The equation in the paper multiplies the source
    by itself, which cannot map between scales; the equation above is consistent with the shapes
    given there.

    .. code-block:: python

        conv = CrossScaleConv(16, 16)
        joints, parts = torch.randn(25, 30, 16), torch.randn(10, 30, 16)
        print(conv((joints, parts)).shape)  # messages to the parts: [10, 30, 16]

    Args:
        in_channels (int): Size of each input feature at both scales.
        out_channels (int): Size of each output feature.
        embedding_channels (int, optional): Size of the embeddings that are compared.
            (default: :obj:`64`)

    Shapes:
        - **x:** a tuple of source features :math:`(B \cdot V_s, T, F_{in})` and target features
          :math:`(B \cdot V_t, T, F_{in})`
        - **num_nodes:** tuple :math:`(V_s, V_t)` if all graphs have the same numbers of nodes
        - **batch:** tuple of ascending batch vectors :math:`(|\mathcal{V}_s|)` and
          :math:`(|\mathcal{V}_t|)` if graphs differ in size; :obj:`num_nodes` is then the size of
          the largest graphs and :obj:`batch_size` the number of graphs, both counted if not given.
          With neither, there is a single graph
        - **mask:** tuple of boolean :math:`(B \cdot V_s, T)` and :math:`(B \cdot V_t, T)`,
          :obj:`False` for padded frames
        - **output:** target features :math:`(B \cdot V_t, T, F_{out})`, and with
          :obj:`return_adjacency` also the adjacency :math:`(B, V_t, V_s)`, padded with zero columns
          if graphs differ in size

    Raises:
        ValueError: If the number of nodes is not a multiple of :math:`V_s` or :math:`V_t`, or a
            batch vector does not have one entry per node.
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

    def adjacency(
        self,
        x: tuple[Tensor, Tensor],
        num_nodes: tuple[int, int] | None = None,
        batch: tuple[Tensor, Tensor] | None = None,
        batch_size: int | None = None,
        mask: tuple[Tensor | None, Tensor | None] | None = None,
    ) -> Tensor:
        r"""Returns the learned adjacency of each graph, :math:`(B, V_t, V_s)`; rows sum to one."""
        # In full precision even under autocast, since scores are exponents, and only one vector
        # per node, not per frame, is embedded.
        with torch.autocast(x[0].device.type, enabled=False):
            if batch is not None and batch_size is None:  # one scale may lack the last graph
                batch_size = count_graphs(*batch)
            none = (None, None)
            means = [
                frame_mean(part, m).to(self.lin.weight.dtype) for part, m in zip(x, mask or none)
            ]
            (source, real), (target, _) = (
                to_graphs(embed(mean), num, vector, batch_size)
                for embed, mean, num, vector in zip(
                    (self.source_embedding, self.target_embedding),
                    means,
                    num_nodes or none,
                    batch or none,
                )
            )
            check_same_graphs(
                (source.size(0), *x[0].shape[1:-1]), (target.size(0), *x[1].shape[1:-1])
            )
            scores = target @ source.transpose(1, 2)
            if real is not None:
                scores = scores.masked_fill(~real.unsqueeze(1), torch.finfo(scores.dtype).min)
            return scores.softmax(dim=-1)

    def forward(
        self,
        x: tuple[Tensor, Tensor],
        num_nodes: tuple[int, int] | None = None,
        batch: tuple[Tensor, Tensor] | None = None,
        batch_size: int | None = None,
        mask: tuple[Tensor | None, Tensor | None] | None = None,
        return_adjacency: bool = False,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Sends messages from the source scale to the target scale."""
        adj = self.adjacency(x, num_nodes, batch, batch_size, mask)
        source, _ = to_graphs(self.lin(x[0]), adj.size(2), batch and batch[0], adj.size(0))
        out = (adj.to(source.dtype) @ source.flatten(2)).view(*adj.shape[:2], *source.shape[2:])
        out = to_nodes(out, batch and batch[1])
        return (out, adj) if return_adjacency else out

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.in_channels}, {self.out_channels}, '
            f'embedding_channels={self.embedding_channels})'
        )
