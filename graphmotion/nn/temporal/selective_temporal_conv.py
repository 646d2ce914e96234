"""Temporal convolution that selects among kernel sizes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from graphmotion.nn.frames import stride_mask, zero_padding
from graphmotion.nn.graphs import expand_to_nodes, graph_mean
from graphmotion.nn.linear import Linear
from graphmotion.nn.resettable import ResettableModule
from graphmotion.nn.temporal.temporal_conv import TemporalConv


class SelectiveTemporalConv(ResettableModule):
    r"""Temporal convolutions with several kernel sizes, combined by attention for each graph.

    This is the adaptive selection of the `"MSA-GCN: Multiscale Adaptive Graph Convolution Network
    for Gait Emotion Recognition" <https://arxiv.org/abs/2209.08988>`_ paper, interpreted as the
    unit of the `"Selective Kernel Networks" <https://arxiv.org/abs/1903.06586>`_ paper.

    .. math::
        \mathbf{U}_i = \mathrm{TCN}_i(\mathbf{X}), \quad
        \mathbf{z} = \mathrm{ReLU}(\mathrm{BN}(\mathbf{W} \, \mathrm{mean}(\textstyle\sum_i
        \mathbf{U}_i))), \quad
        \mathbf{a}_i = \mathrm{softmax}_i(\mathbf{W}_i \mathbf{z}), \quad
        \mathbf{X}^{\prime} = \sum_i \mathbf{a}_i \odot \mathbf{U}_i

    The mean is over all nodes and frames of a graph, and the weights of each channel sum to one
    over the kernels. With a single kernel, this is :class:`TemporalConv`.

    .. code-block:: python

        conv = SelectiveTemporalConv(16, 32)
        print(conv(torch.randn(25, 30, 16)).shape)  # [25, 30, 32]

    Args:
        in_channels (int): Size of each input feature.
        out_channels (int): Size of each output feature.
        kernel_sizes (sequence of int, optional): Kernel sizes in frames, odd.
            (default: :obj:`(5, 9)`)
        stride (int, optional): Stride of all kernels. (default: :obj:`1`)
        reduction (int, optional): The hidden layer :math:`\mathbf{z}` has
            :math:`F_{out} / \text{reduction}` units. (default: :obj:`16`)
        min_channels (int, optional): Minimum number of units of the hidden layer.
            (default: :obj:`32`)

    Shapes:
        - **x:** node features :math:`(|\mathcal{V}|, T, F_{in})`
        - **num_nodes:** number of nodes of every graph, or
        - **batch:** batch vector :math:`(|\mathcal{V}|)`; with neither, there is a single graph
        - **batch_size:** number of graphs in :obj:`batch`, counted if not given; required for
          compilation and export
        - **mask:** boolean :math:`(|\mathcal{V}|, T)`, :obj:`False` for padded frames, the same
          frames for all nodes of a graph
        - **output:** node features :math:`(|\mathcal{V}|, \lceil T / s \rceil, F_{out})`

    Raises:
        ValueError: If there are no kernels or a kernel size is not odd.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_sizes: Sequence[int] = (5, 9),
        stride: int = 1,
        reduction: int = 16,
        min_channels: int = 32,
    ) -> None:
        super().__init__()
        if not kernel_sizes:
            raise ValueError('kernel_sizes must not be empty')
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_sizes = tuple(kernel_sizes)
        self.stride = stride
        self.convs = torch.nn.ModuleList(
            TemporalConv(in_channels, out_channels, size, stride) for size in kernel_sizes
        )
        if len(self.kernel_sizes) > 1:
            hidden = max(out_channels // reduction, min_channels)
            self.squeeze = Linear(out_channels, hidden)
            self.norm = torch.nn.BatchNorm1d(hidden)
            self.select = torch.nn.ModuleList(Linear(hidden, out_channels) for _ in kernel_sizes)

    def attention(
        self,
        branches: Sequence[Tensor],
        num_nodes: int | None = None,
        batch: Tensor | None = None,
        batch_size: int | None = None,
        mask: Tensor | None = None,
    ) -> Tensor:
        r"""Returns the weight of each kernel, graph and channel: :math:`(M, B, F_{out})`."""
        means = [graph_mean(u, num_nodes, batch, batch_size, mask) for u in branches]
        mean = torch.stack(means).sum(dim=0)
        z = self.squeeze(mean)
        if self.training and z.size(0) == 1:
            # Batch statistics of a single graph are undefined; use the running statistics.
            norm = self.norm
            z = torch.nn.functional.batch_norm(
                z, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps
            )
        else:
            z = self.norm(z)
        z = z.relu()
        return torch.stack([select(z) for select in self.select]).softmax(dim=0)

    def forward(
        self,
        x: Tensor,
        num_nodes: int | None = None,
        batch: Tensor | None = None,
        batch_size: int | None = None,
        mask: Tensor | None = None,
    ) -> Tensor:
        """Convolves ``x`` along its frames with the kernels that its graphs select."""
        x = zero_padding(x, mask)
        branches = [conv(x) for conv in self.convs]
        if len(branches) == 1:
            return branches[0]
        mask = stride_mask(mask, self.stride)
        weights = self.attention(branches, num_nodes, batch, batch_size, mask)
        return self._combine(branches, [expand_to_nodes(a, num_nodes, batch) for a in weights])

    def _combine(self, branches: Sequence[Tensor], weights: Sequence[Tensor]) -> Tensor:
        parts = [branch * weight for branch, weight in zip(branches, weights)]
        return torch.stack(parts).sum(dim=0) if len(parts) > 2 else parts[0] + parts[1]

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.in_channels}, {self.out_channels}, '
            f'kernel_sizes={self.kernel_sizes}, stride={self.stride})'
        )
