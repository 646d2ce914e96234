"""Laplacian eigenbasis of each graph."""

from __future__ import annotations

from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.checks import check_choice, check_int
from graphmotion.config import Configurable
from graphmotion.data import num_graphs, set_field
from graphmotion.graphs import laplacian_eigenbasis


class AddEigenbasis(Configurable, BaseTransform):
    r"""Adds the :math:`K` lowest modes of each graph's Laplacian.

    They are the fields :obj:`eigenvalues` :math:`(B, K)` and :obj:`eigenvectors`
    :math:`(B \cdot N, K)`; see :func:`~graphmotion.graphs.laplacian_eigenbasis`. Use this
    transform if graphs differ between samples. If all samples share one graph,
    :class:`ToPixelGraph` adds a basis that is computed once.

    .. code-block:: python

        data = graph_to_data(pixel_graph((16, 16), num_nodes=100), torch.rand(100, 1))
        data = AddEigenbasis(num_modes=10)(data)
        print(data.eigenvectors.shape)  # [100, 10]

    Args:
        num_modes (int): Number of modes :math:`K`.
        normalization (str, optional): Normalization of the Laplacian, :obj:`None` or
            :obj:`"sym"`. (default: :obj:`None`)

    Raises:
        ValueError: If an argument is invalid, a sample has no edges, or the graphs of a batch
            have different numbers of nodes or fewer than :math:`K`.
    """

    def __init__(self, num_modes: int, normalization: str | None = None) -> None:
        self.num_modes = check_int('num_modes', num_modes, 1)
        self.normalization = check_choice('normalization', normalization, (None, 'sym'))

    def forward(self, data: Data) -> Data:
        """Adds the basis of a sample or of each sample in a batch."""
        if data.get('edge_index') is None or data.get('pos') is None:
            raise ValueError("a sample must have the fields 'edge_index' and 'pos'")
        eigenvalues, eigenvectors = laplacian_eigenbasis(
            data.edge_index,
            len(data.pos),
            self.num_modes,
            data.get('edge_weight'),
            self.normalization,
            data.get('batch'),
        )
        eigenvalues = eigenvalues.view(num_graphs(data), -1)
        set_field(data, 'eigenvalues', eigenvalues, per_node=False)
        set_field(data, 'eigenvectors', eigenvectors)
        return data

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({self.num_modes}, normalization={self.normalization!r})'
