"""Eigenbasis of the graph Laplacian."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from scipy.sparse import csc_array, csr_array, eye_array
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import SuperLU, splu
from torch import Tensor

from graphmotion.graphs.laplacian import laplacian_entries, symmetric_edges, to_csr

# Up to _DENSE nodes, all modes are computed with a dense matrix; above, only the requested ones,
# if they are at most one in _SHARE. Matrices with more than _LARGEST rows are never dense.
_DENSE = 1000
_LARGEST = 4000
_SHARE = 8

# Block size of the iteration, and the residual L v - lambda v relative to the largest entry of L
# at which it stops.
_BLOCK = 8
_TOLERANCE = 1e-9

# Shifts that are tried in order, relative to the mean diagonal of L. The iteration resolves
# eigenvalues that are not far below the shift; a larger shift loses fewer digits.
_SHIFTS = (1e-3, 1e-6, 1e-9, 1e-12)


def laplacian_eigenbasis(
    edge_index: Tensor,
    num_nodes: int,
    num_modes: int,
    edge_weight: Tensor | None = None,
    normalization: str | None = None,
    batch: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    r"""Computes the :math:`K` smallest eigenvalues of a graph's Laplacian and their eigenvectors.

    .. math::
        \mathbf{L} \mathbf{v}_k = \lambda_k \mathbf{v}_k, \qquad
        0 = \lambda_1 \le \lambda_2 \le \dots \le \lambda_K, \qquad
        \mathbf{V}^{\top} \mathbf{V} = \mathbf{I}

    The result is deterministic:

    - The graph has as many zero eigenvalues as connected components. Their eigenvectors, the
      trivial modes, come first: each is constant on one component (proportional to
      :math:`\mathbf{D}^{1/2}` with :obj:`"sym"`) and zero elsewhere, ordered by the first node of
      the component.
    - The entry of largest magnitude of each eigenvector is positive; the first one of several.
    - For a repeated eigenvalue, any orthonormal basis of its eigenspace is valid, and the result
      may differ between machines: store the basis that a model was trained with.

    For up to 1,000 nodes, and up to 4,000 nodes if more than one mode in eight is requested, all
    eigenvectors are computed with a dense matrix on the device of :obj:`edge_index`. Otherwise, a
    block Lanczos iteration with :math:`(\mathbf{L} + \epsilon \mathbf{I})^{-1}`, factorised once,
    runs on the CPU. It stops when the number of negative pivots of
    :math:`\mathbf{L} - \lambda_K \mathbf{I}` (Sylvester's law of inertia) proves that no mode was
    missed. It is designed for points in the plane or in space; for other graphs, the factor may
    become dense. If the wanted eigenvalues are far below the others, as in a long path or with
    weights of very different magnitude, it restarts with a smaller :math:`\epsilon`. If all shifts
    fail, graphs of up to 4,000 nodes fall back to the dense matrix.

    .. code-block:: python

        path = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
        eigenvalues, eigenvectors = laplacian_eigenbasis(path, num_nodes=3, num_modes=2)
        print(eigenvalues)  # tensor([0., 1.])

    Args:
        edge_index (Tensor): Edges, each in both directions.
        num_nodes (int): Number of nodes :math:`N` of all graphs.
        num_modes (int): Number of modes :math:`K`.
        edge_weight (Tensor, optional): Weights, equal in both directions; ones by default.
            (default: :obj:`None`)
        normalization (str, optional): :obj:`None` for :math:`\mathbf{D} - \mathbf{A}`, or
            :obj:`"sym"`; see :func:`laplacian`. (default: :obj:`None`)
        batch (Tensor, optional): Sorted graph index of each node, for :math:`B` graphs with equal
            numbers of nodes; each graph gets its own basis. (default: :obj:`None`)

    Shapes:
        - **edge_index:** :math:`(2, E)`
        - **edge_weight:** :math:`(E)`
        - **output:** eigenvalues :math:`(K)`, or :math:`(B, K)` with :obj:`batch`, and
          eigenvectors :math:`(N, K)`, on the device of :obj:`edge_index`; computed in double
          precision and returned in that of :obj:`edge_weight`, at least 32 bits

    Raises:
        ValueError: If there are fewer nodes than modes, more than one mode in eight nodes is
            requested for more than 4,000 nodes, graphs have different sizes, or the graph is
            invalid as in :func:`laplacian`.
        RuntimeError: If the modes of more than 4,000 nodes do not converge, which may happen if
            the wanted eigenvalues are below the rounding error of the largest one.
    """
    if normalization not in (None, 'sym'):
        raise ValueError(f"normalization must be None or 'sym', got {normalization!r}")
    num_graphs = 1 if batch is None else _count_graphs(batch, num_nodes)
    size = num_nodes // num_graphs
    if not 1 <= num_modes <= size:
        raise ValueError(f'num_modes must be in [1, {size}] for {size} nodes, got {num_modes}')
    few = size > _DENSE and num_modes <= size // _SHARE
    if size > _LARGEST and not few:
        raise ValueError(
            f'num_modes must be at most {size // _SHARE} for {size} nodes (one in {_SHARE} above '
            f'{_LARGEST} nodes), got {num_modes}'
        )
    edges, weight = symmetric_edges(edge_index, num_nodes, edge_weight)
    if bool((edges[0] // size != edges[1] // size).any()):
        raise ValueError('edge_index must not connect two graphs of the batch')
    entries, values = laplacian_entries(edges, num_nodes, weight, normalization)
    component, amplitude = _trivial_modes(edges, num_nodes, size, weight, normalization)

    eigenvalues = torch.zeros(num_graphs, num_modes, dtype=torch.float64)
    eigenvectors = torch.zeros(num_graphs, size, num_modes, dtype=torch.float64)
    eigenvalues, eigenvectors = eigenvalues.to(values.device), eigenvectors.to(values.device)
    solve = _few_modes if few else _all_modes
    step = 1 if few else max(1, _LARGEST**2 // size**2)  # graphs solved together
    for first in range(0, num_graphs, step):
        part = slice(first, min(first + step, num_graphs))
        own = slice(part.start * size, part.stop * size)
        mine = (entries[0] >= own.start) & (entries[0] < own.stop)
        eigenvalues[part], eigenvectors[part] = solve(
            entries[:, mine] - own.start,
            values[mine],
            component[own],
            amplitude[own],
            size,
            num_modes,
        )
    eigenvectors = _fix_signs(eigenvectors).flatten(0, 1)
    dtype = torch.float32 if edge_weight is None else edge_weight.dtype
    dtype = torch.promote_types(dtype, torch.float32)
    if batch is None:
        eigenvalues = eigenvalues.squeeze(0)
    return eigenvalues.to(dtype), eigenvectors.to(dtype)


def _count_graphs(batch: Tensor, num_nodes: int) -> int:
    if batch.shape != (num_nodes,):
        raise ValueError(f'batch must have shape [{num_nodes}], got {list(batch.shape)}')
    if bool((batch.diff() < 0).any()):
        raise ValueError('batch must be sorted')
    sizes = batch.unique_consecutive(return_counts=True)[1]
    if bool((sizes != sizes[0]).any()):
        raise ValueError(
            f'the graphs of a batch must have the same number of nodes, got {int(sizes.min())} to '
            f'{int(sizes.max())}'
        )
    return len(sizes)


def _trivial_modes(
    edge_index: Tensor, num_nodes: int, size: int, weight: Tensor, normalization: str | None
) -> tuple[Tensor, Tensor]:
    """Returns the component of each node within its graph and its entry in the trivial mode."""
    adjacency = to_csr(edge_index, weight, num_nodes)
    _, component = connected_components(adjacency, directed=False)
    _, first, component = np.unique(component, return_index=True, return_inverse=True)
    component = np.argsort(np.argsort(first))[component]  # ordered by first node
    amplitude = np.ones(num_nodes)
    if normalization == 'sym':
        amplitude = np.sqrt(adjacency.sum(axis=1))
        amplitude[amplitude == 0] = 1.0
    norm = np.sqrt(np.bincount(component, amplitude**2))
    # The components of a graph are consecutive, beginning with that of its first node.
    in_graph = torch.from_numpy(component).view(-1, size)
    in_graph = (in_graph - in_graph[:, :1]).flatten()
    entry = torch.from_numpy(amplitude / norm[component])
    return in_graph.to(weight.device), entry.to(weight.device)


def _all_modes(
    entries: Tensor,
    values: Tensor,
    component: Tensor,
    amplitude: Tensor,
    size: int,
    num_modes: int,
) -> tuple[Tensor, Tensor]:
    """Computes the modes of graphs of equal size by dense matrices: [B, K] and [B, N, K]."""
    dense = values.new_zeros(len(component), size)
    dense.index_put_((entries[0], entries[1] % size), values, accumulate=True)
    dense, component = dense.view(-1, size, size), component.view(-1, size)
    amplitude = amplitude.view(-1, size)
    # The trivial modes are known. They are shifted above all others, so that modes with tiny
    # eigenvalues do not mix with them.
    lift = 4.0 * float(values.max()) or 1.0
    same = component.unsqueeze(2) == component.unsqueeze(1)
    dense += lift * same * amplitude.unsqueeze(2) * amplitude.unsqueeze(1)
    eigenvalues, eigenvectors = torch.linalg.eigh(dense)
    count = component.amax(dim=1, keepdim=True) + 1
    mode = torch.arange(num_modes, device=values.device).expand(len(count), -1)
    place = (mode - count) % size
    eigenvalues = eigenvalues.gather(1, place).masked_fill(mode < count, 0.0)
    eigenvectors = eigenvectors.gather(2, place.unsqueeze(1).expand(-1, size, -1))
    indicator = torch.where(component.unsqueeze(2) == mode.unsqueeze(1), amplitude.unsqueeze(2), 0)
    eigenvectors = torch.where((mode < count).unsqueeze(1), indicator, eigenvectors)
    return eigenvalues.clamp(min=0.0), eigenvectors


def _few_modes(
    entries: Tensor,
    values: Tensor,
    component: Tensor,
    amplitude: Tensor,
    size: int,
    num_modes: int,
) -> tuple[Tensor, Tensor]:
    """Computes the modes of a large graph by block Lanczos iteration: [1, K] and [1, N, K]."""
    device = values.device
    component, amplitude = component.cpu(), amplitude.cpu()
    count = min(int(component.max()) + 1, num_modes)
    trivial = torch.where(component == torch.arange(count).unsqueeze(1), amplitude, 0)
    if count == num_modes:
        return values.new_zeros(1, num_modes), trivial.mT.unsqueeze(0).to(device)

    matrix = to_csr(entries, values, size)
    for shift in _SHIFTS:
        modes = _iterate(matrix, trivial, num_modes, shift)
        if modes is not None:
            return modes[0].unsqueeze(0).to(device), modes[1].unsqueeze(0).to(device)
    if size > _LARGEST:
        raise RuntimeError(
            f'{num_modes} modes of {size} nodes did not converge: their eigenvalues are too close '
            f'to each other relative to the largest entry {float(matrix.diagonal().max()):.3g} of '
            f'the Laplacian'
        )
    return _all_modes(entries, values, component.to(device), amplitude.to(device), size, num_modes)


def _iterate(
    matrix: csr_array, trivial: Tensor, num_modes: int, relative_shift: float
) -> tuple[Tensor, Tensor] | None:
    """Computes modes [K] and [N, K] with one shift, given trivial rows; None on failure."""
    count, size = trivial.shape
    scale = float(matrix.diagonal().max())
    shift = relative_shift * float(matrix.diagonal().mean())
    slack = max(1e-6 * relative_shift, 1e-13) * scale  # rounding error of the pivots
    try:
        factor = _factorize(matrix, -shift)
    except RuntimeError:  # singular, because the shift is below rounding
        return None
    # Vectors are rows. A block finds at most as many copies of a repeated eigenvalue as it has
    # rows; graphs with several components often have repeated eigenvalues.
    width = _BLOCK + min(count - 1, 7 * _BLOCK)
    limit = min(size if size <= _LARGEST else size // 2, 4 * num_modes + 640)
    basis = torch.empty(limit, size, dtype=torch.float64)
    projected = torch.zeros(limit, limit, dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)

    def draw(rows: int, *others: Tensor) -> Tensor:
        block = torch.randn(rows, size, generator=generator, dtype=torch.float64)
        for other in others if rows else ():
            block = _orthonormalize(block, other)[0]
        return block

    last, start, stop = count, count, count + width
    basis[:count] = trivial
    basis[start:stop] = draw(width, trivial)
    check = count + 2 * (num_modes - count) + 8 * width
    while True:
        image = torch.from_numpy(factor.solve(basis[start:stop].numpy().T)).mT
        if not bool(image.isfinite().all()):
            return None
        block, coupling, inside = _orthonormalize(image, basis[:stop], stop - last)
        projected[start:stop, start:stop] = inside[:, start - last :].mT
        if stop >= check or stop + width > limit:
            check = stop + max(2 * width, stop // 10)
            with _one_thread():
                ritz, mixing = torch.linalg.eigh(projected[count:stop, count:stop])
            ritz = ritz.flip(0)[: num_modes - count]
            mixing = mixing.flip(1)[:, : num_modes - count]
            # Residual of the inverse, converted to that of the Laplacian.
            left = (coupling @ mixing[start - count :]).norm(dim=0) / ritz * 2
            if bool((left < _TOLERANCE).all()):
                eigenvalues = torch.cat([ritz.new_zeros(count), (1 / ritz - shift).clamp(min=0)])
                below = float(eigenvalues[-1]) * (1 - 1e-7) - slack
                pivots = _factorize(matrix, below).U.diagonal()
                missed = int((pivots < 0).sum()) - int((eigenvalues < below).sum())
                if missed == 0:
                    break
                width += min(max(missed, 1), 8 * _BLOCK)
                check = stop + 4 * width
            elif float(1 / ritz[-1]) < 1.1 * shift:
                # Estimates decrease towards the eigenvalues: the last one is far below the shift.
                return None
        if stop + width > limit:
            return None
        # Random vectors fill up the block if the space is exhausted or more copies are needed.
        fresh = draw(width - len(block), basis[:stop], block)
        basis[stop : stop + width] = torch.cat([block, fresh])
        rows = slice(stop, stop + len(block))
        projected[rows, start:stop] = coupling
        projected[start:stop, rows] = coupling.mT
        last, start, stop = start, stop, stop + width
    eigenvectors = torch.cat([trivial, mixing.mT @ basis[count:stop]]).mT
    return eigenvalues, eigenvectors


def _factorize(matrix: csr_array, shift: float) -> SuperLU:
    """Factorises the shifted symmetric matrix without pivoting."""
    shifted = csc_array(matrix - shift * eye_array(matrix.shape[0]))
    return splu(
        shifted,
        permc_spec='MMD_AT_PLUS_A',
        diag_pivot_thresh=0.0,
        options={'SymmetricMode': True},
    )


def _orthonormalize(
    block: Tensor, basis: Tensor, near: int | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Orthonormalises rows against an orthonormal basis.

    Only the last ``near`` rows of the basis, by default all, have large components in the block.
    The basis is projected out twice because of rounding.

    Returns the new rows, at most as many as there are dimensions left, and the coefficients such
    that the block is ``coupling.mT @ rows + inside @ basis[-near:]``.
    """
    size = block.norm(dim=1).max()
    close = basis if near is None else basis[-near:]
    inside = block @ close.mT
    block = block - inside @ close
    block = block - (block @ basis.mT) @ basis
    with _one_thread():
        rows, corner = torch.linalg.qr(block.mT)
        left, strength, right = torch.linalg.svd(corner, full_matrices=False)
    kept = strength > 1e-12 * size
    rows, coupling = (rows @ left[:, kept]).mT, strength[kept, None] * right[kept]
    if len(rows) and strength[kept].min() < 1e-4 * size:
        # Some rows almost vanish, so that rounding errors dominate.
        again = rows - (rows @ basis.mT) @ basis
        with _one_thread():
            rows, corner = torch.linalg.qr(again.mT)
        rows, coupling = rows.mT, corner @ coupling
    return rows, coupling, inside


@contextmanager
def _one_thread() -> Iterator[None]:
    """Uses one thread, since threads synchronise after every column of small decompositions and
    may wait a hundred times longer than they work on a busy machine.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _fix_signs(eigenvectors: Tensor) -> Tensor:
    """Makes the first of the largest entries in each column positive: [B, N, K]."""
    size = eigenvectors.abs()
    # Entries that are equal by symmetry may differ by rounding.
    largest = size >= (1 - 1e-6) * size.amax(dim=1, keepdim=True)
    first = largest.cumsum(dim=1).eq(1) & largest
    sign = torch.where(first, eigenvectors, 0).sum(dim=1, keepdim=True).sign()
    return eigenvectors * sign
