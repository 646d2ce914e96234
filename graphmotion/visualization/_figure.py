"""What all figures share: matplotlib without its global state, colours, reading and saving."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from graphmotion.extras import requires_extra

with requires_extra('vis'):
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.cm import ScalarMappable
    from matplotlib.collections import LineCollection
    from matplotlib.colors import LinearSegmentedColormap, Normalize
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D as LegendHandle
    from matplotlib.patches import ConnectionPatch, FancyArrowPatch
    from matplotlib.ticker import MaxNLocator
    from matplotlib.transforms import ScaledTranslation
    from PIL import Image

# The only module here that imports matplotlib, so that what is missing is said in one place.
__all__ = [
    'COLORS',
    'LEFT',
    'NEUTRAL',
    'RIGHT',
    'Axes',
    'ConnectionPatch',
    'FancyArrowPatch',
    'Figure',
    'FigureCanvasAgg',
    'Image',
    'LegendHandle',
    'LineCollection',
    'LinearSegmentedColormap',
    'MaxNLocator',
    'Normalize',
    'PathLike',
    'ScalarMappable',
    'ScaledTranslation',
    'finish',
    'new_figure',
    'to_array',
]

PathLike = str | os.PathLike

# Okabe and Ito's colours, which people with any colour vision can tell apart.
COLORS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9', '#000000')
LEFT, RIGHT, NEUTRAL = '#0072B2', '#D55E00', '#4D4D4D'
DPI = 200


def new_figure(width: float, height: float) -> Figure:
    """A figure of this many inches that keeps its labels inside, apart from pyplot."""
    # Not 'constrained', which cuts labels off beside axes of equal aspect.
    return Figure(figsize=(width, height), layout='compressed')


def finish(figure: Figure, path: PathLike | None, title: str | None = None) -> Figure:
    """Put the title above, write the file, if any, making its folder, and return the figure."""
    if title:
        figure.suptitle(title, fontsize='large')
    if path is not None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=DPI)
    return figure


def to_array(values: Any, what: str, dims: Sequence[int], finite: bool = False) -> np.ndarray:
    """Numbers from a tensor or an array, in double precision, with one of these ranks."""
    if isinstance(values, Tensor):
        values = values.detach().cpu().double().numpy()
    try:
        out = np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise TypeError(f'{what} is a tensor or array of numbers, got {values!r:.80}') from None
    if out.ndim not in dims:
        wanted = ' or '.join(str(d) for d in dims)
        raise ValueError(f'{what} has the shape {list(out.shape)}, expected {wanted} dimensions')
    if out.size == 0:
        raise ValueError(f'{what} is empty, its shape is {list(out.shape)}')
    if finite and not np.isfinite(out).all():
        raise ValueError(f'{what} has {np.sum(~np.isfinite(out))} values that are not finite')
    return out
