"""Bodies on paper: projection, rest poses, and bones drawn in the colours of their sides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import networkx as nx
import numpy as np
import torch
from torch import Tensor

from graphmotion.skeletons import Skeleton, conversion_matrix, get_skeleton
from graphmotion.visualization._figure import (
    LEFT,
    NEUTRAL,
    RIGHT,
    Axes,
    LineCollection,
    to_array,
)

Poses = Tensor | np.ndarray | Sequence[Tensor | np.ndarray]
View = str | tuple[float, float]

# Azimuth and elevation of the viewer in degrees.
VIEWS = {'front': (0.0, 0.0), 'oblique': (45.0, 12.0), 'side': (90.0, 0.0), 'top': (0.0, 90.0)}

# For each upward axis the axes that point right and towards the viewer, right-handed.
_RIGHT_AXIS = {'x': 'y', 'y': 'x', 'z': 'x'}

# The pose that bodies without data are drawn in: standing, arms a little off the trunk, facing
# the viewer, as (x, y, z) in statures; x grows to the body's own left, which is seen on the right.
_TRUNK = {
    'pelvis': (0, 0.53, 0),
    'lower_spine': (0, 0.60, 0),
    'spine': (0, 0.67, 0),
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
_LEFT_SIDE = {
    'eye_inner': (0.015, 0.945, 0.05),
    'eye': (0.032, 0.945, 0.05),
    'eye_outer': (0.05, 0.945, 0.04),
    'ear': (0.075, 0.935, 0),
    'mouth': (0.022, 0.885, 0.05),
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


@lru_cache(maxsize=1)
def _reference() -> tuple[Skeleton, Tensor]:
    """All known places as one skeleton, for conversion by name; its bones do not matter."""
    places = dict(_TRUNK)
    for name, (x, y, z) in _LEFT_SIDE.items():
        places[f'left_{name}'], places[f'right_{name}'] = (x, y, z), (-x, y, z)
    bones = tuple((0, i) for i in range(1, len(places)))
    skeleton = Skeleton(tuple(places), bones, name='rest pose')
    return skeleton, torch.tensor(list(places.values()), dtype=torch.float32)


def rest_pose(skeleton: str | Skeleton) -> Tensor:
    r"""A standing pose for drawing a skeleton where there is no sample of it.

    Joints are placed by their names as those of the built-in layouts, facing the viewer: x grows
    to the body's left, y upwards. If there is a joint whose place is not known, all are placed by
    NetworkX's Kamada-Kawai layout of the bones, which is flat.

    Args:
        skeleton (str or Skeleton): The skeleton, or the name of a built-in one.

    Shapes:
        - **output:** :math:`(V, 3)`, about one unit high
    """
    skeleton = get_skeleton(skeleton)
    known, places = _reference()
    try:
        return conversion_matrix(known, skeleton).to(places) @ places
    except ValueError:  # a joint of another name
        layout = nx.kamada_kawai_layout(skeleton.to_networkx())
        flat = torch.tensor(np.array([layout[i] for i in range(skeleton.num_joints)]))
        return torch.nn.functional.pad(flat.float() / 2, (0, 1))


# Projection ###################################################################


def project(
    pos: Tensor | np.ndarray, view: View = 'oblique', up: str | None = None
) -> tuple[np.ndarray, np.ndarray]:
    r"""Positions as they are seen on paper, without perspective.

    Args:
        pos (Tensor or array): Positions in two or three dimensions.
        view (str or tuple, optional): Where three-dimensional positions are seen from:
            :obj:`"front"`, :obj:`"oblique"`, :obj:`"side"`, :obj:`"top"`, or azimuth and
            elevation of the viewer in degrees. Azimuth 0 has the first axis that is not
            :obj:`up` grow to the right; from there the viewer goes round to that side.
            (default: :obj:`"oblique"`)
        up (str, optional): The axis that points up, with a sign if it points down, as
            :obj:`"z"` or :obj:`"-y"`. By default :obj:`"y"` in three dimensions and :obj:`"-y"`,
            as in images, in two. (default: :obj:`None`)

    Returns:
        tuple: The positions on paper, x to the right and y upwards, and how near each is to the
        viewer.

    Shapes:
        - **pos:** :math:`(*, D)` with :math:`D \in \{2, 3\}`
        - **output:** :math:`(*, 2)` and :math:`(*)`

    Raises:
        ValueError: If there are not two or three dimensions, or the view or axis is unknown.
    """
    return look(stand_up(to_array(pos, 'pos', dims=range(1, 9)), up), view)


def stand_up(pos: np.ndarray, up: str | None) -> np.ndarray:
    """Turn positions so that the axes are right, up and, in 3D, towards the viewer."""
    dim = pos.shape[-1] if pos.ndim else 0
    if dim not in (2, 3):
        raise ValueError(f'positions have 2 or 3 dimensions, got the shape {list(pos.shape)}')
    up = up or ('y' if dim == 3 else '-y')
    axis, names = up.removeprefix('-'), 'xyz'[:dim]
    if axis not in names or axis == '':
        raise ValueError(f'up is one of {list(names)}, maybe with a minus sign, got {up!r}')
    basis = np.eye(dim)
    upward = basis[names.index(axis)] * (-1 if up.startswith('-') else 1)
    rows = [basis[names.index(_RIGHT_AXIS[axis])], upward]
    if dim == 3:
        rows.append(np.cross(rows[0], rows[1]))
    return pos @ np.stack(rows).T


def look(upright: np.ndarray, view: View) -> tuple[np.ndarray, np.ndarray]:
    """What the viewer sees of upright positions, and how near it is."""
    if isinstance(view, str):
        if view not in VIEWS:
            raise ValueError(f'view is one of {list(VIEWS)} or two angles, got {view!r}')
        view = VIEWS[view]
    if len(view) != 2:
        raise ValueError(f'view is azimuth and elevation in degrees, got {view!r}')
    if upright.shape[-1] == 2:
        return upright, np.zeros(upright.shape[:-1])
    azimuth, elevation = np.deg2rad(view[0]), np.deg2rad(view[1])
    right, height, near = np.moveaxis(upright, -1, 0)
    across = np.cos(azimuth) * right - np.sin(azimuth) * near
    near = np.sin(azimuth) * right + np.cos(azimuth) * near
    upwards = np.cos(elevation) * height - np.sin(elevation) * near
    near = np.sin(elevation) * height + np.cos(elevation) * near
    return np.stack([across, upwards], axis=-1), near


# Sequences ####################################################################


@dataclass(frozen=True)
class Clip:
    """A sequence on paper."""

    points: np.ndarray  # [V, T, 2]
    near: np.ndarray  # [V, T]
    seen: np.ndarray  # [V, T]

    @property
    def num_frames(self) -> int:
        """The number of frames."""
        return self.points.shape[1]


def read_clips(
    pos: Poses,
    skeleton: Skeleton,
    score: Poses | None,
    view: View,
    up: str | None,
    follow: bool,
) -> list[Clip]:
    """Check one sequence or several and project them."""
    several = isinstance(pos, (list, tuple))
    sequences = list(pos) if several else [pos]
    if not sequences:
        raise ValueError('there is no sequence to draw')
    scores = [None] * len(sequences) if score is None else list(score) if several else [score]
    if len(scores) != len(sequences):
        raise ValueError(f'got {len(scores)} scores for {len(sequences)} sequences')
    out = []
    for i, (sequence, confidence) in enumerate(zip(sequences, scores)):
        what = f'pos[{i}]' if several else 'pos'
        values = to_array(sequence, what, dims=(3,))
        check_nodes(values, what, skeleton)
        seen = np.isfinite(values).all(axis=-1)
        if confidence is not None:
            confidence = to_array(confidence, f'the score of {what}', dims=(2,))
            if confidence.shape != seen.shape:
                raise ValueError(
                    f'the score of {what} has the shape {list(confidence.shape)}, '
                    f'expected {list(seen.shape)}'
                )
            seen = seen & (confidence > 0)
        upright = stand_up(np.where(seen[..., None], values, 0.0), up)
        if follow:
            upright = _stay_in_place(upright, seen, skeleton.center)
        out.append(Clip(*look(upright, view), seen))
    return out


def check_nodes(values: np.ndarray, what: str, skeleton: Skeleton) -> None:
    """Raise unless the first dimension holds whole bodies and the last coordinates."""
    if values.shape[0] % skeleton.num_joints:
        raise ValueError(
            f'{what} has {values.shape[0]} nodes, expected a multiple of the '
            f'{skeleton.num_joints} joints of {skeleton.name!r}'
        )
    if values.shape[-1] not in (2, 3):
        raise ValueError(
            f'{what} has the shape {list(values.shape)}, expected 2 or 3 coordinates last'
        )


def _stay_in_place(upright: np.ndarray, seen: np.ndarray, center: int) -> np.ndarray:
    """Take away each frame's way over the ground; heights stay."""
    weight = seen.astype(np.float64)
    weight[:, seen[center]] = 0
    weight[center, seen[center]] = 1  # the centre alone, where it is seen
    total = np.maximum(weight.sum(axis=0), 1)
    anchor = np.einsum('vt,vtd->td', weight, upright) / total[:, None]
    anchor[:, 1] = 0
    return upright - anchor


