"""Graph convolution with an adjacency that depends on the sample."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.nn.init import normal_, zeros_

from graphmotion.nn.conv.spatial_conv import SpatialConv
from graphmotion.nn.frames import zero_padding
from graphmotion.nn.graphs import check_channels, check_partitions, split_graphs
from graphmotion.nn.linear import Linear


class AdaptiveSpatialConv(torch.nn.Module):
    r"""The adaptive graph convolution from the `"Two-Stream Adaptive Graph Convolutional Networks
    for Skeleton-Based Action Recognition" <https://arxiv.org/abs/1805.07694>`_ paper.

    .. math::
        \mathbf{X}^{\prime}_t &= \sum_{k=1}^{K} \left( \mathbf{A}_k + \mathbf{B}_k + \mathbf{C}_k
        \right) \mathbf{X}_t \mathbf{\Theta}_k + \mathbf{b}_k \\
        \mathbf{C}_k &= \mathrm{softmax} \left( \frac{1}{T F_e} \sum_t \left( \mathbf{X}_t
        \mathbf{\Phi}_k \right) \left( \mathbf{X}_t \mathbf{\Psi}_k \right)^{\top} \right)

    :math:`\mathbf{A}_k` is the adjacency of a partition. :math:`\mathbf{B}_k` is a learned
    adjacency shared by all samples, initially zero. :math:`\mathbf{C}_k` is the similarity of the
    joints of a sample in an embedding of :math:`F_e` channels; :math:`\mathbf{\Phi}_k` and
    :math:`\mathbf{\Psi}_k` have a bias. Row :math:`i` holds the weights of the edges to node
    :math:`i`.

    All pairs of joints are connected, so that time and memory grow with the square of :math:`V`.
    All graphs of a batch must have the same nodes, and there is no sparse form.

    .. code-block:: python

        adj = get_skeleton('ntu25').adjacency('spatial')
        conv = AdaptiveSpatialConv(3, 16, adj)
        print(conv(torch.randn(25, 30, 3)).shape)  # [25, 30, 16]

    Args:
        in_channels (int): Size of each input feature.
        out_channels (int): Size of each output feature.
        adj (Tensor): Adjacency :math:`(K, V, V)` of the :math:`K` partitions.
        embedding_channels (int, optional): Size :math:`F_e` of the embedding. (default: a quarter
            of :obj:`out_channels`)
        fixed (bool, optional): If set to :obj:`False`, :math:`\mathbf{A}` is omitted.
            (default: :obj:`True`)
        learned (bool, optional): If set to :obj:`False`, :math:`\mathbf{B}` is omitted.
            (default: :obj:`True`)
        similarity (bool, optional): If set to :obj:`False`, :math:`\mathbf{C}` is omitted.
            (default: :obj:`True`)

    Shapes:
        - **x:** node features :math:`(B \cdot V, T, F_{in})`
        - **mask:** boolean :math:`(B \cdot V, T)`, :obj:`False` for padded frames, the same frames
          for all nodes of a graph
        - **output:** node features :math:`(B \cdot V, T, F_{out})`

    Raises:
        ValueError: If all adjacencies are omitted, or the number of nodes is not a multiple of
            :math:`V`.
    """

    adj: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        adj: Tensor,
        embedding_channels: int | None = None,
        fixed: bool = True,
        learned: bool = True,
        similarity: bool = True,
    ) -> None:
        super().__init__()
        check_partitions(adj)
        if not (fixed or learned or similarity):
            raise ValueError('one of fixed, learned and similarity must be True, got none')
        self.in_channels = in_channels
        self.out_channels = out_channels
        num_partitions, num_nodes = adj.shape[:2]
        self.register_buffer('adj', adj if fixed else torch.zeros_like(adj), persistent=False)
        self.conv = SpatialConv(
            in_channels,
            out_channels,
            num_partitions,
            num_nodes,
            residual_adjacency=learned,
            bias=False,
        )
        self.bias = Parameter(torch.empty(num_partitions, out_channels))
        self.similarity = similarity
        self.embedding_channels = embedding_channels or max(out_channels // 4, 1)
        if similarity:
            self.query = Linear(in_channels, num_partitions * self.embedding_channels)
            self.key = Linear(in_channels, num_partitions * self.embedding_channels)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        r"""Resets all learnable parameters of the module.

        As in the authors' code, biases are zero and weights are normally distributed with a
        variance of :math:`2 / (K F_{in} F_{out})` for :math:`\mathbf{\Theta}` and
        :math:`2 / F_e` for the embeddings.
        """
        self.conv.reset_parameters()
        normal_(self.conv.weight, std=math.sqrt(2 / self.conv.weight.numel()))
        zeros_(self.bias)
        if self.similarity:
            for lin in (self.query, self.key):
                normal_(lin.weight, std=math.sqrt(2 / self.embedding_channels))
                zeros_(lin.bias)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Convolves ``x`` over the adjacencies of its graphs."""
        check_channels(x, self.in_channels)
        adj = self.adj + self._similarity(x, mask) if self.similarity else self.adj
        out = self.conv(x, adj)
        return out + self.bias.sum(dim=0).to(out.dtype)

    @property
    def per_frame(self) -> bool:
        """Whether the result of a frame does not depend on other frames."""
        return not self.similarity

    def _similarity(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Returns the similarity of all pairs of nodes, [B, K, V, V]."""
        num_partitions, num_nodes = self.adj.shape[:2]
        num_graphs, num_frames = split_graphs(x, num_nodes).size(0), x.size(1)
        size: int | Tensor = num_frames * self.embedding_channels
        query, key = self.query(x), self.key(x)
        if mask is not None:
            query = zero_padding(query, mask)
            size = mask[::num_nodes].sum(dim=1).view(-1, 1, 1, 1) * self.embedding_channels
        shape = (num_graphs, num_nodes, num_frames, num_partitions, self.embedding_channels)
        query, key = (part.view(shape).permute(0, 3, 1, 2, 4).flatten(3) for part in (query, key))
        return (query @ key.mT / size).softmax(dim=-1)

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.in_channels}, {self.out_channels}, '
            f'num_partitions={self.adj.size(0)}, num_nodes={self.adj.size(-1)})'
        )
