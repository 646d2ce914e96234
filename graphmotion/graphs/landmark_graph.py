"""The graph over the landmarks of the mean face."""

from __future__ import annotations

from typing import Any

import torch

from graphmotion.graphs.point_graph import PointGraph

_AT_ONCE = 1024


def landmark_graph(dataset: Any, k: int = 8, **options: Any) -> PointGraph:
    r"""A graph over the landmarks of a dataset's mean face, for all of its faces to share.

    .. code-block:: python

        graph = landmark_graph(train, k=8, num_modes=68, levels=2, ratio=0.25)
        transform = ToLandmarkGraph(graph=graph)

    Args:
        dataset (GraphDataset): Faces with the field :obj:`landmarks`, such as those for training.
        k (int, optional): Neighbours of each landmark. (default: :obj:`8`)
        **options (optional): See :meth:`~graphmotion.graphs.PointGraph.from_points`.

    Raises:
        ValueError: If the faces have no landmarks, or too few for :obj:`k` neighbours each.
    """
    total = torch.zeros((), dtype=torch.float64)
    for part in torch.arange(len(dataset)).split(_AT_ONCE):
        points = dataset.get_batch(part).get('landmarks')
        if points is None or len(points) % len(part):
            raise ValueError(f'{dataset} has no field landmarks of equal number in all faces')
        total = total + points.double().cpu().view(len(part), -1, 2).sum(dim=0)
    pos = (total / len(dataset)).float() - 0.5  # in columns and rows, from the middle of a pixel
    return PointGraph.from_points(pos, k, **options)
