"""Plots of the trajectories of facial landmarks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from graphmotion.visualization._figure import (
    COLORS,
    NEUTRAL_COLOR,
    Figure,
    PathLike,
    finish_figure,
    new_figure,
)
from graphmotion.visualization._inputs import (
    ArrayLike,
    check_indices,
    check_shape,
    to_array,
)


def plot_landmark_trajectories(
    clips: Mapping[str, ArrayLike],
    groups: Mapping[str, Sequence[int]] | None = None,
    title: str | None = None,
    path: PathLike | None = None,
) -> Figure:
    r"""Plots the paths of facial landmarks over the frames of one or more clips, one panel for each
    clip, as Fig. 1 of the paper "SSGNN: A Macro and Microfacial Expression Recognition Graph Neural
    Network Combining Spatial and Spectral Domain Features".

    All panels have the same scale, so that a micro-expression moves less than a macro-expression.
    A dot marks the last frame of each landmark.

    .. code-block:: python

        mean = SyntheticFaces(num_subjects=1, num_takes=1)[0].landmarks
        open_mouth = torch.zeros(10, 68, 2)
        open_mouth[:, 55:60, 1] = torch.linspace(0, 6, 10).unsqueeze(1)
        clips = {'macro': mean + open_mouth, 'micro': mean + 0.2 * open_mouth}
        plot_landmark_trajectories(clips, {'mouth': range(48, 68), 'eyes': range(36, 48)})

    Args:
        clips (mapping): The landmarks of each clip by its name, in pixels, :math:`x` to the right
            and :math:`y` down.
        groups (mapping, optional): Indices of landmarks by the name of their group, such as the
            eyes and the mouth, which share a colour. (default: :obj:`None`)
        title (str, optional): The title of the figure. (default: :obj:`None`)
        path (str, optional): The file to save the figure to; its suffix sets the format.
            (default: :obj:`None`)

    Shapes:
        - **clips:** :math:`(T, L, 2)` each

    Raises:
        ValueError: If there is no clip, a shape is invalid or a group refers to a landmark that
            does not exist.
    """
    if not clips:
        raise ValueError('clips must have at least one entry, got none')
    paths = {}
    for name, clip in clips.items():
        points = to_array(clip, f'clips[{name!r}]', ndim=(3,), finite=True)
        check_shape(points, f'clips[{name!r}]', ('T', 'L', 2))
        paths[name] = points
    num_points = min(points.shape[1] for points in paths.values())
    colors = dict.fromkeys(range(max(p.shape[1] for p in paths.values())), NEUTRAL_COLOR)
    for number, (name, members) in enumerate((groups or {}).items()):
        for member in check_indices(members, f'groups[{name!r}]', num_points):
            colors[member] = COLORS[number % len(COLORS)]
    extents = [np.ptp(points, axis=(0, 1)) for points in paths.values()]
    half = 0.55 * float(np.max(extents)) or 1.0
    figure = new_figure(3.2 * len(paths), 3.6)
    for ax, (name, points) in zip(figure.subplots(1, len(paths), squeeze=False)[0], paths.items()):
        for index in range(points.shape[1]):
            x, y = points[:, index].T
            ax.plot(x, y, color=colors[index], linewidth=0.8)
            ax.plot(x[-1], y[-1], '.', color=colors[index], markersize=3)
        low, high = points.min(axis=(0, 1)), points.max(axis=(0, 1))
        x, y = (low + high) / 2
        ax.set(xlim=(x - half, x + half), ylim=(y + half, y - half), aspect='equal', title=name)
        ax.set_axis_off()
    if groups:
        for number, name in enumerate(groups):
            ax.plot([], [], color=COLORS[number % len(COLORS)], label=name)
        figure.legend(loc='outside lower center', ncols=len(groups), frameon=False)
    return finish_figure(figure, path, title)
