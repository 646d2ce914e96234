"""Distances of genuine and impostor pairs."""

from __future__ import annotations

import numpy as np

from graphmotion.checks import check_int
from graphmotion.metrics import VerificationScores
from graphmotion.visualization._figure import (
    COLORS,
    LEGEND_LINE,
    NEUTRAL_COLOR,
    Figure,
    PathLike,
    add_legend_below,
    finish_figure,
    new_figure,
    style_axes,
)


def plot_scores(
    scores: VerificationScores,
    threshold: float | None = None,
    bins: int = 60,
    title: str | None = None,
    path: PathLike | None = None,
) -> Figure:
    r"""Plots histograms of the distances of genuine and impostor pairs, and a threshold.

    Each histogram shows the percentage of its pairs. The legend shows the error rates at the
    threshold. Very large distances are outside the axes: the range ends at most twice as far from
    the smallest distance as the median impostor, nearly all genuine pairs and the threshold.

    .. code-block:: python

        dataset = SyntheticGait.casia_b(num_subjects=5, num_frames=8, views=[0, 90])
        embedding = torch.randn(len(dataset), 8) + torch.eye(8)[dataset.labels('subject')]
        plot_scores(verification_scores(embedding, dataset))

    Args:
        scores (VerificationScores): The scores.
        threshold (float, optional): The threshold, by default that of the equal error rate.
            (default: :obj:`None`)
        bins (int, optional): The number of bins. (default: :obj:`60`)
        title (str, optional): The title of the figure. (default: :obj:`None`)
        path (str, optional): The file to save the figure to; its suffix sets the format.
            (default: :obj:`None`)

    Raises:
        ValueError: If the number of bins is below 1.
    """
    if threshold is None:
        threshold = scores.equal_error_threshold
    groups = {'genuine': scores.genuine.numpy(), 'impostor': scores.impostor.numpy()}
    low, high = (pick(pick(d) for d in groups.values()) for pick in (min, max))
    # Most impostors may be much farther apart than all genuine pairs.
    typical = max(np.quantile(scores.genuine, 0.99), np.median(scores.impostor), threshold)
    high = min(high, low + 2 * (typical - low))
    edges = np.linspace(low, high if high > low else low + 1, check_int('bins', bins, 1) + 1)
    figure = new_figure(4.8, 2.8 + 3 * LEGEND_LINE)
    ax = figure.add_subplot()
    for (kind, distance), color in zip(groups.items(), COLORS):
        percent = 100 * np.histogram(distance, edges)[0] / len(distance)
        label = f'{kind} ({len(distance):,} pairs)'
        ax.stairs(percent, edges, fill=True, alpha=0.3, color=color)
        ax.stairs(percent, edges, color=color, linewidth=1.2, label=label)
    accept = 100 * float(scores.false_accept_rate(threshold))
    reject = 100 * float(scores.false_reject_rate(threshold))
    label = f'threshold {threshold:.3g} (FAR {accept:.1f}%, FRR {reject:.1f}%)'
    ax.axvline(threshold, color=NEUTRAL_COLOR, linewidth=1.2, linestyle='--', label=label)
    ax.set_ylim(bottom=0)
    ax.set_xlabel('distance')
    ax.set_ylabel('pairs (%)')
    style_axes(ax)
    add_legend_below(ax, 0.5)
    return finish_figure(figure, path, title)
