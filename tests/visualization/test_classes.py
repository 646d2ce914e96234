import numpy as np
import pytest
import torch
from PIL import Image

from graphmotion.metrics import ClassificationScores
from graphmotion.visualization import plot_class_comparison

from .conftest import check_nothing_is_cut_off

NAMES = ['carry', 'donning', 'throw', 'walk']
FIRST, SECOND = [0.5, 0.9, 0.25, 1.0], [0.6, 0.7, 0.75, 1.0]


def rows(ax):
    return [text.get_text() for text in ax.get_yticklabels()]


def test_bars_are_the_recalls_sorted_by_difference():
    figure = plot_class_comparison({'A': FIRST, 'B': SECOND}, NAMES, title='two runs')
    (ax,) = figure.axes
    assert rows(ax) == ['throw', 'carry', 'walk', 'donning']
    assert ax.yaxis_inverted()  # the largest gain is on top
    bars = {c.get_label(): [bar.get_width() for bar in c] for c in ax.containers}
    assert bars['A'] == pytest.approx([25, 50, 100, 90])
    assert bars['B'] == pytest.approx([75, 60, 100, 70])
    for position, (a, b) in enumerate(zip(*ax.containers)):
        # The first run is above the second, both at their class, and they do not overlap.
        assert a.get_y() + a.get_height() <= b.get_y() + 1e-9
        middle = (a.get_y() + b.get_y() + b.get_height()) / 2
        assert middle == pytest.approx(position, abs=1e-6)
    texts = [text.get_text() for text in ax.texts]
    assert texts == ['25.0', '50.0', '100.0', '90.0', '75.0', '60.0', '100.0', '70.0']
    (side,) = ax.child_axes
    assert [t.get_text() for t in side.get_yticklabels()] == ['+50.0', '+10.0', '+0.0', '-20.0']
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ['A', 'B']
    assert figure.get_suptitle() == 'two runs'
    check_nothing_is_cut_off(figure)


def test_worst_are_those_of_the_first_run():
    ax = plot_class_comparison({'A': FIRST, 'B': SECOND}, NAMES, worst=2).axes[0]
    assert rows(ax) == ['throw', 'carry']
    ax = plot_class_comparison({'A': SECOND, 'B': FIRST}, NAMES, worst=2).axes[0]
    assert rows(ax) == ['donning', 'carry']
    ax = plot_class_comparison({'A': FIRST, 'B': SECOND}, NAMES, worst=9).axes[0]
    assert len(rows(ax)) == 4


def test_scores_bring_recalls_and_names():
    scores = ClassificationScores([[3, 1], [1, 1]], ['a', 'b'])
    ax = plot_class_comparison({'A': scores, 'B': torch.tensor([0.5, 1.0])}).axes[0]
    assert rows(ax) == ['b', 'a']
    assert [bar.get_width() for bar in ax.containers[0]] == [50, 75]
    ax = plot_class_comparison({'A': scores, 'B': np.array([0.5, 1.0])}, ['c', 'd']).axes[0]
    assert rows(ax) == ['d', 'c']
    assert rows(plot_class_comparison({'A': [0.0, 0.5], 'B': [0.5, 0.5]}).axes[0]) == ['0', '1']


def test_three_runs_compare_the_last_to_the_first():
    runs = {'A': FIRST, 'B': [1.0, 0.0, 0.0, 0.0], 'C': SECOND}
    ax = plot_class_comparison(runs, NAMES).axes[0]
    assert rows(ax) == ['throw', 'carry', 'walk', 'donning']
    assert len(ax.containers) == 3
    assert len({c.patches[0].get_facecolor() for c in ax.containers}) == 3


@pytest.mark.parametrize(('num_classes', 'num_runs'), [(1, 2), (10, 3), (60, 2)])
def test_nothing_is_cut_off_and_legend_and_title_are_apart(num_classes, num_runs):
    random = np.random.default_rng(0)
    runs = {f'a run with the number {i}': random.random(num_classes) for i in range(num_runs)}
    names = [f'the class with number {i}' for i in range(num_classes)]
    figure = plot_class_comparison(runs, names, title='a title')
    check_nothing_is_cut_off(figure)
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
    ('accuracy', 'options', 'message'),
    [
        ({'A': FIRST}, {}, r"two runs or more, got \['A'\]"),
        ({'A': FIRST, 'B': [50.0, 1, 1, 1]}, {}, "accuracy of 'B' is in 0..1, got"),
        ({'A': FIRST, 'B': [-0.5, 1, 1, 1]}, {}, "accuracy of 'B' is in 0..1, got"),
        ({'A': FIRST, 'B': [np.nan, 1, 1, 1]}, {}, "accuracy of 'B' has 1 values that are not fin"),
        ({'A': FIRST, 'B': [1, 1]}, {}, "same classes, got {'A': 4, 'B': 2}"),
        ({'A': FIRST, 'B': [[1, 1], [1, 1]]}, {}, r"accuracy of 'B' has the shape \[2, 2\]"),
        ({'A': FIRST, 'B': SECOND}, {'class_names': ['a']}, '1 names for 4 classes'),
        ({'A': FIRST, 'B': SECOND}, {'worst': 0}, 'worst is at least 1, got 0'),
    ],
)
def test_bad_input_is_refused(accuracy, options, message):
    with pytest.raises(ValueError, match=message):
        plot_class_comparison(accuracy, **options)
