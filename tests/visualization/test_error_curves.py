from itertools import pairwise

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.stats import norm

from graphmotion.metrics import OpenSetScores, VerificationScores
from graphmotion.visualization import plot_det, plot_open_set

from .conftest import check_nothing_is_clipped


def pairs(separation=2.0, count=400):
    quantiles = torch.from_numpy(norm.ppf((np.arange(count) + 0.5) / count))
    return VerificationScores(quantiles, quantiles + separation)


def searches(noise=0.5, count=300):
    distance = torch.rand(count, 5, generator=torch.Generator().manual_seed(0))
    person = torch.arange(count) % 7
    person[person > 4] = -1
    distance[torch.arange(count), person.clamp(min=0)] *= noise
    return OpenSetScores.from_distances(distance, person)


def curves(ax):
    return {line.get_label(): line for line in ax.lines if line.get_label()[0] != '_'}


def test_det_of_normal_distances_is_a_straight_line():
    (ax,) = plot_det(pairs()).axes
    ((label, line),) = curves(ax).items()
    assert float(label[4:-1]) == pytest.approx(100 * norm.cdf(-1), abs=0.2)
    x, y = line.get_xdata(), line.get_ydata()
    seen = (np.abs(x) < 2) & (np.abs(y) < 2)
    assert seen.sum() > 100
    np.testing.assert_allclose(x[seen] + y[seen], -2, atol=0.1)  # at the deviates of the rates


def test_det_axes_are_labelled_by_rates():
    runs = {'first': pairs(1.0), 'second': pairs(3.0)}
    figure = plot_det(runs, title='a title')
    (ax,) = figure.axes
    for axis, limits in ((ax.xaxis, ax.get_xlim()), (ax.yaxis, ax.get_ylim())):
        shown = [float(text.get_text()) / 100 for text in axis.get_ticklabels()]
        np.testing.assert_allclose(norm.ppf(shown), axis.get_ticklocs())
        assert shown[0] == pytest.approx(norm.cdf(limits[0])) == pytest.approx(0.002)
        assert shown[-1] == 0.4
    dots = [line.get_xydata()[0] for line in ax.lines if line.get_marker() == 'o']
    for dot, run in zip(dots, runs.values()):
        np.testing.assert_allclose(norm.cdf(dot), run.equal_error_rate)
    assert [label.split(' ')[0] for label in curves(ax)] == ['first', 'second']
    styles = [(line.get_color(), line.get_linestyle()) for line in curves(ax).values()]
    assert all(a[0] != b[0] and a[1] != b[1] for a, b in pairwise(styles))
    assert figure.get_suptitle() == 'a title'
    wide = plot_det(pairs(-1.0)).axes[0]  # worse than chance
    assert norm.cdf(wide.get_xlim()[1]) == pytest.approx(0.99)


def test_det_of_perfect_separation():
    figure = plot_det(VerificationScores(torch.zeros(9), torch.ones(9)))
    (label,) = curves(figure.axes[0])
    assert label == 'EER 0.0%'
    check_nothing_is_clipped(figure)


@pytest.mark.parametrize('rank', [1, 2])
def test_open_set_curve(rank):
    runs = {'first': searches(0.5), 'second': searches(0.9)}
    (ax,) = plot_open_set(runs, rank, false_alarm_rate=0.05).axes
    for (name, run), (label, line) in zip(runs.items(), curves(ax).items()):
        rate = 100 * run.detection_rate_at(0.05, rank)
        assert label == f'{name} (DIR at 5%: {rate:.1f}%)'
        alarm, detected, _ = run.curve(rank)
        seen = alarm > 0
        np.testing.assert_allclose(line.get_xdata()[seen], alarm[seen])
        np.testing.assert_allclose(line.get_ydata(), 100 * detected)
    dots = [line.get_xydata()[0].tolist() for line in ax.lines if line.get_marker() == 'o']
    expected = [[0.05, 100 * run.detection_rate_at(0.05, rank)] for run in runs.values()]
    np.testing.assert_allclose(dots, expected)
    assert ax.get_xscale() == 'log'
    assert ax.get_xlim() == (0.01, 1)  # of 85 probes
    assert [text.get_text() for text in ax.get_xticklabels()] == ['1', '10', '100']
    assert f'rank-{rank}' in ax.get_ylabel()


def test_nothing_is_clipped(tmp_path):
    for number, plot in enumerate((plot_det, plot_open_set)):
        run = (pairs, searches)[number]()
        check_nothing_is_clipped(plot({f'a network {i}': run for i in range(3)}, title='a title'))
        path = tmp_path / 'new' / f'{number}.png'
        plot(run, path=path)
        with Image.open(path) as image:
            assert len(set(image.convert('L').tobytes())) > 10


def test_bad_input_raises():
    for plot in (plot_det, plot_open_set):
        with pytest.raises(ValueError, match='scores must not be empty'):
            plot({})
    with pytest.raises(ValueError, match='rank must be an integer >= 1, got 0'):
        plot_open_set(searches(), rank=0)
    with pytest.raises(ValueError, match=r'false_alarm_rate must be in \[0, 1\], got 2'):
        plot_open_set(searches(), false_alarm_rate=2)
