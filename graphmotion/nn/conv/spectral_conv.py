"""Convolution in the eigenbasis of the graph Laplacian."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import Parameter
from torch_geometric.nn.inits import uniform

from graphmotion.checks import check_int
from graphmotion.nn.graphs import pad_graphs, split_graphs, unpad_graphs


class SpectralConv(torch.nn.Module):
    r"""The spectral construction from the `"Spectral Networks and Deep Locally Connected Networks
    on Graphs" <https://arxiv.org/abs/1312.6203>`_ paper, with a weight for each Laplacian
    eigenvector.

    .. math::
        \mathbf{x}^{\prime}_j = \mathbf{V} \sum_{i=1}^{F_{in}} \mathrm{diag}(\theta_{1ij}, \ldots,
        \theta_{Kij}) \, \mathbf{V}^{\top} \mathbf{x}_i + b_j

    where the columns of :math:`\mathbf{V}` are :math:`K` eigenvectors, usually those of the
    smallest eigenvalues. With :obj:`num_knots`, the multipliers are a smooth function of the mode,
    :math:`\mathbf{\theta} = \mathbf{B} \mathbf{\alpha}` with cubic B-splines
    :math:`\mathbf{B} \in \mathbb{R}^{K \times Q}`, so that the number of parameters does not grow
    with the number of modes. Smooth multipliers yield filters that are local on the graph.

    Multipliers are specific to the graph that they were learned on. The result does not depend on
    the signs of eigenvectors, but on the choice of the basis within a repeated eigenvalue.

    .. code-block:: python

        graph = pixel_graph((16, 16), num_nodes=100)
        _, eigenvectors = laplacian_eigenbasis(graph.edge_index, 100, num_modes=20)
        conv = SpectralConv(1, 8, num_modes=20)
        print(conv(torch.randn(100, 1), eigenvectors, num_nodes=100).shape)  # [100, 8]

    Args:
        in_channels (int): Size of each input feature.
        out_channels (int): Size of each output feature.
        num_modes (int): Number of eigenvectors :math:`K`.
        num_knots (int, optional): Number of spline coefficients :math:`Q`; by default, each mode
            has a separate multiplier. (default: :obj:`None`)
        bias (bool, optional): If set to :obj:`False`, no bias :math:`\mathbf{b}` is added.
            (default: :obj:`True`)

    Shapes:
        - **x:** node features :math:`(|\mathcal{V}|, F_{in})` or :math:`(|\mathcal{V}|, T,
          F_{in})`
        - **eigenvectors:** :math:`(N, K)` if all graphs share them, or :math:`(|\mathcal{V}|, K)`
          for separate eigenvectors of each graph; a graph with fewer modes has zeros in the last
          columns
        - **num_nodes:** number of nodes :math:`N` of every graph. Required if there is one row of
          eigenvectors per node, which may be a single graph or several graphs
        - **batch:** ascending graph index of each node :math:`(|\mathcal{V}|)` if graphs differ in
          size; :obj:`num_nodes` is then the size of the largest graph and :obj:`batch_size` the
          number of graphs, both computed if not given
        - **output:** node features :math:`(|\mathcal{V}|, F_{out})` or :math:`(|\mathcal{V}|, T,
          F_{out})`

    Raises:
        ValueError: If there are not :obj:`num_modes` eigenvectors, the number of their rows does
            not match the nodes, or :obj:`num_nodes` and :obj:`batch` are missing where rows are
            ambiguous.
    """

    basis: Tensor | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        num_modes: int,
        num_knots: int | None = None,
        bias: bool = True,
    ) -> None:
        super().__init__()
        check_int('num_modes', num_modes, 1)
        if num_knots is not None:
            check_int('num_knots', num_knots, 1)
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.num_modes = num_modes
        self.num_knots = num_knots
        self.weight = Parameter(torch.empty(num_knots or num_modes, in_channels, out_channels))
        self.bias = Parameter(torch.empty(out_channels)) if bias else None
        basis = None if num_knots is None else _spline_basis(num_modes, num_knots)
        self.register_buffer('basis', basis, persistent=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        r"""Resets all learnable parameters of the module.

        The distribution is uniform with a bound given by the number of inputs, as in
        :class:`torch.nn.Linear`.
        """
        uniform(self.in_channels, self.weight)
        uniform(self.in_channels, self.bias)

    @property
    def multipliers(self) -> Tensor:
        r"""Multipliers of each mode and pair of channels: :math:`(K, F_{in}, F_{out})`."""
        if self.basis is None:
            return self.weight
        return (self.basis @ self.weight.flatten(1)).view(-1, *self.weight.shape[1:])

    def forward(
        self,
        x: Tensor,
        eigenvectors: Tensor,
        num_nodes: int | None = None,
        batch: Tensor | None = None,
        batch_size: int | None = None,
    ) -> Tensor:
        """Filters ``x`` in the eigenbasis."""
        if x.size(-1) != self.in_channels:
            raise ValueError(f'x must have {self.in_channels} channels, got {x.size(-1)}')
        rows = eigenvectors.size(0)
        if eigenvectors.dim() != 2 or eigenvectors.size(1) != self.num_modes:
            raise ValueError(
                f'eigenvectors must have shape [num_nodes, {self.num_modes}], got '
                f'{list(eigenvectors.shape)}'
            )
        if batch is not None and rows != x.size(0):
            raise ValueError(
                f'eigenvectors must have one row for each of {x.size(0)} nodes, got {rows} rows'
            )
        if batch is None and num_nodes is not None and rows not in (num_nodes, x.size(0)):
            raise ValueError(
                f'eigenvectors must have one row for each of num_nodes={num_nodes} nodes or for '
                f'each of the {x.size(0)} nodes of x, got {rows} rows'
            )
        if batch is None and num_nodes is None and rows == x.size(0):
            raise ValueError(
                'num_nodes or batch is required: eigenvectors with one row per node may belong to '
                'one graph or to several'
            )
        eigenvectors = eigenvectors.to(x.dtype)
        if batch is not None:
            graphs, _ = pad_graphs(x, batch, batch_size, num_nodes)
            padded, _ = pad_graphs(eigenvectors, batch, *graphs.shape[:2])
            out = unpad_graphs(self._filter_each(graphs.flatten(2), padded), batch)
        elif num_nodes is None or rows == num_nodes:
            out = self._filter_shared(split_graphs(x, rows).flatten(2), eigenvectors).flatten(0, 1)
        else:
            graphs = split_graphs(x, num_nodes).flatten(2)
            out = self._filter_each(graphs, split_graphs(eigenvectors, num_nodes)).flatten(0, 1)
        out = out.reshape(*x.shape[:-1], self.out_channels)
        return out if self.bias is None else out + self.bias.to(out.dtype)

    def _filter_shared(self, x: Tensor, basis: Tensor) -> Tensor:
        """Filters graphs [B, N, T * C] in one basis [N, K].

        One wide product for all graphs is ten times faster than a product for each graph, which
        is narrow if there are few channels.
        """
        columns = x.transpose(0, 1).flatten(1)
        modes = self._multiply((basis.t() @ columns).view(self.num_modes, -1, self.in_channels))
        columns = basis @ modes.flatten(1)
        return columns.view(basis.size(0), x.size(0), self._width(x)).transpose(0, 1)

    def _filter_each(self, x: Tensor, basis: Tensor) -> Tensor:
        """Filters graphs [B, N, T * C], each in its basis [B, N, K]."""
        modes = torch.bmm(basis.mT, x).transpose(0, 1)
        modes = self._multiply(modes.reshape(self.num_modes, -1, self.in_channels))
        modes = modes.view(self.num_modes, x.size(0), self._width(x))
        return torch.bmm(basis, modes.transpose(0, 1))

    def _width(self, x: Tensor) -> int:
        """Returns T * F for graphs [B, N, T * C]."""
        return x.size(-1) // self.in_channels * self.out_channels

    def _multiply(self, modes: Tensor) -> Tensor:
        return torch.bmm(modes, self.multipliers)

    def __repr__(self) -> str:
        knots = '' if self.num_knots is None else f', num_knots={self.num_knots}'
        return (
            f'{self.__class__.__name__}({self.in_channels}, {self.out_channels}, '
            f'num_modes={self.num_modes}{knots})'
        )


def _spline_basis(num_modes: int, num_knots: int) -> Tensor:
    """Returns evenly spaced B-splines over the modes, [num_modes, num_knots].

    They are cubic if there are at least four, and sum to one for each mode, so that equal
    coefficients give equal multipliers.
    """
    from scipy.interpolate import BSpline  # slow to import

    degree = min(3, num_knots - 1)
    inner = torch.linspace(0, 1, num_knots - degree + 1, dtype=torch.float64)
    knots = torch.cat([inner.new_zeros(degree), inner, inner.new_ones(degree)])
    position = torch.linspace(0, 1, num_modes, dtype=torch.float64)
    basis = BSpline.design_matrix(position.numpy(), knots.numpy(), degree).toarray()
    return torch.from_numpy(basis).to(torch.get_default_dtype())
