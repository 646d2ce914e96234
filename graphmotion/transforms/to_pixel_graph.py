"""Conversion of images to a shared pixel graph."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.config import Configurable
from graphmotion.data import remove_fields, set_field, set_nodes, set_shared_edges
from graphmotion.graphs import PointGraph
from graphmotion.transforms.graph_fields import nearest_distances
from graphmotion.transforms.image_fields import get_image, to_unit

# A quarter of a grey level: a smaller standard deviation is only rounding.
_MIN_STD = 1e-3


class ToPixelGraph(Configurable, BaseTransform):
    r"""Samples each image at the nodes of a pixel graph that all images share.

    The field :obj:`image` is replaced by :obj:`x` :math:`(B \cdot N, P^2 C)`, the intensity in
    [0, 1], or red, green and blue of colour images, in the patch of a node, and by :obj:`pos`,
    :obj:`edge_index` and :obj:`edge_weight` of the graph; all other fields stay. Apply
    augmentations of images, such as :class:`RandomImageAffine`, first.

    .. code-block:: python

        faces, graph = SyntheticFaces(num_subjects=2), pixel_graph((48, 48))
        model = ssgnn(graph, num_classes=7)
        for batch in graph_loader(faces, 32, transform=ToPixelGraph(graph)):
            logits = model(batch.x)

    Args:
        graph (PointGraph): Graph whose positions are columns and rows of pixels; see
            :func:`~graphmotion.graphs.pixel_graph`.
        patch_size (int, optional): Side of the square of pixels around a node that are its
            features, row by row; an odd number. Pixels outside the image repeat those of its edge.
            With 3, the nodes of a sparse graph see all pixels between them.
            (default: :obj:`1`)
        standardize (bool, optional): If :obj:`True`, standardises each channel of each image over
            the nodes to zero mean and unit standard deviation; constant channels become
            zero. (default: :obj:`False`)
        coordinates (bool, optional): If :obj:`True`, appends the column and row of each node,
            scaled to [0, 1], to its features. (default: :obj:`False`)
        num_distances (int, optional): If given, appends the distances of each node to this number
            of nearest nodes, in ascending order, divided by the diagonal of the image. These are
            the same for all images. (default: :obj:`None`)
        edges (bool, optional): If :obj:`False`, omits :obj:`edge_index` and :obj:`edge_weight`,
            which models that store the graph do not read. (default: :obj:`True`)
        basis (bool, optional): If :obj:`True`, adds :obj:`eigenvalues` :math:`(B, K)` and
            :obj:`eigenvectors` :math:`(B \cdot N, K)`, the same for each image.
            (default: :obj:`False`)

    Raises:
        ValueError: If a position of the graph is not a pixel of the images, the graph was made for
            another image size, :obj:`patch_size` is not odd, or the graph has no eigenbasis and
            :obj:`basis` is :obj:`True`.
    """

    def __init__(
        self,
        graph: PointGraph,
        patch_size: int = 1,
        standardize: bool = False,
        coordinates: bool = False,
        num_distances: int | None = None,
        edges: bool = True,
        basis: bool = False,
    ) -> None:
        pos = graph.pos
        if pos.size(1) != 2 or not torch.equal(pos.round(), pos) or bool((pos < 0).any()):
            raise ValueError('positions of graph must be columns and rows of pixels')
        if basis and graph.eigenvalues is None:
            raise ValueError('graph must have an eigenbasis for basis=True; set num_modes')
        if patch_size < 1 or patch_size % 2 == 0:
            raise ValueError(f'patch_size must be odd and positive, got {patch_size}')
        self.graph = graph
        self.patch_size = patch_size
        self.standardize = standardize
        if num_distances is not None and not 1 <= num_distances < len(pos):
            raise ValueError(
                f'num_distances must be in [1, {len(pos) - 1}] for this graph, got {num_distances}'
            )
        self.coordinates = coordinates
        self.num_distances = num_distances
        self._distances = None
        if num_distances is not None:
            self._distances = nearest_distances(pos.unsqueeze(0), num_distances)
        self.edges = edges
        self.basis = basis

    def forward(self, data: Data) -> Data:
        """Converts a sample or each sample in a batch."""
        image = get_image(data)
        if self.graph.pos.device != image.device:
            self.graph = self.graph.to(image.device)
        graph = self.graph
        size = tuple(image.shape[2:])
        if graph.image_size not in (None, size):
            raise ValueError(
                f'image must be {graph.image_size[0]} x {graph.image_size[1]} pixels for this '
                f'graph, got {size[0]} x {size[1]}'
            )
        x = read_pixels(image, graph.pos, self.patch_size)
        if self.standardize:
            x = standardize(x)
        pos = graph.pos.expand(len(x), -1, -1)
        if self.coordinates:
            x = torch.cat([x, unit_coordinates(pos, image).to(x.dtype)], dim=2)
        if self._distances is not None:
            distances = self._distances.to(x) / math.hypot(*size)
            x = torch.cat([x, distances.expand(len(x), -1, -1)], dim=2)
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
            f'{self.__class__.__name__}({self.graph}, patch_size={self.patch_size}, '
            f'standardize={self.standardize}, coordinates={self.coordinates}, '
            f'num_distances={self.num_distances}, edges={self.edges}, basis={self.basis})'
        )


def read_pixels(image: Tensor, pos: Tensor, patch_size: int = 1) -> Tensor:
    """Returns the pixels ``[B, N, P * P * C]`` around columns and rows ``[N, 2]`` or
    ``[B, N, 2]``.
    """
    height, width = image.shape[2:]
    column, row = pos.long().unbind(dim=-1)
    if int(column.max()) >= width or int(row.max()) >= height:
        raise ValueError(
            f'image must contain all nodes of the graph, up to column {int(column.max())} and row '
            f'{int(row.max())}, got {height} x {width} pixels'
        )
    reach = patch_size // 2
    offset = torch.arange(-reach, reach + 1, device=pos.device)
    rows = (row[..., None, None] + offset[:, None]).clamp(0, height - 1)
    columns = (column[..., None, None] + offset).clamp(0, width - 1)
    pixel = (rows * width + columns).flatten(-3)  # [N * P * P] or [B, N * P * P]
    index = pixel.expand(len(image), -1).unsqueeze(1).expand(-1, image.size(1), -1)
    values = to_unit(image.flatten(2).gather(2, index)).mT  # [B, N * P * P, C]
    return values.reshape(len(image), row.size(-1), -1)


def standardize(x: Tensor) -> Tensor:
    """Standardises ``[B, N, C]`` over the nodes; constant channels become zero."""
    x = x - x.mean(dim=1, keepdim=True)
    std = x.square().mean(dim=1, keepdim=True).sqrt()
    return torch.where(std < _MIN_STD, 0, x / std.clamp(min=_MIN_STD))


def unit_coordinates(pos: Tensor, image: Tensor) -> Tensor:
    """Returns columns and rows of pixels as fractions of width and height."""
    return (pos + 0.5) / pos.new_tensor([image.size(3), image.size(2)])
