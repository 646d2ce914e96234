"""The figure of a scaling benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.scaling.harness import fit_exponents

X_LABELS = {
    'frames': 'frames of a sequence',
    'joints': 'joints of a skeleton',
    'batch': 'sequences in a batch',
    'nodes': 'nodes of a graph',
    'pixels': 'nodes of the graph of a face',
}
Y_LABELS = {'time': 'time of a call, ms', 'memory': 'peak memory of a call, MB'}


def plot_scaling(results: list[dict[str, Any]], facts: dict[str, Any], path: Path) -> None:
    """Plots time and memory against size on logarithmic axes, with one column for each sweep."""
    from graphmotion.visualization._figure import COLORS, finish_figure, new_figure

    sweeps = list(dict.fromkeys(result['sweep'] for result in results))
    names = list(dict.fromkeys(result['operator'] for result in results))
    styles = {
        name: {'color': COLORS[i % len(COLORS)], 'marker': 'osD^vPX'[i % 7]}
        for i, name in enumerate(names)
    }
    exponents = {(e['sweep'], e['operator']): e for e in fit_exponents(results)}
    figure = new_figure(4.6 * len(sweeps), 7.6)
    grid = figure.subplots(2, len(sweeps), squeeze=False, sharex='col')
    for column, sweep in zip(grid.T, sweeps):
        swept = [r for r in results if r['sweep'] == sweep]
        for ax, cost in zip(column, Y_LABELS):
            for name in names:
                group = [r for r in swept if r['operator'] == name]
                if group:
                    label = f'{name}: $n^{{{exponents[sweep, name][cost]:.2f}}}$'
                    _draw_line(ax, group, cost, label, styles[name])
            _style_axes(ax, sorted({r['size'] for r in swept}))
        fixed = ', '.join(f'{k} {v}' for k, v in swept[0]['sizes'].items() if k != sweep)
        column[0].set_title(f'{sweep}\n', fontweight='bold')
        column[0].annotate(
            fixed, (0.5, 1.02), xycoords='axes fraction', ha='center', fontsize='small'
        )
        column[1].set_xlabel(f'{X_LABELS[sweep]}, n')
    for ax, label in zip(grid[:, 0], Y_LABELS.values()):
        ax.set_ylabel(label)
    passes = ', '.join(dict.fromkeys(result['pass'] for result in results))
    finish_figure(
        figure,
        path,
        f'{passes} on {facts["device"]}, threads {facts["threads"]}'
        + ('\n' if len(sweeps) == 1 else ', ')
        + 'float32; exponents of the larger half of the sizes',
    )


def _draw_line(
    ax: Any, group: list[dict[str, Any]], cost: str, label: str, style: dict[str, str]
) -> None:
    """Draws the costs of one operator; times have a band from the lower to the upper quartile."""
    x = [r['size'] for r in group]
    if cost == 'time':
        low, y, high = (
            [1e3 * r['seconds'][key] for r in group] for key in ('low', 'median', 'high')
        )
        ax.fill_between(x, low, high, color=style['color'], alpha=0.2, lw=0)
    else:
        y = [r['memory'] / 1e6 for r in group]
    ax.plot(x, y, label=label, ms=5, **style)


def _style_axes(ax: Any, sizes: list[int]) -> None:
    """Sets logarithmic scales, ticks at the sizes and the legend."""
    ax.set_xscale('log', base=2)
    ax.set_yscale('log')
    ax.set_xticks(sizes, [f'{n:,}' for n in sizes], minor=False)
    ax.grid(which='major', alpha=0.3)
    bottom, top = ax.get_ylim()
    ax.set_ylim(bottom, top * (top / bottom) ** 0.4)  # room for the legend
    ax.legend(loc='upper left', fontsize='small')
