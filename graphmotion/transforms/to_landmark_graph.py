"""Faces as graphs over their landmarks."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import grid_sample
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.data import remove_fields, set_nodes, set_shared_edges
from graphmotion.graphs import PointGraph
from graphmotion.transforms.fields import check_choice, check_count
from graphmotion.transforms.graph_fields import set_nearest_edges
from graphmotion.transforms.image_fields import images, landmarks, to_unit

_FEATURES = ('coordinates', 'distances', 'intensity')
# The outer corners of the eyes among the 68 points of the 300-W annotation.
_EYES = (36, 45)
_LEAST_SIZE = 1e-6  # pixels; of a face whose landmarks are all in one place


class ToLandmarkGraph(BaseTransform):
    r"""Makes the landmarks of each face the nodes of its graph.

    Node features :obj:`x` :math:`(B \cdot L, C)` are, in the order asked for,

    - :obj:`"coordinates"`: :math:`(\mathbf{p}_i - \bar{\mathbf{p}}) / s`, with the mean
      :math:`\bar{\mathbf{p}}` of the landmarks and the size :math:`s` of the face;
    - :obj:`"distances"`: the distances to the :math:`k` nearest others, from the least to the
      greatest, divided by :math:`s`;
    - :obj:`"intensity"`: the grey at the landmark, from 0 to 1, interpolated between four
      pixels; beyond the image that of its edge.

    :obj:`pos` is where landmarks are in the image, in columns and rows of pixels. Each landmark is
    joined to the :math:`k` nearest of its own face, or, with a :obj:`graph`, as there: models with
    a weight for each edge, or a basis of their own, need one graph for all faces. The fields
    :obj:`image` and :obj:`landmarks` are dropped, all others stay.

    .. code-block:: python

        transform = ToLandmarkGraph(k=8)
        graph = landmark_graph(dataset, k=8)  # of the mean face
        transform = ToLandmarkGraph(graph=graph)

    Args:
        k (int, optional): Number of neighbours. (default: :obj:`8`)
        features (sequence of str, optional): Some of those above.
            (default: :obj:`("coordinates", "distances")`)
        scale (str, optional): The size of a face: :obj:`"box"`, the diagonal of the box around its
            landmarks, or :obj:`"eyes"`, the distance between the outer corners of the eyes, of the
            68 points of the 300-W annotation. (default: :obj:`"box"`)
        graph (PointGraph, optional): A graph over as many nodes, whose edges all faces share.
            (default: :obj:`None`)

    Raises:
        ValueError: If there are no landmarks, too few for :obj:`k` neighbours each, not as many as
            nodes of :obj:`graph` or not the 68 that the distance between the eyes needs.
    """

    def __init__(
        self,
        k: int = 8,
        features: Sequence[str] = ('coordinates', 'distances'),
        scale: str = 'box',
        graph: PointGraph | None = None,
    ) -> None:
        self.k = check_count('k', k)
        features = (features,) if isinstance(features, str) else tuple(features)
        self.features = tuple(check_choice('features', name, _FEATURES) for name in features)
        if not features:
            raise ValueError(f'features are some of {list(_FEATURES)}, got none')
        self.scale = check_choice('scale', scale, ('box', 'eyes'))
        self.graph = graph

    def forward(self, data: Data) -> Data:
        """Make a graph of a face, or of each in a batch."""
        points = landmarks(data)
        if points is None:
            raise ValueError("expected a field 'landmarks' [L, 2], found none")
        points = points.to(torch.promote_types(points.dtype, torch.float32))
        num = points.size(1)
        if self.k >= num:
            raise ValueError(f'{num} landmarks are too few for k = {self.k} neighbours each')
        scale = self._measure(points).view(-1, 1, 1).clamp(min=_LEAST_SIZE)
        x = []
        for name in self.features:
            if name == 'coordinates':
                x.append((points - points.mean(dim=1, keepdim=True)) / scale)
            elif name == 'distances':
                x.append(_nearest_distances(points, self.k) / scale)
            else:
                x.append(_read_between(images(data), points))
        remove_fields(data, ['image', 'landmarks'])
        fields = {'x': torch.cat(x, dim=2), 'pos': points - 0.5}
        set_nodes(data, num, {name: value.flatten(0, 1) for name, value in fields.items()})
        graph = self.graph
        if graph is None:
            return set_nearest_edges(data, self.k, 'binary', None)
        if graph.num_nodes != num:
            raise ValueError(f'there are {num} landmarks, the graph has {graph.num_nodes} nodes')
        edge_index, edge_weight = (
            value.to(points.device) for value in (graph.edge_index, graph.edge_weight)
        )
        set_shared_edges(data, edge_index, num, {'edge_weight': edge_weight})
        return data

    def _measure(self, points: Tensor) -> Tensor:
        if self.scale == 'box':
            return (points.amax(dim=1) - points.amin(dim=1)).norm(dim=1)
        if points.size(1) != 68:
            raise ValueError(
                f"scale='eyes' is of the 68 landmarks of 300-W, there are {points.size(1)}"
            )
        return (points[:, _EYES[0]] - points[:, _EYES[1]]).norm(dim=1)

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}(k={self.k}, features={self.features}, '
            f'scale={self.scale!r}, graph={self.graph})'
        )


def _nearest_distances(points: Tensor, k: int) -> Tensor:
    """Distances to the k nearest others, sorted: [B, L, k]."""
    # By differences: the matrix product that cdist may use loses the least distances.
    distance = torch.cdist(points, points, compute_mode='donot_use_mm_for_euclid_dist')
    distance.diagonal(dim1=1, dim2=2).fill_(torch.inf)
    return distance.topk(k, dim=2, largest=False, sorted=True).values


def _read_between(image: Tensor, points: Tensor) -> Tensor:
    """Grey at points [B, L, 2] between the middles of pixels: [B, L, 1]."""
    size = points.new_tensor([image.size(2), image.size(1)])
    grid = (2 * points / size - 1).unsqueeze(1)
    pixels = to_unit(image).to(points.dtype).unsqueeze(1)
    return grid_sample(pixels, grid, padding_mode='border', align_corners=False)[:, 0].mT
