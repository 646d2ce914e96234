"""Rows of poses at a common scale."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from graphmotion.checks import check_int
from graphmotion.skeletons import Skeleton
from graphmotion.visualization._figure import NEUTRAL_COLOR, Axes, Figure, new_figure
from graphmotion.visualization._inputs import check_indices
from graphmotion.visualization.body import draw_body
from graphmotion.visualization.projection import ProjectedSequence, bounding_box

_POSE_HEIGHT = 1.5  # inches
_MAX_WIDTH = 12.0  # inches
_GAP = 0.15  # between poses, as a fraction of the pose width

# Draws over a pose, given the axes, the row, the frame and the points [V, 2].
Overlay = Callable[[Axes, int, int, np.ndarray], None]


class Strip(NamedTuple):
    """A row of poses: a sequence, the frames to draw, and a label."""

    sequence: ProjectedSequence
    frames: list[int]
    label: str


def select_frames(num_frames: int, frames: Sequence[int] | None, num_poses: int) -> list[int]:
    """Returns the given frames, or evenly spaced ones from the first to the last."""
    if frames is not None:
        return check_indices(frames, 'frames', num_frames)
    check_int('num_poses', num_poses, 1)
    return sorted({round(t) for t in np.linspace(0, num_frames - 1, num_poses)})


def draw_strips(
    columns: Mapping[str, Sequence[Strip]],
    skeleton: Skeleton,
    has_title: bool = False,
    pose_height: float = _POSE_HEIGHT,
    color: str | None = None,
    overlay: Overlay | None = None,
) -> Figure:
    """Draws columns of strips by heading, all at the same scale."""
    strips = [strip for column in columns.values() for strip in column]
    left, right, bottom, top = bounding_box(
        [s.sequence.points[:, s.frames][s.sequence.visible[:, s.frames]] for s in strips]
    )
    gap = _GAP * (right - left)
    step = gap + max(_min_spacing(strip) for strip in strips)
    num_poses = max(len(strip.frames) for strip in strips)
    margin = 0.07 * (top - bottom)
    width, height = step * (num_poses - 1) + right - left + 2 * gap, top - bottom + 2 * margin
    scale = min(pose_height / height, _MAX_WIDTH / (width * len(columns)))
    lines = [line for strip in strips for line in strip.label.split('\n')]
    label_width = 0.15 + 0.085 * max(map(len, lines))
    num_rows = max(map(len, columns.values()))
    figure = new_figure(
        max(1.0, (width * scale + label_width) * len(columns)),
        num_rows * (height * scale + 0.25)
        + (0.25 if any(columns) else 0)
        + (0.3 if has_title else 0),
    )
    axes = figure.subplots(num_rows, len(columns), squeeze=False)
    for column, (heading, column_strips) in enumerate(columns.items()):
        axes[0, column].set_title(heading, fontsize='medium')
        for row in range(num_rows):
            ax = axes[row, column]
            if row >= len(column_strips):
                figure.delaxes(ax)
                continue
            sequence, frames, label = column_strips[row]
            for i, t in enumerate(frames):
                points, visible = sequence.points[:, t] + [i * step, 0], sequence.visible[:, t]
                draw_body(
                    ax,
                    points,
                    skeleton,
                    sequence.nearness[:, t],
                    visible,
                    linewidth=1.8,
                    color=color,
                )
                if overlay is not None:
                    overlay(ax, row, t, points)
            hide_axes(ax, left - gap, bottom - margin, width, height)
            ax.set_xticks(
                [i * step + (left + right) / 2 for i in range(len(frames))],
                [str(t) for t in frames],
                fontsize='small',
                color=NEUTRAL_COLOR,
            )
            ax.set_ylabel(label, rotation=0, ha='right', va='center')
    return figure


def hide_axes(ax: Axes, left: float, bottom: float, width: float, height: float) -> None:
    """Sets the limits of axes at equal aspect and hides ticks and spines."""
    ax.set_xlim(left, left + width)
    ax.set_ylim(bottom, bottom + height)
    ax.set_aspect('equal')
    ax.tick_params(length=0)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)


def _min_spacing(strip: Strip) -> float:
    """Returns the smallest spacing of poses at which no pose overlaps the next."""
    x = strip.sequence.points[:, strip.frames, 0]
    visible = strip.sequence.visible[:, strip.frames]
    right = np.where(visible, x, -np.inf).max(axis=0)
    left = np.where(visible, x, np.inf).min(axis=0)
    spacing = right[:-1] - left[1:]
    return float(max(spacing[np.isfinite(spacing)], default=0.0))
