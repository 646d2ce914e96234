"""SPAGNN: locally connected convolution on a graph over pixels or landmarks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import Identity, ModuleList

from graphmotion.models.face_network import (
    FaceNetwork,
    FaceNetworkOptions,
    SharedGraph,
    StatefulPooling,
    cluster_centers,
    expand_num_layers,
    keep_in_state,
)
from graphmotion.models.registry import register_model
from graphmotion.nn import LocallyConnectedConv, MotionBatchNorm
from graphmotion.nn.graphs import split_graphs
from graphmotion.nn.sample_blocks import apply_to_samples


@register_model('spagnn', task='expression')
class SPAGNN(FaceNetwork):
    r"""The spatial part of SSGNN, from "SSGNN: A Macro and Microfacial Expression Recognition
    Graph Neural Network Combining Spatial and Spectral Domain Features".

    Each layer is a convolution with an individual weight for each edge, followed by pooling of
    clusters. A fully connected layer computes the logits:

    .. math::
        \mathbf{o}_v = \mathrm{ReLU}\left( \sum_{u \in \mathcal{N}(v) \cup \{ v \}}
        \mathbf{x}_u \, \mathbf{\Theta}_{uv} \right), \qquad
        \mathbf{x}^{\prime}_m = \frac{1}{|\mathcal{C}_m|} \sum_{v \in \mathcal{C}_m} \mathbf{o}_v

    The paper does not state the number of filters, 8 and 16 here, nor which nodes are pooled: here,
    the clusters of the graph's hierarchy, built by :class:`~graphmotion.graphs.PointGraph` with
    :obj:`levels=2, ratio=0.25`. Its graph has no self-loops but its sum includes the node itself;
    here, self-loops are added.

    Edges and clusters are part of the state, and the state of a model of a different graph is
    rejected.

    .. code-block:: python

        graph = pixel_graph((16, 16), num_nodes=100)
        model = spagnn(graph, num_classes=7)
        print(model(torch.rand(100, 1)).shape)  # [1, 7]

    Args:
        graph (PointGraph): The graph that all samples share, with one level of its hierarchy for
            each layer; see :class:`~graphmotion.models.face_network.SharedGraph`.
        num_classes (int): Number of classes.
        in_channels (int, optional): Size of each input feature. (default: :obj:`1`)
        channels (sequence of int, optional): Number of filters of each layer.
            (default: :obj:`(8, 16)`)
        num_layers (int or sequence of int, optional): Number of convolutions of each level before
            pooling. (default: :obj:`1`)
        pool_last (bool, optional): Whether the features of the last level are pooled before the
            fully connected layer. (default: :obj:`True`)
        add_self_loops (bool, optional): Whether the sum includes the node itself.
            (default: :obj:`True`)
        shared (bool, optional): If :obj:`True`, edges of equal offset share their weights, so that
            the number of weights does not grow with the graph; see
            :class:`~graphmotion.nn.LocallyConnectedConv`. The position of a cluster is the mean of
            its members. (default: :obj:`False`)
        **options (optional): Fields of
            :class:`~graphmotion.models.face_network.FaceNetworkOptions`.

    Shapes:
        - **x:** node features :math:`(B \cdot N, F_{in})`
        - **output:** logits :math:`(B, \text{num\_classes})`

    Raises:
        ValueError: If :obj:`graph` has too few levels or :obj:`x` has an invalid shape.
    """

    inputs = ('x',)

    def __init__(
        self,
        graph: SharedGraph,
        num_classes: int,
        in_channels: int = 1,
        channels: Sequence[int] = (8, 16),
        num_layers: int | Sequence[int] = 1,
        pool_last: bool = True,
        add_self_loops: bool = True,
        shared: bool = False,
        **options: Any,
    ) -> None:
        config = FaceNetworkOptions(**options)
        num_levels = len(channels) if pool_last else len(channels) - 1
        super().__init__(graph, num_classes, in_channels, num_levels, config)
        self.record_graph(graph)
        self.num_layers = expand_num_layers(num_layers, len(channels))
        self.residual = config.residual
        self.convs, self.norms, self.pools = ModuleList(), ModuleList(), ModuleList()
        before = self.prepared_channels
        pos, edge_index, size = graph.pos, graph.edge_index, graph.num_nodes
        for number, (after, count) in enumerate(zip(channels, self.num_layers)):
            for _ in range(count):
                conv = _StatefulConv(
                    before, after, edge_index, size, add_self_loops, shared, pos, bias=config.bias
                )
                self.convs.append(conv)
                self.norms.append(MotionBatchNorm(after) if config.batch_norm else Identity())
                before = after
            if number == num_levels:
                break
            level = graph.hierarchy[number]
            self.pools.append(StatefulPooling(level, config.reduce))
            pos = cluster_centers(pos, level)
            edge_index, size = level.edge_index, level.num_clusters
        self.head = self.make_head(size * before, config)
        # Largest number of features of a sample, per node of the first level.
        convs = cast(Iterable[LocallyConnectedConv], self.convs)
        sizes = [conv.num_nodes * max(conv.in_channels, conv.out_channels) for conv in convs]
        self._width: int = max(sizes) // self.num_nodes

    def forward(self, x: Tensor) -> Tensor:
        """Returns the logits of each sample."""
        self.check_features(x)
        split_graphs(x, self.num_nodes)  # or an error
        if not self.convs[0].shared:  # weights of all edges would be read for each block
            return self._classify(x)
        return apply_to_samples(self, self._classify, x, None, self.num_nodes, self._width)

    def _classify(self, x: Tensor, _: Tensor | None = None) -> Tensor:
        x = self.prepare(x)
        layers = zip(self.convs, self.norms)
        for number, count in enumerate(self.num_layers):
            for conv, norm in islice(layers, count):
                out = norm(conv(x)).relu()
                x = x + out if self.residual and x.size(1) == out.size(1) else out
            if number < len(self.pools):
                x = self.pools[number](x)
        return self.head(x)

    @torch.no_grad()
    def node_weights(self) -> Tensor:
        r"""Computes how strongly the first convolution weights each node: the norm of its response
        to an impulse at the node, over all input channels, filters and nodes.

        .. math::
            w_u = \sqrt{\textstyle\sum_{v, i, j} \Theta_{uvij}^2}

        Shapes:
            - **output:** :math:`(N)`
        """
        conv: Any = self.convs[0]
        square = conv.edge_weight.square().sum((1, 2))
        return square.new_zeros(self.num_nodes).index_add(0, conv.edge_index[0], square).sqrt()


class _StatefulConv(LocallyConnectedConv):
    """Locally connected convolution with its edges in the state."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        keep_in_state(self, 'edge_index')


spagnn = SPAGNN
