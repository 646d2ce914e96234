"""Images as graphs over pixels of their own."""

from __future__ import annotations

import torch
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.data import remove_fields, set_nodes
from graphmotion.graphs.point_graph import count_pixels
from graphmotion.transforms.fields import check_count, draw
from graphmotion.transforms.graph_fields import set_nearest_edges
from graphmotion.transforms.image_fields import images
from graphmotion.transforms.to_pixel_graph import read_pixels, standardize, unit_coordinates


class ToRandomPixelGraph(BaseTransform):
    r"""Reads each image at random pixels of its own and joins each of them to its nearest.

    As :class:`ToPixelGraph`, but graphs differ from image to image and from call to call, which
    suits models that are not bound to one graph. Each image needs a search for neighbours: some
    milliseconds for a thousand nodes.

    Args:
        num_nodes (float or int, optional): Number of pixels, or, as a fraction, their share,
            rounded down. (default: :obj:`0.4`)
        k (int, optional): Neighbours of each pixel; see :func:`~graphmotion.graphs.knn_graph`.
            (default: :obj:`8`)
        weight (str, optional): Kind of edge weights; see :func:`~graphmotion.graphs.edge_weights`.
            (default: :obj:`"binary"`)
        sigma (float, optional): Width of Gaussian weights. (default: :obj:`None`)
        standardize (bool, optional): If set to :obj:`True`, brings the grey values of each image to
            mean zero and deviation one over the nodes; those of an image without variation to zero.
            (default: :obj:`False`)
        coordinates (bool, optional): If set to :obj:`True`, appends column and row of each node to
            its features, from 0 to 1. (default: :obj:`False`)

    Raises:
        ValueError: If images have not so many pixels, or too few for :obj:`k` neighbours each.
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
        self.k = check_count('k', k)
        self.weight = weight
        self.sigma = sigma
        self.standardize = standardize
        self.coordinates = coordinates

    def forward(self, data: Data) -> Data:
        """Make a graph of an image, or of each in a batch."""
        image = images(data)
        height, width = image.shape[1:]
        num = count_pixels(height, width, self.num_nodes)
        drawn = draw(data, image.new_empty(0, dtype=torch.float32), height * width)
        pixel = drawn.argsort(dim=1)[:, :num].sort(dim=1).values
        pos = torch.stack([pixel % width, pixel // width], dim=2).float()
        x = read_pixels(image, pos)
        x = (standardize(x) if self.standardize else x).unsqueeze(2)
        if self.coordinates:
            x = torch.cat([x, unit_coordinates(pos, image).to(x.dtype)], dim=2)
        remove_fields(data, ['image'])
        set_nodes(data, num, {'x': x.flatten(0, 1), 'pos': pos.flatten(0, 1)})
        return set_nearest_edges(data, self.k, self.weight, self.sigma)

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.num_nodes}, k={self.k}, weight={self.weight!r}, '
            f'sigma={self.sigma}, standardize={self.standardize}, coordinates={self.coordinates})'
        )
