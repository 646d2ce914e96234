"""The figure of a scaling benchmark."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from benchmarks.scaling.harness import fit_exponents

NUM_COLUMNS = 6


def plot_scaling(results: list[dict[str, Any]], facts: dict[str, Any], path: Path) -> None:
    """Plots relative time against relative size on logarithmic axes, a panel for each operator.

    Grey lines have the slopes 1 and 2.
    """
    from graphmotion.visualization._figure import COLORS, finish_figure, new_figure

    sweeps = list(dict.fromkeys(result['sweep'] for result in results))
    names = sorted({result['operator'] for result in results})
    exponents = {(e['sweep'], e['operator']): e['time'] for e in fit_exponents(results)}
    num_rows = math.ceil(len(names) / NUM_COLUMNS)
    num_columns = min(len(names), NUM_COLUMNS)
    figure = new_figure(max(2.6 * num_columns, 5), 2.6 * num_rows + 0.8)
    axes = figure.subplots(num_rows, num_columns, squeeze=False).flatten()
    for ax, name in zip(axes, names):
        for color, marker, sweep in zip(COLORS, 'osD^v', sweeps):
            group = [r for r in results if (r['sweep'], r['operator']) == (sweep, name)]
            if group:
                label = f'{sweep}: $n^{{{exponents[sweep, name]:.2f}}}$'
                _draw_line(ax, group, color=color, marker=marker, label=label)
        _style_axes(ax, name)
    for ax in axes[len(names) :]:
        ax.remove()
    figure.supxlabel('size / smallest size')
    figure.supylabel('time / time at the smallest size')
    passes = ', '.join(dict.fromkeys(result['pass'] for result in results))
    title = f'{passes} on {facts["device"]}, threads {facts["threads"]}, float32'
    finish_figure(figure, path, title)


def _draw_line(ax: Any, group: list[dict[str, Any]], **style: Any) -> None:
    """Draws the median times of a sweep with a band from the lower to the upper quartile."""
    first = group[0]
    x = [r['size'] / first['size'] for r in group]
    low, y, high = (
        [r['seconds'][key] / first['seconds']['median'] for r in group]
        for key in ('low', 'median', 'high')
    )
    ax.fill_between(x, low, high, color=style['color'], alpha=0.2, lw=0)
    ax.plot(x, y, ms=3, lw=1, **style)


def _style_axes(ax: Any, name: str) -> None:
    """Sets logarithmic scales, lines of slopes 1 and 2, the title and the legend."""
    right = max(line.get_xdata()[-1] for line in ax.get_lines())
    for power in (1, 2):
        ax.plot([1, right], [1, right**power], color='0.8', lw=0.8, zorder=0)
    ax.set_xscale('log', base=2)
    ax.set_yscale('log', base=2)
    operator, _, variant = name.partition(', ')
    ax.set_title(f'{operator}\n{variant}', fontsize='x-small')
    ax.tick_params(labelsize='x-small')
    ax.legend(loc='upper left', fontsize='xx-small', frameon=False)
