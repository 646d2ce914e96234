"""SPEGNN: spectral convolution on a graph over pixels or landmarks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import Identity, ModuleList

from graphmotion.models.face_network import (
    FaceNetwork,
    FaceNetworkOptions,
    SharedGraph,
    StatefulPooling,
)
from graphmotion.models.registry import register_model
from graphmotion.nn import MotionBatchNorm, SpectralConv


@register_model('spegnn', task='expression')
class SPEGNN(FaceNetwork):
    r"""The spectral part of SSGNN, from "SSGNN: A Macro and Microfacial Expression Recognition
    Graph Neural Network Combining Spatial and Spectral Domain Features".

    A convolution in the eigenbasis :math:`\mathbf{V}` of the graph Laplacian, with a multiplier
    for each mode, channel and filter, is followed by a fully connected layer:

    .. math::
        \mathbf{c}_j = \mathrm{ReLU}\left( \mathbf{V} \sum_{i=1}^{F_{in}} \mathrm{diag}(
        \theta_{1ij}, \ldots, \theta_{Kij}) \, \mathbf{V}^{\top} \mathbf{x}_i \right), \qquad
        \mathbf{y} = \mathbf{W} (\mathbf{c}_1 \, \Vert \, \dots \, \Vert \, \mathbf{c}_{F}) +
        \mathbf{b}

    The paper does not state the number of filters, 8 here. It prints a ReLU around
    :math:`\mathbf{y}`, under which a sample whose logits are all negative yields no gradient:
    set :obj:`final_relu` to use it.

    The basis is part of the state, since recomputed eigenvectors may have different signs or be
    rotated within an eigenspace. The state of a model of a different graph is rejected.

    Args:
        graph (PointGraph): The graph that all samples share, with eigenvectors; see
            :class:`~graphmotion.models.face_network.SharedGraph`.
        num_classes (int): Number of classes.
        in_channels (int, optional): Size of each input feature. (default: :obj:`1`)
        channels (int or sequence of int, optional): Number of filters of each layer.
            (default: :obj:`8`)
        num_modes (int, optional): Number of modes :math:`K`, smallest eigenvalues first; all modes
            of :obj:`graph` by default. (default: :obj:`None`)
        num_knots (int, optional): Number of spline coefficients for multipliers that are a smooth
            function of the mode; see :class:`~graphmotion.nn.SpectralConv`.
            (default: :obj:`None`)
        basis_per_graph (bool, optional): If :obj:`True`, each sample has its own graph of
            :math:`N` nodes, such as landmarks, and its own basis in the field
            :obj:`eigenvectors`; :obj:`graph` is an example of them. Requires :obj:`num_knots`,
            since single modes of different graphs do not correspond. (default: :obj:`False`)
        num_pools (int, optional): Number of levels of the hierarchy over which the filtered
            features are pooled. (default: :obj:`0`)
        **options (optional): Fields of
            :class:`~graphmotion.models.face_network.FaceNetworkOptions`.

    Shapes:
        - **x:** node features :math:`(B \cdot N, F_{in})`
        - **eigenvectors:** with :obj:`basis_per_graph`, :math:`(B \cdot N, K)` or more columns
        - **output:** logits :math:`(B, \text{num\_classes})`

    Raises:
        ValueError: If :obj:`graph` has no eigenvectors or too few modes or levels, or an input has
            an invalid shape.
    """

    eigenvectors: Tensor | None

    def __init__(
        self,
        graph: SharedGraph,
        num_classes: int,
        in_channels: int = 1,
        channels: int | Sequence[int] = 8,
        num_modes: int | None = None,
        num_knots: int | None = None,
        basis_per_graph: bool = False,
        num_pools: int = 0,
        **options: Any,
    ) -> None:
        config = FaceNetworkOptions(**options)
        super().__init__(graph, num_classes, in_channels, num_pools, config)
        basis = graph.eigenvectors
        if basis is None:
            raise ValueError('graph must have eigenvectors: build it with num_modes')
        num_modes = basis.size(1) if num_modes is None else num_modes
        if not 1 <= num_modes <= basis.size(1):
            raise ValueError(
                f'num_modes must be in [1, {basis.size(1)}] for this graph, got {num_modes}'
            )
        if basis_per_graph and num_knots is None:
            raise ValueError('basis_per_graph requires num_knots: single modes do not correspond')
        if basis_per_graph and config.num_directions is not None:
            raise ValueError('num_directions requires a shared graph, not basis_per_graph')
        self.num_modes = num_modes
        self.inputs = ('x', 'eigenvectors') if basis_per_graph else ('x',)
        # A copy, since loading a state writes to the tensor.
        own = None if basis_per_graph else basis[:, :num_modes].clone().contiguous()
        self.register_buffer('eigenvectors', own)
        if not basis_per_graph:
            self.record_graph(graph)
        self.convs, self.norms = ModuleList(), ModuleList()
        before = self.prepared_channels
        for after in [channels] if isinstance(channels, int) else channels:
            self.convs.append(SpectralConv(before, after, num_modes, num_knots, config.bias))
            self.norms.append(MotionBatchNorm(after) if config.batch_norm else Identity())
            before = after
        levels = graph.hierarchy[:num_pools]
        self.pools = ModuleList(StatefulPooling(level, config.reduce) for level in levels)
        size = levels[-1].num_clusters if num_pools else graph.num_nodes
        self.head = self.make_head(size * before, config)

    def forward(self, x: Tensor, eigenvectors: Tensor | None = None) -> Tensor:
        """Logits of each sample; ``eigenvectors`` are those of each graph."""
        basis = self._basis(eigenvectors)
        x = self.prepare_features(x)
        for conv, norm in zip(self.convs, self.norms):
            x = norm(conv(x, basis, self.num_nodes)).relu()
        for pool in self.pools:
            x = pool(x)
        return self.head(x)

    @torch.no_grad()
    def node_weights(self, eigenvectors: Tensor | None = None) -> Tensor:
        r"""Computes how strongly the first convolution weighs each node: the norm of its response
        to an impulse at the node, over all input channels, filters and nodes.

        .. math::
            w_u = \sqrt{\textstyle\sum_{i,j,k} \theta_{kij}^2 V_{uk}^2}

        Shapes:
            - **eigenvectors:** with :obj:`basis_per_graph`, the basis of one or more graphs
            - **output:** :math:`(N)`, or one row for each row of :obj:`eigenvectors`
        """
        conv: Any = self.convs[0]
        return (self._basis(eigenvectors).square() @ conv.multipliers.square().sum((1, 2))).sqrt()

    def _basis(self, eigenvectors: Tensor | None) -> Tensor:
        if self.eigenvectors is not None:
            if eigenvectors is not None:
                raise ValueError(
                    'eigenvectors must be None for a model with its own basis; build it with '
                    'basis_per_graph=True to pass them'
                )
            return self.eigenvectors
        if eigenvectors is None:
            raise ValueError('eigenvectors of each graph are required with basis_per_graph')
        return eigenvectors[:, : self.num_modes]


spegnn = SPEGNN
