import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from PIL import Image

from graphmotion.metrics import ClassificationScores
from graphmotion.visualization import plot_confusion_matrix

from .conftest import check_nothing_is_clipped

COUNTS = [[8, 2, 0], [1, 4, 5], [0, 0, 0]]
NAMES = ['calm', 'upset', 'neither of the two']


def test_cells_hold_counts_and_percentages():
    figure = plot_confusion_matrix(torch.tensor(COUNTS), NAMES, title='run')
    ax = figure.axes[0]
    cells = {text.get_position(): text.get_text() for text in ax.texts}
    assert cells[0, 0] == '8\n80%'
    assert cells[1, 0] == '2\n20%'  # x is the predicted class, y the true class
    assert cells[0, 1] == '1\n10%'
    assert cells[2, 2] == '0\n0%'  # a class without samples
    assert len(cells) == 9
    expected = [[80, 20, 0], [10, 40, 50], [0, 0, 0]]
    np.testing.assert_allclose(ax.images[0].get_array(), expected)
    assert ax.images[0].get_clim() == (0, 100)
    assert [t.get_text() for t in ax.get_xticklabels()] == NAMES
    assert [t.get_text() for t in ax.get_yticklabels()] == NAMES
    assert (ax.get_xlabel(), ax.get_ylabel()) == ('predicted class', 'true class')
    assert ax.yaxis_inverted()  # the first class is on top
    assert figure.get_suptitle() == 'run'


def test_text_contrasts_with_its_cell():
    ax = plot_confusion_matrix([[1, 0], [1, 1]]).axes[0]
    colors = {text.get_position(): to_rgb(text.get_color()) for text in ax.texts}
    assert colors[0, 0] == to_rgb('white')
    assert colors[1, 0] == to_rgb('black')


def test_class_names_from_scores():
    scores = ClassificationScores(COUNTS, NAMES)
    ax = plot_confusion_matrix(scores).axes[0]
    assert [t.get_text() for t in ax.get_xticklabels()] == NAMES
    ax = plot_confusion_matrix(scores, ['a', 'b', 'c']).axes[0]
    assert [t.get_text() for t in ax.get_xticklabels()] == ['a', 'b', 'c']


def test_large_matrices_show_less_text():
    matrix = torch.eye(20, dtype=torch.long) * 3
    matrix[0, 1] = 1
    texts = [text.get_text() for text in plot_confusion_matrix(matrix).axes[0].texts]
    assert sorted(texts) == ['100'] * 19 + ['25', '75']
    assert len(plot_confusion_matrix(torch.eye(60, dtype=torch.long)).axes[0].texts) == 0


@pytest.mark.parametrize('num_classes', [1, 2, 10, 27])
def test_nothing_is_clipped(num_classes):
    names = [f'the class with number {i}' for i in range(num_classes)]
    matrix = torch.eye(num_classes, dtype=torch.long)
    check_nothing_is_clipped(plot_confusion_matrix(matrix, names, title='a title'))
    check_nothing_is_clipped(plot_confusion_matrix(matrix))


def test_file_is_written_with_its_folder(tmp_path):
    path = tmp_path / 'new' / 'confusion.png'
    figure = plot_confusion_matrix(COUNTS, path=path)
    with Image.open(path) as image:
        # Matplotlib up to 3.10 truncates fractions of a pixel, later versions round them.
        assert image.size == pytest.approx(tuple(200 * figure.get_size_inches()), abs=1)
        assert len(set(image.convert('L').tobytes())) > 10  # not blank


@pytest.mark.parametrize(
    ('confusion', 'names', 'error', 'message'),
    [
        ([[1, 2]], None, ValueError, 'square'),
        ([[0.5, 0.5], [0.0, 1.0]], None, TypeError, 'integer counts'),
        ([[0, 0], [0, 0]], None, ValueError, 'all zero'),
        ([[1, 0], [0, 1]], ['a'], ValueError, 'must be 2 distinct names'),
    ],
)
def test_invalid_input(confusion, names, error, message):
    with pytest.raises(error, match=message):
        plot_confusion_matrix(confusion, names)
