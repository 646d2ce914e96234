"""Graphs over points that all samples of a dataset share."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor

from graphmotion.graphs.coarsening import Coarsening, coarsening_hierarchy
from graphmotion.graphs.eigenbasis import laplacian_eigenbasis
from graphmotion.graphs.neighbors import edge_weights, knn_graph


def sample_pixels(
    height: int, width: int, ratio: float = 0.4, num: int | None = None, seed: int = 0
) -> Tensor:
    r"""Samples random pixels of an image as points, sorted by row and column.

    They are sampled once and shared by all images of a dataset.

    .. code-block:: python

        pos = sample_pixels(48, 48, ratio=0.4)
        x, y = pos.long().t()
        features = torch.rand(10, 48, 48)[:, y, x]  # of ten images

    Args:
        height (int): Height :math:`H` of the image.
        width (int): Width :math:`W` of the image.
        ratio (float, optional): Fraction :math:`r` of the pixels; :math:`\lfloor r H W \rfloor` are
            drawn. (default: :obj:`0.4`)
        num (int, optional): Number of pixels, overrides :obj:`ratio`. (default: :obj:`None`)
        seed (int, optional): Random seed. (default: :obj:`0`)

    Shapes:
        - **output:** :math:`(N, 2)`, column and row of each pixel

    Raises:
        ValueError: If no pixels or more pixels than available are requested.
    """
    num = count_pixels(height, width, float(ratio) if num is None else num)
    generator = torch.Generator().manual_seed(seed)
    pixel = torch.randperm(height * width, generator=generator)[:num].sort().values
    return torch.stack([pixel % width, pixel // width], dim=1).float()


def count_pixels(height: int, width: int, num_nodes: float | int) -> int:
    """Resolves a number of pixels, or a fraction of all pixels, to a number."""
    size = height * width
    if height < 1 or width < 1:
        raise ValueError(f'image size must be positive, got {height} x {width}')
    if isinstance(num_nodes, float):
        if not 0 < num_nodes <= 1:
            raise ValueError(f'ratio must be in (0, 1], got {num_nodes}')
        num_nodes = math.floor(round(num_nodes * size, 6))  # 0.29 * 100 is 28.999999999999996
    if not 1 <= num_nodes <= size:
        raise ValueError(
            f'the number of pixels must be in [1, {size}] for {height} x {width}, got {num_nodes}'
        )
    return num_nodes


@dataclass(frozen=True, repr=False, eq=False)
class PointGraph:
    r"""A graph over points that is computed once for all samples of a dataset.

    .. code-block:: python

        graph = PointGraph.from_points(sample_pixels(48, 48), k=8, num_modes=256, levels=2)
        save_graph(graph, 'faces.graph')
        graph = load_graph('faces.graph')
        data = graph_to_data(graph, torch.rand(graph.num_nodes, 1), y=3)

    A trained model depends on the eigenbasis it was trained with: load it instead of computing it
    again.

    Args:
        pos (Tensor): Positions :math:`(N, D)`.
        edge_index (Tensor): Edges, each in both directions, :math:`(2, E)`.
        edge_weight (Tensor): Edge weights :math:`(E)`.
        eigenvalues (Tensor, optional): Smallest eigenvalues :math:`(K)` of the Laplacian.
            (default: :obj:`None`)
        eigenvectors (Tensor, optional): Their eigenvectors :math:`(N, K)`.
            (default: :obj:`None`)
        hierarchy (tuple of Coarsening, optional): Coarser graphs, level by level.
            (default: :obj:`()`)
        image_size (tuple, optional): Height and width of the images if :obj:`pos` are pixel
            columns and rows. (default: :obj:`None`)

    Raises:
        ValueError: If the shapes are inconsistent.
    """

    pos: Tensor
    edge_index: Tensor
    edge_weight: Tensor
    eigenvalues: Tensor | None = None
    eigenvectors: Tensor | None = None
    hierarchy: tuple[Coarsening, ...] = ()
    image_size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        size, num_edges = len(self.pos), self.edge_index.size(-1)
        num_modes = 0 if self.eigenvalues is None else len(self.eigenvalues)
        expected: dict[str, tuple[int, ...]] = {
            'pos': (size, self.pos.size(-1)),
            'edge_index': (2, num_edges),
            'edge_weight': (num_edges,),
        }
        if self.eigenvalues is not None or self.eigenvectors is not None:
            expected |= {'eigenvalues': (num_modes,), 'eigenvectors': (size, num_modes)}
        for name, shape in expected.items():
            value = getattr(self, name)
            if value is None or tuple(value.shape) != shape:
                found = None if value is None else list(value.shape)
                raise ValueError(f'{name} must have shape {list(shape)}, got {found}')
        _check_edges(self.edge_index, size)
        for level, coarsening in enumerate(self.hierarchy):
            if coarsening.num_nodes != size or len(coarsening.permutation) != size:
                raise ValueError(
                    f'level {level} of the hierarchy must have {size} nodes, got '
                    f'{coarsening.num_nodes}'
                )
            size = coarsening.num_clusters
            _check_edges(coarsening.edge_index, size)
        if self.image_size is not None:
            _check_image_size(self.image_size, self.pos)

    @classmethod
    def from_points(
        cls,
        pos: Tensor,
        k: int = 8,
        weight: str = 'binary',
        sigma: float | None = None,
        num_modes: int | None = None,
        normalization: str | None = None,
        levels: int = 0,
        ratio: float | None = None,
        seed: int = 0,
        edge_index: Tensor | None = None,
    ) -> PointGraph:
        r"""Builds a nearest-neighbour graph with optional eigenbasis and coarser graphs.

        Args:
            pos (Tensor): Positions :math:`(N, D)`.
            k (int, optional): Neighbours of each point; see :func:`knn_graph`.
                (default: :obj:`8`)
            weight (str, optional): Kind of edge weights; see :func:`edge_weights`.
                (default: :obj:`"binary"`)
            sigma (float, optional): Width of Gaussian weights. (default: :obj:`None`)
            num_modes (int, optional): Number of modes :math:`K` of the eigenbasis, or
                :obj:`None` for none; see :func:`laplacian_eigenbasis`. (default: :obj:`None`)
            normalization (str, optional): Normalisation of the Laplacian.
                (default: :obj:`None`)
            levels (int, optional): Number of coarser graphs; see :func:`coarsening_hierarchy`.
                (default: :obj:`0`)
            ratio (float, optional): Fraction of the nodes that each level keeps.
                (default: :obj:`None`)
            seed (int, optional): Random seed of the hierarchy. (default: :obj:`0`)
            edge_index (Tensor, optional): Edges, each in both directions, :math:`(2, E)`, that
                replace the edges to the nearest neighbours. (default: :obj:`None`)

        Raises:
            ValueError: If :obj:`edge_index` is not within the points, or an option is invalid.
        """
        if edge_index is None:
            edge_index = knn_graph(pos, k)
        else:
            _check_edges(edge_index, len(pos))
        edge_weight = edge_weights(pos, edge_index, weight, sigma)
        graph = edge_index, len(pos)
        eigenvalues = eigenvectors = None
        if num_modes is not None:
            eigenvalues, eigenvectors = laplacian_eigenbasis(
                *graph, num_modes, edge_weight, normalization
            )
        hierarchy: tuple[Coarsening, ...] = ()
        if levels:
            hierarchy = coarsening_hierarchy(*graph, levels, edge_weight, ratio, seed)
        return cls(pos, edge_index, edge_weight, eigenvalues, eigenvectors, hierarchy)

    @property
    def num_nodes(self) -> int:
        r"""Number of points :math:`N`."""
        return len(self.pos)

    def to(self, device: torch.device | str) -> PointGraph:
        r"""Returns a copy on another device."""
        moved: dict[str, Any] = {
            name: None if value is None else value.to(device)
            for name, value in self.tensors().items()
        }
        levels = tuple(level.to(device) for level in self.hierarchy)
        return PointGraph(**moved, hierarchy=levels, image_size=self.image_size)

    def tensors(self) -> dict[str, Tensor | None]:
        r"""Returns the tensors of the finest level by name, :obj:`None` for missing ones."""
        return {field.name: getattr(self, field.name) for field in fields(self)[:-2]}

    def __repr__(self) -> str:
        num_modes = 0 if self.eigenvalues is None else len(self.eigenvalues)
        sizes = ''.join(f' -> {level.num_clusters}' for level in self.hierarchy)
        return (
            f'PointGraph(num_nodes={self.num_nodes}{sizes}, '
            f'num_edges={self.edge_index.size(1)}, num_modes={num_modes}, {self._digest()})'
        )

    def _digest(self) -> str:
        """Returns a fingerprint of the graph without eigenvectors, which are not unique."""
        own = [self.pos, self.edge_index, self.edge_weight, self.eigenvalues]
        digest = hashlib.sha256()
        for value in (*own, *(level.cluster for level in self.hierarchy)):
            if value is not None:
                digest.update(value.detach().cpu().numpy().tobytes())
        return digest.hexdigest()[:8]


def _check_image_size(size: tuple[int, int], pos: Tensor) -> None:
    valid = isinstance(size, tuple) and all(type(side) is int and side > 0 for side in size)
    if not valid or len(size) != 2:
        raise ValueError(f'image_size must be (height, width), got {size!r}')
    if pos.size(-1) != 2 or bool((pos < 0).any() or (pos >= pos.new_tensor(size[::-1])).any()):
        raise ValueError(f'pos must be inside the image of {size[0]} x {size[1]} pixels')


def _check_edges(edge_index: Tensor, num_nodes: int) -> None:
    if edge_index.numel() and not 0 <= int(edge_index.min()) <= int(edge_index.max()) < num_nodes:
        raise ValueError(f'edge_index must be in [0, {num_nodes - 1}]')
