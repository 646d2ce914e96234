"""Probes and the gallery samples that were retrieved for them."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphmotion.checks import check_int
from graphmotion.metrics import Retrieval
from graphmotion.skeletons import Skeleton, get_skeleton
from graphmotion.visualization._figure import (
    COLORS,
    NEUTRAL_COLOR,
    Axes,
    Figure,
    PathLike,
    finish_figure,
    new_figure,
)
from graphmotion.visualization._inputs import check_shape, to_array
from graphmotion.visualization.body import draw_body
from graphmotion.visualization.projection import View, bounding_box, project_sequences

_PROBE_COLOR, _CORRECT_COLOR, _WRONG_COLOR = '0.35', COLORS[2], COLORS[1]
_CELL_SIZE = 1.25  # inches, the longer side of a sample
_MAX_WIDTH = 12.0  # inches
_PROBE_GAP = 0.25  # between the probe and the gallery samples, as a fraction of a cell

# Draws the sample with the given index.
_Draw = Callable[[Axes, int], None]


def plot_retrieval(
    samples: Any,
    retrieval: Retrieval,
    skeleton: str | Skeleton | None = None,
    captions: Sequence[str] | Mapping[int, str] | None = None,
    num_rows: int = 5,
    num_poses: int = 1,
    view: View = 'oblique',
    up: str | None = None,
    title: str | None = None,
    path: PathLike | None = None,
) -> Figure:
    r"""Plots probes, each with its nearest gallery samples in order.

    Samples of the subject of the probe have a solid green frame and a tick; other samples have a
    dashed red frame and a cross. The distance is printed below each sample.

    .. code-block:: python

        dataset = SyntheticGait.casia_b(num_subjects=5, num_frames=8, views=[0, 45, 90])
        protocol = replace(CASIA_B_LT, train_subjects=0)
        embedding = torch.randn(len(dataset), 16) + 2 * torch.eye(16)[dataset.labels('subject')]

        found = retrieve(embedding, dataset, protocol, k=6)
        plot_retrieval(dataset, found, skeleton='coco17', num_rows=3)

    Args:
        samples (dataset, sequence or dict): The samples by index: :obj:`Data` objects with
            :obj:`pos` (and optionally :obj:`score`), :obj:`silhouettes` or :obj:`image`, or
            tensors.
        retrieval (Retrieval): The retrieved samples.
        skeleton (str or Skeleton, optional): The skeleton if samples are drawn as poses. If set to
            :obj:`None`, they are drawn as images. (default: :obj:`None`)
        captions (sequence or dict of str, optional): The caption of each sample by index.
            (default: :obj:`None`)
        num_rows (int, optional): The maximum number of probes. (default: :obj:`5`)
        num_poses (int, optional): The number of frames of each sample, the middle frames of
            segments of equal length. (default: :obj:`1`)
        view (str or tuple, optional): The viewpoint, see :func:`project`.
            (default: :obj:`"oblique"`)
        up (str, optional): The upward axis, see :func:`project`. (default: :obj:`None`)
        title (str, optional): The title of the figure. (default: :obj:`None`)
        path (str, optional): The file to save the figure to; its suffix sets the format.
            (default: :obj:`None`)

    Shapes:
        - **poses:** :math:`(V, T, D)` with :math:`D \in \{2, 3\}`
        - **images:** :math:`(H, W)` or :math:`(H, W, 3)`, values in 0..1 or 0..255
        - **clips:** :math:`(T, H, W)` or :math:`(1, T, H, W)`

    Raises:
        ValueError: If there are no probes, a sample or caption is missing, or a sample has an
            unsupported shape.
    """
    check_int('num_rows', num_rows, 1)
    check_int('num_poses', num_poses, 1)
    probes = retrieval.probes[:num_rows]
    if len(probes) == 0:
        raise ValueError('retrieval must have at least one probe, got none')
    rows = torch.cat([probes.unsqueeze(1), retrieval.nearest[:num_rows]], dim=1).tolist()
    shown = sorted({index for row in rows for index in row if index >= 0})
    if skeleton is None:
        draw, shape = _prepare_images(samples, shown, num_poses)
    else:
        draw, shape = _prepare_poses(samples, shown, num_poses, get_skeleton(skeleton), view, up)

    num_columns = len(rows[0])
    scale = _CELL_SIZE / max(shape[0], shape[1] / num_poses)
    scale = min(scale, _MAX_WIDTH / (shape[1] * (num_columns + _PROBE_GAP)))
    height, width = shape[0] * scale, shape[1] * scale
    line_length = max(4, int((width + 0.06) / 0.07))  # characters that fit below a cell
    wrapped = {}
    if captions is not None:
        for i in shown:
            caption = str(_get_item(captions, i, 'captions'))
            wrapped[i] = textwrap.wrap(caption, line_length, break_long_words=False)
    num_lines = 1 + max(map(len, wrapped.values()), default=0)
    figure = new_figure(
        (num_columns + _PROBE_GAP) * (width + 0.1) + 0.1,
        len(rows) * (height + 0.1 + 0.17 * num_lines) + 0.35 + (0.3 if title else 0),
    )
    grid = figure.add_gridspec(
        len(rows), num_columns + 1, width_ratios=[1, _PROBE_GAP, *[1] * (num_columns - 1)]
    )
    for i, row in enumerate(rows):
        for j, index in enumerate(row):
            if index < 0:
                continue
            ax = figure.add_subplot(grid[i, j + (j > 0)])
            draw(ax, index)
            lines = list(wrapped.get(index, ()))
            if j == 0:
                _draw_frame(ax, None)
            else:
                _draw_frame(ax, bool(retrieval.correct[i, j - 1]))
                lines.append(f'{float(retrieval.distance[i, j - 1]):.3g}')
            ax.set_xlabel('\n'.join(lines), fontsize='small', color=NEUTRAL_COLOR, labelpad=3)
            if i == 0:
                ax.set_title('probe' if j == 0 else f'{j}', fontsize='medium')
    return finish_figure(figure, path, title)


def _get_item(values: Any, index: int, name: str) -> Any:
    try:
        return values[index]
    except (IndexError, KeyError):
        raise ValueError(f'{name} must have an entry for sample {index}, got none') from None


def _get_field(samples: Any, index: int, fields: Sequence[str]) -> Any:
    """Returns a sample if it is an array, or else the first field it has."""
    sample = _get_item(samples, index, 'samples')
    if isinstance(sample, (Tensor, np.ndarray)):
        return sample
    for field in fields:
        if field in sample:
            return sample[field]
    raise ValueError(f'samples[{index}] must have one of the fields {list(fields)}, got {sample}')


def _middle_frames(num_frames: int, num_segments: int) -> list[int]:
    """Returns the middle frame of each of several segments of equal length."""
    return [int((i + 0.5) * num_frames / num_segments) for i in range(num_segments)]


def _prepare_images(
    samples: Any, indices: Sequence[int], num_poses: int
) -> tuple[_Draw, tuple[float, float]]:
    """Returns a function that draws images, and their maximum height and width."""
    images = {}
    for index in indices:
        name = f'samples[{index}]'
        values = to_array(_get_field(samples, index, ('silhouettes', 'image')), name, (2, 3, 4))
        if values.ndim == 4:
            check_shape(values, name, (1, 'T', 'H', 'W'))
            values = values[0]
        if values.ndim == 3 and values.shape[-1] != 3:
            values = np.concatenate(values[_middle_frames(len(values), num_poses)], axis=1)
        images[index] = values / (255 if values.max() > 1 else 1)

    def draw(ax: Axes, index: int) -> None:
        ax.imshow(images[index], cmap='gray', vmin=0, vmax=1, interpolation='nearest')

    height, width = np.max([image.shape[:2] for image in images.values()], axis=0)
    return draw, (float(height), float(width))


def _prepare_poses(
    samples: Any,
    indices: Sequence[int],
    num_poses: int,
    skeleton: Skeleton,
    view: View,
    up: str | None,
) -> tuple[_Draw, tuple[float, float]]:
    """Returns a function that draws poses, and a height and width that fit all."""
    poses = {}
    for index in indices:
        pos = _get_field(samples, index, ('pos',))
        sample = samples[index]
        score = sample['score'] if not hasattr(sample, 'shape') and 'score' in sample else None
        try:
            (sequence,) = project_sequences(pos, skeleton, score, view, up, follow=True)
        except ValueError as error:
            raise ValueError(f'samples[{index}]: {error}') from None
        frames = _middle_frames(sequence.num_frames, num_poses)
        points, nearness, visible = (
            t[:, frames] for t in (sequence.points, sequence.nearness, sequence.visible)
        )
        left, right, bottom, top = bounding_box([points[visible]])
        points = points - [(left + right) / 2, (bottom + top) / 2]
        poses[index] = points, nearness, visible, (top - bottom, right - left)
    height, width = 1.12 * np.max([size for *_, size in poses.values()], axis=0)
    if num_poses == 1:
        width = max(width, 0.62 * height)  # leaves room for captions

    def draw(ax: Axes, index: int) -> None:
        points, nearness, visible, _ = poses[index]
        for i in range(num_poses):
            shifted = points[:, i] + [i * width, 0]
            draw_body(ax, shifted, skeleton, nearness[:, i], visible[:, i], linewidth=1.8)
        ax.set_xlim(-width / 2, (num_poses - 0.5) * width)
        ax.set_ylim(-height / 2, height / 2)
        ax.set_aspect('equal')

    return draw, (height, width * num_poses)


def _draw_frame(ax: Axes, correct: bool | None) -> None:
    """Draws the frame of a cell; gallery samples also have a tick or a cross."""
    color = _PROBE_COLOR if correct is None else _CORRECT_COLOR if correct else _WRONG_COLOR
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set(
        visible=True,
        color=color,
        linewidth=1.0 if correct is None else 2.2,
        linestyle=(0, (3, 2)) if correct is False else '-',
        zorder=5,
    )
    if correct is not None:
        ax.annotate(
            '✓' if correct else '✗',
            (1, 1),
            xycoords='axes fraction',
            xytext=(-2.5, -2.5),
            textcoords='offset points',
            ha='right',
            va='top',
            color='white',
            fontsize='small',
            fontweight='bold',
            zorder=6,
            bbox={'boxstyle': 'square,pad=0.3', 'facecolor': color, 'linewidth': 0},
        )
