import numpy as np
import pytest
import torch

from graphmotion.metrics import fold_summary
from graphmotion.visualization import plot_accuracy_against, plot_cross_dataset

from .conftest import check_nothing_is_clipped

NAN = float('nan')
RESULTS = {
    'SPAGNN': ([0.4, 0.5, 0.6], [0.03, 0.02, 0.01]),
    'SSGNN': (torch.tensor([0.45, 0.55, 0.7]), torch.tensor([0.02, NAN, 0.0])),
}


def curves(figure):
    """Returns x, y and the ends of the error bars of each model."""
    out = {}
    for line in figure.axes[0].containers:
        data, _, (bars,) = line
        ends = np.array([segment[:, 1] for segment in bars.get_segments()])
        out[line.get_label()] = data.get_xdata(), data.get_ydata(), ends
    return out


def test_percentages_with_error_bars():
    figure = plot_accuracy_against([0.1, 0.5, 1.0], RESULTS, 'share', title='ratio')
    found = curves(figure)
    assert list(found) == ['SPAGNN', 'SSGNN']
    place, mean, ends = found['SPAGNN']
    np.testing.assert_allclose(place, [0.1, 0.5, 1.0], atol=0.01)
    np.testing.assert_allclose(mean, [40, 50, 60])
    np.testing.assert_allclose(ends, [[37, 43], [48, 52], [59, 61]])
    np.testing.assert_allclose(found['SSGNN'][2][1], [55, 55], rtol=1e-6)  # undefined deviation
    (ax,) = figure.axes
    assert (ax.get_xlabel(), ax.get_ylabel()) == ('share', 'accuracy (%)')
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ['SPAGNN', 'SSGNN']
    check_nothing_is_clipped(figure)


def test_settings_are_sorted():
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
    assert figure.axes[0].get_ylabel() == 'f1 (%)'
    with pytest.raises(
        ValueError,
        match=r"metric must be one of \['accuracy', 'f1'\] for results\['a'\]\[0\], got 'recall'",
    ):
        plot_accuracy_against([8, 16], {'a': summaries}, 'k', metric='recall')


def test_a_single_value():
    check_nothing_is_clipped(plot_accuracy_against([8], {'a': ([0.5], [NAN])}, 'k'))


@pytest.mark.parametrize(
    ('x', 'results', 'message'),
    [
        ([1, 2, 3], {}, 'results must not be empty'),
        ([1, 2], RESULTS, r"the mean of results\['SPAGNN'\] must have shape \[2\], got \[3\]"),
        (
            [1, 2],
            {'a': ([0.1, 0.2],)},
            r"results\['a'\] must be .* or a pair \(means, deviations\), got 1",
        ),
        ([1, 2], {'a': ([0.1, NAN], [0, 0])}, r'mean of .* must be finite, got 1 non-finite'),
    ],
)
def test_invalid_curves(x, results, message):
    with pytest.raises(ValueError, match=message):
        plot_accuracy_against(x, results, 'k')


def test_cross_dataset_cells_and_bold_diagonal():
    values = [[0.9, 0.4, NAN], [0.3, 0.8, 0.5]]
    figure = plot_cross_dataset(values, ['JAFFE', 'CK+'], ['JAFFE', 'CK+', 'FER2013'], 'cross')
    ax = figure.axes[0]
    cells = {text.get_position(): text for text in ax.texts}
    texts = {place: text.get_text() for place, text in cells.items()}
    # x is the test dataset, y the training dataset
    assert texts == {(0, 0): '90.0', (1, 0): '40.0', (0, 1): '30.0', (1, 1): '80.0', (2, 1): '50.0'}
    bold = {place for place, text in cells.items() if text.get_fontweight() == 'bold'}
    assert bold == {(0, 0), (1, 1)}
    np.testing.assert_allclose(ax.images[0].get_array().filled(NAN), 100 * np.array(values))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ('test dataset', 'training dataset')
    check_nothing_is_clipped(figure)


@pytest.mark.parametrize('size', [1, 6])
def test_nothing_is_clipped(size):
    names = [f'a dataset with number {i}' for i in range(size)]
    check_nothing_is_clipped(plot_cross_dataset(torch.eye(size), names, title='a title'))


def test_invalid_matrices():
    with pytest.raises(ValueError, match=r'must have shape \[3, 3\], got \[2, 2\]'):
        plot_cross_dataset(torch.eye(2), ['a', 'b', 'c'])
    with pytest.raises(ValueError, match=r'must be in \[0, 1\], got values from 0 to 90'):
        plot_cross_dataset([[90.0, 0.0]], ['a'], ['a', 'b'])
