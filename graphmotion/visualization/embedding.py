"""Scatter plots of two-dimensional embeddings."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy as np
from torch import Tensor

from graphmotion.visualization._figure import (
    COLORS,
    NEUTRAL_COLOR,
    Figure,
    Line2D,
    PathLike,
    finish_figure,
    new_figure,
)
from graphmotion.visualization._inputs import (
    ArrayLike,
    as_mapping,
    check_shape,
    entry_name,
    to_array,
)

Labels = Sequence[Hashable] | Tensor | np.ndarray

_MARKERS = 'o^sDvP*X'


def plot_embedding(
    points: ArrayLike | Mapping[str, ArrayLike],
    color_by: Labels,
    marker_by: Labels | None = None,
    title: str | None = None,
    path: PathLike | None = None,
) -> Figure:
    r"""Plots embeddings that were reduced to two dimensions, such as by t-SNE or PCA.

    If there are more labels than colours, the colours repeat with hollow markers. The axes have no
    ticks, as distances in such a projection have no scale.

    .. code-block:: python

        subject = torch.arange(60) // 15
        points = 3 * torch.randn(4, 2)[subject] + torch.randn(60, 2)
        plot_embedding(points, color_by=subject)

    Args:
        points (Tensor or dict): The points, or the points of several runs by name, one panel for
            each run.
        color_by (sequence): The label of each point that sets its colour, such as the subject.
        marker_by (sequence, optional): The label of each point that sets its marker, such as the
            walking condition. (default: :obj:`None`)
        title (str, optional): The title of the figure. (default: :obj:`None`)
        path (str, optional): The file to save the figure to; its suffix sets the format.
            (default: :obj:`None`)

    Shapes:
        - **points:** :math:`(N, 2)`

    Raises:
        ValueError: If :obj:`points` is empty, has another shape or is not finite, if there is not
            one label for each point, or if :obj:`marker_by` has more than eight distinct labels.
    """
    panels = {}
    for name, values in as_mapping(points, 'points').items():
        panels[name] = to_array(values, entry_name('points', name), ndim=(2,), finite=True)
        check_shape(panels[name], entry_name('points', name), ('N', 2))
    color_names, color_ids = _encode(color_by, 'color_by', panels)
    marker_names, marker_ids = _encode(
        [0] * len(color_ids) if marker_by is None else marker_by, 'marker_by', panels
    )
    if len(marker_names) > len(_MARKERS):
        raise ValueError(
            f'marker_by must have at most {len(_MARKERS)} distinct labels, got {len(marker_names)}'
        )

    figure = new_figure(3.6 * len(panels) + 1.2, 3.6)
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for ax, (name, values) in zip(axes, panels.items()):
        for c, m in sorted({*zip(color_ids.tolist(), marker_ids.tolist())}):
            edge, face = _colors(c)
            ax.scatter(
                *values[(color_ids == c) & (marker_ids == m)].T,
                s=16,
                marker=_MARKERS[m],
                facecolor=face,
                edgecolor=edge,
                linewidth=0.7,
                alpha=0.8,
            )
        ax.set_xticks([])
        ax.set_yticks([])
        ax.set_title(name, fontsize='medium')
        ax.spines[:].set_color('0.8')
    handles = []
    if len(color_names) <= 2 * len(COLORS):
        handles += [
            _legend_handle('o', *_colors(c), str(name)) for c, name in enumerate(color_names)
        ]
    if marker_by is not None:
        handles += [
            _legend_handle(_MARKERS[m], NEUTRAL_COLOR, NEUTRAL_COLOR, str(name))
            for m, name in enumerate(marker_names)
        ]
    if handles:
        figure.legend(handles=handles, loc='outside right upper', frameon=False, fontsize='small')
    return finish_figure(figure, path, title)


def _colors(label: int) -> tuple[str, str]:
    """Returns the edge and the face colour of a label."""
    color = COLORS[label % len(COLORS)]
    return color, color if label < len(COLORS) else 'none'


def _legend_handle(marker: str, edge: str, face: str, label: str) -> Line2D:
    return Line2D(
        [], [], linestyle='', marker=marker, color=edge, markerfacecolor=face, label=label
    )


def _encode(
    labels: Labels, name: str, panels: Mapping[str, np.ndarray]
) -> tuple[list[Hashable], np.ndarray]:
    """Returns the distinct labels in order of appearance and the index of each."""
    values = labels.tolist() if isinstance(labels, (Tensor, np.ndarray)) else list(labels)
    for panel, array in panels.items():
        if len(array) != len(values):
            raise ValueError(
                f'{name} must have one label for each of the {len(array)} '
                f'{entry_name("points", panel)}, got {len(values)}'
            )
    names = list(dict.fromkeys(values))
    index = {label: i for i, label in enumerate(names)}
    return names, np.array([index[value] for value in values])
