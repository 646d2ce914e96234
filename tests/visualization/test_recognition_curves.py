from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from graphmotion.metrics import ODD_TO_EVEN_TAKES, OU_MVLP, gallery_probe
from graphmotion.visualization import plot_cmc, plot_rank_by_view

from .conftest import CASIA_B_VIEWS, PROTOCOL, casia_b, check_nothing_is_clipped

OU_MVLP_VIEWS = (*range(0, 91, 15), *range(180, 271, 15))


def scores(noise=1.0):
    return gallery_probe(*casia_b(noise), PROTOCOL)


def curves(ax):
    return {line.get_label(): line for line in ax.lines}


def test_probe_sets_of_one_run_share_a_panel():
    run = scores()
    figure = plot_rank_by_view(run, rank=5, title='a run')
    (ax,) = figure.axes
    for i, (label, line) in enumerate(curves(ax).items()):
        rates = 100 * run.view_accuracy(5)[i].numpy()
        assert label == f'{run.probe_sets[i]} ({rates.mean():.1f})'
        np.testing.assert_allclose(line.get_xdata(), CASIA_B_VIEWS)
        np.testing.assert_allclose(line.get_ydata(), rates)
    assert ax.get_ylabel() == 'rank-5 accuracy (%)'
    assert [t.get_text() for t in ax.get_xticklabels()] == [f'{v}°' for v in CASIA_B_VIEWS]
    assert figure.get_suptitle() == 'a run'
    low, high = ax.get_ylim()
    assert 0 <= low < 100 * run.view_accuracy(5).min() < high == 100


@pytest.mark.parametrize('kind', ['line', 'polar'])
def test_several_runs_have_a_panel_per_probe_set(kind):
    runs = {'first': scores(0.5), 'second': scores(2.0)}
    figure = plot_rank_by_view(runs, kind=kind)
    assert [ax.get_title() for ax in figure.axes] == ['NM', 'BG', 'CL']
    assert len({ax.get_ylim() for ax in figure.axes}) == 1
    for i, ax in enumerate(figure.axes):
        for run, (label, line) in zip(runs.items(), curves(ax).items()):
            assert label.startswith(run[0])
            rates = 100 * run[1].view_accuracy()[i].numpy()
            np.testing.assert_allclose(line.get_ydata(), rates)
    markers = [line.get_marker() for line in figure.axes[0].lines]
    assert len(set(markers)) == 2  # distinguishable without colour
    if kind == 'polar':
        ax = figure.axes[0]
        np.testing.assert_allclose(ax.lines[0].get_xdata(), np.deg2rad(CASIA_B_VIEWS))
        assert (ax.get_thetamin(), ax.get_thetamax()) == (0, 180)
        assert figure.get_suptitle() == 'rank-1 accuracy by probe view (%)'


@pytest.mark.parametrize('kind', ['line', 'polar'])
def test_lines_break_at_gaps_between_views(kind):
    grid = torch.cartesian_prod(torch.arange(6), torch.arange(2), torch.tensor(OU_MVLP_VIEWS))
    labels = dict(zip(('subject', 'take', 'view'), grid.unbind(1)))
    embedding = torch.randn(len(grid), 8, generator=torch.Generator().manual_seed(0))
    run = gallery_probe(embedding, labels, replace(OU_MVLP, train_subjects=range(0)))
    ax = plot_rank_by_view(run, kind=kind).axes[0]
    found = ax.lines[0].get_ydata()
    assert np.flatnonzero(np.isnan(found)).tolist() == [7]  # between 90 and 180
    np.testing.assert_allclose(np.delete(found, 7), 100 * run.view_accuracy()[0])
    if kind == 'polar':
        assert ax.get_thetamax() == 360


def test_left_out_probes_count_as_wrong():
    run = scores()
    run = replace(run, left_out=run.scored)
    (ax,) = plot_rank_by_view(run, left_out_are_wrong=True).axes
    np.testing.assert_allclose(ax.lines[0].get_ydata(), 50 * run.view_accuracy()[0])


def test_cmc_curves():
    runs = {'first': scores(0.5), 'second': scores(2.0)}
    figure = plot_cmc(runs, max_rank=12)
    assert [ax.get_title() for ax in figure.axes] == ['NM', 'BG', 'CL']
    for i, ax in enumerate(figure.axes):
        for run, (label, line) in zip(runs.items(), curves(ax).items()):
            precision = 100 * run[1].mean_average_precision[i]
            assert label == f'{run[0]} (mAP {precision:.1f})'
            assert line.get_xdata().tolist() == list(range(1, 13))
            np.testing.assert_allclose(line.get_ydata(), 100 * run[1].cmc[i, :12])
    (ax,) = plot_cmc(runs['first']).axes
    assert [label[:2] for label in curves(ax)] == ['NM', 'BG', 'CL']


def test_many_cmc_panels_are_in_several_rows(tmp_path):
    names = 'ABCDEFG'
    probes = dict(zip(names, 3 * list(PROTOCOL.probes.values())))
    run = gallery_probe(*casia_b(1.0), replace(PROTOCOL, probes=probes))
    figure = plot_cmc({'first': run, 'second': run}, path=tmp_path / 'cmc.png')
    assert [ax.get_title() for ax in figure.axes] == list(names)
    places = [ax.get_position() for ax in figure.axes]
    assert len({round(place.y0, 3) for place in places}) == 2
    assert len({round(place.x0, 3) for place in places}) == 4
    labelled = [ax.get_title() for ax in figure.axes if ax.get_ylabel()]
    assert labelled == ['A', 'E']
    with Image.open(tmp_path / 'cmc.png') as image:
        assert image.width < 3500


@pytest.mark.parametrize('kind', ['line', 'polar'])
def test_nothing_is_clipped(kind, tmp_path):
    runs = {f'a network with the number {i}': scores(i) for i in range(1, 4)}
    check_nothing_is_clipped(plot_rank_by_view(runs, kind=kind, title='a title'))
    check_nothing_is_clipped(plot_rank_by_view(scores(), kind=kind))
    check_nothing_is_clipped(plot_cmc(runs, title='a title'))
    path = tmp_path / 'new' / 'curves.png'
    plot_rank_by_view(scores(), kind=kind, path=path)
    with Image.open(path) as image:
        assert len(set(image.convert('L').tobytes())) > 10


def test_invalid_scores():
    run = scores()
    with pytest.raises(ValueError, match="kind must be 'line' or 'polar', got 'bar'"):
        plot_rank_by_view(run, kind='bar')
    with pytest.raises(ValueError, match=r'rank must be one of \[1, 5, 10, 20\], got 3'):
        plot_rank_by_view(run, rank=3)
    with pytest.raises(ValueError, match='scores must not be empty'):
        plot_rank_by_view({})
    with pytest.raises(ValueError, match=r"scores\['b'\] must have the probe_views"):
        plot_rank_by_view({'a': run, 'b': replace(run, probe_views=(0,))})
    with pytest.raises(ValueError, match=r"scores\['b'\] must have the probe_sets"):
        plot_cmc({'a': run, 'b': replace(run, probe_sets=('x', 'y', 'z'))})
    with pytest.raises(ValueError, match=r'max_rank must be in \[2, 50\], got 51'):
        plot_cmc(run, max_rank=51)
    embedding, labels = casia_b()
    with pytest.raises(ValueError, match='must have probe views'):
        plot_rank_by_view(gallery_probe(embedding, labels, ODD_TO_EVEN_TAKES))
