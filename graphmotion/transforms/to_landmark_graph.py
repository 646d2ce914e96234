"""Conversion of faces to landmark graphs."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import grid_sample
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.checks import check_choice, check_choices, check_int
from graphmotion.config import Configurable
from graphmotion.data import remove_fields, set_nodes, set_shared_edges
from graphmotion.graphs import PointGraph
from graphmotion.transforms.graph_fields import nearest_distances, set_knn_edges
from graphmotion.transforms.image_fields import get_image, get_landmarks, to_unit

_FEATURES = ('coordinates', 'distances', 'intensity')
# Outer corners of the eyes in the 300-W annotation.
_EYES = (36, 45)
_MIN_SIZE = 1e-6  # pixels; for coincident landmarks


class ToLandmarkGraph(Configurable, BaseTransform):
    r"""Converts the landmarks of each face to a graph.

    The node features :obj:`x` :math:`(B \cdot L, C)` are, in the given order,

    - :obj:`"coordinates"`: :math:`(\mathbf{p}_i - \bar{\mathbf{p}}) / s`, with the mean
      :math:`\bar{\mathbf{p}}` of the landmarks and the size :math:`s` of the face;
    - :obj:`"distances"`: the distances to the :math:`k` nearest landmarks in ascending order,
      divided by :math:`s`;
    - :obj:`"intensity"`: the intensity at the landmark, in [0, 1], or red, green and blue of
      colour images, interpolated bilinearly;
      landmarks outside the image take the nearest value at its border.

    :obj:`pos` are the positions of the landmarks in the image, in columns and rows of pixels. Each
    landmark is connected to its :math:`k` nearest landmarks, or all faces share the edges of
    :obj:`graph`, as required by models with a weight per edge or a fixed eigenbasis. The fields
    :obj:`image` and :obj:`landmarks` are removed; all other fields stay.

    .. code-block:: python

        transform = ToLandmarkGraph(k=8)  # of each face
        graph = landmark_graph(SyntheticFaces(num_subjects=2), k=8)  # of the mean face
        transform = ToLandmarkGraph(graph=graph)

    Args:
        k (int, optional): Number of neighbours. (default: :obj:`8`)
        features (sequence of str, optional): One or more of the node features above.
            (default: :obj:`("coordinates", "distances")`)
        scale (str, optional): Size :math:`s` of a face: :obj:`"box"`, the diagonal of the bounding
            box of its landmarks, or :obj:`"eyes"`, the distance between the outer corners of the
            eyes in the 68 landmarks of the 300-W annotation. (default: :obj:`"box"`)
        graph (PointGraph, optional): A graph with :math:`L` nodes, whose edges all faces share.
            (default: :obj:`None`)

    Raises:
        ValueError: If an argument is invalid, a sample has no landmarks or at most :math:`k`, or
            the number of landmarks differs from the nodes of :obj:`graph` or from the 68 that
            :obj:`scale="eyes"` requires.
    """

    def __init__(
        self,
        k: int = 8,
        features: Sequence[str] = ('coordinates', 'distances'),
        scale: str = 'box',
        graph: PointGraph | None = None,
    ) -> None:
        self.k = check_int('k', k, 1)
        self.features = check_choices('features', features, _FEATURES)
        self.scale = check_choice('scale', scale, ('box', 'eyes'))
        self.graph = graph

    def forward(self, data: Data) -> Data:
        """Converts a sample or each sample in a batch."""
        points = get_landmarks(data)
        if points is None:
            raise ValueError("a sample must have the field 'landmarks', got none")
        points = points.to(torch.promote_types(points.dtype, torch.float32))
        num = points.size(1)
        if self.k >= num:
            raise ValueError(f'k must be less than the {num} landmarks, got {self.k}')
        scale = self._face_size(points).view(-1, 1, 1).clamp(min=_MIN_SIZE)
        x = []
        for name in self.features:
            if name == 'coordinates':
                x.append((points - points.mean(dim=1, keepdim=True)) / scale)
            elif name == 'distances':
                x.append(nearest_distances(points, self.k) / scale)
            else:
                x.append(_intensities(get_image(data), points))
        remove_fields(data, ['image', 'landmarks'])
        fields = {'x': torch.cat(x, dim=2), 'pos': points - 0.5}
        set_nodes(data, num, {name: value.flatten(0, 1) for name, value in fields.items()})
        graph = self.graph
        if graph is None:
            return set_knn_edges(data, self.k, 'binary', None)
        if graph.num_nodes != num:
            raise ValueError(
                f'graph must have a node for each of the {num} landmarks, got {graph.num_nodes}'
            )
        edge_index, edge_weight = (
            value.to(points.device) for value in (graph.edge_index, graph.edge_weight)
        )
        set_shared_edges(data, edge_index, num, {'edge_weight': edge_weight})
        return data

    def _face_size(self, points: Tensor) -> Tensor:
        if self.scale == 'box':
            return (points.amax(dim=1) - points.amin(dim=1)).norm(dim=1)
        if points.size(1) != 68:
            raise ValueError(
                f"landmarks must be the 68 of 300-W for scale='eyes', got {points.size(1)}"
            )
        return (points[:, _EYES[0]] - points[:, _EYES[1]]).norm(dim=1)

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}(k={self.k}, features={self.features}, '
            f'scale={self.scale!r}, graph={self.graph})'
        )


def _intensities(image: Tensor, points: Tensor) -> Tensor:
    """Returns the interpolated channels [B, L, C] at points [B, L, 2]."""
    size = points.new_tensor([image.size(3), image.size(2)])
    grid = (2 * points / size - 1).unsqueeze(1)
    pixels = to_unit(image).to(points.dtype)
    return grid_sample(pixels, grid, padding_mode='border', align_corners=False)[:, :, 0].mT
