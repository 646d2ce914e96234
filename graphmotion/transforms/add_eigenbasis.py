"""The eigenbasis of each graph."""

from __future__ import annotations

from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.data import num_graphs, set_field
from graphmotion.graphs import laplacian_eigenbasis
from graphmotion.transforms.fields import check_count


class AddEigenbasis(BaseTransform):
    r"""Adds the eigenbasis of each graph's Laplacian: :obj:`eigenvalues` :math:`(B, K)`, the
    smallest, and :obj:`eigenvectors` :math:`(B \cdot N, K)`.

    See :func:`~graphmotion.graphs.laplacian_eigenbasis`. For graphs that differ between
    samples; for a graph that all samples share, :class:`ToPixelGraph` adds the basis that was
    computed once.

    Args:
        num_modes (int): Number of modes :math:`K`.
        normalization (str, optional): That of the Laplacian, :obj:`None` or :obj:`"sym"`.
            (default: :obj:`None`)

    Raises:
        ValueError: If there are no edges, or graphs have different numbers of nodes or fewer than
            modes.
    """

    def __init__(self, num_modes: int, normalization: str | None = None) -> None:
        self.num_modes = check_count('num_modes', num_modes)
        if normalization not in (None, 'sym'):
            raise ValueError(f"normalization is None or 'sym', got {normalization!r}")
        self.normalization = normalization

    def forward(self, data: Data) -> Data:
        """Add the basis of a graph, or of each in a batch."""
        if data.get('edge_index') is None or data.get('pos') is None:
            raise ValueError("expected a graph with the fields 'edge_index' and 'pos'")
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
