"""A graph over points that all samples of a dataset share, with what is computed from it once."""

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
    r"""Random pixels of an image as points, in the order in which an image is stored.

    A dataset draws them once and uses the same for all its images.

    .. code-block:: python

        pos = sample_pixels(48, 48, ratio=0.4)
        x, y = pos.long().t()
        features = images[:, y, x]

    Args:
        height (int): Height :math:`H` of the image.
        width (int): Width :math:`W` of the image.
        ratio (float, optional): How many of the pixels to take: :math:`\lfloor r H W \rfloor`.
            (default: :obj:`0.4`)
        num (int, optional): The number of pixels instead. (default: :obj:`None`)
        seed (int, optional): The same seed gives the same pixels. (default: :obj:`0`)

    Shapes:
        - **output:** :math:`(N, 2)`, the column and the row of each pixel

    Raises:
        ValueError: If there is no pixel to draw, or fewer than asked for.
    """
    num = count_pixels(height, width, float(ratio) if num is None else num)
    generator = torch.Generator().manual_seed(seed)
    pixel = torch.randperm(height * width, generator=generator)[:num].sort().values
    return torch.stack([pixel % width, pixel // width], dim=1).float()


def count_pixels(height: int, width: int, num_nodes: float | int) -> int:
    """How many pixels to take: a number of them, or, as a fraction, their share."""
    size = height * width
    if height < 1 or width < 1:
        raise ValueError(f'an image has a pixel at least, got {height} x {width}')
    if isinstance(num_nodes, float):
        if not 0 < num_nodes <= 1:
            raise ValueError(f'ratio is above 0 and at most 1, got {num_nodes}')
        num_nodes = math.floor(round(num_nodes * size, 6))  # 0.29 * 100 is 28.999999999999996
    if not 1 <= num_nodes <= size:
        raise ValueError(
            f'the number of pixels is 1 to {size} of {height} x {width}, got {num_nodes}'
        )
    return num_nodes


@dataclass(frozen=True, repr=False, eq=False)
class PointGraph:
    r"""A graph over points, made once for all samples of a dataset and stored beside it.

    .. code-block:: python

        graph = PointGraph.from_points(sample_pixels(48, 48), k=8, num_modes=256, levels=2)
        save_graph(graph, 'faces.graph')
        graph = load_graph('faces.graph')
        data = graph_to_data(graph, x, y=3)

    A basis belongs to the model that was trained with it: load it, and do not compute it anew.

    Args:
        pos (Tensor): Positions :math:`(N, D)`.
        edge_index (Tensor): Edges, each in both directions, :math:`(2, E)`.
        edge_weight (Tensor): Their weights :math:`(E)`.
        eigenvalues (Tensor, optional): The smallest eigenvalues :math:`(K)` of the Laplacian.
            (default: :obj:`None`)
        eigenvectors (Tensor, optional): Their eigenvectors :math:`(N, K)`.
            (default: :obj:`None`)
        hierarchy (tuple of Coarsening, optional): Coarser graphs, level by level.
            (default: :obj:`()`)
        image_size (tuple, optional): Height and width of the images whose columns and rows
            :obj:`pos` are. (default: :obj:`None`)

    Raises:
        ValueError: If the shapes do not fit together.
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
                raise ValueError(f'{name} has the shape {found}, expected {list(shape)}')
        _check_edges(self.edge_index, size)
        for level, coarsening in enumerate(self.hierarchy):
            if coarsening.num_nodes != size or len(coarsening.permutation) != size:
                raise ValueError(
                    f'level {level} of the hierarchy merges {coarsening.num_nodes} nodes, '
                    f'expected {size}'
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
    ) -> PointGraph:
        r"""The graph of nearest neighbours, its eigenbasis and coarser graphs, where asked for.

        Args:
            pos (Tensor): Positions :math:`(N, D)`.
            k (int, optional): Neighbours of each point; see :func:`knn_graph`.
                (default: :obj:`8`)
            weight (str, optional): Kind of weights; see :func:`edge_weights`.
                (default: :obj:`"binary"`)
            sigma (float, optional): Width of Gaussian weights. (default: :obj:`None`)
            num_modes (int, optional): Number of modes :math:`K`, by default no eigenbasis; see
                :func:`laplacian_eigenbasis`. (default: :obj:`None`)
            normalization (str, optional): That of the Laplacian. (default: :obj:`None`)
            levels (int, optional): Number of coarser graphs; see :func:`coarsening_hierarchy`.
                (default: :obj:`0`)
            ratio (float, optional): Share of the nodes that a level keeps.
                (default: :obj:`None`)
            seed (int, optional): Seed of the hierarchy. (default: :obj:`0`)
        """
        edge_index = knn_graph(pos, k)
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
        r"""The same on another device."""
        moved: dict[str, Any] = {
            name: None if value is None else value.to(device)
            for name, value in self.tensors().items()
        }
        levels = tuple(level.to(device) for level in self.hierarchy)
        return PointGraph(**moved, hierarchy=levels, image_size=self.image_size)

    def tensors(self) -> dict[str, Tensor | None]:
        r"""The tensors of the finest level by name; those that are missing are :obj:`None`."""
        return {field.name: getattr(self, field.name) for field in fields(self)[:-2]}

    def __repr__(self) -> str:
        num_modes = 0 if self.eigenvalues is None else len(self.eigenvalues)
        sizes = ''.join(f' -> {level.num_clusters}' for level in self.hierarchy)
        return (
            f'PointGraph(num_nodes={self.num_nodes}{sizes}, '
            f'num_edges={self.edge_index.size(1)}, num_modes={num_modes}, {self._digest()})'
        )

    def _digest(self) -> str:
        """Tells graphs of equal size apart. Not by eigenvectors, whose signs are arbitrary."""
        own = [self.pos, self.edge_index, self.edge_weight, self.eigenvalues]
        digest = hashlib.sha256()
        for value in (*own, *(level.cluster for level in self.hierarchy)):
            if value is not None:
                digest.update(value.detach().cpu().numpy().tobytes())
        return digest.hexdigest()[:8]


def _check_image_size(size: tuple[int, int], pos: Tensor) -> None:
    whole = isinstance(size, tuple) and all(type(side) is int and side > 0 for side in size)
    if not whole or len(size) != 2:
        raise ValueError(f'image_size is (height, width) of an image, got {size!r}')
    if pos.size(-1) != 2 or bool((pos < 0).any() or (pos >= pos.new_tensor(size[::-1])).any()):
        raise ValueError(f'pos has nodes beyond the image of {size[0]} x {size[1]} pixels')


def _check_edges(edge_index: Tensor, num_nodes: int) -> None:
    if edge_index.numel() and not 0 <= int(edge_index.min()) <= int(edge_index.max()) < num_nodes:
        raise ValueError(f'edge_index names nodes beyond the {num_nodes} of the graph')
