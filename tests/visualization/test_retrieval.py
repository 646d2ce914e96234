import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex
from PIL import Image
from torch_geometric.data import Data

from graphmotion.metrics import (
    CASIA_B_LT,
    ODD_TO_EVEN_TAKES,
    OU_MVLP,
    Retrieval,
    gallery_probe,
    retrieve,
)
from graphmotion.visualization import plot_cmc, plot_rank_by_view, plot_retrieval

from .conftest import check_nothing_is_cut_off, walk

PROTOCOL = replace(CASIA_B_LT, train_subjects=0)
CASIA_B, OU = tuple(range(0, 181, 18)), (*range(0, 91, 15), *range(180, 271, 15))
GREEN, RED = '#009e73', '#d55e00'


def casia_b(noise=1.0, num_subjects=8):
    takes = torch.tensor([(0, t) for t in range(1, 7)] + [(c, t) for c in (1, 2) for t in (1, 2)])
    grid = torch.cartesian_prod(torch.arange(num_subjects), torch.arange(10), torch.tensor(CASIA_B))
    labels = {'subject': grid[:, 0], 'view': grid[:, 2]}
    labels |= {'condition': takes[grid[:, 1], 0], 'take': takes[grid[:, 1], 1]}
    generator = torch.Generator().manual_seed(0)
    people = torch.randn(num_subjects, 8, generator=generator)[grid[:, 0]]
    return people + noise * torch.randn(len(grid), 8, generator=generator), labels


def scores(noise=1.0):
    return gallery_probe(*casia_b(noise), PROTOCOL)


def curves(ax):
    return {line.get_label(): line for line in ax.lines}


# Curves #######################################################################


def test_one_run_has_its_sets_of_probes_in_one_panel():
    run = scores()
    figure = plot_rank_by_view(run, rank=5, title='a run')
    (ax,) = figure.axes
    for i, (label, line) in enumerate(curves(ax).items()):
        rates = 100 * run.view_accuracy(5)[i].numpy()
        assert label == f'{run.probe_sets[i]} ({rates.mean():.1f})'
        np.testing.assert_allclose(line.get_xdata(), CASIA_B)
        np.testing.assert_allclose(line.get_ydata(), rates)
    assert ax.get_ylabel() == 'rank-5 accuracy, %'
    assert [t.get_text() for t in ax.get_xticklabels()] == [f'{v}°' for v in CASIA_B]
    assert figure.get_suptitle() == 'a run'
    low, high = ax.get_ylim()
    assert 0 <= low < 100 * run.view_accuracy(5).min() < high == 100


@pytest.mark.parametrize('kind', ['line', 'polar'])
def test_several_runs_have_a_panel_for_each_set(kind):
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
    assert len(set(markers)) == 2  # not colour alone
    if kind == 'polar':
        ax = figure.axes[0]
        np.testing.assert_allclose(ax.lines[0].get_xdata(), np.deg2rad(CASIA_B))
        assert (ax.get_thetamin(), ax.get_thetamax()) == (0, 180)
        assert figure.get_suptitle() == 'rank-1 accuracy by view of the probe, %'


@pytest.mark.parametrize('kind', ['line', 'polar'])
def test_lines_do_not_cross_where_there_are_no_cameras(kind):
    grid = torch.cartesian_prod(torch.arange(6), torch.arange(2), torch.tensor(OU))
    labels = dict(zip(('subject', 'take', 'view'), grid.unbind(1)))
    embedding = torch.randn(len(grid), 8, generator=torch.Generator().manual_seed(0))
    run = gallery_probe(embedding, labels, replace(OU_MVLP, train_subjects=range(0)))
    ax = plot_rank_by_view(run, kind=kind).axes[0]
    found = ax.lines[0].get_ydata()
    assert np.flatnonzero(np.isnan(found)).tolist() == [7]  # between 90 and 180
    np.testing.assert_allclose(np.delete(found, 7), 100 * run.view_accuracy()[0])
    if kind == 'polar':
        assert ax.get_thetamax() == 360


def test_left_out_probes_may_be_wrong():
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


@pytest.mark.parametrize('kind', ['line', 'polar'])
def test_nothing_of_the_curves_is_cut_off(kind, tmp_path):
    runs = {f'a network with the number {i}': scores(i) for i in range(1, 4)}
    check_nothing_is_cut_off(plot_rank_by_view(runs, kind=kind, title='a title'))
    check_nothing_is_cut_off(plot_rank_by_view(scores(), kind=kind))
    check_nothing_is_cut_off(plot_cmc(runs, title='a title'))
    path = tmp_path / 'new' / 'curves.png'
    plot_rank_by_view(scores(), kind=kind, path=path)
    with Image.open(path) as image:
        assert len(set(image.convert('L').tobytes())) > 10


