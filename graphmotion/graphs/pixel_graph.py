"""Graphs over the pixels of images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from numbers import Integral

from graphmotion.graphs.grid_hierarchy import grid_hierarchy
from graphmotion.graphs.point_graph import PointGraph, count_pixels, sample_pixels


def pixel_graph(
    size: int | Sequence[int],
    num_nodes: float | int = 0.4,
    k: int = 8,
    num_modes: int | None = 256,
    levels: int = 2,
    ratio: float | None = 0.25,
    weight: str = 'binary',
    sigma: float | None = None,
    normalization: str | None = None,
    seed: int = 0,
    cell_size: float | None = None,
) -> PointGraph:
    r"""Builds a nearest-neighbour graph over random pixels, shared by all images of a dataset.

    It includes the eigenbasis and the coarser graphs that models need, and rejects images of a
    different size.

    .. code-block:: python

        graph = pixel_graph((48, 48))
        transform = ToPixelGraph(graph)
        model = ssgnn(graph, num_classes=7)

    Args:
        size (int or tuple): Height and width of the images, or one number for both.
        num_nodes (float or int, optional): Number of pixels, or fraction of all pixels; see
            :func:`sample_pixels`. (default: :obj:`0.4`)
        k (int, optional): Neighbours of each pixel; see :func:`knn_graph`. (default: :obj:`8`)
        num_modes (int, optional): Number of modes of the eigenbasis, limited to the number of
            nodes, or :obj:`None` for no basis; see :func:`laplacian_eigenbasis`.
            (default: :obj:`256`)
        levels (int, optional): Number of coarser graphs; see :func:`coarsening_hierarchy`.
            (default: :obj:`2`)
        ratio (float, optional): Fraction of the nodes that each level keeps.
            (default: :obj:`0.25`)
        weight (str, optional): Kind of edge weights; see :func:`edge_weights`.
            (default: :obj:`"binary"`)
        sigma (float, optional): Width of Gaussian weights. (default: :obj:`None`)
        normalization (str, optional): Normalisation of the Laplacian. (default: :obj:`None`)
        seed (int, optional): Random seed of the pixels and the hierarchy. (default: :obj:`0`)
        cell_size (float, optional): If given, pixels are pooled by the cells of a grid with this
            side in pixels, which doubles with each level, and :obj:`ratio` is not used; see
            :func:`grid_hierarchy`. By default, neighbours are merged. (default: :obj:`None`)

    Raises:
        ValueError: If there are fewer pixels than requested or too few for :obj:`k` neighbours.
    """
    sides = (size, size) if isinstance(size, (int, Integral)) else size
    height, width = (int(side) for side in sides)
    num = count_pixels(height, width, num_nodes)
    pos = sample_pixels(height, width, num=num, seed=seed)
    if num_modes is not None:
        num_modes = min(num_modes, len(pos))
    merged = levels if cell_size is None else 0
    graph = PointGraph.from_points(
        pos, k, weight, sigma, num_modes, normalization, merged, ratio, seed
    )
    if cell_size is not None and levels:
        graph = replace(graph, hierarchy=grid_hierarchy(pos, levels, cell_size))
    return replace(graph, image_size=(height, width))
