"""Matplotlib imports and helpers of all figures, without pyplot's global state."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from graphmotion.extras import requires_extra

with requires_extra('vis'):
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.cm import ScalarMappable
    from matplotlib.collections import LineCollection
    from matplotlib.colors import LinearSegmentedColormap, Normalize
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.patches import ConnectionPatch, FancyArrowPatch
    from matplotlib.ticker import MaxNLocator
    from matplotlib.transforms import ScaledTranslation
    from PIL import Image

# The only module of this package that imports matplotlib, so that a missing installation is
# reported in one place.
__all__ = [
    'COLORS',
    'LEFT_COLOR',
    'LEGEND_LINE',
    'LINK_COLORMAP',
    'NEUTRAL_COLOR',
    'RIGHT_COLOR',
    'WEIGHT_COLORMAP',
    'Axes',
    'ConnectionPatch',
    'FancyArrowPatch',
    'Figure',
    'FigureCanvasAgg',
    'Image',
    'Line2D',
    'LineCollection',
    'MaxNLocator',
    'Normalize',
    'PathLike',
    'ScalarMappable',
    'add_colorbar',
    'add_legend_below',
    'finish_figure',
    'new_figure',
    'style_axes',
]

PathLike = str | os.PathLike

# Okabe and Ito's palette, which is distinguishable with any colour vision.
COLORS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9', '#000000')
LEFT_COLOR, RIGHT_COLOR, NEUTRAL_COLOR = '#0072B2', '#D55E00', '#4D4D4D'

# Matrices start at white; links start at a tint that is visible on white paper.
WEIGHT_COLORMAP = LinearSegmentedColormap.from_list('weights', ['#FFFFFF', '#9E6BBF', '#2D004B'])
LINK_COLORMAP = LinearSegmentedColormap.from_list('links', WEIGHT_COLORMAP(np.linspace(0.2, 1, 64)))

LEGEND_LINE = 0.2  # height in inches

_DPI = 200


def new_figure(width: float, height: float) -> Figure:
    """Creates a figure of a size in inches without registering it with pyplot."""
    # The 'constrained' layout cuts off labels next to axes of equal aspect.
    return Figure(figsize=(width, height), layout='compressed')


def finish_figure(figure: Figure, path: PathLike | None, title: str | None = None) -> Figure:
    """Adds the title, saves the figure if a path is given, and returns the figure."""
    if title:
        figure.suptitle(title, fontsize='large')
    if path is not None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=_DPI)
    return figure


def style_axes(ax: Axes) -> None:
    """Applies the common look of line plots: a light grid, no top and right spines."""
    ax.grid(color='0.9', linewidth=0.6)
    ax.set_axisbelow(True)
    ax.spines[['top', 'right']].set_visible(False)


def add_colorbar(
    figure: Figure,
    mappable: ScalarMappable,
    ax: np.ndarray | None = None,
    cax: Axes | None = None,
    label: str = 'weight',
) -> None:
    """Adds a colour bar next to the axes :obj:`ax`, or inside the axes :obj:`cax`."""
    bar = figure.colorbar(mappable, shrink=0.7, pad=0.02, aspect=30, ax=ax, cax=cax)
    bar.set_label(label)
    bar.outline.set_visible(False)


def add_legend_below(ax: Axes, distance: float) -> None:
    """Adds the legend below the axes, at a distance in inches."""
    offset = ScaledTranslation(0, -distance, ax.figure.dpi_scale_trans)
    ax.legend(
        frameon=False,
        fontsize='small',
        loc='upper center',
        bbox_to_anchor=(0.5, 0),
        bbox_transform=ax.transAxes + offset,
        borderaxespad=0,
    )
