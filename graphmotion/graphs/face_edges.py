"""Standard edges between facial landmarks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from graphmotion.checks import check_choice
from graphmotion.graphs.face_mesh_table import NEIGHBORS
from graphmotion.skeletons.face_68 import FACE_68_EDGES

LAYOUTS = {'ibug68': 68, 'facemesh468': 468, 'facemesh478': 478}

# Lines through MediaPipe's landmarks: brows, and closed lines around lips, eyes and face.
_BROWS = (
    (276, 283, 282, 295, 285),
    (300, 293, 334, 296, 336),
    (46, 53, 52, 65, 55),
    (70, 63, 105, 66, 107),
)
_FACE_LOOPS = (
    (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185),
    (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191),
    (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466),
    (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246),
    (
        *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
        *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
    ),
)
# The centre of each iris and its rim.
_IRISES = ((468, range(469, 473)), (473, range(474, 478)))


def face_edges(layout: str, contours: bool = False) -> Tensor:
    r"""Returns the standard edges between the landmarks of a face detector.

    * :obj:`"ibug68"`: the 68 landmarks of 300-W, as detected by dlib, with edges along the jaw, the
      brows, the nose, the eyes and the lips, which are not connected to each other
    * :obj:`"facemesh468"`: MediaPipe's face mesh, with the 1,322 edges of its triangles
    * :obj:`"facemesh478"`: the same with irises, whose centres are connected to their rims

    .. code-block:: python

        faces = SyntheticFaces(num_subjects=2)
        graph = landmark_graph(faces, edge_index=face_edges('ibug68'))
        transform = ToLandmarkGraph(graph=graph)

    Args:
        layout (str): Name of the landmarks.
        contours (bool, optional): If :obj:`True`, only the edges along lips, eyes, brows, the
            outline of the face and the irises, which leave other landmarks without edges.
            (default: :obj:`False`)

    Shapes:
        - **output:** :math:`(2, E)`, each edge in both directions, sorted

    Raises:
        ValueError: If there is no such layout.
    """
    check_choice('layout', layout, LAYOUTS)
    if layout == 'ibug68':
        pairs = list(FACE_68_EDGES)
    elif contours:
        pairs = [*_edges(_BROWS), *_edges(_FACE_LOOPS, closed=True)]
    else:
        rows = enumerate(NEIGHBORS.split(','))
        pairs = [(i, int(j)) for i, row in rows for j in row.split()]
    if layout == 'facemesh478':
        pairs += _edges([rim for _, rim in _IRISES], closed=True)
        pairs += [(center, point) for center, rim in _IRISES for point in rim]
    both = sorted({*pairs, *((j, i) for i, j in pairs)})
    return torch.tensor(both).t().contiguous()


def _edges(lines: Sequence[Sequence[int]], closed: bool = False) -> list[tuple[int, int]]:
    """Returns the edges between consecutive points of each line."""
    return [edge for line in lines for edge in pairwise([*line, line[0]] if closed else [*line])]
