"""Batch normalisation of motion tensors."""

from __future__ import annotations

import torch
from torch import Tensor

from graphmotion.nn.graphs import check_channels, split_graphs
from graphmotion.nn.resettable import ResettableModule


class MotionBatchNorm(ResettableModule):
    r"""Batch normalisation of motion tensors.

    Normalises each channel over all nodes and frames, as in the `"Batch Normalization: Accelerating
    Deep Network Training by Reducing Internal Covariate Shift" <https://arxiv.org/abs/1502.03167>`_
    paper. PyG's :class:`~torch_geometric.nn.BatchNorm` fails on tensors with frames.

    In training mode, padded frames do not contribute to the statistics and become zero.

    .. code-block:: python

        norm = MotionBatchNorm(16)
        print(norm(torch.randn(25, 30, 16)).shape)  # [25, 30, 16]

    Args:
        channels (int): Size of each feature :math:`C`.
        num_nodes (int, optional): If given, each of the :math:`V` nodes of a graph has separate
            statistics and scales, as is common for the input of skeleton networks.
            (default: :obj:`None`)
        eps (float, optional): Value added to the variance. (default: :obj:`1e-5`)

    Shapes:
        - **x:** node features :math:`(|\mathcal{V}|, T, C)`
        - **mask:** boolean :math:`(|\mathcal{V}|, T)`, :obj:`False` for padded frames, the same
          frames for all nodes of a graph
        - **output:** node features :math:`(|\mathcal{V}|, T, C)`

    Raises:
        ValueError: If the number of nodes is not a multiple of :obj:`num_nodes`.
    """

    def __init__(self, channels: int, num_nodes: int | None = None, eps: float = 1e-5) -> None:
        super().__init__()
        self.channels = channels
        self.num_nodes = num_nodes
        # A member and not a base class, so that conversion to SyncBatchNorm keeps this layout.
        self.norm = torch.nn.BatchNorm1d(channels * (num_nodes or 1), eps)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Normalises ``x``."""
        check_channels(x, self.channels)
        if self.num_nodes is None:
            return self._normalize(x.reshape(-1, self.channels), mask).view(x.shape)
        graphs = split_graphs(x, self.num_nodes).transpose(1, 2)
        rows = graphs.reshape(-1, self.num_nodes * self.channels)
        out = self._normalize(rows, None if mask is None else mask[:: self.num_nodes])
        return out.view(graphs.shape).transpose(1, 2).reshape(x.shape)

    def _normalize(self, rows: Tensor, mask: Tensor | None) -> Tensor:
        if mask is None or not self.norm.training:
            return self.norm(rows)
        valid = mask.flatten().nonzero().squeeze(1)
        out = self.norm(rows.index_select(0, valid))
        return out.new_zeros(rows.shape).index_copy(0, valid, out)

    def __repr__(self) -> str:
        nodes = '' if self.num_nodes is None else f', num_nodes={self.num_nodes}'
        return f'{self.__class__.__name__}({self.channels}{nodes})'
