import numpy as np
import pytest
import torch
from PIL import Image

from graphmotion.metrics import ClassificationScores
from graphmotion.visualization import plot_class_comparison

from .conftest import check_nothing_is_clipped

NAMES = ['carry', 'donning', 'throw', 'walk']
FIRST, SECOND = [0.5, 0.9, 0.25, 1.0], [0.6, 0.7, 0.75, 1.0]


def rows(ax):
    return [text.get_text() for text in ax.get_yticklabels()]


def test_bars_are_sorted_by_difference():
    figure = plot_class_comparison({'A': FIRST, 'B': SECOND}, NAMES, title='two runs')
    (ax,) = figure.axes
    assert rows(ax) == ['throw', 'carry', 'walk', 'donning']
    assert ax.yaxis_inverted()  # the largest gain is on top
    bars = {c.get_label(): [bar.get_width() for bar in c] for c in ax.containers}
    assert bars['A'] == pytest.approx([25, 50, 100, 90])
    assert bars['B'] == pytest.approx([75, 60, 100, 70])
    for position, (a, b) in enumerate(zip(*ax.containers)):
        # The bars of a class do not overlap, and the first run is on top.
        assert a.get_y() + a.get_height() <= b.get_y() + 1e-9
        middle = (a.get_y() + b.get_y() + b.get_height()) / 2
        assert middle == pytest.approx(position, abs=1e-6)
    texts = [text.get_text() for text in ax.texts]
    assert texts == ['25.0', '50.0', '100.0', '90.0', '75.0', '60.0', '100.0', '70.0']
    (side,) = ax.child_axes
    assert [t.get_text() for t in side.get_yticklabels()] == ['+50.0', '+10.0', '+0.0', '-20.0']
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ['A', 'B']
    assert figure.get_suptitle() == 'two runs'
    check_nothing_is_clipped(figure)


def test_worst_classes_of_the_first_run():
    ax = plot_class_comparison({'A': FIRST, 'B': SECOND}, NAMES, num_worst=2).axes[0]
    assert rows(ax) == ['throw', 'carry']
    ax = plot_class_comparison({'A': SECOND, 'B': FIRST}, NAMES, num_worst=2).axes[0]
    assert rows(ax) == ['donning', 'carry']
    ax = plot_class_comparison({'A': FIRST, 'B': SECOND}, NAMES, num_worst=9).axes[0]
    assert len(rows(ax)) == 4


def test_recall_and_names_from_scores():
    scores = ClassificationScores([[3, 1], [1, 1]], ['a', 'b'])
    ax = plot_class_comparison({'A': scores, 'B': torch.tensor([0.5, 1.0])}).axes[0]
    assert rows(ax) == ['b', 'a']
    assert [bar.get_width() for bar in ax.containers[0]] == [50, 75]
    ax = plot_class_comparison({'A': scores, 'B': np.array([0.5, 1.0])}, ['c', 'd']).axes[0]
    assert rows(ax) == ['d', 'c']
    assert rows(plot_class_comparison({'A': [0.0, 0.5], 'B': [0.5, 0.5]}).axes[0]) == ['0', '1']


def test_three_runs_compare_the_last_with_the_first():
    runs = {'A': FIRST, 'B': [1.0, 0.0, 0.0, 0.0], 'C': SECOND}
    ax = plot_class_comparison(runs, NAMES).axes[0]
    assert rows(ax) == ['throw', 'carry', 'walk', 'donning']
    assert len(ax.containers) == 3
    assert len({c.patches[0].get_facecolor() for c in ax.containers}) == 3


@pytest.mark.parametrize(('num_classes', 'num_runs'), [(1, 2), (10, 3), (60, 2)])
def test_nothing_is_clipped_and_legend_does_not_overlap_the_title(num_classes, num_runs):
    random = np.random.default_rng(0)
    runs = {f'a run with the number {i}': random.random(num_classes) for i in range(num_runs)}
    names = [f'the class with number {i}' for i in range(num_classes)]
    figure = plot_class_comparison(runs, names, title='a title')
    check_nothing_is_clipped(figure)
    legend = figure.axes[0].get_legend().get_window_extent()
    assert legend.y1 <= figure._suptitle.get_window_extent().y0 + 1
    assert legend.y0 >= figure.axes[0].get_window_extent().y1 - 1


def test_file_is_written(tmp_path):
    path = tmp_path / 'new' / 'classes.png'
    plot_class_comparison({'A': FIRST, 'B': SECOND}, path=path)
    with Image.open(path) as image:
        image.load()
        assert min(image.size) > 100


@pytest.mark.parametrize(
    ('recall', 'options', 'message'),
    [
        ({'A': FIRST}, {}, r"recall must have at least two runs, got \['A'\]"),
        ({'A': FIRST, 'B': [50.0, 1, 1, 1]}, {}, r"recall\['B'\] must be in \[0, 1\], got"),
        ({'A': FIRST, 'B': [-0.5, 1, 1, 1]}, {}, r"recall\['B'\] must be in \[0, 1\], got"),
        (
            {'A': FIRST, 'B': [np.nan, 1, 1, 1]},
            {},
            r"recall\['B'\] must be finite, got 1 non-finite",
        ),
        ({'A': FIRST, 'B': [1, 1]}, {}, "same classes in all runs, got {'A': 4, 'B': 2}"),
        (
            {'A': FIRST, 'B': [[1, 1], [1, 1]]},
            {},
            r"recall\['B'\] must be 1D, got shape \[2, 2\]",
        ),
        (
            {'A': FIRST, 'B': SECOND},
            {'class_names': ['a']},
            'class_names must have length 4, got 1',
        ),
        ({'A': FIRST, 'B': SECOND}, {'num_worst': 0}, 'num_worst must be an integer >= 1, got 0'),
    ],
)
def test_invalid_input(recall, options, message):
    with pytest.raises(ValueError, match=message):
        plot_class_comparison(recall, **options)
