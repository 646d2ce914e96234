"""Graph convolution with a separate topology for each channel."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.nn.functional import linear
from torch.nn.init import normal_, zeros_

from graphmotion.checks import check_choice, check_int
from graphmotion.nn.frames import frame_mean
from graphmotion.nn.graphs import check_channels, check_partitions, split_graphs
from graphmotion.nn.linear import Linear

CORRELATIONS = ('difference', 'sum', 'mlp')
ACTIVATIONS = {'tanh': torch.tanh, 'sigmoid': torch.sigmoid, 'relu': torch.relu}


class ChannelTopologyConv(torch.nn.Module):
    r"""The channel-wise topology refinement graph convolution (CTR-GC) from the `"Channel-wise
    Topology Refinement Graph Convolution for Skeleton-Based Action Recognition"
    <https://arxiv.org/abs/2107.12213>`_ paper.

    .. math::
        \mathbf{x}^{\prime}_{i,t,c} &= \sum_{k=1}^{K} \sum_{j} \left( \mathbf{A}_{k,i,j} + \alpha
        \, \mathbf{R}_{k,i,j,c} \right) \left( \mathbf{\Theta}_k \mathbf{x}_{j,t} + \mathbf{b}_k
        \right)_c \\
        \mathbf{R}_{k,i,j} &= \mathbf{\Xi}_k \, \sigma \left( \mathbf{\Psi}_k \bar{\mathbf{x}}_i -
        \mathbf{\Phi}_k \bar{\mathbf{x}}_j \right) + \mathbf{c}_k

    All channels share the learned topologies :math:`\mathbf{A}_k`, initially the adjacency.
    :math:`\mathbf{R}_k` refines them for each channel by the correlation of joints, computed from
    the mean :math:`\bar{\mathbf{x}}` of the features over frames. The learned scalar
    :math:`\alpha` is initially zero. :math:`\mathbf{\Psi}_k` and :math:`\mathbf{\Phi}_k` have a
    bias.

    All pairs of joints are connected, so that time and memory grow with the square of :math:`V`.
    All graphs of a batch must have the same nodes, and there is no sparse form.

    .. code-block:: python

        adj = get_skeleton('ntu25').adjacency('spatial')
        conv = ChannelTopologyConv(3, 16, adj)
        print(conv(torch.randn(25, 30, 3)).shape)  # [25, 30, 16]

    Args:
        in_channels (int): Size of each input feature.
        out_channels (int): Size of each output feature.
        adj (Tensor): Adjacency :math:`(K, V, V)` of the :math:`K` partitions.
        reduction (int, optional): The correlation has :math:`\max(F_{in}, 64) / \text{reduction}`
            channels. (default: :obj:`8`)
        correlation (str, optional): :obj:`"difference"`, as in the equation; :obj:`"sum"` of
            :math:`\mathbf{\Psi}_k \bar{\mathbf{x}}_i` and :math:`\mathbf{\Phi}_k
            \bar{\mathbf{x}}_j`; or :obj:`"mlp"`, an MLP of both with one hidden layer of the size
            of its output. (default: :obj:`"difference"`)
        activation (str, optional): Activation :math:`\sigma`: :obj:`"tanh"`, :obj:`"sigmoid"` or
            :obj:`"relu"`. (default: :obj:`"tanh"`)
        shared_topology (bool, optional): If set to :obj:`False`, :math:`\mathbf{A}` is omitted.
            (default: :obj:`True`)
        learn_topology (bool, optional): If set to :obj:`False`, :math:`\mathbf{A}` is fixed to the
            adjacency. (default: :obj:`True`)
        refine (bool, optional): If set to :obj:`False`, :math:`\mathbf{R}` is omitted.
            (default: :obj:`True`)
        alpha_init (float, optional): Initial value of :math:`\alpha`. (default: :obj:`0.0`)

    Shapes:
        - **x:** node features :math:`(B \cdot V, T, F_{in})`
        - **mask:** boolean :math:`(B \cdot V, T)`, :obj:`False` for padded frames
        - **output:** node features :math:`(B \cdot V, T, F_{out})`

    Raises:
        ValueError: If an option is invalid, or the number of nodes is not a multiple of :math:`V`.
    """

    adj: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        adj: Tensor,
        reduction: int = 8,
        correlation: str = 'difference',
        activation: str = 'tanh',
        shared_topology: bool = True,
        learn_topology: bool = True,
        refine: bool = True,
        alpha_init: float = 0.0,
    ) -> None:
        super().__init__()
        check_partitions(adj)
        if not (shared_topology or refine):
            raise ValueError('one of shared_topology and refine must be True, got neither')
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.correlation = check_choice('correlation', correlation, CORRELATIONS)
        self.activation = ACTIVATIONS[check_choice('activation', activation, list(ACTIVATIONS))]
        self.shared_topology = shared_topology
        self.learn_topology = learn_topology
        self.refine = refine
        self.alpha_init = alpha_init
        self.register_buffer('adj', adj, persistent=False)
        num_partitions = adj.size(0)
        self.weight = Parameter(torch.empty(num_partitions, out_channels, in_channels))
        self.bias = Parameter(torch.empty(num_partitions, out_channels))
        if shared_topology and learn_topology:
            self.topology = Parameter(torch.empty_like(adj))
        if refine:
            width = max(in_channels, 64) // check_int('reduction', reduction, 1)
            self.query = Linear(in_channels, num_partitions * width)
            self.key = Linear(in_channels, num_partitions * width)
            if correlation == 'mlp':
                self.hidden_weight = Parameter(torch.empty(num_partitions, width, 2 * width))
                self.hidden_bias = Parameter(torch.empty(num_partitions, width))
                self.mix_weight = Parameter(torch.empty(num_partitions, width, width))
                self.mix_bias = Parameter(torch.empty(num_partitions, width))
            self.refine_weight = Parameter(torch.empty(num_partitions, out_channels, width))
            self.refine_bias = Parameter(torch.empty(num_partitions, out_channels))
            self.alpha = Parameter(torch.empty(1))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        r"""Resets all learnable parameters of the module.

        As in the authors' code, biases are zero and weights are normally distributed with a
        variance of :math:`2 / F` for :math:`F` outputs in a partition.
        """
        num_partitions = self.adj.size(0)
        for name, parameter in self.named_parameters():
            if name.endswith('bias'):
                zeros_(parameter)
            elif name in ('query.weight', 'key.weight'):
                normal_(parameter, std=math.sqrt(2 * num_partitions / parameter.size(0)))
            elif name.endswith('weight'):
                normal_(parameter, std=math.sqrt(2 / parameter.size(1)))
        with torch.no_grad():
            if self.shared_topology and self.learn_topology:
                self.topology.copy_(self.adj)
            if self.refine:
                self.alpha.fill_(self.alpha_init)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Convolves ``x`` over the topologies of its channels."""
        check_channels(x, self.in_channels)
        num_partitions, num_nodes = self.adj.shape[:2]
        graphs = split_graphs(x, num_nodes)
        num_graphs, num_frames = graphs.size(0), graphs.size(2)
        columns = graphs.flatten(1, 2).mT
        mean = split_graphs(frame_mean(x, mask), num_nodes)
        out: Tensor | None = None
        # In the layout [B, F, V, T], each channel is a matrix product without a copy.
        for k in range(num_partitions):
            message = _map_channels(columns, self.weight[k], self.bias[k].unsqueeze(1))
            message = message.view(num_graphs * self.out_channels, num_nodes, num_frames)
            topology = self._topology(k, mean).reshape(-1, num_nodes, num_nodes).to(message.dtype)
            out = self._accumulate(topology, message, out)
        assert out is not None
        out = out.view(num_graphs, self.out_channels, num_nodes, num_frames)
        return out.permute(0, 2, 3, 1).reshape(-1, num_frames, self.out_channels)

    def _accumulate(self, topology: Tensor, message: Tensor, out: Tensor | None) -> Tensor:
        """Adds the messages of a partition, [B * F, V, T], along its topologies [B * F, V, V]."""
        # In place, to which autocast does not apply.
        return torch.bmm(topology, message) if out is None else out.baddbmm_(topology, message)

    @property
    def per_frame(self) -> bool:
        """Whether the result of a frame does not depend on other frames."""
        return not self.refine

    def _topology(self, k: int, mean: Tensor) -> Tensor:
        """Returns the topology of each channel, [B, F, V * V], given mean features [B, V, C]."""
        if not self.refine:
            size = mean.size(0), self.out_channels, self.adj.size(-1) ** 2
            return self._shared()[k].flatten().expand(size)
        return _map_channels(self._correlation(k, mean), *self._refinement(k))

    def _shared(self) -> Tensor:
        """Returns the topology that all channels share in each partition, [K, V, V]."""
        return self.topology if self.shared_topology and self.learn_topology else self.adj

    def _refinement(self, k: int) -> tuple[Tensor, Tensor]:
        """Returns the map of the correlation to the topologies of a partition: its weight and its
        bias, to which the shared topology is added.
        """
        weight = self.alpha * self.refine_weight[k]
        bias = (self.alpha * self.refine_bias[k]).unsqueeze(1)
        return weight, bias + self._shared()[k].flatten() if self.shared_topology else bias

    def _correlation(self, k: int, mean: Tensor) -> Tensor:
        """Returns the correlation of all pairs of joints in a partition, [B, R, V * V]."""
        query, key = (
            linear(mean, *(part.chunk(self.adj.size(0))[k] for part in (lin.weight, lin.bias))).mT
            for lin in (self.query, self.key)
        )
        query, key = query.unsqueeze(3), key.unsqueeze(2)
        if self.correlation == 'difference':
            out = (query - key).flatten(2)
        elif self.correlation == 'sum':
            out = (query + key).flatten(2)
        else:
            both = torch.cat(torch.broadcast_tensors(query, key), dim=1).flatten(2)
            hidden_bias = self.hidden_bias[k].unsqueeze(1)
            hidden = _map_channels(both, self.hidden_weight[k], hidden_bias).relu()
            out = _map_channels(hidden, self.mix_weight[k], self.mix_bias[k].unsqueeze(1))
        return self.activation(out)

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.in_channels}, {self.out_channels}, '
            f'num_partitions={self.adj.size(0)}, num_nodes={self.adj.size(-1)})'
        )


def _map_channels(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Maps the channels of [B, C, N] linearly, without a transpose; the bias is [F, 1 or N]."""
    return torch.baddbmm(bias.to(x.dtype), weight.to(x.dtype).expand(x.size(0), -1, -1), x)
