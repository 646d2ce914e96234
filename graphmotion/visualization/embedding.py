"""Embeddings brought to the plane."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy as np
from torch import Tensor

from graphmotion.visualization._figure import (
    COLORS,
    NEUTRAL,
    Figure,
    LegendHandle,
    PathLike,
    finish,
    new_figure,
    to_array,
)

Points = Tensor | np.ndarray
Labels = Sequence[Hashable] | Tensor | np.ndarray

_MARKERS = 'o^sDvP*X'


def plot_embedding(
    points: Points | Mapping[str, Points],
    groups: Labels,
    kinds: Labels | None = None,
    title: str | None = None,
    path: PathLike | None = None,
) -> Figure:
    r"""Draw embeddings that t-SNE or principal components have brought to the plane: a colour for
    each group, such as a subject, and a sign for each kind, such as normal walks, with a bag and in
    a coat.

    With many groups colours come again, filled less. Axes have no scale, as distances in such a
    plane mean little.

    .. code-block:: python

        points = TSNE(perplexity=15).fit_transform(embedding)  # of sklearn.manifold
        plot_embedding(points, subject, kinds=['NM', 'BG', 'CL'], path='tsne.png')

    Args:
        points (Tensor or dict): The points, or those of several runs by name, a panel for each.
        groups (sequence): The group of each sample.
        kinds (sequence, optional): The kind of each sample. (default: :obj:`None`)
        title (str, optional): The title. (default: :obj:`None`)
        path (str, optional): The file to write; its suffix says the format.
            (default: :obj:`None`)

    Shapes:
        - **points:** :math:`(N, 2)`

    Raises:
        ValueError: If there is no panel, points are not finite pairs, or groups or kinds are not
            one for each.
    """
    panels = dict(points) if isinstance(points, Mapping) else {'': points}
    if not panels:
        raise ValueError('there are no points to draw')
    arrays = {}
    for name, values in panels.items():
        what = f'points of {name!r}' if name else 'points'
        arrays[name] = to_array(values, what, dims=(2,), finite=True)
        if arrays[name].shape[1] != 2:
            raise ValueError(f'{what} have the shape {list(arrays[name].shape)}, expected [N, 2]')
    group_names, group = _numbered(groups, 'groups', arrays)
    kind_names, kind = _numbered([0] * len(group) if kinds is None else kinds, 'kinds', arrays)
    if len(kind_names) > len(_MARKERS):
        raise ValueError(f'there are signs for {len(_MARKERS)} kinds, got {len(kind_names)}')

    figure = new_figure(3.6 * len(arrays) + 1.2, 3.6)
    axes = figure.subplots(1, len(arrays), squeeze=False)[0]
    for ax, (name, values) in zip(axes, arrays.items()):
        for g, k in sorted({*zip(group.tolist(), kind.tolist())}):
            chosen = values[(group == g) & (kind == k)]
            color = COLORS[g % len(COLORS)]
            ax.scatter(
                *chosen.T,
                s=16,
                marker=_MARKERS[k],
                facecolor=color if g < len(COLORS) else 'none',
                edgecolor=color,
                linewidth=0.7,
                alpha=0.8,
            )
        ax.set_xticks([])
        ax.set_yticks([])
        ax.set_title(name, fontsize='medium')
        ax.spines[:].set_color('0.8')
    handles = []
    if len(group_names) <= 2 * len(COLORS):
        for g, group_name in enumerate(group_names):
            color = COLORS[g % len(COLORS)]
            fill = color if g < len(COLORS) else 'none'
            handles.append(_handle('o', color, fill, str(group_name)))
    if kinds is not None:
        handles += [
            _handle(_MARKERS[k], NEUTRAL, NEUTRAL, str(kind_name))
            for k, kind_name in enumerate(kind_names)
        ]
    if handles:
        figure.legend(handles=handles, loc='outside right upper', frameon=False, fontsize='small')
    return finish(figure, path, title)


def _handle(marker: str, edge: str, face: str, label: str) -> LegendHandle:
    return LegendHandle(
        [], [], linestyle='', marker=marker, color=edge, markerfacecolor=face, label=label
    )


def _numbered(
    labels: Labels, what: str, arrays: Mapping[str, np.ndarray]
) -> tuple[list[Hashable], np.ndarray]:
    """The names in the order in which they come, and the number of each label's name."""
    values = labels.tolist() if isinstance(labels, (Tensor, np.ndarray)) else list(labels)
    for name, array in arrays.items():
        if len(array) != len(values):
            raise ValueError(
                f'there are {len(array)} points{f" of {name!r}" if name else ""} and '
                f'{len(values)} {what}, expected one for each'
            )
    names = list(dict.fromkeys(values))
    place = {name: i for i, name in enumerate(names)}
    return names, np.array([place[value] for value in values])
