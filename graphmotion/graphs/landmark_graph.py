"""A graph over the landmarks of the mean face."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor
from torch_geometric.data import Data

from graphmotion.graphs.point_graph import PointGraph

# Faces per batch, while their mean is computed.
_BATCH_SIZE = 1024


class FaceSet(Protocol):
    r"""Faces that can be assembled into batches, such as a
    :class:`~graphmotion.data.GraphDataset`.
    """

    def __len__(self) -> int: ...

    def get_batch(self, samples: Tensor) -> Data:
        r"""Returns the samples at the given positions as a batch."""


def landmark_graph(
    dataset: FaceSet, k: int = 8, edge_index: Tensor | None = None, **options: Any
) -> PointGraph:
    r"""Makes a graph over the landmarks of a dataset's mean face, which all of its faces share.

    .. code-block:: python

        faces = SyntheticFaces(num_subjects=2)
        graph = landmark_graph(faces, k=8, num_modes=68, levels=2, ratio=0.25)
        transform = ToLandmarkGraph(graph=graph)

    Args:
        dataset (GraphDataset): Faces with the field :obj:`landmarks`, such as the training samples.
        k (int, optional): Number of neighbours of each landmark. (default: :obj:`8`)
        edge_index (Tensor, optional): Edges that replace the nearest-neighbour edges, such as
            :obj:`face_edges("facemesh468")`. (default: :obj:`None`)
        **options (optional): Arguments of :meth:`~graphmotion.graphs.PointGraph.from_points`.

    Raises:
        ValueError: If faces have no landmarks, or at most :obj:`k`.
    """
    total = torch.zeros((), dtype=torch.float64)
    for part in torch.arange(len(dataset)).split(_BATCH_SIZE):
        points = dataset.get_batch(part).get('landmarks')
        if points is None or len(points) % len(part):
            raise ValueError(
                "dataset must have a field 'landmarks' of the same size in all faces, got "
                f'{dataset}'
            )
        total = total + points.double().cpu().view(len(part), -1, 2).sum(dim=0)
    pos = (total / len(dataset)).float() - 0.5  # from the centre of the first pixel
    return PointGraph.from_points(pos, k, edge_index=edge_index, **options)
