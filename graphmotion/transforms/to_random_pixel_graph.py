"""Conversion of images to graphs over random pixels."""

from __future__ import annotations

import torch
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.checks import check_int
from graphmotion.config import Configurable
from graphmotion.data import remove_fields, set_nodes
from graphmotion.graphs.point_graph import count_pixels
from graphmotion.transforms.fields import rand_per_graph
from graphmotion.transforms.graph_fields import set_knn_edges
from graphmotion.transforms.image_fields import get_image
from graphmotion.transforms.to_pixel_graph import read_pixels, standardize, unit_coordinates


class ToRandomPixelGraph(Configurable, BaseTransform):
    r"""Samples each image at random pixels and connects them to their nearest neighbours.

    In contrast to :class:`ToPixelGraph`, the graph differs between images and between calls, which
    suits models that accept any graph. The neighbour search takes a few milliseconds per image of
    a thousand nodes.

    .. code-block:: python

        faces = SyntheticFaces(num_subjects=1, num_takes=1)
        data = ToRandomPixelGraph(num_nodes=0.2)(faces[0])

    Args:
        num_nodes (float or int, optional): Number of pixels, or their fraction, rounded down.
            (default: :obj:`0.4`)
        k (int, optional): Number of neighbours of each pixel; see
            :func:`~graphmotion.graphs.knn_graph`. (default: :obj:`8`)
        weight (str, optional): Kind of edge weights; see
            :func:`~graphmotion.graphs.edge_weights`. (default: :obj:`"binary"`)
        sigma (float, optional): Width of Gaussian weights. (default: :obj:`None`)
        standardize (bool, optional): As in :class:`ToPixelGraph`. (default: :obj:`False`)
        coordinates (bool, optional): As in :class:`ToPixelGraph`. (default: :obj:`False`)

    Raises:
        ValueError: If an argument is invalid, or images have fewer than :obj:`num_nodes` or too
            few pixels for :obj:`k` neighbours.
    """

    def __init__(
        self,
        num_nodes: float | int = 0.4,
        k: int = 8,
        weight: str = 'binary',
        sigma: float | None = None,
        standardize: bool = False,
        coordinates: bool = False,
    ) -> None:
        self.num_nodes = num_nodes
        self.k = check_int('k', k, 1)
        self.weight = weight
        self.sigma = sigma
        self.standardize = standardize
        self.coordinates = coordinates

    def forward(self, data: Data) -> Data:
        """Converts a sample or each sample in a batch."""
        image = get_image(data)
        height, width = image.shape[2:]
        num = count_pixels(height, width, self.num_nodes)
        drawn = rand_per_graph(data, image.new_empty(0, dtype=torch.float32), height * width)
        pixel = drawn.argsort(dim=1)[:, :num].sort(dim=1).values
        pos = torch.stack([pixel % width, pixel // width], dim=2).float()
        x = read_pixels(image, pos)
        x = standardize(x) if self.standardize else x
        if self.coordinates:
            x = torch.cat([x, unit_coordinates(pos, image).to(x.dtype)], dim=2)
        remove_fields(data, ['image'])
        set_nodes(data, num, {'x': x.flatten(0, 1), 'pos': pos.flatten(0, 1)})
        return set_knn_edges(data, self.k, self.weight, self.sigma)

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.num_nodes}, k={self.k}, weight={self.weight!r}, '
            f'sigma={self.sigma}, standardize={self.standardize}, coordinates={self.coordinates})'
        )
