"""Laplacian matrices of graphs."""

from __future__ import annotations

import torch
from scipy.sparse import csr_array
from torch import Tensor
from torch_geometric.utils import coalesce, get_laplacian


def laplacian(
    edge_index: Tensor,
    num_nodes: int,
    edge_weight: Tensor | None = None,
    normalization: str | None = None,
) -> csr_array:
    r"""Computes the Laplacian of an undirected graph as a sparse SciPy matrix.

    .. math::
        \mathbf{L} = \mathbf{D} - \mathbf{A} \quad \textrm{or} \quad
        \mathbf{L}_{\textrm{sym}} =
        \mathbf{D}^{-1/2} (\mathbf{D} - \mathbf{A}) \mathbf{D}^{-1/2}

    The row of an isolated node is zero in both. Self-loops are ignored, and the weights of
    duplicate edges are summed.

    .. code-block:: python

        >>> path = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
        >>> laplacian(path, num_nodes=3).toarray().tolist()
        [[1.0, -1.0, 0.0], [-1.0, 2.0, -1.0], [0.0, -1.0, 1.0]]

    Args:
        edge_index (Tensor): Edges, each in both directions.
        num_nodes (int): Number of nodes :math:`N`.
        edge_weight (Tensor, optional): Weights, equal in both directions; ones by default.
            (default: :obj:`None`)
        normalization (str, optional): :obj:`None` or :obj:`"sym"`. (default: :obj:`None`)

    Shapes:
        - **edge_index:** :math:`(2, E)`
        - **edge_weight:** :math:`(E)`
        - **output:** :math:`(N, N)` in double precision, on the CPU

    Raises:
        ValueError: If the graph is not symmetric, a weight is negative or not finite, a node index
            is out of range, or a shape is invalid.
    """
    if normalization not in (None, 'sym'):
        raise ValueError(f"normalization must be None or 'sym', got {normalization!r}")
    edge_index, weight = symmetric_edges(edge_index, num_nodes, edge_weight)
    return to_csr(*laplacian_entries(edge_index, num_nodes, weight, normalization), num_nodes)


def laplacian_entries(
    edge_index: Tensor, num_nodes: int, weight: Tensor, normalization: str | None
) -> tuple[Tensor, Tensor]:
    r"""Computes the entries of the Laplacian of :func:`symmetric_edges`, on their device.

    Returns:
        tuple: Positions :math:`(2, E + N)`, the last :math:`N` on the diagonal, and values
        :math:`(E + N)`.
    """
    entries, values = get_laplacian(edge_index, weight, normalization, num_nodes=num_nodes)
    if normalization == 'sym':
        # PyG sets the diagonal of isolated nodes to one.
        connected = torch.zeros(num_nodes, dtype=values.dtype, device=values.device)
        connected[edge_index[0]] = 1.0
        values = torch.cat([values[:-num_nodes], connected])
    return entries, values


def to_csr(entries: Tensor, values: Tensor, num_nodes: int) -> csr_array:
    r"""Converts the entries of a matrix to a sparse SciPy matrix."""
    row, col = entries.cpu().numpy()
    return csr_array((values.cpu().numpy(), (row, col)), shape=(num_nodes, num_nodes))


def symmetric_edges(
    edge_index: Tensor, num_nodes: int, edge_weight: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    r"""Validates the edges of an undirected graph and returns them sorted, without duplicates,
    self-loops and zero weights, with equal weights in both directions in double precision.
    """
    if edge_index.dim() != 2 or edge_index.size(0) != 2 or edge_index.dtype != torch.long:
        raise ValueError(
            f'edge_index must be a 64-bit integer tensor of shape [2, num_edges], got '
            f'{edge_index.dtype} of shape {list(edge_index.shape)}'
        )
    if num_nodes < 1:
        raise ValueError(f'num_nodes must be at least 1, got {num_nodes}')
    num_edges = edge_index.size(1)
    if num_edges and not 0 <= int(edge_index.min()) <= int(edge_index.max()) < num_nodes:
        raise ValueError(
            f'edge_index must be in [0, {num_nodes - 1}], got {int(edge_index.min())} to '
            f'{int(edge_index.max())}'
        )
    if edge_weight is None:
        weight = torch.ones(num_edges, dtype=torch.float64, device=edge_index.device)
    else:
        if edge_weight.shape != (num_edges,):
            raise ValueError(
                f'edge_weight must have shape [{num_edges}], got {list(edge_weight.shape)}'
            )
        weight = edge_weight.detach().to(edge_index.device, torch.float64)
        if not bool(((weight >= 0) & weight.isfinite()).all()):
            raise ValueError('edge_weight must be finite and not negative')
    kept = (edge_index[0] != edge_index[1]) & (weight > 0)
    edge_index, weight = coalesce(edge_index[:, kept], weight[kept], num_nodes)
    back_index, back_weight = coalesce(edge_index.flip(0), weight, num_nodes)
    if not torch.equal(edge_index, back_index):
        raise ValueError(
            'the graph must be symmetric, but some edges have no reverse; use '
            'torch_geometric.utils.to_undirected'
        )
    if not torch.allclose(weight, back_weight, rtol=1e-5, atol=0.0):
        raise ValueError(
            'edge_weight must be symmetric, but some edges have a different weight than their '
            'reverse; use torch_geometric.utils.to_undirected'
        )
    return edge_index, (weight + back_weight) / 2
