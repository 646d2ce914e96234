"""The graph over pixels that all images of a dataset share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from numbers import Integral

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
) -> PointGraph:
    r"""Random pixels of an image as nodes, drawn once for all images of a dataset, each joined to
    its nearest others, with the eigenbasis and the coarser graphs that models need. It knows the
    size of the images, and those of another are refused.

    .. code-block:: python

        graph = pixel_graph(dataset.size)
        transform = ToPixelGraph(graph)
        model = ssgnn(graph, num_classes=7)

    Args:
        size (int or tuple): Height and width of the images, one number for both.
        num_nodes (float or int, optional): Number of pixels, or, as a fraction, their share,
            rounded down; see :func:`sample_pixels`. (default: :obj:`0.4`)
        k (int, optional): Neighbours of each pixel; see :func:`knn_graph`. (default: :obj:`8`)
        num_modes (int, optional): Number of modes of the eigenbasis, at most as many as there are
            nodes, or :obj:`None` for no basis; see :func:`laplacian_eigenbasis`.
            (default: :obj:`256`)
        levels (int, optional): Number of coarser graphs; see :func:`coarsening_hierarchy`.
            (default: :obj:`2`)
        ratio (float, optional): Share of the nodes that a level keeps. (default: :obj:`0.25`)
        weight (str, optional): Kind of edge weights; see :func:`edge_weights`.
            (default: :obj:`"binary"`)
        sigma (float, optional): Width of Gaussian weights. (default: :obj:`None`)
        normalization (str, optional): That of the Laplacian. (default: :obj:`None`)
        seed (int, optional): Of the pixels and the hierarchy. (default: :obj:`0`)

    Raises:
        ValueError: If there are not so many pixels, or too few for :obj:`k` neighbours each.
    """
    sides = (size, size) if isinstance(size, (int, Integral)) else size
    height, width = (int(side) for side in sides)
    num = count_pixels(height, width, num_nodes)
    pos = sample_pixels(height, width, num=num, seed=seed)
    if num_modes is not None:
        num_modes = min(num_modes, len(pos))
    graph = PointGraph.from_points(
        pos, k, weight, sigma, num_modes, normalization, levels, ratio, seed
    )
    return replace(graph, image_size=(height, width))