def bounds(points: Sequence[np.ndarray]) -> tuple[float, float, float, float]:
    """Left, right, bottom and top of all points, never without extent."""
    every = np.concatenate([p.reshape(-1, 2) for p in points] or [np.zeros((0, 2))])
    if len(every) == 0:
        return -0.5, 0.5, -0.5, 0.5
    (left, bottom), (right, top) = every.min(axis=0), every.max(axis=0)
    size = max(right - left, top - bottom)
    size = size if size > 0 else 1.0
    # A body seen edge-on still takes a quarter of its height.
    wide, high = (max(0.0, size / 4 - extent) / 2 for extent in (right - left, top - bottom))
    return left - wide, right + wide, bottom - high, top + high


# Drawing ######################################################################


def joint_colors(skeleton: Skeleton) -> list[str]:
    """For each joint the colour of its side."""
    out = [NEUTRAL] * skeleton.num_joints
    for left, right in skeleton.pairs:
        out[left], out[right] = LEFT, RIGHT
    return out


def draw_body(
    ax: Axes,
    points: np.ndarray,
    skeleton: str | Skeleton,
    near: np.ndarray | None = None,
    seen: np.ndarray | None = None,
    linewidth: float = 2.0,
    color: str | None = None,
) -> None:
    r"""Draw the bones and joints of one pose into axes: left blue, right orange, trunk grey.

    Args:
        ax (matplotlib.axes.Axes): Where to draw.
        points (array): Positions on paper, see :func:`project`; the nodes may be those of several
            bodies, one after another.
        skeleton (str or Skeleton): The skeleton, or the name of a built-in one.
        near (array, optional): How near each joint is to the viewer; the nearer bones are drawn
            over the others. (default: :obj:`None`)
        seen (array, optional): Which joints there are; bones of the others are left out.
            (default: :obj:`None`)
        linewidth (float, optional): Width of the bones in points. (default: :obj:`2.0`)
        color (str, optional): One colour for all. (default: :obj:`None`)

    Shapes:
        - **points:** :math:`(B \cdot V, 2)`
        - **near**, **seen:** :math:`(B \cdot V)`
    """
    skeleton = get_skeleton(skeleton)
    num_nodes, num_joints = len(points), skeleton.num_joints
    near = np.zeros(num_nodes) if near is None else near
    seen = np.ones(num_nodes, dtype=bool) if seen is None else seen
    colors = joint_colors(skeleton) if color is None else [color] * num_joints
    # The joint farther from the centre says of which side a bone is: a thigh, not a pelvis.
    hops = skeleton.hop_distance()[skeleton.center]
    ends = [(i, j) if hops[i] > hops[j] else (j, i) for i, j in skeleton.bones]
    bones = [
        (body + i, body + j, colors[i])
        for body in range(0, num_nodes, num_joints)
        for i, j in ends
        if seen[body + i] and seen[body + j]
    ]
    bones.sort(key=lambda bone: near[bone[0]] + near[bone[1]])
    ax.add_collection(
        LineCollection(
            [points[[i, j]] for i, j, _ in bones],
            colors=[c for _, _, c in bones],
            linewidths=linewidth,
            capstyle='round',
            zorder=2,
        ),
        autolim=False,
    )
    there = np.flatnonzero(seen)
    # A head at the end of a neck is drawn as one; a face of several points is one already.
    sizes = [3.6 if joint == 'head' else 1.3 for joint in skeleton.joints]
    ax.scatter(
        points[there, 0],
        points[there, 1],
        s=[(sizes[i % num_joints] * linewidth) ** 2 for i in there],
        c=[colors[i % num_joints] for i in there],
        linewidths=0,
        zorder=3,
    )
