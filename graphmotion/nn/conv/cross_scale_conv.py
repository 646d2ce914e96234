"""Convolution between two scales of a body over an adjacency that is learned."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import Linear

from graphmotion.nn.attention.gates import SpatialGate
from graphmotion.nn.graphs import pad_graphs, split_graphs, unpad_graphs
from graphmotion.nn.resettable import ResettableModule


class CrossScaleConv(ResettableModule):
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
        - **num_nodes:** the tuple :math:`(V_s, V_t)`, if all graphs have as many
        - **batch:** the tuple of vectors :math:`(|\mathcal{V}_s|)` and :math:`(|\mathcal{V}_t|)`,
          the graph of each source and target node, ascending, if graphs differ in size;
          :obj:`num_nodes` is then the size of the largest graphs and :obj:`batch_size` the number
          of graphs, both counted if not given. With neither there is one graph
        - **output:** target features :math:`(B \cdot V_t, T, F_{out})`, and with
          :obj:`return_adjacency` also the adjacency :math:`(B, V_t, V_s)`, of the size of the
          largest graphs and zero in the columns of nodes that a smaller one does not have

    Raises:
        ValueError: If a number of nodes is not a multiple of that of a graph, or a batch vector
            does not name the graph of each node.
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
    ) -> Tensor:
        r"""The learned adjacency of each sample: :math:`(B, V_t, V_s)`, rows sum to one."""
        # In full precision also under autocast: an error in the scores is one in the exponent, and
        # there is one vector a node to embed, not one a frame.
        with torch.autocast(x[0].device.type, enabled=False):
            if batch is not None and batch_size is None:  # one scale may lack the last graph
                batch_size = 1 + max(int(part.max()) for part in batch if part.numel())
            (source, mask), (target, _) = (
                _by_graph(embed(part.mean(dim=1).to(self.lin.weight.dtype)), num, of, batch_size)
                for embed, part, num, of in zip(
                    (self.source_embedding, self.target_embedding),
                    x,
                    num_nodes or (None, None),
                    batch or (None, None),
                )
            )
            if source.size(0) != target.size(0) or x[0].shape[1:-1] != x[1].shape[1:-1]:
                raise ValueError(
                    f'the source has {source.size(0)} graphs of {x[0].size(1)} frames and the '
                    f'target {target.size(0)} of {x[1].size(1)}, expected the same'
                )
            scores = target @ source.transpose(1, 2)
            if mask is not None:
                scores = scores.masked_fill(~mask.unsqueeze(1), torch.finfo(scores.dtype).min)
            return scores.softmax(dim=-1)

    def forward(
        self,
        x: tuple[Tensor, Tensor],
        num_nodes: tuple[int, int] | None = None,
        batch: tuple[Tensor, Tensor] | None = None,
        batch_size: int | None = None,
        return_adjacency: bool = False,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Messages from the source to the target scale."""
        adj = self.adjacency(x, num_nodes, batch, batch_size)
        of_source = None if batch is None else batch[0]
        source, _ = _by_graph(self.lin(x[0]), adj.size(2), of_source, adj.size(0))
        out = (adj.to(source.dtype) @ source.flatten(2)).view(*adj.shape[:2], *source.shape[2:])
        out = out.flatten(0, 1) if batch is None else unpad_graphs(out, batch[1])
        return (out, adj) if return_adjacency else out

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.in_channels}, {self.out_channels}, '
            f'embedding_channels={self.embedding_channels})'
        )


def _by_graph(
    x: Tensor, num_nodes: int | None, batch: Tensor | None, batch_size: int | None
) -> tuple[Tensor, Tensor | None]:
    """The graphs of one scale, and a mask of the nodes that they have; None if all."""
    if batch is None:
        return split_graphs(x, x.size(0) if num_nodes is None else num_nodes), None
    return pad_graphs(x, batch, batch_size, num_nodes)
