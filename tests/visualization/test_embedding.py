import numpy as np
import pytest
import torch

from graphmotion.visualization import plot_embedding

from .conftest import check_nothing_is_cut_off

SUBJECTS = torch.tensor([4, 4, 9, 9, 9, 2])
KINDS = ['NM', 'CL', 'NM', 'NM', 'CL', 'NM']
POINTS = torch.arange(12.0).view(6, 2)


def drawn(ax):
    return {
        tuple(point): (tuple(dots.get_edgecolor()[0][:3]), dots.get_paths()[0].vertices.shape)
        for dots in ax.collections
        for point in np.asarray(dots.get_offsets())
    }


def test_colours_are_groups_and_signs_kinds(tmp_path):
    figure = plot_embedding(POINTS, SUBJECTS, KINDS, title='t-SNE', path=tmp_path / 'a.png')
    (ax,) = figure.axes
    found = [drawn(ax)[tuple(p)] for p in POINTS.tolist()]
    colors, signs = zip(*found)
    for i in range(6):
        for j in range(6):
            assert (colors[i] == colors[j]) == bool(SUBJECTS[i] == SUBJECTS[j])
            assert (signs[i] == signs[j]) == (KINDS[i] == KINDS[j])
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ['4', '9', '2', 'NM', 'CL']
    check_nothing_is_cut_off(figure)
    assert (tmp_path / 'a.png').stat().st_size > 0


def test_a_panel_for_each_run():
    figure = plot_embedding({'CE': POINTS, 'triplet': POINTS.numpy() + 1}, SUBJECTS)
    assert [ax.get_title() for ax in figure.axes] == ['CE', 'triplet']
    assert set(drawn(figure.axes[1])) == {tuple(p) for p in (POINTS + 1).tolist()}
    check_nothing_is_cut_off(figure)


def test_many_groups_have_no_legend():
    figure = plot_embedding(torch.rand(40, 2), torch.arange(40))
    assert figure.legends == []
    assert len(drawn(figure.axes[0])) == 40


@pytest.mark.parametrize(
    ('points', 'groups', 'kinds', 'message'),
    [
        ({}, SUBJECTS, None, 'no points'),
        (torch.zeros(6, 3), SUBJECTS, None, r'\[6, 3\], expected \[N, 2\]'),
        ({'a': POINTS / 0}, SUBJECTS, None, "points of 'a' has 12 values that are not finite"),
        ({'a': POINTS}, SUBJECTS[1:], None, "6 points of 'a' and 5 groups"),
        (POINTS, SUBJECTS, KINDS[1:], '6 points and 5 kinds'),
        (torch.zeros(9, 2), [0] * 9, range(9), 'signs for 8 kinds, got 9'),
    ],
)
def test_bad_input_is_refused(points, groups, kinds, message):
    with pytest.raises(ValueError, match=message):
        plot_embedding(points, groups, kinds)