def test_bad_scores_are_refused():
    run = scores()
    with pytest.raises(ValueError, match="'line' or 'polar', got 'bar'"):
        plot_rank_by_view(run, kind='bar')
    with pytest.raises(ValueError, match=r'rank is one of \[1, 5, 10, 20\], got 3'):
        plot_rank_by_view(run, rank=3)
    with pytest.raises(ValueError, match='no scores'):
        plot_rank_by_view({})
    with pytest.raises(ValueError, match="'b' has the probe_views"):
        plot_rank_by_view({'a': run, 'b': replace(run, probe_views=(0,))})
    with pytest.raises(ValueError, match="'b' has the probe_sets"):
        plot_cmc({'a': run, 'b': replace(run, probe_sets=('x', 'y', 'z'))})
    with pytest.raises(ValueError, match='between 2 and 50, got 51'):
        plot_cmc(run, max_rank=51)
    embedding, labels = casia_b()
    with pytest.raises(ValueError, match='have no views'):
        plot_rank_by_view(gallery_probe(embedding, labels, ODD_TO_EVEN_TAKES))


# Strips #######################################################################

FOUND = Retrieval(
    probes=torch.tensor([0, 1]),
    nearest=torch.tensor([[2, 3, 4], [4, 2, -1]]),
    distance=torch.tensor([[0.125, 0.25, 0.5], [0.25, 0.5, math.nan]]),
    correct=torch.tensor([[True, False, True], [False, True, False]]),
)
NAMES = [f'sample {i}' for i in range(5)]


def image_of(i, shape=(64, 44)):
    """An image whose grey tells which sample it is."""
    out = torch.zeros(shape)
    out[..., 0, 0] = 1
    out[..., 1:, 1:] = (i + 1) / 10
    return out


def cells(figure):
    """Axes by row and column: the probe is in column 0, a gap in column 1."""
    found = {}
    for ax in figure.axes:
        spec = ax.get_subplotspec()
        found[spec.rowspan.start, spec.colspan.start] = ax
    return found


def signs(ax):
    return [text.get_text() for text in ax.texts]


def test_right_and_wrong_ones_are_told_apart_twice():
    figure = plot_retrieval([image_of(i) for i in range(5)], FOUND, captions=NAMES)
    found = cells(figure)
    assert set(found) == {(0, 0), (0, 2), (0, 3), (0, 4), (1, 0), (1, 2), (1, 3)}
    for (row, column), ax in found.items():
        spine = ax.spines['left']
        if column == 0:
            assert signs(ax) == []
            continue
        correct = bool(FOUND.correct[row, column - 2])
        assert signs(ax) == ['✓' if correct else '✗']
        assert to_hex(spine.get_edgecolor()) == (GREEN if correct else RED)
        assert (spine.get_linestyle() == '-') == correct


def test_each_cell_holds_its_sample_with_name_and_distance():
    images = torch.stack([image_of(i) for i in range(5)])
    for samples in (images, list(images), dict(enumerate(images)), (255 * images).byte()):
        found = cells(plot_retrieval(samples, FOUND, captions=NAMES))
        for row in range(2):
            positions = [int(FOUND.probes[row]), *FOUND.nearest[row].tolist()]
            for column, position in zip((0, 2, 3, 4), positions):
                if position < 0:
                    continue
                ax = found[row, column]
                shown = float(ax.images[0].get_array()[5, 5])
                assert shown == pytest.approx((position + 1) / 10, abs=0.003)
                lines = ax.get_xlabel().replace('\n', ' ')
                expected = f'sample {position}'
                if column:
                    expected += f' {FOUND.distance[row, column - 2].item():.3g}'
                assert lines == expected
    titles = [found[0, column].get_title() for column in (0, 2, 3, 4)]
    assert titles == ['probe', '1', '2', '3']


def test_clips_show_their_middle_or_several_frames():
    clips = torch.stack([image_of(t) for t in range(9)]).expand(5, 1, 9, 64, 44)
    for samples in (clips, clips[:, 0], [Data(silhouettes=clip) for clip in clips]):
        shown = cells(plot_retrieval(samples, FOUND))[0, 0].images[0].get_array()
        assert shown.shape == (64, 44)
        assert float(shown[5, 5]) == pytest.approx(0.5)  # frame 4
    shown = cells(plot_retrieval(clips, FOUND, num_poses=3))[0, 0].images[0].get_array()
    assert shown.shape == (64, 132)
    assert shown[5, [5, 49, 93]].tolist() == pytest.approx([0.2, 0.5, 0.8])  # frames 1, 4, 7


