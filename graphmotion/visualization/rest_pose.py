"""Standing poses for drawing a skeleton without data."""

from __future__ import annotations

from functools import lru_cache

import networkx as nx
import numpy as np
import torch
from torch import Tensor

from graphmotion.skeletons import Skeleton, conversion_matrix, get_skeleton

# Joint positions (x, y, z) as fractions of body height, standing with the arms slightly away from
# the trunk and facing the viewer; x points to the left side of the body.
_CENTRAL_JOINTS = {
    'pelvis': (0, 0.53, 0),
    'lower_spine': (0, 0.60, 0),
    'spine_navel': (0, 0.62, 0),
    'spine': (0, 0.67, 0),
    'spine_chest': (0, 0.72, 0),
    'thorax': (0, 0.79, 0),
    'neck': (0, 0.84, 0),
    'head': (0, 0.93, 0),
    'nose': (0, 0.92, 0.06),
    # Parts of the built-in hierarchies.
    'torso': (0, 0.66, 0),
    'trunk': (0, 0.74, 0),
    'upper_limbs': (0.24, 0.66, 0),
    'lower_limbs': (0, 0.28, 0),
}
_LEFT_JOINTS = {
    'eye_inner': (0.015, 0.945, 0.05),
    'eye': (0.032, 0.945, 0.05),
    'eye_outer': (0.05, 0.945, 0.04),
    'ear': (0.075, 0.935, 0),
    'mouth': (0.022, 0.885, 0.05),
    'clavicle': (0.04, 0.80, 0),
    'shoulder': (0.12, 0.79, 0),
    'elbow': (0.21, 0.65, 0),
    'wrist': (0.29, 0.53, 0),
    'hand': (0.325, 0.48, 0),
    'hand_tip': (0.36, 0.43, 0),
    'thumb': (0.30, 0.45, 0.03),
    'index': (0.345, 0.445, 0.02),
    'pinky': (0.365, 0.475, 0),
    'hip': (0.08, 0.51, 0),
    'knee': (0.10, 0.28, 0),
    'ankle': (0.11, 0.05, 0),
    'heel': (0.10, 0.01, -0.04),
    'foot': (0.15, 0.0, 0.1),
    'small_toe': (0.19, 0.015, 0.08),
    'arm': (0.24, 0.64, 0),
    'upper_arm': (0.17, 0.73, 0),
    'lower_arm': (0.29, 0.53, 0),
    'leg': (0.11, 0.25, 0),
    'upper_leg': (0.09, 0.40, 0),
    'lower_leg': (0.12, 0.10, 0),
}


def rest_pose(skeleton: str | Skeleton) -> Tensor:
    r"""Returns a standing pose of a skeleton that faces the viewer.

    Joints are placed by name, with the names of the built-in layouts: x points to the left side of
    the body and y points up. If a joint name is unknown, all joints are placed in a plane by the
    Kamada-Kawai layout of NetworkX.

    .. code-block:: python

        points, nearness = project(rest_pose('body25'), view='front')
        axes = plt.figure().add_subplot(aspect='equal')
        draw_body(axes, points, 'body25', nearness)

    Args:
        skeleton (str or Skeleton): The skeleton, or the name of a built-in one.

    Shapes:
        - **output:** :math:`(V, 3)`, about one unit high
    """
    skeleton = get_skeleton(skeleton)
    known, positions = _known_joints()
    try:
        return conversion_matrix(known, skeleton).to(positions) @ positions
    except ValueError:  # unknown joint name
        layout = nx.kamada_kawai_layout(skeleton.to_networkx())
        flat = torch.tensor(np.array([layout[i] for i in range(skeleton.num_joints)]))
        return torch.nn.functional.pad(flat.float() / 2, (0, 1))


@lru_cache(maxsize=1)
def _known_joints() -> tuple[Skeleton, Tensor]:
    """Returns a skeleton of all known joints and their positions."""
    positions = dict(_CENTRAL_JOINTS)
    for name, (x, y, z) in _LEFT_JOINTS.items():
        positions[f'left_{name}'], positions[f'right_{name}'] = (x, y, z), (-x, y, z)
    bones = tuple((0, i) for i in range(1, len(positions)))
    skeleton = Skeleton(tuple(positions), bones, name='rest pose')
    return skeleton, torch.tensor(list(positions.values()), dtype=torch.float32)
