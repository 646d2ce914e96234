"""Drawing of a single pose."""

from __future__ import annotations

import numpy as np

from graphmotion.skeletons import Skeleton, get_skeleton
from graphmotion.visualization._figure import (
    LEFT_COLOR,
    NEUTRAL_COLOR,
    RIGHT_COLOR,
    Axes,
    LineCollection,
)

_HEAD_SIZE, _JOINT_SIZE = 3.6, 1.3  # in line widths


def draw_body(
    ax: Axes,
    points: np.ndarray,
    skeleton: str | Skeleton,
    nearness: np.ndarray | None = None,
    visible: np.ndarray | None = None,
    linewidth: float = 2.0,
    color: str | None = None,
) -> None:
    r"""Draws the bones and joints of a pose: left blue, right orange, trunk grey.

    .. code-block:: python

        points, nearness = project(rest_pose('coco17'))
        axes = plt.figure().add_subplot(aspect='equal')
        draw_body(axes, points, 'coco17', nearness)

    Args:
        ax (matplotlib.axes.Axes): The axes to draw in.
        points (array): The positions returned by :func:`project`, of one or more bodies.
        skeleton (str or Skeleton): The skeleton, or the name of a built-in one.
        nearness (array, optional): The nearness returned by :func:`project`; nearer bones are
            drawn on top. (default: :obj:`None`)
        visible (array, optional): Whether each joint is visible. Bones with an invisible joint are
            not drawn. (default: :obj:`None`)
        linewidth (float, optional): The width of bones in points. (default: :obj:`2.0`)
        color (str, optional): A single colour for the entire body. (default: :obj:`None`)

    Shapes:
        - **points:** :math:`(B \cdot V, 2)` for :math:`B` bodies
        - **nearness**, **visible:** :math:`(B \cdot V)`
    """
    skeleton = get_skeleton(skeleton)
    num_nodes, num_joints = len(points), skeleton.num_joints
    nearness = np.zeros(num_nodes) if nearness is None else nearness
    visible = np.ones(num_nodes, dtype=bool) if visible is None else visible
    colors = _joint_colors(skeleton) if color is None else [color] * num_joints
    # A bone has the colour of the joint that is farther from the centre.
    hops = skeleton.hop_distance()[skeleton.center]
    directed = [(i, j) if hops[i] > hops[j] else (j, i) for i, j in skeleton.bones]
    bones = [
        (body + i, body + j, colors[i])
        for body in range(0, num_nodes, num_joints)
        for i, j in directed
        if visible[body + i] and visible[body + j]
    ]
    bones.sort(key=lambda bone: nearness[bone[0]] + nearness[bone[1]])
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
    shown = np.flatnonzero(visible)
    sizes = [_HEAD_SIZE if joint == 'head' else _JOINT_SIZE for joint in skeleton.joints]
    ax.scatter(
        points[shown, 0],
        points[shown, 1],
        s=[(sizes[i % num_joints] * linewidth) ** 2 for i in shown],
        c=[colors[i % num_joints] for i in shown],
        linewidths=0,
        zorder=3,
    )


def _joint_colors(skeleton: Skeleton) -> list[str]:
    """Returns the colour of each joint by the side of the body it is on."""
    out = [NEUTRAL_COLOR] * skeleton.num_joints
    for left, right in skeleton.pairs:
        out[left], out[right] = LEFT_COLOR, RIGHT_COLOR
    return out
