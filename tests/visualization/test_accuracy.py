import numpy as np
import pytest
import torch

from graphmotion.metrics import fold_summary
from graphmotion.visualization import plot_accuracy_against, plot_cross_dataset

from .conftest import check_nothing_is_cut_off

NAN = float('nan')
RESULTS = {
    'SPAGNN': ([0.4, 0.5, 0.6], [0.03, 0.02, 0.01]),
    'SSGNN': (torch.tensor([0.45, 0.55, 0.7]), torch.tensor([0.02, NAN, 0.0])),
}


def curves(figure):
    """What is drawn for each model: where, how high, and the bars' ends."""
    out = {}
    for line in figure.axes[0].containers:
        data, _, (bars,) = line
        ends = np.array([segment[:, 1] for segment in bars.get_segments()])
        out[line.get_label()] = data.get_xdata(), data.get_ydata(), ends
    return out


def test_means_in_per_cent_with_deviations():
    figure = plot_accuracy_against([0.1, 0.5, 1.0], RESULTS, 'share', title='ratio')
    found = curves(figure)
    assert list(found) == ['SPAGNN', 'SSGNN']
    place, mean, ends = found['SPAGNN']
    np.testing.assert_allclose(place, [0.1, 0.5, 1.0], atol=0.01)
    np.testing.assert_allclose(mean, [40, 50, 60])
    np.testing.assert_allclose(ends, [[37, 43], [48, 52], [59, 61]])
    np.testing.assert_allclose(found['SSGNN'][2][1], [55, 55], rtol=1e-6)  # none is known
    (ax,) = figure.axes
    assert (ax.get_xlabel(), ax.get_ylabel()) == ('share', 'accuracy, %')
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ['SPAGNN', 'SSGNN']
    check_nothing_is_cut_off(figure)


def test_values_are_drawn_in_ascending_order():
    found = curves(plot_accuracy_against([24, 8, 16], RESULTS, 'k'))
    np.testing.assert_allclose(found['SPAGNN'][1], [50, 60, 40])
    assert (np.diff(found['SPAGNN'][0]) > 0).all()


def test_summaries_of_folds():
    folds = [[{'accuracy': a, 'f1': a / 2} for a in (m - 0.1, m + 0.1)] for m in (0.4, 0.6)]
    summaries = [fold_summary(fold) for fold in folds]
    _, mean, ends = curves(plot_accuracy_against([8, 16], {'a': summaries}, 'k'))['a']
    np.testing.assert_allclose(mean, [40, 60])
    half = 100 * np.std([-0.1, 0.1], ddof=1)
    np.testing.assert_allclose(ends, [[40 - half, 40 + half], [60 - half, 60 + half]])
    figure = plot_accuracy_against([8, 16], {'a': summaries}, 'k', metric='f1')
    np.testing.assert_allclose(curves(figure)['a'][1], [20, 30])
    assert figure.axes[0].get_ylabel() == 'f1, %'
    with pytest.raises(ValueError, match=r"summary 0 of 'a' has no 'recall'; it has \['accuracy'"):
        plot_accuracy_against([8, 16], {'a': summaries}, 'k', metric='recall')


def test_a_single_value():
    check_nothing_is_cut_off(plot_accuracy_against([8], {'a': ([0.5], [NAN])}, 'k'))


@pytest.mark.parametrize(
    ('x', 'results', 'message'),
    [
        ([1, 2, 3], {}, 'no results'),
        ([1, 2], RESULTS, "'SPAGNN' has 3 means and 3 deviations for 2 values of x"),
        ([1, 2], {'a': ([0.1, 0.2],)}, "'a' are summaries or a pair of means and deviations"),
        ([1, 2], {'a': ([0.1, NAN], [0, 0])}, 'not finite'),
    ],
)
def test_curves_that_do_not_fit_are_refused(x, results, message):
    with pytest.raises(ValueError, match=message):
        plot_accuracy_against(x, results, 'k')


def test_cells_hold_accuracies_and_the_diagonal_is_bold():
    values = [[0.9, 0.4, NAN], [0.3, 0.8, 0.5]]
    figure = plot_cross_dataset(values, ['JAFFE', 'CK+'], ['JAFFE', 'CK+', 'FER2013'], 'cross')
    ax = figure.axes[0]
    cells = {text.get_position(): text for text in ax.texts}
    texts = {place: text.get_text() for place, text in cells.items()}
    # x is the dataset of testing, y that of training
    assert texts == {(0, 0): '90.0', (1, 0): '40.0', (0, 1): '30.0', (1, 1): '80.0', (2, 1): '50.0'}
    bold = {place for place, text in cells.items() if text.get_fontweight() == 'bold'}
    assert bold == {(0, 0), (1, 1)}
    np.testing.assert_allclose(ax.images[0].get_array().filled(NAN), 100 * np.array(values))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ('test', 'training')
    check_nothing_is_cut_off(figure)


@pytest.mark.parametrize('size', [1, 6])
def test_nothing_is_cut_off(size):
    names = [f'a dataset with number {i}' for i in range(size)]
    check_nothing_is_cut_off(plot_cross_dataset(torch.eye(size), names, title='a title'))


def test_matrices_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r'\[2, 2\] for 3 datasets of training and 3'):
        plot_cross_dataset(torch.eye(2), ['a', 'b', 'c'])
    with pytest.raises(ValueError, match='between 0 and 1, got 0 to 90'):
        plot_cross_dataset([[90.0, 0.0]], ['a'], ['a', 'b'])
