"""SPEGNN: spectral convolution on a graph over pixels or landmarks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any

import torch
from torch import Tensor
from torch.nn import Identity, Module, ModuleList
from torch_geometric.utils import get_laplacian, to_dense_adj

from graphmotion.models.face_network import (
    CoarserGraph,
    FaceNetwork,
    FaceNetworkOptions,
    SharedGraph,
    StatefulPooling,
    cluster_centers,
    expand_num_layers,
)
from graphmotion.models.registry import register_model
from graphmotion.nn import Divergence, MotionBatchNorm, SpectralConv


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

    With :obj:`directional`, a filter has three multipliers per mode, and its output is
    :math:`\mathbf{f} + \partial_1 \mathbf{g} + \partial_2 \mathbf{h}` for the three filtered
    signals.

    The basis is part of the state, since recomputed eigenvectors may have different signs or be
    rotated within an eigenspace. The state of a model of a different graph is rejected.

    .. code-block:: python

        graph = pixel_graph((16, 16), num_nodes=100)
        model = spegnn(graph, num_classes=7, num_modes=32)
        print(model(torch.rand(100, 1)).shape)  # [1, 7]

    Args:
        graph (PointGraph): The graph that all samples share, with eigenvectors; see
            :class:`~graphmotion.models.face_network.SharedGraph`.
        num_classes (int): Number of classes.
        in_channels (int, optional): Size of each input feature. (default: :obj:`1`)
        channels (int or sequence of int, optional): Number of filters of each layer.
            (default: :obj:`8`)
        num_layers (int or sequence of int, optional): Number of convolutions of each layer.
            (default: :obj:`1`)
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
        directional (bool, optional): If :obj:`True`, each filter also adds the divergence of a
            filtered vector field to its output, since filters whose multipliers depend on the mode
            alone are isotropic; see :class:`~graphmotion.nn.Divergence`.
            (default: :obj:`False`)
        multiscale (bool, optional): If :obj:`True`, each layer is followed by pooling, and the
            layers after the first filter in the eigenbases of the coarser graphs, of at most
            :obj:`num_modes` modes each. :obj:`num_pools` is then at least the number of layers
            minus one. (default: :obj:`False`)
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
        num_layers: int | Sequence[int] = 1,
        num_modes: int | None = None,
        num_knots: int | None = None,
        basis_per_graph: bool = False,
        num_pools: int = 0,
        directional: bool = False,
        multiscale: bool = False,
        **options: Any,
    ) -> None:
        config = FaceNetworkOptions(**options)
        super().__init__(graph, num_classes, in_channels, num_pools, config)
        channels = [channels] if isinstance(channels, int) else list(channels)
        if multiscale and num_pools < len(channels) - 1:
            raise ValueError(
                f'num_pools must be at least {len(channels) - 1} for {len(channels)} layers if '
                f'multiscale, got {num_pools}'
            )
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
        if basis_per_graph and (config.num_directions is not None or directional or multiscale):
            raise ValueError(
                'num_directions, directional and multiscale require a shared graph, not '
                'basis_per_graph'
            )
        self.num_modes = num_modes
        self.directional = directional
        self.multiscale = multiscale
        self.residual = config.residual
        self.inputs = ('x', 'eigenvectors') if basis_per_graph else ('x',)
        # A copy, since loading a state writes to the tensor.
        own = None if basis_per_graph else basis[:, :num_modes].clone().contiguous()
        self.register_buffer('eigenvectors', own)
        if not basis_per_graph:
            self.record_graph(graph)
        levels = graph.hierarchy[:num_pools]
        self.sizes = [graph.num_nodes, *(level.num_clusters for level in levels)]
        self.num_layers = expand_num_layers(num_layers, len(channels))
        self.convs, self.norms, self.divergences = ModuleList(), ModuleList(), ModuleList()
        before, pos, edge_index = self.prepared_channels, graph.pos, graph.edge_index
        for layer, (after, count) in enumerate(zip(channels, self.num_layers)):
            if layer and multiscale:
                level = levels[layer - 1]
                pos, edge_index = cluster_centers(pos, level), level.edge_index
                coarse = _coarse_basis(level, num_modes)
                self.register_buffer(f'eigenvectors_{layer}', coarse)
                num_modes = coarse.size(1)
            if directional and (multiscale or not layer):
                self.divergences.append(Divergence(pos, edge_index))
            knots = None if num_knots is None else min(num_knots, num_modes)
            width = 3 * after if directional else after
            for _ in range(count):
                self.convs.append(SpectralConv(before, width, num_modes, knots, config.bias))
                self.norms.append(MotionBatchNorm(after) if config.batch_norm else Identity())
                before = after
        self.pools = ModuleList(StatefulPooling(level, config.reduce) for level in levels)
        self.head = self.make_head(self.sizes[-1] * before, config)

    def forward(self, x: Tensor, eigenvectors: Tensor | None = None) -> Tensor:
        """Returns the logits of each sample, given the eigenvectors of each graph if needed."""
        basis = self._basis(eigenvectors)
        self.check_features(x)
        x = self.prepare(x)
        layers = zip(self.convs, self.norms)
        for layer, count in enumerate(self.num_layers):
            if layer and self.multiscale:
                x = self.pools[layer - 1](x)
                basis = getattr(self, f'eigenvectors_{layer}')
            for conv, norm in islice(layers, count):
                out = norm(self._filter(x, basis, conv, layer)).relu()
                x = x + out if self.residual and x.size(1) == out.size(1) else out
        for pool in self.pools[len(self.num_layers) - 1 if self.multiscale else 0 :]:
            x = pool(x)
        return self.head(x)

    def _filter(self, x: Tensor, basis: Tensor, conv: Module, layer: int) -> Tensor:
        scale = layer if self.multiscale else 0
        x = conv(x, basis, self.sizes[scale])
        if not self.directional:
            return x
        width = x.size(1) // 3
        return x[:, :width] + self.divergences[scale](x[:, width:])

    @torch.no_grad()
    def node_weights(self, eigenvectors: Tensor | None = None) -> Tensor:
        r"""Computes how strongly the first convolution weights each node: the norm of its response
        to an impulse at the node, over all input channels, filters and nodes.

        .. math::
            w_u = \sqrt{\textstyle\sum_{i,j,k} \theta_{kij}^2 V_{uk}^2}

        for isotropic filters.

        Shapes:
            - **eigenvectors:** with :obj:`basis_per_graph`, the basis of one or more graphs
            - **output:** :math:`(N)`, or one row for each row of :obj:`eigenvectors`
        """
        conv: Any = self.convs[0]
        basis = self._basis(eigenvectors)
        if not self.directional:
            return (basis.square() @ conv.multipliers.square().sum((1, 2))).sqrt()
        # Responses are combinations of the modes and their derivatives, of which `gram` holds the
        # inner products.
        zero = torch.zeros_like(basis)
        fields = [torch.cat(pair, dim=1) for pair in ((basis, zero), (zero, basis))]
        modes = torch.cat([basis, *map(self.divergences[0], fields)], dim=1)
        num_modes = basis.size(1)
        gram = (modes.t() @ modes).view(3, num_modes, 3, num_modes)
        parts = conv.multipliers.view(num_modes, -1, 3, conv.out_channels // 3)
        product = torch.einsum('kids,lies,dkel->kl', parts, parts, gram)
        return ((basis @ product) * basis).sum(dim=1).clamp(min=0).sqrt()

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


def _coarse_basis(level: CoarserGraph, num_modes: int) -> Tensor:
    """Returns the eigenvectors [M, K] of the smallest Laplacian eigenvalues of a coarse graph."""
    edge_index, edge_weight = get_laplacian(
        level.edge_index, level.edge_weight.double(), num_nodes=level.num_clusters
    )
    laplacian = to_dense_adj(edge_index, None, edge_weight, level.num_clusters)[0]
    basis = torch.linalg.eigh(laplacian).eigenvectors[:, :num_modes]
    return basis.to(torch.get_default_dtype()).contiguous()


spegnn = SPEGNN
