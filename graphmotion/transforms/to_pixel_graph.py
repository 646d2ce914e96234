"""Images as graphs over pixels that all of them share."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.data import remove_fields, set_field, set_nodes, set_shared_edges
from graphmotion.graphs import PointGraph
from graphmotion.transforms.image_fields import images, to_unit

# Below this deviation, a quarter of a grey level, an image has no variation but rounding.
_LEAST_STD = 1e-3


class ToPixelGraph(BaseTransform):
    r"""Reads each image at the nodes of a graph over pixels that all images share.

    The image becomes the fields :obj:`x` :math:`(B \cdot N, C)`, grey from 0 to 1, and, from the
    graph, :obj:`pos`, :obj:`edge_index` and :obj:`edge_weight`, and is dropped; all other fields
    stay. Change images before, with :class:`RandomAffineImages` for instance.

    .. code-block:: python

        graph = pixel_graph(dataset.size)
        for batch in graph_loader(dataset, 32, transform=ToPixelGraph(graph)):
            logits = model(batch.x)

    Args:
        graph (PointGraph): The graph, whose positions are columns and rows of pixels; see
            :func:`~graphmotion.graphs.pixel_graph`.
        standardize (bool, optional): If set to :obj:`True`, brings the grey values of each image to
            mean zero and deviation one over the nodes; those of an image without variation to zero.
            (default: :obj:`False`)
        coordinates (bool, optional): If set to :obj:`True`, appends column and row of each node to
            its features, from 0 to 1. (default: :obj:`False`)
        edges (bool, optional): If set to :obj:`False`, leaves out :obj:`edge_index` and
            :obj:`edge_weight`, which models that hold the graph do not read.
            (default: :obj:`True`)
        basis (bool, optional): If set to :obj:`True`, adds :obj:`eigenvalues` :math:`(B, K)` and
            :obj:`eigenvectors` :math:`(B \cdot N, K)`, the same for each image.
            (default: :obj:`False`)

    Raises:
        ValueError: If the graph has nodes that are no pixels of the images, is of images of
            another size, or has no basis.
    """

    def __init__(
        self,
        graph: PointGraph,
        standardize: bool = False,
        coordinates: bool = False,
        edges: bool = True,
        basis: bool = False,
    ) -> None:
        whole = graph.pos.round()
        if graph.pos.size(1) != 2 or not torch.equal(whole, graph.pos) or bool((whole < 0).any()):
            raise ValueError('the positions of the graph are to be columns and rows of pixels')
        if basis and graph.eigenvalues is None:
            raise ValueError('this graph has no eigenbasis: make it with num_modes')
        self.graph = graph
        self.standardize = standardize
        self.coordinates = coordinates
        self.edges = edges
        self.basis = basis

    def forward(self, data: Data) -> Data:
        """Make a graph of an image, or of each in a batch."""
        image = images(data)
        if self.graph.pos.device != image.device:
            self.graph = self.graph.to(image.device)
        graph = self.graph
        size = tuple(image.shape[1:])
        if graph.image_size not in (None, size):
            raise ValueError(
                f'the graph is of images of {graph.image_size[0]} x {graph.image_size[1]} pixels, '
                f'the image is {size[0]} x {size[1]}'
            )
        x = read_pixels(image, graph.pos)
        if self.standardize:
            x = standardize(x)
        x = x.unsqueeze(2)
        pos = graph.pos.expand(len(x), -1, -1)
        if self.coordinates:
            x = torch.cat([x, unit_coordinates(pos, image).to(x.dtype)], dim=2)
        remove_fields(data, ['image'])
        set_nodes(data, graph.num_nodes, {'x': x.flatten(0, 1), 'pos': pos.flatten(0, 1)})
        if self.edges:
            fields = {'edge_weight': graph.edge_weight}
            set_shared_edges(data, graph.edge_index, graph.num_nodes, fields)
        if self.basis:
            assert graph.eigenvalues is not None
            assert graph.eigenvectors is not None
            set_field(data, 'eigenvalues', graph.eigenvalues.repeat(len(x), 1), per_node=False)
            set_field(data, 'eigenvectors', graph.eigenvectors.repeat(len(x), 1))
        return data

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.graph}, standardize={self.standardize}, '
            f'coordinates={self.coordinates}, edges={self.edges}, basis={self.basis})'
        )


def read_pixels(image: Tensor, pos: Tensor) -> Tensor:
    """Grey from 0 to 1 at columns and rows ``[N, 2]``, or ``[B, N, 2]``: ``[B, N]``."""
    height, width = image.shape[1:]
    column, row = pos.long().unbind(dim=-1)
    if int(column.max()) >= width or int(row.max()) >= height:
        raise ValueError(
            f'the graph has nodes up to column {int(column.max())} and row {int(row.max())}, the '
            f'image is {height} x {width}'
        )
    pixel = row * width + column
    pixels = image.flatten(1)
    return to_unit(pixels[:, pixel] if pixel.dim() == 1 else pixels.gather(1, pixel))


def standardize(x: Tensor) -> Tensor:
    """Mean zero and deviation one over the nodes ``[B, N]``; zero where all are alike."""
    x = x - x.mean(dim=1, keepdim=True)
    std = x.square().mean(dim=1, keepdim=True).sqrt()
    return torch.where(std < _LEAST_STD, 0, x / std.clamp(min=_LEAST_STD))


def unit_coordinates(pos: Tensor, image: Tensor) -> Tensor:
    """Columns and rows of pixels as shares of width and height."""
    return (pos + 0.5) / pos.new_tensor([image.size(2), image.size(1)])
