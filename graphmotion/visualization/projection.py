"""Orthographic projection of poses and sequences onto the drawing plane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from torch import Tensor
from torch_geometric.data import Data

from graphmotion.skeletons import Skeleton
from graphmotion.visualization._inputs import ArrayLike, check_shape, to_array

Arrays = ArrayLike | Sequence[ArrayLike]
#: Positions, or samples with positions and scores.
Poses: TypeAlias = ArrayLike | Data | Sequence[ArrayLike | Data]
View = str | tuple[float, float]

# Azimuth and elevation in degrees.
_VIEWS = {'front': (0.0, 0.0), 'oblique': (45.0, 12.0), 'side': (90.0, 0.0), 'top': (0.0, 90.0)}

# The axis that points right in the front view, for each upward axis.
_RIGHT_AXIS = {'x': 'y', 'y': 'x', 'z': 'x'}


def project(
    pos: Tensor | np.ndarray, view: View = 'oblique', up: str | None = None
) -> tuple[np.ndarray, np.ndarray]:
    r"""Projects positions orthographically onto the drawing plane.

    .. code-block:: python

        pos = rest_pose('ntu25')
        for number, view in enumerate(['front', 'oblique', 'side']):
            points, nearness = project(pos, view)
            draw_body(plt.subplot(1, 3, number + 1, aspect='equal'), points, 'ntu25', nearness)

    Args:
        pos (Tensor or array): Positions in two or three dimensions.
        view (str or tuple, optional): The viewpoint of three-dimensional positions:
            :obj:`"front"`, :obj:`"oblique"`, :obj:`"side"`, :obj:`"top"`, or a pair of azimuth and
            elevation in degrees. At azimuth 0, the first axis other than :obj:`up` points right;
            with increasing azimuth, the viewer moves towards that side.
            (default: :obj:`"oblique"`)
        up (str, optional): The upward axis, with a minus sign if it points down, such as
            :obj:`"z"` or :obj:`"-y"`. If set to :obj:`None`, it is :obj:`"y"` in three dimensions
            and :obj:`"-y"`, as in images, in two. (default: :obj:`None`)

    Returns:
        tuple: The projected positions, x to the right and y up, and the nearness of each position:
        its coordinate along the axis that points towards the viewer.

    Shapes:
        - **pos:** :math:`(*, D)` with :math:`D \in \{2, 3\}`
        - **output:** :math:`(*, 2)` and :math:`(*)`

    Raises:
        ValueError: If positions do not have two or three dimensions, or :obj:`view` or :obj:`up`
            is unknown.
    """
    values = to_array(pos, 'pos')
    _check_dimensions(values, 'pos')
    return _view_from(_to_upright(values, up), view)


@dataclass(frozen=True)
class ProjectedSequence:
    """A motion sequence in the drawing plane."""

    points: np.ndarray  # [V, T, 2]
    nearness: np.ndarray  # [V, T]
    visible: np.ndarray  # [V, T]

    @property
    def num_frames(self) -> int:
        """The number of frames."""
        return self.points.shape[1]


def project_sequences(
    pos: Poses,
    skeleton: Skeleton,
    score: Arrays | None,
    view: View,
    up: str | None,
    follow: bool,
) -> list[ProjectedSequence]:
    """Validates and projects one or more sequences.

    Joints with a score of 0 or a non-finite position are not visible. Samples have the scores of
    their field :obj:`score` unless others are given. If :obj:`follow` is set,
    horizontal motion of the body is removed.
    """
    is_list = isinstance(pos, (list, tuple))
    sequences = list(pos) if is_list else [pos]
    if not sequences:
        raise ValueError('pos must have at least one sequence, got an empty list')
    scores = [None] * len(sequences) if score is None else list(score) if is_list else [score]
    if len(scores) != len(sequences):
        raise ValueError(f'score must have length {len(sequences)}, got {len(scores)}')
    out = []
    for i, (sequence, confidence) in enumerate(zip(sequences, scores)):
        suffix = f'[{i}]' if is_list else ''
        if isinstance(sequence, Data):
            confidence = sequence.get('score') if confidence is None else confidence
            sequence = sequence.pos
        values = to_array(sequence, f'pos{suffix}', ndim=(3,))
        check_nodes(values, f'pos{suffix}', skeleton)
        visible = np.isfinite(values).all(axis=-1)
        if confidence is not None:
            confidence = to_array(confidence, f'score{suffix}', ndim=(2,))
            check_shape(confidence, f'score{suffix}', visible.shape)
            visible = visible & (confidence > 0)
        upright = _to_upright(np.where(visible[..., None], values, 0.0), up)
        if follow:
            upright = _remove_horizontal_motion(upright, visible, skeleton.center)
        out.append(ProjectedSequence(*_view_from(upright, view), visible))
    return out


def check_nodes(values: np.ndarray, name: str, skeleton: Skeleton) -> None:
    """Raises unless the array holds coordinates of complete bodies."""
    if values.shape[0] % skeleton.num_joints:
        raise ValueError(
            f'{name} must have a multiple of {skeleton.num_joints} nodes, the joints of '
            f'{skeleton.name!r}, got {values.shape[0]}'
        )
    _check_dimensions(values, name)


def bounding_box(points: Sequence[np.ndarray]) -> tuple[float, float, float, float]:
    """Returns left, right, bottom and top of all points, padded to a minimum extent."""
    stacked = np.concatenate([p.reshape(-1, 2) for p in points] or [np.zeros((0, 2))])
    if len(stacked) == 0:
        return -0.5, 0.5, -0.5, 0.5
    (left, bottom), (right, top) = stacked.min(axis=0), stacked.max(axis=0)
    size = max(right - left, top - bottom)
    size = size if size > 0 else 1.0
    # A body seen from the side still takes a quarter of its height.
    pad_x, pad_y = (max(0.0, size / 4 - extent) / 2 for extent in (right - left, top - bottom))
    return left - pad_x, right + pad_x, bottom - pad_y, top + pad_y


def _check_dimensions(values: np.ndarray, name: str) -> None:
    if values.ndim == 0 or values.shape[-1] not in (2, 3):
        raise ValueError(
            f'{name} must have 2 or 3 coordinates in its last dimension, '
            f'got shape {list(values.shape)}'
        )


def _to_upright(pos: np.ndarray, up: str | None) -> np.ndarray:
    """Rotates axes to point right, up and, in 3D, towards the viewer."""
    dim = pos.shape[-1]
    up = up or ('y' if dim == 3 else '-y')
    axis, axes = up.removeprefix('-'), 'xyz'[:dim]
    if axis not in list(axes):
        raise ValueError(
            f'up must be one of {list(axes)}, optionally with a minus sign, got {up!r}'
        )
    basis = np.eye(dim)
    upward = basis[axes.index(axis)] * (-1 if up.startswith('-') else 1)
    rows = [basis[axes.index(_RIGHT_AXIS[axis])], upward]
    if dim == 3:
        rows.append(np.cross(rows[0], rows[1]))
    return pos @ np.stack(rows).T


def _view_from(upright: np.ndarray, view: View) -> tuple[np.ndarray, np.ndarray]:
    """Returns the projection and the nearness of upright positions."""
    if isinstance(view, str):
        if view not in _VIEWS:
            raise ValueError(
                f'view must be one of {list(_VIEWS)} or a pair (azimuth, elevation), got {view!r}'
            )
        view = _VIEWS[view]
    if len(view) != 2:
        raise ValueError(f'view must be a pair (azimuth, elevation) in degrees, got {view!r}')
    if upright.shape[-1] == 2:
        return upright, np.zeros(upright.shape[:-1])
    azimuth, elevation = np.deg2rad(view[0]), np.deg2rad(view[1])
    right, height, near = np.moveaxis(upright, -1, 0)
    x = np.cos(azimuth) * right - np.sin(azimuth) * near
    near = np.sin(azimuth) * right + np.cos(azimuth) * near
    y = np.cos(elevation) * height - np.sin(elevation) * near
    near = np.sin(elevation) * height + np.cos(elevation) * near
    return np.stack([x, y], axis=-1), near


def _remove_horizontal_motion(upright: np.ndarray, visible: np.ndarray, center: int) -> np.ndarray:
    """Centres each frame horizontally on the centre joint or the visible joints."""
    weight = visible.astype(np.float64)
    weight[:, visible[center]] = 0
    weight[center, visible[center]] = 1
    total = np.maximum(weight.sum(axis=0), 1)
    anchor = np.einsum('vt,vtd->td', weight, upright) / total[:, None]
    anchor[:, 1] = 0
    return upright - anchor