def test_images_in_colour_and_of_faces():
    colour = torch.rand(5, 8, 6, 3, generator=torch.Generator().manual_seed(0))
    shown = cells(plot_retrieval(colour, FOUND))[0, 2].images[0].get_array()
    np.testing.assert_allclose(shown, colour[2], atol=1e-6)
    faces = [Data(image=image_of(i).unsqueeze(0)) for i in range(5)]
    assert cells(plot_retrieval(faces, FOUND))[0, 0].images[0].get_array().shape == (64, 44)


@pytest.mark.parametrize('num_poses', [1, 3])
def test_poses_are_drawn_in_the_middle_of_their_cells(num_poses):
    away = [walk(seed=i) + torch.tensor([10.0 * i, 3.0 * i, 0.0]) for i in range(5)]
    figure = plot_retrieval(away, FOUND, 'emotion_gait16', num_poses=num_poses, view='front')
    limits = set()
    for ax in cells(figure).values():
        assert len(ax.collections) == 2 * num_poses  # bones and joints
        points = np.concatenate([c.get_offsets() for c in ax.collections[1::2]])
        (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
        limits.add((left, right, bottom, top))
        assert left < points[:, 0].min() < points[:, 0].max() < right
        assert bottom < points[:, 1].min() < points[:, 1].max() < top
        assert points[:, 1].min() + points[:, 1].max() == pytest.approx(bottom + top, abs=1e-6)
    assert len(limits) == 1  # one scale


def test_lost_joints_are_not_drawn():
    samples = [Data(pos=walk(seed=i), score=torch.ones(16, 9)) for i in range(5)]
    samples[0].score[3] = 0
    found = cells(plot_retrieval(samples, FOUND, 'emotion_gait16'))
    assert len(found[0, 0].collections[1].get_offsets()) == 15
    assert len(found[0, 2].collections[1].get_offsets()) == 16


def test_what_was_retrieved_can_be_drawn(tmp_path):
    embedding, labels = casia_b()
    found = retrieve(embedding, labels, PROTOCOL, k=4)
    path = tmp_path / 'new' / 'strips.png'
    images = image_of(0).expand(len(embedding), 64, 44)
    figure = plot_retrieval(images, found, num_rows=3, title='a title', path=path)
    assert len(figure.axes) == 3 * 5
    assert figure.get_suptitle() == 'a title'
    check_nothing_is_cut_off(figure)
    with Image.open(path) as image:
        assert len(set(image.convert('L').tobytes())) > 10


def test_nothing_of_the_strips_is_cut_off():
    names = [f'the walker with the number {i}' for i in range(5)]
    poses = [walk(seed=i) for i in range(5)]
    for num_poses in (1, 4):
        check_nothing_is_cut_off(
            plot_retrieval(poses, FOUND, 'emotion_gait16', names, num_poses=num_poses, title='t')
        )
    check_nothing_is_cut_off(plot_retrieval([image_of(i) for i in range(5)], FOUND, captions=names))


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'num_rows': 0}, 'a row and a pose to draw, got 2, 0 and 1'),
        ({'num_poses': 0}, 'a row and a pose to draw, got 2, 5 and 0'),
        ({'samples': [image_of(0)] * 3}, 'no sample at position 3'),
        ({'samples': {0: image_of(0)}}, 'no sample at position 1'),
        ({'captions': NAMES[:4]}, 'no caption at position 4'),
        ({'samples': torch.zeros(5, 7)}, r'sample at position 0 has the shape \[7\]'),
        ({'samples': torch.zeros(5, 2, 3, 4, 4)}, r'\[2, 3, 4, 4\], expected \[1, T, H, W\]'),
        ({'samples': [Data(x=torch.ones(1))] * 5}, r"none of the fields \['silhouettes', 'image'"),
        (
            {'samples': torch.zeros(5, 15, 9, 3), 'skeleton': 'emotion_gait16'},
            'sample at position 0: pos has 15 nodes',
        ),
        ({'samples': [Data()] * 5, 'skeleton': 'coco17'}, r"none of the fields \['pos'\]"),
    ],
)
def test_bad_samples_are_refused(options, message):
    options = {'samples': [image_of(i) for i in range(5)], 'retrieval': FOUND, **options}
    with pytest.raises(ValueError, match=message):
        plot_retrieval(**options)


def test_without_probes_there_is_nothing_to_draw():
    empty = replace(FOUND, probes=FOUND.probes[:0])
    with pytest.raises(ValueError, match='there has to be a probe'):
        plot_retrieval([], empty)
