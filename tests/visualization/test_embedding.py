import numpy as np
import pytest
import torch

from graphmotion.visualization import plot_embedding

from .conftest import check_nothing_is_clipped

SUBJECTS = torch.tensor([4, 4, 9, 9, 9, 2])
KINDS = ['NM', 'CL', 'NM', 'NM', 'CL', 'NM']
POINTS = torch.arange(12.0).view(6, 2)


def drawn(ax):
    return {
        tuple(point): (tuple(dots.get_edgecolor()[0][:3]), dots.get_paths()[0].vertices.shape)
        for dots in ax.collections
        for point in np.asarray(dots.get_offsets())
    }


def test_colours_and_markers(tmp_path):
    figure = plot_embedding(POINTS, SUBJECTS, KINDS, title='t-SNE', path=tmp_path / 'a.png')
    (ax,) = figure.axes
    found = [drawn(ax)[tuple(p)] for p in POINTS.tolist()]
    colors, markers = zip(*found)
    for i in range(6):
        for j in range(6):
            assert (colors[i] == colors[j]) == bool(SUBJECTS[i] == SUBJECTS[j])
            assert (markers[i] == markers[j]) == (KINDS[i] == KINDS[j])
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ['4', '9', '2', 'NM', 'CL']
    check_nothing_is_clipped(figure)
    assert (tmp_path / 'a.png').stat().st_size > 0


def test_a_panel_for_each_run():
    figure = plot_embedding({'CE': POINTS, 'triplet': POINTS.numpy() + 1}, SUBJECTS)
    assert [ax.get_title() for ax in figure.axes] == ['CE', 'triplet']
    assert set(drawn(figure.axes[1])) == {tuple(p) for p in (POINTS + 1).tolist()}
    check_nothing_is_clipped(figure)


def test_many_colours_have_no_legend():
    figure = plot_embedding(torch.rand(40, 2), torch.arange(40))
    assert figure.legends == []
    assert len(drawn(figure.axes[0])) == 40


@pytest.mark.parametrize(
    ('points', 'color_by', 'marker_by', 'message'),
    [
        ({}, SUBJECTS, None, 'points must not be empty'),
        (torch.zeros(6, 3), SUBJECTS, None, r'points must have shape \[N, 2\], got \[6, 3\]'),
        ({'a': POINTS / 0}, SUBJECTS, None, r"points\['a'\] must be finite, got 12 non-finite"),
        (
            {'a': POINTS},
            SUBJECTS[1:],
            None,
            r"color_by must have one label for each of the 6 points\['a'\], got 5",
        ),
        (
            POINTS,
            SUBJECTS,
            KINDS[1:],
            'marker_by must have one label for each of the 6 points, got 5',
        ),
        (
            torch.zeros(9, 2),
            [0] * 9,
            range(9),
            'marker_by must have at most 8 distinct labels, got 9',
        ),
    ],
)
def test_invalid_input(points, color_by, marker_by, message):
    with pytest.raises(ValueError, match=message):
        plot_embedding(points, color_by, marker_by)
